//! Which address leads where, and what every request has to pass first.
//!
//! `guard` stands before everything: it checks Host and Origin, asks for a login where one is
//! needed, and puts the security headers on whatever leaves, refusals included.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Query, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, SET_COOKIE, UPGRADE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Extension, Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::access::{Caller, Door};
use super::backend::{AnswerRefused, AttachFrom, Backend, ControlRefused, RulesChange, SearchRefused};
use super::protocol::{Answer, ApprovalAnswer, ControlRequest, History, SearchQuery, SecretAnswer};
use super::roles::Role;
use super::socket::SocketContext;
use super::terminal::Wanted;
use super::{assets, events, metrics, predecessors, terminal};

/// Everything a caller without a login may reach below [`API`].
const LOGIN: &str = "/api/v1/login";
const API: &str = "/api/";
/// Largest login body in bytes; a token needs far less.
const BODY_LIMIT: usize = 4 * 1024;
/// Largest answer of a person in bytes: a few of the longest, each character escaped.
const ANSWER_LIMIT: usize = 64 * 1024;
/// Longest session id looked up; the host's own are shorter.
const SESSION_ID_LIMIT: usize = 128;

/// Scripts, styles and connections of our own only. xterm.js wants to write style elements and style
/// attributes; the page gives it ways that need no exception here.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
require-trusted-types-for 'script'; trusted-types 'none'";

const SECURITY_HEADERS: [(&str, &str); 7] = [
    ("content-security-policy", CONTENT_POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=(), usb=(), serial=()"),
];

/// What the handlers work with.
pub(super) struct Shared<B> {
    pub(super) backend: B,
    pub(super) door: Door,
    pub(super) context: SocketContext,
    /// Places for searches of the record, shared with the other door.
    pub(super) searches: Arc<Semaphore>,
}

type Site<B> = State<Arc<Shared<B>>>;

/// All routes behind the guard.
pub(super) fn build<B: Backend>(shared: Shared<B>) -> Router {
    let shared = Arc::new(shared);
    Router::new()
        .route("/", get(|| async { assets::index() }))
        .route("/s/{session_id}", get(|| async { assets::index() }))
        .route("/r/{instance_id}/{session_id}", get(|| async { assets::index() }))
        .route("/replay", get(|| async { assets::index() }))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(metrics::ready::<B>))
        .route("/metrics", get(metrics::metrics::<B>))
        .route("/health", get(predecessors::health::<B>))
        .route("/api/sessions", get(predecessors::sessions::<B>))
        .route(LOGIN, post(log_in::<B>))
        .route("/api/v1/me", get(me::<B>))
        .route("/api/v1/sessions", get(sessions::<B>))
        .route("/api/v1/history", get(history::<B>))
        .route("/api/v1/history/{instance_id}/{session_id}", get(transcript::<B>))
        .route("/api/v1/search", get(search::<B>))
        .route("/api/v1/plugins", get(plugins::<B>))
        .route("/api/v1/questions", get(questions::<B>))
        .route("/api/v1/questions/{question_id}", post(answer::<B>).layer(DefaultBodyLimit::max(ANSWER_LIMIT)))
        .route("/api/v1/approvals", get(approvals::<B>))
        .route("/api/v1/approvals/{approval_id}", post(decide::<B>).layer(DefaultBodyLimit::max(ANSWER_LIMIT)))
        .route("/api/v1/events", get(events_socket::<B>))
        .route("/api/v1/sessions/{session_id}/terminal", get(terminal_socket::<B>))
        .route("/api/v1/sessions/{session_id}/control", post(control::<B>))
        .route("/api/v1/sessions/{session_id}/rules", get(rules::<B>).post(set_rule::<B>).delete(reset_rules::<B>))
        .route("/api/v1/sessions/{session_id}/rules/{rule_id}", delete(remove_rule::<B>))
        .route("/api/v1/sessions/{session_id}/secret", post(secret::<B>))
        .route("/{*path}", get(|Path(path): Path<String>| async move { assets::file(&path) }))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn_with_state(Arc::clone(&shared), guard::<B>))
        .with_state(shared)
}

