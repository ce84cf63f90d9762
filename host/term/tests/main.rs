//! The terminal model against real shells on a local PTY, and its properties.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what is printed is shown beside a failure")]

mod corpus;
mod harness;
mod levels;
mod properties;
mod shells;
