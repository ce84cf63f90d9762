//! A tree of logs to search: what a busy host has in `/var/log` after some weeks, and what lies in the way there.
//!
//! The same seed and size give the same tree. Every line of a service ends with `at=` and the milliseconds since
//! 1970 that its clock showed, whatever form and zone its own time has: a test that reads those needs no reading
//! of times, so it is no copy of what it tests.
//!
//! Compressed with the programs of this machine; where one is missing its files stay plain.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::LabError;

/// How often each service's log was rotated, at most.
const ROTATIONS: u64 = 20;
/// Of these the oldest are compressed.
const PLAIN_ROTATIONS: u64 = 15;
/// Every so many lines one is an error with a trace.
const TRACE_EVERY: u64 = 97;
/// One line in the whole tree is that long. Bytes.
const HUGE_LINE_BYTES: usize = 2 << 20;
/// The service whose clock was once set back, and by how much.
const STEPPED_SERVICE: u64 = 3;
const STEP_MS: i64 = 5 * 3_600_000;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// How large the tree is to be.
#[derive(Clone, Copy, Debug)]
pub struct TreeOptions {
    /// Another seed, another tree.
    pub seed: u64,
    /// Files with logs; those in the way come on top.
    pub files: u64,
    /// All of them before compression.
    pub bytes: u64,
    /// The newest line's time. Seconds since 1970.
    pub end_unix_s: i64,
}

/// A log that was written.
#[derive(Clone, Debug)]
pub struct Made {
    /// Where it is.
    pub path: PathBuf,
    /// The program that reads it, such as `zcat`; none for a plain file.
    pub reader: Option<&'static str>,
}

/// Writes a tree below a folder, which may be there already, and gives its logs.
///
/// # Errors
/// When something cannot be written.
pub fn make(folder: &Path, options: &TreeOptions) -> Result<Vec<Made>, LabError> {
    write_all(folder, options).map_err(|source| LabError::Logs { folder: folder.to_owned(), source })
}

fn write_all(folder: &Path, options: &TreeOptions) -> io::Result<Vec<Made>> {
    fs::create_dir_all(folder)?;
    let services = options.files.div_ceil(ROTATIONS).max(1);
    let mut made = Vec::new();
    for number in 0..options.files {
        let (service, rotated) = (number % services, number / services);
        let share = options.bytes / options.files.max(1);
        made.push(service_file(folder, options, (service, rotated), share)?);
    }
    in_the_way(folder, options)?;
    Ok(made)
}

/// One file of a service: its lines cover a day, the newest file's end at the end of the tree.
fn service_file(folder: &Path, options: &TreeOptions, (service, rotated): (u64, u64), bytes: u64) -> io::Result<Made> {
    const DAY_MS: i64 = 86_400_000;
    let name = format!("svc-{service:02}");
    // Names that a careless script takes for several words or for options.
    let name = match service {
        1 => "svc 01 of two".to_owned(),
        2 => "-svc-02".to_owned(),
        _ => name,
    };
    let directory = folder.join(&name);
    fs::create_dir_all(&directory)?;
    let ending = if rotated == 0 { String::new() } else { format!(".{rotated}") };
    let path = directory.join(format!("app.log{ending}"));
    let end_ms = options.end_unix_s * 1000 - i64::try_from(rotated).unwrap_or(0) * DAY_MS;
    let mut random = Random::new(options.seed ^ (service << 32) ^ (rotated << 8));
    let mut file = BufWriter::new(File::create(&path)?);
    let lines = (bytes / 108).max(10);
    for number in 0..lines {
        let share = i64::try_from(number * 1_000_000 / lines).unwrap_or(0);
        let mut at_ms = end_ms - DAY_MS + 60_000 + (DAY_MS - 60_000) * share / 1_000_000;
        // Threads write a little out of order.
        at_ms -= i64::try_from(random.below(2_000)).unwrap_or(0);
        if service == STEPPED_SERVICE && number > lines / 2 {
            at_ms -= STEP_MS;
        }
        line(&mut file, service, (number, at_ms), &mut random)?;
    }
    file.into_inner()?.sync_data()?;
    let (path, reader) = if rotated >= PLAIN_ROTATIONS { compress(&path, rotated)? } else { (path, None) };
    touch(&path, end_ms)?;
    Ok(Made { path, reader })
}

/// One entry; most are a line.
fn line(file: &mut impl Write, service: u64, (number, at_ms): (u64, i64), random: &mut Random) -> io::Result<()> {
    let trace = number % TRACE_EVERY == TRACE_EVERY - 1;
    let level = if trace { "ERROR" } else { ["INFO", "INFO", "DEBUG", "WARN"][random.below(4) as usize] };
    let (order, ms, needle) = (random.below(100_000), random.below(900), random.below(200) == 0);
    let needle = if needle { " needle" } else { "" };
    let padding = &"the quick brown fox jumps over the lazy dog again and again"[..random.below(58) as usize];
    let message = format!("order O-{order} took {ms} ms {padding}{needle} at={at_ms}");
    let text = format!("{}\n", stamped(service, at_ms, level, &message));
    file.write_all(text.as_bytes())?;
    if !trace {
        return Ok(());
    }
    let traces = [
        "java.lang.IllegalStateException: broken pipe of order\n\tat shop.Orders.place(Orders.java:41)\n\tat \
         shop.Main.main(Main.java:7)\nCaused by: java.io.IOException: reset by peer\n\t... 12 more\n",
        "Traceback (most recent call last):\n  File \"/srv/app.py\", line 12, in place\n    raise ValueError(order)\n\
         ValueError: broken pipe of order\n",
        "panic: broken pipe of order\n\ngoroutine 7 [running]:\nmain.place(0xc000012345)\n\t/srv/main.go:31 +0x1d\n",
    ];
    let trace = traces[(number / TRACE_EVERY % 3) as usize];
    file.write_all(trace.as_bytes())
}

