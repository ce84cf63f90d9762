//! Whether a transcript is as it was written.

use serde::Serialize;

use super::chain::{self, Chain, ChainKey};
use super::reader::{LineRead, read_line};
use super::store::{StoreError, Stored};

/// What verifying a transcript has shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Lines whose digest fits.
    pub lines: u64,
    /// The first line (counted from 1) that does not, and why.
    pub first_broken: Option<BrokenLine>,
    /// The last line has no end.
    pub torn_end: bool,
    /// Lines that were cut off by a full disk and are told of by the line behind them.
    pub torn_lines: u64,
    /// Lines the record says are missing.
    pub missing_lines: u64,
    /// The last line is the session's end.
    pub closed: bool,
    /// A host writes into it now.
    pub open: bool,
    /// The lines are chained with a key.
    pub keyed: bool,
    /// Written before lines were chained: nothing can be said of it.
    pub unchained: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokenLine {
    pub line: u64,
    pub why: String,
}

impl Verified {
    /// Nothing speaks against it. A torn end is what a killed host leaves.
    pub fn is_good(&self) -> bool {
        self.first_broken.is_none() && !self.unchained
    }
}

/// Checks every line of a transcript.
///
/// # Errors
/// When the file cannot be read.
pub fn verify(stored: &Stored, key: &ChainKey) -> Result<Verified, StoreError> {
    let mut check =
        Check { chain: Chain::new(ChainKey::default()), key, found: Verified::default(), at: 0, loose: None };
    check.found.open = stored.is_live();
    stored.lines(|line| check.line(line))?;
    // A host keeps a closed session's file for as long as the session can be read.
    check.found.open &= !check.found.closed;
    if let Some(loose) = check.loose.take() {
        check.broken(loose, "it is no line of a transcript");
    }
    Ok(check.found)
}

struct Check<'a> {
    chain: Chain,
    key: &'a ChainKey,
    found: Verified,
    /// Lines read.
    at: u64,
    /// A line that is none, until the one behind it explains it.
    loose: Option<u64>,
}

impl Check<'_> {
    /// Whether to go on.
    fn line(&mut self, line: &[u8]) -> bool {
        self.at += 1;
        let event = match read_line(line) {
            LineRead::Torn => {
                self.found.torn_end = true;
                return false;
            }
            LineRead::Broken if self.loose.is_none() => {
                self.loose = Some(self.at);
                return true;
            }
            LineRead::Broken => return false,
            LineRead::Event(event) => event,
        };
        let Some((bytes, digest)) = chain::split(line) else {
            return self.without_digest();
        };
        if self.found.lines == 0 {
            self.found.keyed = event.fields.get("keyed").and_then(serde_json::Value::as_bool).unwrap_or(false);
            if self.found.keyed && !self.key.is_keyed() {
                return self.broken(self.at, "it is chained with a key, and none is given: `key_file` of [transcript]");
            }
            // A file whose first line is lost says nothing of a key; the operator's configuration does.
            let keyed = self.found.keyed || (event.kind == "gap" && self.key.is_keyed());
            self.chain = Chain::new(if keyed { self.key.clone() } else { ChainKey::default() });
            if self.key.is_keyed() && !keyed {
                return self.broken(self.at, "it is chained without a key, and `key_file` of [transcript] names one");
            }
        }
        if let Some(loose) = self.loose.take() {
            if event.fields.get("torn_line") != Some(&true.into()) {
                return self.broken(loose, "it is no line of a transcript");
            }
            self.found.torn_lines += 1;
        }
        if self.chain.digest(bytes) != digest {
            return self.broken(self.at, "its digest does not follow from it and the line before it");
        }
        if event.number != self.found.lines {
            return self.broken(self.at, "its number is not the next one");
        }
        self.chain.advance(digest);
        self.found.lines += 1;
        self.found.closed = event.kind == "closed";
        self.found.missing_lines += if event.kind == "gap" { event.number_of("lines").unwrap_or(0) } else { 0 };
        true
    }

    fn without_digest(&mut self) -> bool {
        if self.found.lines == 0 {
            self.found.unchained = true;
            return false;
        }
        self.broken(self.at, "it has no digest")
    }

    fn broken(&mut self, line: u64, why: &str) -> bool {
        self.found.first_broken = Some(BrokenLine { line, why: why.to_owned() });
        false
    }
}
