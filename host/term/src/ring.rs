//! Output addressed by its absolute offset, in bounded memory.
//!
//! An offset counts bytes of visible output (decoded to UTF-8) since the session opened; it never
//! shifts. When the ring is full the oldest bytes go, and a reader is told where it now starts.

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
    /// Grows up to the capacity, then is written round and round.
    bytes: Vec<u8>,
    /// Index of the oldest byte.
    head: usize,
    start: u64,
    capacity: usize,
}

impl OutputRing {
    /// `capacity_bytes` bounds the memory; it is taken as needed, not at once.
    pub fn new(capacity_bytes: usize) -> Self {
        Self { bytes: Vec::new(), head: 0, start: 0, capacity: capacity_bytes.max(1) }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        let keep = &bytes[bytes.len().saturating_sub(self.capacity)..];
        self.start += (bytes.len() - keep.len()) as u64;
        let (fills, overwrites) = keep.split_at(keep.len().min(self.capacity - self.bytes.len()));
        self.grow_for(fills.len());
        self.bytes.extend_from_slice(fills);
        let (before_edge, behind_edge) = overwrites.split_at(overwrites.len().min(self.bytes.len() - self.head));
        self.bytes[self.head..self.head + before_edge.len()].copy_from_slice(before_edge);
        self.bytes[..behind_edge.len()].copy_from_slice(behind_edge);
        self.head = (self.head + overwrites.len()) % self.bytes.len().max(1);
        self.start += overwrites.len() as u64;
    }

    /// Doubles the room, but never beyond the capacity.
    fn grow_for(&mut self, additional: usize) {
        let needed = self.bytes.len() + additional;
        if needed > self.bytes.capacity() {
            let target = needed.max(self.bytes.capacity() * 2).min(self.capacity);
            self.bytes.reserve_exact(target - self.bytes.len());
        }
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
        let (older, newer) = (&self.bytes[self.head..], &self.bytes[..self.head]);
        let from_older = &older[first.min(older.len())..(first + count).min(older.len())];
        let first_newer = first.saturating_sub(older.len());
        let from_newer = &newer[first_newer..first_newer + count - from_older.len()];
        Slice { from: Offset(from), bytes: [from_older, from_newer].concat(), evicted }
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

    #[test]
    fn any_sequence_of_pushes_keeps_the_tail_in_bounded_memory() {
        let stream: Vec<u8> = (0..=255).cycle().take(5000).collect();
        for (capacity, lengths) in [(100, [1, 99, 100, 101, 7]), (64, [63, 1, 64, 3, 500]), (1, [1, 2, 1, 3, 1])] {
            let mut ring = OutputRing::new(capacity);
            let mut pushed = 0;
            for length in lengths.into_iter().cycle().take(25) {
                ring.push(&stream[pushed..pushed + length]);
                pushed += length;
                let start = pushed.saturating_sub(capacity);
                assert_eq!(ring.end(), Offset(pushed as u64));
                assert_eq!(ring.read(span(0, u64::MAX)).bytes, &stream[start..pushed]);
                let middle = (start + pushed) / 2;
                assert_eq!(ring.read(span(middle as u64, pushed as u64)).bytes, &stream[middle..pushed]);
                assert!(ring.bytes.capacity() <= capacity.max(8));
            }
        }
    }
}
