//! One line: what it would run, what every rule says of it, and what follows in each mode.

use std::sync::Arc;

use portcullis_sandbox::policy::Verdict;
use serde::Serialize;

use super::{Policies, PolicyError, Where, in_mode};
use crate::config::PolicyMode;
use crate::gate::{self, Place, PlanSummary, Preview, Ruling};

/// Categories that name no effect.
const NO_EFFECT: &[&str] = &["none", "host", "custom"];

/// All that can be said of a line.
#[derive(Debug, Serialize)]
pub struct Explanation {
    pub line: String,
    /// None: as in no profile, by the standard policy alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    pub mode: PolicyMode,
    /// In that mode.
    pub verdict: Verdict,
    pub plan: PlanSummary,
    /// What the rules see in it, by their categories.
    pub effects: Vec<String>,
    /// Strictest first.
    pub rulings: Vec<Ruling>,
    pub safe: Outcome,
    pub full: Outcome,
}

/// What a mode makes of the line.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    pub verdict: Verdict,
    /// The rule that decides.
    pub rule_id: String,
}

impl Outcome {
    fn of(preview: &Preview) -> Self {
        let rule_id = preview.rulings().first().map_or_else(String::new, |ruling| ruling.rule_id.clone());
        Self { verdict: preview.verdict(), rule_id }
    }
}

impl Policies {
    /// Judges the line as a command of the agent at a prompt there.
    ///
    /// # Errors
    /// When there is no such profile.
    pub async fn explain(&self, line: &str, wanted: &Where) -> Result<Explanation, PolicyError> {
        let place = self.place(wanted)?;
        let preview = self.preview(&place, place.destination.policy_mode, line).await;
        let mut effects: Vec<String> = preview.rulings().iter().map(|ruling| ruling.category.clone()).collect();
        effects.sort_unstable();
        effects.dedup();
        effects.retain(|category| !NO_EFFECT.contains(&category.as_str()));
        let name = &place.destination.profile.name;
        Ok(Explanation {
            line: line.to_owned(),
            profile: self.config.destinations.contains_key(name).then(|| name.clone()),
            mode: place.destination.policy_mode,
            verdict: preview.verdict(),
            plan: preview.plan().clone(),
            effects,
            rulings: preview.rulings().to_vec(),
            safe: Outcome::of(&self.preview(&place, PolicyMode::Safe, line).await),
            full: Outcome::of(&self.preview(&place, PolicyMode::Full, line).await),
        })
    }

    /// The gate's word in that mode.
    pub(super) async fn preview(&self, place: &Place, mode: PolicyMode, line: &str) -> Preview {
        let destination = in_mode(&place.destination, mode);
        if Arc::ptr_eq(&destination, &place.destination) {
            return gate::preview(&self.catalog, place, line, None).await;
        }
        let place = Place { destination, ..place.clone() };
        gate::preview(&self.catalog, &place, line, None).await
    }
}
