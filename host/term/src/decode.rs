//! A level's character encoding: bytes from the channel become UTF-8 before anything reads them.
//!
//! One channel may carry a GBK menu and a UTF-8 shell behind it, so the encoding belongs to a
//! level and changes with it. UTF-8 passes unchanged; the emulator and the cleaner both cope with
//! invalid sequences, and the bytes stay what the far side sent.

use encoding_rs::{Decoder, GB18030, GBK};

/// What a level writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    #[default]
    Utf8,
    Gbk,
    Gb18030,
}

/// Streaming decoder of one direction.
pub struct StreamDecoder {
    decoder: Option<Decoder>,
}

impl StreamDecoder {
    pub fn new(encoding: Encoding) -> Self {
        let decoder = match encoding {
            Encoding::Utf8 => None,
            Encoding::Gbk => Some(GBK.new_decoder_without_bom_handling()),
            Encoding::Gb18030 => Some(GB18030.new_decoder_without_bom_handling()),
        };
        Self { decoder }
    }

    /// UTF-8 for `bytes`; a character cut at the end waits for its rest.
    pub fn decode<'a>(&mut self, bytes: &'a [u8]) -> std::borrow::Cow<'a, [u8]> {
        let Some(decoder) = &mut self.decoder else { return bytes.into() };
        let capacity = decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(bytes.len() * 4 + 16);
        let mut text = String::with_capacity(capacity);
        // The capacity is the decoder's own upper bound, so everything is consumed in one call.
        let _ = decoder.decode_to_string(bytes, &mut text, false);
        text.into_bytes().into()
    }
}

/// `text` in the level's encoding, for typing; `None` when it has characters the encoding lacks.
pub fn encode(encoding: Encoding, text: &str) -> Option<Vec<u8>> {
    let target = match encoding {
        Encoding::Utf8 => return Some(text.as_bytes().to_vec()),
        Encoding::Gbk => GBK,
        Encoding::Gb18030 => GB18030,
    };
    let (bytes, _, unmappable) = target.encode(text);
    (!unmappable).then(|| bytes.into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn gbk_survives_a_cut_inside_a_character() {
        let bytes = encode(Encoding::Gbk, "请选择目标资产：").unwrap();
        for cut in 0..bytes.len() {
            let mut decoder = StreamDecoder::new(Encoding::Gbk);
            let mut text = decoder.decode(&bytes[..cut]).into_owned();
            text.extend_from_slice(&decoder.decode(&bytes[cut..]));
            assert_eq!(String::from_utf8(text).unwrap(), "请选择目标资产：");
        }
    }

    #[test]
    fn a_character_the_encoding_lacks_is_not_typed() {
        assert_eq!(encode(Encoding::Gbk, "a😀"), None);
    }
}
