//! The shell reader against lines, against bash, and against anything at all.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod oracle;
mod plans;
