//! Text with the escapes of a C string, as git, GNU `ls` and shells' `$'…'` write names.

/// Reads up to the unescaped `end`: the bytes meant, and what follows `end`. `also` lists escapes
/// beside C's own (letter, meaning). None when `end` is missing or an escape has no meaning.
pub fn c_string<'a>(text: &'a str, end: u8, also: &[(u8, u8)]) -> Option<(Vec<u8>, &'a str)> {
    let bytes = text.as_bytes();
    let mut meant = Vec::new();
    let mut at = 0;
    loop {
        match *bytes.get(at)? {
            byte if byte == end => return Some((meant, text.get(at + 1..)?)),
            b'\\' => {
                let (byte, length) = escape(bytes.get(at + 1..)?, also)?;
                meant.push(byte);
                at += 1 + length;
            }
            byte => {
                meant.push(byte);
                at += 1;
            }
        }
    }
}

/// The byte an escape stands for and how long it is behind its backslash.
fn escape(bytes: &[u8], also: &[(u8, u8)]) -> Option<(u8, usize)> {
    let letter = *bytes.first()?;
    if let Some((_, byte)) = also.iter().find(|(known, _)| *known == letter) {
        return Some((*byte, 1));
    }
    let byte = match letter {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        same @ (b'\\' | b'"') => same,
        _ => {
            let octal = bytes.get(..3)?;
            let value = octal.iter().try_fold(0u32, |value, digit| {
                (b'0'..=b'7').contains(digit).then(|| value * 8 + u32::from(digit - b'0'))
            })?;
            return Some((u8::try_from(value).ok()?, 3));
        }
    };
    Some((byte, 1))
}

#[cfg(test)]
mod tests {
    use super::c_string;

    #[test]
    fn only_known_escapes_have_a_meaning() {
        assert_eq!(c_string("a\\t\\303\\274\" rest", b'"', &[]), Some(("a\tü".into(), " rest")));
        assert_eq!(c_string("\\e\"", b'"', &[]), None);
        assert_eq!(c_string("\\e'", b'\'', &[(b'e', 0x1b)]), Some((vec![0x1b], "")));
        for broken in ["open", "\\", "\\9\"", "\\777\""] {
            assert_eq!(c_string(broken, b'"', &[]), None, "{broken}");
        }
    }
}
