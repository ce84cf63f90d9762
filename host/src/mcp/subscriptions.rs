//! Subscriptions of clients that make them one by one (until 2025-11-25), a task for each.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rmcp::RoleServer;
use rmcp::model::{ErrorData, ResourceUpdatedNotificationParam};
use rmcp::service::Peer;
use serde_json::json;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::resources;
use crate::host::Host;

/// Of one connection.
const MOST: usize = 64;

/// What one connection has subscribed to; all of it ends with the connection.
#[derive(Default)]
pub(super) struct Subscriptions(Mutex<HashMap<String, DropGuard>>);

impl Subscriptions {
    /// # Errors
    /// When the resource does not exist or does not change, or there are too many already.
    pub(super) async fn begin(
        &self,
        host: &Host,
        uri: String,
        peer: Peer<RoleServer>,
        ended: CancellationToken,
    ) -> Result<(), ErrorData> {
        let Some(session) = resources::watched_session(host, &uri) else {
            // What exists and never changes may be subscribed to; nothing comes of it.
            return resources::read(host, &uri).await.map(drop);
        };
        let token = ended.child_token();
        let mut all = self.locked();
        if all.len() >= MOST && !all.contains_key(&uri) {
            let message = format!("more than {MOST} subscriptions; end some with resources/unsubscribe");
            return Err(ErrorData::invalid_params(message, Some(json!({ "uri": uri }))));
        }
        all.insert(uri.clone(), token.clone().drop_guard());
        drop(all);
        tokio::spawn(async move {
            let tell = || async {
                peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri.clone())).await.is_ok()
            };
            tokio::select! {
                () = resources::changes(&session, tell) => {}
                () = token.cancelled() => {}
            }
        });
        Ok(())
    }

    pub(super) fn end(&self, uri: &str) {
        self.locked().remove(uri);
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<String, DropGuard>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
