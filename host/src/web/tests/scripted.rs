//! A host made of plain values, which the tests change as they go.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::sync::{broadcast, watch};

use crate::web::protocol::{
    Answer, Approval, ApprovalAnswer, ControlRequest, InputControl, PastSession, Plugin, Question, SearchFound,
    SearchHit, SearchQuery, SecretAnswer, SessionSummary,
};
use crate::web::{
    AnswerRefused, AttachError, AttachFrom, Attached, Backend, ControlRefused, KeysError, LiveEvent, LiveEvents,
    LiveItem, RulesChange, SearchRefused,
};

/// Events kept for a reader that is behind; small, so that tests can fall behind.
pub(super) const EVENTS_KEPT: usize = 32;

#[derive(Clone)]
pub(super) struct ScriptedBackend(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    live: broadcast::Sender<LiveEvent>,
    list: watch::Sender<u64>,
    typed: watch::Sender<Vec<u8>>,
    asked: watch::Sender<u64>,
}

struct State {
    summary: SessionSummary,
    offset: u64,
    /// Everything written, where it began at offset 0.
    written: Vec<u8>,
    refusal: Option<String>,
    screen_gone: bool,
    questions: Vec<Question>,
    approvals: Vec<Approval>,
    /// What was said, as its question's id and words.
    said: Vec<(String, String)>,
}

impl Default for ScriptedBackend {
    fn default() -> Self {
        let summary = SessionSummary {
            session_id: "s-lab-1".to_owned(),
            name: None,
            profile: "lab".to_owned(),
            label: "Lab".to_owned(),
            host: "operator@127.0.0.1:2222".to_owned(),
            breadcrumb: vec!["bastion".to_owned()],
            state: "ready".to_owned(),
            running_command: None,
            running_since_unix_ms: None,
            asks_for_secret: false,
            input: InputControl {
                mode: "auto".to_owned(),
                holder: None,
                because: None,
                until_unix_ms: None,
                agent_waits: false,
            },
            policy_mode: "safe".to_owned(),
            last_activity_unix_ms: 1_780_000_000_000,
            unhealthy_reason: None,
            record_problem: None,
            opened_unix_ms: 1_780_000_000_000,
            closed_reason: None,
            columns: 120,
            rows: 40,
        };
        let state = State {
            summary,
            offset: 0,
            written: Vec::new(),
            refusal: None,
            screen_gone: false,
            questions: Vec::new(),
            approvals: Vec::new(),
            said: Vec::new(),
        };
        Self(Arc::new(Shared {
            state: Mutex::new(state),
            live: broadcast::channel(EVENTS_KEPT).0,
            list: watch::channel(0).0,
            typed: watch::channel(Vec::new()).0,
            asked: watch::channel(0).0,
        }))
    }
}

impl ScriptedBackend {
    /// Lets the session write `bytes`.
    pub(super) fn output(&self, bytes: &[u8]) {
        let mut state = self.0.state.lock().unwrap();
        state.offset += bytes.len() as u64;
        state.written.extend_from_slice(bytes);
        let event = LiveEvent::Output { offset_after: state.offset, bytes: bytes.into() };
        // Without a viewer nobody listens.
        let _ = self.0.live.send(event);
    }

    /// Pretends that the session has written this much already.
    pub(super) fn start_at(&self, offset: u64) {
        self.0.state.lock().unwrap().offset = offset;
    }

    pub(super) fn emit(&self, event: LiveEvent) {
        let _ = self.0.live.send(event);
    }

    pub(super) fn change_summary(&self, change: impl FnOnce(&mut SessionSummary)) {
        change(&mut self.0.state.lock().unwrap().summary);
        self.0.list.send_modify(|count| *count += 1);
    }

    pub(super) fn refuse_keys(&self, message: &str) {
        self.0.state.lock().unwrap().refusal = Some(message.to_owned());
    }

    pub(super) fn forget_screen(&self) {
        self.0.state.lock().unwrap().screen_gone = true;
    }

    pub(super) fn ask(&self, question: Question) {
        self.0.state.lock().unwrap().questions.push(question);
        self.0.asked.send_modify(|count| *count += 1);
    }

    pub(super) fn ask_approval(&self, approval: Approval) {
        self.0.state.lock().unwrap().approvals.push(approval);
        self.0.asked.send_modify(|count| *count += 1);
    }

    pub(super) fn said(&self) -> Vec<(String, String)> {
        self.0.state.lock().unwrap().said.clone()
    }

