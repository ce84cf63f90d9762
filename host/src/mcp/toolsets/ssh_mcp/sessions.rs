//! `open_session`, `diagnose_profile`, `list_sessions`, `close_session`, `reopen_session`.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::memory::Memory;
use super::{Context, Told, facts, result, tool};
use crate::clock;
use crate::mcp::answer::Answer;
use crate::mcp::tool::{Class, Tool};
use crate::ops::{self, OpError, OpenOutcome, OpenReport, OpenRequest, ProfileReport, StopRequest};

/// Longest label, in characters.
const MAX_LABEL_CHARS: usize = 80;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OpenSession {
    profile: String,
    /// Has no effect: the operator chooses the file.
    #[serde(default)]
    config_path: Option<String>,
    /// Has no effect: see the description.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    password: Option<IgnoredAny>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    passphrase: Option<IgnoredAny>,
    /// Who it is for, in lists.
    #[serde(default)]
    owner_label: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DiagnoseProfile {
    profile: String,
    /// Has no effect: the operator chooses the file.
    #[serde(default)]
    config_path: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CloseSession {
    session_id: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReopenSession {
    session_id: String,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    password: Option<IgnoredAny>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    passphrase: Option<IgnoredAny>,
}

pub(super) fn tools(memory: &Arc<Memory>) -> [Tool; 5] {
    let session = || json!({ "session": { "type": "object" } });
    [
        tool(
            memory,
            Told {
                name: "open_session",
                title: "Open SSH session",
                description: "Log in to a profile and keep its terminal open. Secrets are no arguments: the profile names where they lie, or a person types them.",
                class: Class::WriteRemote,
                output: session,
            },
            open_session,
        ),
        tool(
            memory,
            Told {
                name: "diagnose_profile",
                title: "Diagnose profile",
                description: "Say what is known of a profile without connecting: address, key, secrets that are missing, how lines are judged.",
                class: Class::ReadHere,
                output: || json!({ "profile": { "type": "string" } }),
            },
            diagnose_profile,
        ),
        tool(
            memory,
            Told {
                name: "list_sessions",
                title: "List sessions",
                description: "List this server, its sessions, open and lately closed, the profiles that can be opened, and the viewer's address.",
                class: Class::ReadHere,
                output: || json!({ "sessions": { "type": "array", "items": { "type": "object" } } }),
            },
            list_sessions,
        ),
        tool(
            memory,
            Told {
                name: "close_session",
                title: "Close session",
                description: "Close a session. Its screen, commands and transcript stay readable.",
                class: Class::End,
                output: session,
            },
            close_session,
        ),
        tool(
            memory,
            Told {
                name: "reopen_session",
                title: "Reopen session",
                description: "Log in again to the profile of a closed session. Only the login: no menu, no route and no command is replayed.",
                class: Class::WriteRemote,
                output: session,
            },
            reopen_session,
        ),
    ]
}

/// What of the arguments has no effect, and what to do instead.
fn notes(config_path: Option<&String>, password: bool, passphrase: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(path) = config_path {
        notes.push(format!(
            "config_path {path:?} has no effect: the operator chooses the configuration, with --config or SSH_MCP_CONFIG"
        ));
    }
    for (name, is_given) in [("password", password), ("passphrase", passphrase)] {
        if is_given {
            notes.push(format!(
                "the argument {name} was not used: it is in the conversation now, so change that {name}; the profile \
                 names a variable ({name}_env) or a file ({name}_file), or a person types it in the viewer"
            ));
        }
    }
    notes
}

async fn open_session(context: Context, parameters: OpenSession) -> Answer {
    let OpenSession { profile, config_path, password, passphrase, owner_label } = parameters;
    let notes = notes(config_path.as_ref(), password.is_some(), passphrase.is_some());
    // The predecessor opens another one each time.
    let request = OpenRequest { profile: Some(profile), new: true, ..OpenRequest::default() };
    match ops::open(&context.host, request).await {
        Ok(OpenOutcome::Open(report)) => opened(&context, &report, owner_label, notes, json!({})).await,
        Ok(OpenOutcome::Awaiting(awaiting)) => waits(&awaiting, notes),
        Err(error) => with_notes(result::failed(&context, None, error).await, notes),
    }
}

async fn reopen_session(context: Context, parameters: ReopenSession) -> Answer {
    let ReopenSession { session_id, password, passphrase } = parameters;
    let notes = notes(None, password.is_some(), passphrase.is_some());
    let previous = match ops::session_line(&context.host, Some(&session_id)).await {
        Ok(line) => line,
        Err(error) => return result::failed(&context, Some(&session_id), error).await,
    };
    let previous_id = previous.summary.session_id.clone();
    let label = context.memory.owner_label(&previous_id);
    let request = OpenRequest { reopen: Some(previous_id.clone()), ..OpenRequest::default() };
    let more = json!({
        "previous_session": facts::session(&context, &previous),
        "previous_session_id": previous_id,
        "previous_transcript_path": previous.transcript,
        "reopen_scope": "ssh-login-only",
        "note": "only the login was made again; no menu choice, route or command was replayed",
    });
    match ops::open(&context.host, request).await {
        Ok(OpenOutcome::Open(report)) => opened(&context, &report, label, notes, more).await,
        Ok(OpenOutcome::Awaiting(awaiting)) => waits(&awaiting, notes),
        Err(error) => with_notes(result::failed(&context, Some(&session_id), error).await, notes),
    }
}

async fn opened(
    context: &Context,
    report: &OpenReport,
    owner_label: Option<String>,
    mut notes: Vec<String>,
    mut fields: Value,
) -> Answer {
    let id = report.session.session_id.as_str();
    context.memory.opened(&context.host, id, owner_label.map(|label| plain(&label)).filter(|label| !label.is_empty()));
    let line = match ops::session_line(&context.host, Some(id)).await {
        Ok(line) => line,
        Err(error) => return result::failed(context, Some(id), error).await,
    };
    notes.extend(report.notes.iter().map(|note| result::in_their_words(note)));
    fields["session"] = facts::session(context, &line);
    fields["transcript_path"] = json!(line.transcript);
    fields["screen"] = json!(report.screen);
    shown(context, &mut fields, Some(id));
    with_notes(result::done(fields, false), notes)
}

/// Nothing in a label acts on a terminal or hides.
fn plain(label: &str) -> String {
    label.chars().filter(|c| *c == ' ' || !ops::is_unseen(*c)).take(MAX_LABEL_CHARS).collect()
}

/// A login that waits for a person; the same call finds its session.
fn waits(awaiting: &ops::AwaitingPerson, notes: Vec<String>) -> Answer {
    let error = format!(
        "the login to {} waits for a person, who answers in the viewer{}: {}. Tell them (`portcullis viewer` prints the \
         link), then make the same call again: it joins this login",
        awaiting.target,
        awaiting.viewer.as_ref().map_or(String::new(), |viewer| format!(" at {viewer}")),
        awaiting.prompt
    );
    let Answer::Predecessor(mut answer) = result::refused(&error) else { return result::refused(&error) };
    answer.status = "partial_success";
    answer.fields.insert("awaiting_input".to_owned(), json!(awaiting));
    with_notes(answer.into(), notes)
}

fn with_notes(mut answer: Answer, notes: Vec<String>) -> Answer {
    if let Answer::Predecessor(answer) = &mut answer
        && !notes.is_empty()
    {
        answer.fields.insert("notes".to_owned(), json!(notes));
    }
    answer
}

/// What the person is to see: where they can watch.
fn shown(context: &Context, fields: &mut Value, session_id: Option<&str>) {
    let viewer = ops::instance(&context.host).viewer;
    let url = viewer.as_ref().map(|viewer| session_id.map_or(viewer.clone(), |id| facts::viewer_url(viewer, id)));
    let display = url.as_ref().map(|url| {
        format!(
            "Watch and type along at {url} (`portcullis viewer` on this machine prints the link that logs a browser in)"
        )
    });
    if session_id.is_some() {
        fields["viewer_url"] = json!(url);
    }
    fields["must_show_to_user"] = json!(display.is_some());
    fields["display_instruction"] = json!(display.as_ref().map(|_| "Show display_to_user to the user, word by word."));
    fields["display_to_user"] = json!(display);
}

async fn close_session(context: Context, parameters: CloseSession) -> Answer {
    let session_id = parameters.session_id;
    let closed = async {
        let request = StopRequest { session_id: Some(session_id.clone()), job_id: None, force: false };
        let report = ops::stop(&context.host, request).await?;
        ops::session_line(&context.host, Some(&report.session.session_id)).await
    };
    match closed.await {
        Ok(line) => result::done(json!({ "session": facts::session(&context, &line) }), false),
        Err(error) => result::failed(&context, Some(&session_id), error).await,
    }
}

async fn list_sessions(context: Context, _: Nothing) -> Answer {
    match listed(&context).await {
        Ok(fields) => result::done(fields, false),
        Err(error) => result::failed(&context, None, error).await,
    }
}

async fn listed(context: &Context) -> Result<Value, OpError> {
    let mut sessions = Vec::new();
    for session in ops::visible_sessions(&context.host) {
        let line = ops::session_line(&context.host, Some(session.id().as_str())).await?;
        sessions.push(facts::session(context, &line));
    }
    let instance = ops::instance(&context.host);
    let hosts = ops::hosts(&context.host, None).await;
    let urls: Vec<&Value> =
        sessions.iter().map(|session| &session["viewer_url"]).filter(|url| !url.is_null()).collect();
    let mut notes = context.memory.settings.notes.clone();
    notes.extend(hosts.notes);
    notes.extend(
        hosts.unusable.iter().map(|line| format!("profile {} cannot be opened: {}", line.profile, line.problem)),
    );
    let mut fields = json!({
        "server": {
            "server_instance_id": instance.instance_id,
            "pid": instance.process_id,
            "cwd": instance.working_folder,
            "started_at": clock::moment(instance.started_unix_ms),
            "client_label": instance.label,
            "runtime_dir": instance.state_folder,
            "instance_dir": instance.instance_folder,
            "log_path": instance.log_file,
            "transcripts_dir": instance.transcripts_folder,
            "viewer_base_url": instance.viewer,
        },
        "viewer_base_url": instance.viewer,
        "viewer_urls": urls,
        "profiles": hosts.hosts.iter().map(|line| &line.profile).collect::<Vec<_>>(),
        "config_path": instance.configuration,
    });
    shown(context, &mut fields, None);
    if !notes.is_empty() {
        fields["notes"] = json!(notes);
    }
    fields["sessions"] = json!(sessions);
    Ok(fields)
}

async fn diagnose_profile(context: Context, parameters: DiagnoseProfile) -> Answer {
    let DiagnoseProfile { profile, config_path } = parameters;
    match ops::profile(&context.host, &profile).await {
        Ok(report) => with_notes(result::done(diagnosed(&report), false), notes(config_path.as_ref(), false, false)),
        Err(error) => result::failed(&context, None, error).await,
    }
}

fn diagnosed(report: &ProfileReport) -> Value {
    let (key, policy) = (report.key.as_ref(), &report.policy);
    json!({
        "profile": report.profile,
        "host": report.host,
        "port": report.port,
        "username": report.user,
        "key_filename": key.map(|key| &key.path),
        "key_exists": key.is_some_and(|key| key.exists),
        "key_header": key.and_then(|key| key.header.as_ref()),
        "passphrase_env": key.and_then(|key| key.passphrase_variable.as_ref()),
        "passphrase_env_present": key.is_some_and(|key| key.passphrase_variable_is_set),
        // How long a secret is, is part of it.
        "passphrase_env_length": Value::Null,
        "security": {
            "mode": policy.mode,
            "policies": policy.policies,
            "rules": policy.rules,
            "allow_patterns": [],
            "deny_patterns": [],
            "allow_interactive_text": false,
            "redact_transcripts": true,
            "transcript": policy.transcript,
            "transcript_retention_days": policy.retention_days,
            "transcript_max_files": policy.most_transcripts,
        },
        "findings": report.findings,
    })
}
