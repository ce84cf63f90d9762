//! The stream under a connection, TCP or a channel of the hop before, with a switch to cut it.
//!
//! russh runs a connection in a task of its own, which looks neither at dropped handles while keys are
//! being exchanged nor at a peer that has stopped reading. Both would leave a task and a socket behind;
//! here every read and write ends when the switch is thrown or the peer takes nothing for too long.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::keepalive::LastHeard;

/// How long a peer may take none of our bytes. TCP itself would wait a quarter of an hour and more.
const WRITE_STALL_LIMIT: Duration = Duration::from_secs(60);

/// What a connection can run over.
pub(super) trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

pub(super) struct GuardedStream {
    stream: Box<dyn Transport>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    stall: Pin<Box<Sleep>>,
    stalled: bool,
    first_write_done: bool,
    identified: Arc<AtomicBool>,
    heard: Arc<LastHeard>,
}

impl GuardedStream {
    /// Throwing `cut` ends all reading and writing. `identified` becomes true when the server has named
    /// its version: russh answers a valid identification with its second write, and only then. `heard`
    /// notes every arrival.
    pub(super) fn new(
        stream: Box<dyn Transport>,
        cut: CancellationToken,
        identified: Arc<AtomicBool>,
        heard: Arc<LastHeard>,
    ) -> Self {
        Self {
            stream,
            cut: Box::pin(cut.cancelled_owned()),
            stall: Box::pin(tokio::time::sleep(WRITE_STALL_LIMIT)),
            stalled: false,
            first_write_done: false,
            identified,
            heard,
        }
    }

    fn check_cut(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.cut.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Pending => Ok(()),
        }
    }

    fn check_stall(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if !self.stalled {
            self.stalled = true;
            self.stall.as_mut().reset(Instant::now() + WRITE_STALL_LIMIT);
        }
        self.stall.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for GuardedStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.check_cut(context)?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            this.heard.now();
        }
        read
    }
}

impl AsyncWrite for GuardedStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check_cut(context)?;
        match Pin::new(&mut this.stream).poll_write(context, bytes) {
            Poll::Pending => this.check_stall(context),
            Poll::Ready(result) => {
                this.stalled = false;
                if this.first_write_done {
                    this.identified.store(true, Ordering::Relaxed);
                }
                this.first_write_done = true;
                Poll::Ready(result)
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    /// Never fails: the peer may be gone already, and russh would let that error hide why it ended.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context).map(|_| Ok(()))
    }
}
