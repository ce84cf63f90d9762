//! What machines ask: whether the host is ready, and its figures.
//!
//! Neither says anything of a session or of what is done there. The figures need the token or a login all the
//! same: they tell what the operator's plugins and tools are called, and when somebody works.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::backend::Backend;
use super::router::Shared;

/// OpenMetrics, version 1.0.0.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// 200 while the host can do its work, 503 with the reason otherwise.
pub(super) async fn ready<B: Backend>(State(shared): State<Arc<Shared<B>>>) -> Response {
    if shared.context.shutdown.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the host ends\n").into_response();
    }
    match shared.backend.ready() {
        Ok(()) => "ok\n".into_response(),
        Err(problem) => {
            tracing::warn!(problem, "the host is not ready");
            // Whoever asks without a login learns no paths.
            (StatusCode::SERVICE_UNAVAILABLE, "the record cannot be written; the host's log says why\n").into_response()
        }
    }
}

/// The figures, for whoever has the token (`Authorization: Bearer`) or a login.
pub(super) async fn metrics<B: Backend>(State(shared): State<Arc<Shared<B>>>, headers: HeaderMap) -> Response {
    if shared.door.caller(&headers).is_none() {
        let text = "the token of this launch is needed, as `Authorization: Bearer TOKEN`; it stands in server.json\n";
        return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")], text).into_response();
    }
    ([(CONTENT_TYPE, OPEN_METRICS)], shared.backend.metrics()).into_response()
}
