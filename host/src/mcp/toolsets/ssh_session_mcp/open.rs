//! `ssh-session-open` and `ssh-quick-connect`: a session on a device, new or the one that is there.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::dashboard::{Wanted, draw};
use super::failure::words;
use super::keys;
use super::state::{Known, State};
use super::summary::{Seen, TERM};
use super::told::{Outcome, Told};
use super::viewer::{self, Mode, Scope};
use super::{About, Call, tool};
use crate::mcp::tool::{Class, Tool};
use crate::ops::{self, AwaitingPerson, OpenOutcome, OpenReport, OpenRequest};

const DEFAULT_STARTUP_WAIT_MS: u64 = 200;
/// The connection that `ssh-quick-connect` takes again.
const MAIN: &str = "main";

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct OpenParameters {
    /// A name for the session, unique among open ones.
    #[serde(default)]
    session_name: Option<String>,
    /// A configured device; ssh-device-list names them.
    #[serde(default)]
    device: Option<String>,
    /// Of this device; main, then main-2 and so on, when left out.
    #[serde(default)]
    connection_name: Option<String>,
    /// Without a device: the host of one that is configured.
    #[serde(default)]
    host: Option<String>,
    #[serde(default)]
    port: Option<u16>,
    #[serde(default)]
    user: Option<String>,
    /// Not taken: secrets are no arguments.
    #[serde(default)]
    password: Option<String>,
    /// Not taken: the device's configuration says which key.
    #[serde(default)]
    key: Option<String>,
    /// Always xterm-256color.
    #[serde(default)]
    term: Option<String>,
    #[serde(default)]
    cols: Option<u16>,
    #[serde(default)]
    rows: Option<u16>,
    /// Close it after so long without anything happening; 0 never.
    #[serde(default)]
    idle_timeout_ms: Option<u64>,
    /// Accepted; closed sessions are kept by their number.
    #[serde(default)]
    closed_retention_ms: Option<u64>,
    /// Typed at the first prompt, judged like ssh-session-send's.
    #[serde(default)]
    startup_input: Option<String>,
    /// Default agent.
    #[serde(default)]
    startup_input_actor: Option<String>,
    /// Default 200.
    #[serde(default)]
    startup_wait_ms: Option<u64>,
    /// Columns, default 140.
    #[serde(default)]
    dashboard_width: Option<usize>,
    /// Rows, default 24.
    #[serde(default)]
    dashboard_height: Option<usize>,
    /// Characters of output in it, default 12000.
    #[serde(default)]
    dashboard_left_chars: Option<usize>,
    /// Accepted; events stand among the lines.
    #[serde(default)]
    dashboard_right_events: Option<usize>,
    /// Control sequences are never part of it.
    #[serde(default)]
    strip_ansi_from_left: Option<bool>,
    /// Default true.
    #[serde(default)]
    include_dashboard: Option<bool>,
    /// The viewer runs by itself; no window is opened.
    #[serde(default)]
    auto_open_viewer: Option<bool>,
    #[serde(default)]
    viewer_mode: Option<Mode>,
    #[serde(default)]
    viewer_singleton_scope: Option<Scope>,
}

pub(super) fn open(state: &Arc<State>) -> Tool {
    let about = About {
        name: "ssh-session-open",
        title: "Open session",
        description: "Open a new session on a configured device and make it the active one. ssh-quick-connect takes one that is open.",
        class: Class::WriteRemote,
    };
    tool(state, about, open_session)
}

async fn open_session(call: Call, parameters: OpenParameters) -> Outcome {
    refuse_secrets(&parameters)?;
    let device = device(&call, &parameters)?;
    let connection = call.state.connection_for(&call.host, &device, parameters.connection_name.as_deref())?;
    let idle = parameters.idle_timeout_ms.map(Duration::from_millis);
    let request = OpenRequest {
        profile: Some(device.clone()),
        new: true,
        name: parameters.session_name.clone(),
        ..request(&call, &device, idle)
    };
    let (columns, rows) = (parameters.cols.or(request.columns), parameters.rows.or(request.rows));
    let request = OpenRequest { columns, rows, ..request };
    let (known, mut notes) = opened(&call, request, connection).await?;
    if let Some(input) = parameters.startup_input.clone().filter(|input| !input.is_empty()) {
        let wait = Duration::from_millis(parameters.startup_wait_ms.unwrap_or(DEFAULT_STARTUP_WAIT_MS));
        let begun = keys::begin(&call, &known, input, wait).await;
        notes.extend(begun.map_err(|failed| opened_all_the_same(failed, &known))?);
    }
    let seen = call.see(known).await?;
    notes.extend(kept_to(&parameters));
    told(&call, &seen, &parameters, notes).await
}

