//! The predecessor's objects: a session, a command, the input lock; and how its command ids are made of ours.

use portcullis_term::{Completion, Outcome};
use serde_json::{Value, json};

use super::Context;
use crate::clock;
use crate::ops::{self, SessionLine, exit_code};
use crate::session::{CommandRecord, HealthState, Party, SessionSummary};

/// The session info object, with its commands but without their output.
pub(super) fn session(context: &Context, line: &SessionLine) -> Value {
    let summary = &line.summary;
    let (instance, id) = (ops::instance(&context.host), summary.session_id.as_str());
    let (username, host, port) = address(&summary.host);
    let now = clock::unix_ms();
    let ago = |since_ms: u64| json!(clock::moment(now.saturating_sub(since_ms)));
    let policy = ops::policy_facts(&context.host, &summary.profile);
    let commands: Vec<Value> = line.jobs.iter().rev().map(|job| command(context, id, job)).collect();
    let active = line.jobs.iter().rev().find(|job| Some(job.started_unix_ms) == summary.running_since_unix_ms);
    json!({
        "session_id": id,
        "profile": summary.profile,
        "host": host,
        "port": port,
        "username": username,
        "owner_label": context.memory.owner_label(id),
        "server_instance_id": instance.instance_id,
        "viewer_url": instance.viewer.map(|viewer| viewer_url(&viewer, id)),
        "previous_session_id": summary.reopened_from,
        "previous_transcript_path": previous_transcript(context, summary),
        "created_at": clock::moment(summary.opened_unix_ms),
        "last_activity_at": ago(line.idle_s * 1000),
        "health_status": summary.health.state,
        "last_heartbeat_at": summary.health.last_reply_ms_ago.map(ago),
        "health_error": summary.health.reason.as_ref().filter(|_| summary.health.state != HealthState::Healthy),
        "closed": summary.closed_reason.is_some(),
        "read_error": summary.closed_reason,
        "transcript_path": line.transcript,
        "active_command_id": active.map(command_id),
        "commands": commands,
        "input_lock": input_lock(context, summary),
        "security": policy.map(|policy| json!({
            "mode": ops::policy_mode(&context.host, summary).as_str(),
            "redact_transcripts": true,
            "transcript_retention_days": policy.retention_days,
            "transcript_max_files": policy.most_transcripts,
        })),
        // Not the predecessor's: what the terminal does and where it is.
        "state": summary.state,
        "breadcrumb": summary.breadcrumb,
    })
}

/// The record of the session that this one goes on from, as long as that is kept.
fn previous_transcript(context: &Context, summary: &SessionSummary) -> Option<std::path::PathBuf> {
    let previous = ops::session(&context.host, summary.reopened_from.as_deref()?).ok()?;
    previous.transcript().map(std::path::Path::to_owned)
}

/// `user@host:port` in its parts; a shell of this machine has only a host.
fn address(told: &str) -> (Option<&str>, &str, Option<u16>) {
    let (user, rest) = told.rsplit_once('@').map_or((None, told), |(user, rest)| (Some(user), rest));
    let parts = rest.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = parts.map_or((rest, None), |(host, port)| (host, Some(port)));
    (user, host.trim_start_matches('[').trim_end_matches(']'), port)
}

/// The page of a session; without the token, which only `portcullis viewer` prints.
pub(super) fn viewer_url(viewer: &str, session_id: &str) -> String {
    format!("{viewer}s/{session_id}")
}

/// The input lock object. Only one agent and one person share a terminal, so these are the two actors.
pub(super) fn input_lock(context: &Context, summary: &SessionSummary) -> Value {
    let now = clock::unix_ms();
    // Nobody holds what is closed.
    let is_now = |until: Option<u64>| summary.closed_reason.is_none() && until.is_none_or(|until| until > now);
    let holder = summary.input.holder.filter(|holder| is_now(holder.until_unix_ms));
    let is_agent = holder.is_some_and(|holder| holder.who == Party::Agent);
    let acquired = context.memory.lease(&summary.session_id, is_agent);
    let until = holder.and_then(|holder| holder.until_unix_ms);
    #[allow(clippy::cast_precision_loss, reason = "a lease lasts an hour at most")]
    let left = until.map(|until| until.saturating_sub(now) as f64 / 1000.0);
    json!({
        "locked": holder.is_some(),
        "actor": holder.map(|holder| holder.who.as_str()),
        "acquired_at": acquired.filter(|_| is_agent).map(clock::moment),
        "expires_at": until.map(clock::moment),
        "expired": false,
        "ttl_remaining_seconds": left,
        "because": holder.map(|holder| holder.because.as_str()),
    })
}

/// `cmd-YYYYMMDD-HHMMSS-` and six hexadecimal digits: when it was started, in UTC, and its number in the session.
pub(super) fn command_id(job: &CommandRecord) -> String {
    let digits: String = clock::moment(job.started_unix_ms).chars().filter(char::is_ascii_digit).take(14).collect();
    let (day, time) = digits.split_at_checked(8).unwrap_or((&digits, ""));
    let number: u64 = job.command_id.trim_start_matches('c').parse().unwrap_or_default();
    format!("cmd-{day}-{time}-{number:06x}")
}

/// The command of this id; our own ids are understood too.
pub(super) fn find_command<'a>(line: &'a SessionLine, id: &str) -> Option<&'a CommandRecord> {
    line.jobs.iter().find(|job| job.command_id == id || command_id(job) == id)
}

/// The command object, without its output.
pub(super) fn command(context: &Context, session_id: &str, job: &CommandRecord) -> Value {
    let moments = context.memory.moments(session_id, &job.command_id);
    let status = status(job.completion.as_ref(), moments.cancel_requested.is_some() || !job.stops.is_empty());
    let is_over = !matches!(status, "running" | "cancel_requested");
    let ended = job.started_unix_ms + job.duration_ms;
    json!({
        "command_id": command_id(job),
        "command": job.text,
        "actor": job.typist,
        "status": status,
        "started_at": clock::moment(job.started_unix_ms),
        "updated_at": clock::moment(ended),
        "completed_at": is_over.then(|| clock::moment(ended)),
        "exit_code": job.completion.as_ref().and_then(exit_code),
        "timed_out": moments.timed_out.is_some(),
        "last_timeout_at": moments.timed_out.map(clock::moment),
        "cancel_requested_at": moments.cancel_requested.map(clock::moment),
        "matched": Value::Null,
        // How its end is seen is the host's matter.
        "marker": Value::Null,
        "error": job.completion.as_ref().and_then(error),
    })
}

/// The predecessor's word for how a command stands.
pub(super) fn status(completion: Option<&Completion>, cancel_requested: bool) -> &'static str {
    let Some(completion) = completion.filter(|known| !known.outcome.is_open()) else {
        return if cancel_requested { "cancel_requested" } else { "running" };
    };
    match (&completion.outcome, exit_code(completion)) {
        (Outcome::Disconnected { .. }, _) => "session_closed",
        (_, Some(code)) if cancel_requested && code != 0 => "cancelled",
        _ => "completed",
    }
}

/// Why nothing more is known of it.
fn error(completion: &Completion) -> Option<&str> {
    match &completion.outcome {
        Outcome::Disconnected { reason, .. } | Outcome::Unknown { reason } => Some(reason),
        _ => None,
    }
}
