//! Recorded host keys: reads `known_hosts` files and judges a presented key against them.
//!
//! Pure apart from [`KnownHosts::load`] and [`remember`]; it knows keys only as the bytes of the SSH wire
//! format, so a key type this program cannot use still counts as "recorded". Stricter than the client
//! library's own helper, which answers "unknown" where a key of another type is recorded and does not
//! look at markers or patterns: here a name with any recorded key and none equal is *changed*.
//! Format: `sshd(8)`, "SSH_KNOWN_HOSTS FILE FORMAT". Called by `host_key` while connecting.

use std::{
    fmt,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use base64::{
    Engine,
    alphabet::STANDARD as ALPHABET,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// A large site's file has some ten thousand lines of about 200 bytes; more is a mistake or an attack.
const FILE_LIMIT_BYTES: u64 = 8 * 1024 * 1024;
/// Skipped lines kept for a message; a person needs the first few, not all of a binary file's.
const SKIPPED_LINES_KEPT: usize = 8;
/// Port whose entries carry no `[host]:port` brackets.
const DEFAULT_PORT: u16 = 22;

/// Base64 as keys and hashes are written: padding is usual, but its absence changes nothing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What the files say about a presented key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostKeyVerdict {
    /// The key is recorded for this name.
    Known { location: Location },
    /// No key is recorded for this name.
    Unknown,
    /// Keys are recorded for this name, and this is none of them.
    Changed { known: Vec<RecordedKey> },
    /// The key is marked as one never to be accepted.
    Revoked { location: Location },
}

/// A line of a file; shown as `file:line`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    pub file: PathBuf,
    /// Counted from 1.
    pub line: usize,
}

/// A key as recorded for a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedKey {
    pub location: Location,
    pub key_type: String,
    /// `SHA256:` and the unpadded base64 digest, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
}

/// A line that was not understood and therefore records nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedLine {
    pub location: Location,
    pub reason: &'static str,
}

/// Why the recorded keys could not be consulted or extended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KnownHostsError {
    #[error("{} cannot be read, so no host key can be checked; make it readable or take it out of the profile", .path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} is not a regular file; name a known_hosts file in the profile", .path.display())]
    NotAFile { path: PathBuf },
    #[error("{} is larger than {limit_bytes} bytes; it does not look like a known_hosts file", .path.display())]
    TooLarge { path: PathBuf, limit_bytes: u64 },
    #[error("{} cannot be written, so the key was not recorded", .path.display())]
    Unwritable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// The lines of all files of a profile, in order.
#[derive(Debug, Clone, Default)]
pub struct KnownHosts {
    entries: Vec<Entry>,
    skipped: Vec<SkippedLine>,
}

#[derive(Debug, Clone)]
struct Entry {
    marker: Marker,
    names: Names,
    key_type: String,
    /// The public key in SSH wire format.
    key: Vec<u8>,
    location: Location,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marker {
    None,
    CertAuthority,
    Revoked,
}

#[derive(Debug, Clone)]
enum Names {
    Patterns(Vec<Pattern>),
    /// HMAC-SHA1 of the name, keyed with the salt.
    Hashed {
        salt: Vec<u8>,
        digest: Vec<u8>,
    },
}

#[derive(Debug, Clone)]
struct Pattern {
    negated: bool,
    text: String,
}

impl KnownHosts {
    /// Reads the files in order. A file that does not exist records nothing; one that exists and cannot
    /// be read might record something, so it is an error.
    ///
    /// # Errors
    /// Names the file that stands in the way.
    pub fn load(paths: &[PathBuf]) -> Result<Self, KnownHostsError> {
        let mut all = Self::default();
        for path in paths {
            if let Some(content) = read_file(path)? {
                all.add(path, &content);
            }
        }
        Ok(all)
    }

    /// Adds the lines of one file's content.
    pub fn add(&mut self, path: &Path, content: &[u8]) {
        for (index, line) in content.split(|byte| *byte == b'\n').enumerate() {
            let location = || Location { file: path.to_owned(), line: index + 1 };
            // Replacement characters can neither equal a host name nor be base64, so a broken line
            // cannot start to match; a comment in another encoding stays harmless.
            match parse_line(&String::from_utf8_lossy(line)) {
                Ok(Some((marker, names, key_type, key))) => {
                    self.entries.push(Entry { marker, names, key_type, key, location: location() });
                }
                Ok(None) => {}
                Err(reason) if self.skipped.len() < SKIPPED_LINES_KEPT => {
                    self.skipped.push(SkippedLine { location: location(), reason });
                }
                Err(_) => {}
            }
        }
    }

