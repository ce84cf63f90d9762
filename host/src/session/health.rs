//! Whether the session's connection is alive, as far as is known.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::clock;

/// What is known of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// It answers, or has had no reason to.
    Healthy,
    /// A sign of life was asked for and has not come.
    Unhealthy,
    Closed,
}

/// The connection's health. A summary carries no times that change by themselves; a status does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Health {
    pub state: HealthState,
    /// What is missing, or why it was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the server was last heard, while it is unhealthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_unix_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_reply_ms_ago: Option<u64>,
    /// From the last request for a sign of life to its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<f64>,
}

/// What the session's task remembers of the signs of life.
#[derive(Debug)]
pub(super) struct Pulse {
    heard: Instant,
    round_trip: Option<Duration>,
    /// What is missing, and since when (Unix time).
    missing: Option<(String, u64)>,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self { heard: Instant::now(), round_trip: None, missing: None }
    }

    /// The server has sent something; how long it had been silent when that was doubted.
    pub(super) fn heard(&mut self, round_trip: Option<Duration>) -> Option<Duration> {
        let silence = self.heard.elapsed();
        self.heard = Instant::now();
        self.round_trip = round_trip.or(self.round_trip);
        self.missing.take().map(|_| silence)
    }

    /// The server has not answered; whether that is news.
    pub(super) fn missed(&mut self, unanswered: u32, limit: u32, silence: Duration) -> bool {
        let reason = format!(
            "nothing has come from the server for {:.0} s, {unanswered} of {limit} requests for a sign of life are unanswered",
            silence.as_secs_f64()
        );
        let since = match &self.missing {
            Some((_, since)) => *since,
            None => clock::unix_ms().saturating_sub(silence.as_millis() as u64),
        };
        self.missing.replace((reason, since)).is_none()
    }

    /// As a summary shows it.
    pub(super) fn health(&self, closed: Option<&str>) -> Health {
        let plain =
            |state, reason| Health { state, reason, since_unix_ms: None, last_reply_ms_ago: None, round_trip_ms: None };
        match (closed, &self.missing) {
            (Some(reason), _) => plain(HealthState::Closed, Some(reason.to_owned())),
            (None, Some((reason, since))) => {
                Health { since_unix_ms: Some(*since), ..plain(HealthState::Unhealthy, Some(reason.clone())) }
            }
            (None, None) => plain(HealthState::Healthy, None),
        }
    }

    /// As a status shows it: with the times of this moment.
    pub(super) fn health_now(&self, closed: Option<&str>) -> Health {
        Health {
            last_reply_ms_ago: Some(self.heard.elapsed().as_millis() as u64),
            round_trip_ms: self.round_trip.map(|time| (time.as_secs_f64() * 1e6).round() / 1e3),
            ..self.health(closed)
        }
    }
}