/// The session is there, whatever came of its first input.
fn opened_all_the_same(failed: Told, known: &Known) -> Told {
    failed
        .with("sessionId", known.id())
        .with("sessionRef", known.reference())
        .notes(["the session is open and active; only its startupInput was not sent".to_owned()])
}

fn refuse_secrets(parameters: &OpenParameters) -> Result<(), Told> {
    let refused = |name: &str, instead: &str| {
        Err(Told::failure("config-error", format!("`{name}` is not taken as an argument: {instead}"))
            .next("Give `device`; ssh-device-list names the configured ones."))
    };
    if parameters.password.is_some() {
        return refused(
            "password",
            "what an agent knows, its provider knows. A person names the variable or file in the configuration, or \
             types it in the viewer",
        );
    }
    if parameters.key.is_some() {
        return refused("key", "which key opens which device is for a person to say, in the configuration");
    }
    Ok(())
}

/// The device meant: by its name, or by where it leads.
fn device(call: &Call, parameters: &OpenParameters) -> Result<String, Told> {
    let by_address = parameters.host.is_some() || parameters.port.is_some() || parameters.user.is_some();
    match &parameters.device {
        Some(device) => Ok(device.clone()),
        None if parameters.connection_name.is_some() => Err(connection_without_device()),
        None if by_address => {
            let (host, user) = (parameters.host.as_deref(), parameters.user.as_deref());
            ops::device_at(&call.host, host, parameters.port, user).map_err(|error| {
                Told::from(error).notes(["a session is opened on configured devices only; a person adds one with \
                     `portcullis config profile set NAME host=HOST user=USER`"
                    .to_owned()])
            })
        }
        None => Ok(ops::default_device(&call.host)?),
    }
}

fn connection_without_device() -> Told {
    Told::failure("config-error", "`connectionName` needs `device`")
        .next("Give both; ssh-device-list names the devices.")
}

/// What any session of this set is opened with.
fn request(call: &Call, device: &str, idle: Option<Duration>) -> OpenRequest {
    let settings = &call.state.settings;
    let own = ops::devices(&call.host).into_iter().find(|it| it.profile == device);
    let own_idle = own.as_ref().map(|it| it.idle_close).filter(|idle| !idle.is_zero());
    let size = own.and_then(|it| it.size).map_or(settings.size(), |size| (size.columns, size.rows));
    OpenRequest {
        idle_close: idle.or(own_idle).or(Some(settings.idle_timeout)),
        columns: Some(size.0),
        rows: Some(size.1),
        ..OpenRequest::default()
    }
}

/// Opens it, gives its connection the name, and makes it the active session.
async fn opened(call: &Call, request: OpenRequest, connection: String) -> Result<(Known, Vec<String>), Told> {
    let report = match ops::open(&call.host, request).await? {
        OpenOutcome::Open(report) => *report,
        OpenOutcome::Awaiting(awaiting) => return Err(awaits(&awaiting)),
    };
    let OpenReport { session, notes, .. } = report;
    call.state.name_connection(&session.session_id, connection);
    call.state.set_active(Some(session.session_id.clone()));
    let known = call.state.resolve(&call.host, Some(&session.session_id))?;
    Ok((known, notes.iter().map(|note| words(note)).collect()))
}

/// Not open yet: a person is asked something.
fn awaits(awaiting: &AwaitingPerson) -> Told {
    let AwaitingPerson { profile, target, expires_in_s, .. } = awaiting;
    let summary = format!("opening {profile} waits for a person at {target}, another {expires_in_s} s");
    Told::partial(summary)
        .with("status", "awaiting_input")
        .with("awaiting", json!(awaiting))
        .next("A person answers in the viewer; then make the same call again.")
}

/// Where what was asked for is kept to in another way.
fn kept_to(parameters: &OpenParameters) -> Vec<String> {
    let mut notes = Vec::new();
    if parameters.term.as_deref().is_some_and(|term| term != TERM) {
        notes.push(format!("`term` is always {TERM}"));
    }
    if parameters.closed_retention_ms.is_some() {
        notes.push("closed sessions are kept by their number ([limits] closed_sessions), not for a time".to_owned());
    }
    notes.extend(parameters.startup_input_actor.as_deref().and_then(keys::label_note));
    notes
}

