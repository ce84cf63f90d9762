//! What a person is asked to allow, and what an answer to it covers.
//!
//! Pure values. A [`Leave`] holds answers that allow; only the broker in the parent module makes one
//! that allows anything, and only the gate asks whether it covers a text.

use portcullis_term::Typist;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// One policy's word on the text, as a person is shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    pub policy: String,
    pub verdict: &'static str,
    pub rule_id: String,
    pub category: String,
    pub reason: String,
    pub suggestion: Option<String>,
    /// Bytes of the text that caused it.
    pub evidence: Option<(u32, u32)>,
}

impl Cause {
    /// It wants a person's consent.
    pub fn asks(&self) -> bool {
        self.verdict == "ask"
    }
}

/// A text that a policy lets pass only with a person's consent, and the place it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matter {
    pub session_id: String,
    pub profile: String,
    pub actor: Typist,
    /// How it would be delivered: `shell-line`, `menu-input`, …
    pub delivery: &'static str,
    /// The exact text.
    pub text: String,
    /// Labels of the levels, outermost first.
    pub place: Vec<String>,
    /// The same with what kind each level is; consent holds on this path only.
    pub path: Vec<String>,
    /// What would read the text there; consent holds for this reader only.
    pub reader: String,
    /// Strictest first.
    pub causes: Vec<Cause>,
    /// What the agent says it is for; untrusted.
    pub purpose: Option<String>,
}

impl Matter {
    /// Names the text together with where, how and by whom it would be typed.
    pub fn digest(&self) -> String {
        let actor = match self.actor {
            Typist::Agent => "agent",
            Typist::Human => "human",
            Typist::Automation => "automation",
        };
        let mut digest = Sha256::new();
        let fixed = [self.session_id.as_str(), actor, self.delivery, &self.reader, &self.text];
        for part in fixed.into_iter().chain(self.path.iter().map(String::as_str)) {
            // With its length, so that no two lists of parts look alike.
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The rules that want consent, each with its policy.
    pub fn asking_rules(&self) -> Vec<Rule> {
        let mut rules: Vec<Rule> = self.causes.iter().filter(|cause| cause.asks()).map(Rule::of).collect();
        rules.dedup();
        rules
    }
}

/// A rule of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub policy: String,
    pub rule_id: String,
}

impl Rule {
    fn of(cause: &Cause) -> Self {
        Self { policy: cause.policy.clone(), rule_id: cause.rule_id.clone() }
    }
}

/// How far consent goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    Once,
    /// For the rules that asked, until the session ends, on the same path.
    RuleForSession,
}

impl Scope {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::RuleForSession => "rule_for_session",
        }
    }
}

/// Which way an answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Viewer,
    /// The MCP client's own dialog.
    Elicitation,
    /// `portcullis approvals`.
    Cli,
}

impl Channel {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Elicitation => "elicitation",
            Self::Cli => "cli",
        }
    }
}

/// A person's consent, for the record and the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Consent {
    pub approval_id: String,
    pub scope: Scope,
    pub channel: Channel,
    /// Who gave it, as far as that channel knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl Consent {
    /// At the end of a rule's reason.
    pub fn words(&self) -> String {
        let scope = match self.scope {
            Scope::Once => "once",
            Scope::RuleForSession => "this rule for this session",
        };
        format!("a person allowed {scope} ({}, {})", self.channel.as_str(), self.approval_id)
    }
}

/// Consent together with what it is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Granted {
    pub(super) consent: Consent,
    pub(super) session_id: String,
    pub(super) path: Vec<String>,
    /// The text, where consent is for it alone.
    pub(super) digest: Option<String>,
    pub(super) rules: Vec<Rule>,
}

impl Granted {
    fn covers(&self, matter: &Matter, rule: &Rule) -> bool {
        self.session_id == matter.session_id
            && self.path == matter.path
            && self.digest.as_ref().is_none_or(|digest| *digest == matter.digest())
            && self.rules.contains(rule)
    }
}

/// The consent a caller has; none by default.
#[derive(Debug, Clone, Default)]
pub struct Leave(pub(super) Vec<Granted>);

impl Leave {
    /// The consent by which the text may pass, when every rule that asks is covered by some.
    pub fn covers(&self, matter: &Matter) -> Option<Consent> {
        let rules = matter.asking_rules();
        let by = |rule: &Rule| self.0.iter().find(|granted| granted.covers(matter, rule));
        let first = by(rules.first()?)?;
        rules.iter().all(|rule| by(rule).is_some()).then(|| first.consent.clone())
    }

    /// Both together.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }
}
