//! The ways to misbehave that every kind of plugin has. Each is real: it does what a broken or
//! hostile plugin would do, and ends only if the host ends it.

use std::hint::black_box;

use portcullis_plugin::log;
use serde::Deserialize;

/// Pieces that are allocated and kept. Bytes.
const PIECE_BYTES: usize = 1 << 20;
/// One log line of the flood. Bytes.
const LOG_LINE_BYTES: usize = 64 * 1024;

/// A behaviour that does not end by itself.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Endless {
    Loop,
    Trap,
    Allocate,
    FloodLog,
    DeepRecursion,
}

/// Never comes back.
pub(crate) fn misbehave(behaviour: Endless) -> ! {
    match behaviour {
        Endless::Loop => spin(),
        Endless::Trap => trap(),
        Endless::Allocate => allocate(),
        Endless::FloodLog => flood_log(),
        Endless::DeepRecursion => {
            black_box(descend(black_box(0)));
            trap()
        }
    }
}

fn spin() -> ! {
    let mut turns = 0u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

#[allow(clippy::panic, reason = "a trap is what is asked for")]
fn trap() -> ! {
    panic!("a trap was asked for")
}

fn allocate() -> ! {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    loop {
        // Filled, so that the pages are really taken.
        kept.push(black_box(vec![1; PIECE_BYTES]));
    }
}

fn flood_log() -> ! {
    let line = "flood ".repeat(LOG_LINE_BYTES / 6);
    loop {
        log::error(black_box(&line));
    }
}

#[allow(unconditional_recursion, reason = "that is what is asked for")]
fn descend(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    // The frame is used behind the call, so the call cannot become a loop.
    descend(depth.wrapping_add(1)).wrapping_add(frame[63])
}
