//! Navigator whose way is written down in its settings: states, what a screen has to show in each,
//! and what is done then. For the bastions that nobody has written a component for; how to write
//! such a script is told in `docs/navigators.md`.
//!
//! What it keeps to, whatever the script says: an answer is only looked for behind what was typed;
//! of a table exactly one row is chosen, after all of its pages were read; a value stands for itself
//! in a pattern; secrets are names; sends, pages, looks and times are bounded.
//!
//! Failure codes of its own, beside those a script tells: `not-recognised`, `wrong-place`,
//! `menu-silent`, `target-not-found`, `ambiguous`, `too-many-pages`, `too-many-steps`, `changed`,
//! `unreadable`, `value-needed`, `unexpected-answer`, `command-failed`, `wrong-host`, `person-needed`,
//! `secret-refused`, `level-not-reached`, `pod-not-found`, `pod-not-running`, `refused`.

mod act;
mod check;
mod choose;
mod keys;
mod opening;
mod paging;
mod script;
#[cfg(test)]
mod tests;
mod text;
mod way;

use portcullis_plugin::navigator::{Goal, Navigator, Screen};
use portcullis_plugin::{ConfigDiagnostic, PluginError};

use crate::script::Script;
use crate::text::Values;
use crate::way::Way;

/// How sure a screen is recognised whose last line is the script's.
const LIKENESS: u8 = 90;

/// The bastion that the settings describe.
pub struct Scripted;

impl Navigator for Scripted {
    type Navigation = Way;

    fn validate_config(config: &str) -> Vec<ConfigDiagnostic> {
        // Without settings it is loaded as every built-in component is; a route through it then says
        // what is missing.
        if matches!(config.trim(), "" | "{}") {
            return Vec::new();
        }
        Script::read(config).err().unwrap_or_default()
    }

    fn recognise(config: &str, screen: &Screen) -> u8 {
        let Ok(script) = Script::read(config) else { return 0 };
        let pattern =
            script.recognise.as_deref().and_then(|text| text::pattern(text, &script.patterns, &Values::new()));
        match pattern {
            Some(Ok(pattern)) if pattern.is_match(screen.last_line().trim_end()) => LIKENESS,
            _ => 0,
        }
    }

    fn begin(config: &str, goal: Goal) -> Result<Way, PluginError> {
        let script = Script::read(config).map_err(|wrong| portcullis_plugin::config::error(&wrong))?;
        Way::new(script, &goal)
    }
}

portcullis_plugin::navigator!(Scripted);
