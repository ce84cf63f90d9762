//! Recordings of real programs, as they are and damaged: what must hold for any bytes holds for them.
//!
//! The recordings in `corpus/` are what programs wrote to a terminal of 100 by 30; the fuzz target in
//! `fuzz/` starts from them.

use std::path::Path;

use crate::harness::check;

/// Damaged copies of each recording.
const MUTATIONS: u64 = 12;

fn recordings() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut found: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    found.sort();
    assert!(found.len() >= 15, "the corpus is incomplete: {} recordings", found.len());
    found
}

/// A small generator with a fixed beginning (xorshift64*, Vigna 2016), so that a failure comes again.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit.max(1)
    }

    /// Bytes changed, cut out, repeated or taken from another recording.
    fn damage(&mut self, bytes: &[u8], other: &[u8]) -> Vec<u8> {
        let mut damaged = bytes.to_vec();
        for _ in 0..=self.below(12) {
            let at = self.below(damaged.len());
            let end = (at + 1 + self.below(60)).min(damaged.len());
            match self.below(4) {
                0 => damaged[at] = self.below(256) as u8,
                1 => drop(damaged.drain(at..end)),
                2 => drop(damaged.splice(at..at, damaged[at..end].to_vec())),
                _ => {
                    let from = self.below(other.len());
                    let part = &other[from..(from + 40).min(other.len())];
                    drop(damaged.splice(at..at, part.iter().copied()));
                }
            }
        }
        damaged
    }
}

#[test]
fn recordings_of_real_programs_hold() {
    for (name, bytes) in recordings() {
        println!("{name}");
        check(&bytes);
    }
}

#[test]
fn damaged_recordings_hold() {
    let recordings = recordings();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for (name, bytes) in &recordings {
        let bytes = &bytes[..bytes.len().min(6000)];
        for mutation in 0..MUTATIONS {
            let other = &recordings[random.below(recordings.len())].1;
            let damaged = random.damage(bytes, other);
            println!("{name}, mutation {mutation}");
            check(&damaged);
        }
    }
}
