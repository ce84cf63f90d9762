//! The socket behind the list of sessions: sends the whole list, all that a person is asked, what waits for
//! their consent and how the plugins fare, at once and whenever that changed.
//!
//! One task per socket; it owns the socket's sender, the reading half only waits for the end.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures::StreamExt;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

use super::backend::Backend;
use super::protocol::ServerMessage;
use super::socket::{Ending, Inbox, PING_INTERVAL, Sender, SocketContext, close, send, send_message};

/// Least time between two lists, so that a busy host does not keep a browser busy.
const LIST_PAUSE: Duration = Duration::from_millis(100);
/// How often the list is looked at without being told of a change.
const LIST_INTERVAL: Duration = Duration::from_secs(1);

/// Talks to one page until it leaves or the host ends.
pub(super) async fn serve<B: Backend>(socket: WebSocket, backend: B, context: SocketContext) {
    let (mut sender, receiver) = socket.split();
    let mut inbox = Inbox::new(receiver);
    let ending = tokio::select! {
        ending = send_lists(&mut sender, &backend, &context.instance_id) => ending,
        ending = inbox.next() => match ending {
            // There is nothing to say on this socket.
            Ok(_) => Ending::Misbehaved,
            Err(ending) => ending,
        },
        () = context.shutdown.cancelled() => Ending::Shutdown,
    };
    close(sender, ending).await;
}

async fn send_lists<B: Backend>(sender: &mut Sender, backend: &B, instance_id: &str) -> Ending {
    let mut changes = backend.session_list_changes();
    let mut question_changes = backend.question_changes();
    let mut approval_changes = backend.approval_changes();
    let mut ping = ticks(PING_INTERVAL);
    let mut look = ticks(LIST_INTERVAL);
    let mut shown = [None, None, None, None];
    loop {
        changes.borrow_and_update();
        question_changes.borrow_and_update();
        approval_changes.borrow_and_update();
        let now = [
            list(backend, instance_id),
            questions(backend, instance_id),
            approvals(backend, instance_id),
            plugins(backend, instance_id),
        ];
        for (shown, now) in shown.iter_mut().zip(now) {
            if shown.as_ref() != Some(&now) {
                if let Err(ending) = send_message(sender, &now).await {
                    return ending;
                }
                *shown = Some(now);
            }
        }
        sleep(LIST_PAUSE).await;
        tokio::select! {
            changed = changes.changed() => if changed.is_err() {
                // The host dropped its end, which it does only when it goes away.
                return Ending::Shutdown;
            },
            changed = question_changes.changed() => if changed.is_err() {
                return Ending::Shutdown;
            },
            changed = approval_changes.changed() => if changed.is_err() {
                return Ending::Shutdown;
            },
            _ = look.tick() => {}
            _ = ping.tick() => if let Err(ending) = send(sender, Message::Ping(Vec::new().into())).await {
                return ending;
            },
        }
    }
}

fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// The list as `GET /api/v1/sessions` answers it too.
pub(super) fn list<B: Backend>(backend: &B, instance_id: &str) -> ServerMessage {
    ServerMessage::Sessions { instance_id: instance_id.to_owned(), sessions: backend.sessions() }
}

/// The questions as `GET /api/v1/questions` answers them too.
pub(super) fn questions<B: Backend>(backend: &B, instance_id: &str) -> ServerMessage {
    ServerMessage::Questions { instance_id: instance_id.to_owned(), questions: backend.questions() }
}

/// What waits for consent, as `GET /api/v1/approvals` answers it too.
pub(super) fn approvals<B: Backend>(backend: &B, instance_id: &str) -> ServerMessage {
    ServerMessage::Approvals { instance_id: instance_id.to_owned(), approvals: backend.approvals() }
}

/// The plugins as `GET /api/v1/plugins` answers them too.
pub(super) fn plugins<B: Backend>(backend: &B, instance_id: &str) -> ServerMessage {
    ServerMessage::Plugins { instance_id: instance_id.to_owned(), plugins: backend.plugins() }
}
