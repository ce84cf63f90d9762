//! The client's own dialog, as the second way to a person's consent.
//!
//! Asked at the same time as the viewer, for what this connection's calls ask about; whichever is answered
//! first counts, and the other is taken back. The answer comes over the client's channel to its user: no tool
//! carries it, and an answer that names no decision is none. An adapter: what an answer does is decided in
//! [`crate::ops`]. Clients of the revision 2026-07-28 and later take no requests from a server: what they call
//! is answered with the question, and the same call with the answer goes on. The state they carry back and
//! forth names an approval and its digest; the approval itself stays here, bound to its client's owner.
//!
//! One task per connection, and one for each dialog that is open.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rmcp::RoleServer;
use rmcp::model::{
    ClientCapabilities, ClientResult, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction,
    ElicitationSchema, EnumSchema, ErrorData, Implementation, InputRequest, InputRequiredResult, InputResponses,
    ServerRequest,
};
use rmcp::service::{Peer, PeerRequestOptions, RequestContext, ServiceError};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::approvals::{Answer, Asked, Caller, Channel, Decision, Scope};
use crate::host::Host;
use crate::ops::{self, Dismissal};

/// Names the question to the clients that answer with their next call.
pub(super) const DECISION: &str = "approval";
/// The decisions of the form; the one that does nothing comes first, for clients that offer the first.
const DECISIONS: [&str; 3] = ["deny", "allow_once", "allow_rule_for_session"];

/// A number no other connection of this process has.
pub(super) fn connection() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// What a client calls itself, cut and cleaned.
pub(super) fn client_name(info: Option<&Implementation>) -> String {
    let name = info.map_or("an MCP client", |info| info.name.as_str());
    name.chars().filter(|c| !ops::is_unseen(*c)).take(80).collect()
}

/// The client that makes this request, on behalf of `principal` where clients are told apart. It is patient where its
/// user is asked between two requests.
pub(super) fn caller(
    host: &Host,
    context: &RequestContext<RoleServer>,
    connection: u64,
    principal: Option<Arc<str>>,
) -> Caller {
    let info = context.client_info();
    let name = client_name(info.as_ref());
    let capabilities = context.client_capabilities();
    let elicits = host.config().mcp.elicitation && capabilities.as_ref().is_some_and(shows_forms);
    let takes_no_requests = context.protocol_version().is_some_and(|version| !version.has_initialize());
    Caller { connection, name, elicits, is_patient: elicits && takes_no_requests, principal }
}

fn shows_forms(capabilities: &ClientCapabilities) -> bool {
    let declared = capabilities.elicitation.as_ref();
    // Without a mode it is forms.
    declared.is_some_and(|modes| modes.form.is_some() || modes.url.is_none())
}

/// Declared by the client, in a revision in which a server may ask.
fn takes_dialogs(host: &Host, peer: &Peer<RoleServer>) -> bool {
    let Some(info) = peer.peer_info() else { return false };
    host.config().mcp.elicitation && shows_forms(&info.capabilities) && info.protocol_version.has_initialize()
}

/// The answer to a call that needs consent first: the question, and what the same call brings back with the answer.
pub(super) fn question(asked: &Asked) -> InputRequiredResult {
    let (form, state) = form_and_state(asked);
    InputRequiredResult::new(Some(BTreeMap::from([(DECISION.to_owned(), form)])), Some(state))
}

/// The question about an approval, and what names it and its digest when the answer comes.
pub(super) fn form_and_state(asked: &Asked) -> (InputRequest, String) {
    (InputRequest::Elicitation(ElicitRequest::new(form(asked))), format!("{} {}", asked.id, asked.digest))
}

/// What calls of this connection wait for now.
pub(super) fn open_questions(host: &Host, connection: u64) -> Vec<Asked> {
    let mut own = ops::approvals(host);
    own.retain(|asked| asked.caller.as_ref().is_some_and(|caller| caller.connection == connection));
    own
}

/// Takes what the user of the client said to a question of a call before. What is no longer open, or somebody else's,
/// changes nothing: the call itself finds out what holds. Whether it was an answer to what is open.
pub(super) async fn take_answer(
    host: &Host,
    caller: &Caller,
    state: &str,
    mut responses: InputResponses,
) -> Result<bool, ErrorData> {
    let Some(response) = responses.remove(DECISION) else { return Ok(false) };
    let result = serde_json::from_value::<ElicitResult>(response).map_err(|error| {
        ErrorData::invalid_params(format!("`inputResponses.{DECISION}` is no result of an elicitation: {error}"), None)
    })?;
    let is_own = |asked: &Asked| {
        let owner = asked.caller.as_ref().and_then(|asker| asker.principal.as_ref());
        owner == caller.principal.as_ref() && state.split_once(' ') == Some((&asked.id, &asked.digest))
    };
    let Some(asked) = ops::approvals(host).into_iter().find(is_own) else { return Ok(false) };
    answered(host, &asked, result).await;
    Ok(true)
}

/// Opens a dialog for everything that this connection's calls ask about, until the client is gone.
pub(super) async fn serve(host: Host, peer: Peer<RoleServer>, connection: u64, ended: CancellationToken) {
    if !takes_dialogs(&host, &peer) {
        return;
    }
    let mut changes = host.approvals().watch();
    let mut shown = HashSet::new();
    loop {
        changes.borrow_and_update();
        let own = open_questions(&host, connection);
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
