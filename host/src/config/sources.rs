//! All that was written, in files of ours and of OpenSSH's, before it is turned into values.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::file::{self, ConfigFile, ProfileFile};
use super::layers::{Layers, Origin};
use super::resolve::{folder, resolve};
use super::ssh_config::SshConfig;
use super::{Config, ConfigError};

/// Every source of the configuration.
#[derive(Debug)]
pub struct Sources {
    /// The files read, strongest first.
    pub(super) files: Vec<PathBuf>,
    /// What concerns the whole program.
    pub(super) top: ConfigFile,
    pub(super) profiles: BTreeMap<String, Layers>,
    pub(super) notes: Vec<String>,
}

/// Loads `path`, or the user's file (`$XDG_CONFIG_HOME/portcullis/portcullis.toml`) when there is one,
/// and OpenSSH's configuration.
///
/// # Errors
/// Names the file, the key and what would be right.
pub fn load(path: Option<&Path>) -> Result<Config, ConfigError> {
    Sources::read(path)?.resolve()
}

impl Sources {
    /// Reads every file that counts.
    ///
    /// # Errors
    /// As [`load`].
    pub fn read(path: Option<&Path>) -> Result<Self, ConfigError> {
        let found = match path {
            Some(path) => Some(path.to_owned()),
            None => user_file().filter(|path| path.exists()),
        };
        let mut top = match &found {
            Some(path) => file::read(path)?,
            None => ConfigFile::default(),
        };
        let mut profiles = BTreeMap::new();
        for (name, values) in std::mem::take(&mut top.profiles) {
            let origin = Origin::File(found.clone().unwrap_or_default());
            profiles.insert(name, Layers { layers: vec![(origin, values)], ..Layers::default() });
        }
        let mut files: Vec<PathBuf> = found.iter().cloned().collect();
        let mut notes = Vec::new();
        match SshConfig::new(top.ssh_config.as_ref()) {
            Some(ssh_config) => {
                add_aliases(&ssh_config, &mut profiles, &mut notes);
                files.extend(ssh_config.present_files());
            }
            None => refuse_aliases(&mut profiles),
        }
        if let Some(path) = found {
            let defaults = ProfileFile::from(&top.defaults);
            for layers in profiles.values_mut() {
                layers.layers.push((Origin::Defaults(path.clone()), defaults.clone()));
            }
        }
        Ok(Self { files, top, profiles, notes })
    }

    /// As values.
    ///
    /// # Errors
    /// As [`load`].
    pub fn resolve(self) -> Result<Config, ConfigError> {
        resolve(self)
    }
}

/// Where the user's file is, or would be; `None` without a home.
fn user_file() -> Option<PathBuf> {
    folder("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("portcullis/portcullis.toml"))
}

/// Each alias is a profile. A profile of the same name wins, and takes from an alias only what it says
/// it takes.
fn add_aliases(ssh_config: &SshConfig, profiles: &mut BTreeMap<String, Layers>, notes: &mut Vec<String>) {
    for layers in profiles.values_mut() {
        if let Some(alias) = layers.merged().ssh_config_host {
            add_layer(ssh_config, layers, &alias);
        }
    }
    let aliases = match ssh_config.aliases() {
        Ok(aliases) => aliases,
        Err(problem) => {
            notes.push(format!("the hosts of ssh_config are no profiles, because `ssh` could not read it either: {problem}"));
            return;
        }
    };
    for alias in aliases {
        let layers = profiles.entry(alias.clone()).or_default();
        if layers.layers.is_empty() {
            add_layer(ssh_config, layers, &alias);
        }
    }
}

fn add_layer(ssh_config: &SshConfig, layers: &mut Layers, alias: &str) {
    let profile = ssh_config.profile(alias);
    layers.layers.push((Origin::SshConfig(alias.to_owned()), profile.values));
    layers.problem = profile.problem;
    layers.notes = profile.notes;
}

fn refuse_aliases(profiles: &mut BTreeMap<String, Layers>) {
    for layers in profiles.values_mut() {
        if let Some(alias) = layers.merged().ssh_config_host {
            layers.problem =
                Some(format!("it takes `ssh_config_host = \"{alias}\"`, and ssh_config is switched off; remove one of the two"));
        }
    }
}
