//! Any bytes into a terminal; see README.md for how to run it.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/harness.rs"]
mod harness;

fuzz_target!(|bytes: &[u8]| harness::check(bytes));