    /// Judges a presented key, given in SSH wire format.
    #[must_use]
    pub fn check(&self, host: &str, port: u16, key: &[u8]) -> HostKeyVerdict {
        let names = LookupNames::new(host, port);
        if let Some(entry) = self.revoked(&names, key) {
            return HostKeyVerdict::Revoked { location: entry.location.clone() };
        }
        let recorded = self.with_marker(Marker::None, &names.exact);
        if let Some(entry) = recorded.iter().find(|entry| entry.key == key) {
            return HostKeyVerdict::Known { location: entry.location.clone() };
        }
        if !recorded.is_empty() {
            return HostKeyVerdict::Changed { known: recorded.into_iter().map(RecordedKey::from).collect() };
        }
        // As OpenSSH does: the very key recorded for the host's usual port vouches for another port of
        // the same host. A different key there says nothing about this port.
        match self.with_marker(Marker::None, &names.bare).into_iter().find(|entry| entry.key == key) {
            Some(entry) => HostKeyVerdict::Known { location: entry.location.clone() },
            None => HostKeyVerdict::Unknown,
        }
    }

    /// Where a key is marked as revoked for this host, whether it serves as host key or as authority.
    #[must_use]
    pub fn revocation(&self, host: &str, port: u16, key: &[u8]) -> Option<Location> {
        self.revoked(&LookupNames::new(host, port), key).map(|entry| entry.location.clone())
    }

    /// Types of the keys recorded for this host, first recorded first, each once. Asking the server for
    /// these first keeps a server with several keys from looking changed.
    #[must_use]
    pub fn recorded_key_types(&self, host: &str, port: u16) -> Vec<&str> {
        let names = LookupNames::new(host, port);
        let mut types: Vec<&str> = Vec::new();
        for name in [&names.exact, &names.bare] {
            for entry in self.with_marker(Marker::None, name) {
                if !types.contains(&entry.key_type.as_str()) {
                    types.push(&entry.key_type);
                }
            }
        }
        types
    }

    /// Keys, in SSH wire format, of the authorities whose certificates are good for this host.
    #[must_use]
    pub fn authorities(&self, host: &str, port: u16) -> Vec<&[u8]> {
        let names = LookupNames::new(host, port);
        let entries = self.with_marker(Marker::CertAuthority, &names.exact).into_iter();
        entries.map(|entry| entry.key.as_slice()).collect()
    }

    /// The first lines that were not understood.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedLine] {
        &self.skipped
    }

    /// A revocation counts however the host is spelt, with its port or without.
    fn revoked(&self, names: &LookupNames, key: &[u8]) -> Option<&Entry> {
        self.entries.iter().find(|entry| {
            entry.marker == Marker::Revoked
                && entry.key == key
                && (entry.names.matches(&names.exact) || entry.names.matches(&names.bare))
        })
    }

    fn with_marker(&self, marker: Marker, name: &str) -> Vec<&Entry> {
        self.entries.iter().filter(|entry| entry.marker == marker && entry.names.matches(name)).collect()
    }
}

/// The two spellings under which a host may be recorded, in lower case.
struct LookupNames {
    /// `host`, or `[host]:port` for any other port than 22.
    exact: String,
    bare: String,
}

impl LookupNames {
    fn new(host: &str, port: u16) -> Self {
        let bare = host.to_ascii_lowercase();
        Self { exact: with_port(&bare, port), bare }
    }
}

fn with_port(host: &str, port: u16) -> String {
    if port == DEFAULT_PORT { host.to_owned() } else { format!("[{host}]:{port}") }
}

impl Names {
    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Hashed { salt, digest } => Hmac::<Sha1>::new_from_slice(salt)
                .is_ok_and(|mac| mac.chain_update(name.as_bytes()).verify_slice(digest).is_ok()),
            Self::Patterns(patterns) => {
                let mut matched = false;
                for pattern in patterns {
                    if wildcard_match(pattern.text.as_bytes(), name.as_bytes()) {
                        if pattern.negated {
                            return false;
                        }
                        matched = true;
                    }
                }
                matched
            }
        }
    }
}

/// `*` stands for any run of bytes, `?` for one. Constant in memory and at worst quadratic in time.
pub(super) fn wildcard_match(pattern: &[u8], name: &[u8]) -> bool {
    let (mut in_pattern, mut in_name) = (0, 0);
    let mut after_star: Option<(usize, usize)> = None;
    while in_name < name.len() {
        match pattern.get(in_pattern) {
            Some(b'*') => {
                after_star = Some((in_pattern + 1, in_name));
                in_pattern += 1;
            }
            Some(wanted) if *wanted == b'?' || *wanted == name[in_name] => {
                in_pattern += 1;
                in_name += 1;
            }
            _ => {
                // Let the last star swallow one character more, and try again behind it.
                let Some((resume, swallowed)) = after_star else {
                    return false;
                };
                after_star = Some((resume, swallowed + 1));
                in_pattern = resume;
                in_name = swallowed + 1;
            }
        }
    }
    pattern[in_pattern..].iter().all(|byte| *byte == b'*')
}

type ParsedLine = (Marker, Names, String, Vec<u8>);

