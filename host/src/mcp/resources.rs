//! What clients can attach and subscribe to: a session's screen, its history, a job's output, the plugins.
//!
//! Only sessions that the request's client may use. A changed resource is told at most once a second, by the
//! one task that the subscription has.

use std::time::Duration;

use futures::future::join_all;
use rmcp::model::{ErrorData, ReadResourceResult, Resource, ResourceContents, ResourceTemplate, SubscriptionFilter};
use rmcp::service::SubscriptionContext;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;

use crate::host::Host;
use crate::ops::{self, OpError, ReadRequest, What};
use crate::session::SessionHandle;

const PLUGINS: &str = "ssh://plugins";
const SESSIONS: &str = "ssh://sessions/";
/// Characters of one resource; what is longer is read by offset with `ssh_read`.
const MAX_CHARS: usize = 40_000;
/// A flood of output is one change.
const TOLD_AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// Names of the templates' variables, which can be completed.
pub(super) const SESSION_ID: &str = "session_id";
pub(super) const JOB_ID: &str = "job_id";

/// What one address leads to.
#[derive(Debug, PartialEq, Eq)]
enum Address<'a> {
    Plugins,
    Screen(&'a str),
    History(&'a str),
    Job(&'a str, &'a str),
}

impl<'a> Address<'a> {
    fn parse(uri: &'a str) -> Option<Self> {
        if uri == PLUGINS {
            return Some(Self::Plugins);
        }
        let parts: Vec<&str> = uri.strip_prefix(SESSIONS)?.split('/').collect();
        match parts.as_slice() {
            [session, "screen"] if !session.is_empty() => Some(Self::Screen(session)),
            [session, "transcript"] if !session.is_empty() => Some(Self::History(session)),
            [session, "jobs", job, "output"] if !session.is_empty() && !job.is_empty() => Some(Self::Job(session, job)),
            _ => None,
        }
    }

    /// The session it is about.
    fn session(&self) -> Option<&'a str> {
        match self {
            Self::Plugins => None,
            Self::Screen(session) | Self::History(session) | Self::Job(session, _) => Some(session),
        }
    }
}

pub(super) fn templates() -> Vec<ResourceTemplate> {
    let template = |address: &str, name: &str, title: &str, description: &str| {
        ResourceTemplate::new(format!("{SESSIONS}{{{SESSION_ID}}}/{address}"), name)
            .with_title(title)
            .with_description(description)
            .with_mime_type("text/plain")
    };
    vec![
        template("screen", "screen", "Screen", "The session's screen as a person sees it now."),
        template("transcript", "transcript", "Transcript", "Its numbered history: output, who typed what, events."),
        template(
            &format!("jobs/{{{JOB_ID}}}/output"),
            "job-output",
            "Job output",
            "What one command has printed, head and tail where it is long.",
        ),
    ]
}

/// The plugins, and screen and transcript of each open session.
pub(super) fn list(host: &Host) -> Vec<Resource> {
    let plugins = Resource::new(PLUGINS, "plugins").with_title("Plugins").with_mime_type("application/json");
    let open = ops::visible_sessions(host).into_iter().filter(|session| !session.is_closed());
    let of_session = |session: SessionHandle| {
        let summary = session.summary();
        let place = if summary.breadcrumb.is_empty() { summary.host } else { summary.breadcrumb.join(" › ") };
        ["screen", "transcript"].map(|what| {
            let uri = format!("{SESSIONS}{}/{what}", summary.session_id);
            Resource::new(uri, format!("{} {what}", summary.session_id))
                .with_title(format!("{place}: {what}"))
                .with_mime_type("text/plain")
        })
    };
    std::iter::once(plugins).chain(open.flat_map(of_session)).collect()
}

/// # Errors
/// When there is no such resource, or its session cannot be read.
pub(super) async fn read(host: &Host, uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let address = Address::parse(uri).ok_or_else(|| not_found(uri, "ssh_status lists sessions and their jobs"))?;
    let (session_id, what, job_id) = match address {
        Address::Plugins => {
            let report = ops::status(host, None).await.map_err(|error| failed(uri, &error))?;
            let text = json!(report.plugins).to_string();
            let contents = ResourceContents::text(text, uri).with_mime_type("application/json");
            return Ok(ReadResourceResult::new(vec![contents]));
        }
        Address::Screen(session) => (session, What::Screen, None),
        Address::History(session) => (session, What::History, None),
        Address::Job(session, job) => (session, What::Job, Some(job.to_owned())),
    };
    let session_id = Some(session_id.to_owned());
    let request = ReadRequest { session_id, what, job_id, max_chars: MAX_CHARS, ..ReadRequest::default() };
    let report = ops::read(host, request).await.map_err(|error| failed(uri, &error))?;
    Ok(ReadResourceResult::new(vec![ResourceContents::text(report.output.text, uri)]))
}

