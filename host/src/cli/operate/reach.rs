//! Reaching running hosts: which there are, asking them, and which of their sessions is meant.

use std::path::Path;
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::OperateError;
use crate::audit::instances::{self, Found};
use crate::operator::protocol::{Answer, Call, Refusal, RefusalCode, Request};
use crate::operator::wire::{self, Frame, WireError};

/// A host is on this machine and answers at once.
const PATIENCE: Duration = Duration::from_secs(10);
/// A login, a menu and a person take longer.
const OPEN_PATIENCE: Duration = Duration::from_secs(300);
/// A host closes its sessions within five seconds.
const END_PATIENCE: Duration = Duration::from_secs(15);
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// Largest answer that is read, in bytes.
const LARGEST_ANSWER: usize = 64 << 20;
/// Fewest characters by which an instance may be named.
const SHORTEST_PREFIX: usize = 3;

/// The hosts that run now.
pub(crate) struct Hosts(Vec<Found>);

/// What a person has named.
pub(crate) enum Target<'a> {
    Session(&'a Found, String),
    Host(&'a Found),
}

/// A session of a running host, as the host tells it.
pub(crate) struct Session {
    pub(super) instance_id: String,
    told: Value,
}

impl Session {
    pub(super) fn id(&self) -> &str {
        self.text("session_id")
    }

    pub(super) fn is_open(&self) -> bool {
        self.told["closed_reason"].is_null()
    }

    pub(super) fn text(&self, name: &str) -> &str {
        self.told[name].as_str().unwrap_or_default()
    }

    pub(super) fn value(&self, name: &str) -> &Value {
        &self.told[name]
    }

    pub(super) fn as_json(&self) -> Value {
        let mut told = self.told.clone();
        told["instance_id"] = json!(self.instance_id);
        told
    }

    fn is_called(&self, name: &str) -> bool {
        self.id() == name || self.told["name"] == name
    }
}

impl Hosts {
    /// # Errors
    /// When the state folder cannot be read.
    pub(crate) fn find(state: &Path) -> anyhow::Result<Self> {
        Ok(Self(instances::running(state)?))
    }

    /// The sessions of all of them.
    ///
    /// # Errors
    /// When one does not answer.
    pub(super) async fn sessions(&self) -> anyhow::Result<Vec<Session>> {
        let mut sessions = Vec::new();
        for (found, answer) in ask_all(&self.0, &Request::Sessions).await {
            match answer? {
                Answer::Sessions { sessions: told } => {
                    sessions.extend(told.into_iter().map(|told| Session { instance_id: found.id.clone(), told }))
                }
                other => return Err(unexpected(found, &other).into()),
            }
        }
        Ok(sessions)
    }

    /// The open session that is meant; the only one when none is named.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub(crate) async fn session(&self, name: Option<&str>) -> anyhow::Result<(&Found, String)> {
        self.must_run()?;
        let (instance, name) = match name.and_then(|name| name.split_once('/')) {
            Some((instance, name)) => (Some(instance), Some(name)),
            None => (None, name),
        };
        let mut sessions = self.sessions().await?;
        let all = listed(&sessions);
        sessions.retain(|session| {
            session.is_open()
                && name.is_none_or(|name| session.is_called(name))
                && instance
                    .is_none_or(|instance| self.get(&session.instance_id).is_some_and(|it| is_called(it, instance)))
        });
        match sessions.as_slice() {
            [one] => {
                let found =
                    self.get(&one.instance_id).ok_or_else(|| OperateError::NoneSuch("it has gone".to_owned()))?;
                Ok((found, one.id().to_owned()))
            }
            [] => {
                let which = name.map_or_else(
                    || "no session is open".to_owned(),
                    |name| format!("no open session is called `{name}`"),
                );
                Err(OperateError::NoneSuch(format!("{which}; {all}")).into())
            }
            several => {
                Err(OperateError::Several(format!("several sessions are meant, name one; {}", listed(several))).into())
            }
        }
    }

    /// The session or host that is meant.
    ///
    /// # Errors
    /// As [`Hosts::session`].
    pub(super) async fn target(&self, name: &str) -> anyhow::Result<Target<'_>> {
        let hosts: Vec<&Found> = self.0.iter().filter(|found| is_called(found, name)).collect();
        let session = self.session(Some(name)).await;
        match (session, hosts.as_slice()) {
            (Ok((found, session)), []) => Ok(Target::Session(found, session)),
            (Err(error), []) => Err(error),
            (Err(error), [_]) if matches!(error.downcast_ref(), Some(OperateError::Several(_))) => Err(error),
            (Err(_), [host]) => Ok(Target::Host(host)),
            (_, hosts) => Err(OperateError::Several(format!(
                "`{name}` is {} hosts or sessions; name one by its id: {}",
                hosts.len() + 1,
                hosts.iter().map(|found| found.id.as_str()).collect::<Vec<_>>().join(", ")
            ))
            .into()),
        }
    }

    fn get(&self, id: &str) -> Option<&Found> {
        self.0.iter().find(|found| found.id == id)
    }

    fn must_run(&self) -> Result<(), OperateError> {
        match self.0.is_empty() {
            true => Err(OperateError::NoneSuch(
                "no host runs; an MCP client starts one with `portcullis stdio`, you with `portcullis launch PROFILE`"
                    .to_owned(),
            )),
            false => Ok(()),
        }
    }
}

