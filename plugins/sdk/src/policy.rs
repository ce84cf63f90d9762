//! Policies: may this text be sent here, by this actor?
//!
//! The host asks every policy and takes the strictest verdict; a policy that fails denies.

use std::marker::PhantomData;

use crate::bindings::policy::exports::portcullis::policy::command_policy as export;
pub use crate::bindings::policy::exports::portcullis::policy::command_policy::{
    Assignment, Decision, Delivery, EarlierDecision, Invocation, InvocationKind, Mode, Plan, Redirection, Request,
    RuleInfo, Span, StandardInput, TerminalState, Unknown, UnknownKind, Verdict, Word,
};
use crate::{ConfigDiagnostic, PluginError, Severity, hook};

/// A policy. Its verdicts are a function of settings and request and of nothing else: the host may
/// ask the same again on a fresh instance.
pub trait Policy: Sized + 'static {
    /// Builds the policy from its settings, which are JSON text, `{}` when there are none.
    ///
    /// # Errors
    /// [`PluginError::InvalidConfig`] when the settings cannot be used.
    fn create(config: &str) -> Result<Self, PluginError>;

    /// What is wrong with the settings; empty when nothing is. Called before they are used.
    fn validate_config(config: &str) -> Vec<ConfigDiagnostic> {
        crate::config::diagnostics_of(Self::create(config))
    }

    /// The rules these settings lead to, for people to read.
    fn rules(config: &str) -> Vec<RuleInfo> {
        let _ = config;
        Vec::new()
    }

    /// Every rule that has something to say; empty is no opinion.
    ///
    /// # Errors
    /// When no verdict can be given; the host then denies.
    fn evaluate(&self, request: &Request) -> Result<Vec<Decision>, PluginError>;
}

impl Decision {
    /// A decision without suggestion, evidence or rewritten line.
    pub fn new(
        verdict: Verdict,
        rule_id: impl Into<String>,
        category: impl Into<String>,
        severity: Severity,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            verdict,
            rule_id: rule_id.into(),
            category: category.into(),
            severity,
            reason: reason.into(),
            suggestion: None,
            evidence: None,
            rewritten: None,
            attributes: Vec::new(),
        }
    }

    /// With what to do instead.
    #[must_use]
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// With the part of the line that caused it.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.evidence = Some(span);
        self
    }
}

/// Connects a [`Policy`] to the generated exports; named by [`policy!`](crate::policy!) only.
#[doc(hidden)]
pub struct Export<P>(PhantomData<P>);

#[doc(hidden)]
pub struct Evaluator<P>(P);

impl<P: Policy> export::Guest for Export<P> {
    type Evaluator = Evaluator<P>;

    fn validate_config(config: String) -> Vec<ConfigDiagnostic> {
        hook::install();
        P::validate_config(&config)
    }

    fn rules(config: String) -> Vec<RuleInfo> {
        hook::install();
        P::rules(&config)
    }

    fn create(config: String) -> Result<export::Evaluator, PluginError> {
        hook::install();
        Ok(export::Evaluator::new(Evaluator(P::create(&config)?)))
    }
}

impl<P: Policy> export::GuestEvaluator for Evaluator<P> {
    fn evaluate(&self, request: Request) -> Result<Vec<Decision>, PluginError> {
        self.0.evaluate(&request)
    }
}

/// Makes the named type, which implements [`Policy`](crate::policy::Policy), this component's policy.
#[macro_export]
macro_rules! policy {
    ($policy:ty) => {
        $crate::export_kind!($crate::policy::Export<$policy>, policy, $crate::policy::Policy, $policy);
    };
}
