//! The commands of the steps, as argv. Everything that varies is a word of its own behind a fixed script,
//! so a policy sees each program with each file, and no name or pattern is ever read as shell.

use portcullis_plugin::PluginError;
use portcullis_plugin::log_search::{Query, Remote};

use super::state::{Doing, File, Kind, State};
use super::{Order, scan};
use crate::plan;
use crate::settings::Settings;
use crate::sources::is_plain_name;

/// What every step may need.
pub(super) const NEEDED: [&str; 7] = ["find", "stat", "grep", "head", "tail", "cut", "tr"];
/// A typed line must stay below 1,000 bytes: some shells cut there. Quotes and blanks included.
const MAX_LINE_BYTES: usize = 950;
/// What one step may print.
pub(super) const MAX_OUTPUT_BYTES: u64 = 512 * 1024;
/// Bytes of a file looked at to see a time.
pub(super) const PEEK_BYTES: usize = 4096;
/// The same of a sample, of which there are many.
const SAMPLE_BYTES: usize = 1024;
/// Samples of a file in one step; they cut it into eight parts. Of a part that is not large four will do: each
/// costs the start of two programs.
pub(super) const SAMPLES: u64 = 7;
pub(super) const FEW_SAMPLES: u64 = 4;
/// Programs that print one end of their input.
const ENDS: [&str; 2] = ["head", "tail"];
/// A terminal must not be given what it would obey.
const HARMLESS: &str = r#"tr "\000-\010\013\014\016-\037\177" "?""#;

/// The programs there.
pub(super) struct Toolbox {
    tools: Vec<String>,
}

impl Toolbox {
    pub(super) fn new(remote: &Remote) -> Self {
        Self { tools: remote.tools.iter().map(|tool| tool.name.clone()).collect() }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.tools.iter().any(|tool| tool == name)
    }

    /// In front of every command: it ends, and it gives way to others.
    fn bounds(&self, seconds: u32) -> Vec<String> {
        let mut words = Vec::new();
        if self.has("timeout") {
            words.extend(["timeout".to_owned(), seconds.to_string()]);
        }
        if self.has("nice") {
            words.extend(["nice", "-n", "10"].map(str::to_owned));
        }
        if self.has("ionice") {
            words.extend(["ionice", "-c", "3"].map(str::to_owned));
        }
        words.extend(["sh", "-c"].map(str::to_owned));
        words
    }

    /// Bytes that are left for names when the script and the words behind it take that much.
    pub(super) fn room(&self, script_and_words: usize) -> usize {
        let bounds: usize = self.bounds(600).iter().map(|word| word.len() + 1).sum();
        MAX_LINE_BYTES.saturating_sub(bounds + script_and_words + 8)
    }
}

/// Bytes of a word on the line, quoted.
pub(super) fn quoted_bytes(word: &str) -> usize {
    word.len() + 3 + 3 * word.matches('\'').count()
}

/// The command of a step.
///
/// # Errors
/// When what was asked for does not fit on a line.
pub(super) fn argv(
    toolbox: &Toolbox,
    settings: &Settings,
    query: &Query,
    order: &Order,
    state: &State,
    doing: &Doing,
    (mark, seconds, now_ms): (&str, u32, i64),
) -> Result<Vec<String>, PluginError> {
    let (script, words) = match doing {
        Doing::Look => look(settings, query, order, state, (mark, now_ms)),
        Doing::Peek(parts) => (peek(mark), parts.iter().map(|(file, at)| peeked(&state.files[*file], *at)).collect()),
        Doing::PeekInto(files) => peek_into(state, files, order, mark),
        Doing::Sample(samples, files) => {
            (sample(mark, *samples), files.iter().map(|part| sampled(&state.files[part.0], *part)).collect())
        }
        Doing::Scan(files) => scan(toolbox, query, order, (state, files), mark)?,
    };
    let mut argv = toolbox.bounds(seconds);
    argv.extend([script, "sh".to_owned()]);
    argv.extend(words);
    let length: usize = argv.iter().map(|word| quoted_bytes(word)).sum();
    if length > MAX_LINE_BYTES + 3 * argv.len() {
        let message = format!("the command would be {length} bytes long; name fewer or shorter sources or patterns");
        return Err(PluginError::InvalidInput(message));
    }
    Ok(argv)
}

/// Lists what is there: type and mode in hexadecimal, size, time, identity and name of each file. Of names
/// that would be several lines only the mode is printed.
fn look(
    settings: &Settings,
    query: &Query,
    order: &Order,
    state: &State,
    (mark, now_ms): (&str, i64),
) -> (String, Vec<String>) {
    let stat = if settings.follow_links { "stat -L" } else { "stat" };
    let script = format!(
        "{{ grep -V|head -n 1;echo {mark};find \"$@\" -exec {stat} -c \"%f %s %Y %d:%i %n\" -- {{}} +;echo {mark};}} \
         2>&1|head -c 250000"
    );
    let mut words = vec![if settings.follow_links { "-L" } else { "-H" }.to_owned()];
    words.extend(state.places.iter().cloned());
    words.extend(["-path", "*[[:cntrl:]]*", "-prune", "-exec", "stat", "-c", "%f", "--", "{}", "+"].map(str::to_owned));
    words.extend(["-o", "!", "-type", "d"].map(str::to_owned));
    // A file may have been rotated since, and have another name.
    if !order.resumed {
        words.extend(plan::selection(settings, query, &state.places, now_ms));
    }
    (script, words)
}

