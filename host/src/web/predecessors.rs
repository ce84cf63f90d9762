//! What scripts around the predecessors' viewers read: `/health` of ssh-session-mcp, and `/api/sessions`, which both
//! have and which carries the fields of both.
//!
//! Read-only. Unlike theirs the list needs a login or the token, as everything that says something of a session does.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::HOST;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::backend::Backend;
use super::protocol::SessionSummary;
use super::router::Shared;
use crate::clock;

/// Whether it is there; and with a login, how many sessions are open.
pub(super) async fn health<B: Backend>(State(shared): State<Arc<Shared<B>>>, headers: HeaderMap) -> Response {
    let mut told = here(&shared, &headers);
    let open = || shared.backend.sessions().iter().filter(|session| session.closed_reason.is_none()).count();
    told["sessions"] = json!(shared.door.caller(&headers).map(|_| open()));
    Json(told).into_response()
}

/// The sessions of this host.
pub(super) async fn sessions<B: Backend>(State(shared): State<Arc<Shared<B>>>, headers: HeaderMap) -> Response {
    let mut told = here(&shared, &headers);
    let instance_id = &shared.context.instance_id;
    let base = told["viewerBaseUrl"].as_str().unwrap_or_default().to_owned();
    let listed = shared.backend.sessions();
    told["sessions"] = listed.iter().map(|session| listed_session(session, instance_id, &base)).collect();
    told["server"] = json!({ "server_instance_id": instance_id, "viewer_base_url": base });
    Json(told).into_response()
}

fn here<B: Backend>(shared: &Shared<B>, headers: &HeaderMap) -> Value {
    // The guard has checked it: it is this server's name.
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let port = host.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
    json!({
        "ok": true,
        "instanceId": shared.context.instance_id,
        "viewerBaseUrl": format!("http://{host}"),
        "viewerPort": port,
    })
}

fn listed_session(session: &SessionSummary, instance_id: &str, base: &str) -> Value {
    let (user, address) = session.host.split_once('@').unwrap_or(("", &session.host));
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) => (host, port.parse::<u16>().ok()),
        None => (address, None),
    };
    let (created_at, active_at) = (clock::moment(session.opened_unix_ms), clock::moment(session.last_activity_unix_ms));
    let viewer_url = format!("{base}/s/{}", session.session_id);
    let health = match (&session.closed_reason, &session.unhealthy_reason) {
        (Some(_), _) => "closed",
        (None, Some(_)) => "unhealthy",
        (None, None) => "healthy",
    };
    let status = if health == "healthy" { "open" } else { health };
    json!({
        "session_id": session.session_id, "sessionId": session.session_id,
        "sessionName": session.name,
        "sessionRef": session.name.as_ref().unwrap_or(&session.session_id),
        "profile": session.profile, "deviceId": session.profile,
        "owner_label": session.label,
        "instanceId": instance_id, "server_instance_id": instance_id,
        "host": host, "port": port, "username": user, "user": user,
        "cols": session.columns, "rows": session.rows,
        "created_at": created_at, "createdAt": created_at,
        "last_activity_at": active_at, "lastActivityAt": active_at,
        "health_status": health, "health_error": session.unhealthy_reason,
        "status": status, "storage_scope": "active",
        "closed": session.closed_reason.is_some(), "closeReason": session.closed_reason,
        "viewer_url": viewer_url, "viewerUrl": viewer_url,
    })
}
