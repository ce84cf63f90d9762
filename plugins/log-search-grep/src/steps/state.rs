//! Where a search stands: its files in the order of time, and how far each was read.

use std::collections::BTreeMap;

use portcullis_plugin::PluginError;
use portcullis_plugin::log_search::Query;
use serde::{Deserialize, Serialize};

use super::script::Toolbox;
use super::{Order, find, glob, scan};
use crate::plan;
use crate::settings::Settings;
use crate::sources;

/// Names told of each reason to skip a file.
const NAMES_TOLD: usize = 5;
const MAX_NOTES: usize = 12;
/// Reasons to skip a file that nobody would search.
const NO_LOGS: [&str; 6] = ["pipes", "sockets", "devices", "symbolic links", "no files", "binary"];

/// How a source is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Plain,
    Gz,
    Xz,
    Zst,
    Bz2,
    Journal,
    Kubectl,
    Docker,
}

impl Kind {
    /// By a file's name.
    pub(super) fn of(path: &str) -> Self {
        match path.rsplit_once('.').map(|(_, ending)| ending) {
            Some("gz" | "Z") => Self::Gz,
            Some("xz") => Self::Xz,
            Some("zst") => Self::Zst,
            Some("bz2") => Self::Bz2,
            _ => Self::Plain,
        }
    }

    /// The program that writes it decompressed.
    pub(super) fn decompressor(self) -> Option<&'static str> {
        match self {
            Self::Gz => Some("zcat"),
            Self::Xz => Some("xzcat"),
            Self::Zst => Some("zstdcat"),
            Self::Bz2 => Some("bzcat"),
            Self::Plain | Self::Journal | Self::Kubectl | Self::Docker => None,
        }
    }

    /// The program that prints a source that is no file.
    pub(super) fn printer(self) -> Option<&'static str> {
        match self {
            Self::Journal => Some("journalctl"),
            Self::Kubectl => Some("kubectl"),
            Self::Docker => Some("docker"),
            Self::Plain | Self::Gz | Self::Xz | Self::Zst | Self::Bz2 => None,
        }
    }
}

/// A file or another source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct File {
    pub(super) path: String,
    pub(super) size: u64,
    /// When it was last written. Seconds since 1970.
    pub(super) mtime: i64,
    /// Device and inode.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) inode: String,
    pub(super) kind: Kind,
    /// The part to read, in bytes; lines are counted from its beginning.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) from: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<u64>,
    /// The first line whose matches have not been given.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub(super) line: u64,
    /// Its beginning has been looked at.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) opened: bool,
    /// The first and the last time in it. Milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) first: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<i64>,
    /// Nothing is left to be found out by samples.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) sampled: bool,
}

fn one() -> u64 {
    1
}

