//! The host as the browser's adapter sees it.
//!
//! Translation only: what a person types goes to [`ops::send_human_keys`], what a person answers to the desk,
//! what a person allows to [`ops::answer_approval`], everything else reads.

use std::collections::BTreeMap;

use portcullis_term::Typist;
use serde_json::Value;
use tokio::sync::{broadcast, watch};

use crate::approvals::{self, Asked as AskedApproval, Channel, Decision, Scope};
use crate::causes::with_causes;
use crate::config::{PolicyMode, Secret, SecretError, SecretSource, ViewerProxy, ViewerRole};
use crate::desk::{AnswerError, Asked};
use crate::host::Host;
use crate::metrics;
use crate::ops::{
    self, ApprovalError, ListedPlugin, OpError, PastQuery, PastSession, PersonsRequest, RecordFound, RecordHit,
    RecordQuery, Whose,
};
use crate::session::{
    self, HealthState, InputControl, InputMode, Party, RuleChange, SessionError, SessionEvent, SessionEventKind,
    SessionHandle, SessionSummary, TimelineEntry,
};
use crate::ssh::{Answer, Prompt, Wanted};
use crate::web::protocol;
use crate::web::roles::Role;
use crate::web::{
    AnswerRefused, AttachError, AttachFrom, Attached, Backend, ControlRefused, KeysError, LiveEvent, LiveEvents,
    LiveItem, ProxyOptions, RulesChange, SearchRefused,
};

/// What a page may have missed and still go on from where it was, in bytes.
const MOST_MISSED_BYTES: u64 = 512 * 1024;
/// How exactly the list tells the last activity, in milliseconds: each change sends the whole list.
const ACTIVITY_MS: u64 = 5_000;

/// A session's events, in the browser adapter's terms.
pub struct Live {
    host: Host,
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
        let told = |session: &SessionHandle| {
            let last_activity_unix_ms = session.last_activity_unix_ms() / ACTIVITY_MS * ACTIVITY_MS;
            protocol::SessionSummary { last_activity_unix_ms, ..summary(self, session.summary()) }
        };
        Host::sessions(self).all().iter().map(told).collect()
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

    async fn decide(
        &self,
        approval_id: &str,
        answer: protocol::ApprovalAnswer,
        by: Option<String>,
    ) -> Result<(), AnswerRefused> {
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
        let channel = if cli_user.is_some() && by.is_none() { Channel::Cli } else { Channel::Viewer };
        let answer = approvals::Answer { decision, channel, by: by.or(cli_user) };
        ops::answer_approval(self, approval_id, &digest, answer).await.map_err(|error| match error {
            ApprovalError::NotTaken(approvals::AnswerError::NotOpen) | ApprovalError::NoSession => {
                AnswerRefused::NotOpen
            }
            other => AnswerRefused::NotFitting(other.to_string()),
        })
    }

    async fn attach(&self, session_id: &str, from: AttachFrom) -> Result<Attached<Live>, AttachError> {
        let session = Host::sessions(self).get(session_id).ok_or(AttachError::UnknownSession)?;
        let from = match from {
            AttachFrom::Screen => session::AttachFrom::Screen { history_bytes: 0 },
            AttachFrom::History(history_bytes) => session::AttachFrom::Screen { history_bytes },
            AttachFrom::Offset(offset) => session::AttachFrom::Offset { offset, most_bytes: MOST_MISSED_BYTES },
        };
        let attachment = session.attach(from).await.map_err(|error| AttachError::Failed(error.to_string()))?;
        Ok(Attached {
            summary: summary(self, session.summary()),
            snapshot: attachment.snapshot,
            history: attachment.history,
            commands: attachment.timeline.into_iter().map(command).collect(),
            offset: attachment.offset,
            columns: attachment.columns,
            rows: attachment.rows,
            live: Live { host: self.clone(), events: attachment.live, _present: metrics::viewer() },
        })
    }

    async fn control(
        &self,
        session_id: &str,
        request: protocol::ControlRequest,
        by: Option<String>,
    ) -> Result<(), ControlRefused> {
        if Host::sessions(self).get(session_id).is_none() {
            return Err(ControlRefused::UnknownSession);
        }
        let asked =
            persons_request(&request).ok_or_else(|| ControlRefused::NotPossible("there is no such mode".to_owned()))?;
        ops::control(self, session_id, asked, by).await.map_err(|error| match &error {
            OpError::Session { source: SessionError::Held { .. }, .. } => ControlRefused::Held(error.to_string()),
            _ => ControlRefused::NotPossible(error.to_string()),
        })
    }

