//! Prints how long the policy takes over each file named, the parsing left out: the least of twenty times, in
//! microseconds, with the number of decisions.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a native tool for developers"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use portcullis_plugin::policy::Mode;

fn main() {
    for path in std::env::args().skip(1) {
        let request = support::shell_line(&std::fs::read_to_string(&path).unwrap(), Mode::Safe);
        let time = || {
            let began = std::time::Instant::now();
            let decisions = support::decisions(&request, "{}").len();
            (began.elapsed(), decisions)
        };
        let (least, decisions) = (0..20).map(|_| time()).min().unwrap();
        println!("{:8} µs {decisions:5} {path}", least.as_micros());
    }
}
