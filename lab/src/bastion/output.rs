//! The way out of a channel, with the faults that were asked for.

use std::sync::Arc;
use std::time::Duration;

use russh::ChannelWriteHalf;
use russh::server::Msg;

use super::Shared;

/// Time the last allowed bytes have to get onto the wire before the connection is cut.
const CUT_DELAY: Duration = Duration::from_millis(50);

/// The channel can take no more: the client left, or the connection was cut on purpose.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gone;

/// A channel's output. Waits while the client's window is full.
pub(super) struct Output {
    channel: ChannelWriteHalf<Msg>,
    shared: Arc<Shared>,
    connection: u64,
    sent_bytes: u64,
    /// State of the generator of waits.
    random: Option<u64>,
}

impl Output {
    pub(super) fn new(channel: ChannelWriteHalf<Msg>, shared: Arc<Shared>, connection: u64) -> Self {
        // A generator of this kind must not start with nothing.
        let random = shared.options.faults.jitter_seed.map(|seed| seed | 1);
        Self { channel, shared, connection, sent_bytes: 0, random }
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        let piece_bytes = self.shared.options.faults.chunk_bytes.map_or(bytes.len(), |limit| limit.max(1));
        for piece in bytes.chunks(piece_bytes.max(1)) {
            self.send_piece(piece).await?;
        }
        Ok(())
    }

    async fn send_piece(&mut self, piece: &[u8]) -> Result<(), Gone> {
        let faults = &self.shared.options.faults;
        let latency = faults.latency;
        if !latency.is_zero() {
            tokio::time::sleep(self.wait(latency)).await;
        }
        let faults = &self.shared.options.faults;
        let allowed = faults.drop_after_bytes.map(|limit| limit.saturating_sub(self.sent_bytes));
        let keep = allowed.and_then(|left| usize::try_from(left).ok()).unwrap_or(piece.len()).min(piece.len());
        let kept = piece.get(..keep).unwrap_or_default().to_vec();
        self.sent_bytes += kept.len() as u64;
        self.channel.data_bytes(kept).await.map_err(|_closed| Gone)?;
        if faults.drop_after_bytes.is_some_and(|limit| self.sent_bytes >= limit) {
            self.cut().await;
            return Err(Gone);
        }
        Ok(())
    }

    /// Cuts the connection, without any goodbye, once what was sent is on the wire.
    pub(super) async fn cut(&self) {
        tokio::time::sleep(CUT_DELAY).await;
        self.shared.connections.cut(self.connection);
    }

    /// The latency, or a wait around it: xorshift64 (Marsaglia 2003).
    fn wait(&mut self, latency: Duration) -> Duration {
        let Some(random) = &mut self.random else { return latency };
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        let range_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).saturating_mul(2).max(1);
        Duration::from_micros(*random % range_us)
    }

    /// Text of the server itself, for a person to read.
    pub(super) async fn say(&mut self, text: &str) -> Result<(), Gone> {
        self.send(text.as_bytes()).await
    }

    /// Error output of an exec channel.
    pub(super) async fn send_error(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        const STDERR: u32 = 1;
        self.channel.extended_data_bytes(STDERR, bytes.to_vec()).await.map_err(|_closed| Gone)
    }

    /// Ends the channel with the status of what ran in it.
    pub(super) async fn finish(self, status: u32) {
        // Each fails only when the client is gone already.
        let _gone = self.channel.exit_status(status).await;
        let _gone = self.channel.eof().await;
        let _gone = self.channel.close().await;
    }
}
