//! A call under way: what one request begins and, where its client's user is asked between two requests, another
//! goes on with.
//!
//! Since the revision 2026-07-28 a client takes no requests: a call that needs consent is answered with the question,
//! and made again with what its user said. In between the call is kept here as it stands, half of a route behind it
//! or a session already opened, and nothing of it goes on: a client that does not come back has nothing typed. Who
//! makes the same call again goes on with it, whether the answer came this way or in the viewer.
//!
//! One task for each call that is kept, which forgets it when its question is long over.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use rmcp::model::JsonObject;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;
use tracing::Instrument;

use super::answer::Answer;
use super::elicitation;
use super::progress::{self, Step};
use super::tool::Tool;
use super::tools;
use crate::approvals::{self, Asked, Caller};
use crate::host::Host;

/// Calls kept at once, of all clients; the oldest makes room for the next.
const MOST_KEPT: usize = 64;
/// A request is held open for so long while a person decides elsewhere.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(45);
/// A call outlives its question for so long, to say that nobody answered.
const KEPT_AFTER: Duration = Duration::from_secs(60);

/// See the module.
pub(super) struct UnderWay {
    host: Host,
    call: BoxFuture<'static, Answer>,
    steps: UnboundedReceiver<Step>,
    caller: Caller,
    /// Its client's user is asked outside of it.
    asks: bool,
    /// Approvals its client's user was asked about.
    asked: HashSet<String>,
    /// When they are asked again, having made no decision.
    asked_again: Option<Instant>,
}

/// How a call goes.
pub(super) enum Came {
    Step(Step),
    Halt(Halt),
}

/// Where a call stands still.
pub(super) enum Halt {
    /// A person is to be asked; told once for each approval.
    Asks(Box<Asked>),
    Answered(Box<Answer>),
}

impl UnderWay {
    /// Where its caller has not said how long it wants to wait, it waits for `patience`. `asks` says that its user is
    /// asked with what [`Halt::Asks`] tells.
    pub(super) fn begin(
        host: &Host,
        tool: &Tool,
        arguments: JsonObject,
        caller: Caller,
        asks: bool,
        patience: Option<Duration>,
    ) -> Self {
        let span = tracing::info_span!("call", tool = tool.name, client = caller.name);
        let call = tools::with_patience(patience, (tool.call)(host.clone(), arguments)).instrument(span);
        let (call, steps) = progress::heard(call);
        // A number of its own tells its questions from those of the client's other calls.
        let connection = if asks { elicitation::connection() } else { caller.connection };
        let caller = Caller { connection, ..caller };
        Self { host: host.clone(), call: call.boxed(), steps, caller, asks, asked: HashSet::new(), asked_again: None }
    }

    /// What comes next. A call that has answered is not asked again.
    pub(super) async fn next(&mut self) -> Came {
        let mut changes = self.host.approvals().watch();
        loop {
            changes.borrow_and_update();
            if self.asks
                && let Some(asked) = self.question()
            {
                self.asked.insert(asked.id.clone());
                return Came::Halt(Halt::Asks(Box::new(asked)));
            }
            tokio::select! {
                biased;
                Some(step) = self.steps.recv() => return Came::Step(step),
                // Who it is made for is said at each poll.
                answer = approvals::on_behalf(self.caller.clone(), &mut self.call) => {
                    return Came::Halt(Halt::Answered(Box::new(answer)));
                }
                Ok(()) = changes.changed(), if self.asks => {}
                () = at(self.asked_again) => self.asks_again(),
            }
        }
    }

    /// Until it stands still; its steps are left unheard.
    pub(super) async fn halt(&mut self) -> Halt {
        loop {
            if let Came::Halt(halt) = self.next().await {
                return halt;
            }
        }
    }

    /// What it waits for and has not told yet.
    fn question(&self) -> Option<Asked> {
        self.questions().into_iter().find(|asked| !self.asked.contains(&asked.id))
    }

    /// What it waits for a person to allow.
    pub(super) fn questions(&self) -> Vec<Asked> {
        elicitation::open_questions(&self.host, self.caller.connection)
    }

    /// A step that has come already.
    pub(super) fn heard(&mut self) -> Option<Step> {
        self.steps.try_recv().ok()
    }

    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    /// Whoever it is made for.
    pub(super) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What was told before and is still open is told again.
    fn asks_again(&mut self) {
        self.asked.clear();
        self.asked_again = None;
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// What makes two calls the same.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Same {
    pub(super) principal: Option<Arc<str>>,
    pub(super) tool: &'static str,
    pub(super) arguments: JsonObject,
}

/// The calls that are kept until their client comes back.
#[derive(Default)]
pub(super) struct Kept(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    calls: Vec<(u64, Same, UnderWay)>,
    next_number: u64,
}

impl Kept {
    /// Keeps a call whose user is being asked that.
    pub(super) fn keep(self: &Arc<Self>, call: UnderWay, same: Same, asked: &Asked) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = inner.next_number;
        inner.next_number += 1;
        let oldest = (inner.calls.len() >= MOST_KEPT).then(|| inner.calls.remove(0));
        inner.calls.push((number, same, call));
        drop(inner);
        // It takes its question back.
        drop(oldest);
        tokio::spawn(forget(Arc::downgrade(self), number, asked.limit + KEPT_AFTER));
    }

    /// The same call as it was left; `is_answered` when its client brings what its user said.
    pub(super) fn take(&self, same: &Same, is_answered: bool) -> Option<UnderWay> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = inner.calls.iter().position(|(_, kept, _)| kept == same)?;
        let (_, _, mut call) = inner.calls.remove(at);
        match is_answered {
            true => call.asked_again = Some(Instant::now() + ASKED_AGAIN_AFTER),
            false => call.asks_again(),
        }
        Some(call)
    }
}

async fn forget(kept: Weak<Kept>, number: u64, after: Duration) {
    tokio::time::sleep(after).await;
    let Some(kept) = kept.upgrade() else { return };
    let mut inner = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
    let at = inner.calls.iter().position(|(kept, ..)| *kept == number);
    let forgotten = at.map(|at| inner.calls.remove(at));
    drop(inner);
    drop(forgotten);
}