fn peek(mark: &str) -> String {
    format!(
        "export LC_ALL=C;for a;do echo {mark};tail -c \"+${{a%%:*}}\" -- \"${{a#*:}}\"|head -c {PEEK_BYTES};echo;done 2>&1|{HARMLESS}"
    )
}

fn peeked(file: &File, at: u64) -> String {
    format!("{}:{}", at + 1, file.path)
}

fn peek_into(state: &State, files: &[usize], order: &Order, mark: &str) -> (String, Vec<String>) {
    let program = files.first().and_then(|file| state.files[*file].kind.decompressor()).unwrap_or("cat");
    let script = format!(
        "for f;do for c in {};do echo {mark};{program} -- \"$f\"|$c -c {PEEK_BYTES};echo;done;done 2>&1|{HARMLESS}",
        ENDS[..ends(order)].join(" ")
    );
    (script, files.iter().map(|file| state.files[*file].path.clone()).collect())
}

/// How many ends of a compressed file are looked at: finding the second one costs reading all of it.
pub(super) fn ends(order: &Order) -> usize {
    if order.discover { ENDS.len() } else { 1 }
}

fn sample(mark: &str, samples: u64) -> String {
    let numbers: Vec<String> = (1..=samples).map(|number| number.to_string()).collect();
    format!(
        "export LC_ALL=C;for a;do b=${{a%%:*}};a=${{a#*:}};s=${{a%%:*}};for k in {};do echo {mark};tail -c +$((b+k*s)) -- \
         \"${{a#*:}}\"|head -c {SAMPLE_BYTES};echo;done;done 2>&1|{HARMLESS}",
        numbers.join(" ")
    )
}

fn sampled(file: &File, (_, from, distance): (usize, u64, u64)) -> String {
    format!("{}:{distance}:{}", from + 1, file.path)
}

/// Bytes that a step of this kind takes without its names.
pub(super) fn overhead(doing: &Doing) -> usize {
    let script = match doing {
        Doing::Peek(_) => peek("@199c0ffee00"),
        Doing::Sample(samples, _) => sample("@199c0ffee00", *samples),
        Doing::Look | Doing::PeekInto(_) | Doing::Scan(_) => return 200,
    };
    quoted_bytes(&script) + 4
}

/// Of the lines that grep prints around its matches, lets only those through that can belong to the match's entry:
/// 85 lines around each match of a frequent word are more than a terminal carries in time.
///
/// A line that begins as most entries do, by its time, ends the entry above it and begins its own. What begins in
/// another form is let through, and the reader sees what it is. A time of that form that is none (`29:70:00`) would
/// end an entry too.
const TRIM: &str = concat!(
    r#"|awk 'BEGIN{d="[0-9]";e=d d;r="^"d"+[-:](([[]?20"e"[-/]"e"[-/]"e"[T :]|[A-Z][a-z][a-z] [ 0-3]"d" |"#,
    r#"[IWEF]"e e" |[^ ]+ - [^ ]+ [[]"e"/[A-Z][a-z][a-z]/20"e":)"e":"e":"e"|[{].(ts|time).:.?[12]"e e")"}"#,
    r#"{s=$0~r}/^[0-9]+-/{if(s){m=0;b=$0"\n"}else if(m)print;else b=b$0"\n";next}"#,
    r#"{m=/^[0-9]+:/;if(m&&!s)printf"%s",b;b="";print}'"#,
);

