//! `ssh-viewer-ensure` and `ssh-viewer-list`: where a person watches.
//!
//! There is one viewer, in a browser, and it runs as long as the host. Nothing here opens a window: the address is
//! for the person, and what lets a browser in is printed for them only, by `portcullis viewer`.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::state::{Known, State};
use super::told::{Outcome, Told};
use super::{About, Call, NoParameters, tool};
use crate::mcp::tool::{Class, Tool};

/// What the person does beside opening the address.
pub(super) const LOGIN: &str =
    "Tell the person the address; `portcullis viewer` prints them the link that logs a browser in.";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    Terminal,
    #[default]
    Browser,
}

impl Mode {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Browser => "browser",
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Scope {
    #[default]
    Connection,
    Session,
}

impl Scope {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Session => "session",
        }
    }

    /// What a viewer of it is called.
    pub(super) fn key(self, known: &Known) -> String {
        match self {
            Self::Connection => format!("connection:{}", known.reference()),
            Self::Session => format!("session:{}", known.id()),
        }
    }
}

/// Addresses of the viewer, null where it is off.
pub(super) fn links(call: &Call, session_id: Option<&str>) -> Map<String, Value> {
    let base = call.host.desk().viewer();
    let base = base.as_deref().map(|base| base.trim_end_matches('/'));
    let of_session = session_id.zip(base).map(|(id, base)| format!("{base}/s/{id}"));
    Map::from_iter([("viewerBaseUrl".to_owned(), json!(base)), ("viewerUrl".to_owned(), json!(of_session))])
}

/// The port it listens on.
pub(super) fn port(call: &Call) -> Option<u16> {
    let base = call.host.desk().viewer()?;
    base.trim_end_matches('/').rsplit(':').next()?.parse().ok()
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct EnsureParameters {
    /// Id, device/connection or name; the active session when left out.
    #[serde(default)]
    session: Option<String>,
    /// Default browser.
    #[serde(default)]
    mode: Mode,
    /// Default connection.
    #[serde(default)]
    singleton_scope: Scope,
}

pub(super) fn ensure(state: &Arc<State>) -> Tool {
    let about = About {
        name: "ssh-viewer-ensure",
        title: "Viewer's address",
        description: "Where a person watches a session and types in it: the address of the viewer, which runs as long as the host.",
        class: Class::ReadHere,
    };
    tool(state, about, ensure_viewer)
}

async fn ensure_viewer(call: Call, parameters: EnsureParameters) -> Outcome {
    let seen = call.find(parameters.session.as_deref()).await?;
    let links = links(&call, Some(seen.id()));
    if links["viewerBaseUrl"].is_null() {
        return Err(Told::failure("viewer-unavailable", "the viewer is off")
            .next("A person switches it on in the configuration ([viewer] enabled = true) and restarts this server."));
    }
    let in_terminal =
        format!("this server opens no terminal window; a person joins in one with `portcullis attach {}`", seen.id());
    Ok(Told::success(format!("a person watches {} at {}", seen.reference(), links["viewerUrl"]))
        .with_all(call.summary(&seen))
        .with("sessionViewerUrl", links["viewerUrl"].clone())
        .with_all(links)
        .with("bindingKey", parameters.singleton_scope.key(&seen.known))
        .with("mode", parameters.mode.name())
        .with("scope", parameters.singleton_scope.name())
        .with("launched", false)
        .with("reusedExistingProcess", true)
        .with("pid", std::process::id())
        .notes((parameters.mode == Mode::Terminal).then_some(in_terminal))
        .next(LOGIN))
}

pub(super) fn list(state: &Arc<State>) -> Tool {
    let about = About {
        name: "ssh-viewer-list",
        title: "List viewers",
        description: "The viewer and what can be watched in it: one address for each open session.",
        class: Class::ReadHere,
    };
    tool(state, about, list_viewers)
}

async fn list_viewers(call: Call, _: NoParameters) -> Outcome {
    let known = call.state.known(&call.host);
    let open: Vec<&Known> = known.iter().filter(|it| !it.session.is_closed()).collect();
    let entry = |it: &&Known| {
        let url = links(&call, Some(&it.id()))["viewerUrl"].clone();
        json!({
            "bindingKey": Scope::Connection.key(it),
            "sessionId": it.id(),
            "sessionRef": it.reference(),
            "mode": "browser",
            "scope": "connection",
            "pid": std::process::id(),
            "state": "running",
            "alive": true,
            "bindingUrl": url,
            "sessionViewerUrl": url,
        })
    };
    let base = links(&call, None)["viewerBaseUrl"].clone();
    let entries: Vec<Value> = if base.is_null() { Vec::new() } else { open.iter().map(entry).collect() };
    let bindings: Vec<Value> = open
        .iter()
        .map(|it| json!({ "bindingKey": Scope::Connection.key(it), "scope": "connection", "sessionId": it.id() }))
        .collect();
    Ok(Told::success(format!("{} sessions can be watched", entries.len()))
        .with("viewerBaseUrl", base)
        .with("isWatched", call.host.desk().is_watched())
        .with("viewers", entries)
        .with("bindings", bindings))
}
