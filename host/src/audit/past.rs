//! Transcripts that lie on the disk: which there are, and their content.
//!
//! Reads only, and tolerantly: a file may be of another version or another process, still growing or torn. A line
//! that cannot be read is passed over, a field that is not known ignored. Who may see what is decided above. It
//! blocks; callers are on a thread for that.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use serde_json::Value;

use super::store::{Stored, stored};

/// Sessions that are listed.
const MOST_LISTED: usize = 500;
/// Read from a file's beginning and end to tell what session it is, in bytes.
const GLANCE_BYTES: u64 = 64 * 1024;
/// Unpacked of a compressed file to find its end, in bytes.
const MOST_UNPACKED_BYTES: u64 = 64 << 20;

/// A session as its transcript tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastSession {
    pub instance_id: String,
    pub session_id: String,
    pub profile: String,
    pub name: Option<String>,
    /// `user@host:port`.
    pub host: String,
    /// Where the terminal last stood.
    pub breadcrumb: Vec<String>,
    pub opened_unix_ms: u64,
    /// Of the last line.
    pub last_unix_ms: u64,
    /// None where the record breaks off, or the session is open in a process that runs.
    pub closed_reason: Option<String>,
    /// The host that writes it is alive.
    pub running: bool,
    /// Contents are in it, not only lengths.
    pub has_content: bool,
    pub bytes: u64,
}

/// Every transcript below the state folder, the newest session first.
pub fn list(state: &Path) -> Vec<PastSession> {
    let newest = stored(state, None).unwrap_or_default().into_iter().rev().take(MOST_LISTED);
    let mut found: Vec<_> = newest.filter_map(|file| glance(&file).ok().flatten()).collect();
    found.sort_by_key(|session| std::cmp::Reverse(session.opened_unix_ms));
    found
}

/// The beginning of a transcript, at most `most_bytes`, whole lines only; and whether that is all of it.
///
/// # Errors
/// When there is none of that name, or it cannot be read.
pub fn read(state: &Path, instance_id: &str, session_id: &str, most_bytes: u64) -> io::Result<(Vec<u8>, bool)> {
    let files = stored(state, Some(instance_id)).map_err(io::Error::other)?;
    let file = files.iter().find(|file| file.session == session_id).ok_or(io::ErrorKind::NotFound)?;
    let mut reader = file.open().map_err(io::Error::other)?;
    let mut bytes = Vec::new();
    reader.by_ref().take(most_bytes).read_to_end(&mut bytes)?;
    let whole = reader.read(&mut [0])? == 0;
    bytes.truncate(memchr::memrchr(b'\n', &bytes).map_or(0, |end| end + 1));
    Ok((bytes, whole))
}

fn glance(file: &Stored) -> io::Result<Option<PastSession>> {
    let mut reader = file.open().map_err(io::Error::other)?;
    let mut head = Vec::new();
    reader.by_ref().take(GLANCE_BYTES).read_to_end(&mut head)?;
    let Some(opened) = lines(&head).find(|line| kind(line) == "opened") else { return Ok(None) };
    let tail = tail(file, reader)?;
    let text = |name: &str| opened.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut session = PastSession {
        instance_id: file.instance.clone(),
        session_id: file.session.clone(),
        profile: text("profile"),
        name: opened.get("name").and_then(Value::as_str).map(str::to_owned),
        host: format!("{}@{}", text("user"), text("address")),
        breadcrumb: Vec::new(),
        opened_unix_ms: number(&opened, "unix_ms"),
        last_unix_ms: 0,
        closed_reason: None,
        running: file.is_live(),
        has_content: text("transcript") != "meta",
        bytes: file.size_bytes,
    };
    for line in lines(&head).chain(lines(&tail)) {
        session.last_unix_ms = session.last_unix_ms.max(number(&line, "unix_ms"));
        match kind(&line) {
            "closed" => session.closed_reason = line.get("reason").and_then(Value::as_str).map(str::to_owned),
            "level" => {
                let places = line.get("breadcrumb").and_then(Value::as_array).into_iter().flatten();
                session.breadcrumb = places.filter_map(|place| place.as_str().map(str::to_owned)).collect();
            }
            _ => {}
        }
    }
    Ok(Some(session))
}

/// The end of a transcript whose beginning has been read from `reader`.
fn tail(file: &Stored, reader: impl Read) -> io::Result<Vec<u8>> {
    let mut tail = Vec::new();
    if file.compressed {
        reader.take(MOST_UNPACKED_BYTES).read_to_end(&mut tail)?;
        tail.drain(..tail.len().saturating_sub(GLANCE_BYTES as usize));
    } else if file.size_bytes > GLANCE_BYTES {
        let mut plain = file.open_file().map_err(io::Error::other)?;
        plain.seek(SeekFrom::Start(file.size_bytes - GLANCE_BYTES))?;
        plain.take(GLANCE_BYTES).read_to_end(&mut tail)?;
    }
    Ok(tail)
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = Value> {
    bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok())
}

