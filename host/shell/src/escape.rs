//! Backslash escapes of `$'…'`, `printf` and `echo -e`.

use std::iter::Peekable;
use std::str::Chars;

/// Which dialect of escapes a text is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `$'…'`: `\nnn` octal.
    Ansi,
    /// `echo -e` and `printf %b`: `\0nnn` octal, `\nnn` too, `\c` ends the output.
    Echo,
    /// The format of `printf`.
    Format,
}

/// Decoded text; none when it is not UTF-8 or contains NUL, since then a shell would do something
/// this crate does not model.
pub(crate) fn decode(text: &str, dialect: Dialect) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '\\' {
            push(&mut bytes, character);
            continue;
        }
        if !decode_one(&mut characters, dialect, &mut bytes)? {
            break;
        }
    }
    if bytes.contains(&0) {
        return None;
    }
    String::from_utf8(bytes).ok()
}

fn push(bytes: &mut Vec<u8>, character: char) {
    bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Decodes what follows a backslash; false when `\c` ends the output.
fn decode_one(characters: &mut Peekable<Chars<'_>>, dialect: Dialect, bytes: &mut Vec<u8>) -> Option<bool> {
    let Some(character) = characters.next() else {
        bytes.push(b'\\');
        return Some(true);
    };
    match character {
        'a' => bytes.push(7),
        'b' => bytes.push(8),
        'e' | 'E' => bytes.push(27),
        'f' => bytes.push(12),
        'n' => bytes.push(b'\n'),
        'r' => bytes.push(b'\r'),
        't' => bytes.push(b'\t'),
        'v' => bytes.push(11),
        '\\' => bytes.push(b'\\'),
        '\'' | '"' | '?' if dialect != Dialect::Echo => push(bytes, character),
        'c' if dialect == Dialect::Ansi => bytes.push(characters.next()? as u8 & 0x1f),
        'c' => return Some(false),
        'x' => match number(characters, 16, 2) {
            Some(value) => bytes.push(u8::try_from(value).ok()?),
            None => bytes.extend_from_slice(b"\\x"),
        },
        'u' | 'U' => {
            let digits = if character == 'u' { 4 } else { 8 };
            push(bytes, char::from_u32(number(characters, 16, digits)?)?);
        }
        '0' if dialect == Dialect::Echo => bytes.push((number(characters, 8, 3).unwrap_or(0) & 0xff) as u8),
        '0'..='7' => {
            let first = character.to_digit(8)?;
            let value = following_octal(characters, first, 2);
            bytes.push((value & 0xff) as u8);
        }
        other => {
            bytes.push(b'\\');
            push(bytes, other);
        }
    }
    Some(true)
}

fn number(characters: &mut Peekable<Chars<'_>>, radix: u32, most: usize) -> Option<u32> {
    let mut value = None;
    for _ in 0..most {
        let Some(digit) = characters.peek().and_then(|character| character.to_digit(radix)) else { break };
        characters.next();
        value = Some(value.unwrap_or(0u32).wrapping_mul(radix).wrapping_add(digit));
    }
    value
}

fn following_octal(characters: &mut Peekable<Chars<'_>>, first: u32, most: usize) -> u32 {
    let mut value = first;
    for _ in 0..most {
        let Some(digit) = characters.peek().and_then(|character| character.to_digit(8)) else { break };
        characters.next();
        value = value * 8 + digit;
    }
    value
}
