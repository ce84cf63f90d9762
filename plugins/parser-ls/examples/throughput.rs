//! How fast long listings are read, natively: `cargo run --release --example throughput -p parser-ls`.
//!
//! The profile of the release is made for size, as the component's is; a component runs slower again.
#![allow(clippy::print_stdout, clippy::disallowed_methods, clippy::unwrap_used, reason = "a program for the terminal")]

use std::fmt::Write as _;
use std::time::Instant;

use parser_ls::{Ls, SCHEMA};
use portcullis_plugin::Endpoint;
use portcullis_plugin::parser::{OutputMeta, Parse, Parser};

const ROWS: usize = 300_000;
const CHUNK_BYTES: usize = 64 * 1024;
const ROUNDS: usize = 5;

fn main() {
    let mut text = String::from("total 1234567\n");
    for row in 0..ROWS {
        let _ = writeln!(
            text,
            "-rw-r--r-- 1 user{} staff {:>9} Nov {:>2} 04:15 some-file-name-{row}.tar.gz",
            row % 7,
            row * 37,
            row % 28 + 1
        );
    }
    let mut best = 0.0_f64;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let mut parse = Ls::begin(meta(), SCHEMA).unwrap();
        let mut documents = 0;
        for chunk in text.as_bytes().chunks(CHUNK_BYTES) {
            documents += parse.push(chunk).unwrap().documents.len();
        }
        documents += parse.finish(Some(0), false).unwrap().documents.len();
        assert_eq!(documents, ROWS);
        best = best.max(text.len() as f64 / 1e6 / started.elapsed().as_secs_f64());
    }
    println!("{best:.0} MB/s of {} MB", text.len() / 1_000_000);
}

fn meta() -> OutputMeta {
    OutputMeta {
        argv: ["ls", "-l"].map(str::to_owned).to_vec(),
        raw_command: "ls -l".to_owned(),
        endpoint: Endpoint {
            profile: String::new(),
            user: String::new(),
            tags: Vec::new(),
            levels: Vec::new(),
            attributes: Vec::new(),
        },
        terminal: true,
        now_unix_ms: 0,
        attributes: Vec::new(),
    }
}
