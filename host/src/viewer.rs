//! The host as the browser's adapter sees it.
//!
//! Translation only: what a person types goes to [`ops::send_human_keys`], what a person answers to the desk,
//! what a person allows to [`ops::answer_approval`], everything else reads.

use portcullis_term::Typist;
use tokio::sync::{broadcast, watch};

use crate::approvals::{self, Asked as AskedApproval, Channel, Decision, Scope};
use crate::config::Secret;
use crate::desk::{AnswerError, Asked};
use crate::host::Host;
use crate::metrics;
use crate::ops::{self, ApprovalError, ListedPlugin};
use crate::session::{HealthState, SessionEvent, SessionEventKind, SessionSummary};
use crate::ssh::{Answer, Prompt, Wanted};
use crate::web::protocol;
use crate::web::{AnswerRefused, AttachError, Attached, Backend, KeysError, LiveEvent, LiveEvents, LiveItem};

/// A session's events, in the browser adapter's terms.
pub struct Live {
    events: broadcast::Receiver<SessionEvent>,
    /// Counted for as long as somebody looks.
    _present: metrics::Present,
}

impl Backend for Host {
    type Live = Live;

    fn ready(&self) -> Result<(), String> {
        Host::ready(self)
    }

    fn metrics(&self) -> String {
        metrics::render()
    }

    fn sessions(&self) -> Vec<protocol::SessionSummary> {
        Host::sessions(self).all().iter().map(|session| summary(session.summary())).collect()
    }

    fn session_list_changes(&self) -> watch::Receiver<u64> {
        Host::sessions(self).watch()
    }

    fn plugins(&self) -> Vec<protocol::Plugin> {
        Host::plugins(self).list().into_iter().map(plugin).collect()
    }

    fn questions(&self) -> Vec<protocol::Question> {
        self.desk().open().into_iter().map(|asked| question(self, asked)).collect()
    }

    fn question_changes(&self) -> watch::Receiver<u64> {
        self.desk().watch()
    }

    fn answer(&self, question_id: &str, answer: protocol::Answer) -> Result<(), AnswerRefused> {
        let taken = match answer {
            protocol::Answer::Answers { answers } => {
                let secrets = answers.into_iter().map(|protocol::Typed(text)| Secret::new(text)).collect();
                self.desk().answer(question_id, Answer::Secrets(secrets))
            }
            protocol::Answer::Trust { fingerprint } => self.desk().trust(question_id, &fingerprint),
            protocol::Answer::Refuse {} => self.desk().answer(question_id, Answer::Refused),
        };
        taken.map_err(|error| match error {
            AnswerError::NotOpen => AnswerRefused::NotOpen,
            other => AnswerRefused::NotFitting(other.to_string()),
        })
    }

    fn approvals(&self) -> Vec<protocol::Approval> {
        ops::approvals(self).into_iter().map(|asked| approval(self, asked)).collect()
    }

    fn approval_changes(&self) -> watch::Receiver<u64> {
        Host::approvals(self).watch()
    }

    async fn decide(&self, approval_id: &str, answer: protocol::ApprovalAnswer) -> Result<(), AnswerRefused> {
        let (digest, decision, cli_user) = match answer {
            protocol::ApprovalAnswer::AllowOnce { digest, cli_user } => {
                (digest, Decision::Allow(Scope::Once), cli_user)
            }
            protocol::ApprovalAnswer::AllowRule { digest, cli_user } => {
                (digest, Decision::Allow(Scope::RuleForSession), cli_user)
            }
            protocol::ApprovalAnswer::Deny { digest, reason, cli_user } => {
                (digest, Decision::Deny { reason: Some(reason) }, cli_user)
            }
        };
        let channel = if cli_user.is_some() { Channel::Cli } else { Channel::Viewer };
        let answer = approvals::Answer { decision, channel, by: cli_user };
        ops::answer_approval(self, approval_id, &digest, answer).await.map_err(|error| match error {
            ApprovalError::NotTaken(approvals::AnswerError::NotOpen) | ApprovalError::NoSession => {
                AnswerRefused::NotOpen
            }
            other => AnswerRefused::NotFitting(other.to_string()),
        })
    }

    async fn attach(&self, session_id: &str) -> Result<Attached<Live>, AttachError> {
        let session = Host::sessions(self).get(session_id).ok_or(AttachError::UnknownSession)?;
        let attachment = session.attach().await.map_err(|error| AttachError::Failed(error.to_string()))?;
        Ok(Attached {
            summary: summary(session.summary()),
            snapshot: attachment.snapshot,
            offset: attachment.offset,
            columns: attachment.columns,
            rows: attachment.rows,
            live: Live { events: attachment.live, _present: metrics::viewer() },
        })
    }

