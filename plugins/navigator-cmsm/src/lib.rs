//! Navigator for CMSM bastions: a prompt for the target host, a list of login users, the host's
//! shell, and from there, when asked for, a pod's shell by `kubectl exec`.
//!
//! It chooses only what matches exactly, checks what the menu answers before it goes on, and stops
//! with a code and the rows that show why. Everything it reads is hostile text: what goes back
//! into a command is checked word by word first.
//!
//! Failure codes: `not-recognised`, `wrong-place`, `target-not-found`, `ambiguous`,
//! `user-not-found`, `rejected`, `menu-silent`, `pod-not-found`, `pod-not-running`,
//! `command-failed`, `unreadable`, `level-not-reached`, `refused`.

mod goal;
mod menu;
mod navigation;
mod settings;
#[cfg(test)]
mod tests;

use portcullis_plugin::navigator::{Goal, Navigator, Screen};
use portcullis_plugin::{ConfigDiagnostic, PluginError};

use crate::goal::Wanted;
use crate::navigation::Way;
use crate::settings::Settings;

/// The bastion.
pub struct Cmsm;

impl Navigator for Cmsm {
    type Navigation = Way;

    fn validate_config(config: &str) -> Vec<ConfigDiagnostic> {
        Settings::read(config).err().unwrap_or_default()
    }

    fn recognise(config: &str, screen: &Screen) -> u8 {
        Settings::read(config).map_or(0, |settings| menu::likeness(screen, &settings.texts))
    }

    fn begin(config: &str, goal: Goal) -> Result<Way, PluginError> {
        let settings = Settings::read(config).map_err(|wrong| portcullis_plugin::config::error(&wrong))?;
        let wanted = Wanted::read(&goal, &settings)?;
        Ok(Way::new(settings, wanted, goal.levels))
    }
}

portcullis_plugin::navigator!(Cmsm);