    async fn session_rules(&self, session_id: &str, change: Option<RulesChange>) -> Result<Value, ControlRefused> {
        if Host::sessions(self).get(session_id).is_none() {
            return Err(ControlRefused::UnknownSession);
        }
        let report = match change {
            None => ops::session_rules(self, Some(session_id)),
            Some(change) => {
                let change = rule_change(change).map_err(|error| ControlRefused::NotPossible(with_causes(&error)))?;
                ops::change_session_rules(self, Some(session_id), Party::Human, change).await
            }
        };
        let report = report.map_err(|error| ControlRefused::NotPossible(with_causes(&error)))?;
        serde_json::to_value(report).map_err(|error| ControlRefused::NotPossible(error.to_string()))
    }

    async fn past(&self, every_launch: bool) -> Vec<protocol::PastSession> {
        let listed = ops::past_sessions(self, whose(every_launch)).await;
        listed.into_iter().map(|session| past(ops::is_here(self, &session), session)).collect()
    }

    async fn transcript(&self, every_launch: bool, instance_id: String, session_id: String) -> Option<(Vec<u8>, bool)> {
        ops::past_transcript(self, whose(every_launch), instance_id, session_id).await.ok()
    }

    async fn send_human_keys(&self, session_id: &str, bytes: Vec<u8>, by: Option<String>) -> Result<(), KeysError> {
        ops::send_human_keys(self, session_id, bytes, by).await.map_err(|error| KeysError(error.to_string()))
    }

    async fn send_secret(
        &self,
        session_id: &str,
        answer: protocol::SecretAnswer,
        by: Option<String>,
    ) -> Result<(), ControlRefused> {
        let typing = ops::send_human_secret(self, session_id, Secret::new(answer.text.0), by);
        typing.await.map_err(|error| match &error {
            OpError::UnknownSession { .. } => ControlRefused::UnknownSession,
            OpError::Session { source: SessionError::Held { .. }, .. } => ControlRefused::Held(error.to_string()),
            _ => ControlRefused::NotPossible(error.to_string()),
        })
    }

    async fn search(
        &self,
        every_launch: bool,
        query: protocol::SearchQuery,
    ) -> Result<protocol::SearchFound, SearchRefused> {
        let found = ops::search_past(self, whose(every_launch), past_query(query)).await;
        found.map(search_found).map_err(|error| SearchRefused(error.to_string()))
    }
}

impl LiveEvents for Live {
    async fn next(&mut self) -> LiveItem {
        match self.events.recv().await {
            Ok(event) => LiveItem::Event(live(&self.host, event)),
            Err(broadcast::error::RecvError::Lagged(_)) => LiveItem::Lagged,
            Err(broadcast::error::RecvError::Closed) => LiveItem::Ended,
        }
    }
}

fn live(host: &Host, event: SessionEvent) -> LiveEvent {
    match event.kind {
        SessionEventKind::Output(bytes) => LiveEvent::Output { offset_after: event.offset, bytes },
        SessionEventKind::Resized { columns, rows } => LiveEvent::Resized { columns, rows },
        SessionEventKind::Summary(session) => LiveEvent::Summary(Box::new(summary(host, *session))),
        SessionEventKind::Command(entry) => LiveEvent::Command(Box::new(command(*entry))),
        SessionEventKind::Closed { reason } => LiveEvent::Closed { reason },
    }
}

fn whose(every_launch: bool) -> Whose {
    if every_launch { Whose::AllInstances } else { Whose::ThisInstance }
}

fn past(here: bool, session: PastSession) -> protocol::PastSession {
    protocol::PastSession {
        here,
        instance_id: session.instance_id,
        session_id: session.session_id,
        profile: session.profile,
        name: session.name,
        host: session.host,
        breadcrumb: session.breadcrumb,
        opened_unix_ms: session.opened_unix_ms,
        last_unix_ms: session.last_unix_ms,
        closed_reason: session.closed_reason,
        running: session.running,
        has_content: session.has_content,
        bytes: session.bytes,
    }
}

fn past_query(asked: protocol::SearchQuery) -> PastQuery {
    let protocol::SearchQuery {
        pattern,
        regex,
        ignore_case,
        since,
        until,
        host,
        session,
        actor,
        kind,
        verdict,
        exit_code,
        command,
        limit,
    } = asked;
    let query = RecordQuery {
        pattern,
        is_regex: regex,
        ignore_case,
        host,
        session,
        actor,
        kind,
        verdict,
        exit_code,
        command,
        ..RecordQuery::default()
    };
    PastQuery { query, since, until, limit }
}

fn search_found(found: RecordFound) -> protocol::SearchFound {
    let RecordFound { hits, more, files, bytes, problems } = found;
    protocol::SearchFound { hits: hits.into_iter().map(search_hit).collect(), more, files, bytes, problems }
}