/// The stage that lets only entries through, where only they are wanted, it can be had, and there is room for it
/// beside a file.
fn trim(reading: &scan::Reading<'_>, toolbox: &Toolbox, first: &File) -> &'static str {
    let fits = quoted_bytes(&scanned(first)) <= toolbox.room(scan_bytes(reading) + quoted_bytes(TRIM));
    if reading.for_entries_only() && toolbox.has("awk") && fits { TRIM } else { "" }
}

/// Bytes of the script of a scan, at most, and of its pattern.
fn scan_bytes(reading: &scan::Reading<'_>) -> usize {
    const SCRIPT_BYTES: usize = 360;
    SCRIPT_BYTES + reading.grep().map_or(0, |(pattern, _)| quoted_bytes(&pattern))
}

/// Bytes left for the names of files that one scan reads, `first` being the first.
pub(super) fn room_for_files(reading: &scan::Reading<'_>, toolbox: &Toolbox, first: &File) -> usize {
    toolbox.room(scan_bytes(reading) + quoted_bytes(trim(reading, toolbox, first)))
}

/// Reads files through grep. All of one step are read the same way.
fn scan(
    toolbox: &Toolbox,
    query: &Query,
    order: &Order,
    (state, files): (&State, &[usize]),
    mark: &str,
) -> Result<(String, Vec<String>), PluginError> {
    let Some(first) = files.first().map(|file| &state.files[*file]) else {
        // Nothing to read: the reader only has to say so.
        return Ok((format!("echo {mark}"), Vec::new()));
    };
    let reading = scan::Reading::new(query, order, state);
    let (pattern, grep) = reading.grep()?;
    let before = reading.before();
    let resume = first.line.saturating_sub(before).max(1);
    let binary = if state.gnu || first.kind != Kind::Plain {
        String::new()
    } else {
        format!("head -c {PEEK_BYTES} -- \"$f\"|tr -dc \"\\000\"|wc -c;")
    };
    let skip = if resume > 1 { format!("tail -n +{resume}|") } else { String::new() };
    let (take, read) = if let Some(command) = stream(first, query) {
        (String::new(), format!("{command} 2>&1|{skip}{grep} -e \"$p\""))
    } else if let Some(program) = first.kind.decompressor() {
        (String::new(), format!("{program} -- \"$f\"|{skip}{grep} -e \"$p\""))
    } else if first.from > 0 || first.to.is_some() {
        let take = "b=${f%%:*};f=${f#*:};n=${f%%:*};f=${f#*:};".to_owned();
        (take, format!("tail -c \"+$b\" -- \"$f\"|head -c \"$n\"|{skip}{grep} -e \"$p\""))
    } else if resume > 1 {
        (String::new(), format!("tail -n +{resume} -- \"$f\"|{grep} -e \"$p\""))
    } else {
        (String::new(), format!("{grep} -e \"$p\" -- \"$f\""))
    };
    let script = format!(
        "export LC_ALL=C;p=$1;shift;{{ for f;do {take}echo {mark};{binary}{read}|cut -b 1-{};done;echo {mark};}} \
         2>&1{}|{HARMLESS}|head -c {MAX_OUTPUT_BYTES}",
        reading.max_line_bytes(),
        trim(&reading, toolbox, first)
    );
    let mut words = vec![pattern];
    words.extend(files.iter().map(|file| scanned(&state.files[*file])));
    Ok((script, words))
}

/// A file as the word that a scan takes.
pub(super) fn scanned(file: &File) -> String {
    if file.kind == Kind::Plain && (file.from > 0 || file.to.is_some()) {
        format!("{}:{}:{}", file.from + 1, file.length(), file.path)
    } else {
        file.path.clone()
    }
}

/// The command that prints a source that is no file. Its name was checked to need no quotes.
fn stream(file: &File, query: &Query) -> Option<String> {
    let (_, name) = file.path.split_once(':')?;
    let seconds = |ms: i64| ms.div_euclid(1000);
    let since = query.since_unix_ms.map(seconds);
    // The second that has begun counts.
    let until = query.until_unix_ms.map(|until| seconds(until) + 1);
    let option = |name: &str, value: Option<String>| value.map_or(String::new(), |value| format!(" {name}{value}"));
    match file.kind {
        Kind::Journal => Some(format!(
            "journalctl --no-pager -q -o short-iso -u {name}{}{}",
            option("-S @", since.map(|since| since.to_string())),
            option("-U @", until.map(|until| until.to_string()))
        )),
        Kind::Kubectl => {
            let mut parts = name.split('/');
            let (namespace, pod) = (parts.next()?, parts.next()?);
            Some(format!(
                "kubectl logs --timestamps -n {namespace} {pod}{}{}",
                option("-c ", parts.next().map(str::to_owned)),
                option("--since-time=", since.map(crate::time::rfc3339))
            ))
        }
        Kind::Docker => Some(format!(
            "docker logs --timestamps{}{} {name}",
            option("--since ", since.map(|since| since.to_string())),
            option("--until ", until.map(|until| until.to_string()))
        )),
        Kind::Plain | Kind::Gz | Kind::Xz | Kind::Zst | Kind::Bz2 => None,
    }
}

/// Whether a source that is no file has a name that can be given to its program.
pub(super) fn check_stream(kind: Kind, name: &str) -> Result<(), String> {
    let parts: Vec<&str> = name.split('/').collect();
    let (fits, form) = match kind {
        Kind::Kubectl => ((2..=3).contains(&parts.len()), "kubectl:NAMESPACE/POD or kubectl:NAMESPACE/POD/CONTAINER"),
        Kind::Journal => (parts.len() == 1, "journal:UNIT"),
        _ => (parts.len() == 1, "docker:CONTAINER"),
    };
    if fits && parts.iter().all(|part| is_plain_name(part)) {
        return Ok(());
    }
    Err(format!("the source {name:?} is not of the form {form}"))
}
