//! The lab, walked from outside: a real SSH client, real shells, real processes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed step in a test panics")]

mod client;
mod login;
mod menus;
mod server;
mod walk;
