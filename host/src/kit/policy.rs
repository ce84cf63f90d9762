//! A policy asked about one text, by itself: neither the standard policy nor others have a say.

use portcullis_sandbox::policy::{Decision, Delivery, EarlierDecision, Request, TerminalState, Verdict};
use portcullis_sandbox::{CallError, PolicyPlugin};
use portcullis_term::Typist;
use serde::{Deserialize, Serialize};

use super::place::{PlaceInput, ShellName, place};
use crate::config::PolicyMode;
use crate::gate::question;

/// What is asked.
#[derive(Debug, Clone, Default)]
pub struct PolicyInput {
    /// The text, without the Enter that completes it.
    pub line: String,
    pub mode: PolicyMode,
    pub shell: ShellName,
    pub place: PlaceInput,
    pub delivery: DeliveryName,
    pub actor: ActorName,
    /// What the agent says it is doing.
    pub purpose: Option<String>,
    /// The time in the request, milliseconds since 1970; now when none.
    pub now_unix_ms: Option<u64>,
    /// What the policies before it said.
    pub earlier: Vec<EarlierDecision>,
}

/// How the text would reach the far side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryName {
    #[default]
    ShellLine,
    PtyInput,
    MenuInput,
    LogSearch,
    Script,
    FileRead,
    FileWrite,
}

/// Who types.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorName {
    #[default]
    Agent,
    Human,
    Automation,
}

/// What the policy said.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyAnswer {
    /// The strictest of its decisions; `abstain` when it had none.
    pub verdict: Verdict,
    /// Strictest first.
    pub decisions: Vec<Decision>,
}

impl PolicyInput {
    /// As the host would ask it.
    fn request(&self) -> Request {
        let (delivery, terminal) = match self.delivery {
            DeliveryName::ShellLine => (Delivery::ShellLine, TerminalState::AtPrompt),
            DeliveryName::PtyInput => (Delivery::PtyInput, TerminalState::AwaitingInput),
            DeliveryName::MenuInput => (Delivery::MenuInput, TerminalState::Menu),
            DeliveryName::LogSearch => (Delivery::LogSearch, TerminalState::AtPrompt),
            DeliveryName::Script => (Delivery::Script, TerminalState::AtPrompt),
            DeliveryName::FileRead => (Delivery::FileRead, TerminalState::AtPrompt),
            DeliveryName::FileWrite => (Delivery::FileWrite, TerminalState::AtPrompt),
        };
        let actor = match self.actor {
            ActorName::Agent => Typist::Agent,
            ActorName::Human => Typist::Human,
            ActorName::Automation => Typist::Automation,
        };
        let place = place(&self.place, self.shell, self.mode, terminal);
        let mut request = question(&place, actor, delivery, &self.line, self.purpose.clone());
        request.earlier.clone_from(&self.earlier);
        if let Some(now) = self.now_unix_ms {
            request.now_unix_ms = now;
        }
        request
    }
}

/// Asks; a policy that fails would deny the text in a host.
pub(super) async fn ask(plugin: &PolicyPlugin, input: &PolicyInput) -> Result<PolicyAnswer, CallError> {
    let mut decisions = plugin.evaluate(&input.request()).await?;
    decisions.sort_by_key(|decision| std::cmp::Reverse(decision.verdict));
    let verdict = decisions.first().map_or(Verdict::Abstain, |decision| decision.verdict);
    Ok(PolicyAnswer { verdict, decisions })
}