/// One line; `None` for an empty line or a comment.
fn parse_line(line: &str) -> Result<Option<ParsedLine>, &'static str> {
    let line = line.trim_matches([' ', '\t', '\r']);
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let mut fields = line.split([' ', '\t']).filter(|field| !field.is_empty());
    let mut names = fields.next().ok_or("the line is empty")?;
    let mut marker = Marker::None;
    if names.starts_with('@') {
        marker = match names {
            "@revoked" => Marker::Revoked,
            "@cert-authority" => Marker::CertAuthority,
            _ => return Err("the marker is not one of @revoked and @cert-authority"),
        };
        names = fields.next().ok_or("no host name stands behind the marker")?;
    }
    let key_type = fields.next().ok_or("no key type stands behind the host names")?;
    let key_text = fields.next().ok_or("no key stands behind the key type")?;
    let key = BASE64.decode(key_text).map_err(|_| "the key is not valid base64")?;
    if wire_key_type(&key) != Some(key_type.as_bytes()) {
        return Err("the key is not of the type the line names");
    }
    Ok(Some((marker, parse_names(names)?, key_type.to_owned(), key)))
}

fn parse_names(field: &str) -> Result<Names, &'static str> {
    if let Some(rest) = field.strip_prefix('|') {
        let rest = rest.strip_prefix("1|").ok_or("the hashed name is of an unknown kind")?;
        let (salt, digest) = rest.split_once('|').ok_or("the hashed name has no digest")?;
        return Ok(Names::Hashed {
            salt: BASE64.decode(salt).map_err(|_| "the salt of the hashed name is not valid base64")?,
            digest: BASE64.decode(digest).map_err(|_| "the hashed name is not valid base64")?,
        });
    }
    let patterns = field.split(',').filter(|text| !text.is_empty()).map(|text| {
        let (negated, text) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
        Pattern { negated, text: text.to_ascii_lowercase() }
    });
    Ok(Names::Patterns(patterns.collect()))
}

/// The type a key in wire format names itself: a length in four bytes, then the text (RFC 4253 §6.6).
fn wire_key_type(key: &[u8]) -> Option<&[u8]> {
    let (length, rest) = key.split_first_chunk::<4>()?;
    rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// `SHA256:` and the unpadded base64 digest of a key in wire format.
#[must_use]
pub fn fingerprint(key: &[u8]) -> String {
    format!("SHA256:{}", base64::engine::general_purpose::STANDARD_NO_PAD.encode(Sha256::digest(key)))
}

/// The line that records a key for a host.
#[must_use]
pub fn line_for(host: &str, port: u16, key_type: &str, key: &[u8]) -> String {
    format!("{} {key_type} {}", with_port(&host.to_ascii_lowercase(), port), BASE64.encode(key))
}

/// Appends a line made by [`line_for`] to a file, creating it (and its directory) for the owner only.
/// Does nothing when the same line is there already. Called only for a key that a person has agreed to.
///
/// # Errors
/// Names the file that could not be read or written.
pub fn remember(path: &Path, line: &str) -> Result<(), KnownHostsError> {
    use std::io::Write;
    let existing = read_file(path)?.unwrap_or_default();
    if existing.split(|byte| *byte == b'\n').any(|present| present == line.as_bytes()) {
        return Ok(());
    }
    let unwritable = |source| KnownHostsError::Unwritable { path: path.to_owned(), source };
    let mut file = open_for_appending(path).map_err(unwritable)?;
    let separator = if existing.is_empty() || existing.ends_with(b"\n") { "" } else { "\n" };
    // One write in append mode: two connections that record at once cannot interleave.
    file.write_all(format!("{separator}{line}\n").as_bytes()).map_err(unwritable)?;
    file.sync_all().map_err(unwritable)
}

fn open_for_appending(path: &Path) -> std::io::Result<File> {
    let mut directory = std::fs::DirBuilder::new();
    let mut file = File::options();
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        directory.mode(0o700);
        file.mode(0o600);
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        directory.recursive(true).create(parent)?;
    }
    file.append(true).create(true).open(path)
}

/// The content of a file, or `None` when there is no such file.
fn read_file(path: &Path) -> Result<Option<Vec<u8>>, KnownHostsError> {
    let unreadable = |source| KnownHostsError::Unreadable { path: path.to_owned(), source };
    // Looked at before opening: opening a named pipe would wait for its writer.
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    if !metadata.is_file() {
        return Err(KnownHostsError::NotAFile { path: path.to_owned() });
    }
    let mut content = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(FILE_LIMIT_BYTES + 1).read_to_end(&mut content).map_err(unreadable)?;
    if content.len() as u64 > FILE_LIMIT_BYTES {
        return Err(KnownHostsError::TooLarge { path: path.to_owned(), limit_bytes: FILE_LIMIT_BYTES });
    }
    Ok(Some(content))
}

impl From<&Entry> for RecordedKey {
    fn from(entry: &Entry) -> Self {
        Self {
            location: entry.location.clone(),
            key_type: entry.key_type.clone(),
            fingerprint: fingerprint(&entry.key),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.file.display(), self.line)
    }
}

impl fmt::Display for RecordedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} ({})", self.key_type, self.fingerprint, self.location)
    }
}

impl fmt::Display for SkippedLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} was skipped: {}", self.location, self.reason)
    }
}

#[cfg(test)]
#[path = "known_hosts_tests.rs"]
mod tests;
