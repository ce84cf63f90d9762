//! The gate: nothing reaches a session's terminal but through here.
//!
//! [`Gate::clear`] turns an [`Intent`] into a [`Cleared`], which holds the final bytes and the
//! trail of verdicts, or into a [`Refusal`]. `Cleared` has private fields and no other
//! constructor, and the session takes nothing else: a path that types without a verdict does not
//! compile.
//!
//! A person's keys pass with the actor `human` and are not blocked. An agent's text at a shell
//! prompt waits here until the Enter that completes the line; what is judged is the whole line.
//! The keys and lines with which the host stops a command are its own (`host/stop`).
//! A policy that fails in any way denies. The gate knows no session, no channel and no client.
//! What a policy asks a person about passes only with a [`Leave`] that covers exactly what is judged now.

mod exceptions;
mod file;
mod input;
mod judge;
mod key;
mod preview;
mod stop;

use std::sync::Arc;

use portcullis_sandbox::policy::{Decision, Delivery, Request, TerminalState, Verdict};
use portcullis_shell as shell;
use portcullis_term::{Level, Typist};
use serde::Serialize;
use serde_json::json;

use crate::approvals::{Cause, Consent, Denial, Leave, Matter};
use crate::audit::Entry;
use crate::causes::with_causes;
use crate::config::{Destination, Secret};
use crate::plugins::{LivePlugins, POLICY_FAILED};
use judge::SessionPolicy;

pub use exceptions::Excepted;
pub use file::FileAccess;
pub use input::{HeldLine, InputLine};
pub(crate) use judge::{endpoint, level};
pub use key::Key;
pub(crate) use preview::preview;
pub use preview::{PlanSummary, PlannedCommand, PlannedUnknown, Preview};
pub use stop::{StopSignal, StopStep, stop_line};

/// Where something would be typed.
#[derive(Debug, Clone)]
pub struct Place {
    pub session_id: String,
    pub destination: Arc<Destination>,
    /// Rules that hold in this session only, as the component takes them; none when there are none.
    pub session_rules: Option<Arc<str>>,
    /// Outermost first.
    pub levels: Vec<Level>,
    pub terminal: TerminalState,
    /// An interpreter or a client waits for a statement.
    pub at_repl: bool,
    /// What reads the text, as far as a person's consent depends on it: at a prompt the prompt, elsewhere the
    /// command that runs and the line it has asked with, and what agents have typed before it. For a file what is
    /// written into it.
    pub reader: String,
}

/// What somebody wants to type.
#[derive(Debug, Clone)]
pub struct Intent {
    pub actor: Typist,
    pub action: Action,
    /// What the agent says it is doing; untrusted.
    pub purpose: Option<String>,
}

/// The forms typing has.
#[derive(Debug, Clone)]
pub enum Action {
    /// A complete line at a shell prompt. `opens` names the level that a navigator's line leads to.
    Run { line: String, delivery: Delivery, opens: Option<String> },
    /// A line into a menu, completed with Enter.
    MenuLine { text: String },
    /// Text into whatever reads the terminal, with or without Enter behind it. `before` was typed there
    /// already: what is judged is the line that Enter would complete.
    Type { before: String, text: String, enter: bool },
    /// A key that ends or answers something and adds no text of its own.
    Press { key: Key },
    /// A secret the operator bound to the profile's navigator, as the answer to a question for one.
    Secret { name: String, value: Secret },
    /// A step of stopping the running command, made by the host.
    Stop { step: StopStep },
    /// A person's bytes.
    Human { bytes: Vec<u8> },
    /// What a person has given as the answer to a question for a secret; typed there or nowhere.
    HumanSecret { value: Secret },
    /// A file on the server, beside the terminal. The path is the one that is reached in the end.
    File { access: FileAccess, path: String },
}

/// What may be typed, and why it may. Consumed by the session.
#[derive(Debug)]
pub struct Cleared {
    typist: Typist,
    payload: Payload,
    reader: Reader,
    judged: Option<Judged>,
    /// Of a line for a prompt: its words, where it is one command.
    only_command: Option<Vec<String>>,
}

/// What has to read the terminal when this is typed: a verdict holds for the reader it was given
/// for, and the terminal may have moved on since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A person's keys and interrupts go to whatever is there.
    Anything,
    Prompt,
    Menu,
    /// A program that is not a shell at its prompt.
    Program,
    /// Whatever asks for a secret.
    SecretQuestion,
    /// Nobody: it is no text for a terminal.
    Nobody,
}

/// The final form. How Enter and keys are sent is known only where the terminal is.
#[derive(Debug)]
pub enum Payload {
    /// Completed with Enter.
    Line(String),
    /// Without Enter.
    Text(String),
    Key(Key),
    /// Completed with Enter, and never on record.
    Secret(Secret),
    /// As they are.
    Bytes(Vec<u8>),
    /// Not typed: a file that may be reached in the way that was judged.
    Path(String),
}

