//! Navigator for JumpServer bastions: the line menu of its terminal component, koko, then the
//! asset's shell, and from there, when asked for, a pod's shell by `kubectl exec`.
//!
//! In that menu any text connects at once when it has one hit, so nothing is ever typed there but a
//! search that cannot (`/text`), the number of a row that was read, and the letters that turn pages.
//! Prompts are the same in all of its languages, banners and titles are the site's own: prompts are
//! read, banners are not. Behind the menu the host is asked who it is before the place counts as
//! reached; a wrong one is left again.
//!
//! Failure codes: `not-recognised`, `wrong-place`, `target-not-found`, `ambiguous`, `too-many-pages`,
//! `changed`, `unreadable`, `account-needed`, `account-not-found`, `rejected`, `blocked`,
//! `approval-needed`, `approval-refused`, `approval-timeout`, `person-needed`, `secret-needed`,
//! `secret-refused`, `session-ended`, `menu-silent`, `level-not-reached`, `wrong-host`, `unverifiable`,
//! `pod-not-found`, `pod-not-running`, `command-failed`, `refused`.

mod choice;
mod goal;
mod identity;
mod listing;
mod menu;
mod settings;
#[cfg(test)]
mod tests;
mod texts;
mod way;

use portcullis_plugin::navigator::{Goal, Navigator, Screen};
use portcullis_plugin::{ConfigDiagnostic, PluginError};

use crate::goal::Wanted;
use crate::settings::Settings;
use crate::way::Way;

/// The bastion.
pub struct JumpServer;

impl Navigator for JumpServer {
    type Navigation = Way;

    fn validate_config(config: &str) -> Vec<ConfigDiagnostic> {
        Settings::read(config).err().unwrap_or_default()
    }

    fn recognise(config: &str, screen: &Screen) -> u8 {
        Settings::read(config).map_or(0, |_| menu::likeness(screen))
    }

    fn begin(config: &str, goal: Goal) -> Result<Way, PluginError> {
        let settings = Settings::read(config).map_err(|wrong| portcullis_plugin::config::error(&wrong))?;
        let wanted = Wanted::read(&goal, &settings)?;
        Ok(Way::new(settings, wanted, goal.levels))
    }
}

portcullis_plugin::navigator!(JumpServer);