    async fn send_human_keys(&self, session_id: &str, bytes: Vec<u8>) -> Result<(), KeysError> {
        ops::send_human_keys(self, session_id, bytes).await.map_err(|error| KeysError(error.to_string()))
    }
}

impl LiveEvents for Live {
    async fn next(&mut self) -> LiveItem {
        match self.events.recv().await {
            Ok(event) => LiveItem::Event(live(event)),
            Err(broadcast::error::RecvError::Lagged(_)) => LiveItem::Lagged,
            Err(broadcast::error::RecvError::Closed) => LiveItem::Ended,
        }
    }
}

fn live(event: SessionEvent) -> LiveEvent {
    match event.kind {
        SessionEventKind::Output(bytes) => LiveEvent::Output { offset_after: event.offset, bytes },
        SessionEventKind::Resized { columns, rows } => LiveEvent::Resized { columns, rows },
        SessionEventKind::Summary(session) => LiveEvent::Summary(Box::new(summary(*session))),
        SessionEventKind::Closed { reason } => LiveEvent::Closed { reason },
    }
}

fn question(host: &Host, asked: Asked) -> protocol::Question {
    let Asked { id, profile, question, asked_unix_ms, .. } = asked;
    let label = host.config().destinations.get(&profile).map_or(String::new(), |found| found.profile.label.clone());
    protocol::Question {
        id,
        profile,
        label,
        target: question.target,
        hop: question.hop,
        asked_unix_ms,
        limit_s: question.limit.as_secs(),
        tried: question.tried,
        wanted: wanted(question.wanted),
    }
}

fn approval(host: &Host, asked: AskedApproval) -> protocol::Approval {
    let AskedApproval { id, digest, matter, caller, asked_unix_ms, limit } = asked;
    let found = host.config().destinations.get(&matter.profile);
    let cause = |cause: &approvals::Cause| protocol::Cause {
        policy: cause.policy.clone(),
        verdict: cause.verdict.to_owned(),
        rule_id: cause.rule_id.clone(),
        reason: cause.reason.clone(),
        suggestion: cause.suggestion.clone(),
        span: cause.evidence,
    };
    protocol::Approval {
        id,
        digest,
        session_id: matter.session_id.clone(),
        profile: matter.profile.clone(),
        label: found.map_or(String::new(), |found| found.profile.label.clone()),
        breadcrumb: matter.place.clone(),
        delivery: matter.delivery.to_owned(),
        actor: if matter.actor == Typist::Automation { "automation" } else { "agent" }.to_owned(),
        asked_by: caller.map(|caller| caller.name),
        text: matter.text.clone(),
        causes: matter.causes.iter().map(cause).collect(),
        purpose: matter.purpose.clone(),
        asked_unix_ms,
        limit_s: limit.as_secs(),
    }
}

fn wanted(wanted: Wanted) -> protocol::Wanted {
    match wanted {
        Wanted::Answers { name, instructions, prompts } => {
            let prompt = |Prompt { text, echo }| protocol::Prompt { text, echo };
            protocol::Wanted::Answers { name, instructions, prompts: prompts.into_iter().map(prompt).collect() }
        }
        Wanted::Passphrase { key, again } => protocol::Wanted::Passphrase { key, again },
        Wanted::Password { again } => protocol::Wanted::Password { again },
        Wanted::HostKey { key_type, fingerprint, file, skipped } => {
            protocol::Wanted::HostKey { key_type, fingerprint, file: file.display().to_string(), skipped }
        }
    }
}

fn plugin(listed: ListedPlugin) -> protocol::Plugin {
    protocol::Plugin {
        remarks: listed.remarks(),
        name: listed.info.name,
        kind: listed.info.kind.to_string(),
        digest_sha256: listed.info.digest_sha256,
        failures: listed.info.failures,
    }
}

fn summary(session: SessionSummary) -> protocol::SessionSummary {
    let SessionSummary {
        session_id,
        name,
        profile,
        label,
        host,
        breadcrumb,
        state,
        running_command,
        health,
        opened_unix_ms,
        closed_reason,
        columns,
        rows,
        ..
    } = session;
    protocol::SessionSummary {
        session_id,
        name,
        profile,
        label,
        host,
        breadcrumb,
        state,
        running_command,
        unhealthy_reason: health.reason.filter(|_| health.state == HealthState::Unhealthy),
        opened_unix_ms,
        closed_reason,
        columns,
        rows,
    }
}
