//! What is known of this host and of a profile, for those who look before they connect.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::OpError;
use super::open::find_destination;
use crate::config::{AuthMethod, Destination, SecretSource};
use crate::diagnose::{self, Depth, Finding};
use crate::host::Host;

/// The running host, and where its files lie.
#[derive(Debug)]
pub struct InstanceReport {
    pub instance_id: String,
    pub process_id: u32,
    pub working_folder: PathBuf,
    pub started_unix_ms: u64,
    /// What the operator calls it.
    pub label: Option<String>,
    pub state_folder: PathBuf,
    pub instance_folder: PathBuf,
    pub log_file: PathBuf,
    pub transcripts_folder: PathBuf,
    /// The viewer's address, without the token that logs a browser in.
    pub viewer: Option<String>,
    /// Where the profiles are written.
    pub configuration: String,
}

/// What is known of this host.
pub fn instance(host: &Host) -> InstanceReport {
    let (instance, config) = (host.instance(), host.config());
    let announced = instance.announced();
    InstanceReport {
        instance_id: instance.id.clone(),
        process_id: announced.process_id,
        working_folder: std::env::current_dir().unwrap_or_default(),
        started_unix_ms: announced.started_unix_ms,
        label: announced.label,
        state_folder: config.state_directory.clone(),
        instance_folder: instance.path.clone(),
        log_file: instance.log_file(),
        transcripts_folder: instance.transcripts_folder(),
        viewer: host.desk().viewer(),
        configuration: config.described_sources(),
    }
}

/// A profile, without a connection and without a secret.
#[derive(Debug)]
pub struct ProfileReport {
    pub profile: String,
    pub host: String,
    pub port: u16,
    pub user: String,
    /// The first key file of the login.
    pub key: Option<KeyFacts>,
    pub policy: PolicyFacts,
    /// What stands in the way, and what does not.
    pub findings: Vec<Finding>,
}

/// A key file as it can be told of without its passphrase.
#[derive(Debug)]
pub struct KeyFacts {
    pub path: PathBuf,
    pub exists: bool,
    /// Its first line, where that is the header of a private key.
    pub header: Option<String>,
    /// The variable that holds its passphrase.
    pub passphrase_variable: Option<String>,
    pub passphrase_variable_is_set: bool,
}

/// How lines are judged there, and what is kept of them.
#[derive(Debug)]
pub struct PolicyFacts {
    pub mode: &'static str,
    /// Policies that run after the standard one.
    pub policies: Vec<String>,
    /// Ids of the operator's own rules.
    pub rules: Vec<String>,
    pub transcript: &'static str,
    /// Of closed transcripts; none where there is no limit.
    pub retention_days: Option<u64>,
    pub most_transcripts: Option<usize>,
}

/// How lines are judged on a profile; none for one that is not there.
pub fn policy_facts(host: &Host, profile: &str) -> Option<PolicyFacts> {
    host.config().destinations.get(profile).map(|destination| facts(host, destination))
}

fn facts(host: &Host, destination: &Destination) -> PolicyFacts {
    let keep = &host.config().transcript.keep;
    PolicyFacts {
        mode: destination.policy_mode.as_str(),
        policies: destination.policies.clone(),
        rules: destination.rules.all.iter().map(|known| known.rule.id.clone()).collect(),
        transcript: destination.profile.transcript.as_str(),
        retention_days: keep.age.map(|age| age.as_secs() / 86_400),
        most_transcripts: keep.count,
    }
}

/// Looks at a profile without connecting.
///
/// # Errors
/// When there is no such profile, or it cannot be used.
pub async fn profile(host: &Host, name: &str) -> Result<ProfileReport, OpError> {
    let destination = find_destination(host, name)?;
    let policy = facts(host, &destination);
    let looked_at = Arc::clone(&destination);
    // Reads key files, away from the threads that serve sessions.
    let looking =
        tokio::task::spawn_blocking(move || (key_facts(&looked_at), diagnose::profile(&looked_at, Depth::Quick)));
    // It does not panic, so this is a runtime that is shutting down.
    let (key, findings) = looking.await.unwrap_or_default();
    let profile = &destination.profile;
    Ok(ProfileReport {
        profile: profile.name.clone(),
        host: profile.host.clone(),
        port: profile.port,
        user: profile.user.clone(),
        key,
        policy,
        findings,
    })
}

fn key_facts(destination: &Destination) -> Option<KeyFacts> {
    destination.profile.auth.iter().find_map(|method| match method {
        AuthMethod::KeyFile { path, passphrase, .. } => {
            let variable = match passphrase {
                Some(SecretSource::Environment(name)) => Some(name.clone()),
                Some(SecretSource::File(_)) | None => None,
            };
            Some(KeyFacts {
                path: path.clone(),
                exists: path.is_file(),
                header: header(path),
                passphrase_variable_is_set: variable.as_ref().is_some_and(|name| std::env::var_os(name).is_some()),
                passphrase_variable: variable,
            })
        }
        AuthMethod::Password(_) | AuthMethod::KeyboardInteractive(_) | AuthMethod::Agent { .. } | AuthMethod::Ask => {
            None
        }
    })
}

/// The line that says what kind of key it is; of any other file nothing is told.
fn header(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().next()?.trim();
    (line.starts_with("-----BEGIN ") && line.ends_with("PRIVATE KEY-----")).then(|| line.to_owned())
}
