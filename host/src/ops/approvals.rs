//! A person's answer to what a policy asks about, whichever way it comes.
//!
//! The one place where an approval is decided: the answer is on record before it has an effect. No tool of
//! an agent's calls this.

use super::approving::record;
use crate::approvals::{Answer, AnswerError, Asked, Channel, Claim, Decision};
use crate::audit::ApprovalRecord;
use crate::host::Host;
use crate::session::SessionError;

/// Longest reason of a person, and longest name, in characters.
const MAX_REASON_CHARS: usize = 1_000;
const MAX_NAME_CHARS: usize = 80;

/// Why an answer has no effect.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    #[error(transparent)]
    NotTaken(#[from] AnswerError),
    #[error("the session of this approval has ended")]
    NoSession,
    #[error("the answer could not be recorded, so it has no effect")]
    Record(#[source] SessionError),
}

/// Whether a character would not be seen in a text to decide about, or would turn it around: controls, marks
/// without a width of their own, direction marks, blanks that pass for another, and what nobody has assigned.
pub fn is_unseen(character: char) -> bool {
    let code = u32::from(character);
    let format = matches!(code, 0xAD | 0x61C | 0x6DD | 0x70F | 0x180E | 0x200B..=0x200F | 0x2028..=0x202E
        | 0x2060..=0x206F | 0xFE00..=0xFE0F | 0xFEFF | 0xFFF9..=0xFFFB | 0xE0000..=0xE0FFF);
    let blank = matches!(
        code,
        0xA0 | 0x115F | 0x1160 | 0x1680 | 0x2000..=0x200A | 0x202F | 0x205F | 0x2800 | 0x3000 | 0x3164 | 0xFFA0
    );
    let private = matches!(code, 0xE000..=0xF8FF | 0xF0000..=0x10_FFFF);
    character.is_control() || format || blank || private
}

/// Everything that waits for a person's consent, oldest first.
pub fn approvals(host: &Host) -> Vec<Asked> {
    host.approvals().open()
}

/// Takes a person's answer to the text with that digest.
///
/// # Errors
/// When it is not open any more, is about another text, or cannot be recorded.
pub async fn answer_approval(host: &Host, id: &str, digest: &str, answer: Answer) -> Result<(), ApprovalError> {
    let answer = cleaned(answer);
    let is_open = |session_id: &str| host.sessions().get(session_id).is_some_and(|session| !session.is_closed());
    host.approvals().forget_all_but(is_open);
    let claim = host.approvals().claim(id, digest)?;
    let session = host.sessions().get(&claim.asked().matter.session_id).ok_or(ApprovalError::NoSession)?;
    session.record_approval(answered(&claim, &answer)).await.map_err(ApprovalError::Record)?;
    tracing::info!(approval = id, channel = answer.channel.as_str(), "a person has answered an approval");
    claim.answer(answer);
    Ok(())
}

/// Why a client's dialog has ended without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dismissal {
    /// Its user has closed it.
    Closed,
    /// It was accepted without a decision, as a program does that answers for its user.
    NoDecision,
    /// The client did not show it.
    NotShown,
}

/// A client's dialog has ended without an answer: a person at the viewer decides. Where none can, it is a no;
/// who closes a dialog while nobody watches in a browser means no.
///
/// # Errors
/// As [`answer_approval`].
pub async fn dismiss_approval(
    host: &Host,
    asked: &Asked,
    dismissal: Dismissal,
    by: Option<String>,
) -> Result<(), ApprovalError> {
    let (left_to_viewer, reason) = match dismissal {
        Dismissal::Closed => (host.desk().is_watched(), "the client's dialog was closed without an answer"),
        Dismissal::NoDecision => (host.desk().viewer().is_some(), "the client's answer named no decision"),
        Dismissal::NotShown => (host.desk().viewer().is_some(), "the client did not show its dialog"),
    };
    if left_to_viewer {
        return Ok(());
    }
    let decision = Decision::Deny { reason: Some(reason.to_owned()) };
    answer_approval(host, &asked.id, &asked.digest, Answer { decision, channel: Channel::Elicitation, by }).await
}

fn answered(claim: &Claim, answer: &Answer) -> ApprovalRecord {
    let (state, scope, reason) = match &answer.decision {
        Decision::Allow(scope) => ("allowed", Some(scope.as_str()), None),
        Decision::Deny { reason } => ("denied", None, reason.clone()),
    };
    ApprovalRecord {
        scope,
        channel: Some(answer.channel.as_str()),
        by: answer.by.clone(),
        reason,
        ..record(claim.asked(), state)
    }
}

/// Without control characters, and no longer than anybody reads. An empty reason is none.
fn cleaned(answer: Answer) -> Answer {
    let clean = |text: String, most: usize| {
        let text: String = text.chars().map(|c| if is_unseen(c) { ' ' } else { c }).take(most).collect();
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let decision = match answer.decision {
        Decision::Deny { reason } => {
            Decision::Deny { reason: reason.and_then(|reason| clean(reason, MAX_REASON_CHARS)) }
        }
        allow @ Decision::Allow(_) => allow,
    };
    Answer { decision, channel: answer.channel, by: answer.by.and_then(|by| clean(by, MAX_NAME_CHARS)) }
}
