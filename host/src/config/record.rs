//! `[transcript]` and `[redaction]`: how the record is kept, for how long, and what never goes into it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::file::SecretFile;
use super::resolve::secret_source;
use super::{ConfigError, SecretSource};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// A week: what is looked at often is still plain.
const DEFAULT_COMPRESS_AFTER_DAYS: u32 = 7;

/// How transcripts are written and kept.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TranscriptFile {
    /// `none` leaves it to the system when lines reach the disk; with `data` they are there before anything is
    /// answered.
    pub(super) sync: Option<Sync>,
    /// What happens where a line cannot be written: `stop` types nothing more, `warn` goes on. Left out, `stop`
    /// for profiles with `audited = true`, `warn` for all others.
    pub(super) on_write_failure: Option<OnWriteFailure>,
    /// File with the key of the chain, which nobody else may read; left out, the chain is unkeyed.
    pub(super) key_file: Option<PathBuf>,
    /// Output of one command that is recorded at most, in MiB; what is left out is stated. 0 records all.
    pub(super) output_limit_mib: Option<u32>,
    /// What `ssh_transcript` may read: the sessions of its own `instance`, or those of `all` instances.
    pub(super) search_scope: Option<SearchScope>,
    #[serde(default)]
    pub(super) keep: KeepFile,
}

/// How long closed transcripts are kept; 0 sets no limit.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeepFile {
    /// Days since the last line.
    pub(super) days: Option<u32>,
    /// How many.
    pub(super) count: Option<u32>,
    /// All of them together, in MiB.
    pub(super) total_mib: Option<u32>,
    /// Days after which one is compressed (default 7); 0 compresses none.
    pub(super) compress_after_days: Option<u32>,
}

/// What is left out of everything that goes to disk.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RedactionFile {
    /// Where values lie that never may be written, beside those the profiles name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) secrets: Vec<SecretFile>,
    /// Further rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) rules: Vec<RedactionRule>,
    /// Names of built-in rules that do not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) off: Vec<String>,
}

/// What gives a secret away.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedactionRule {
    /// Stands in the marker.
    pub id: String,
    /// A regular expression on bytes, which never goes over a line's end; its group `secret`, or all of it, is
    /// replaced.
    pub pattern: String,
    /// Values that are none, matched against the whole of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub except: Option<String>,
    /// Only a value with a digit counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub digit: bool,
    /// The pattern begins a block, which ends where this matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<String>,
}

/// When a line is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sync {
    /// When the system writes it: a killed program loses nothing, a machine without power may.
    #[default]
    None,
    /// Before anything that depends on it is answered.
    Data,
}

/// What happens where a line cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnWriteFailure {
    /// Nothing more is typed until lines can be written again.
    Stop,
    /// Everything goes on, loudly.
    Warn,
}

/// Whose sessions an MCP client may read in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SearchScope {
    #[default]
    Instance,
    All,
}

/// How transcripts are written and kept.
#[derive(Debug, Clone, Default)]
pub struct TranscriptConfig {
    pub sync: Sync,
    /// None: by the profile.
    pub on_write_failure: Option<OnWriteFailure>,
    pub key_file: Option<PathBuf>,
    /// Of one command's output.
    pub output_limit_bytes: Option<u64>,
    pub search_scope: SearchScope,
    pub keep: Keep,
}

/// Limits of what is kept of closed transcripts; none where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keep {
    pub age: Option<Duration>,
    pub count: Option<usize>,
    pub total_bytes: Option<u64>,
    pub compress_after: Option<Duration>,
}

/// What is left out of everything that goes to disk.
#[derive(Debug, Clone, Default)]
pub struct RedactionConfig {
    pub secrets: Vec<SecretSource>,
    pub rules: Vec<RedactionRule>,
    pub off: Vec<String>,
}

impl TranscriptFile {
    pub(super) fn resolve(self) -> TranscriptConfig {
        let mib = |limit: Option<u32>| limit.filter(|mib| *mib > 0).map(|mib| u64::from(mib) << 20);
        let days = |limit: Option<u32>| limit.filter(|days| *days > 0).map(|days| DAY * days);
        TranscriptConfig {
            sync: self.sync.unwrap_or_default(),
            on_write_failure: self.on_write_failure,
            key_file: self.key_file,
            output_limit_bytes: mib(self.output_limit_mib),
            search_scope: self.search_scope.unwrap_or_default(),
            keep: Keep {
                age: days(self.keep.days),
                count: self.keep.count.filter(|count| *count > 0).map(|count| count as usize),
                total_bytes: mib(self.keep.total_mib),
                compress_after: days(self.keep.compress_after_days.or(Some(DEFAULT_COMPRESS_AFTER_DAYS))),
            },
        }
    }
}

impl RedactionFile {
    pub(super) fn resolve(self, main: &Path) -> Result<RedactionConfig, ConfigError> {
        let refused = |key: &str, problem: String| ConfigError::Value {
            path: main.to_owned(),
            key: format!("redaction.{key}"),
            problem,
        };
        for rule in &self.rules {
            rule.check().map_err(|problem| refused("rules", format!("`{}`: {problem}", rule.id)))?;
        }
        let mut secrets = Vec::new();
        for SecretFile { env, file } in self.secrets {
            let source = secret_source(env, file).map_err(|problem| refused("secrets", problem.to_owned()))?;
            secrets
                .push(source.ok_or_else(|| {
                    refused("secrets", "an entry names `env` or `file`, and this one neither".into())
                })?);
        }
        Ok(RedactionConfig { secrets, rules: self.rules, off: self.off })
    }
}

impl RedactionRule {
    fn check(&self) -> Result<(), String> {
        let is_word = |id: &str| !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !is_word(&self.id) {
            return Err("an `id` is of letters, digits and hyphens".to_owned());
        }
        for pattern in [Some(&self.pattern), self.except.as_ref(), self.ends.as_ref()].into_iter().flatten() {
            let compiled = regex::bytes::RegexBuilder::new(pattern).unicode(false).build();
            let compiled = compiled.map_err(|error| format!("`{pattern}` is no pattern: {error}"))?;
            if compiled.is_match(b"") && Some(pattern) != self.except.as_ref() {
                return Err(format!("`{pattern}` matches nothing at all, and so everywhere"));
            }
        }
        Ok(())
    }
}
