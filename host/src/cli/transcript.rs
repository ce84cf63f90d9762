//! `portcullis transcript`: the record read, searched, checked and exported, across instances, past and present.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::audit::{self, ChainKey, Event, Form, LineRead, Query, Stored, Verified, instances};
use crate::clock;
use crate::config::{self, Config};

/// How often a transcript is looked at that is followed.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(200);

#[derive(Debug, Subcommand)]
pub(super) enum TranscriptCommand {
    /// All transcripts, the newest last.
    List {
        /// Print JSON lines.
        #[arg(long)]
        json: bool,
    },
    /// A session's events, one a line.
    Show {
        /// SESSION, INSTANCE/SESSION or a file; the newest of that name.
        session: String,
        /// Only this kind, such as `verdict` or `command_end`.
        #[arg(long)]
        kind: Option<String>,
        /// Print JSON lines.
        #[arg(long)]
        json: bool,
    },
    /// The last events of a session.
    Tail {
        session: String,
        /// Go on until the session ends.
        #[arg(long, short)]
        follow: bool,
        #[arg(long, short = 'n', default_value_t = 20)]
        lines: usize,
    },
    /// Find something in all transcripts, the newest first. Exit code 1 when nothing is found.
    Search(Box<SearchArguments>),
    /// Say whether transcripts are as they were written. Exit code 1 when one is not.
    Verify {
        /// SESSION, INSTANCE/SESSION or a file.
        session: Option<String>,
        /// Every transcript.
        #[arg(long)]
        all: bool,
        /// Print JSON lines.
        #[arg(long)]
        json: bool,
    },
    /// Write a transcript in another form.
    Export {
        session: String,
        /// For players: asciicast, version 3.
        #[arg(long, group = "form")]
        asciicast: bool,
        /// What was printed, without control sequences.
        #[arg(long, group = "form")]
        text: bool,
        /// Every event as a JSON line.
        #[arg(long, group = "form")]
        json: bool,
        /// The file to write, which must not be there; standard output when left out.
        #[arg(long, short)]
        output: Option<PathBuf>,
    },
    /// Remove and compress closed transcripts now, as `[transcript.keep]` says.
    Prune {
        /// Only say what would be done.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct SearchArguments {
    /// The text to find.
    pattern: Option<String>,
    /// It is a regular expression.
    #[arg(long, short)]
    regex: bool,
    #[arg(long, short)]
    ignore_case: bool,
    /// Not before this: a date (2026-01-31), a moment (2026-01-31T12:00:00Z), or how long ago (2h, 7d).
    #[arg(long)]
    since: Option<String>,
    #[arg(long)]
    until: Option<String>,
    /// Part of a profile, user, address or session name.
    #[arg(long)]
    host: Option<String>,
    #[arg(long)]
    session: Option<String>,
    /// Only of this instance.
    #[arg(long)]
    instance: Option<String>,
    /// agent, human or automation.
    #[arg(long)]
    actor: Option<String>,
    #[arg(long)]
    kind: Option<String>,
    /// allow, warn, ask or deny.
    #[arg(long)]
    verdict: Option<String>,
    /// In commands that ended so, or such commands.
    #[arg(long)]
    exit_code: Option<i64>,
    /// In commands with this text, or such commands.
    #[arg(long)]
    command: Option<String>,
    #[arg(long, default_value_t = 1000)]
    limit: usize,
    /// Print JSON lines.
    #[arg(long)]
    json: bool,
}

/// Runs the command; false when it has found nothing, or something wrong.
pub(super) fn run(path: Option<&Path>, command: TranscriptCommand) -> anyhow::Result<bool> {
    let config = config::load(path)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let good = match command {
        TranscriptCommand::List { json } => list(&config, json, &mut out).map(|()| true),
        TranscriptCommand::Show { session, kind, json } => {
            show(&chosen(&config, &session)?, kind.as_deref(), json, &mut out).map(|()| true)
        }
        TranscriptCommand::Tail { session, follow, lines } => {
            tail(&chosen(&config, &session)?, follow, lines, &mut out).map(|()| true)
        }
        TranscriptCommand::Search(arguments) => search(&config, &arguments, &mut out),
        TranscriptCommand::Verify { session, all, json } => verify(&config, session.as_deref(), all, json, &mut out),
        TranscriptCommand::Export { session, asciicast, text, output, .. } => {
            let form = match (asciicast, text) {
                (true, _) => Form::Asciicast,
                (_, true) => Form::Text,
                _ => Form::Json,
            };
            export(&chosen(&config, &session)?, form, output.as_deref(), &mut out).map(|()| true)
        }
        TranscriptCommand::Prune { dry_run } => prune(&config, dry_run, &mut out),
    };
    let flushed = out.flush();
    match good {
        // A reader that has seen enough is no failure.
        Err(error) if is_broken_pipe(&error) => Ok(true),
        Ok(_) if flushed.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe) => Ok(true),
        Ok(good) => flushed.map(|()| good).context("standard output takes no more"),
        Err(error) => Err(error),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// The transcript meant: the newest with that session's id or name, or a file below the state folder.
fn chosen(config: &Config, wanted: &str) -> anyhow::Result<Stored> {
    let mut all = audit::stored(&config.state_directory, None)?;
    let (instance, session) = match wanted.split_once('/').filter(|(_, session)| !session.contains('/')) {
        Some((instance, session)) => (Some(instance), session),
        None => (None, wanted),
    };
    let file = Path::new(wanted).canonicalize().ok();
    let is_meant = |stored: &Stored| {
        let named = instance.is_none_or(|instance| stored.instance == instance)
            && (stored.session == session
                || stored.opening().is_some_and(|event| event.text_of("name") == Some(session)));
        named || file.as_ref().is_some_and(|file| stored.path.canonicalize().is_ok_and(|path| path == *file))
    };
    let found = all.iter().rposition(is_meant);
    let found = found.ok_or_else(|| {
        anyhow!("there is no transcript of `{wanted}`; `portcullis transcript list` names all of them")
    })?;
    Ok(all.swap_remove(found))
}

fn list(config: &Config, as_json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    for stored in audit::stored(&config.state_directory, None)? {
        let opening = stored.opening().unwrap_or_default();
        let text = |field: &str| opening.text_of(field).unwrap_or_default().to_owned();
        let (state, host) =
            (if stored.is_open() { "open" } else { "closed" }, format!("{}@{}", text("user"), text("address")));
        let last = unix_ms(stored.modified);
        if as_json {
            let line = json!({
                "instance": stored.instance, "session": stored.session, "profile": text("profile"), "host": host,
                "name": opening.text_of("name"), "opened_unix_ms": opening.unix_ms, "last_unix_ms": last,
                "size_bytes": stored.size_bytes, "compressed": stored.compressed, "state": state,
                "path": stored.path,
            });
            writeln!(out, "{line}")?;
        } else {
            writeln!(
                out,
                "{}  {}/{}  {host}  {state}  {} kB{}",
                clock::moment(opening.unix_ms),
                stored.instance,
                stored.session,
                stored.size_bytes.div_ceil(1000),
                if stored.compressed { " compressed" } else { "" }
            )?;
        }
    }
    Ok(())
}

fn show(stored: &Stored, kind: Option<&str>, as_json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    let mut outcome = Ok(());
    stored.events(|line| {
        outcome = match &line {
            LineRead::Event(event) if kind.is_some_and(|kind| kind != event.kind) => Ok(()),
            LineRead::Event(event) if as_json => {
                serde_json::to_writer(&mut *out, event).map_err(Into::into).and_then(|()| writeln!(out))
            }
            line => print_line(line, out),
        };
        outcome.is_ok()
    })?;
    Ok(outcome?)
}

fn print_line(line: &LineRead, out: &mut impl Write) -> std::io::Result<()> {
    match line {
        LineRead::Event(event) => print_event(event, out),
        LineRead::Torn => writeln!(out, "(the last line is torn: it was being written)"),
        LineRead::Broken => writeln!(out, "(a broken line; `portcullis transcript verify` says more)"),
    }
}

fn print_event(event: &Event, out: &mut impl Write) -> std::io::Result<()> {
    let who = event.text_of("actor").map(|actor| format!(" {actor}")).unwrap_or_default();
    let text = visible(&audit::told(event));
    writeln!(out, "{} #{} {}{who}: {text}", clock::moment(event.unix_ms), event.number, event.kind)
}

/// On one line, and without anything that a terminal would obey.
fn visible(text: &str) -> String {
    portcullis_term::clean(text.as_bytes(), 1_000).text.trim_end().replace('\n', "⏎")
}

/// A line that is being written is waited for.
fn tail(stored: &Stored, follow: bool, lines: usize, out: &mut impl Write) -> anyhow::Result<()> {
    let mut last = std::collections::VecDeque::new();
    stored.events(|line| {
        if let LineRead::Event(event) = line {
            if last.len() == lines.max(1) {
                last.pop_front();
            }
            last.push_back(event);
        }
        true
    })?;
    let (mut next, mut closed) = (0, false);
    for event in &last {
        print_event(event, out)?;
        (next, closed) = (event.number + 1, event.kind == "closed");
    }
    out.flush()?;
    while follow && !closed {
        let live = stored.is_live();
        let mut outcome = Ok(());
        stored.events_from(next, |event| {
            outcome = print_event(event, out);
            (next, closed) = (event.number + 1, event.kind == "closed");
            outcome.is_ok()
        })?;
        outcome?;
        out.flush()?;
        if !live && !closed {
            writeln!(out, "(its host has ended without closing it)")?;
            return Ok(());
        }
        if !closed {
            std::thread::park_timeout(FOLLOW_INTERVAL);
        }
    }
    Ok(())
}

fn search(config: &Config, arguments: &SearchArguments, out: &mut impl Write) -> anyhow::Result<bool> {
    let SearchArguments { since, until, instance, json, limit, .. } = arguments;
    let query = Query {
        since_unix_ms: since.as_deref().map(|text| when(text, false).context("--since")).transpose()?,
        until_unix_ms: until.as_deref().map(|text| when(text, true).context("--until")).transpose()?,
        pattern: arguments.pattern.clone(),
        is_regex: arguments.regex,
        ignore_case: arguments.ignore_case,
        host: arguments.host.clone(),
        session: arguments.session.clone(),
        actor: arguments.actor.clone(),
        kind: arguments.kind.clone(),
        verdict: arguments.verdict.clone(),
        exit_code: arguments.exit_code,
        command: arguments.command.clone(),
        limit: *limit,
    };
    if !query.has_criteria() {
        bail!(
            "nothing to look for; give a text, or one of the options that `portcullis transcript search --help` lists"
        );
    }
    let transcripts = audit::stored(&config.state_directory, instance.as_deref())?;
    let viewer = running_viewer(config);
    let found = audit::search(transcripts.iter().rev(), &query)?.with_replay(viewer.as_deref());
    for (number, hit) in found.hits.iter().enumerate() {
        if *json {
            writeln!(out, "{}", serde_json::to_string(hit)?)?;
            continue;
        }
        let offset = hit.offset.map(|offset| format!(" at {offset}")).unwrap_or_default();
        let code = hit.exit_code.map(|code| format!(" exit {code}")).unwrap_or_default();
        let who = hit.actor.as_ref().map(|actor| format!(" {actor}")).unwrap_or_default();
        writeln!(
            out,
            "{} {}/{} #{} {}{who}{offset}{code}: {}",
            clock::moment(hit.unix_ms),
            hit.instance,
            hit.session,
            hit.number,
            hit.kind,
            visible(&hit.text)
        )?;
        // Hits of one session stand together, and one link serves them all.
        if found.hits.get(number + 1).is_none_or(|next| next.replay() != hit.replay()) {
            writeln!(out, "  in its session: {}", hit.replay())?;
        }
    }
    out.flush()?;
    for problem in &found.problems {
        eprintln!("portcullis: {problem}");
    }
    let more = if found.more { ", and more: raise --limit" } else { "" };
    eprintln!("{} hits in {} transcripts ({} MB){more}", found.hits.len(), found.files, found.bytes / 1_000_000);
    Ok(!found.hits.is_empty())
}

/// The address of a viewer that runs, without its token: one shows the sessions of every host of the state folder.
fn running_viewer(config: &Config) -> Option<String> {
    // Where that cannot be found out, the command that shows a session serves as well.
    let running = instances::running(&config.state_directory).ok()?;
    let url = running.into_iter().find_map(|found| found.server?.viewer_url)?;
    url.split('#').next().map(str::to_owned)
}

fn verify(
    config: &Config,
    session: Option<&str>,
    all: bool,
    as_json: bool,
    out: &mut impl Write,
) -> anyhow::Result<bool> {
    let key = ChainKey::read(config.transcript.key_file.as_deref())?;
    let transcripts = match (session, all) {
        (Some(session), false) => vec![chosen(config, session)?],
        (None, true) => audit::stored(&config.state_directory, None)?,
        _ => bail!("say which transcript, or --all"),
    };
    let mut good = true;
    for stored in &transcripts {
        let verified = audit::verify(stored, &key)?;
        good &= verified.is_good();
        match as_json {
            true => writeln!(
                out,
                "{}",
                json!({ "instance": stored.instance, "session": stored.session, "path": stored.path, "good": verified.is_good(), "verified": verified })
            )?,
            false => writeln!(out, "{}/{}: {}", stored.instance, stored.session, verified_words(&verified))?,
        }
    }
    Ok(good)
}

fn verified_words(verified: &Verified) -> String {
    if verified.unchained {
        return "written before lines were chained; nothing can be said of it".to_owned();
    }
    let mut words = match &verified.first_broken {
        Some(broken) => {
            format!("BROKEN at line {}: {}; {} lines before it are good", broken.line, broken.why, verified.lines)
        }
        None => format!("good, {} lines", verified.lines),
    };
    words.push_str(if verified.keyed { ", keyed" } else { ", not keyed" });
    if verified.missing_lines > 0 {
        words.push_str(&format!(", {} lines are missing and told of", verified.missing_lines));
    }
    match (verified.torn_end, verified.open, verified.closed) {
        (_, true, _) => words.push_str(", open: its host writes into it"),
        (true, false, _) => words.push_str(", the last line is torn: its host was killed while it wrote"),
        (false, false, false) => words.push_str(", without an end: its host was killed, or lines at the end are gone"),
        (false, false, true) => words.push_str(", closed"),
    }
    words
}

fn export(stored: &Stored, form: Form, file: Option<&Path>, out: &mut impl Write) -> anyhow::Result<()> {
    let Some(path) = file else { return Ok(audit::export(stored, form, out)?) };
    use std::os::unix::fs::OpenOptionsExt;
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut to = BufWriter::new(opened.with_context(|| format!("{} cannot be made", path.display()))?);
    audit::export(stored, form, &mut to)?;
    to.flush().with_context(|| format!("{} cannot be written", path.display()))
}

fn prune(config: &Config, dry_run: bool, out: &mut impl Write) -> anyhow::Result<bool> {
    let transcripts = audit::stored(&config.state_directory, None)?;
    let kept = audit::keep(transcripts, &config.transcript.keep, SystemTime::now(), dry_run);
    let would = if dry_run { "would be " } else { "" };
    for path in &kept.removed {
        writeln!(out, "{would}removed: {path}")?;
    }
    for path in &kept.compressed {
        writeln!(out, "{would}compressed: {path}")?;
    }
    for problem in &kept.problems {
        eprintln!("portcullis: {problem}");
    }
    if kept.live > 0 {
        writeln!(out, "left alone: {} that hosts write into", kept.live)?;
    }
    Ok(kept.problems.is_empty())
}

fn unix_ms(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// A moment, or how long ago; of a date its beginning, or its end.
fn when(text: &str, after: bool) -> anyhow::Result<u64> {
    config::moment_or_ago_unix_ms(text, unix_ms(SystemTime::now()), after)
        .with_context(|| format!("`{text}` is no moment; {}", config::MOMENT_FORMS))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn moments_are_read_and_written() {
        assert_eq!(clock::moment(when("2026-11-26T17:43:34Z", false).unwrap()), "2026-11-26T17:43:34.000Z");
        assert!(unix_ms(SystemTime::now()) - when("2h", false).unwrap() >= 7_200_000);
        assert!(when("yesterday", false).is_err());
    }
}