    pub(super) fn viewers(&self) -> usize {
        self.0.live.receiver_count()
    }

    /// Everything typed so far, for waiting on.
    pub(super) fn typed(&self) -> watch::Receiver<Vec<u8>> {
        self.0.typed.subscribe()
    }
}

impl Backend for ScriptedBackend {
    type Live = ScriptedLive;

    fn ready(&self) -> Result<(), String> {
        Ok(())
    }

    fn metrics(&self) -> String {
        "# EOF\n".to_owned()
    }

    fn sessions(&self) -> Vec<SessionSummary> {
        vec![self.0.state.lock().unwrap().summary.clone()]
    }

    fn session_list_changes(&self) -> watch::Receiver<u64> {
        self.0.list.subscribe()
    }

    fn plugins(&self) -> Vec<Plugin> {
        Vec::new()
    }

    fn questions(&self) -> Vec<Question> {
        self.0.state.lock().unwrap().questions.clone()
    }

    fn question_changes(&self) -> watch::Receiver<u64> {
        self.0.asked.subscribe()
    }

    fn approvals(&self) -> Vec<Approval> {
        self.0.state.lock().unwrap().approvals.clone()
    }

    fn approval_changes(&self) -> watch::Receiver<u64> {
        self.0.asked.subscribe()
    }

    async fn decide(&self, approval_id: &str, answer: ApprovalAnswer, by: Option<String>) -> Result<(), AnswerRefused> {
        let mut state = self.0.state.lock().unwrap();
        let place = state.approvals.iter().position(|it| it.id == approval_id).ok_or(AnswerRefused::NotOpen)?;
        let (digest, words) = match answer {
            ApprovalAnswer::AllowOnce { digest, .. } => (digest, "once".to_owned()),
            ApprovalAnswer::AllowRule { digest, .. } => (digest, "rule".to_owned()),
            ApprovalAnswer::Deny { digest, reason, .. } => (digest, format!("deny {reason}")),
        };
        if state.approvals[place].digest != digest {
            return Err(AnswerRefused::NotFitting("another text".to_owned()));
        }
        state.approvals.remove(place);
        state.said.push((approval_id.to_owned(), signed(words, by)));
        drop(state);
        self.0.asked.send_modify(|count| *count += 1);
        Ok(())
    }

    fn answer(&self, question_id: &str, answer: Answer) -> Result<(), AnswerRefused> {
        let mut state = self.0.state.lock().unwrap();
        let place = state.questions.iter().position(|it| it.id == question_id).ok_or(AnswerRefused::NotOpen)?;
        let words = match answer {
            Answer::Answers { answers } => answers.iter().map(|typed| typed.0.as_str()).collect::<Vec<_>>().join("|"),
            Answer::Trust { fingerprint } => format!("trust {fingerprint}"),
            Answer::Refuse {} => "refuse".to_owned(),
        };
        if words == "wrong" {
            return Err(AnswerRefused::NotFitting("that is no answer to this question".to_owned()));
        }
        state.questions.remove(place);
        state.said.push((question_id.to_owned(), words));
        self.0.asked.send_modify(|count| *count += 1);
        Ok(())
    }

    async fn attach(&self, session_id: &str, from: AttachFrom) -> Result<Attached<ScriptedLive>, AttachError> {
        let state = self.0.state.lock().unwrap();
        if session_id != state.summary.session_id {
            return Err(AttachError::UnknownSession);
        }
        if state.screen_gone {
            let reason = state.summary.closed_reason.clone().unwrap_or_default();
            return Err(AttachError::Closed(reason));
        }
        let (first, resumes) = match from {
            AttachFrom::Screen => (state.written.len(), false),
            AttachFrom::History(most) => (state.written.len().saturating_sub(most as usize), false),
            AttachFrom::Offset(offset) => (offset as usize, offset <= state.written.len() as u64),
        };
        let history = state.written.get(first..).unwrap_or_default().to_vec();
        Ok(Attached {
            summary: state.summary.clone(),
            snapshot: (!resumes).then(|| format!("screen at {}", state.offset).into_bytes()),
            history,
            commands: Vec::new(),
            offset: state.offset,
            columns: state.summary.columns,
            rows: state.summary.rows,
            live: ScriptedLive(self.0.live.subscribe()),
        })
    }

