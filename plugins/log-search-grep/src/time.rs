//! The time a log line names. Without a zone it is no point in time: it is given only where the
//! settings say which zone is meant, and otherwise only compared as far as every zone agrees.

/// A time stands near the beginning of a line. Bytes.
const MAX_SEARCHED_BYTES: usize = 120;
/// In a line of JSON the key may come late.
const MAX_SEARCHED_JSON_BYTES: usize = 600;
const MINUTE_MS: i64 = 60_000;
/// The zones furthest east and west of Greenwich.
const EARLIEST_ZONE_MS: i64 = 14 * 60 * MINUTE_MS;
const LATEST_ZONE_MS: i64 = 12 * 60 * MINUTE_MS;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A full date and time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// As if it were in Greenwich. Milliseconds since 1970.
    local_ms: i64,
    /// The zone it names. Minutes east of Greenwich.
    offset_minutes: Option<i32>,
}

impl Stamp {
    /// The point in time, in the zone named or else the one given. Milliseconds since 1970.
    pub(crate) fn unix_ms(self, default_offset_minutes: Option<i32>) -> Option<i64> {
        let offset = self.offset_minutes.or(default_offset_minutes)?;
        Some(self.local_ms - i64::from(offset) * MINUTE_MS)
    }

    fn year(self) -> i64 {
        // The mean length of a Gregorian year is near enough but for some hours around New Year, which
        // [`in_year`] sets right.
        const YEAR_MS: i64 = 31_556_952_000;
        1970 + self.local_ms.div_euclid(YEAR_MS)
    }

    /// The earliest and the latest point in time it can mean.
    pub(crate) fn range(self, default_offset_minutes: Option<i32>) -> (i64, i64) {
        match self.unix_ms(default_offset_minutes) {
            Some(at) => (at, at),
            None => (self.local_ms - EARLIEST_ZONE_MS, self.local_ms + LATEST_ZONE_MS),
        }
    }
}

/// The first full time near the beginning of a line: `2026-03-02T08:31:40.402Z`,
/// `2026-03-02 08:31:40,402 +0100`, `2026/03/02 08:31:40`, `02/Mar/2026:08:31:40 +0000`.
pub(crate) fn of(text: &str) -> Option<Stamp> {
    let bytes = text.as_bytes();
    let end = bytes.len().min(MAX_SEARCHED_BYTES);
    (0..end).filter(|at| *at == 0 || !bytes[at - 1].is_ascii_digit()).find_map(|at| stamp(&bytes[at..]))
}

fn stamp(bytes: &[u8]) -> Option<Stamp> {
    let mut reader = Reader(bytes);
    let (year, month, day) = reader.date()?;
    reader.one_of(b"T :")?;
    let time_ms = reader.time_of_day()?;
    at_date(year, month, day, time_ms, reader.zone())
}

/// The time at which an entry of a log was written, also where it names no year or only seconds since 1970:
/// `Mar  2 08:31:40` (syslog), `E0302 08:31:40.118` (klog), `Mon Mar 02 08:31:40.118 2026` (Apache),
/// `1772440300.118`, `"ts":1772440300118`. `reference_ms`: when the file was last written; a date without a year
/// is the last one before it.
pub(crate) fn of_entry(text: &str, reference_ms: i64) -> Option<Stamp> {
    let bytes = text.as_bytes();
    let end = bytes.len().min(if bytes.first() == Some(&b'{') { MAX_SEARCHED_JSON_BYTES } else { MAX_SEARCHED_BYTES });
    let starts = (0..end).filter(|at| *at == 0 || !bytes[at - 1].is_ascii_alphanumeric());
    let year = Stamp { local_ms: reference_ms, offset_minutes: None }.year();
    for at in starts {
        let found = stamp(&bytes[at..])
            .or_else(|| named_month(&bytes[at..], year, reference_ms))
            .or_else(|| (at == 0).then(|| klog(bytes, year, reference_ms).or_else(|| since_1970(bytes))).flatten())
            .or_else(|| behind_key(bytes, at).then(|| since_1970(&bytes[at..])).flatten());
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Seconds (ten digits) or milliseconds (thirteen) since 1970.
fn since_1970(bytes: &[u8]) -> Option<Stamp> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut reader = Reader(bytes);
    let value = reader.number(digits)?;
    let local_ms = match digits {
        10 => value * 1000 + reader.fraction(),
        13 => value,
        _ => return None,
    };
    (bytes.get(digits).is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'-'))
        .then_some(Stamp { local_ms, offset_minutes: Some(0) })
}

/// Whether a value of a key such as `"ts":` begins there.
fn behind_key(bytes: &[u8], at: usize) -> bool {
    let before = bytes[..at].trim_ascii_end();
    let Some(before) = before.strip_suffix(b":").or_else(|| before.strip_suffix(b"=")) else { return false };
    let before = before.strip_suffix(b"\"").unwrap_or(before);
    [&b"ts"[..], b"time", b"timestamp"].iter().any(|key| before.ends_with(key))
}

