//! A silent command's processes, looked at where the profile wants it, again and again while the silence lasts.

use std::time::Duration;

use portcullis_term::{Foreground, Silence};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Actor;
use crate::audit::Entry;
use crate::causes::with_causes;
use crate::ssh::processes::{self, ProcessesError};

/// The second look; each further one waits twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

pub(super) type Seen = Result<Foreground, ProcessesError>;

/// What is under way of it.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// A look that was begun, and the silence it is about.
    looking: Option<(Silence, oneshot::Receiver<Seen>)>,
    /// What the next look is about, when, and how long it is waited after it.
    next: Option<(Silence, Instant, Duration)>,
    /// The server does not say; it is not asked again.
    given_up: bool,
}

impl Watch {
    /// When to look again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.next.as_ref().map(|(_, due, _)| *due).filter(|_| self.looking.is_none())
    }

    /// What has been seen; pending for as long as nobody looks.
    pub(super) async fn seen(&mut self) -> Option<Seen> {
        match &mut self.looking {
            Some((_, seen)) => seen.await.ok(),
            None => std::future::pending().await,
        }
    }
}

impl Actor {
    /// Looks if a command is silent and no look of this silence was made or is to come.
    pub(super) fn watch_silence(&mut self) {
        if !self.profile.watch_processes || self.watch.given_up || self.watch.looking.is_some() {
            return;
        }
        let Some(silence) = self.terminal.silence(self.at()) else { return };
        if self.watch.next.as_ref().is_none_or(|(known, _, _)| *known != silence) {
            self.look_at_processes(silence, FIRST_PAUSE);
        }
    }

    /// The pause is over.
    pub(super) fn watch_due(&mut self) {
        let Some((silence, _, pause)) = self.watch.next.take() else { return };
        if self.terminal.silence(self.at()).as_ref() == Some(&silence) {
            self.look_at_processes(silence, (pause * 2).min(LONGEST_PAUSE));
        }
    }

    fn look_at_processes(&mut self, silence: Silence, pause: Duration) {
        let (tell, seen) = oneshot::channel();
        let (channels, shell_pid) = (self.link.files.clone(), silence.shell_pid);
        tokio::spawn(async move {
            // Nobody waits any more where the session has ended.
            let _ = tell.send(processes::foreground(&channels, shell_pid).await);
        });
        self.watch.next = Some((silence.clone(), Instant::now() + pause, pause));
        self.watch.looking = Some((silence, seen));
    }

    pub(super) fn processes_seen(&mut self, seen: Option<Seen>) {
        let Some((silence, _)) = self.watch.looking.take() else { return };
        match seen {
            Some(Ok(foreground)) => {
                let fed = self.terminal.foreground_seen(&silence, &foreground, self.at());
                let full_screen = self.terminal.alternate_screen();
                self.carry(fed, full_screen);
            }
            // The session's own end tells why.
            None => {}
            Some(Err(error)) => {
                self.watch.given_up = true;
                self.watch.next = None;
                let reason = with_causes(&error);
                let message = format!("the server's processes are not watched (watch_processes): {reason}");
                self.record(&Entry::Error { about: "processes", plugin: None, message: &message });
                self.history.happened(&message);
            }
        }
    }
}
