//! How a call goes, as its client is told: each step of a navigation as it begins, a command that has begun, and
//! a sign of life while anything else takes long. As notifications to calls whose client gave a token; what is made
//! a task ([`super::tasks`]) shows the same as its status.

use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::Peer;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::under_way::{Came, Halt, UnderWay};
use crate::ops::Progress;

/// Clients that give up on silent calls wait at least ten seconds.
const SIGN_OF_LIFE_EVERY: Duration = Duration::from_secs(5);

tokio::task_local! {
    /// Where the present call's steps go. A navigation has some dozens of them at most.
    static STEPS: UnboundedSender<Step>;
}

/// What a call has come to on its way.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// A step of a navigation or a search.
    Takes(String),
    /// A command was typed.
    Runs { session_id: String, job_id: String },
}

impl Step {
    /// For whoever waits.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Takes(what) => what.clone(),
            Self::Runs { session_id, job_id } => format!("runs as job {job_id} in session {session_id}"),
        }
    }
}

/// For the operation that the present call makes.
pub(super) fn reporter() -> Progress {
    let steps = STEPS.try_with(UnboundedSender::clone);
    steps.map_or_else(
        |_outside| Progress::default(),
        |steps| {
            Progress::new(move |number, what| {
                // Nobody listens any more when the call is over.
                let _unheard = steps.send(Step::Takes(format!("step {number}: {what}")));
            })
        },
    )
}

/// Says that the present call's command runs now.
pub(super) fn runs(session_id: &str, job_id: &str) {
    let step = Step::Runs { session_id: session_id.to_owned(), job_id: job_id.to_owned() };
    // A call that nobody listens to has no channel, and one that is over no listener.
    let _unheard = STEPS.try_with(|steps| steps.send(step));
}

/// The call, and its steps as they come.
pub(super) fn heard<T>(call: impl Future<Output = T>) -> (impl Future<Output = T>, UnboundedReceiver<Step>) {
    let (sender, steps) = mpsc::unbounded_channel();
    (STEPS.scope(sender, call), steps)
}

/// Has the call go on and tells its client how it goes, until it is over or a person is to be asked.
pub(super) async fn told(under_way: &mut UnderWay, peer: Peer<RoleServer>, token: ProgressToken) -> Halt {
    let began = Instant::now();
    let mut signs = interval_at(began + SIGN_OF_LIFE_EVERY, SIGN_OF_LIFE_EVERY);
    signs.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = Told { peer, token, count: 0.0 };
    loop {
        let came = tokio::select! {
            biased;
            came = under_way.next() => Some(came),
            _ = signs.tick() => None,
        };
        match came {
            Some(Came::Step(step)) => told.tell(step.words()).await,
            Some(Came::Halt(halt)) => return halt,
            None => {
                let questions = under_way.questions();
                let waits = questions.first().map(|it| format!("waits for a person to allow it (approval {})", it.id));
                let what = waits.unwrap_or_else(|| "goes on".to_owned());
                told.tell(format!("{what}, {} s so far", began.elapsed().as_secs())).await;
            }
        }
    }
}

struct Told {
    peer: Peer<RoleServer>,
    token: ProgressToken,
    /// Has to grow with each message.
    count: f64,
}

impl Told {
    async fn tell(&mut self, message: String) {
        self.count += 1.0;
        let progress = ProgressNotificationParam::new(self.token.clone(), self.count).with_message(message);
        if let Err(error) = self.peer.notify_progress(progress).await {
            tracing::debug!(%error, "a progress notification was not sent");
        }
    }
}