async fn guard<B: Backend>(State(shared): Site<B>, mut request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with(API);
    let mut response = match admit(&shared.door, &request) {
        Ok(caller) => {
            if let Some(caller) = caller {
                request.extensions_mut().insert(caller);
            }
            next.run(request).await
        }
        Err(refusal) => refusal,
    };
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if is_api || !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

#[allow(clippy::result_large_err, reason = "the refusal is the answer and is made once per request")]
fn admit(door: &Door, request: &Request) -> Result<Option<Caller>, Response> {
    let headers = request.headers();
    let reads_only = matches!(*request.method(), Method::GET | Method::HEAD);
    let origin_needed = !reads_only || headers.contains_key(UPGRADE);
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    if let Err(refusal) = door.check_source(peer, request.uri(), headers, origin_needed) {
        let text = format!("{refusal}\n");
        return Err((StatusCode::FORBIDDEN, text).into_response());
    }
    let path = request.uri().path();
    let caller = door.caller(headers);
    match door.links() {
        Some(_) if path.starts_with(API) && path != LOGIN && caller.is_none() => {
            let message = "a login is needed; open the link that Portcullis printed when it started";
            Err(problem(StatusCode::UNAUTHORIZED, "login_needed", message))
        }
        None if caller.is_none() => {
            let message = "the proxy has named nobody who may come in; ask the operator for a role";
            Err(problem(StatusCode::FORBIDDEN, "no_role", message))
        }
        _ => Ok(caller),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    token: String,
}

#[derive(Serialize)]
struct LoggedIn<'a> {
    instance_id: &'a str,
    role: Role,
    /// The person's name, where a proxy tells it.
    user: Option<&'a str>,
}

async fn log_in<B: Backend>(State(shared): Site<B>, body: Result<Json<Login>, JsonRejection>) -> Response {
    let Ok(Json(login)) = body else {
        let message = "send a JSON object with the token, as application/json";
        return problem(StatusCode::BAD_REQUEST, "bad_request", message);
    };
    let Some(access) = shared.door.links() else {
        return problem(StatusCode::NOT_FOUND, "no_links", "links do not count behind the proxy");
    };
    let Some(role) = access.role_of_token(&login.token) else {
        let message = "the token is not the one of this launch; open the link that Portcullis printed when it started";
        return problem(StatusCode::UNAUTHORIZED, "wrong_token", message);
    };
    let cookie = match access.log_in(role) {
        Ok(cookie) => HeaderValue::try_from(cookie).ok(),
        Err(error) => {
            tracing::error!(%error, "no random numbers for a login");
            None
        }
    };
    let Some(cookie) = cookie else {
        return problem(StatusCode::INTERNAL_SERVER_ERROR, "no_login", "the login could not be made; try again");
    };
    ([(SET_COOKIE, cookie)], Json(LoggedIn { instance_id: &shared.context.instance_id, role, user: None }))
        .into_response()
}

/// Who the page is to the host.
async fn me<B: Backend>(State(shared): Site<B>, Extension(caller): Extension<Caller>) -> Response {
    let Caller { role, user } = &caller;
    Json(LoggedIn { instance_id: &shared.context.instance_id, role: *role, user: user.as_deref() }).into_response()
}

async fn sessions<B: Backend>(State(shared): Site<B>) -> Response {
    Json(events::list(&shared.backend, &shared.context.instance_id)).into_response()
}

async fn history<B: Backend>(State(shared): Site<B>, Extension(caller): Extension<Caller>) -> Response {
    Json(History { sessions: shared.backend.past(caller.role.sees_other_launches()).await }).into_response()
}

async fn transcript<B: Backend>(
    State(shared): Site<B>,
    Path((instance_id, session_id)): Path<(String, String)>,
    Extension(caller): Extension<Caller>,
) -> Response {
    match shared.backend.transcript(caller.role.sees_other_launches(), instance_id, session_id).await {
        Some((lines, whole)) => {
            let whole = HeaderValue::from_static(if whole { "yes" } else { "no" });
            let headers = [
                (CONTENT_TYPE, HeaderValue::from_static("application/jsonl")),
                (HeaderName::from_static("x-transcript-whole"), whole),
            ];
            (headers, lines).into_response()
        }
        None => problem(StatusCode::NOT_FOUND, "no_record", "there is no such record, or it cannot be read"),
    }
}

/// Searches the record. A search that has begun goes on when its page leaves, and keeps its place until it ends.
async fn search<B: Backend>(
    State(shared): Site<B>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<SearchQuery>, QueryRejection>,
) -> Response {
    let Ok(Query(query)) = query else {
        let message = "a field of the search is unknown or no value of its kind; docs/viewer.md names them";
        return problem(StatusCode::BAD_REQUEST, "bad_request", message);
    };
    let Ok(place) = Arc::clone(&shared.searches).try_acquire_owned() else {
        let message = "other searches are under way; try again when they have ended";
        return problem(StatusCode::SERVICE_UNAVAILABLE, "busy", message);
    };
    let backend = shared.backend.clone();
    let searching = tokio::spawn(async move {
        let found = backend.search(caller.role.sees_other_launches(), query).await;
        drop(place);
        found
    });
    match searching.await {
        Ok(Ok(found)) => Json(found).into_response(),
        Ok(Err(SearchRefused(why))) => problem(StatusCode::UNPROCESSABLE_ENTITY, "not_fitting", &why),
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "not_searched", "the search was broken off; try again"),
    }
}

