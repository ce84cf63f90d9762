//! Integer arithmetic over constants: enough for `$((1+2*3))`, never more than asked.

use crate::environment::Environment;

const MAX_DEPTH: u32 = 32;

/// The value of `text`, or none when it holds anything but constants and plain operators.
pub(crate) fn evaluate(text: &str, environment: &Environment) -> Option<i64> {
    // An empty expression counts as 0.
    if text.trim().is_empty() {
        return Some(0);
    }
    let mut reader = Reader { text: text.trim(), environment, depth: 0 };
    let value = reader.sum()?;
    reader.text.trim().is_empty().then_some(value)
}

struct Reader<'a> {
    text: &'a str,
    environment: &'a Environment,
    depth: u32,
}

impl Reader<'_> {
    fn take(&mut self, operators: &[char]) -> Option<char> {
        self.text = self.text.trim_start();
        let character = self.text.chars().next().filter(|character| operators.contains(character))?;
        let doubled = self.text[1..].starts_with([character, '=']);
        if doubled && character != '-' && character != '+' {
            return None;
        }
        self.text = &self.text[1..];
        Some(character)
    }

    fn sum(&mut self) -> Option<i64> {
        let mut value = self.product()?;
        while let Some(operator) = self.take(&['+', '-']) {
            let right = self.product()?;
            value = if operator == '+' { value.checked_add(right)? } else { value.checked_sub(right)? };
        }
        Some(value)
    }

    fn product(&mut self) -> Option<i64> {
        let mut value = self.primary()?;
        while let Some(operator) = self.take(&['*', '/', '%']) {
            let right = self.primary()?;
            value = match operator {
                '*' => value.checked_mul(right)?,
                '/' => value.checked_div(right)?,
                _ => value.checked_rem(right)?,
            };
        }
        Some(value)
    }

    fn primary(&mut self) -> Option<i64> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let value = self.primary_inner();
        self.depth -= 1;
        value
    }

    fn primary_inner(&mut self) -> Option<i64> {
        if self.take(&['-']).is_some() {
            return self.primary()?.checked_neg();
        }
        if self.take(&['+']).is_some() {
            return self.primary();
        }
        if self.take(&['(']).is_some() {
            let value = self.sum()?;
            self.take(&[')'])?;
            return Some(value);
        }
        self.text = self.text.trim_start();
        let length = self.text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        let (word, rest) = self.text.split_at(length);
        self.text = rest;
        if word.starts_with(|character: char| character.is_ascii_digit()) {
            return number(word);
        }
        number(&self.environment.scalar(word)?)
    }
}

fn number(text: &str) -> Option<i64> {
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return i64::from_str_radix(hex, 16).ok();
    }
    match text.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => i64::from_str_radix(octal, 8).ok(),
        _ => text.parse().ok(),
    }
}
