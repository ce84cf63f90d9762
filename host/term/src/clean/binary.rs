//! Tells text from what is none, a line at a time.

/// What a strange line holds for one in so many bytes, at least.
const STRANGE_ONE_IN: usize = 8;
/// Text this short between two strange lines is part of what they are.
const GAP_BYTES: usize = 256;
/// Binary data has no lines; it is judged in parts of this size.
const LONGEST_LINE_BYTES: usize = 4096;

/// A run of bytes of one kind.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block<'a> {
    Text(&'a [u8]),
    Binary { length: usize, kind: &'static str },
}

/// What speaks against a line being text.
#[derive(Debug, Clone, Copy, Default)]
struct Doubts {
    /// Control characters no terminal knows, several together where they are NUL.
    controls: usize,
    /// Bytes that are not UTF-8.
    invalid: usize,
}

impl Doubts {
    fn of(line: &[u8]) -> Self {
        let mut doubts = Self::default();
        let mut after_control = false;
        for byte in line {
            let control = is_strange(*byte);
            // One NUL alone separates names.
            doubts.controls += usize::from(control && (*byte != 0 || after_control));
            after_control = control;
        }
        doubts.invalid = line.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
        doubts
    }

    fn decide(self, length: usize) -> bool {
        (self.controls + self.invalid) * STRANGE_ONE_IN >= length.max(1)
    }
}

/// A control character that means nothing to a terminal.
fn is_strange(byte: u8) -> bool {
    matches!(byte, 0..=0x06 | 0x10..=0x1a | 0x1c..=0x1f)
}

/// Splits output into text and what is none.
pub(super) fn blocks(bytes: &[u8]) -> Vec<Block<'_>> {
    if !bytes.iter().any(|byte| is_strange(*byte)) && std::str::from_utf8(bytes).is_ok() {
        return vec![Block::Text(bytes)];
    }
    let mut blocks = Vec::new();
    let mut runs = Runs::default();
    let mut at = 0;
    while at < bytes.len() {
        let line = &bytes[at..bytes.len().min(at + LONGEST_LINE_BYTES)];
        let line = &line[..memchr::memchr(b'\n', line).map_or(line.len(), |end| end + 1)];
        runs.add(bytes, at, line.len(), &mut blocks);
        at += line.len();
    }
    runs.flush(bytes, &mut blocks);
    blocks
}

/// The run being gathered, and text behind it that may turn out to be part of it.
#[derive(Default)]
struct Runs {
    text_from: usize,
    binary: Option<(usize, Doubts)>,
    end: usize,
    gap: usize,
}

impl Runs {
    fn add<'a>(&mut self, bytes: &'a [u8], at: usize, length: usize, blocks: &mut Vec<Block<'a>>) {
        let doubts = Doubts::of(&bytes[at..at + length]);
        if doubts.decide(length) {
            if self.binary.is_none() && at > self.text_from {
                blocks.push(Block::Text(&bytes[self.text_from..at]));
            }
            let (from, sum) = self.binary.unwrap_or((at, Doubts::default()));
            let sum = Doubts { controls: sum.controls + doubts.controls, invalid: sum.invalid + doubts.invalid };
            self.binary = Some((from, sum));
            self.end = at + length;
            self.gap = 0;
        } else if self.binary.is_some() {
            self.gap += length;
            if self.gap > GAP_BYTES {
                self.close(blocks);
            }
        }
    }

    fn close(&mut self, blocks: &mut Vec<Block<'_>>) {
        if let Some((from, doubts)) = self.binary.take() {
            let kind = if doubts.controls > 0 { "binary" } else { "not UTF-8" };
            blocks.push(Block::Binary { length: self.end - from, kind });
            self.text_from = self.end;
            self.gap = 0;
        }
    }

    fn flush<'a>(mut self, bytes: &'a [u8], blocks: &mut Vec<Block<'a>>) {
        self.close(blocks);
        if self.text_from < bytes.len() {
            blocks.push(Block::Text(&bytes[self.text_from..]));
        }
    }
}

/// A number of bytes for a reader.
pub(super) fn size(bytes: usize) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} kB", (bytes + 500) / 1_000),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(bytes: &[u8]) -> Vec<Option<&'static str>> {
        let kind = |block: &Block<'_>| match block {
            Block::Text(_) => None,
            Block::Binary { kind, .. } => Some(*kind),
        };
        blocks(bytes).iter().map(kind).collect()
    }

    #[test]
    fn text_with_a_few_strange_bytes_stays_text() {
        let cases: [&[u8]; 5] = [
            b"plain\r\n",
            b"sleep\x00100\x00",
            b"caf\xe9 au lait, s'il vous pla\xeet\r\n",
            b"\x1b[31mred\x1b[0m\x07\r\n",
            "宽字符，半个\r\n".as_bytes(),
        ];
        for case in cases {
            assert_eq!(kinds(case), [None], "{case:?}");
        }
    }

    #[test]
    fn data_between_texts_is_one_run() {
        let mut bytes = b"before\r\n".to_vec();
        for number in 0..2000_u32 {
            bytes.extend((number.wrapping_mul(2_654_435_761)).to_le_bytes());
            bytes.extend(b"\0\0\x01.text\n");
        }
        bytes.extend("after, a line of text that ends it\r\n".repeat(10).bytes());
        assert_eq!(kinds(&bytes), [None, Some("binary"), None]);
    }

    #[test]
    fn another_encoding_is_named() {
        let gbk = crate::decode::encode(crate::Encoding::Gbk, "请选择目标资产\r\n").unwrap_or_default();
        assert_eq!(kinds(&gbk), [Some("not UTF-8")]);
    }
}