async fn plugins<B: Backend>(State(shared): Site<B>) -> Response {
    Json(events::plugins(&shared.backend, &shared.context.instance_id)).into_response()
}

async fn questions<B: Backend>(State(shared): Site<B>) -> Response {
    Json(events::questions(&shared.backend, &shared.context.instance_id)).into_response()
}

async fn answer<B: Backend>(
    State(shared): Site<B>,
    Extension(caller): Extension<Caller>,
    Path(question_id): Path<String>,
    body: Result<Json<Answer>, JsonRejection>,
) -> Response {
    if !caller.role.may_approve() {
        return not_yours("to answer questions");
    }
    // What was sent may be a secret, so the error says nothing of it.
    let Ok(Json(answer)) = body else {
        return problem(
            StatusCode::BAD_REQUEST,
            "bad_request",
            "send a JSON object with an answer, as application/json",
        );
    };
    taken(shared.backend.answer(&question_id, answer))
}

async fn approvals<B: Backend>(State(shared): Site<B>) -> Response {
    Json(events::approvals(&shared.backend, &shared.context.instance_id)).into_response()
}

async fn decide<B: Backend>(
    State(shared): Site<B>,
    Extension(caller): Extension<Caller>,
    Path(approval_id): Path<String>,
    body: Result<Json<ApprovalAnswer>, JsonRejection>,
) -> Response {
    if !caller.role.may_approve() {
        return not_yours("to decide about approvals");
    }
    let Ok(Json(answer)) = body else {
        return problem(
            StatusCode::BAD_REQUEST,
            "bad_request",
            "send a JSON object with `type` (allow_once, allow_rule, deny), `digest` and, to deny, `reason`, as application/json",
        );
    };
    // On record or not at all, also when the page goes away meanwhile.
    let backend = shared.backend.clone();
    match tokio::spawn(async move { backend.decide(&approval_id, answer, caller.by()).await }).await {
        Ok(answered) => taken(answered),
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "not_taken", "the answer was not taken; look at it again"),
    }
}

/// The link is for something else.
fn not_yours(what: &str) -> Response {
    let message = format!("this link does not allow {what}; ask the operator for one that does (`portcullis viewer`)");
    problem(StatusCode::FORBIDDEN, "role", &message)
}

fn taken(answered: Result<(), AnswerRefused>) -> Response {
    match answered {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refused @ AnswerRefused::NotOpen) => problem(StatusCode::GONE, "not_open", &refused.to_string()),
        Err(AnswerRefused::NotFitting(why)) => problem(StatusCode::UNPROCESSABLE_ENTITY, "not_fitting", &why),
    }
}

async fn events_socket<B: Backend>(State(shared): Site<B>, upgrade: WebSocketUpgrade) -> Response {
    let backend = shared.backend.clone();
    shared.context.open(upgrade, |socket, context| events::serve(socket, backend, context))
}

/// Where a terminal's page wants to begin.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    /// Where it has left off.
    from: Option<u64>,
    /// In which launch; offsets of another one mean nothing.
    instance: Option<String>,
    /// With output from before the screen.
    #[serde(default)]
    history: bool,
}

async fn control<B: Backend>(
    State(shared): Site<B>,
    Path(session_id): Path<String>,
    Extension(caller): Extension<Caller>,
    body: Result<Json<ControlRequest>, JsonRejection>,
) -> Response {
    let Ok(Json(request)) = body else {
        let message = "send a JSON object with `type` (take, hand_over, mode, interrupt, close, policy_mode), as application/json";
        return problem(StatusCode::BAD_REQUEST, "bad_request", message);
    };
    // Loosening the policy gives away what an approver would be asked.
    let allowed = match request {
        ControlRequest::PolicyMode { .. } => caller.role.may_approve(),
        _ => caller.role.may_drive(),
    };
    if !allowed {
        return not_yours("that");
    }
    // On record or not at all, also when the page goes away meanwhile.
    let backend = shared.backend.clone();
    done(tokio::spawn(async move { backend.control(&session_id, request, caller.by()).await }).await)
}

