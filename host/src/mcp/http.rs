//! MCP over HTTP: the protocol's "streamable HTTP", for several clients of one host.
//!
//! The library speaks the protocol, for both eras; here stands who may come in. Each request shows a bearer
//! token, which says whose it is; sessions of the host belong to that client, unless the operator shares them,
//! and so do the library's own sessions (until 2025-11-25). Host and Origin are those of this machine unless
//! configured: a web page can reach a loopback address.
//!
//! Tasks: one that accepts, one per connection, and the library's per session and request; all end when the
//! token given to [`serve_http`] is cancelled.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::session::{SessionId, SessionManager};
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::server::{Handler, MAX_LINE_BYTES, Shared, Starting};
use super::toolsets::Toolset;
use crate::listen;

/// Where the protocol is served.
const PATH: &str = "/mcp";
/// Where clients look for it when they are turned away, with and without the path (RFC 9728).
const METADATA_PATHS: [&str; 2] =
    ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"];
/// An MCP session without a request or an open stream for so long is forgotten; the host's own sessions stay.
const SESSION_KEPT: Duration = Duration::from_secs(3600);
/// Fewest characters of a token: 128 random bits written in base64 take 22.
const SHORTEST_TOKEN: usize = 22;

/// What the operator chose about the server.
pub struct HttpOptions {
    pub address: SocketAddr,
    /// Name and token of each client.
    pub clients: Vec<(String, String)>,
    /// Host names beside those of this machine, with or without a port.
    pub allowed_hosts: Vec<String>,
    /// Origins of pages beside those of this machine.
    pub allowed_origins: Vec<String>,
    /// All clients may use all of the host's sessions.
    pub shared_sessions: bool,
    /// MCP sessions at once.
    pub max_sessions: usize,
    /// Calls at once.
    pub max_calls: usize,
    /// Its own address and the authorization servers that give tokens for it.
    pub resource: Option<(String, Vec<String>)>,
    /// Which tools the clients find.
    pub toolset: Toolset,
    /// Results have their structured part.
    pub structured: bool,
}

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("no client has a token, so nobody could come in; name one in [mcp.http.clients]")]
    NoClients,
    #[error(
        "the token of the client `{0}` is shorter than {SHORTEST_TOKEN} characters; give it 128 random bits or more"
    )]
    WeakToken(String),
    #[error(
        "{0} can be reached from other machines, and tokens would cross the network in the clear; listen on 127.0.0.1 behind a \
         proxy that speaks TLS, or name the hosts it may be reached as in `allowed_hosts` of [mcp.http]"
    )]
    NotLoopback(SocketAddr),
    #[error("the MCP server cannot listen on {address}; choose another address or port")]
    Bind {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
}

/// A running server.
pub struct HttpServer {
    /// Where it listens.
    pub address: SocketAddr,
    acceptor: JoinHandle<()>,
    tasks: TaskTracker,
}

