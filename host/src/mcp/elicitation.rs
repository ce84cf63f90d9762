//! The client's own dialog, as the second way to a person's consent.
//!
//! Asked at the same time as the viewer, for what this connection's calls ask about; whichever is answered
//! first counts, and the other is taken back. The answer comes over the client's channel to its user: no tool
//! carries it, and an answer that names no decision is none. An adapter: what an answer does is decided in
//! [`crate::ops`]. Clients of the revision 2026-07-28 and later take no requests from a server; for them the
//! viewer is left.
//!
//! One task per connection, and one for each dialog that is open.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

use rmcp::RoleServer;
use rmcp::model::{
    ClientResult, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema, EnumSchema,
    ProtocolVersion, ServerRequest,
};
use rmcp::service::{Peer, PeerRequestOptions, ServiceError};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::approvals::{Answer, Asked, Caller, Channel, Decision, Scope};
use crate::host::Host;
use crate::ops::{self, Dismissal};

/// The decisions of the form; the one that does nothing comes first, for clients that offer the first.
const DECISIONS: [&str; 3] = ["deny", "allow_once", "allow_rule_for_session"];

/// A number no other connection of this process has.
pub(super) fn connection() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The client at the other end of this connection.
pub(super) fn caller(host: &Host, peer: &Peer<RoleServer>, connection: u64) -> Caller {
    let info = peer.peer_info();
    let name = info.as_ref().map_or("an MCP client", |info| info.client_info.name.as_str());
    let name = name.chars().filter(|c| !ops::is_unseen(*c)).take(80).collect();
    Caller { connection, name, elicits: host.config().mcp.elicitation && shows_forms(peer) }
}

/// Declared by the client, in a revision in which a server may ask.
fn shows_forms(peer: &Peer<RoleServer>) -> bool {
    let Some(info) = peer.peer_info() else { return false };
    let declared = info.capabilities.elicitation.as_ref();
    // Without a mode it is forms.
    let forms = declared.is_some_and(|modes| modes.form.is_some() || modes.url.is_none());
    forms && info.protocol_version < ProtocolVersion::V_2026_07_28
}

/// Opens a dialog for everything that this connection's calls ask about, until the client is gone.
pub(super) async fn serve(host: Host, peer: Peer<RoleServer>, connection: u64, ended: CancellationToken) {
    if !caller(&host, &peer, connection).elicits {
        return;
    }
    let mut changes = host.approvals().watch();
    let mut shown = HashSet::new();
    loop {
        changes.borrow_and_update();
        let mut own = ops::approvals(&host);
        own.retain(|asked| asked.caller.as_ref().is_some_and(|caller| caller.connection == connection));
        shown.retain(|id| own.iter().any(|asked| asked.id == *id));
        for asked in own {
            if shown.insert(asked.id.clone()) {
                tokio::spawn(show(host.clone(), peer.clone(), asked, ended.clone()));
            }
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = ended.cancelled() => return,
        }
    }
}

async fn show(host: Host, peer: Peer<RoleServer>, asked: Asked, ended: CancellationToken) {
    let request = ServerRequest::ElicitRequest(ElicitRequest::new(form(&asked)));
    let mut dialog = match peer.send_cancellable_request(request, PeerRequestOptions::no_options()).await {
        Ok(dialog) => dialog,
        Err(error) => return failed(&host, &asked, &error).await,
    };
    tokio::select! {
        biased;
        answer = &mut dialog.rx => match answer {
            Ok(Ok(ClientResult::ElicitResult(result))) => answered(&host, &asked, result).await,
            Ok(Ok(_)) => failed(&host, &asked, &ServiceError::UnexpectedResponse).await,
            Ok(Err(error)) => failed(&host, &asked, &error).await,
            // The connection is gone.
            Err(_) => {}
        },
        _ = host.approvals().fate(&asked.id) => {
            let reason = "it was decided elsewhere, withdrawn or its time is over".to_owned();
            if let Err(error) = dialog.cancel(Some(reason)).await {
                tracing::debug!(%error, "a client's dialog was not taken back");
            }
        }
        () = ended.cancelled() => {}
    }
}

