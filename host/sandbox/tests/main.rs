//! The sandbox against real components: what loads, what does not and with which words, and what a
//! misbehaving plugin can do (fail its own call).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod calls;
mod loading;
mod outputs;
mod support;
