//! The answers beside those of `ssh -G`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod against_openssh;
mod errors;
