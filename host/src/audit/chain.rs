//! The chain: every line carries a digest of itself and of the digest before it.
//!
//! A digest is SHA-256 over the previous digest (32 zero bytes before the first line) and the line's bytes up to
//! its own `,"chain":"`. With a key it is HMAC-SHA-256 of the same: only who has the key can write a line that
//! fits. Without one the chain shows accidents and careless edits; whoever rewrites the whole file can make a
//! new one.

use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use record_sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::config::{Secret, SecretError, SecretSource};

/// What stands before the digest at a line's end.
pub(super) const FIELD: &[u8] = b",\"chain\":\"";
/// The digest in hexadecimal, and what closes the line.
pub(super) const TAIL_BYTES: usize = FIELD.len() + 64 + 2;

/// The key of a chain, or that it has none.
#[derive(Clone, Default)]
pub struct ChainKey(Option<Hmac<Sha256>>);

/// Why the chain's key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the key of the record's chain in {} cannot be used; mend the file, or leave `key_file` out of [transcript]", path.display())]
pub struct KeyError {
    path: PathBuf,
    #[source]
    source: SecretError,
}

impl std::fmt::Debug for ChainKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ChainKey({})", if self.0.is_some() { "hidden" } else { "none" })
    }
}

impl ChainKey {
    /// Reads the key's file; without a file there is no key.
    ///
    /// # Errors
    /// When it cannot be read, is empty, or others may read it.
    pub fn read(file: Option<&Path>) -> Result<Self, KeyError> {
        let Some(path) = file else { return Ok(Self(None)) };
        let read = SecretSource::File(path.to_owned()).read();
        let secret: Secret = read.map_err(|source| KeyError { path: path.to_owned(), source })?;
        // A key of any length is made one of a block's.
        let key: Zeroizing<[u8; 32]> = Zeroizing::new(Sha256::digest(secret.expose().as_bytes()).into());
        let mut block = Zeroizing::new([0; 64]);
        block[..32].copy_from_slice(&*key);
        Ok(Self(Some(Hmac::new((&*block).into()))))
    }

    pub fn is_keyed(&self) -> bool {
        self.0.is_some()
    }
}

/// A chain up to some line.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    key: ChainKey,
    last: [u8; 32],
}

impl Chain {
    pub(super) fn new(key: ChainKey) -> Self {
        Self { key, last: [0; 32] }
    }

    /// The digest of a line's bytes; the chain stays where it is.
    pub(super) fn digest(&self, line: &[u8]) -> [u8; 32] {
        match &self.key.0 {
            None => Sha256::new().chain_update(self.last).chain_update(line).finalize().into(),
            Some(key) => key.clone().chain_update(self.last).chain_update(line).finalize().into_bytes().into(),
        }
    }

    /// The line is written.
    pub(super) fn advance(&mut self, digest: [u8; 32]) {
        self.last = digest;
    }
}

/// A line's bytes before its digest, and the digest. None where there is none.
pub(super) fn split(line: &[u8]) -> Option<(&[u8], [u8; 32])> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let at = line.len().checked_sub(TAIL_BYTES)?;
    let tail = line[at..].strip_prefix(FIELD)?.strip_suffix(b"\"}")?;
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(tail.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some((&line[..at], digest))
}

/// Appends the digest to a line that is open at its end.
pub(super) fn close(line: &mut Vec<u8>, digest: &[u8; 32]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    line.extend_from_slice(FIELD);
    for byte in digest {
        line.push(DIGITS[usize::from(byte >> 4)]);
        line.push(DIGITS[usize::from(byte & 15)]);
    }
    line.extend_from_slice(b"\"}\n");
}
