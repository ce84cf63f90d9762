//! The output of filters over constants: what `echo cm0= | base64 -d` prints.
//!
//! Only programs whose output follows from the line alone; anything else is not known.

use crate::environment::Known;
use crate::escape::{self, Dialect};
use crate::expand::Field;

/// What `program` prints given constant words and input, or none when that is not certain.
pub(crate) fn output(program: &str, fields: &[Field], input: Option<&str>) -> Known {
    let operands = fields.get(1..).unwrap_or(&[]);
    match program {
        "echo" => echo(operands),
        "printf" => printf(operands),
        "true" | ":" | "false" | "sleep" | "mkdir" | "touch" | "chmod" | "rm" | "cp" | "mv" | "ln" | "test" | "["
        | "wait" | "alias" => Some(String::new()),
        "cat" if operands.iter().any(|field| field.process.is_some()) => {
            let texts: Option<Vec<String>> = operands.iter().map(|field| field.process.clone().flatten()).collect();
            texts.map(|texts| texts.concat())
        }
        "cat" | "tee" => {
            let passes =
                program == "tee" || operands.iter().all(|field| matches!(field.value.as_deref(), Some("-" | "-u")));
            passes.then(|| input.map(str::to_owned)).flatten()
        }
        "base64" => {
            let decodes = flags(
                operands,
                &["-d", "-D", "--decode", "-di", "-id", "--dec", "--deco", "--decod", "-i", "--ignore-garbage"],
            )?;
            decodes.then(|| base64(input?)).flatten()
        }
        "base32" => flags(operands, &["-d", "--decode", "-di", "-i"])?.then(|| base32(input?)).flatten(),
        "xxd" => {
            let mut letters: Vec<char> = operands
                .iter()
                .filter_map(|field| field.value.as_deref())
                .flat_map(|value| value.chars())
                .filter(|letter| *letter != '-')
                .collect();
            letters.sort_unstable();
            letters.dedup();
            let plain = operands.iter().all(|field| field.value.as_deref().is_some_and(|value| value.starts_with('-')));
            (plain && (letters == ['p', 'r'] || letters == ['p', 'r', 's'])).then(|| hex(input?)).flatten()
        }
        "rev" => operands
            .is_empty()
            .then(|| {
                Some(
                    input?
                        .split('\n')
                        .map(|line| line.chars().rev().collect::<String>())
                        .collect::<Vec<_>>()
                        .join("\n"),
                )
            })
            .flatten(),
        "tac" => operands.is_empty().then(|| tac(input)).flatten(),
        "tr" => translate(operands, input?),
        _ => None,
    }
}

/// Whether all operands are among `known` and one of them asks for decoding; none for others.
fn flags(operands: &[Field], known: &[&str]) -> Option<bool> {
    let mut decodes = false;
    for field in operands {
        let value = field.value.as_deref()?;
        if value == "-" {
            continue;
        }
        if !known.contains(&value) {
            return None;
        }
        decodes |= value.contains('d') || value.contains('D');
    }
    Some(decodes)
}

fn echo(operands: &[Field]) -> Known {
    let mut escapes = false;
    let mut newline = true;
    let mut first = 0;
    for field in operands {
        let value = field.value.as_deref()?;
        let is_option =
            value.len() > 1 && value.starts_with('-') && value[1..].chars().all(|letter| "neE".contains(letter));
        if !is_option {
            break;
        }
        newline &= !value.contains('n');
        escapes = value.contains('e') || (escapes && !value.contains('E'));
        first += 1;
    }
    let words: Vec<&str> = operands[first..]
        .iter()
        .map(|field| if field.glob { None } else { field.value.as_deref() })
        .collect::<Option<_>>()?;
    let text = words.join(" ");
    let mut text = if escapes { escape::decode(&text, Dialect::Echo)? } else { text };
    if newline {
        text.push('\n');
    }
    Some(text)
}