impl HttpServer {
    /// Waits until every connection has ended. Returns soon after the shutdown token is cancelled.
    pub async fn stopped(self) {
        // A panic in the acceptor has been reported by the runtime; the connections still end.
        let _ = self.acceptor.await;
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Whose request it is; none where sessions are shared.
#[derive(Debug, Clone)]
pub(super) struct Principal(pub(super) Option<Arc<str>>);

/// Starts the server and returns once it listens.
///
/// # Errors
/// See [`HttpError`]; nothing is left running then.
pub async fn serve_http(
    starting: Starting,
    options: HttpOptions,
    shutdown: CancellationToken,
) -> Result<HttpServer, HttpError> {
    if options.clients.is_empty() {
        return Err(HttpError::NoClients);
    }
    if let Some((name, _)) = options.clients.iter().find(|(_, token)| token.len() < SHORTEST_TOKEN) {
        return Err(HttpError::WeakToken(name.clone()));
    }
    if !options.address.ip().is_loopback() && options.allowed_hosts.is_empty() {
        return Err(HttpError::NotLoopback(options.address));
    }
    let failed = |source| HttpError::Bind { address: options.address, source };
    let listener = TcpListener::bind(options.address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let tasks = TaskTracker::new();
    let router = router(starting, options, &shutdown);
    let acceptor = tokio::spawn(listen::accept(listener, router, tasks.clone(), shutdown));
    Ok(HttpServer { address, acceptor, tasks })
}

fn router(starting: Starting, options: HttpOptions, shutdown: &CancellationToken) -> Router {
    let mut sessions = LocalSessionManager::default();
    sessions.session_config.keep_alive = Some(SESSION_KEPT);
    let sessions = Arc::new(sessions);
    let shared = Shared::new(starting, options.toolset, options.structured, options.max_calls, shutdown.clone());
    let until = shutdown.clone();
    let config = StreamableHttpServerConfig::default()
        .with_allowed_hosts(
            ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into_iter().chain(options.allowed_hosts),
        )
        .with_allowed_origins(
            ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"]
                .map(str::to_owned)
                .into_iter()
                .chain(options.allowed_origins),
        )
        .with_max_request_body_bytes(MAX_LINE_BYTES)
        .with_cancellation_token(shutdown.clone());
    let make = move || Ok(Handler::for_http(shared.clone(), &until));
    let service = StreamableHttpService::new(make, sessions.clone(), config);
    let metadata = options.resource.as_ref().map(metadata);
    let door = Arc::new(Door {
        clients: options.clients.into_iter().map(|(name, token)| (name.into(), digest(&token))).collect(),
        shared_sessions: options.shared_sessions,
        max_sessions: options.max_sessions,
        owners: Mutex::default(),
        sessions,
        metadata_address: options.resource.as_ref().and_then(|(resource, _)| metadata_address(resource)),
    });
    let guarded = Router::new().route_service(PATH, service).layer(from_fn_with_state(door, enter));
    METADATA_PATHS.iter().fold(guarded, |router, path| match metadata.clone() {
        Some(metadata) => router.route(path, get(move || async move { Json(metadata) })),
        None => router,
    })
}

/// OAuth's description of a protected resource (RFC 9728).
fn metadata((resource, servers): &(String, Vec<String>)) -> Value {
    json!({
        "resource": resource,
        "authorization_servers": servers,
        "bearer_methods_supported": ["header"],
        "resource_name": "Portcullis"
    })
}

/// Where the metadata of this resource lies, as clients reach it.
fn metadata_address(resource: &str) -> Option<String> {
    let (scheme, rest) = resource.split_once("://")?;
    let host = rest.split('/').next()?;
    Some(format!("{scheme}://{host}{}", METADATA_PATHS[0]))
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// What stands between the network and the protocol.
struct Door {
    /// Names, and digests of their tokens.
    clients: Vec<(Arc<str>, [u8; 32])>,
    shared_sessions: bool,
    max_sessions: usize,
    /// Which client has opened which MCP session.
    owners: Mutex<HashMap<String, Arc<str>>>,
    sessions: Arc<LocalSessionManager>,
    metadata_address: Option<String>,
}

/// Lets a request in, or says why not.
async fn enter(State(door): State<Arc<Door>>, mut request: Request, next: Next) -> Response {
    let Some(client) = door.client(request.headers()) else { return door.unauthorized(request.headers()) };
    let principal = Principal(Some(client.clone()).filter(|_| !door.shared_sessions));
    request.extensions_mut().insert(principal);
    if let Some(id) = header(request.headers(), "mcp-session-id") {
        // Somebody else's session looks like one that never was.
        return match door.owner(id).is_some_and(|owner| owner == client) {
            true => next.run(request).await,
            false => (StatusCode::NOT_FOUND, "Not Found: Session not found").into_response(),
        };
    }
    let response = next.run(request).await;
    // One that was just opened.
    let opened = header(response.headers(), "mcp-session-id").map(str::to_owned);
    match opened {
        Some(id) if !door.admit(&id, client).await => {
            let text = "too many MCP sessions; end one, or try again later";
            (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "30")], text).into_response()
        }
        _ => response,
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

impl Door {
    /// The client whose token the request shows. Every token is compared, so that the time tells nothing.
    fn client(&self, headers: &HeaderMap) -> Option<Arc<str>> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (only, None) = (values.next()?.to_str().ok()?, values.next()) else { return None };
        let (scheme, token) = only.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let shown = digest(token.trim());
        let mut found = None;
        for (name, known) in &self.clients {
            let same: Choice = known.ct_eq(&shown);
            if bool::from(same) {
                found = Some(name.clone());
            }
        }
        found
    }

    fn unauthorized(&self, headers: &HeaderMap) -> Response {
        let mut challenge = "Bearer realm=\"portcullis\"".to_owned();
        if headers.contains_key(AUTHORIZATION) {
            challenge.push_str(", error=\"invalid_token\"");
        }
        if let Some(address) = &self.metadata_address {
            challenge.push_str(&format!(", resource_metadata=\"{address}\""));
        }
        let text = "a bearer token of this server is needed: `Authorization: Bearer TOKEN`";
        let mut response = (StatusCode::UNAUTHORIZED, [(CONTENT_TYPE, "text/plain")], text).into_response();
        if let Ok(value) = HeaderValue::from_str(&challenge) {
            response.headers_mut().insert(WWW_AUTHENTICATE, value);
        }
        response
    }

    fn owner(&self, id: &str) -> Option<Arc<str>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Notes whose session it is, and forgets those that have ended; one too many ends at once.
    async fn admit(&self, id: &str, client: Arc<str>) -> bool {
        let there: HashSet<SessionId> = self.sessions.sessions.read().await.keys().cloned().collect();
        if there.len() > self.max_sessions {
            if let Err(error) = self.sessions.close_session(&id.into()).await {
                tracing::debug!(%error, "an MCP session too many has ended by itself");
            }
            return false;
        }
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.retain(|id, _| there.contains(id.as_str()));
        owners.insert(id.to_owned(), client);
        true
    }
}
