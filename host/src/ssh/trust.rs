//! A host key nobody has recorded, put before a person.
//!
//! Only unknown keys come here. A changed or revoked one is never offered: whoever knows that the change is
//! right takes the old line out of the file first.

use std::path::PathBuf;

use super::{
    error::{ConnectError, Target},
    known_hosts::{self, KnownHosts, KnownHostsError, SkippedLine},
    person::{Asker, Wanted},
};
use crate::config::profile::Profile;

/// The key, as the error about it tells it.
pub(super) struct Unknown {
    pub(super) key_type: Box<str>,
    pub(super) fingerprint: String,
    pub(super) known_hosts_line: String,
    pub(super) skipped: Box<[SkippedLine]>,
}

/// The file in which the keys a person trusts are recorded: the profile's first, or the user's own. `None`
/// without a home directory.
#[must_use]
pub fn record_file(profile: &Profile) -> Option<PathBuf> {
    let first = profile.known_hosts.first().cloned();
    first.or_else(|| std::env::home_dir().map(|home| home.join(".ssh/known_hosts")))
}

/// Asks a person, records the key and answers what is recorded now.
pub(super) async fn ask(
    profile: &Profile,
    target: &Target,
    unknown: Unknown,
    asker: &Asker<'_>,
) -> Result<KnownHosts, ConnectError> {
    let Unknown { key_type, fingerprint, known_hosts_line, skipped } = unknown;
    let Some(file) = record_file(profile) else {
        let target = Box::new(target.clone());
        return Err(ConnectError::HostKeyUnknown { target, key_type, fingerprint, known_hosts_line, skipped });
    };
    let wanted = Wanted::HostKey {
        key_type: key_type.to_string(),
        fingerprint: fingerprint.clone(),
        file: file.clone(),
        skipped: skipped.iter().map(ToString::to_string).collect(),
    };
    asker.ask_to_trust(wanted).await.map_err(|why| ConnectError::NotAnswered {
        target: target.clone(),
        asked: format!("trust in its host key {key_type} {fingerprint}, which nobody has recorded,"),
        why,
        category: "host-key",
    })?;
    let mut files = profile.known_hosts.clone();
    if files.is_empty() {
        files.push(file.clone());
    }
    let recording = tokio::task::spawn_blocking(move || {
        known_hosts::remember(&file, &known_hosts_line)?;
        KnownHosts::load(&files)
    });
    let not_recorded = |source: KnownHostsError| ConnectError::HostKeyNotRecorded {
        target: target.clone(),
        fingerprint: fingerprint.clone(),
        source,
    };
    match recording.await {
        Ok(known) => known.map_err(not_recorded),
        // It does not panic, so this is a runtime that is shutting down.
        Err(_) => Ok(KnownHosts::default()),
    }
}