impl Cleared {
    fn new(typist: Typist, payload: Payload, reader: Reader, judged: Option<Judged>) -> Self {
        Self { typist, payload, reader, judged, only_command: None }
    }

    /// The words of the line, where it is one command whose output no other command mixes with.
    pub fn only_command(&self) -> Option<&[String]> {
        self.only_command.as_deref()
    }

    pub(crate) fn typist(&self) -> Typist {
        self.typist
    }

    pub(crate) fn reader(&self) -> Reader {
        self.reader
    }

    pub(crate) fn payload(&self) -> &Payload {
        &self.payload
    }

    /// What the policies said together; none where nobody was asked.
    pub(crate) fn judged_as(&self) -> Option<&'static str> {
        self.judged.as_ref().map(|judged| judged.verdict.as_str())
    }

    pub(crate) fn into_payload(self) -> Payload {
        self.payload
    }

    /// Rules that warned, and those that a person's consent was needed for, for the result.
    pub fn warnings(&self) -> Vec<Ruling> {
        self.judged.iter().flat_map(Judged::warnings).collect()
    }

    /// What the policies said together.
    pub fn verdict(&self) -> &'static str {
        self.judged.as_ref().map_or(Verdict::Abstain, |judged| judged.verdict).as_str()
    }

    pub(crate) fn verdict_entry(&self) -> Option<Entry<'_>> {
        self.judged.as_ref().map(Judged::entry)
    }

    /// Policies that gave no usable answer, and what became of them.
    pub(crate) fn failed_policies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.judged.iter().flat_map(Judged::failures)
    }
}

/// One policy's word on a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ruling {
    pub policy: String,
    pub verdict: &'static str,
    pub rule_id: String,
    pub category: String,
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// Bytes of the text that caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<(u32, u32)>,
    /// An exception of a person's has lowered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excepted: Option<Excepted>,
}

/// A text and what all policies said of it.
#[derive(Debug, Clone)]
pub struct Judged {
    actor: Typist,
    delivery: &'static str,
    text: String,
    verdict: Verdict,
    rulings: Vec<Ruling>,
    /// What policies on trial said; on record, without effect.
    on_trial: Vec<Ruling>,
    /// Nobody wanted to type it.
    dry_run: bool,
    /// By which it passes although a policy asks.
    consent: Option<Consent>,
}

impl Judged {
    fn warnings(&self) -> Vec<Ruling> {
        let allowed = |ruling: &Ruling| match &self.consent {
            Some(consent) if ruling.verdict == "ask" => {
                Some(Ruling { reason: format!("{}; {}", ruling.reason, consent.words()), ..ruling.clone() })
            }
            _ => (ruling.verdict == "warn").then(|| ruling.clone()),
        };
        self.rulings.iter().filter_map(allowed).collect()
    }

    /// Policies that gave no usable answer, by name, and what became of them; those on trial too.
    fn failures(&self) -> impl Iterator<Item = (&str, &str)> {
        let failed = self.rulings.iter().chain(&self.on_trial).filter(|ruling| ruling.rule_id == POLICY_FAILED);
        failed.map(|ruling| (ruling.policy.as_str(), ruling.reason.as_str()))
    }

    /// What a person would be asked.
    fn matter(&self, place: &Place, purpose: Option<String>) -> Matter {
        Matter {
            session_id: place.session_id.clone(),
            profile: place.destination.profile.name.clone(),
            actor: self.actor,
            delivery: self.delivery,
            text: self.text.clone(),
            place: place.levels.iter().map(|level| level.label.clone()).collect(),
            path: place.levels.iter().map(|level| format!("{:?} {}", level.kind, level.label)).collect(),
            reader: place.reader.clone(),
            causes: self.rulings.iter().map(Ruling::cause).collect(),
            purpose,
        }
    }

    fn entry(&self) -> Entry<'_> {
        Entry::Verdict {
            actor: self.actor,
            delivery: self.delivery,
            text: &self.text,
            verdict: self.verdict.as_str(),
            decisions: json!(self.rulings),
            on_trial: json!(self.on_trial),
            dry_run: self.dry_run,
            consent: self.consent.as_ref(),
        }
    }
}

/// Why a text was not typed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", self.words())]
pub struct Refusal {
    judged: Judged,
    /// What a person can be asked.
    matter: Option<Box<Matter>>,
    /// Why asking has not helped.
    denial: Option<Denial>,
}

impl Refusal {
    fn new(judged: Judged) -> Box<Self> {
        Box::new(Self { judged, matter: None, denial: None })
    }

    fn words(&self) -> String {
        let reason = &self.strictest().reason;
        self.denial.as_ref().map_or_else(|| reason.clone(), |denial| format!("{reason}; {}", denial.words()))
    }

