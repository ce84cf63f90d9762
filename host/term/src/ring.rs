//! Output addressed by its absolute offset, in bounded memory.
//!
//! An offset counts bytes of visible output (decoded to UTF-8) since the session opened; it never
//! shifts. When the ring is full the oldest bytes go, and a reader is told where it now starts.

use std::collections::VecDeque;

use serde::Serialize;

/// Bytes of output since the session opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub struct Offset(pub u64);

/// Output `from..to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Span {
    pub from: Offset,
    pub to: Offset,
}

impl Span {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.to.0.saturating_sub(self.from.0)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Bytes read back from the ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// Where `bytes` begin; later than asked for when the beginning is gone.
    pub from: Offset,
    pub bytes: Vec<u8>,
    /// Bytes of the span that were evicted before this read.
    pub evicted: u64,
}

/// The newest `capacity` bytes of a session's output.
#[derive(Debug)]
pub struct OutputRing {
    bytes: VecDeque<u8>,
    start: u64,
    capacity: usize,
}

impl OutputRing {
    /// `capacity_bytes` bounds the memory; it is taken as needed, not at once.
    pub fn new(capacity_bytes: usize) -> Self {
        Self { bytes: VecDeque::new(), start: 0, capacity: capacity_bytes.max(1) }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        let keep = &bytes[bytes.len().saturating_sub(self.capacity)..];
        let skipped = (bytes.len() - keep.len()) as u64;
        let overflow = (self.bytes.len() + keep.len()).saturating_sub(self.capacity);
        if overflow > 0 {
            self.bytes.drain(..overflow.min(self.bytes.len()));
        }
        self.start += overflow as u64 + skipped;
        self.bytes.extend(keep);
    }

    /// The oldest byte still here.
    pub fn start(&self) -> Offset {
        Offset(self.start)
    }

    /// One past the newest byte.
    pub fn end(&self) -> Offset {
        Offset(self.start + self.bytes.len() as u64)
    }

    /// What is left of `span`.
    pub fn read(&self, span: Span) -> Slice {
        let end = self.end().0;
        let to = span.to.0.min(end);
        let from = span.from.0.clamp(self.start, end).min(to.max(self.start));
        let evicted = from.saturating_sub(span.from.0).min(span.len());
        let first = (from - self.start) as usize;
        let count = to.saturating_sub(from) as usize;
        let bytes = self.bytes.range(first..first + count).copied().collect();
        Slice { from: Offset(from), bytes, evicted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: u64, to: u64) -> Span {
        Span { from: Offset(from), to: Offset(to) }
    }

    #[test]
    fn offsets_stay_while_the_oldest_bytes_go() {
        let mut ring = OutputRing::new(8);
        ring.push(b"0123456");
        ring.push(b"789ab");
        assert_eq!((ring.start(), ring.end()), (Offset(4), Offset(12)));
        assert_eq!(ring.read(span(6, 9)).bytes, b"678");
        let slice = ring.read(span(0, 6));
        assert_eq!((slice.from, slice.bytes.as_slice(), slice.evicted), (Offset(4), &b"45"[..], 4));
    }

    #[test]
    fn a_chunk_larger_than_the_ring_keeps_its_tail() {
        let mut ring = OutputRing::new(4);
        ring.push(b"x");
        ring.push(b"0123456789");
        assert_eq!((ring.start(), ring.end()), (Offset(7), Offset(11)));
        assert_eq!(ring.read(span(0, 100)).bytes, b"6789");
    }

    #[test]
    fn reading_outside_gives_nothing() {
        let mut ring = OutputRing::new(4);
        ring.push(b"abcdef");
        assert!(ring.read(span(40, 50)).bytes.is_empty());
        assert_eq!(ring.read(span(0, 1)).bytes, b"");
        assert_eq!(ring.read(span(0, 1)).evicted, 1);
    }
}
