//! Cases of a navigator.

use std::collections::BTreeMap;

use portcullis_sandbox::NavigatorPlugin;
use serde::Deserialize;

use super::{KitError, Outcome};
use crate::kit::navigator::{Ending, NavigationInput, ScriptStep, Walk, walk};
use crate::kit::place::LevelInput;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    #[serde(default = "default_route")]
    route: String,
    /// The route's parameters.
    #[serde(default)]
    goal: BTreeMap<String, String>,
    #[serde(default)]
    levels: Vec<LevelInput>,
    script: Vec<ScriptStep>,
    /// The label of the place reached.
    done: Option<String>,
    /// The code of the failure.
    fail: Option<String>,
}

fn default_route() -> String {
    "test".to_owned()
}

pub(super) async fn run(plugin: &NavigatorPlugin, case: Case) -> Outcome {
    if case.done.is_some() == case.fail.is_some() {
        return Err(KitError::input("it has both or none of `done` and `fail`", "say how the navigation ends"));
    }
    let input = NavigationInput { route: case.route, goal: case.goal, levels: case.levels, script: case.script };
    if let Some(mistake) = input.mistake() {
        return Err(KitError::input(mistake, "correct it"));
    }
    let walked = walk(plugin, &input).await;
    let as_expected = match (&walked.ending, &case.done, &case.fail) {
        (Ending::Done(label), Some(expected), _) => label == expected,
        (Ending::Failed { code, .. }, _, Some(expected)) => code == expected,
        _ => false,
    };
    if as_expected && walked.script_left == 0 {
        return Ok(Vec::new());
    }
    let expected = match (case.done, case.fail) {
        (Some(label), _) => format!("expected the place `{label}`"),
        (None, code) => format!("expected the failure `{}`", code.unwrap_or_default()),
    };
    Ok(differences(expected, &walked))
}

fn differences(expected: String, walked: &Walk) -> Vec<String> {
    let mut lines = vec![format!("{expected}, got {}", ended(&walked.ending))];
    if walked.script_left > 0 {
        lines.push(format!("{} steps of the script were not reached", walked.script_left));
    }
    lines.push("what it did:".to_owned());
    lines.extend(walked.steps.iter().map(|step| format!("  {step}")));
    lines.push("the end of the screen:".to_owned());
    lines.extend(walked.rows.iter().map(|row| format!("  | {row}")));
    lines
}

fn ended(ending: &Ending) -> String {
    match ending {
        Ending::Done(label) => format!("the place `{label}`"),
        Ending::Failed { code, message, .. } => format!("the failure `{code}`: {message}"),
        Ending::OffScript { expected, got } => format!("{got}, where the script expects {expected}"),
        Ending::TooManySteps => "more steps than a host lets it take".to_owned(),
        Ending::Repeats { step } => format!("{step} again and again, with nothing new to see"),
        Ending::Error(error) => format!("an error: {error}"),
    }
}
