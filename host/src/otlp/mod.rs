//! The figures sent on to an OpenTelemetry collector: OTLP over HTTP with JSON, metrics only, where the operator
//! names one in `[metrics]`.
//!
//! Not a library of instruments: the figures stand in `metrics` once, and what `/metrics` shows is what is sent.
//! Plain HTTP to a collector on this machine or near it; TLS, batching and retries are the collector's business. Protocol:
//! OTLP 1.x, `POST /v1/metrics`, and its mapping to JSON. One task, begun by `cli::serving`, ends with the host.

mod encode;

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::causes::with_causes;
use crate::config::OtlpConfig;
use crate::{clock, metrics};

/// A collector that is there answers in milliseconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The host's end does not wait longer for one.
const LAST_ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// Of an answer, whose first line is all that matters.
const MOST_ANSWER_BYTES: u64 = 16 * 1024;

/// Why the figures did not arrive.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("the collector cannot be reached")]
    Unreachable(#[from] io::Error),
    #[error("the collector has not answered within {} s", .0.as_secs())]
    Silent(Duration),
    #[error("the collector answered: {0}")]
    Refused(String),
}

/// Sends the figures again and again, and once more when `until` is cancelled.
pub(crate) async fn export(config: OtlpConfig, instance_id: String, until: CancellationToken) {
    let mut due = interval(config.every);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    while !until.is_cancelled() {
        tokio::select! {
            () = until.cancelled() => break,
            sent = async {
                due.tick().await;
                send(&config, &instance_id, ANSWER_WITHIN).await
            } => {
                tell(&sent, failing, &config.authority);
                failing = sent.is_err();
            }
        }
    }
    tell(&send(&config, &instance_id, LAST_ANSWER_WITHIN).await, failing, &config.authority);
}

/// A collector that fails is told of once, and when it takes figures again.
fn tell(sent: &Result<(), SendError>, failing: bool, collector: &str) {
    match sent {
        Ok(()) if failing => tracing::info!(collector, "the collector takes figures again"),
        Ok(()) => {}
        Err(error) if failing => tracing::debug!(collector, %error, "figures were not sent"),
        Err(error) => {
            let error = with_causes(error);
            tracing::warn!(collector, error, "figures were not sent; it is tried again");
        }
    }
}

async fn send(config: &OtlpConfig, instance_id: &str, within: Duration) -> Result<(), SendError> {
    let body = encode::request(&metrics::render(), instance_id, clock::unix_ms()).to_string();
    timeout(within, post(config, &body)).await.map_err(|_elapsed| SendError::Silent(within))?
}

async fn post(OtlpConfig { authority, path, .. }: &OtlpConfig, body: &str) -> Result<(), SendError> {
    let mut stream = TcpStream::connect(authority).await?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         User-Agent: portcullis/{}\r\nConnection: close\r\n\r\n",
        body.len(),
        env!("CARGO_PKG_VERSION")
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MOST_ANSWER_BYTES).read_to_end(&mut answer).await?;
    let first = String::from_utf8_lossy(answer.split(|byte| *byte == b'\r').next().unwrap_or_default()).into_owned();
    let status = first.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    match status {
        Some(status) if status.starts_with('2') => Ok(()),
        _ => Err(SendError::Refused(first.chars().filter(|c| !c.is_control()).take(100).collect())),
    }
}