async fn told(call: &Call, seen: &Seen, parameters: &OpenParameters, notes: Vec<String>) -> Outcome {
    let wanted = Wanted {
        width: parameters.dashboard_width,
        height: parameters.dashboard_height,
        left_chars: parameters.dashboard_left_chars,
        right_events: parameters.dashboard_right_events,
        strip_ansi: parameters.strip_ansi_from_left,
        include: parameters.include_dashboard,
    };
    let shape = wanted.shape(&call.state.settings);
    let scope = parameters.viewer_singleton_scope.unwrap_or_default();
    let links = viewer::links(call, Some(seen.id()));
    let auto_open = parameters.auto_open_viewer.unwrap_or(false);
    let no_window = auto_open.then(|| format!("this server opens no window. {}", viewer::LOGIN));
    let told = Told::success(format!("{} is open and active", seen.reference()))
        .with_all(call.summary(seen))
        .with("activeSession", true)
        .with_all(seen.positions())
        .with_all(shape.fields())
        .with("viewerBindingKey", scope.key(&seen.known))
        .with("viewerBindingUrl", links["viewerUrl"].clone())
        .with_all(links)
        .with("autoOpenViewer", auto_open)
        .with("viewerMode", parameters.viewer_mode.unwrap_or_default().name())
        .with("viewerSingletonScope", scope.name())
        .with("viewerPort", json!(viewer::port(call)))
        .with("viewerState", Value::Null)
        .with_some("viewerAutoOpenError", no_window)
        .with_all(call.configuration())
        .notes(notes)
        .notes(wanted.notes())
        .evidence([format!("sessionRef={}", seen.reference()), format!("host={}", seen.view.summary.host)])
        .next("Run commands with ssh-run.");
    Ok(if wanted.is_included() { told.block(draw(call, seen, shape).await?) } else { told })
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct QuickParameters {
    /// A name for the session.
    #[serde(default)]
    session_name: Option<String>,
    /// The default device when left out.
    #[serde(default)]
    device: Option<String>,
    /// Default main.
    #[serde(default)]
    connection_name: Option<String>,
}

pub(super) fn quick_connect(state: &Arc<State>) -> Tool {
    let about = About {
        name: "ssh-quick-connect",
        title: "Connect",
        description: "Take the open session of a device or open one, and make it the active one. The usual first call.",
        class: Class::WriteRemote,
    };
    tool(state, about, connect)
}

async fn connect(call: Call, parameters: QuickParameters) -> Outcome {
    if parameters.connection_name.is_some() && parameters.device.is_none() {
        return Err(connection_without_device());
    }
    let device = match parameters.device {
        Some(device) => device,
        None => ops::default_device(&call.host)?,
    };
    let connection = parameters.connection_name.as_deref().unwrap_or(MAIN);
    let there = call.state.known(&call.host).into_iter().find(|it| {
        let named = parameters.session_name.as_deref().is_none_or(|name| it.session.has_name(name));
        !it.session.is_closed() && it.summary().profile == device && it.connection == connection && named
    });
    let (known, notes, reused) = match there {
        Some(known) => {
            call.state.set_active(Some(known.id()));
            (known, Vec::new(), true)
        }
        None => {
            let connection = call.state.connection_for(&call.host, &device, Some(connection))?;
            let (profile, name) = (Some(device.clone()), parameters.session_name);
            let request = OpenRequest { profile, name, new: true, ..request(&call, &device, None) };
            let (known, notes) = opened(&call, request, connection).await?;
            (known, notes, false)
        }
    };
    let seen = call.see(known).await?;
    let links = viewer::links(&call, Some(seen.id()));
    let how = if reused { "was open and is active" } else { "is open and active" };
    Ok(Told::success(format!("{} {how}", seen.reference()))
        .with("reused", reused)
        .with("instanceId", call.instance())
        .with("source", call.source())
        .with("activeSessionRef", seen.reference())
        .with("session", call.summary(&seen))
        .with("terminalUrl", links["viewerUrl"].clone())
        .with("viewerBaseUrl", links["viewerBaseUrl"].clone())
        .with("viewerEnabled", !links["viewerBaseUrl"].is_null())
        .with("hint", "Run commands with ssh-run; a person can watch at terminalUrl.")
        .with_all(call.configuration())
        .notes(notes)
        .next("Run commands with ssh-run."))
}
