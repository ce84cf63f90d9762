//! What a policy asks about waits for a person here, on its way through the gate.
//!
//! `ask → record → broker → person → record → gate again`: the text is judged anew with the consent, at the
//! place where the terminal is by then. The caller waits as long as it has time; then the approval stays open
//! and the same call takes it up. A task for each approval sees to its end: its time, its session, its caller.

use std::time::{Duration, Instant};

use portcullis_term::{AwaitingKind, NotReady};
use serde::Serialize;

use super::{OpError, callers, place};
use crate::approvals::{
    self, Approvals, Asked, Caller, Denial, Fate, Joined, Leave, Matter, Outcome, Waited, Waiter, Why,
};
use crate::audit::ApprovalRecord;
use crate::clock;
use crate::gate::{Action, Cleared, Intent, Place, Refusal};
use crate::host::Host;
use crate::session::{SessionError, SessionHandle};

/// How long after its time the end of an approval may come.
const LAPSE: Duration = Duration::from_secs(10);
/// Longest purpose that is shown, in characters.
const MAX_PURPOSE_CHARS: usize = 500;

/// An approval that waits for a person, as an agent is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AwaitingApproval {
    /// Always `awaiting_approval`.
    pub outcome: &'static str,
    /// Always `approval`.
    pub kind: AwaitingKind,
    pub approval_id: String,
    pub session_id: String,
    pub breadcrumb: Vec<String>,
    /// The exact text that waits.
    pub text: String,
    pub rule_id: String,
    pub reason: String,
    /// Where a person answers; the link that logs a browser in is printed by `portcullis viewer`.
    pub viewer: Option<String>,
    pub expires_in_s: u64,
    /// False where the call was about something else, which has to come after this.
    pub of_this_call: bool,
    /// Nothing of the call was typed.
    pub sent: bool,
}

/// All that wait, of sessions this call may use.
pub(super) fn waiting(host: &Host) -> Vec<AwaitingApproval> {
    let own = |asked: &Asked| callers::may_use(host, &asked.matter.session_id);
    host.approvals().open().into_iter().filter(own).map(|asked| awaiting(host, asked, true)).collect()
}

fn awaiting(host: &Host, asked: Asked, of_this_call: bool) -> AwaitingApproval {
    let waited_s = clock::unix_ms().saturating_sub(asked.asked_unix_ms) / 1000;
    let cause = asked.matter.causes.first();
    AwaitingApproval {
        outcome: "awaiting_approval",
        kind: AwaitingKind::Approval,
        viewer: host.desk().viewer().map(|viewer| format!("{viewer}s/{}", asked.matter.session_id)),
        session_id: asked.matter.session_id.clone(),
        breadcrumb: asked.matter.place.clone(),
        text: asked.matter.text.clone(),
        rule_id: cause.map(|cause| cause.rule_id.clone()).unwrap_or_default(),
        reason: cause.map(|cause| cause.reason.clone()).unwrap_or_default(),
        expires_in_s: asked.limit.as_secs().saturating_sub(waited_s),
        approval_id: asked.id,
        of_this_call,
        sent: false,
    }
}

/// As [`clear`], for a call whose time is over at `until`: the time a person took is added to it where the caller is
/// patient.
pub(super) async fn clear_in_time(
    host: &Host,
    session: &SessionHandle,
    place: &Place,
    intent: Intent,
    until: &mut Instant,
) -> Result<Cleared, OpError> {
    let asked = Instant::now();
    let cleared = clear(host, session, place, intent, *until).await?;
    if is_patient(approvals::caller().as_ref()) {
        *until += asked.elapsed();
    }
    Ok(cleared)
}

fn is_patient(caller: Option<&Caller>) -> bool {
    caller.is_some_and(|caller| caller.is_patient)
}

