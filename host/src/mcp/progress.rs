//! Progress notifications for calls whose client gave a token: each step of a navigation as it begins,
//! and a sign of life while anything else takes long.

use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::Peer;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::answer::Answer;
use crate::host::Host;
use crate::ops::Progress;

/// Clients that give up on silent calls wait at least ten seconds.
const SIGN_OF_LIFE_EVERY: Duration = Duration::from_secs(5);

tokio::task_local! {
    /// Where the present call's steps go. A navigation has some dozens of them at most.
    static STEPS: UnboundedSender<String>;
}

/// For the operation that the present call makes.
pub(super) fn reporter() -> Progress {
    let steps = STEPS.try_with(UnboundedSender::clone);
    steps.map_or_else(
        |_outside| Progress::default(),
        |steps| {
            Progress::new(move |number, what| {
                // Nobody listens any more when the call is over.
                let _unheard = steps.send(format!("step {number}: {what}"));
            })
        },
    )
}

/// Where it can be seen that a person is waited for.
pub(super) struct Waits {
    pub(super) host: Host,
    pub(super) connection: u64,
}

impl Waits {
    /// What a call of this connection waits for.
    fn words(&self) -> Option<String> {
        let open = self.host.approvals().open().into_iter();
        let mut own = open.filter(|asked| asked.caller.as_ref().is_some_and(|it| it.connection == self.connection));
        own.next().map(|asked| format!("waits for a person to allow it (approval {})", asked.id))
    }
}

/// Runs the call and tells its client how it goes.
pub(super) async fn told(
    call: impl Future<Output = Answer>,
    peer: Peer<RoleServer>,
    token: ProgressToken,
    waits: Waits,
) -> Answer {
    let (sender, mut steps) = mpsc::unbounded_channel();
    let call = STEPS.scope(sender, call);
    tokio::pin!(call);
    let began = Instant::now();
    let mut signs = interval_at(began + SIGN_OF_LIFE_EVERY, SIGN_OF_LIFE_EVERY);
    signs.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = Told { peer, token, count: 0.0 };
    loop {
        tokio::select! {
            biased;
            Some(step) = steps.recv() => told.tell(step).await,
            reply = &mut call => return reply,
            _ = signs.tick() => {
                let what = waits.words().unwrap_or_else(|| "goes on".to_owned());
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