    async fn control(
        &self,
        session_id: &str,
        request: ControlRequest,
        by: Option<String>,
    ) -> Result<(), ControlRefused> {
        let mut state = self.0.state.lock().unwrap();
        if session_id != state.summary.session_id {
            return Err(ControlRefused::UnknownSession);
        }
        if let (ControlRequest::Take { force: false }, Some(refusal)) = (&request, &state.refusal) {
            return Err(ControlRefused::Held(refusal.clone()));
        }
        state.said.push((session_id.to_owned(), signed(format!("{request:?}"), by)));
        Ok(())
    }

    async fn session_rules(&self, session_id: &str, change: Option<RulesChange>) -> Result<Value, ControlRefused> {
        let mut state = self.0.state.lock().unwrap();
        if session_id != state.summary.session_id {
            return Err(ControlRefused::UnknownSession);
        }
        if change == Some(RulesChange::Remove("inherited".to_owned())) {
            return Err(ControlRefused::NotPossible("it is not this session's".to_owned()));
        }
        if let Some(change) = change {
            state.said.push((session_id.to_owned(), format!("{change:?}")));
        }
        Ok(serde_json::json!({ "rules": [], "inherited": [] }))
    }

    async fn past(&self, every_launch: bool) -> Vec<PastSession> {
        let here = past_session("here", true);
        if every_launch { vec![here, past_session("elsewhere", false)] } else { vec![here] }
    }

    async fn transcript(&self, every_launch: bool, instance_id: String, _: String) -> Option<(Vec<u8>, bool)> {
        (every_launch || instance_id == "here").then(|| (b"{}\n".to_vec(), true))
    }

    async fn send_human_keys(&self, session_id: &str, bytes: Vec<u8>, by: Option<String>) -> Result<(), KeysError> {
        let mut state = self.0.state.lock().unwrap();
        assert_eq!(session_id, state.summary.session_id);
        if let Some(refusal) = &state.refusal {
            return Err(KeysError(refusal.clone()));
        }
        if by.is_some() {
            state.said.push((session_id.to_owned(), signed("keys".to_owned(), by)));
        }
        self.0.typed.send_modify(|typed| typed.extend_from_slice(&bytes));
        Ok(())
    }

    async fn send_secret(
        &self,
        session_id: &str,
        answer: SecretAnswer,
        by: Option<String>,
    ) -> Result<(), ControlRefused> {
        let mut state = self.0.state.lock().unwrap();
        if !state.summary.asks_for_secret {
            return Err(ControlRefused::NotPossible("nothing is asked".to_owned()));
        }
        state.said.push((session_id.to_owned(), signed(answer.text.0.to_string(), by)));
        Ok(())
    }

    async fn search(&self, every_launch: bool, query: SearchQuery) -> Result<SearchFound, SearchRefused> {
        let pattern = query.pattern.ok_or_else(|| SearchRefused("nothing to look for".to_owned()))?;
        let hit = |instance_id: &str| SearchHit {
            instance_id: instance_id.to_owned(),
            session_id: "s-lab-1".to_owned(),
            profile: "lab".to_owned(),
            number: 1,
            unix_ms: 2,
            kind: "output".to_owned(),
            offset: Some(3),
            actor: query.actor.clone(),
            exit_code: query.exit_code,
            text: pattern.clone(),
        };
        let launches: &[&str] = if every_launch { &["here", "elsewhere"] } else { &["here"] };
        let hits = launches.iter().map(|launch| hit(launch)).collect();
        Ok(SearchFound { hits, more: query.limit == Some(1), files: 1, bytes: 4, problems: Vec::new() })
    }
}

/// With the name of who said it.
fn signed(words: String, by: Option<String>) -> String {
    by.map_or(words.clone(), |by| format!("{words} by {by}"))
}

fn past_session(instance_id: &str, here: bool) -> PastSession {
    PastSession {
        instance_id: instance_id.to_owned(),
        here,
        session_id: "s-lab-1".to_owned(),
        profile: "lab".to_owned(),
        name: None,
        host: "operator@127.0.0.1:2222".to_owned(),
        breadcrumb: Vec::new(),
        opened_unix_ms: 1,
        last_unix_ms: 2,
        closed_reason: None,
        running: here,
        has_content: true,
        bytes: 3,
    }
}

pub(super) struct ScriptedLive(broadcast::Receiver<LiveEvent>);

impl LiveEvents for ScriptedLive {
    async fn next(&mut self) -> LiveItem {
        match self.0.recv().await {
            Ok(event) => LiveItem::Event(event),
            Err(broadcast::error::RecvError::Lagged(_)) => LiveItem::Lagged,
            Err(broadcast::error::RecvError::Closed) => LiveItem::Ended,
        }
    }
}