/// Asks the gate, and a person where a policy wants one asked. What is refused is on record before anyone
/// hears of it.
pub(super) async fn clear(
    host: &Host,
    session: &SessionHandle,
    place: &Place,
    intent: Intent,
    until: Instant,
) -> Result<Cleared, OpError> {
    let leave = host.approvals().standing_leave(session.id().as_str());
    match host.gate().clear(place, intent.clone(), &leave).await {
        Ok(cleared) if types(&intent.action) => match host.approvals().open_in(session.id().as_str()) {
            // It would be typed under the eyes of a person who decides about something else.
            Some(other) => Err(waits(host, other, false)),
            None => Ok(cleared),
        },
        Ok(cleared) => Ok(cleared),
        Err(refusal) => {
            session.record_refusal((*refusal).clone()).await?;
            match refusal.matter().cloned() {
                Some(matter) => {
                    let asking = Asking { host, session, place, intent, until, leave };
                    asking.person(refusal, matter).await
                }
                None => Err(refused(session, refusal)),
            }
        }
    }
}

/// It adds to what stands in the terminal. Stopping a command, a person's keys and files beside it do not.
fn types(action: &Action) -> bool {
    match action {
        Action::Run { .. } | Action::MenuLine { .. } | Action::Type { .. } | Action::Secret { .. } => true,
        Action::Press { key } => !key.is_interrupt(),
        Action::Stop { .. } | Action::Human { .. } | Action::HumanSecret { .. } | Action::File { .. } => false,
    }
}

fn refused(session: &SessionHandle, refusal: Box<Refusal>) -> OpError {
    OpError::Refused { refusal, session_id: session.id().to_string() }
}

fn waits(host: &Host, asked: Asked, of_this_call: bool) -> OpError {
    OpError::AwaitingApproval(Box::new(awaiting(host, asked, of_this_call)))
}

/// One text on its way to a person.
struct Asking<'a> {
    host: &'a Host,
    session: &'a SessionHandle,
    place: &'a Place,
    intent: Intent,
    until: Instant,
    /// What is allowed already.
    leave: Leave,
}

impl Asking<'_> {
    async fn person(self, refusal: Box<Refusal>, mut matter: Matter) -> Result<Cleared, OpError> {
        self.could_be_typed().await?;
        matter.purpose = matter.purpose.as_deref().map(shown_purpose);
        let caller = approvals::caller();
        let limit = self.place.destination.approval_timeout;
        let somebody = self.host.desk().viewer().is_some() || caller.as_ref().is_some_and(|caller| caller.elicits);
        if !somebody || limit.is_zero() {
            return Err(self.denied(refusal, Denial { approval_id: None, why: Why::NobodyToAsk }));
        }
        let digest = matter.digest();
        let until = match is_patient(caller.as_ref()) {
            true => Instant::now() + limit + LAPSE,
            false => self.until,
        };
        let waiter = match self.host.approvals().join(matter, caller, limit) {
            Joined::Refused(denial) => return Err(self.denied(refusal, denial)),
            Joined::Busy(other) => {
                let of_this_call = other.digest == digest;
                return Err(waits(self.host, other, of_this_call));
            }
            Joined::Waiting { waiter, is_new } => {
                if is_new {
                    self.begin(&waiter).await?;
                }
                waiter
            }
        };
        match waiter.wait(until.into()).await {
            Waited::StillOpen(asked) => Err(waits(self.host, asked, true)),
            Waited::Settled(Outcome::Denied(denial)) => Err(self.denied(refusal, denial)),
            Waited::Settled(Outcome::Allowed(leave)) => self.again(leave).await,
        }
    }

    /// Nobody is asked about a line that has no prompt to go to.
    async fn could_be_typed(&self) -> Result<(), OpError> {
        let Action::Run { .. } = &self.intent.action else { return Ok(()) };
        let (position, state) = (self.session.position().await?, self.session.summary().state);
        match (state.as_str(), position.running) {
            ("at_prompt", _) => Ok(()),
            (_, Some(running)) => Err(SessionError::NotReady(NotReady::Running(running)).into()),
            (state, None) => Err(SessionError::NotReady(NotReady::NoPrompt(state.to_owned())).into()),
        }
    }

    /// Puts on record that a person is asked, and has somebody look after it.
    async fn begin(&self, waiter: &Waiter) -> Result<(), OpError> {
        let (asked, session) = (waiter.asked().clone(), self.session.clone());
        tokio::spawn(look_after(self.host.approvals().clone(), session.clone(), asked.clone()));
        // In a task of its own: once the question is there, a call may be left as it stands until it is answered.
        let recorded = tokio::spawn(async move { session.record_approval(record(&asked, "asked")).await });
        Ok(recorded.await.unwrap_or(Err(SessionError::Gone))?)
    }

    /// Judges the text anew, where the terminal is now, with the consent.
    async fn again(self, leave: Leave) -> Result<Cleared, OpError> {
        let mut now = place(self.session, &self.place.destination, &self.session.position().await?);
        if let Action::File { .. } = &self.intent.action {
            // It lies beside the terminal, whatever reads that.
            now.reader.clone_from(&self.place.reader);
        }
        if types(&self.intent.action) && !is_same(self.place, &now) {
            let labels = |place: &Place| {
                let labels: Vec<&str> = place.levels.iter().map(|level| level.label.as_str()).collect();
                labels.join(" › ")
            };
            return Err(OpError::ApprovalMoved {
                session_id: self.session.id().to_string(),
                before: labels(self.place),
                now: labels(&now),
                state: self.session.summary().state,
            });
        }
        let leave = self.leave.and(leave);
        match self.host.gate().clear(&now, self.intent, &leave).await {
            Ok(cleared) => Ok(cleared),
            // A policy has changed its mind meanwhile.
            Err(refusal) => {
                self.session.record_refusal((*refusal).clone()).await?;
                Err(refused(self.session, refusal))
            }
        }
    }

    fn denied(&self, refusal: Box<Refusal>, denial: Denial) -> OpError {
        refused(self.session, refusal.denied(denial))
    }
}

