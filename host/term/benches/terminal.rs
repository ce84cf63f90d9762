//! Speed of the terminal model on six kinds of output, each beside its floor.
//!
//! `tap and ring` is what every byte passes whatever the emulator does; `terminal` is the whole
//! [`Terminal::feed`]; `emulator alone` is the emulator crate on the same bytes in the same pieces.
//! The promise is: tap and ring at 150 MB/s or more on log text, the whole at no less than 0.9 of
//! the emulator alone.
//!
//!     cargo bench -p portcullis-term

use std::fmt::Write;
use std::hint::black_box;
use std::time::Duration;

use alacritty_terminal::event::VoidListener;
use alacritty_terminal::term::test::TermSize;
use alacritty_terminal::term::{Config, Term};
use alacritty_terminal::vte::ansi::Processor;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use portcullis_term::tap::{Nowhere, Tap};
use portcullis_term::{OutputRing, Terminal, TerminalOptions, clean};

const WORKLOAD_BYTES: usize = 1 << 20;
/// As the connection hands it on when there is much of it.
const PIECE_BYTES: usize = 64 * 1024;
const COLUMNS: u16 = 120;
const ROWS: u16 = 40;

fn repeated(mut piece: impl FnMut(usize, &mut String)) -> Vec<u8> {
    let mut text = String::new();
    let mut number = 0;
    while text.len() < WORKLOAD_BYTES {
        piece(number, &mut text);
        number += 1;
    }
    text.into_bytes()
}

fn workloads() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        (
            "log lines",
            repeated(|n, text| {
                let _ = write!(
                    text,
                    "2026-03-02T10:{:02}:{:02}.{:03}Z INFO orders-api request id={n:08x} path=/v1/orders took={}ms\r\n",
                    n / 60 % 60,
                    n % 60,
                    n % 1000,
                    n % 977,
                );
            }),
        ),
        (
            "colours",
            repeated(|n, text| {
                let _ =
                    write!(text, "\x1b[1;3{}mword{n}\x1b[0m \x1b[38;5;{}mx\x1b[39m \x1b[4mu\x1b[24m ", n % 8, n % 256);
                if n % 8 == 7 {
                    text.push_str("\r\n");
                }
            }),
        ),
        (
            "cjk",
            repeated(|n, text| {
                let _ = write!(text, "日志 {n} 订单服务返回错误：连接超时，正在重试 ✅ 完成\r\n");
            }),
        ),
        (
            "progress",
            repeated(|n, text| {
                let _ = write!(text, "\rdownloading layer 3f2a: {:3}% [{:<40}] {n} kB", n % 101, "=".repeat(n % 41));
            }),
        ),
        (
            "full screen",
            repeated(|n, text| {
                text.push_str("\x1b[H");
                for row in 1..=ROWS {
                    let _ =
                        write!(text, "\x1b[{row};1H\x1b[7m{row:3}\x1b[m process {:6} root 20 0 {n:9}\x1b[K", n * 7 + 1);
                }
            }),
        ),
        (
            "long lines",
            repeated(|n, text| {
                let _ = write!(text, "{}{n}\r\n", "payload=0123456789abcdef;".repeat(80));
            }),
        ),
    ]
}

fn feed(criterion: &mut Criterion) {
    for (name, bytes) in workloads() {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(BenchmarkId::from_parameter("tap and ring"), |bencher| {
            let (mut tap, mut ring) = (Tap::default(), OutputRing::new(TerminalOptions::default().ring_bytes));
            bencher.iter(|| {
                for chunk in bytes.chunks(PIECE_BYTES) {
                    let mut rest = chunk;
                    while !rest.is_empty() {
                        let piece = tap.next_piece(rest, &mut Nowhere);
                        let (head, tail) = rest.split_at(piece.length);
                        ring.push(head);
                        rest = tail;
                    }
                }
                ring.end()
            });
        });
        group.bench_function(BenchmarkId::from_parameter("terminal"), |bencher| {
            let options = TerminalOptions { columns: COLUMNS, rows: ROWS, ..TerminalOptions::default() };
            let mut terminal = Terminal::new(&options);
            bencher.iter(|| {
                for chunk in bytes.chunks(PIECE_BYTES) {
                    black_box(terminal.feed(chunk, Duration::ZERO));
                }
            });
        });
        group.bench_function(BenchmarkId::from_parameter("emulator alone"), |bencher| {
            // As many lines as the terminal model keeps: each that scrolls out costs a look at memory.
            let config = Config { scrolling_history: 1000, ..Config::default() };
            let size = TermSize::new(COLUMNS.into(), ROWS.into());
            let (mut term, mut processor) = (Term::new(config, &size, VoidListener), Processor::<NoTimeout>::new());
            bencher.iter(|| {
                for chunk in bytes.chunks(PIECE_BYTES) {
                    processor.advance(&mut term, chunk);
                }
            });
        });
        group.finish();
    }
}

/// Synchronised updates are drawn at once, as the terminal model does.
#[derive(Default)]
struct NoTimeout;

impl alacritty_terminal::vte::ansi::Timeout for NoTimeout {
    fn set_timeout(&mut self, _: Duration) {}
    fn clear_timeout(&mut self) {}
    fn pending_timeout(&self) -> bool {
        false
    }
}

fn cleaning(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("clean 4 MB");
    group.sample_size(20);
    for (name, bytes) in workloads() {
        let bytes = bytes.repeat((4 << 20) / WORKLOAD_BYTES);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| bencher.iter(|| clean(&bytes, COLUMNS)));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_millis(500));
    targets = feed, cleaning
}
criterion_main!(benches);
