//! A thread of a session's own for large outputs, begun with the first of them.
//!
//! It has a lower priority than the threads that serve everybody. Where all cores are busy a flood then waits for
//! other sessions rather than they for it: what is not read here the server does not go on to print.

use std::sync::mpsc::{SyncSender, sync_channel};

use tokio::sync::oneshot;

/// A third of a core's share where everybody wants one.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

type Work = Box<dyn FnOnce() + Send>;

/// The thread. It ends when this is dropped.
pub(super) struct Aside(SyncSender<Work>);

impl Aside {
    /// Starts it.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub(super) fn start(session_id: &str) -> std::io::Result<Self> {
        let (sender, inbox) = sync_channel::<Work>(1);
        std::thread::Builder::new().name(format!("output of {session_id}")).spawn(move || {
            // Without it everything works, a flood only gets its full share. Elsewhere it would be the whole
            // process's.
            #[cfg(target_os = "linux")]
            let _ = rustix::process::setpriority_process(None, NICENESS);
            inbox.iter().for_each(|work| work());
        })?;
        Ok(Self(sender))
    }

    /// Does the work there; none when the thread is gone, which takes a panic.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (tell, told) = oneshot::channel();
        let work = move || {
            // Whoever has asked waits for it.
            let _ = tell.send(work());
        };
        self.0.send(Box::new(work)).ok()?;
        told.await.ok()
    }
}
