//! A profile: everything needed to reach one host, as used by the program.
//!
//! Secrets are named here, never held: [`SecretSource`] says where one lies and reads it at the moment
//! of use. Nothing in this file opens a connection.

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use portcullis_term::Encoding;
use zeroize::Zeroizing;

use super::TranscriptMode;

/// The shell where none is named (POSIX).
const FALLBACK_SHELL: &str = "/bin/sh";

/// How one host is reached and with which terminal.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The name by which tools and people choose this profile.
    pub name: String,
    /// A line for people.
    pub label: String,
    pub tags: Vec<String>,
    /// Host name or address, without port and without brackets.
    pub host: String,
    pub port: u16,
    pub user: String,
    /// Set where the shell is one of this machine; nothing of what follows about connecting applies then.
    pub local: Option<LocalShell>,
    /// The hosts this one is reached through, the first one first; each with its own login, known hosts and
    /// limits. What they are reached through themselves is in this list already.
    pub hops: Vec<Arc<Profile>>,
    /// A shell's command line whose standard input and output are the connection, where no hop is.
    pub proxy_command: Option<String>,
    /// Tried in this order.
    pub auth: Vec<AuthMethod>,
    /// Files of recorded host keys, all of them consulted.
    pub known_hosts: Vec<PathBuf>,
    /// The name under which the host's key is recorded, where that is not the host's own.
    pub host_key_alias: Option<String>,
    /// Offers old algorithms too, after all others: key exchange and RSA signatures with SHA-1, AES in CBC mode,
    /// HMAC-SHA1. For switches and servers from before 2013; a host that has better ones uses those.
    pub legacy_algorithms: bool,
    /// Limit for each single step of connecting, not for their sum.
    pub connect_timeout: Duration,
    /// Silence after which the server is asked for a sign of life; zero switches that off.
    pub keepalive: Duration,
    /// Signs of life that may fail to come before the connection counts as dead; at least 1.
    pub keepalive_max: u32,
    /// A session in which nobody has typed and nothing was printed for this long is closed; zero
    /// keeps it open.
    pub idle_close: Duration,
    /// What the first thing met there, a menu or a shell, writes.
    pub encoding: Encoding,
    pub terminal: TerminalSize,
    pub enter: EnterKey,
    /// Variables for the shell's environment; a server takes of them what its configuration allows.
    pub set_env: BTreeMap<String, String>,
    /// What the sessions' transcripts hold.
    pub transcript: TranscriptMode,
    /// Nothing is typed there that cannot be recorded.
    pub audited: bool,
}

/// A shell of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalShell {
    /// The program and its arguments; empty for the user's login shell.
    pub command: Vec<String>,
    /// Where it starts; the user's home without one.
    pub directory: Option<PathBuf>,
}

/// The user's shell, as `ssh` finds it (ssh_config(5), ProxyCommand).
#[must_use]
pub fn login_shell() -> String {
    std::env::var("SHELL").ok().filter(|shell| shell.starts_with('/')).unwrap_or_else(|| FALLBACK_SHELL.to_owned())
}

/// One way to prove who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthMethod {
    Password(SecretSource),
    KeyFile {
        path: PathBuf,
        passphrase: Option<SecretSource>,
        /// The key's OpenSSH certificate; without a name the file `KEY-cert.pub` is taken if it is there.
        certificate: Option<PathBuf>,
    },
    /// Answers to what a server asks, in as many rounds as it likes.
    KeyboardInteractive(Vec<QuestionAnswer>),
    /// Keys an ssh-agent holds.
    Agent {
        /// The agent's socket. A socket that is named is the only one asked; without one the agent is
        /// looked for where agents usually listen.
        socket: Option<PathBuf>,
        /// Public key files; when given, only these keys are used, in this order.
        only: Vec<PathBuf>,
    },
    /// A person in the viewer: the password, or answers to the server's questions.
    Ask,
}

