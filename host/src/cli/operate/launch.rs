//! `portcullis launch`: a host of a person's own, with a session on a profile, in the browser or in a terminal.
//!
//! The host has no MCP client; it ends with `portcullis kill`, or when all its sessions have been closed for a while.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, anyhow};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::super::attach;
use super::super::logging;
use super::super::serving::{self, Serving, Start};
use super::{OperateError, print, reach};
use crate::audit::instances::{self, Found};
use crate::config;
use crate::host::{Host, child_compiler};
use crate::operator::protocol::{Answer, Request};

/// The very first start compiles the plugins.
const START_PATIENCE: Duration = Duration::from_secs(120);
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// A host on which nothing has been open for this long has no more use.
const UNUSED_FOR: Duration = Duration::from_secs(600);

pub(super) struct Wanted {
    pub(super) profile: String,
    pub(super) route: Option<String>,
    pub(super) label: Option<String>,
    pub(super) attach: bool,
    pub(super) browser: bool,
    pub(super) json: bool,
}

pub(super) async fn run(path: Option<PathBuf>, wanted: Wanted) -> anyhow::Result<()> {
    let config = config::load(path.as_deref())?;
    // A mistake in a name costs no host.
    if !config.destinations.contains_key(&wanted.profile) {
        let known: Vec<&str> = config.destinations.keys().map(String::as_str).collect();
        let message = format!("there is no profile `{}`; there are: {}", wanted.profile, known.join(", "));
        return Err(OperateError::NoneSuch(message).into());
    }
    let options = attach::Options::new(&config, false, false, false, None)?;
    let found = start(path.as_deref(), wanted.label.as_deref(), &config.state_directory).await?;
    let session = match open(&found, &wanted).await {
        Ok(session) => session,
        Err(error) => {
            // Nobody else knows of this host.
            let _ = reach::done(&found, Request::Stop).await;
            return Err(error);
        }
    };
    if wanted.attach {
        return attach::run(&config.state_directory, Some(&format!("{}/{session}", found.id)), options).await;
    }
    show(&found, &session, &wanted)
}

/// Opens the session; where a person has to answer first, says so and waits.
async fn open(found: &Found, wanted: &Wanted) -> anyhow::Result<String> {
    let mut told = String::new();
    loop {
        let request = Request::Open { profile: wanted.profile.clone(), route: wanted.route.clone() };
        match reach::ask(found, request).await? {
            Answer::Opened { session_id } => return Ok(session_id),
            Answer::Awaiting { what } => {
                if what != told {
                    let link = link(found).unwrap_or_else(|| "the viewer".to_owned());
                    eprintln!("waits for you: {}\n  answer at {link}", super::super::approvals::visible(&what));
                    told = what;
                }
            }
            other => return Err(reach::unexpected(found, &other).into()),
        }
    }
}

fn link(found: &Found) -> Option<String> {
    found.server.as_ref().and_then(|server| server.viewer_url.clone())
}

fn show(found: &Found, session: &str, wanted: &Wanted) -> anyhow::Result<()> {
    let link = link(found);
    if wanted.json {
        print::json(&json!({ "instance_id": found.id, "session_id": session, "viewer": link }))?;
    } else {
        print::line(&format!("host {}, session {session}", found.id));
        match &link {
            Some(link) => print::line(&format!("viewer: {link}")),
            None => print::line("the viewer is off; `portcullis attach` shows the session here"),
        }
        print::line(&format!("in a terminal: portcullis attach {}/{session}", found.id));
        print::line(&format!("to end it: portcullis kill {}", found.id));
    }
    if wanted.browser && link.is_some() && has_display() {
        let page = found.write_viewer_page().context("the page for the browser cannot be written")?;
        let started =
            Command::new("xdg-open").arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        if let Err(error) = started {
            eprintln!("no browser was opened (xdg-open: {error}); open the link");
        }
    }
    Ok(())
}

fn has_display() -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Starts the host in a session of its own, so that it outlives this terminal, and waits until it can be reached.
async fn start(path: Option<&Path>, label: Option<&str>, state: &Path) -> anyhow::Result<Found> {
    let program = std::env::current_exe().context("this program's own file cannot be found")?;
    let mut command = tokio::process::Command::new(program);
    command.arg("host");
    if let Some(path) = path {
        command.arg("--config").arg(path);
    }
    if let Some(label) = label {
        command.arg("--label").arg(label);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().context("the host cannot be started")?;
    let process = child.id().unwrap_or_default();
    let started = async {
        loop {
            if let Some(found) = ready(state, process)? {
                return Ok(found);
            }
            if let Some(status) = child.try_wait()? {
                return Err(anyhow!("the host has ended at once ({status}): {}", said(&mut child).await));
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    };
    let started = tokio::time::timeout(START_PATIENCE, started).await;
    started.unwrap_or_else(|_| Err(anyhow!("the host has not started within {} s", START_PATIENCE.as_secs())))
}

async fn said(child: &mut tokio::process::Child) -> String {
    let mut text = Vec::new();
    if let Some(mut stderr) = child.stderr.take() {
        // What cannot be read cannot be told.
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut stderr, &mut text).await;
    }
    String::from_utf8_lossy(&text).trim().to_owned()
}

/// The instance of that process, once it listens and its viewer is known where it has one.
fn ready(state: &Path, process: u32) -> anyhow::Result<Option<Found>> {
    let is_it =
        |found: &Found| found.server.as_ref().is_some_and(|server| server.process_id == process && server.ready);
    Ok(instances::running(state)?.into_iter().find(is_it))
}

/// `portcullis host`: runs until it is told to end or has had no use for a while.
pub(super) async fn host(path: Option<&Path>, label: Option<String>) -> anyhow::Result<()> {
    let config = config::load(path)?;
    logging::start_host(&config.log)?;
    // Away from the terminal it was started in. One that leads a group already is where nobody hangs up on it.
    let _ = rustix::process::setsid();
    let program = std::env::current_exe().context("this program's own file cannot be found")?;
    let host = Host::start(config, child_compiler(program)).await?;
    let stop = CancellationToken::new();
    serving::stop_on_signals(&stop)?;
    let around = Serving::begin(host.clone(), Start { label, client_process_id: None }, &stop).await?;
    tokio::select! {
        () = stop.cancelled() => {}
        () = unused(&host) => tracing::info!("no session has been open for a while"),
    }
    around.end().await;
    Ok(())
}

/// Returns once no session has been open for long.
async fn unused(host: &Host) {
    let mut changes = host.sessions().watch();
    loop {
        let quiet = tokio::time::timeout(UNUSED_FOR, changes.changed()).await;
        if quiet.is_err() && host.sessions().open().is_empty() {
            return;
        }
    }
}
