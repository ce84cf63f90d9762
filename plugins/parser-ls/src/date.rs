//! The date column, in every form that `ls` writes it.

use std::borrow::Cow;

/// Words and the month's name are no longer. Characters.
const MAX_MONTH_CHARS: usize = 12;

/// Reads a date at the start of the text; gives it as shown (blanks made single) and what follows
/// it, beginning with the blank that divides it from the name.
pub(crate) fn read(text: &str, iso: bool) -> Option<(Cow<'_, str>, &str)> {
    if let Some(read) = usual(text) {
        return Some(read);
    }
    if let Some(read) = chinese(text) {
        return Some(read);
    }
    let rest = behind(text, iso)?;
    let shown = text[..text.len() - rest.len()].trim_matches(' ');
    let shown = match shown.as_bytes().windows(2).any(|pair| pair == b"  ") {
        true => Cow::Owned(shown.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")),
        false => Cow::Borrowed(shown),
    };
    // The column of `iso` is padded to the width of `MM-DD hh:mm`.
    let is_padded = iso && is_year_month_day(&shown);
    Some((shown, if is_padded { rest.strip_prefix(' ')? } else { rest }))
}

/// `Nov 21 04:15`, `Nov  1 04:15` or `Nov 21  2024`, as nearly every row has it, without looking for words.
fn usual(text: &str) -> Option<(Cow<'_, str>, &str)> {
    const LENGTH: usize = 12;

    let text = text.trim_start_matches(' ');
    let bytes: &[u8; LENGTH + 1] = text.as_bytes().first_chunk()?;
    let [m, o, n, b' ', d, a, b' ', h, i, j, k, l, b' '] = bytes else { return None };
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let fits = [m, o, n].iter().all(|letter| letter.is_ascii_alphabetic())
        && (*d == b' ' || is_digit(d))
        && [a, i, k, l].iter().all(|digit| is_digit(digit))
        && ((is_digit(h) && *j == b':') || (*h == b' ' && is_digit(j)));
    if !fits {
        return None;
    }
    let (shown, rest) = text.split_at(LENGTH);
    if *d != b' ' && *h != b' ' {
        return Some((Cow::Borrowed(shown), rest));
    }
    let mut single = String::with_capacity(LENGTH);
    for part in [&shown[..4], shown[4..7].trim_start_matches(' '), shown[7..].trim_start_matches(' ')] {
        single.push_str(part);
    }
    Some((Cow::Owned(single), rest))
}

/// `11月26日 22:09`, `2024年 2月 3日`: as written, with one blank between its two words.
fn chinese(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let text = text.trim_start_matches(' ');
    let (year, rest) = match part(text, 4..=4, '年') {
        Some((year, rest)) => (Some(year), rest),
        None => (None, text),
    };
    let (month, rest) = part(rest.trim_start_matches(' '), 1..=2, '月')?;
    let (day, rest) = part(rest.trim_start_matches(' '), 1..=2, '日')?;
    match year {
        Some(year) => Some((Cow::Owned(format!("{year}{month}{day}")), rest)),
        None => {
            let (clock, rest) = word(rest)?;
            is_clock(clock).then(|| (Cow::Owned(format!("{month}{day} {clock}")), rest))
        }
    }
}

/// A number with its sign behind it, and what follows.
fn part(text: &str, count: std::ops::RangeInclusive<usize>, sign: char) -> Option<(&str, &str)> {
    let at = text.find(sign).filter(|at| digits(&text[..*at], count))?;
    Some(text.split_at(at + sign.len_utf8()))
}

/// What follows the date.
fn behind(text: &str, iso: bool) -> Option<&str> {
    let (first, rest) = word(text)?;
    if is_year_month_day(first) {
        return numeric(rest, iso);
    }
    let (second, rest) = word(rest)?;
    if iso && is_month_day(first) && is_clock(second) {
        return Some(rest);
    }
    let (third, rest) = word(rest)?;
    // BusyBox's `-e`: `Thu Nov 26 10:49:56 2026`.
    if is_month(first) && is_month(second) && is_day(third) {
        let (clock, rest) = word(rest)?;
        let (year, rest) = word(rest)?;
        return (is_clock_with_seconds(clock) && is_year(year)).then_some(rest);
    }
    let named = (is_month(first) && is_day(second)) || (is_day(first) && is_month(second));
    if !named {
        return None;
    }
    if is_year(third) || is_clock(third) {
        return Some(rest);
    }
    // BSD's `-T`: `Nov 21 04:15:33 2026`.
    let (fourth, rest) = word(rest)?;
    (is_clock_with_seconds(third) && is_year(fourth)).then_some(rest)
}

fn numeric(rest: &str, iso: bool) -> Option<&str> {
    if iso {
        return Some(rest);
    }
    let (clock, rest) = word(rest)?;
    if is_clock(clock) {
        return Some(rest);
    }
    let (zone, rest) = word(rest)?;
    (is_clock_with_seconds(clock) && is_zone(zone)).then_some(rest)
}

/// The next word and what follows it. Words are short: a search made for long texts costs more than
/// it saves.
pub(crate) fn word(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let start = bytes.iter().position(|byte| *byte != b' ')?;
    let end = bytes[start..].iter().position(|byte| *byte == b' ').map_or(bytes.len(), |length| start + length);
    Some((&text[start..end], &text[end..]))
}

fn digits(text: &str, count: std::ops::RangeInclusive<usize>) -> bool {
    count.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_year_month_day(text: &str) -> bool {
    text.len() == 10 && text.split_once('-').is_some_and(|(year, rest)| digits(year, 4..=4) && is_month_day(rest))
}

fn is_month_day(text: &str) -> bool {
    text.split_once('-').is_some_and(|(month, day)| digits(month, 2..=2) && digits(day, 2..=2))
}

fn is_clock(text: &str) -> bool {
    // Most are `04:15`.
    if let [first, second, b':', third, fourth] = text.as_bytes() {
        return [first, second, third, fourth].iter().all(|digit| digit.is_ascii_digit());
    }
    text.split_once(':').is_some_and(|(hour, minute)| digits(hour, 1..=2) && digits(minute, 2..=2))
}

fn is_clock_with_seconds(text: &str) -> bool {
    let Some((clock, seconds)) = text.rsplit_once(':') else { return false };
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    is_clock(clock) && digits(whole, 2..=2) && digits(fraction, 1..=9)
}

fn is_zone(text: &str) -> bool {
    text.strip_prefix(['+', '-']).is_some_and(|offset| digits(offset, 4..=4))
}

fn is_year(text: &str) -> bool {
    digits(text, 4..=4)
}

fn is_day(text: &str) -> bool {
    if digits(text, 1..=2) {
        return true;
    }
    let number = text.strip_suffix(['.', '日', '일']).unwrap_or(text);
    digits(number, 1..=2)
}

/// A month's name in any language, or a number with the word for month behind it.
fn is_month(text: &str) -> bool {
    // Most are three plain letters.
    if let [first, second, third] = text.as_bytes()
        && [first, second, third].iter().all(|letter| letter.is_ascii_alphabetic())
    {
        return true;
    }
    let word = text.strip_suffix('.').unwrap_or(text);
    let word = word.trim_start_matches(|symbol: char| symbol.is_ascii_digit());
    !word.is_empty() && word.chars().count() <= MAX_MONTH_CHARS && word.chars().all(char::is_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        for (text, iso, shown) in [
            ("Nov 21 04:15 x", false, "Nov 21 04:15"),
            ("Nov  1  2024 x", false, "Nov 1 2024"),
            ("21. Nov 04:15 x", false, "21. Nov 04:15"),
            ("21 nov. 04:15 x", false, "21 nov. 04:15"),
            ("11月 21 04:15 x", false, "11月 21 04:15"),
            ("ноя 21 04:15 x", false, "ноя 21 04:15"),
            ("11月26日 22:09 x", false, "11月26日 22:09"),
            (" 2月 3日 22:09 x", false, "2月3日 22:09"),
            ("2024年 2月 3日 x", false, "2024年2月3日"),
            ("2024年11月13日 x", false, "2024年11月13日"),
            ("Nov 21 04:15:33 2026 x", false, "Nov 21 04:15:33 2026"),
            ("Thu Nov  6 04:15:33 2026 x", false, "Thu Nov 6 04:15:33 2026"),
            ("2026-11-21 04:15 x", false, "2026-11-21 04:15"),
            ("2026-11-21 04:15:33.123456789 +0800 x", false, "2026-11-21 04:15:33.123456789 +0800"),
            ("2026-11-21 04:15:33 -0330 x", false, "2026-11-21 04:15:33 -0330"),
            ("11-21 04:15 x", true, "11-21 04:15"),
            ("2024-11-21  x", true, "2024-11-21"),
        ] {
            assert_eq!(read(text, iso), Some((Cow::Borrowed(shown), " x")), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "Nov",
            "Nov 21",
            "Nov 21 x",
            "21 22 04:15 x",
            "Nov 21 04:15:33 x",
            "2026-11-21 x",
            "2026-11-21 04:15:33 x",
            "11-21 04:15 x",
            "11月26日 x",
            "2024年 2月 22:09 x",
            "24年 2月 3日 x",
        ] {
            assert_eq!(read(text, false), None, "{text}");
        }
    }
}
