//! Secrets whose value is known: configured ones, those the host or a person has typed.

use aho_corasick::{AhoCorasick, MatchKind};
use zeroize::Zeroizing;

use super::{Digest, Marker, MarkerKey};

/// A shorter one stands in ordinary text as well.
const MIN_LENGTH: usize = 4;
/// A longer one is found by its beginning.
const MAX_LENGTH: usize = 512;
/// More are none that a person or a configuration has.
const MOST: usize = 512;

/// The known secrets of a session.
#[derive(Debug, Clone)]
pub(super) struct Known {
    key: MarkerKey,
    forms: Vec<Zeroizing<Vec<u8>>>,
    search: Option<AhoCorasick>,
}

impl Known {
    pub(super) fn new(key: MarkerKey) -> Self {
        Self { key, forms: Vec::new(), search: None }
    }

    /// Adds a secret with the forms in which programs show it.
    pub(super) fn add(&mut self, secret: &str) {
        for line in secret.lines().filter(|line| line.len() >= MIN_LENGTH) {
            for form in forms(line) {
                let mut form = form.into_bytes();
                form.truncate(MAX_LENGTH);
                if self.forms.len() < MOST && !self.forms.iter().any(|known| **known == form) {
                    self.forms.push(Zeroizing::new(form));
                }
            }
        }
        let build =
            AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(self.forms.iter().map(|f| &**f));
        match build {
            Ok(search) => self.search = Some(search),
            Err(error) => tracing::error!(%error, "a secret cannot be looked for in the record"),
        }
    }

    /// The first known secret from `from` on.
    pub(super) fn find(&self, text: &[u8], from: usize) -> Option<(usize, usize)> {
        let search = self.search.as_ref()?;
        let found = search.find(aho_corasick::Input::new(text).range(from.min(text.len())..))?;
        Some((found.start(), found.end()))
    }

    /// How many bytes at the end of `text` may be the beginning of a known secret.
    pub(super) fn under_way(&self, text: &[u8]) -> Option<usize> {
        let longest = |form: &[u8]| {
            let most = (form.len() - 1).min(text.len());
            let tail = &text[text.len() - most..];
            (0..most).find(|start| form.starts_with(&tail[*start..])).map(|start| most - start)
        };
        self.forms.iter().filter_map(|form| longest(form)).max()
    }

    pub(super) fn marker<'a>(&'a self, rule: &'a str) -> Marker<'a> {
        Marker { rule, key: &self.key }
    }

    pub(super) fn digest(&self) -> Digest {
        self.key.digest()
    }
}

/// The secret as it is, and as it stands in a URL and in a JSON string.
fn forms(secret: &str) -> Vec<String> {
    let mut all = vec![secret.to_owned()];
    let mut encoded = String::new();
    for byte in secret.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    let json = serde_json::Value::from(secret).to_string();
    for form in [encoded, json[1..json.len() - 1].to_owned()] {
        if !all.contains(&form) {
            all.push(form);
        }
    }
    all
}
