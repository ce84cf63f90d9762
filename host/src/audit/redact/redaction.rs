//! The redaction of one process: its rules, the key of its markers, the secrets of its configuration.

use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::{MarkerKey, Redactor, RuleError, Rules};
use crate::config::{Config, RedactionRule, Secret};
use crate::random;

/// The key's file in the state folder.
const KEY_FILE: &str = "redaction.key";
const KEY_BYTES: usize = 32;

/// What every redactor of a process shares. The rules are compiled when the first one is made.
#[derive(Debug)]
pub struct Redaction {
    further: Vec<RedactionRule>,
    off: Vec<String>,
    secrets: Vec<Secret>,
    key: MarkerKey,
    rules: OnceLock<Arc<Rules>>,
}

impl Default for Redaction {
    /// Only what is built in, with a key that nobody has again.
    fn default() -> Self {
        Self::with_key(&fresh_key())
    }
}

impl Redaction {
    /// As the operator has it.
    pub fn of(config: &Config) -> Self {
        let key = shared_key(&config.state_directory).unwrap_or_else(|error| {
            // The record goes on; its markers are this process's own.
            tracing::warn!(%error, "the key of the markers cannot be kept in the state folder");
            fresh_key()
        });
        Self {
            further: config.redaction.rules.clone(),
            off: config.redaction.off.clone(),
            secrets: config.secrets(),
            ..Self::with_key(&key)
        }
    }

    fn with_key(key: &[u8; KEY_BYTES]) -> Self {
        let key = MarkerKey::new(key);
        Self { further: Vec::new(), off: Vec::new(), secrets: Vec::new(), key, rules: OnceLock::new() }
    }

    /// A redactor that knows the configuration's secrets.
    ///
    /// # Errors
    /// When a rule is none.
    pub fn redactor(&self) -> Result<Redactor, RuleError> {
        let rules = match self.rules.get() {
            Some(rules) => Arc::clone(rules),
            None => {
                let rules = Rules::new(&self.further, &self.off)?;
                Arc::clone(self.rules.get_or_init(|| rules))
            }
        };
        let mut redactor = Redactor::new(rules, self.key.clone());
        for secret in &self.secrets {
            redactor.learn(secret.expose());
        }
        Ok(redactor)
    }
}

/// Random bytes; a host that has none starts no session either, so a fixed key does no harm then.
fn fresh_key() -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    if let Ok(hex) = random::hex(KEY_BYTES) {
        let bytes = hex.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
        for (byte, pair) in key.iter_mut().zip(bytes) {
            *byte = u8::from_str_radix(pair, 16).unwrap_or_default();
        }
    }
    key
}

/// The state folder's key, made by whoever needs it first.
fn shared_key(state: &Path) -> std::io::Result<[u8; KEY_BYTES]> {
    let path = state.join(KEY_FILE);
    match read_key(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        read => return read,
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(state)?;
    let mut file = tempfile::Builder::new().prefix(".redaction").tempfile_in(state)?;
    file.write_all(&fresh_key())?;
    // Of two that make one at once the first one's counts.
    match file.persist_noclobber(&path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.error),
    }
    read_key(&path)
}

fn read_key(path: &Path) -> std::io::Result<[u8; KEY_BYTES]> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let mut file = std::fs::OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)?;
    let mut key = [0; KEY_BYTES];
    file.read_exact(&mut key)?;
    Ok(key)
}
