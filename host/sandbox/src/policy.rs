//! Policies: one fresh instance per decision, so that no request can leave a trace for the next.
//!
//! The next decision's instance is made while the caller goes on with the last one's, in a task of
//! its own; a decision that finds none makes its own.
//!
//! The host speaks the newest version of the contract; a policy built for an older one is asked through
//! an adapter ([`crate::policy_0_1`]), and neither side knows of it.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::Store;
use wasmtime::component::ResourceAny;

use crate::bindings::shared::portcullis::common::types::PluginError;
use crate::bindings::{policy as world, policy_0_1 as world_0_1};
use crate::check::{Answer, Question, plugin_error};
use crate::common::ConfigDiagnostic;
use crate::component::ComponentFile;
use crate::error::{CallError, LoadError};
use crate::info::{PluginInfo, PluginKind};
use crate::instance::{Live, Loaded, Turn, World};
use crate::limits::Limits;
use crate::sandbox::{Lane, Offer, Sandbox, accept_settings, trial_error};
use crate::state::PluginState;

pub use crate::bindings::policy::exports::portcullis::policy::command_policy::{
    Assignment, Decision, Delivery, EarlierDecision, Invocation, InvocationKind, Mode, Plan, Redirection, Request,
    RuleInfo, Span, StandardInput, TerminalState, Unknown, UnknownKind, Verdict, Word,
};

/// More findings on one line are no help to anyone.
const MAX_DECISIONS: usize = 64;

/// One version of the contract, asked in the records of the newest.
pub(crate) trait Contract: World {
    fn validate_config(
        &self,
        store: &mut Store<PluginState>,
        settings: &str,
    ) -> impl Future<Output = wasmtime::Result<Vec<ConfigDiagnostic>>> + Send;
    fn rules(
        &self,
        store: &mut Store<PluginState>,
        settings: &str,
    ) -> impl Future<Output = wasmtime::Result<Vec<RuleInfo>>> + Send;
    fn create(
        &self,
        store: &mut Store<PluginState>,
        settings: &str,
    ) -> impl Future<Output = wasmtime::Result<Result<ResourceAny, PluginError>>> + Send;
    fn evaluate(
        &self,
        store: &mut Store<PluginState>,
        evaluator: ResourceAny,
        request: &Request,
    ) -> impl Future<Output = wasmtime::Result<Result<Vec<Decision>, PluginError>>> + Send;
}

impl Contract for world::PolicyPlugin {
    async fn validate_config(
        &self,
        store: &mut Store<PluginState>,
        settings: &str,
    ) -> wasmtime::Result<Vec<ConfigDiagnostic>> {
        self.portcullis_policy_command_policy().call_validate_config(store, settings).await
    }

    async fn rules(&self, store: &mut Store<PluginState>, settings: &str) -> wasmtime::Result<Vec<RuleInfo>> {
        self.portcullis_policy_command_policy().call_rules(store, settings).await
    }

    async fn create(
        &self,
        store: &mut Store<PluginState>,
        settings: &str,
    ) -> wasmtime::Result<Result<ResourceAny, PluginError>> {
        self.portcullis_policy_command_policy().call_create(store, settings).await
    }

    async fn evaluate(
        &self,
        store: &mut Store<PluginState>,
        evaluator: ResourceAny,
        request: &Request,
    ) -> wasmtime::Result<Result<Vec<Decision>, PluginError>> {
        self.portcullis_policy_command_policy().evaluator().call_evaluate(store, evaluator, request).await
    }
}

/// A loaded policy. Cheap to clone, shared by all sessions.
#[derive(Clone)]
pub struct PolicyPlugin {
    built_for: BuiltFor,
    rules: Arc<[RuleInfo]>,
}

#[derive(Clone)]
enum BuiltFor {
    Newest(Evaluators<world::PolicyPlugin>),
    V0_1(Evaluators<world_0_1::PolicyPlugin>),
}

impl Sandbox {
    /// Loads a policy with its settings, which are a JSON object as text.
    ///
    /// # Errors
    /// When any step of loading fails; nothing is kept then but possibly compiled code.
    pub async fn load_policy(
        &self,
        name: &str,
        component: impl Into<ComponentFile<'_>>,
        settings: &str,
        limits: Limits,
    ) -> Result<PolicyPlugin, LoadError> {
        let offer = Offer::new(name, component.into(), settings, limits, PluginKind::Policy)?;
        let (built_for, rules) = if offer.is_for("0.1") {
            let (evaluators, rules) = self.load_evaluators(offer).await?;
            (BuiltFor::V0_1(evaluators), rules)
        } else {
            let (evaluators, rules) = self.load_evaluators(offer).await?;
            (BuiltFor::Newest(evaluators), rules)
        };
        Ok(PolicyPlugin { built_for, rules: rules.into() })
    }