/// `Mar  2 08:31:40`, with a year behind it in Apache's form.
fn named_month(bytes: &[u8], year: i64, reference_ms: i64) -> Option<Stamp> {
    let (name, rest) = bytes.split_at_checked(3)?;
    let month = i64::try_from(MONTHS.iter().position(|month| month.as_bytes() == name)? + 1).ok()?;
    let mut reader = Reader(rest);
    reader.one_of(b" ")?;
    let day = if reader.one_of(b" ").is_some() { reader.number(1)? } else { reader.number(2)? };
    reader.one_of(b" ")?;
    let time_ms = reader.time_of_day()?;
    if let Some(rest) = reader.0.strip_prefix(b" ")
        && let Some(written) = Reader(rest).number(4)
        && (1970..2200).contains(&written)
        && rest.get(4).is_none_or(|byte| !byte.is_ascii_alphanumeric())
    {
        return at_date(written, month, day, time_ms, None);
    }
    in_year(year, month, day, time_ms, reference_ms)
}

/// `E0302 08:31:40.118123`.
fn klog(bytes: &[u8], year: i64, reference_ms: i64) -> Option<Stamp> {
    let mut reader = Reader(bytes);
    reader.one_of(b"IWEF")?;
    let (month, day) = (reader.number(2)?, reader.number(2)?);
    reader.one_of(b" ")?;
    let time_ms = reader.time_of_day()?;
    in_year(year, month, day, time_ms, reference_ms)
}

/// In the reference's year, or in the one before where that would be later than the reference.
fn in_year(year: i64, month: i64, day: i64, time_ms: i64, reference_ms: i64) -> Option<Stamp> {
    const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
    let stamp = at_date(year, month, day, time_ms, None)?;
    if stamp.local_ms > reference_ms + DAY_MS { at_date(year - 1, month, day, time_ms, None) } else { Some(stamp) }
}

fn at_date(year: i64, month: i64, day: i64, time_ms: i64, offset_minutes: Option<i32>) -> Option<Stamp> {
    ((1..=12).contains(&month) && (1..=31).contains(&day))
        .then(|| Stamp { local_ms: days_from_civil(year, month, day) * 24 * 60 * MINUTE_MS + time_ms, offset_minutes })
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self, digits: usize) -> Option<i64> {
        let (head, rest) = self.0.split_at_checked(digits)?;
        let value = head
            .iter()
            .try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))?;
        self.0 = rest;
        Some(value)
    }

    fn one_of(&mut self, choices: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        choices.contains(first).then(|| self.0 = rest)?;
        Some(*first)
    }

    /// Year, month and day, in either order.
    fn date(&mut self) -> Option<(i64, i64, i64)> {
        let start = self.0;
        if let Some(year) = self.number(4) {
            let separator = self.one_of(b"-/")?;
            let month = self.number(2)?;
            self.one_of(&[separator])?;
            return Some((year, month, self.number(2)?));
        }
        self.0 = start;
        let day = self.number(2)?;
        self.one_of(b"/")?;
        let (name, rest) = self.0.split_at_checked(3)?;
        let month = MONTHS.iter().position(|month| month.as_bytes() == name)?;
        self.0 = rest;
        self.one_of(b"/")?;
        Some((self.number(4)?, i64::try_from(month + 1).ok()?, day))
    }

    /// `08:31:40.118`, as milliseconds since midnight.
    fn time_of_day(&mut self) -> Option<i64> {
        let hour = self.number(2)?;
        self.one_of(b":")?;
        let minute = self.number(2)?;
        self.one_of(b":")?;
        let second = self.number(2)?;
        // A leap second counts as the one before.
        (hour < 24 && minute < 60 && second <= 60)
            .then(|| ((hour * 60 + minute) * 60 + second.min(59)) * 1000 + self.fraction())
    }

    /// What stands behind the seconds, as milliseconds.
    fn fraction(&mut self) -> i64 {
        let start = self.0;
        if self.one_of(b".,").is_none() {
            return 0;
        }
        let digits: Vec<i64> =
            self.0.iter().take_while(|byte| byte.is_ascii_digit()).map(|byte| i64::from(byte - b'0')).collect();
        if digits.is_empty() {
            self.0 = start;
            return 0;
        }
        self.0 = &self.0[digits.len()..];
        (0..3).fold(0, |value, place| value * 10 + digits.get(place).copied().unwrap_or(0))
    }

    /// `Z`, `+01:00`, ` +0100`, ` UTC`. Minutes.
    fn zone(&mut self) -> Option<i32> {
        if let Some((b' ', rest)) = self.0.split_first() {
            self.0 = rest;
            if [b"UTC", b"GMT"].iter().any(|name| rest.starts_with(*name)) {
                return Some(0);
            }
        } else if self.one_of(b"Z").is_some() {
            return Some(0);
        }
        let sign = if self.one_of(b"+-")? == b'-' { -1 } else { 1 };
        let hours = self.number(2)?;
        let _ = self.one_of(b":");
        let minutes = self.number(2)?;
        // Longer is no zone but some other number.
        if self.0.first().is_some_and(u8::is_ascii_digit) || hours > 14 || minutes > 59 {
            return None;
        }
        i32::try_from(sign * (hours * 60 + minutes)).ok()
    }
}