fn not_found(uri: &str, help: &str) -> ErrorData {
    ErrorData::resource_not_found(format!("there is no resource {uri}; {help}"), Some(json!({ "uri": uri })))
}

fn failed(uri: &str, error: &OpError) -> ErrorData {
    match error {
        OpError::UnknownSession { .. } | OpError::DroppedSession { .. } | OpError::BadArgument(_) => {
            not_found(uri, &error.to_string())
        }
        other => ErrorData::internal_error(other.to_string(), Some(json!({ "uri": uri }))),
    }
}

/// What can be subscribed to: whatever belongs to a session.
pub(super) fn accepted(requested: &SubscriptionFilter) -> SubscriptionFilter {
    let uris = requested.resource_subscriptions.iter().flatten();
    let changing = uris.filter(|uri| Address::parse(uri).is_some_and(|address| address.session().is_some()));
    SubscriptionFilter::builder().resource_subscriptions(changing.cloned().collect::<Vec<_>>()).build()
}

/// Tells a client of the changes it listens for, until all its sessions have ended.
pub(super) async fn tell(host: &Host, context: &SubscriptionContext) {
    let uris = context.accepted().resource_subscriptions.iter().flatten();
    let watched = uris.filter_map(|uri| watched_session(host, uri).map(|session| (uri, session)));
    let telling = watched.map(|(uri, session)| async move {
        let sink = context.sink();
        changes(&session, || async { sink.notify_resource_updated(uri.clone()).await.is_ok() }).await;
    });
    join_all(telling).await;
    // It ends with its request; that nothing changes any more ends nothing.
    context.cancelled().await;
}

/// The session that the resource belongs to, where this request's client may use it.
pub(super) fn watched_session(host: &Host, uri: &str) -> Option<SessionHandle> {
    let id = Address::parse(uri)?.session()?;
    ops::visible_sessions(host).into_iter().find(|session| session.id().as_str() == id || session.has_name(id))
}

/// Runs until the session has ended or nobody listens any more.
pub(super) async fn changes<F: Future<Output = bool>>(session: &SessionHandle, tell: impl Fn() -> F) {
    let Some(mut events) = session.events() else { return };
    loop {
        match events.recv().await {
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
        if !tell().await {
            return;
        }
        tokio::time::sleep(TOLD_AT_MOST_EVERY).await;
        // What came meanwhile is one change more.
        let came = !events.is_empty();
        events = events.resubscribe();
        if came && !tell().await {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_to_one_thing_each() {
        assert_eq!(Address::parse("ssh://plugins"), Some(Address::Plugins));
        assert_eq!(Address::parse("ssh://sessions/s-web-1/screen"), Some(Address::Screen("s-web-1")));
        assert_eq!(Address::parse("ssh://sessions/s-web-1/transcript"), Some(Address::History("s-web-1")));
        assert_eq!(Address::parse("ssh://sessions/s-web-1/jobs/c-2/output"), Some(Address::Job("s-web-1", "c-2")));
        for wrong in [
            "",
            "ssh://",
            "ssh://sessions/",
            "ssh://sessions//screen",
            "ssh://sessions/a",
            "file:///etc/passwd",
            "ssh://sessions/a/screen/",
            "ssh://sessions/a/jobs//output",
            "ssh://plugins/x",
        ] {
            assert_eq!(Address::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_what_changes_can_be_subscribed_to() {
        let uris = ["ssh://plugins", "ssh://sessions/a/screen", "nonsense"];
        let requested = SubscriptionFilter::builder().resource_subscriptions(uris).tools_list_changed().build();
        let accepted = accepted(&requested);
        assert_eq!(accepted.resource_subscriptions, Some(vec!["ssh://sessions/a/screen".to_owned()]));
        assert_eq!(accepted.tools_list_changed, None);
    }
}