    async fn load_evaluators<W: Contract>(
        &self,
        offer: Offer<'_>,
    ) -> Result<(Evaluators<W>, Vec<RuleInfo>), LoadError> {
        let (plugin, mut live) = self.load::<W>(offer, Lane::Decisions).await?;
        let Loaded { name, settings, limits, .. } = &*plugin;
        let findings = live.world.validate_config(&mut live.store, settings).await;
        let findings = live.settle(findings);
        accept_settings(name, limits, findings)?;

        live.refill();
        let rules = live.world.rules(&mut live.store, settings).await;
        let rules = live.settle(rules).and_then(|rules| clean_rules(rules, limits));
        let rules = rules.map_err(|error| trial_error(name, "naming its rules", error))?;
        Ok((Evaluators { plugin, next: Arc::default() }, rules))
    }
}

impl PolicyPlugin {
    pub fn info(&self) -> PluginInfo {
        match &self.built_for {
            BuiltFor::Newest(evaluators) => evaluators.plugin.info(),
            BuiltFor::V0_1(evaluators) => evaluators.plugin.info(),
        }
    }

    /// The rules its settings lead to, for people to read.
    pub fn rules(&self) -> &[RuleInfo] {
        &self.rules
    }

    /// Every rule that has something to say about the request; empty means abstain.
    ///
    /// # Errors
    /// Any: the caller denies.
    pub async fn evaluate(&self, request: &Request) -> Result<Vec<Decision>, CallError> {
        match &self.built_for {
            BuiltFor::Newest(evaluators) => evaluators.evaluate(request).await,
            BuiltFor::V0_1(evaluators) => evaluators.evaluate(request).await,
        }
    }
}

/// Instances of one policy, one per decision.
struct Evaluators<W: Contract> {
    plugin: Arc<Loaded<W>>,
    next: Arc<Mutex<Option<Ready<W>>>>,
}

/// Not derived: that would ask the same of the world.
impl<W: Contract> Clone for Evaluators<W> {
    fn clone(&self) -> Self {
        Self { plugin: Arc::clone(&self.plugin), next: Arc::clone(&self.next) }
    }
}

/// An instance that was asked nothing yet, with its evaluator.
struct Ready<W: Contract> {
    live: Live<W>,
    evaluator: ResourceAny,
}

impl<W: Contract> Evaluators<W> {
    async fn evaluate(&self, request: &Request) -> Result<Vec<Decision>, CallError> {
        let answer = self.ask(request).await;
        self.plugin.counted(answer)
    }

    async fn ask(&self, request: &Request) -> Result<Vec<Decision>, CallError> {
        let limits = &self.plugin.limits;
        measure_request(request, &mut Question::new(limits))?;
        let turn = self.plugin.turn().await?;
        let (mut ready, _turn) = match self.take_next() {
            Some(ready) => (ready, Some(turn)),
            None => (Ready::at(&self.plugin, turn).await?, None),
        };
        let answer = ready.evaluate(request).await;
        self.make_next(ready);
        let mut decisions = answer?;
        clean_decisions(&mut decisions, &request.raw, &Answer::new(limits))?;
        Ok(decisions)
    }

    fn take_next(&self) -> Option<Ready<W>> {
        let mut ready = self.next.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        ready.live.refill();
        Some(ready)
    }

    /// Gives back the instance that has answered and makes the one for the next decision, without
    /// keeping anyone waiting. When that fails, the next decision meets the failure itself.
    fn make_next(&self, used: Ready<W>) {
        let Self { plugin, next } = self.clone();
        tokio::spawn(async move {
            drop(used);
            if let Some(Ok(live)) = Live::start_kept(&plugin).await
                && let Ok(ready) = Ready::new(live).await
            {
                let _earlier = next.lock().unwrap_or_else(PoisonError::into_inner).replace(ready);
            }
        });
    }
}

impl<W: Contract> Ready<W> {
    async fn at(plugin: &Arc<Loaded<W>>, turn: Turn) -> Result<Self, CallError> {
        Self::new(Live::start_at(plugin, turn).await?).await
    }