    /// What a person has to allow; none where nobody's consent would help.
    pub fn matter(&self) -> Option<&Matter> {
        self.matter.as_deref()
    }

    /// What came of asking.
    pub fn denial(&self) -> Option<&Denial> {
        self.denial.as_ref()
    }

    /// The same, after nobody has allowed it.
    #[must_use]
    pub fn denied(mut self: Box<Self>, denial: Denial) -> Box<Self> {
        self.denial = Some(denial);
        self
    }

    /// The ruling that decided.
    pub fn strictest(&self) -> &Ruling {
        // `refuse` puts it first and never builds an empty list.
        &self.judged.rulings[0]
    }

    pub fn text(&self) -> &str {
        &self.judged.text
    }

    pub(crate) fn actor(&self) -> Typist {
        self.judged.actor
    }

    /// It was only judged: nobody wanted to type it.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.judged.dry_run
    }

    /// A person would have had to agree.
    pub fn was_ask(&self) -> bool {
        self.judged.verdict == Verdict::Ask
    }

    pub(crate) fn verdict_entry(&self) -> Entry<'_> {
        self.judged.entry()
    }

    /// Policies that gave no usable answer, and what became of them.
    pub(crate) fn failed_policies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.judged.failures()
    }
}

/// The policies, behind the one question everybody has to ask.
///
/// Nobody else can make what a session takes:
///
/// ```compile_fail
/// use portcullis::gate::{Cleared, Payload, Reader};
/// let payload = Payload::Line("rm -rf /".to_owned());
/// let typist = portcullis_term::Typist::Agent;
/// let cleared = Cleared { typist, payload, reader: Reader::Prompt, judged: None, only_command: None };
/// ```
pub struct Gate {
    plugins: Arc<LivePlugins>,
}

impl Gate {
    pub fn new(plugins: Arc<LivePlugins>) -> Self {
        Self { plugins }
    }

    /// Judges the intent. `leave` is what persons have allowed; it counts only for what it was given for.
    ///
    /// # Errors
    /// The refusal with the rule that decided; nothing may be typed then.
    pub async fn clear(&self, place: &Place, intent: Intent, leave: &Leave) -> Result<Cleared, Box<Refusal>> {
        let typist = intent.actor;
        match intent.action {
            Action::Human { bytes } => {
                // The only caller is the viewer's adapter, which cannot set another actor.
                let payload = Payload::Bytes(bytes);
                Ok(Cleared::new(Typist::Human, payload, Reader::Anything, None))
            }
            // Of the same adapter; no policy ever sees it.
            Action::HumanSecret { value } => {
                Ok(Cleared::new(Typist::Human, Payload::Secret(value), Reader::SecretQuestion, None))
            }
            Action::Press { key } => {
                if let Some(reason) = input::objection(key, place) {
                    return Err(Self::refuse(typist, key.name(), "input/key", reason));
                }
                let judged = Judged::host(typist, Delivery::PtyInput, key.name(), Verdict::Allow, "input/key", "");
                let reader = if key.is_interrupt() { Reader::Anything } else { Reader::Program };
                Ok(Cleared::new(typist, Payload::Key(key), reader, Some(judged)))
            }
            Action::Secret { name, value } => {
                let text = format!("(the secret `{name}`)");
                if typist != Typist::Automation {
                    return Err(Self::refuse(
                        typist,
                        &text,
                        "input/secret",
                        "secrets are given by the operator's navigator alone",
                    ));
                }
                // The policies would have nothing to judge but the value, which is not for them either.
                let judged = Judged::host(typist, Delivery::PtyInput, &text, Verdict::Allow, "input/secret", "");
                Ok(Cleared::new(typist, Payload::Secret(value), Reader::SecretQuestion, Some(judged)))
            }
            Action::Stop { step } => Ok(stop::clear(typist, step)),
            Action::Run { line, delivery, opens } => {
                let plan = shell::parse(&line);
                let only_command = judge::only_command(&plan);
                let request = judge::request(place, typist, delivery, &line, plan, intent.purpose);
                let judged = self.judge(place, judge::leading_to(request, opens), leave).await?;
                let cleared = Cleared::new(typist, Payload::Line(line), Reader::Prompt, Some(judged));
                Ok(Cleared { only_command, ..cleared })
            }
            Action::MenuLine { text } => {
                let request = question(place, typist, Delivery::MenuInput, &text, intent.purpose);
                let judged = self.judge(place, request, leave).await?;
                Ok(Cleared::new(typist, Payload::Line(text), Reader::Menu, Some(judged)))
            }
            Action::Type { before, text, enter } => {
                let whole = format!("{before}{text}");
                let request = question(place, typist, Delivery::PtyInput, &whole, intent.purpose);
                let judged = self.judge(place, request, leave).await?;
                let payload = if enter { Payload::Line(text) } else { Payload::Text(text) };
                Ok(Cleared::new(typist, payload, Reader::Program, Some(judged)))
            }
            Action::File { access, path } => {
                let (line, delivery) = file::line(typist, access, &path)?;
                let request = question(place, typist, delivery, &line, intent.purpose);
                let judged = self.judge(place, request, leave).await?;
                Ok(Cleared::new(typist, Payload::Path(path), Reader::Nobody, Some(judged)))
            }
        }
    }

