//! Points in time as a caller writes them, and as they are said back.

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// Reads `2026-03-02T08:31:40Z`, the same without a zone or without a time of day (in the zone given), `now`,
/// and how long ago: `90s`, `15m`, `2h`, `3d`, `1w`. Milliseconds since 1970.
pub(super) fn parse(text: &str, now_ms: i64, utc_offset_minutes: i32) -> Option<i64> {
    let text = text.trim();
    if text == "now" {
        return Some(now_ms);
    }
    ago(text).map(|ago_ms| now_ms - ago_ms).or_else(|| date(text, utc_offset_minutes))
}

fn ago(text: &str) -> Option<i64> {
    let text = text.strip_prefix('-').unwrap_or(text);
    let text = text.strip_suffix("ago").unwrap_or(text).trim_end();
    let digits = text.len() - text.trim_start_matches(|symbol: char| symbol.is_ascii_digit()).len();
    let count: i64 = text[..digits].parse().ok()?;
    let unit_ms = match text[digits..].trim_start() {
        "s" | "sec" | "seconds" => 1_000,
        "m" | "min" | "minutes" => MINUTE_MS,
        "h" | "hour" | "hours" => 60 * MINUTE_MS,
        "d" | "day" | "days" => DAY_MS,
        "w" | "week" | "weeks" => 7 * DAY_MS,
        _ => return None,
    };
    count.checked_mul(unit_ms).filter(|ago_ms| *ago_ms < 200 * 365 * DAY_MS)
}

fn date(text: &str, utc_offset_minutes: i32) -> Option<i64> {
    let (day, rest) = text.split_at_checked(10)?;
    let day_ms = day_of(day)?.checked_mul(DAY_MS)?;
    if rest.is_empty() {
        return Some(day_ms - i64::from(utc_offset_minutes) * MINUTE_MS);
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let end = rest.find(['Z', 'z', '+', '-', ' ']).unwrap_or(rest.len());
    let (time, zone) = rest.split_at(end);
    let offset = match zone.trim() {
        "" => utc_offset_minutes,
        "Z" | "z" => 0,
        zone => offset(zone)?,
    };
    Some(day_ms + time_of_day(time)? - i64::from(offset) * MINUTE_MS)
}

fn day_of(day: &str) -> Option<i64> {
    let parts: Vec<&str> = day.split('-').collect();
    let [year, month, day] = parts[..] else { return None };
    if [year.len(), month.len(), day.len()] != [4, 2, 2] {
        return None;
    }
    let (year, month, day) = (number(year)?, number(month)?, number(day)?);
    let days = days_before(year, month) + day - 1;
    let valid = (1..=12).contains(&month) && day >= 1 && days < days_before(year + month / 12, month % 12 + 1);
    valid.then_some(days)
}

fn time_of_day(time: &str) -> Option<i64> {
    let mut parts = time.split(':');
    let (hour, minute) = (number(parts.next()?)?, number(parts.next()?)?);
    let second = parts.next().unwrap_or("0");
    let (second, fraction) = second.split_once(['.', ',']).unwrap_or((second, ""));
    let fraction: String = fraction.chars().chain("000".chars()).take(3).collect();
    let (second, fraction_ms) = (number(second)?, number(&fraction)?);
    (parts.next().is_none() && hour < 24 && minute < 60 && second <= 60)
        .then_some(((hour * 60 + minute) * 60 + second) * 1_000 + fraction_ms)
}

/// `+01:00`, `-0330`, `+01`: minutes east of Greenwich.
pub(super) fn offset(zone: &str) -> Option<i32> {
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let digits: String = digits.chars().filter(|symbol| *symbol != ':').collect();
    let (hours, minutes) = match digits.len() {
        2 => (number(&digits)?, 0),
        4 => (number(&digits[..2])?, number(&digits[2..])?),
        _ => return None,
    };
    let total = i32::try_from(hours * 60 + minutes).ok()?;
    (hours <= 14 && minutes < 60).then_some(sign * total)
}

fn number(text: &str) -> Option<i64> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Days from 1970-01-01 to the first of a month, in the Gregorian calendar.
fn days_before(year: i64, month: i64) -> i64 {
    const DAYS_BEFORE_MONTH: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap_days_until = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let is_leap = leap_days_until(year) > leap_days_until(year - 1);
    let month = usize::try_from(month.clamp(1, 12) - 1).unwrap_or(0);
    let leap_days = leap_days_until(year - 1) - leap_days_until(1969);
    (year - 1970) * 365 + leap_days + DAYS_BEFORE_MONTH[month] + i64::from(is_leap && month > 1)
}

/// As RFC 3339 has it, in a zone: `2026-03-02T09:31:40+01:00`.
pub(super) fn say(unix_ms: i64, utc_offset_minutes: i32) -> String {
    let local_s = unix_ms.div_euclid(1000) + i64::from(utc_offset_minutes) * 60;
    let (days, second) = (local_s.div_euclid(86_400), local_s.rem_euclid(86_400));
    // By the mean length of a year, at most one too early.
    let guess = 1970 + (days * 400).div_euclid(146_097) - 1;
    let year = (guess..guess + 3).take_while(|year| days_before(*year, 1) <= days).last().unwrap_or(guess);
    let month = (1..=12).take_while(|month| days_before(year, *month) <= days).last().unwrap_or(1);
    let day = days - days_before(year, month) + 1;
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}{}", second % 60, zone(utc_offset_minutes))
}

/// `Z`, `+01:00`.
pub(super) fn zone(utc_offset_minutes: i32) -> String {
    if utc_offset_minutes == 0 {
        return "Z".to_owned();
    }
    let sign = if utc_offset_minutes < 0 { '-' } else { '+' };
    let minutes = utc_offset_minutes.abs();
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const NOW: i64 = 1_772_440_300_000; // 2026-03-02T08:31:40Z

    #[test]
    fn what_callers_write_is_a_point_in_time() {
        for (text, expected) in [
            ("2026-03-02T08:31:40Z", NOW),
            ("2026-03-02T09:31:40+01:00", NOW),
            ("2026-03-02T05:01:40.000-0330", NOW),
            ("2026-03-02T09:31:40", NOW),
            ("2026-03-02 09:31", NOW - 40_000),
            ("2026-03-02", 1_772_406_000_000),
            ("now", NOW),
            ("90s", NOW - 90_000),
            ("15m", NOW - 900_000),
            ("-2h", NOW - 7_200_000),
            ("3 days ago", NOW - 3 * DAY_MS),
            ("1w", NOW - 7 * DAY_MS),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000),
        ] {
            assert_eq!(parse(text, NOW, 60), Some(expected), "{text}");
        }
        for text in
            ["", "yesterday", "2026-02-29", "2026-13-01", "2026-03-02T25:00", "15", "15x", "2026-3-2", "é026-03-02"]
        {
            assert_eq!(parse(text, NOW, 60), None, "{text}");
        }
    }

    #[test]
    fn a_point_in_time_is_said_in_a_zone() {
        assert_eq!(say(NOW, 0), "2026-03-02T08:31:40Z");
        assert_eq!(say(NOW, -210), "2026-03-02T05:01:40-03:30");
        for text in ["1970-01-01T00:00:00Z", "2024-02-29T23:59:59Z", "2024-12-31T23:59:59Z", "2100-03-01T00:00:00Z"] {
            assert_eq!(say(parse(text, 0, 0).unwrap(), 0), text);
        }
    }
}
