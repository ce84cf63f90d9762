//! Numbers as programs print them. None where it is not certain which number is meant.

/// Digits only: no sign, no separators.
pub fn integer(text: &str) -> Option<u64> {
    is_digits(text).then(|| text.parse().ok())?
}

/// Digits, perhaps behind a minus.
pub fn signed(text: &str) -> Option<i64> {
    is_digits(text.strip_prefix('-').unwrap_or(text)).then(|| text.parse().ok())?
}

/// Digits with at most one fraction, divided by a point or, in many locales, a comma.
pub fn decimal(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once(['.', ',']).unwrap_or((unsigned, "0"));
    (is_digits(whole) && is_digits(fraction)).then(|| text.replace(',', ".").parse().ok())?
}

/// A decimal with `%` behind it.
pub fn percent(text: &str) -> Option<f64> {
    decimal(text.strip_suffix('%')?.trim_end())
}

/// A number, perhaps with a fraction and a unit: `4096`, `4.0K`, `1,5M`, `12MiB`, `0B`.
pub fn is_scaled(text: &str) -> bool {
    let number = text.trim_end_matches(|symbol: char| symbol.is_ascii_alphabetic());
    let unit = &text[number.len()..];
    decimal(number).is_some()
        && !number.starts_with('-')
        && (unit.is_empty() || (unit.len() <= 3 && unit.starts_with(|symbol| "kKmMgGtTpPeEzZyYRQBb".contains(symbol))))
}

/// `major:minor` or `major,minor`, as devices are numbered.
pub fn pair(text: &str, divider: char) -> Option<(u64, u64)> {
    let (first, second) = text.split_once(divider)?;
    Some((integer(first.trim())?, integer(second.trim())?))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_certain_numbers_are_read() {
        assert_eq!((integer("12"), integer("+1"), integer("1,000"), integer("")), (Some(12), None, None, None));
        assert_eq!((signed("-3"), signed("--3"), signed("3-")), (Some(-3), None, None));
        assert_eq!(
            (decimal("0,5"), decimal("1.25"), decimal("1.2.3"), decimal(".5")),
            (Some(0.5), Some(1.25), None, None)
        );
        assert_eq!((percent("47%"), percent("3,1%"), percent("47")), (Some(47.0), Some(3.1), None));
        assert!(["4.0K", "12MiB", "0B", "1g", "5"].into_iter().all(is_scaled));
        assert!(!["K", "4.K", "4Q%", "-4K", "12days"].into_iter().any(is_scaled));
        assert_eq!((pair("8:1", ':'), pair("8, 1", ','), pair("8", ':')), (Some((8, 1)), Some((8, 1)), None));
    }
}