/// What the client's user has said.
async fn answered(host: &Host, asked: &Asked, result: ElicitResult) {
    let said = match result.action {
        ElicitationAction::Accept => match decision(result.content) {
            Some(decision) => Ok(decision),
            None => Err(Dismissal::NoDecision),
        },
        ElicitationAction::Decline => Ok(Decision::Deny { reason: None }),
        // Closed, or something later revisions bring.
        _ => Err(Dismissal::Closed),
    };
    let by = asked.caller.as_ref().map(|caller| format!("the user of {}", caller.name));
    let taken = match said {
        Ok(decision) => {
            let answer = Answer { decision, channel: Channel::Elicitation, by };
            ops::answer_approval(host, &asked.id, &asked.digest, answer).await
        }
        Err(dismissal) => ops::dismiss_approval(host, asked, dismissal, by).await,
    };
    if let Err(error) = taken {
        tracing::info!(%error, approval = asked.id, "a client's answer came to nothing");
    }
}

async fn failed(host: &Host, asked: &Asked, error: &ServiceError) {
    tracing::info!(%error, approval = asked.id, "the client has not shown a dialog");
    let dismissed = ops::dismiss_approval(host, asked, Dismissal::NotShown, None).await;
    if let Err(error) = dismissed {
        tracing::debug!(%error, "an approval was decided meanwhile");
    }
}

#[derive(Deserialize)]
struct Form {
    decision: String,
    reason: Option<String>,
}

/// None where no decision is named: whoever accepts without having decided has decided nothing.
fn decision(content: Option<serde_json::Value>) -> Option<Decision> {
    let Form { decision, reason } = serde_json::from_value(content?).ok()?;
    match decision.as_str() {
        "deny" => Some(Decision::Deny { reason }),
        "allow_once" => Some(Decision::Allow(Scope::Once)),
        "allow_rule_for_session" => Some(Decision::Allow(Scope::RuleForSession)),
        _ => None,
    }
}

/// Flat, with one list of plain words and one text: what every client can draw.
fn form(asked: &Asked) -> ElicitRequestParams {
    let decisions = EnumSchema::builder(DECISIONS.map(str::to_owned).to_vec())
        .description("allow_once: exactly this line, once. allow_rule_for_session: whatever this rule asks about here, until the session ends.");
    let requested_schema = ElicitationSchema::builder()
        .required_enum_schema("decision", decisions.build())
        .optional_string_with("reason", |text| text.description("For a denial: what the agent is told."))
        .build_unchecked();
    ElicitRequestParams::FormElicitationParams { meta: None, message: message(asked), requested_schema }
}

fn message(asked: &Asked) -> String {
    let matter = &asked.matter;
    let place = if matter.place.is_empty() { matter.profile.clone() } else { matter.place.join(" › ") };
    let mut message =
        format!("May this be sent to {place} (session {})?\n\n{}\n", matter.session_id, visible(&matter.text));
    for cause in matter.causes.iter().filter(|cause| cause.asks()) {
        message.push_str(&format!("\nRule {}: {}", cause.rule_id, cause.reason));
        if let Some(part) = cause.evidence.and_then(|(from, to)| matter.text.get(from as usize..to as usize)) {
            message.push_str(&format!("\n  because of: {}", visible(part)));
        }
    }
    if let Some(purpose) = &matter.purpose {
        message.push_str(&format!("\n\nThe agent says (not checked): {}", visible(purpose)));
    }
    message.push_str(&format!("\n\nApproval {}, open for {} s; also in the viewer.", asked.id, asked.limit.as_secs()));
    message
}

/// What cannot be seen, or turns text around, as its code; line ends stay.
fn visible(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' => "\n".to_owned(),
        c if ops::is_unseen(c) => c.escape_unicode().to_string(),
        c => c.to_string(),
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_named_decision_is_one() {
        assert_eq!(decision(None), None);
        for content in [json!({}), json!({ "decision": "yes" }), json!({ "decision": true }), json!({ "reason": "x" })]
        {
            assert_eq!(decision(Some(content.clone())), None, "{content}");
        }
        assert_eq!(decision(Some(json!({ "decision": "allow_once" }))), Some(Decision::Allow(Scope::Once)));
        let no = json!({ "decision": "deny", "reason": "not now" });
        assert_eq!(decision(Some(no)), Some(Decision::Deny { reason: Some("not now".to_owned()) }));
    }

    #[test]
    fn what_cannot_be_seen_is_told() {
        assert_eq!(visible("a\u{202e}b\u{1b}[0m\nc\u{200b}"), "a\\u{202e}b\\u{1b}[0m\nc\\u{200b}");
    }
}
