//! Prints how long each file named takes to parse: the least of twenty times, in microseconds.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a native tool for developers")]

fn main() {
    for path in std::env::args().skip(1) {
        let line = std::fs::read_to_string(&path).unwrap();
        let time = || {
            let began = std::time::Instant::now();
            let plan = portcullis_shell::parse(&line);
            (began.elapsed(), plan.invocations.len(), plan.unknowns.len())
        };
        let (least, invocations, unknowns) = (0..20).map(|_| time()).min().unwrap();
        println!("{:8} µs {invocations:5} {unknowns:5} {path}", least.as_micros());
    }
}