fn is_one(value: &u64) -> bool {
    *value == 1
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

fn is_false(value: &bool) -> bool {
    !*value
}

impl File {
    pub(super) fn new(path: String, kind: Kind) -> Self {
        Self {
            path,
            size: 0,
            mtime: 0,
            inode: String::new(),
            kind,
            from: 0,
            to: None,
            line: 1,
            opened: false,
            first: None,
            last: None,
            sampled: false,
        }
    }

    /// Bytes of the part to read.
    pub(super) fn length(&self) -> u64 {
        self.to.unwrap_or(self.size).saturating_sub(self.from)
    }

    /// Nothing of it is left out and nothing of it was read.
    pub(super) fn is_whole(&self) -> bool {
        self.from == 0 && self.to.is_none() && self.line == 1
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Phase {
    Look,
    Find,
    Scan,
}

/// What one command is for; numbers are those of files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Doing {
    Look,
    /// Bytes of files, each from an offset: of a plain file `length` bytes there, of a compressed one its
    /// beginning and its end.
    Peek(Vec<(usize, u64)>),
    PeekInto(Vec<usize>),
    /// That many samples of each file: from an offset, at that distance.
    Sample(u64, Vec<(usize, u64, u64)>),
    Scan(Vec<usize>),
}

/// Everything that one step leaves to the next.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) phase: Phase,
    /// GNU's grep, which tells binary files and is fast.
    pub(super) gnu: bool,
    /// Folders and files to look into, and patterns of whole paths.
    pub(super) places: Vec<String>,
    pub(super) globs: Vec<String>,
    pub(super) default_sources: bool,
    pub(super) files: Vec<File>,
    /// The first file that is not done.
    pub(super) at: usize,
    pub(super) found: u32,
    pub(super) scanned_bytes: u64,
    /// Files that are not read, by the reason.
    pub(super) skipped: BTreeMap<String, (usize, Vec<String>)>,
    pub(super) notes: Vec<String>,
}

impl State {
    /// Before anything is known.
    ///
    /// # Errors
    /// When the query asks for what is not searched.
    pub(super) fn start(settings: &Settings, query: &Query) -> Result<Self, PluginError> {
        plan::check_limits(settings, query)?;
        let default_sources = query.sources.is_empty();
        let mut state = Self {
            phase: Phase::Look,
            gnu: false,
            places: Vec::new(),
            globs: Vec::new(),
            default_sources,
            files: Vec::new(),
            at: 0,
            found: 0,
            scanned_bytes: 0,
            skipped: BTreeMap::new(),
            notes: Vec::new(),
        };
        for source in if default_sources { &settings.sources } else { &query.sources } {
            state.add(source).map_err(PluginError::InvalidInput)?;
        }
        if state.places.is_empty() {
            state.phase = Phase::Scan;
        }
        Ok(state)
    }

    fn add(&mut self, source: &str) -> Result<(), String> {
        let stream = source.split_once(':').and_then(|(scheme, name)| match scheme {
            "journal" => Some((Kind::Journal, name)),
            "kubectl" => Some((Kind::Kubectl, name)),
            "docker" => Some((Kind::Docker, name)),
            _ => None,
        });
        if let Some((kind, name)) = stream {
            super::script::check_stream(kind, name)?;
            self.files.push(File::new(source.to_owned(), kind));
            return Ok(());
        }
        let source =
            if source.starts_with(['-', '(', ')', '!', ',']) { format!("./{source}") } else { source.to_owned() };
        let place = glob::folder(&source);
        sources::check(place)?;
        if place != source {
            self.globs.push(source.clone());
        }
        if !self.places.iter().any(|known| known == place) {
            self.places.push(place.to_owned());
        }
        Ok(())
    }

    /// What to do next, and the state as it is then.
    pub(super) fn next(&mut self, query: &Query, order: &Order, toolbox: &Toolbox) -> Doing {
        if self.phase == Phase::Look || (order.resumed && !self.places.is_empty()) {
            return Doing::Look;
        }
        if self.phase == Phase::Find {
            if let Some(doing) = find::next(self, query, order, toolbox) {
                return doing;
            }
            self.phase = Phase::Scan;
        }
        if order.discover {
            return Doing::Scan(Vec::new());
        }
        scan::next(self, query, order, toolbox)
    }

    /// A file is not read.
    pub(super) fn skip(&mut self, reason: &str, name: &str) {
        let (count, names) = self.skipped.entry(reason.to_owned()).or_default();
        *count += 1;
        if names.len() < NAMES_TOLD && !name.is_empty() {
            names.push(name.to_owned());
        }
    }

    pub(super) fn note(&mut self, note: String) {
        if self.notes.len() < MAX_NOTES && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// What was left out: as is to be expected, and what somebody may miss.
    pub(super) fn told(&self) -> (Vec<String>, Vec<String>) {
        let (mut skipped, mut notes) = (Vec::new(), self.notes.clone());
        for (reason, (count, names)) in &self.skipped {
            let more = if names.len() < *count && !names.is_empty() { ", …" } else { "" };
            let names = if names.is_empty() { String::new() } else { format!(": {}{more}", names.join(", ")) };
            let told = format!("skipped {count} ({reason}){names}");
            if NO_LOGS.contains(&reason.as_str()) { skipped.push(told) } else { notes.push(told) }
        }
        (skipped, notes)
    }
}