    async fn judge(&self, place: &Place, request: Request, leave: &Leave) -> Result<Judged, Box<Refusal>> {
        let rules = self.session_rules(place).await;
        let mut judged = judge::judged(&self.plugins.current(), &place.destination, &rules, &request).await;
        match judged.verdict {
            Verdict::Allow | Verdict::Warn => Ok(judged),
            Verdict::Deny => Err(Refusal::new(judged)),
            Verdict::Ask => {
                let matter = judged.matter(place, request.intent);
                judged.consent = leave.covers(&matter);
                match judged.consent {
                    Some(_) => Ok(judged),
                    None => Err(Box::new(Refusal { judged, matter: Some(Box::new(matter)), denial: None })),
                }
            }
            Verdict::Abstain => {
                judged.no_opinion();
                Err(Refusal::new(judged))
            }
        }
    }

    /// What the session's own rules are asked through.
    async fn session_rules(&self, place: &Place) -> SessionPolicy {
        let Some(settings) = &place.session_rules else { return SessionPolicy::None };
        match self.plugins.session_rules(settings).await {
            Ok(plugin) => SessionPolicy::Ready(plugin),
            Err(error) => {
                let problem = with_causes(&error);
                tracing::warn!(session = place.session_id, problem, "a session's rules cannot be asked, which denies");
                SessionPolicy::Missing
            }
        }
    }

    /// A refusal by the host itself, for what no policy needs to see.
    pub fn refuse(actor: Typist, text: &str, rule_id: &str, reason: &str) -> Box<Refusal> {
        Refusal::new(Judged::host(actor, Delivery::PtyInput, text, Verdict::Deny, rule_id, reason))
    }
}

/// What a policy is asked about a text: the text, what a shell would make of it, and the place.
pub(crate) fn question(
    place: &Place,
    actor: Typist,
    delivery: Delivery,
    text: &str,
    purpose: Option<String>,
) -> Request {
    judge::request(place, actor, delivery, text, shell::parse(text), purpose)
}

/// The words of a line that is one command whose output no other command mixes with.
pub(crate) fn only_command(line: &str) -> Option<Vec<String>> {
    judge::only_command(&shell::parse(line))
}

impl Judged {
    fn new(
        actor: Typist,
        delivery: &'static str,
        text: &str,
        verdict: Verdict,
        decisions: Vec<(String, Decision)>,
    ) -> Self {
        let rulings = decisions.into_iter().map(|(policy, decision)| ruling(policy, decision)).collect();
        let text = text.to_owned();
        Self { actor, delivery, text, verdict, rulings, on_trial: Vec::new(), dry_run: false, consent: None }
    }

    fn host(actor: Typist, delivery: Delivery, text: &str, verdict: Verdict, rule_id: &str, reason: &str) -> Self {
        let mut judged = Self::new(actor, delivery.as_str(), text, verdict, Vec::new());
        judged.push_host(verdict, rule_id, reason);
        judged
    }

    fn no_opinion(&mut self) {
        self.refuse("host/no-opinion", "no policy had an opinion on this text, and silence is not permission");
    }

    fn refuse(&mut self, rule_id: &str, reason: &str) {
        self.verdict = Verdict::Deny;
        self.push_host(Verdict::Deny, rule_id, reason);
    }

    fn push_host(&mut self, verdict: Verdict, rule_id: &str, reason: &str) {
        let ruling = Ruling {
            policy: "host".to_owned(),
            verdict: verdict.as_str(),
            rule_id: rule_id.to_owned(),
            category: "host".to_owned(),
            reason: reason.to_owned(),
            suggestion: None,
            evidence: None,
            excepted: None,
        };
        self.rulings.insert(0, ruling);
    }
}

impl Ruling {
    fn cause(&self) -> Cause {
        let Self { policy, verdict, rule_id, category, reason, suggestion, evidence, .. } = self.clone();
        Cause { policy, verdict, rule_id, category, reason, suggestion, evidence }
    }
}

fn ruling(policy: String, decision: Decision) -> Ruling {
    Ruling {
        policy,
        verdict: decision.verdict.as_str(),
        rule_id: decision.rule_id,
        category: decision.category,
        reason: decision.reason,
        suggestion: decision.suggestion,
        evidence: decision.evidence.map(|span| (span.start, span.end)),
        excepted: None,
    }
}
