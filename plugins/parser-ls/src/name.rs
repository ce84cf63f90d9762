//! Names as a terminal listing of GNU `ls` quotes them: `'a b'`, `"it's"`, `'a'$'\n''b'`.

/// Reads a quoted name at the start of the text; gives it unquoted and what follows it.
pub(crate) fn unquote(text: &str) -> Option<(String, &str)> {
    let mut name = Vec::new();
    let mut rest = text;
    loop {
        rest = if let Some(inner) = rest.strip_prefix('\'') {
            plain(inner, '\'', &mut name)?
        } else if let Some(inner) = rest.strip_prefix('"') {
            plain(inner, '"', &mut name)?
        } else if let Some(inner) = rest.strip_prefix("$'") {
            escaped(inner, &mut name)?
        } else if let Some(inner) = rest.strip_prefix("\\'").filter(|_| rest.len() < text.len()) {
            name.push(b'\'');
            inner
        } else {
            break;
        };
    }
    (rest.len() < text.len()).then(|| (String::from_utf8_lossy(&name).into_owned(), rest))
}

fn plain<'a>(inner: &'a str, quote: char, name: &mut Vec<u8>) -> Option<&'a str> {
    let (text, rest) = inner.split_once(quote)?;
    name.extend_from_slice(text.as_bytes());
    Some(rest)
}

fn escaped<'a>(inner: &'a str, name: &mut Vec<u8>) -> Option<&'a str> {
    let bytes = inner.as_bytes();
    let mut at = 0;
    loop {
        match *bytes.get(at)? {
            b'\'' => return inner.get(at + 1..),
            b'\\' => {
                let (byte, length) = escape(&bytes[at + 1..])?;
                name.push(byte);
                at += 1 + length;
            }
            byte => {
                name.push(byte);
                at += 1;
            }
        }
    }
}

/// The byte an escape stands for and how long it is behind its backslash.
fn escape(bytes: &[u8]) -> Option<(u8, usize)> {
    let byte = match *bytes.first()? {
        b'a' => 0x07,
        b'b' => 0x08,
        b'e' => 0x1b,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        quoted @ (b'\\' | b'\'' | b'"') => quoted,
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
    use super::*;

    #[test]
    fn quoted_names_are_read() {
        for (text, name, rest) in [
            ("'a b'", "a b", ""),
            ("'a -> b' -> c", "a -> b", " -> c"),
            ("\"it's\"", "it's", ""),
            ("'a'$'\\n''b'", "a\nb", ""),
            ("''$'\\033''[31m'", "\u{1b}[31m", ""),
            ("'a'\\''b'", "a'b", ""),
            ("''$'\\303\\274'", "ü", ""),
        ] {
            assert_eq!(unquote(text), Some((name.to_owned(), rest)), "{text}");
        }
    }

    #[test]
    fn broken_quotes_are_none() {
        for text in ["a", "'a", "$'a", "$'\\", "$'\\9'", "$'\\777'", "", "\\'a"] {
            assert_eq!(unquote(text), None, "{text}");
        }
    }
}