fn search_hit(hit: RecordHit) -> protocol::SearchHit {
    // The page leads to a replay by itself.
    let RecordHit { instance, session, profile, number, unix_ms, kind, offset, actor, exit_code, text, .. } = hit;
    protocol::SearchHit {
        instance_id: instance,
        session_id: session,
        profile,
        number,
        unix_ms,
        kind,
        offset,
        actor,
        exit_code,
        text,
    }
}

fn persons_request(request: &protocol::ControlRequest) -> Option<PersonsRequest> {
    use protocol::ControlRequest as Asked;
    Some(match request {
        Asked::Take { force } => PersonsRequest::Take { force: *force },
        Asked::HandOver {} => PersonsRequest::HandOver,
        Asked::Interrupt {} => PersonsRequest::Interrupt,
        Asked::Close {} => PersonsRequest::Close,
        Asked::Mode { mode } => {
            let all = [InputMode::Auto, InputMode::Common, InputMode::Human, InputMode::Agent];
            PersonsRequest::Mode(all.into_iter().find(|it| it.as_str() == mode)?)
        }
        Asked::PolicyMode { mode } => {
            let all = [PolicyMode::Safe, PolicyMode::Full];
            PersonsRequest::PolicyMode(all.into_iter().find(|it| it.as_str() == mode)?)
        }
    })
}

fn rule_change(change: RulesChange) -> Result<RuleChange, OpError> {
    Ok(match change {
        RulesChange::Set(rule) => RuleChange::Set(Box::new(ops::read_rule(rule)?)),
        RulesChange::Remove(id) => RuleChange::Remove(id),
        RulesChange::Reset => RuleChange::Reset,
    })
}

fn command(entry: TimelineEntry) -> protocol::Command {
    let TimelineEntry { id, actor, text, started_unix_ms, duration_ms, offset, outcome, exit_code, verdict, rule_id } =
        entry;
    let actor = match actor {
        Typist::Agent => "agent",
        Typist::Human => "human",
        Typist::Automation => "automation",
    };
    protocol::Command {
        id,
        actor: actor.to_owned(),
        text,
        started_unix_ms,
        duration_ms,
        offset,
        outcome,
        exit_code,
        verdict,
        rule_id,
    }
}

fn input(control: InputControl) -> protocol::InputControl {
    protocol::InputControl {
        mode: control.mode.as_str().to_owned(),
        holder: control.holder.map(|holder| holder.who.as_str().to_owned()),
        because: control.holder.map(|holder| holder.because.as_str().to_owned()),
        until_unix_ms: control.holder.and_then(|holder| holder.until_unix_ms),
        agent_waits: control.agent_waits,
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

fn summary(host: &Host, session: SessionSummary) -> protocol::SessionSummary {
    let policy_mode = ops::policy_mode(host, &session).as_str().to_owned();
    let last_activity_unix_ms = session.opened_unix_ms;
    let SessionSummary {
        session_id,
        name,
        profile,
        label,
        host,
        breadcrumb,
        state,
        running_command,
        running_since_unix_ms,
        asks_for_secret,
        input: control,
        health,
        record_problem,
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
        running_since_unix_ms,
        asks_for_secret,
        input: input(control),
        policy_mode,
        last_activity_unix_ms,
        unhealthy_reason: health.reason.filter(|_| health.state == HealthState::Unhealthy),
        record_problem,
        opened_unix_ms,
        closed_reason,
        columns,
        rows,
    }
}

/// What the operator has written about the proxy, as the server takes it.
///
/// # Errors
/// When the secret cannot be read now.
pub fn proxy_options(proxy: &ViewerProxy) -> Result<ProxyOptions, SecretError> {
    let role = |role: ViewerRole| match role {
        ViewerRole::Operator => Role::Operator,
        ViewerRole::Observer => Role::Observer,
        ViewerRole::Driver => Role::Driver,
        ViewerRole::Approver => Role::Approver,
    };
    let roles =
        |named: &BTreeMap<String, ViewerRole>| named.iter().map(|(name, it)| (name.clone(), role(*it))).collect();
    let secret = proxy.secret.as_ref().map(SecretSource::read).transpose()?;
    Ok(ProxyOptions {
        listen: proxy.listen,
        trusted: proxy.trusted.clone(),
        secret: secret.map(|secret| secret.expose().to_owned().into()),
        hosts: proxy.hosts.clone(),
        origins: proxy.origins.clone(),
        user_header: proxy.user_header.clone(),
        groups_header: proxy.groups_header.clone(),
        users: roles(&proxy.users),
        groups: roles(&proxy.groups),
        default_role: proxy.default_role.map(role),
    })
}
