//! The host as the browser's adapter sees it.
//!
//! Translation only: what a person types goes to [`ops::send_human_keys`], everything else reads.

use tokio::sync::{broadcast, watch};

use crate::host::Host;
use crate::ops;
use crate::session::{HealthState, SessionEvent, SessionEventKind, SessionSummary};
use crate::web::protocol;
use crate::web::{AttachError, Attached, Backend, KeysError, LiveEvent, LiveEvents, LiveItem};

/// A session's events, in the browser adapter's terms.
pub struct Live(broadcast::Receiver<SessionEvent>);

impl Backend for Host {
    type Live = Live;

    fn sessions(&self) -> Vec<protocol::SessionSummary> {
        Host::sessions(self).all().iter().map(|session| summary(session.summary())).collect()
    }

    fn session_list_changes(&self) -> watch::Receiver<u64> {
        Host::sessions(self).watch()
    }

    async fn attach(&self, session_id: &str) -> Result<Attached<Live>, AttachError> {
        let session = Host::sessions(self).get(session_id).ok_or(AttachError::UnknownSession)?;
        let attachment = session.attach().await.map_err(|error| AttachError::Failed(error.to_string()))?;
        Ok(Attached {
            summary: summary(session.summary()),
            snapshot: attachment.snapshot,
            offset: attachment.offset,
            columns: attachment.columns,
            rows: attachment.rows,
            live: Live(attachment.live),
        })
    }

    async fn send_human_keys(&self, session_id: &str, bytes: Vec<u8>) -> Result<(), KeysError> {
        ops::send_human_keys(self, session_id, bytes).await.map_err(|error| KeysError(error.to_string()))
    }
}

impl LiveEvents for Live {
    async fn next(&mut self) -> LiveItem {
        match self.0.recv().await {
            Ok(event) => LiveItem::Event(live(event)),
            Err(broadcast::error::RecvError::Lagged(_)) => LiveItem::Lagged,
            Err(broadcast::error::RecvError::Closed) => LiveItem::Ended,
        }
    }
}

fn live(event: SessionEvent) -> LiveEvent {
    match event.kind {
        SessionEventKind::Output(bytes) => LiveEvent::Output { offset_after: event.offset, bytes },
        SessionEventKind::Resized { columns, rows } => LiveEvent::Resized { columns, rows },
        SessionEventKind::Summary(session) => LiveEvent::Summary(Box::new(summary(*session))),
        SessionEventKind::Closed { reason } => LiveEvent::Closed { reason },
    }
}

fn summary(session: SessionSummary) -> protocol::SessionSummary {
    let SessionSummary {
        session_id,
        name,
        profile,
        label,
        host,
        breadcrumb,
        state,
        running_command,
        health,
        opened_unix_ms,
        closed_reason,
        columns,
        rows,
        ..
    } = session;
    protocol::SessionSummary {
        session_id,
        name,
        profile,
        label,
        host,
        breadcrumb,
        state,
        running_command,
        unhealthy_reason: health.reason.filter(|_| health.state == HealthState::Unhealthy),
        opened_unix_ms,
        closed_reason,
        columns,
        rows,
    }
}
