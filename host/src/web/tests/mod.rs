//! The server over real sockets, with a scripted host behind it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed step should stop the test")]

mod access;
mod approvals;
mod client;
mod proxy;
mod questions;
mod roles;
mod scripted;
mod terminal;

use std::net::{IpAddr, Ipv4Addr};

use tokio_util::sync::CancellationToken;

use self::client::Client;
use self::scripted::ScriptedBackend;
use super::roles::Tokens;
use super::{WebError, WebOptions, WebServer, serve};

const TOKEN: &str = "9b1c6f0a7e5d4c3b2a190817f6e5d4c3";

/// A running server; dropping it asks everything to end.
struct Fixture {
    backend: ScriptedBackend,
    client: Client,
    server: Option<WebServer>,
    shutdown: CancellationToken,
}

impl Fixture {
    async fn start() -> Self {
        let backend = ScriptedBackend::default();
        let shutdown = CancellationToken::new();
        let server = serve(backend.clone(), options(0), shutdown.clone()).await.unwrap();
        let client = Client { address: server.address };
        Self { backend, client, server: Some(server), shutdown }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn options(first_port: u16) -> WebOptions {
    WebOptions { bind: IpAddr::V4(Ipv4Addr::LOCALHOST), first_port, tokens: Tokens::made_of(TOKEN), proxy: None }
}

#[tokio::test]
async fn a_busy_port_is_passed_over() {
    let first = Fixture::start().await;
    let port = first.client.address.port();
    let shutdown = CancellationToken::new();
    let second = serve(ScriptedBackend::default(), options(port), shutdown.clone()).await.unwrap();
    assert!(second.address.port() > port);
    assert_ne!(Some(&second.instance_id), first.server.as_ref().map(|it| &it.instance_id));
    shutdown.cancel();
    second.stopped().await;
}

#[tokio::test]
async fn only_loopback_and_only_strong_tokens() {
    let mut open = options(0);
    open.bind = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let refused = serve(ScriptedBackend::default(), open, CancellationToken::new()).await;
    assert!(matches!(refused, Err(WebError::NotLoopback(_))));

    let mut weak = options(0);
    weak.tokens = Tokens::made_of("hunter2");
    let refused = serve(ScriptedBackend::default(), weak, CancellationToken::new()).await;
    assert!(matches!(refused, Err(WebError::WeakToken)));
}