    async fn new(mut live: Live<W>) -> Result<Self, CallError> {
        let created = live.world.create(&mut live.store, &live.plugin.settings).await;
        let evaluator = live.settle(created)?.map_err(plugin_error)?;
        Ok(Self { live, evaluator })
    }

    async fn evaluate(&mut self, request: &Request) -> Result<Vec<Decision>, CallError> {
        let Self { live, evaluator } = self;
        let answer = live.world.evaluate(&mut live.store, *evaluator, request).await;
        live.settle(answer)?.map_err(plugin_error)
    }
}

fn clean_rules(mut rules: Vec<RuleInfo>, limits: &Limits) -> Result<Vec<RuleInfo>, CallError> {
    let answer = Answer::new(limits);
    answer.items("the list of rules", rules.len())?;
    for rule in &mut rules {
        answer.name("a rule's id", &rule.rule_id)?;
        answer.shown("a rule's title", &mut rule.title)?;
        answer.shown("a rule's category", &mut rule.category)?;
    }
    Ok(rules)
}

fn clean_decisions(decisions: &mut [Decision], raw: &str, answer: &Answer<'_>) -> Result<(), CallError> {
    answer.at_most("the list of decisions", decisions.len(), MAX_DECISIONS)?;
    for decision in decisions {
        answer.name("a rule's id", &decision.rule_id)?;
        answer.shown("a category", &mut decision.category)?;
        answer.shown("a reason", &mut decision.reason)?;
        if let Some(suggestion) = &mut decision.suggestion {
            answer.shown("a suggestion", suggestion)?;
        }
        if let Some(rewritten) = &decision.rewritten {
            answer.exact("a rewritten line", rewritten)?;
        }
        if let Some(Span { start, end }) = decision.evidence
            && raw.get(start as usize..end as usize).is_none()
        {
            return Answer::refuse(format!("evidence {start}..{end} is no part of a line of {} bytes", raw.len()));
        }
        answer.attributes(&mut decision.attributes)?;
    }
    Ok(())
}

fn measure_request(request: &Request, question: &mut Question<'_>) -> Result<(), CallError> {
    question.text("the line", &request.raw)?;
    question.text("the request's id", &request.request_id)?;
    question.text("the session", &request.session)?;
    question.optional("the working directory", request.cwd.as_ref())?;
    question.optional("the intent", request.intent.as_ref())?;
    question.endpoint(&request.endpoint)?;
    question.attributes(&request.attributes)?;
    question.items("the earlier decisions", request.earlier.len())?;
    for earlier in &request.earlier {
        question.text("an earlier policy", &earlier.policy)?;
        question.text("an earlier rule", &earlier.rule_id)?;
        question.text("an earlier category", &earlier.category)?;
    }
    request.plan.as_ref().map_or(Ok(()), |plan| measure_plan(plan, question))
}

fn measure_plan(plan: &Plan, question: &mut Question<'_>) -> Result<(), CallError> {
    question.items("the plan's invocations", plan.invocations.len())?;
    plan.invocations.iter().try_for_each(|invocation| measure_invocation(invocation, question))?;
    question.items("the plan's unknowns", plan.unknowns.len())?;
    plan.unknowns.iter().try_for_each(|unknown| question.text("an unknown", &unknown.what))
}

fn measure_invocation(invocation: &Invocation, question: &mut Question<'_>) -> Result<(), CallError> {
    question.optional("a program", invocation.program.as_ref())?;
    question.items("an invocation's words", invocation.argv.len())?;
    invocation.argv.iter().try_for_each(|word| measure_word(word, question))?;
    question.texts("an invocation's wrappers", &invocation.wrappers)?;
    question.items("an invocation's assignments", invocation.assignments.len())?;
    for assignment in &invocation.assignments {
        question.text("an assignment's name", &assignment.name)?;
        question.optional("an assignment's value", assignment.value.as_ref())?;
    }
    question.items("an invocation's redirections", invocation.redirections.len())?;
    for redirection in &invocation.redirections {
        question.text("a redirection's operator", &redirection.operator)?;
        measure_word(&redirection.target, question)?;
    }
    match &invocation.standard_input {
        StandardInput::Text(text) => question.optional("a standard input", text.as_ref()),
        StandardInput::Inherited | StandardInput::Pipe | StandardInput::File => Ok(()),
    }
}

fn measure_word(word: &Word, question: &mut Question<'_>) -> Result<(), CallError> {
    question.text("a word", &word.text)?;
    question.optional("a word's value", word.value.as_ref())
}
