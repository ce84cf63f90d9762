//! Terminal bytes as they are read: without the sequences that only colour them or switch modes.
//!
//! A secret that is coloured letter by letter (a shell that highlights what is typed) is one all the same.
//! Sequences that move the cursor end a line here: what stands on both sides of one does not belong together.

use memchr::memchr;

const ESC: u8 = 0x1b;
/// A sequence that is longer is no sequence.
const MAX_SEQUENCE: usize = 256;

/// Bytes without sequences, and where each of them was.
pub(super) struct View<'a> {
    raw: &'a [u8],
    /// None where the bytes have no sequences: the view is the bytes themselves.
    plain: Option<Vec<u8>>,
    /// (position in the view, position in the bytes) of each piece.
    pieces: Vec<(usize, usize)>,
    /// A sequence that has not ended yet begins here.
    unfinished: Option<usize>,
}

impl<'a> View<'a> {
    pub(super) fn new(raw: &'a [u8]) -> Self {
        let Some(mut escape) = memchr(ESC, raw) else {
            return Self { raw, plain: None, pieces: Vec::new(), unfinished: None };
        };
        let mut view = Self { raw, plain: None, pieces: Vec::new(), unfinished: None };
        let mut plain = Vec::with_capacity(raw.len());
        let mut at = 0;
        loop {
            view.pieces.push((plain.len(), at));
            plain.extend_from_slice(&raw[at..escape]);
            match sequence(&raw[escape..]) {
                None => {
                    view.unfinished = Some(escape);
                    break;
                }
                Some((length, silent)) => {
                    if !silent {
                        view.pieces.push((plain.len(), escape));
                        plain.push(b'\n');
                    }
                    at = escape + length;
                }
            }
            match memchr(ESC, &raw[at..]) {
                Some(next) => escape = at + next,
                None => {
                    view.pieces.push((plain.len(), at));
                    plain.extend_from_slice(&raw[at..]);
                    break;
                }
            }
        }
        view.plain = Some(plain);
        view
    }

    pub(super) fn text(&self) -> &[u8] {
        self.plain.as_deref().unwrap_or(self.raw)
    }

    /// Where in the bytes a sequence begins that has not ended.
    pub(super) fn unfinished(&self) -> Option<usize> {
        self.unfinished
    }

    /// Where in the bytes the view's byte at `at` is.
    pub(super) fn raw_start(&self, at: usize) -> usize {
        if self.plain.is_none() {
            return at;
        }
        if at >= self.text().len() {
            return self.unfinished.unwrap_or(self.raw.len());
        }
        let piece = self.pieces.partition_point(|(plain, _)| *plain <= at).saturating_sub(1);
        let (plain, raw) = self.pieces.get(piece).copied().unwrap_or((0, 0));
        raw + (at - plain)
    }

    /// Where in the bytes the view's bytes before `at` end.
    pub(super) fn raw_end(&self, at: usize) -> usize {
        if at == 0 { 0 } else { self.raw_start(at - 1) + 1 }
    }

    /// The view's first byte that is at or behind `raw`.
    pub(super) fn plain_from(&self, raw: usize) -> usize {
        if self.plain.is_none() {
            return raw;
        }
        let piece = self.pieces.partition_point(|(_, at)| *at <= raw);
        let Some((plain, at)) = piece.checked_sub(1).and_then(|piece| self.pieces.get(piece)) else { return 0 };
        let next = self.pieces.get(piece).map_or(self.text().len(), |(plain, _)| *plain);
        (plain + (raw - at)).min(next)
    }
}

/// Length of the sequence at the beginning, and whether it leaves the text where it is. None while it has not
/// ended.
fn sequence(bytes: &[u8]) -> Option<(usize, bool)> {
    match bytes.get(1)? {
        b'[' => {
            let end = bytes.iter().skip(2).position(|byte| (0x40..=0x7e).contains(byte));
            match end {
                Some(end) => {
                    let last = bytes[end + 2];
                    Some((end + 3, matches!(last, b'm' | b'h' | b'l' | b'K' | b'q' | b'n' | b'c')))
                }
                None if bytes.len() > MAX_SEQUENCE => Some((2, false)),
                None => None,
            }
        }
        b']' | b'P' | b'_' | b'^' => {
            let end = bytes.iter().skip(2).position(|byte| matches!(*byte, 0x07 | 0x9c | ESC));
            match end {
                Some(end) if bytes[end + 2] == ESC => match bytes.get(end + 3) {
                    Some(b'\\') => Some((end + 4, true)),
                    Some(_) => Some((end + 2, true)),
                    None => None,
                },
                Some(end) => Some((end + 3, true)),
                None if bytes.len() > MAX_SEQUENCE => Some((2, false)),
                None => None,
            }
        }
        b'(' | b')' | b'#' | b'%' => bytes.get(2).map(|_| (3, true)),
        _ => Some((2, true)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_left_out_and_movements_part() {
        let raw = b"a\x1b[31mb\x1b[0mc\x1b[2;3Hd\x1b]0;title\x07e\x1b[3";
        let view = View::new(raw);
        assert_eq!(view.text(), b"abc\nde");
        assert_eq!((view.raw_start(1), view.raw_end(2)), (6, 7));
        assert_eq!(view.unfinished(), Some(raw.len() - 3));
        assert_eq!(view.plain_from(6), 1);
        assert_eq!(view.plain_from(3), 1);
        assert_eq!(view.plain_from(raw.len()), 6);
    }
}