fn kind(line: &Value) -> &str {
    line.get("kind").and_then(Value::as_str).unwrap_or_default()
}

fn number(line: &Value, name: &str) -> u64 {
    line.get(name).and_then(Value::as_u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;

    use super::*;

    const OPENED: &str = r#"{"version":1,"number":0,"unix_ms":1000,"at_ms":0,"kind":"opened","session_id":"s-a-1","profile":"a","address":"h:22","user":"u","transcript":"full","columns":80,"rows":24,"new_field":{"x":1}}"#;
    const LEVEL: &str =
        r#"{"version":1,"number":1,"unix_ms":1500,"at_ms":500,"kind":"level","breadcrumb":["bastion","web1"]}"#;
    const CLOSED: &str =
        r#"{"version":1,"number":9,"unix_ms":2000,"at_ms":1000,"kind":"closed","reason":"logout","exit_code":0}"#;

    fn write(state: &Path, instance: &str, session: &str, text: &str) {
        let folder = state.join("instances").join(instance).join("transcripts");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{session}.jsonl")), text).unwrap();
    }

    #[test]
    fn sessions_of_all_instances_are_told_by_their_files() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(list(state.path()), []);
        let output = format!("{{\"kind\":\"output\",\"offset\":9,\"text\":\"{}\"}}\n", "x".repeat(1_000)).repeat(300);
        write(state.path(), "aaa", "s-a-1", &format!("{OPENED}\n{LEVEL}\n{output}{CLOSED}\n"));
        write(
            state.path(),
            "bbb",
            "s-a-1",
            &format!("{}\nnot a line\n{}", OPENED.replace("1000", "3000"), &CLOSED[..30]),
        );
        write(state.path(), "bbb", "s-a-2", "nothing of use\n");
        let live = fs::File::open(state.path().join("instances/bbb/transcripts/s-a-1.jsonl")).unwrap();
        rustix::fs::flock(&live, rustix::fs::FlockOperation::LockExclusive).unwrap();
        let found = list(state.path());
        let told: Vec<_> =
            found.iter().map(|it| (it.instance_id.as_str(), it.closed_reason.as_deref(), it.running)).collect();
        assert_eq!(told, [("bbb", None, true), ("aaa", Some("logout"), false)]);
        assert_eq!((found[1].breadcrumb.join(" "), found[1].last_unix_ms), ("bastion web1".to_owned(), 2_000));
        assert_eq!((found[1].host.as_str(), found[0].opened_unix_ms), ("u@h:22", 3_000));
    }

    #[test]
    fn a_compressed_transcript_is_read_like_any_other() {
        use std::io::Write;
        let state = tempfile::tempdir().unwrap();
        let output = format!("{{\"kind\":\"output\",\"offset\":9,\"text\":\"{}\"}}\n", "x".repeat(1_000)).repeat(300);
        let text = format!("{OPENED}\n{output}{LEVEL}\n{CLOSED}\n");
        write(state.path(), "aaa", "s-a-0", "");
        let folder = state.path().join("instances/aaa/transcripts");
        let file = fs::File::create(folder.join("s-a-1.jsonl.gz")).unwrap();
        let mut packer = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap();
        let found = list(state.path());
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].closed_reason.as_deref(), found[0].running), (Some("logout"), false));
        assert_eq!(found[0].breadcrumb.join(" "), "bastion web1");
        assert_eq!(read(state.path(), "aaa", "s-a-1", 1 << 20).unwrap(), (text.into_bytes(), true));
    }

    #[test]
    fn content_is_whole_lines_and_no_name_leads_elsewhere() {
        let state = tempfile::tempdir().unwrap();
        write(state.path(), "aaa", "s-a-1", &format!("{OPENED}\n{}", &LEVEL[..20]));
        fs::write(state.path().join("secret.jsonl"), "secret\n").unwrap();
        let read = |instance: &str, session: &str, most| read(state.path(), instance, session, most);
        assert_eq!(read("aaa", "s-a-1", 1 << 20).unwrap(), (format!("{OPENED}\n").into_bytes(), true));
        assert_eq!(read("aaa", "s-a-1", 50).unwrap(), (Vec::new(), false));
        for (instance, session) in
            [("..", "secret"), ("aaa", "../../../secret"), ("", ""), ("aaa", "s-a-9"), (".", "x"), ("/etc", "passwd")]
        {
            assert!(read(instance, session, 1 << 20).is_err(), "{instance} {session}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(
                state.path().join("secret.jsonl"),
                state.path().join("instances/aaa/transcripts/s-link.jsonl"),
            )
            .unwrap();
            assert!(read("aaa", "s-link", 1 << 20).is_err(), "a link out of the folder");
        }
    }
}
