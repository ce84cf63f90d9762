//! How the operator's commands answer. What comes from hosts and clients is shown, never acted on by the terminal.
#![allow(clippy::print_stdout, reason = "the answer goes to standard output")]

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::super::approvals::visible;
use super::reach::Session;
use crate::audit::instances::Found;
use crate::operator::protocol::Status;

pub(super) fn line(text: &str) {
    println!("{}", visible_line(text));
}

/// # Errors
/// When the value cannot be written.
pub(super) fn json(value: &Value) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

pub(super) fn status(hosts: &[Status], silent: &[(&Found, String)], ended: usize) {
    for host in hosts {
        let label = host.label.as_ref().map_or(String::new(), |label| format!(" \"{label}\""));
        let clients = if host.clients.is_empty() { "no client".to_owned() } else { host.clients.join(", ") };
        line(&format!(
            "host {}{label} · {clients} · pid {} · up {} · version {}",
            host.instance_id,
            host.process_id,
            age(host.started_unix_ms),
            host.program_version
        ));
        line(&format!("  sessions: {} open, {} closed", host.open_sessions, host.closed_sessions));
        match &host.viewer {
            Some(viewer) => line(&format!("  viewer: {viewer} (its link: portcullis viewer)")),
            None => line("  viewer: off"),
        }
        if host.questions + host.approvals > 0 {
            line(&format!("  waits for you: {} questions, {} approvals", host.questions, host.approvals));
        }
        if !host.failing_plugins.is_empty() {
            line(&format!("  plugins with failures: {}", host.failing_plugins.join(", ")));
        }
    }
    for (_, why) in silent {
        line(why);
    }
    if hosts.is_empty() && silent.is_empty() {
        line("no host runs");
    }
    if ended > 0 {
        line(&format!("{ended} ended instances have a folder; `portcullis cleanup` removes what is of no use"));
    }
}

pub(super) fn sessions(sessions: &[Session]) {
    if sessions.is_empty() {
        line("no session is open");
        return;
    }
    let head = ["INSTANCE/SESSION", "NAME", "AT", "STATE", "IDLE", "COMMAND"].map(str::to_owned).to_vec();
    let rows = sessions.iter().map(|session| {
        let crumbs = session.value("breadcrumb").as_array().cloned().unwrap_or_default();
        let crumbs: Vec<&str> = crumbs.iter().filter_map(Value::as_str).collect();
        let place = if crumbs.is_empty() { session.text("host").to_owned() } else { crumbs.join(" › ") };
        vec![
            format!("{}/{}", session.instance_id, session.id()),
            session.text("name").to_owned(),
            place,
            session.text("state").to_owned(),
            format!("{} s", session.value("idle_s").as_u64().unwrap_or_default()),
            session.text("running_command").to_owned(),
        ]
    });
    table(std::iter::once(head).chain(rows).collect());
}

pub(super) fn devices(devices: &[Value], default: Option<&str>) {
    if devices.is_empty() {
        line("there are no profiles; write a `Host` into ~/.ssh/config, or run `portcullis config profile set`");
        return;
    }
    let head = ["PROFILE", "STATE", "ADDRESS", "LABEL", "POLICY", "SESSIONS"].map(str::to_owned).to_vec();
    let rows = devices.iter().map(|device| {
        let text = |name: &str| device[name].as_str().unwrap_or_default().to_owned();
        let sessions = device["sessions"].as_array().into_iter().flatten();
        let sessions: Vec<String> = sessions
            .filter_map(|it| Some(format!("{}/{}", it["instance_id"].as_str()?, it["session_id"].as_str()?)))
            .collect();
        let mark = if default == device["profile"].as_str() { " (default)" } else { "" };
        let last = if text("problem").is_empty() { sessions.join(", ") } else { text("problem") };
        vec![text("profile") + mark, text("state"), text("address"), text("label"), text("policy_mode"), last]
    });
    table(std::iter::once(head).chain(rows).collect());
}

/// Columns as wide as their widest cell; the last is as long as it is.
fn table(rows: Vec<Vec<String>>) {
    let rows: Vec<Vec<String>> = rows.into_iter().map(|row| row.iter().map(|cell| visible(cell)).collect()).collect();
    let widths: Vec<usize> = (0..rows.first().map_or(0, Vec::len))
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        println!("{}", cells.join("  ").trim_end());
    }
}

fn visible_line(text: &str) -> String {
    // A blank of ours is a blank.
    text.split(' ').map(visible).collect::<Vec<_>>().join(" ")
}

/// How long ago that was, for people.
fn age(unix_ms: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let seconds = now.saturating_sub(unix_ms / 1000);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
