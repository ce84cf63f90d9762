//! What the policies of a profile say of a line, without a session: explained for a person, evaluated for many
//! lines, and the rules there are.
//!
//! Everything is asked as a host asks it: the same components in the same sandbox, the profile's rules and
//! exceptions, the same combination. Nothing is typed and no connection is opened. `cli` prints what comes back.

mod evaluate;
mod explain;
mod list;

use std::path::Path;
use std::sync::Arc;

use portcullis_sandbox::Compiler;
use portcullis_sandbox::policy::TerminalState;
use portcullis_term::{Level, LevelKind, ShellKind};

use crate::config::{self, Config, ConfigError, Destination, PolicyMode};
use crate::gate::Place;
use crate::host::{self, StartError};
use crate::kit::{LevelName, PlaceInput, ShellName, example_place, word};
use crate::plugins::Catalog;

pub use evaluate::{Evaluated, LineError};
pub use explain::{Explanation, Outcome};
pub use list::ListedRule;

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("there is no profile `{profile}`; there are: {known}")]
    UnknownProfile { profile: String, known: String },
    #[error("the profile `{profile}` cannot be used: {problem}")]
    Unusable { profile: String, problem: String },
}

/// The policies of a configuration, loaded and ready to be asked.
pub struct Policies {
    config: Config,
    catalog: Catalog,
}

/// Where a line is thought to be typed.
#[derive(Debug, Clone, Default)]
pub struct Where {
    /// A profile; the default one when none, and where there is no such either, the standard policy alone.
    pub profile: Option<String>,
    /// The mode instead of the profile's.
    pub mode: Option<PolicyMode>,
    /// Kind or label of the innermost level; a shell of the profile's name when none.
    pub level: Option<String>,
}

impl Policies {
    /// Reads the configuration, the one that is found where `path` is none, and loads its plugins.
    ///
    /// # Errors
    /// When the configuration has a mistake or a plugin cannot be used; a host would not start either.
    pub async fn open(path: Option<&Path>, compiler: Compiler) -> Result<Self, PolicyError> {
        let config = config::load(path)?;
        let catalog = host::load_plugins(&config, compiler).await?;
        Ok(Self { config, catalog })
    }

    fn destination(&self, profile: Option<&str>) -> Result<Option<Arc<Destination>>, PolicyError> {
        let Some(profile) = profile.or(self.config.default_profile.as_deref()) else { return Ok(None) };
        if let Some(destination) = self.config.destinations.get(profile) {
            return Ok(Some(Arc::clone(destination)));
        }
        let profile = profile.to_owned();
        if let Some(unusable) = self.config.unusable.get(&profile) {
            return Err(PolicyError::Unusable { profile, problem: unusable.problem.clone() });
        }
        let known = self.config.destinations.keys().cloned().collect::<Vec<_>>().join(", ");
        Err(PolicyError::UnknownProfile { profile, known })
    }

    fn place(&self, wanted: &Where) -> Result<Place, PolicyError> {
        let mut place = example_place(
            &PlaceInput::default(),
            ShellName::Bash,
            wanted.mode.unwrap_or_default(),
            TerminalState::AtPrompt,
        );
        if let Some(destination) = self.destination(wanted.profile.as_deref())? {
            let mode = wanted.mode.unwrap_or(destination.policy_mode);
            place.levels = vec![shell(LevelKind::Shell, &destination.profile.name)];
            place.destination = in_mode(&destination, mode);
        }
        if let Some(level) = &wanted.level {
            let kind = word::<LevelName>(level).map_or(LevelKind::Shell, LevelKind::from);
            place.levels = vec![shell(kind, level)];
        }
        Ok(place)
    }
}

fn shell(kind: LevelKind, label: &str) -> Level {
    let mut level = Level::new(kind, label);
    level.shell = ShellKind::Bash;
    level
}

/// The same profile in another mode.
fn in_mode(destination: &Arc<Destination>, policy_mode: PolicyMode) -> Arc<Destination> {
    if destination.policy_mode == policy_mode {
        return Arc::clone(destination);
    }
    Arc::new(Destination { policy_mode, ..Destination::clone(destination) })
}
