//! The stream under a connection, TCP or a channel of the hop before, with a switch to cut it.
//!
//! russh runs a connection in a task of its own, which looks neither at dropped handles while keys are
//! being exchanged nor at a peer that has stopped reading. Both would leave a task and a socket behind;
//! here every read and write ends when the switch is thrown or the peer takes nothing for too long.

use std::{
    io,
    ops::Range,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
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

/// Two of the largest packets servers send.
const READ_AHEAD_BYTES: usize = 64 * 1024;
/// What nobody reads any more as it comes.
const FLOOD_BYTES_PER_S: u128 = 4_000_000;
/// Long enough for more than one packet, short enough to notice a flood at once.
const MEASURED: Duration = Duration::from_millis(4);
/// A millisecond of a flood is a few dozen kilobytes, much less than servers may have under way.
const FLOOD_PAUSE: Duration = Duration::from_millis(1);

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
    ahead: ReadAhead,
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
            ahead: ReadAhead::new(),
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

/// Bytes taken from the system before they are asked for: russh asks twice for each packet, and a terminal's
/// packets are small.
///
/// In a flood they are left with the system for a moment, so that many are taken at once. Otherwise the thread
/// that serves everybody is woken for each few kilobytes, has used up its share of a busy machine by that, and
/// then all other sessions wait for a core with it.
struct ReadAhead {
    bytes: Box<[u8]>,
    /// What of them has not been given on yet.
    left: Range<usize>,
    measured_since: Instant,
    measured_bytes: usize,
    floods: bool,
    pause: Option<Pin<Box<Sleep>>>,
}

impl ReadAhead {
    fn new() -> Self {
        let bytes = vec![0; READ_AHEAD_BYTES].into_boxed_slice();
        Self { bytes, left: 0..0, measured_since: Instant::now(), measured_bytes: 0, floods: false, pause: None }
    }

    fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Takes what there is; nothing at the end of the stream.
    fn poll_fill(&mut self, stream: &mut Box<dyn Transport>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(context));
            self.pause = None;
        }
        let mut buffer = ReadBuf::new(&mut self.bytes);
        ready!(Pin::new(stream).poll_read(context, &mut buffer))?;
        let count = buffer.filled().len();
        self.left = 0..count;
        self.measure(count);
        if self.floods && count < READ_AHEAD_BYTES {
            self.pause = Some(Box::pin(tokio::time::sleep(FLOOD_PAUSE)));
        }
        Poll::Ready(Ok(()))
    }

    fn measure(&mut self, count: usize) {
        self.measured_bytes += count;
        let elapsed = self.measured_since.elapsed();
        if elapsed >= MEASURED {
            self.floods = self.measured_bytes as u128 * 1_000 >= elapsed.as_millis() * FLOOD_BYTES_PER_S;
            self.measured_since = Instant::now();
            self.measured_bytes = 0;
        }
    }

    fn give(&mut self, buffer: &mut ReadBuf<'_>) {
        let count = self.left.len().min(buffer.remaining());
        buffer.put_slice(&self.bytes[self.left.start..self.left.start + count]);
        self.left.start += count;
    }
}

impl AsyncRead for GuardedStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.check_cut(context)?;
        if this.ahead.is_empty() {
            ready!(this.ahead.poll_fill(&mut this.stream, context))?;
            if !this.ahead.is_empty() {
                this.heard.now();
            }
        }
        this.ahead.give(buffer);
        Poll::Ready(Ok(()))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    fn guarded(size: usize) -> (GuardedStream, DuplexStream) {
        let (near, far) = duplex(size);
        let guarded =
            GuardedStream::new(Box::new(near), CancellationToken::new(), Arc::default(), Arc::new(LastHeard::new()));
        (guarded, far)
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_come_in_order_at_once_and_end() {
        let (mut stream, mut far) = guarded(1 << 20);
        let begun = Instant::now();
        let sent: Vec<u8> = (0..200_000_u32).map(|number| (number % 251) as u8).collect();
        far.write_all(&sent).await.unwrap();
        drop(far);
        let mut received = vec![0; 5];
        stream.read_exact(&mut received).await.unwrap();
        stream.read_to_end(&mut received).await.unwrap();
        assert!(received == sent);
        assert!(begun.elapsed() < Duration::from_millis(10), "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_taken_in_large_pieces_and_what_follows_it_at_once() {
        let (mut stream, mut far) = guarded(1 << 20);
        // 16 MB a second, in packets as a terminal makes them.
        tokio::spawn(async move {
            for _ in 0..500 {
                for _ in 0..4 {
                    far.write_all(&[b'x'; 4_000]).await.unwrap();
                    tokio::task::yield_now().await;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            far.write_all(b"prompt").await.unwrap();
            std::future::pending::<()>().await;
        });
        let (mut bytes, mut reads, mut buffer) = (0, 0, vec![0; READ_AHEAD_BYTES]);
        while bytes < 8_000_000 {
            bytes += stream.read(&mut buffer).await.unwrap();
            reads += 1;
        }
        assert!(reads < 1_000, "{reads}");
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 6);
        assert!(!stream.ahead.floods && stream.ahead.pause.is_none());
    }
}