/// The answer to one question a server may ask while somebody logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionAnswer {
    /// Part of the question, or the whole of it with `*` for what may differ; case does not matter.
    pub prompt: String,
    pub answer: SecretSource,
}

/// What the Enter key sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EnterKey {
    /// What a terminal sends.
    #[default]
    Cr,
    Lf,
    CrLf,
}

impl EnterKey {
    pub fn bytes(self) -> &'static [u8] {
        match self {
            Self::Cr => b"\r",
            Self::Lf => b"\n",
            Self::CrLf => b"\r\n",
        }
    }

    /// By the names that `ssh-mcp` knows.
    ///
    /// # Errors
    /// Says which names there are.
    pub fn from_name(name: &str) -> Result<Self, String> {
        match name.to_ascii_lowercase().as_str() {
            "lf" | "\n" | "newline" | "linefeed" => Ok(Self::Lf),
            "cr" | "\r" | "return" | "carriage_return" | "carriage-return" => Ok(Self::Cr),
            "crlf" | "\r\n" => Ok(Self::CrLf),
            other => Err(format!("`enter_sequence` is {other:?}; it is cr, lf or crlf")),
        }
    }
}

/// Size of a terminal in character cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalSize {
    pub columns: u16,
    pub rows: u16,
}

/// Limits of what a terminal may be; far outside of what any program expects.
const SIZES: std::ops::RangeInclusive<u16> = 2..=1000;

impl TerminalSize {
    /// Where nobody says another.
    pub const USUAL: Self = Self { columns: 160, rows: 40 };

    /// A size within what programs cope with.
    ///
    /// # Errors
    /// Says what the limits are.
    pub fn new(columns: u16, rows: u16) -> Result<Self, String> {
        if SIZES.contains(&columns) && SIZES.contains(&rows) {
            return Ok(Self { columns, rows });
        }
        Err(format!("`columns` and `rows` go from {} to {}", SIZES.start(), SIZES.end()))
    }
}

/// Where a secret lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// The name of an environment variable of this process.
    Environment(String),
    /// A file that nobody but its owner may read.
    File(PathBuf),
}

/// A secret value. It has no way to be printed by accident and is wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    #[error("environment variable {name} is not set; set it for the process that starts portcullis")]
    EnvironmentUnset { name: String },
    #[error("environment variable {name} is not valid UTF-8; set it to plain text")]
    EnvironmentNotText { name: String },
    #[error("secret file {} cannot be read", .path.display())]
    FileUnreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} is not a regular file; name the file that holds the secret", .path.display())]
    NotAFile { path: PathBuf },
    #[error("secret file {} may be read by other users (mode {mode:04o}); run: chmod 600 {}", .path.display(), .path.display())]
    PermissionsTooOpen { path: PathBuf, mode: u32 },
    #[error("secret file {} is larger than {limit_bytes} bytes; it should hold the secret and nothing else", .path.display())]
    TooLarge { path: PathBuf, limit_bytes: u64 },
    #[error("secret file {} is not valid UTF-8; store the secret as plain text", .path.display())]
    FileNotText { path: PathBuf },
    #[error("{source_name} is empty; store the secret there")]
    Empty { source_name: String },
}

/// Far above any password or passphrase; a larger file is a mistake.
const SECRET_FILE_LIMIT_BYTES: u64 = 64 * 1024;

impl SecretSource {
    /// Reads the secret now. One line ending at the end is not part of it.
    ///
    /// # Errors
    /// Says which variable or file is at fault and how to mend it; never contains the value.
    pub fn read(&self) -> Result<Secret, SecretError> {
        let text = match self {
            Self::Environment(name) => read_environment(name)?,
            Self::File(path) => read_private_file(path)?,
        };
        let value = text.strip_suffix('\n').unwrap_or(&text);
        let value = value.strip_suffix('\r').unwrap_or(value);
        if value.is_empty() {
            return Err(SecretError::Empty { source_name: self.to_string() });
        }
        Ok(Secret(Zeroizing::new(value.to_owned())))
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(formatter, "environment variable {name}"),
            Self::File(path) => write!(formatter, "file {}", path.display()),
        }
    }
}