/// By its id or the beginning of it, or its label.
pub(super) fn is_called(found: &Found, name: &str) -> bool {
    let label = found.server.as_ref().and_then(|server| server.label.as_deref());
    label == Some(name) || (name.len() >= SHORTEST_PREFIX && found.id.starts_with(name))
}

fn listed(sessions: &[Session]) -> String {
    let open: Vec<String> = sessions
        .iter()
        .filter(|session| session.is_open())
        .map(|session| format!("{}/{}", session.instance_id, session.id()))
        .collect();
    if open.is_empty() { "none is open".to_owned() } else { format!("open: {}", open.join(", ")) }
}

/// Asks every host at the same time.
pub(super) async fn ask_all<'a>(
    hosts: &'a [Found],
    request: &Request,
) -> Vec<(&'a Found, Result<Answer, OperateError>)> {
    join_all(hosts.iter().map(|found| async move { (found, ask(found, request.clone()).await) })).await
}

/// Has one thing done.
pub(super) async fn done(found: &Found, request: Request) -> Result<(), OperateError> {
    match ask(found, request).await? {
        Answer::Done {} => Ok(()),
        other => Err(unexpected(found, &other)),
    }
}

pub(crate) fn unexpected(found: &Found, answer: &Answer) -> OperateError {
    OperateError::NoAnswer(format!("the host {} gives an answer that does not fit: {answer:?}", found.id))
}

/// One request and its answer; a refusal is an error.
pub(crate) async fn ask(found: &Found, request: Request) -> Result<Answer, OperateError> {
    let patience = if matches!(request, Request::Open { .. }) { OPEN_PATIENCE } else { PATIENCE };
    let exchange = async {
        let mut stream = conversation(found, request).await?;
        answer(&mut stream).await
    };
    let answered =
        timeout(patience, exchange).await.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut).into());
    match answered.and_then(|answered| answered) {
        Ok(Some(Answer::Refused(refusal))) => Err(refused(refusal)),
        Ok(Some(answer)) => Ok(answer),
        Ok(None) => Err(OperateError::NoAnswer(format!("the host {} has ended the connection", found.id))),
        Err(error) => Err(OperateError::NoAnswer(format!("the host {} does not answer: {}", found.id, told(&error)))),
    }
}

/// Opens a connection with its request; what follows is the caller's.
pub(crate) async fn conversation(found: &Found, request: Request) -> Result<UnixStream, WireError> {
    let stream = found.connect()?;
    stream.set_nonblocking(true)?;
    let mut stream = UnixStream::from_std(stream)?;
    wire::write_json(&mut stream, &Call::from(request)).await?;
    Ok(stream)
}

async fn answer(stream: &mut UnixStream) -> Result<Option<Answer>, WireError> {
    match wire::read(stream, LARGEST_ANSWER).await? {
        Some(Frame::Json(text)) => Ok(Some(serde_json::from_slice(&text)?)),
        Some(Frame::Bytes(_)) => Err(WireError::UnknownKind),
        None => Ok(None),
    }
}

pub(crate) fn refused(refusal: Refusal) -> OperateError {
    match refusal.code {
        RefusalCode::Unknown | RefusalCode::Closed => OperateError::NoneSuch(refusal.message),
        _ => OperateError::Refused(refusal.message),
    }
}

fn told(error: &WireError) -> String {
    match error {
        WireError::Io(source) => source.to_string(),
        other => other.to_string(),
    }
}

/// Until the host's process has let go of its lock.
pub(super) async fn until_ended(found: &Found) -> Result<(), OperateError> {
    let ended = async {
        while found.still_runs() {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    };
    timeout(END_PATIENCE, ended)
        .await
        .map_err(|_| OperateError::NoAnswer(format!("the host {} was told to end and still runs", found.id)))
}
