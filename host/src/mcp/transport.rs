//! The byte stream to the client, made robust.
//!
//! The library ends the process when a notification arrives before the lifecycle has begun, which
//! a client that gives up its version probe sends; such messages are dropped here. The end of the
//! stream is told at once, so that calls under way can end instead of being waited for.

use rmcp::RoleServer;
use rmcp::model::{ClientJsonRpcMessage, ClientRequest};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio_util::sync::CancellationToken;

pub(super) struct Lenient<T> {
    inner: T,
    started: bool,
    ended: CancellationToken,
}

impl<T> Lenient<T> {
    /// `ended` is cancelled when the client has gone.
    pub(super) fn new(inner: T, ended: CancellationToken) -> Self {
        Self { inner, started: false, ended }
    }
}

impl<T: Transport<RoleServer>> Transport<RoleServer> for Lenient<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.inner.send(item)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            let Some(message) = self.inner.receive().await else {
                self.ended.cancel();
                return None;
            };
            if !self.started {
                let ClientJsonRpcMessage::Request(request) = &message else {
                    tracing::debug!("dropped a message that came before the lifecycle began");
                    continue;
                };
                self.started =
                    !matches!(request.request, ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_));
            }
            return Some(message);
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.inner.close().await
    }
}