impl Secret {
    /// A value that came from elsewhere than a [`SecretSource`]: a person typed it.
    #[must_use]
    pub fn new(value: Zeroizing<String>) -> Self {
        Self(value)
    }

    /// The value itself, for the one call that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(hidden)")
    }
}

fn read_environment(name: &str) -> Result<Zeroizing<String>, SecretError> {
    match std::env::var(name) {
        Ok(value) => Ok(Zeroizing::new(value)),
        Err(std::env::VarError::NotPresent) => Err(SecretError::EnvironmentUnset { name: name.to_owned() }),
        Err(std::env::VarError::NotUnicode(_)) => Err(SecretError::EnvironmentNotText { name: name.to_owned() }),
    }
}

fn read_private_file(path: &Path) -> Result<Zeroizing<String>, SecretError> {
    let unreadable = |source| SecretError::FileUnreadable { path: path.to_owned(), source };
    // Looked at before opening: opening a named pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(SecretError::NotAFile { path: path.to_owned() });
    }
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    refuse_open_permissions(path, &metadata)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(SECRET_FILE_LIMIT_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > SECRET_FILE_LIMIT_BYTES {
        return Err(SecretError::TooLarge { path: path.to_owned(), limit_bytes: SECRET_FILE_LIMIT_BYTES });
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| SecretError::FileNotText { path: path.to_owned() })?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(unix)]
fn refuse_open_permissions(path: &Path, metadata: &std::fs::Metadata) -> Result<(), SecretError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SecretError::PermissionsTooOpen { path: path.to_owned(), mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_open_permissions(_path: &Path, _metadata: &std::fs::Metadata) -> Result<(), SecretError> {
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed step is a failed test")]
mod tests {
    use super::*;

    #[cfg(unix)]
    fn file_with(content: &[u8], mode: u32) -> tempfile::NamedTempFile {
        use std::{io::Write, os::unix::fs::PermissionsExt};
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn an_unset_variable_is_named() {
        let error = SecretSource::Environment("PORTCULLIS_TEST_UNSET".into()).read().unwrap_err();
        assert!(matches!(&error, SecretError::EnvironmentUnset { name } if name == "PORTCULLIS_TEST_UNSET"));
    }

    #[cfg(unix)]
    #[test]
    fn a_private_file_loses_one_line_ending_only() {
        let file = file_with(b" two words \n\r\n", 0o600);
        let secret = SecretSource::File(file.path().into()).read().unwrap();
        assert_eq!(secret.expose(), " two words \n");
        assert!(!format!("{secret:?}").contains("two"));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_others_can_read_is_refused_with_the_command_that_mends_it() {
        let file = file_with(b"x", 0o640);
        let error = SecretSource::File(file.path().into()).read().unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn missing_empty_huge_and_binary_files_are_told_apart() {
        let missing = SecretSource::File("/nonexistent/secret".into()).read().unwrap_err();
        assert!(matches!(missing, SecretError::FileUnreadable { .. }));
        let directory = SecretSource::File(std::env::temp_dir()).read().unwrap_err();
        assert!(matches!(directory, SecretError::NotAFile { .. }));
        let empty = file_with(b"\n", 0o600);
        assert!(matches!(SecretSource::File(empty.path().into()).read(), Err(SecretError::Empty { .. })));
        let huge = file_with(&vec![b'a'; 70_000], 0o600);
        assert!(matches!(SecretSource::File(huge.path().into()).read(), Err(SecretError::TooLarge { .. })));
        let binary = file_with(&[0xff, 0xfe], 0o600);
        assert!(matches!(SecretSource::File(binary.path().into()).read(), Err(SecretError::FileNotText { .. })));
    }
}
