//! What a session's terminal model costs in resident memory.
//!
//! A test binary of its own: nothing else may allocate meanwhile. What is resident is counted, not what
//! is allocated: the emulator reserves 2 MiB for synchronised updates that are never touched, because
//! updates are drawn at once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what is printed is shown beside a failure")]

use std::time::Duration;

use portcullis_term::{Terminal, TerminalOptions};

/// Enough that pages used by something else do not matter.
const SESSIONS: usize = 16;
const IDLE_LIMIT_MB: f64 = 0.5;
const FULL_LIMIT_MB: f64 = 8.0;
/// What an attacker may pile onto the cells besides.
const ATTACK_LIMIT_MB: f64 = 24.0;
/// Pages the allocator keeps for later.
const NOISE_MB: f64 = 0.3;

fn resident_mb() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: f64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096.0 / 1e6
}

struct Sessions {
    terminals: Vec<Terminal>,
    before_mb: f64,
}

impl Sessions {
    fn open() -> Self {
        let before_mb = resident_mb();
        let terminals = (0..SESSIONS).map(|_| Terminal::new(&TerminalOptions::default())).collect();
        Self { terminals, before_mb }
    }

    /// Feeds each with the bytes, over and over, until it has had `total_bytes`; what one costs then.
    fn each_after(&mut self, bytes: &[u8], total_bytes: usize) -> f64 {
        for terminal in &mut self.terminals {
            let mut fed = 0;
            while fed < total_bytes {
                for chunk in bytes.chunks(64 * 1024) {
                    drop(terminal.feed(chunk, Duration::from_secs(1)));
                    fed += chunk.len();
                }
            }
        }
        (resident_mb() - self.before_mb) / SESSIONS as f64
    }
}

#[test]
fn a_session_costs_little_idle_and_a_bounded_amount_full() {
    let log = format!("\x1b[32m{}\x1b[0m a full line of a log\r\n", "0123456789 ".repeat(12)).repeat(500);
    let attack = format!(
        "{}\x1b]0;{}\x07\x1b]8;;http://{}\x07link\x1b]8;;\x07\x1b[22;0t\x1b]2;{}",
        "a\u{301}\u{302}\u{303}".repeat(50),
        "title".repeat(2000),
        "x".repeat(30_000),
        "y".repeat(300_000)
    );
    let mut sessions = Sessions::open();
    let idle = sessions.each_after(b"Last login: today\r\nuser@host:~$ ", 1);
    sessions.each_after(b"\x1b[?1049hfull screen\x1b[?1049l", 1);
    let full = sessions.each_after(log.as_bytes(), 6 << 20);
    let later = sessions.each_after(log.as_bytes(), 20 << 20);
    println!("idle {idle:.2} MB, full {full:.2} MB, after four times as much output {later:.2} MB");
    assert!(idle <= IDLE_LIMIT_MB, "idle: {idle:.2} MB");
    assert!(full <= FULL_LIMIT_MB, "full: {full:.2} MB");
    assert!(later <= full + NOISE_MB, "grew with output: from {full:.2} to {later:.2} MB");

    let attacked = sessions.each_after(attack.as_bytes(), 10 << 20);
    let later = sessions.each_after(attack.as_bytes(), 30 << 20);
    println!("with characters piled on every cell, titles, links and endless strings {later:.2} MB");
    assert!(later <= attacked + NOISE_MB, "grew under attack: from {attacked:.2} to {later:.2} MB");
    assert!(later <= ATTACK_LIMIT_MB, "under attack: {later:.2} MB");
}