/// What a person types where the terminal asks for a secret: no part of it is in any answer or log.
async fn secret<B: Backend>(
    State(shared): Site<B>,
    Path(session_id): Path<String>,
    Extension(caller): Extension<Caller>,
    body: Result<Json<SecretAnswer>, JsonRejection>,
) -> Response {
    if !caller.role.may_drive() {
        return not_yours("to type");
    }
    let Ok(Json(answer)) = body else {
        let message = "send a JSON object with the answer as `text`, as application/json";
        return problem(StatusCode::BAD_REQUEST, "bad_request", message);
    };
    let backend = shared.backend.clone();
    done(tokio::spawn(async move { backend.send_secret(&session_id, answer, caller.by()).await }).await)
}

/// What came of something that was done to a session.
fn done(result: Result<Result<(), ControlRefused>, tokio::task::JoinError>) -> Response {
    match result {
        Ok(Ok(())) => StatusCode::NO_CONTENT.into_response(),
        Ok(Err(refused)) => not_done(&refused),
        Err(_) => broken_off(),
    }
}

fn not_done(refused: &ControlRefused) -> Response {
    let (status, code) = match refused {
        ControlRefused::UnknownSession => (StatusCode::NOT_FOUND, "unknown_session"),
        ControlRefused::Held(_) => (StatusCode::CONFLICT, "held"),
        ControlRefused::NotPossible(_) => (StatusCode::UNPROCESSABLE_ENTITY, "not_possible"),
    };
    problem(status, code, &refused.to_string())
}

fn broken_off() -> Response {
    problem(StatusCode::INTERNAL_SERVER_ERROR, "not_done", "it was not done; look at the session again")
}

/// The rules of a session, for everybody who may watch it.
async fn rules<B: Backend>(State(shared): Site<B>, Path(session_id): Path<String>) -> Response {
    told(shared.backend.session_rules(&session_id, None).await)
}

async fn set_rule<B: Backend>(
    site: Site<B>,
    Path(session_id): Path<String>,
    caller: Extension<Caller>,
    body: Result<Json<Value>, JsonRejection>,
) -> Response {
    match body {
        Ok(Json(rule)) => change_rules(site, session_id, caller, RulesChange::Set(rule)).await,
        Err(_) => {
            let message =
                "send the rule as a JSON object with the keys of [[profiles.NAME.rules]], as application/json";
            problem(StatusCode::BAD_REQUEST, "bad_request", message)
        }
    }
}

async fn remove_rule<B: Backend>(
    site: Site<B>,
    Path((session_id, rule_id)): Path<(String, String)>,
    caller: Extension<Caller>,
) -> Response {
    change_rules(site, session_id, caller, RulesChange::Remove(rule_id)).await
}

async fn reset_rules<B: Backend>(site: Site<B>, Path(session_id): Path<String>, caller: Extension<Caller>) -> Response {
    change_rules(site, session_id, caller, RulesChange::Reset).await
}

async fn change_rules<B: Backend>(
    State(shared): Site<B>,
    session_id: String,
    Extension(caller): Extension<Caller>,
    change: RulesChange,
) -> Response {
    // Taking a rule away loosens what is judged, as another mode does.
    if !caller.role.may_approve() {
        return not_yours("to change what is judged");
    }
    // On record or not at all, also when the page goes away meanwhile.
    let backend = shared.backend.clone();
    match tokio::spawn(async move { backend.session_rules(&session_id, Some(change)).await }).await {
        Ok(report) => told(report),
        Err(_) => broken_off(),
    }
}

fn told(report: Result<Value, ControlRefused>) -> Response {
    match report {
        Ok(report) => Json(report).into_response(),
        Err(refused) => not_done(&refused),
    }
}

async fn terminal_socket<B: Backend>(
    State(shared): Site<B>,
    Path(session_id): Path<String>,
    Query(start): Query<Start>,
    Extension(caller): Extension<Caller>,
    upgrade: WebSocketUpgrade,
) -> Response {
    if session_id.len() > SESSION_ID_LIMIT {
        return problem(StatusCode::NOT_FOUND, "unknown_session", "there is no such session");
    }
    let from = match (start.from, start.history) {
        (Some(offset), _) if start.instance.as_deref() == Some(&*shared.context.instance_id) => {
            AttachFrom::Offset(offset)
        }
        (Some(_), _) | (None, true) => AttachFrom::History(terminal::HISTORY_LIMIT),
        (None, false) => AttachFrom::Screen,
    };
    let backend = shared.backend.clone();
    shared.context.open(upgrade, move |socket, context| {
        terminal::serve(socket, backend, Wanted { session_id, from, caller }, context)
    })
}

#[derive(Serialize)]
struct Problem<'a> {
    error: ProblemBody<'a>,
}

#[derive(Serialize)]
struct ProblemBody<'a> {
    code: &'a str,
    message: &'a str,
}

fn problem(status: StatusCode, code: &str, message: &str) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    (status, headers, Json(Problem { error: ProblemBody { code, message } })).into_response()
}