/// A point in time as `2026-03-02T08:31:40Z`. Seconds since 1970.
pub(crate) fn rfc3339(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // The year by its mean length, and then by its first days.
    let mut year = 1970 + days * 400 / 146_097 - 1;
    while days_from_civil(year + 1, 1, 1) <= days {
        year += 1;
    }
    let mut month = 12;
    while days_from_civil(year, month, 1) > days {
        month -= 1;
    }
    let day = days - days_from_civil(year, month, 1) + 1;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

/// Days since 1970-01-01 of a date in the Gregorian calendar, counted in eras of 400 years that
/// begin on the first of March, so that a leap day comes last in its year.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    const DAYS_PER_ERA: i64 = 146_097;
    const DAYS_FROM_ERA_START_TO_1970: i64 = 719_468;
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let months_since_march = (month + 9) % 12;
    let day_of_year = (153 * months_since_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - DAYS_FROM_ERA_START_TO_1970
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn times_with_a_zone_are_points_in_time() {
        for (text, unix_ms) in [
            ("1970-01-01T00:00:00Z x", 0),
            ("2026-03-02T08:31:40.402Z", 1_772_440_300_402),
            ("x 2026-03-02 08:31:40,402 +0100 y", 1_772_436_700_402),
            ("2026-03-02T08:31:40-03:30", 1_772_452_900_000),
            ("1.2.3.4 - - [02/Mar/2026:08:31:40 +0000] GET", 1_772_440_300_000),
            ("2026/03/02 08:31:40 UTC", 1_772_440_300_000),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000),
        ] {
            assert_eq!(of(text).unwrap().unix_ms(None), Some(unix_ms), "{text}");
        }
    }

    #[test]
    fn without_a_zone_only_the_settings_make_it_one() {
        let stamp = of("2026-03-02 08:31:40.118 WARN x").unwrap();
        assert_eq!(stamp.unix_ms(None), None);
        assert_eq!(stamp.unix_ms(Some(60)), Some(1_772_436_700_118));
        let (earliest, latest) = stamp.range(None);
        assert!(earliest < latest && latest - earliest == 26 * 3_600_000);
    }

    #[test]
    fn an_entrys_time_may_lack_the_year_or_be_a_number() {
        let written = 1_772_440_400_000; // 2026-03-02T08:33:20Z
        for (text, unix_ms) in [
            ("Mar  2 08:31:40 host app[1]: x", 1_772_440_300_000),
            ("Dec 31 23:59:59 host x", 1_767_225_599_000),
            ("E0302 08:31:40.402123 1 x.go:3] y", 1_772_440_300_402),
            ("[Mon Mar 02 08:31:40.402123 2026] [error] x", 1_772_440_300_402),
            ("1772440300.402 x", 1_772_440_300_402),
            (r#"{"level":"info","msg":"x","ts":1772440300402}"#, 1_772_440_300_402),
            (r#"{"level":"info","time":"2026-03-02T08:31:40.402Z"}"#, 1_772_440_300_402),
            ("2026-03-02T08:31:40.402Z x", 1_772_440_300_402),
        ] {
            assert_eq!(of_entry(text, written).unwrap().unix_ms(Some(0)), Some(unix_ms), "{text}");
        }
        for text in ["", "17724403001 x", "Marble 2 08:31:40", "\tat x.Y(Z.java:1772440300)", "E1302 08:31:40"] {
            assert_eq!(of_entry(text, written), None, "{text}");
        }
    }

    #[test]
    fn a_point_in_time_is_written_as_it_is_read() {
        for text in ["1970-01-01T00:00:00Z", "2024-02-29T23:59:59Z", "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"] {
            let seconds = of(text).unwrap().unix_ms(None).unwrap() / 1000;
            assert_eq!(rfc3339(seconds), text);
        }
    }

    #[test]
    fn what_is_no_full_time_is_none() {
        for text in [
            "",
            "Mar  2 08:31:40 host x",
            "2026-13-02 08:31:40",
            "2026-03-02",
            "12026-03-02 08:31:40",
            "2026-03-02 25:00:00",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