/// The time in the form and zone of the service.
fn stamped(service: u64, at_ms: i64, level: &str, message: &str) -> String {
    let zone_ms = 3_600_000;
    let (utc, local) = (Civil::of(at_ms), Civil::of(at_ms + zone_ms));
    let month = MONTHS[local.month as usize - 1];
    match service % 6 {
        0 => format!("{}T{}.{:03}Z {level} {message}", utc.date(), utc.time(), utc.ms),
        1 => format!("{} {},{:03} +0100 [http-7] {level} {message}", local.date(), local.time(), local.ms),
        2 => {
            format!("{} {:>2} {} host app[71]: {level} {message}", MONTHS[utc.month as usize - 1], utc.day, utc.time())
        }
        3 => format!(
            "10.0.0.7 - - [{:02}/{month}/{}:{} +0100] \"GET /\" 200 {level} {message}",
            local.day,
            local.year,
            local.time()
        ),
        4 => format!(
            r#"{{"ts":{}.{:03},"level":"{}","msg":"{message}"}}"#,
            at_ms / 1000,
            at_ms % 1000,
            level.to_lowercase()
        ),
        _ => format!(
            "{}{:02}{:02} {}.{:03}000 7 app.go:31] {level} {message}",
            &level[..1].replace('D', "I"),
            utc.month,
            utc.day,
            utc.time(),
            utc.ms
        ),
    }
}

/// Packs a file with one of three programs and takes the plain one away.
fn compress(path: &Path, rotated: u64) -> io::Result<(PathBuf, Option<&'static str>)> {
    let (program, option, ending, reader) =
        [("gzip", "-1", "gz", "zcat"), ("xz", "-0", "xz", "xzcat"), ("zstd", "-1", "zst", "zstdcat")]
            [(rotated % 3) as usize];
    let packed = PathBuf::from(format!("{}.{ending}", path.display()));
    let output = File::create(&packed)?;
    let ran = Command::new(program)
        .args([option, "-c"])
        .stdin(File::open(path)?)
        .stdout(output)
        .stderr(Stdio::null())
        .status();
    if ran.is_ok_and(|status| status.success()) {
        fs::remove_file(path)?;
        return Ok((packed, Some(reader)));
    }
    fs::remove_file(packed)?;
    Ok((path.to_owned(), None))
}

fn touch(path: &Path, unix_ms: i64) -> io::Result<()> {
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(unix_ms.unsigned_abs());
    File::options().append(true).open(path)?.set_modified(time)
}

/// What a search must neither stumble over nor wait for.
fn in_the_way(folder: &Path, options: &TreeOptions) -> io::Result<()> {
    let odd = folder.join("odd");
    fs::create_dir_all(&odd)?;
    let end_ms = options.end_unix_s * 1000;
    let huge = format!("2026-01-01T00:00:00Z INFO {} needle\n", "x".repeat(HUGE_LINE_BYTES));
    for (name, content) in [
        ("binary.bin", b"\0\x01\x02 needle\n\0\xff".to_vec()),
        ("new\nline.log", b"needle\n".to_vec()),
        ("huge.log", huge.into_bytes()),
        ("empty.log", Vec::new()),
    ] {
        fs::write(odd.join(name), content)?;
        touch(&odd.join(name), end_ms)?;
    }
    fs::create_dir_all(odd.join("folder.log"))?;
    if !odd.join("pipe").exists() {
        Command::new("mkfifo").arg(odd.join("pipe")).status()?;
    }
    Ok(())
}

/// A date in the Gregorian calendar.
struct Civil {
    year: i64,
    month: i64,
    day: i64,
    second: i64,
    ms: i64,
}

impl Civil {
    /// By counting years and months up from 1970: slow, and plain to see.
    fn of(unix_ms: i64) -> Self {
        let (mut days, in_day) = (unix_ms.div_euclid(86_400_000), unix_ms.rem_euclid(86_400_000));
        let is_leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        let mut year = 1970;
        while days >= 365 + i64::from(is_leap(year)) {
            days -= 365 + i64::from(is_leap(year));
            year += 1;
        }
        let mut month = 1;
        for length in [31, 28 + i64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30] {
            if days < length {
                break;
            }
            days -= length;
            month += 1;
        }
        Self { year, month, day: days + 1, second: in_day / 1000, ms: in_day % 1000 }
    }

    fn date(&self) -> String {
        format!("{}-{:02}-{:02}", self.year, self.month, self.day)
    }

    fn time(&self) -> String {
        format!("{:02}:{:02}:{:02}", self.second / 3600, self.second / 60 % 60, self.second % 60)
    }
}

/// Numbers that only depend on the seed (xorshift64*, Vigna 2016).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }
}