/// `printf FORMAT ARGUMENT…`; the format is used again while arguments are left.
pub(crate) fn printf(operands: &[Field]) -> Known {
    let operands = if operands.first()?.value.as_deref() == Some("--") { &operands[1..] } else { operands };
    let format = operands.first()?.value.clone()?;
    let arguments: Vec<String> = operands[1..].iter().map(|field| field.value.clone()).collect::<Option<_>>()?;
    let mut remaining = arguments.into_iter().peekable();
    let mut output = String::new();
    loop {
        let mut used = false;
        let mut characters = format.chars().peekable();
        let mut literal = String::new();
        while let Some(character) = characters.next() {
            if character != '%' {
                literal.push(character);
                if character == '\\' {
                    literal.extend(characters.next());
                }
                continue;
            }
            output.push_str(&escape::decode(&std::mem::take(&mut literal), Dialect::Format)?);
            while characters.next_if(|letter| letter.is_ascii_digit() || "-+ #0.".contains(*letter)).is_some() {}
            let conversion = characters.next()?;
            if conversion == '%' {
                output.push('%');
                continue;
            }
            used = true;
            let argument = remaining.next().unwrap_or_default();
            match conversion {
                's' => output.push_str(&argument),
                'd' | 'i' | 'u' => output.push_str(&argument.parse::<i64>().unwrap_or(0).to_string()),
                'b' => output.push_str(&escape::decode(&argument, Dialect::Echo)?),
                'c' => output.extend(argument.chars().next()),
                _ => return None,
            }
        }
        output.push_str(&escape::decode(&literal, Dialect::Format)?);
        if !used || remaining.peek().is_none() || output.len() > crate::MAX_LINE_BYTES {
            return Some(output);
        }
    }
}

fn base64(text: &str) -> Known {
    let value = |byte: u8| -> Option<u32> {
        Some(u32::from(match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        }))
    };
    bits(text, 6, value)
}

fn base32(text: &str) -> Known {
    let value = |byte: u8| -> Option<u32> {
        Some(u32::from(match byte {
            b'A'..=b'Z' => byte - b'A',
            b'2'..=b'7' => byte - b'2' + 26,
            _ => return None,
        }))
    };
    bits(text, 5, value)
}

fn bits(text: &str, width: u32, value: impl Fn(u8) -> Option<u32>) -> Known {
    let mut bytes = Vec::new();
    let (mut buffer, mut held) = (0u32, 0u32);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        if byte == b'=' {
            continue;
        }
        buffer = (buffer << width) | value(byte)?;
        held += width;
        if held >= 8 {
            held -= 8;
            bytes.push(((buffer >> held) & 0xff) as u8);
            buffer &= (1 << held) - 1;
        }
    }
    text_of(bytes)
}

fn hex(text: &str) -> Known {
    let digits: Vec<u32> = text
        .chars()
        .filter(|character| !character.is_whitespace())
        .map(|character| character.to_digit(16))
        .collect::<Option<_>>()?;
    text_of(digits.chunks(2).map(|pair| pair.iter().fold(0, |value, digit| value * 16 + digit) as u8).collect())
}

/// NUL is dropped by the shell that reads the text, and text that is not UTF-8 is not followed.
fn text_of(bytes: Vec<u8>) -> Known {
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

fn tac(input: Option<&str>) -> Known {
    let mut lines: Vec<&str> = input?.lines().collect();
    lines.reverse();
    Some(lines.join("\n") + "\n")
}

/// `tr SET1 SET2` and `tr -d SET1`.
fn translate(operands: &[Field], input: &str) -> Known {
    let words: Vec<&str> = operands.iter().map(|field| field.value.as_deref()).collect::<Option<_>>()?;
    match words.as_slice() {
        ["-d", set] => {
            let set = character_set(set)?;
            Some(input.chars().filter(|character| !set.contains(character)).collect())
        }
        [from, to] if !from.starts_with('-') => {
            let (from, to) = (character_set(from)?, character_set(to)?);
            let last = *to.last()?;
            let change = |character: char| {
                from.iter()
                    .rposition(|candidate| *candidate == character)
                    .map_or(character, |index| to.get(index).copied().unwrap_or(last))
            };
            Some(input.chars().map(change).collect())
        }
        _ => None,
    }
}

fn character_set(text: &str) -> Option<Vec<char>> {
    let text = match text {
        "[:lower:]" => "a-z",
        "[:upper:]" => "A-Z",
        other if other.contains("[:") => return None,
        other => other,
    };
    let text = escape::decode(text, Dialect::Format)?;
    let characters: Vec<char> = text.chars().collect();
    let mut set = Vec::new();
    let mut index = 0;
    while let Some(&start) = characters.get(index) {
        match (characters.get(index + 1), characters.get(index + 2)) {
            (Some('-'), Some(&end)) if start.is_ascii() && end.is_ascii() => {
                set.extend(start..=end);
                index += 3;
            }
            _ => {
                set.push(start);
                index += 1;
            }
        }
    }
    Some(set)
}