/// Both read the same, on the same path.
fn is_same(one: &Place, other: &Place) -> bool {
    let path = |place: &Place| place.levels.iter().map(|level| (level.kind, level.label.clone())).collect::<Vec<_>>();
    path(one) == path(other) && one.terminal == other.terminal && one.reader == other.reader
}

/// An agent's own words, for a person: one line, without anything that could pass for something else.
fn shown_purpose(purpose: &str) -> String {
    purpose.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_PURPOSE_CHARS).collect()
}

/// Sees to the end of one approval, whoever is gone by then.
async fn look_after(approvals: std::sync::Arc<Approvals>, session: SessionHandle, asked: Asked) {
    let mut summary = session.watch_summary();
    let over = tokio::time::sleep(asked.limit);
    let ended = async {
        // A session whose task is gone has ended too.
        let _ = summary.wait_for(|summary| summary.closed_reason.is_some()).await;
    };
    tokio::pin!(over, ended);
    let (why, state) = tokio::select! {
        biased;
        fate = approvals.fate(&asked.id) => {
            if fate == Fate::Withdrawn {
                note(&session, record(&asked, "withdrawn")).await;
                approvals.forget_withdrawn(&asked.id);
            }
            return;
        }
        () = &mut ended => (Why::SessionClosed, "session_closed"),
        () = &mut over => (Why::Expired { after: asked.limit }, "expired"),
    };
    // An answer that is just being recorded came in time.
    let Some(claim) = approvals.claim_end(&asked.id) else { return };
    note(&session, record(&asked, state)).await;
    claim.lapse(why);
}

/// A record that is missing here stops nothing: nothing is typed for it.
async fn note(session: &SessionHandle, record: ApprovalRecord) {
    if let Err(error) = session.record_approval(record).await {
        tracing::warn!(%error, "the end of an approval was not recorded");
    }
}

/// What the transcript says of it.
pub(super) fn record(asked: &Asked, state: &'static str) -> ApprovalRecord {
    let matter = &asked.matter;
    ApprovalRecord {
        approval_id: asked.id.clone(),
        state,
        actor: matter.actor,
        delivery: matter.delivery,
        text: matter.text.clone(),
        digest_sha256: asked.digest.clone(),
        breadcrumb: matter.place.clone(),
        rules: matter.asking_rules().into_iter().map(|rule| rule.rule_id).collect(),
        purpose: matter.purpose.clone(),
        asked_by: asked.caller.as_ref().map(|caller| caller.name.clone()),
        scope: None,
        channel: None,
        by: None,
        reason: None,
    }
}
