//! The product's stories, each through the real program over standard input and output.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod approvals;
mod bad_input;
mod bastions;
mod configuration;
mod connecting;
mod doctor;
mod files;
mod lifecycle;
mod local_shell;
mod log_search;
mod login_program;
mod main_job;
mod people;
mod places;
mod plain_host;
mod plugin_authors;
mod plugins;
mod policy;
mod policy_corpus;
mod process;
mod reading;
mod record;
mod retrying;
mod running;
mod secrets;
mod ssh_config;
mod stopping;
mod typing;
