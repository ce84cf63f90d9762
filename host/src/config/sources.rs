//! All that was written, in files of ours and of OpenSSH's, before it is turned into values.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use portcullis_ssh_config::JumpHost;

use super::file::{self, ConfigFile, ProfileFile};
use super::find::{self, Found, Reason, Surroundings};
use super::foreign::{self, Foreign, InlineSecret};
use super::layers::{Layers, Origin};
use super::resolve::resolve;
use super::ssh_config::SshConfig;
use super::workspace::Workspace;
use super::{Config, ConfigError};

/// Every source of the configuration.
#[derive(Debug, Default)]
pub struct Sources {
    /// The files that count and why, strongest first.
    pub(super) files: Vec<(PathBuf, &'static str)>,
    /// The operator's own file.
    pub(super) main: Option<PathBuf>,
    /// What concerns the whole program.
    pub(super) top: ConfigFile,
    pub(super) profiles: BTreeMap<String, Layers>,
    /// What OpenSSH's configuration reaches others through, by [`hop_key`].
    pub(super) hops: BTreeMap<String, Layers>,
    pub(super) notes: Vec<String>,
}

/// Loads the file given, or the one that is found (see [`Sources::read`]), and OpenSSH's configuration.
///
/// # Errors
/// Names the file, the key and what would be right.
pub fn load(path: Option<&Path>) -> Result<Config, ConfigError> {
    Sources::read(path)?.resolve()
}

/// Where the user's file is, or would be.
///
/// # Errors
/// When no home is known.
pub fn user_file() -> Result<PathBuf, ConfigError> {
    find::user_file().ok_or(ConfigError::NoHome)
}

/// The files that count, read or not. `path` is what `--config` named.
pub fn found(path: Option<&Path>) -> Found {
    find::find(&Surroundings::of_process(path))
}

/// Names a hop as no profile can be named (their names have no blanks), so that none can take its place.
pub(super) fn hop_key(hop: &JumpHost) -> String {
    let user = hop.user.as_ref().map_or(String::new(), |user| format!("{user}@"));
    let port = hop.port.map_or(String::new(), |port| format!(":{port}"));
    format!("{HOP} {user}{}{port}", hop.host)
}

/// What people call such a hop.
pub(super) fn hop_name(key: &str) -> &str {
    key.strip_prefix(HOP).map_or(key, str::trim_start)
}

const HOP: &str = "ProxyJump";
/// Hops of hops that are looked at; more are refused when the route is put together.
const HOP_DEPTH: usize = 8;

impl Sources {
    /// Reads every file that counts: the one given, else the one that PORTCULLIS_CONFIG or
    /// SSH_MCP_CONFIG names, else the user's (`$XDG_CONFIG_HOME/portcullis/portcullis.toml`) with the
    /// workspace's over it. No file is an error only where one was named.
    ///
    /// # Errors
    /// As [`load`].
    pub fn read(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Found { main, workspace } = found(path);
        let mut sources = Self::default();
        if let Some((path, reason)) = &main {
            file::check_owner(path)?;
            let text = file::read_text(path)?;
            sources.add_main(&text, path, *reason)?;
        }
        sources.add_others(workspace);
        Ok(sources)
    }

    /// As if `text` were what stands in the file `path`.
    ///
    /// # Errors
    /// As [`load`].
    pub(super) fn of_text(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let mut sources = Self::default();
        sources.add_main(text, path, Reason::Option)?;
        sources.add_others(None);
        Ok(sources)
    }

    /// As values.
    ///
    /// # Errors
    /// As [`load`].
    pub fn resolve(self) -> Result<Config, ConfigError> {
        resolve(self)
    }

    /// The files that count and why.
    pub fn files_with_reasons(&self) -> impl Iterator<Item = (&Path, &'static str)> {
        self.files.iter().map(|(path, reason)| (path.as_path(), *reason))
    }

    pub(super) fn add_main(&mut self, text: &str, path: &Path, reason: Reason) -> Result<(), ConfigError> {
        let (mut top, mut problems) = match foreign::is_json(path, text) {
            true => self.foreign(text, path, &|name| std::env::var(name).ok())?,
            false => (file::parse(text, path)?, BTreeMap::new()),
        };
        top.make_paths_absolute(path.parent().unwrap_or(Path::new(".")));
        for (name, values) in std::mem::take(&mut top.profiles) {
            let layers = vec![(Origin::File(path.to_owned()), values)];
            let problem = problems.remove(&name);
            self.profiles.insert(name, Layers { layers, problem, notes: Vec::new() });
        }
        self.top = top;
        self.main = Some(path.to_owned());
        self.files.push((path.to_owned(), reason.text()));
        Ok(())
    }

    /// Another program's file as it is. A secret that stands in it makes its profile unusable.
    pub(super) fn foreign(
        &mut self,
        text: &str,
        path: &Path,
        variables: foreign::Variables<'_>,
    ) -> Result<(ConfigFile, BTreeMap<String, String>), ConfigError> {
        let Foreign { file, secrets, notes } = foreign::read_json(text, variables)
            .map_err(|problem| ConfigError::Import { path: path.to_owned(), problem })?;
        self.notes.extend(notes);
        let problem = |secret: InlineSecret| {
            let problem = format!(
                "its {} stands in {1}, where whoever reads the file has it; run `portcullis config import {1}`, which \
                 moves it to a file of its own",
                secret.kind.word(),
                path.display()
            );
            (secret.profile, problem)
        };
        Ok((file, secrets.into_iter().map(problem).collect()))
    }

    /// What stands beside or below the operator's file.
    pub(super) fn add_others(&mut self, workspaces: impl IntoIterator<Item = PathBuf>) {
        let ssh_config = SshConfig::new(self.top.ssh_config.as_ref());
        if let Some(ssh_config) = &ssh_config {
            self.add_aliases(ssh_config);
        }
        for path in workspaces {
            self.add_workspace(&path);
        }
        let hops = &mut self.hops;
        for layers in self.profiles.values_mut() {
            fill_from_alias(ssh_config.as_ref(), layers, hops);
        }
        let defaults = ProfileFile::from(&self.top.defaults);
        for layers in self.profiles.values_mut().chain(self.hops.values_mut()) {
            if let Some(path) = &self.main {
                layers.layers.push((Origin::Defaults(path.clone()), defaults.clone()));
            }
            layers.layers.push((Origin::BuiltIn, super::resolve::built_in()));
        }
    }

    /// Each alias is a profile, where no profile of that name is written.
    fn add_aliases(&mut self, ssh_config: &SshConfig) {
        self.files.extend(ssh_config.present_files().into_iter().map(|path| (path, "OpenSSH's configuration")));
        let aliases = match ssh_config.aliases() {
            Ok(aliases) => aliases,
            Err(problem) => {
                let note = format!(
                    "the hosts of ssh_config are no profiles, because it has a mistake that `ssh` would not pass either: {problem}"
                );
                self.notes.push(note);
                return;
            }
        };
        let hops = &mut self.hops;
        for alias in aliases {
            self.profiles.entry(alias.clone()).or_insert_with(|| {
                let mut layers = Layers::default();
                add_layer(ssh_config, &mut layers, &alias, hops);
                layers
            });
        }
    }

    /// A workspace's file stops nothing, and tells nothing of its content before a person allowed it:
    /// what stands in it is written by whoever wrote the repository.
    fn add_workspace(&mut self, path: &Path) {
        if !Workspace::is_allowed(path) {
            self.notes.push(format!(
                "the workspace's file {0} is not used: no person on this machine has allowed it; \
                 one looks at it and runs `portcullis config allow {0}`",
                path.display()
            ));
            return;
        }
        let applied = Workspace::read(path).and_then(|workspace| workspace.apply(&mut self.top, &mut self.profiles));
        match applied {
            Ok(()) => self.files.insert(0, (path.to_owned(), Reason::Workspace.text())),
            Err(error) => self.notes.push(format!("the workspace's file is not used: {error}")),
        }
    }
}

/// What a profile takes from an alias it names.
fn fill_from_alias(ssh_config: Option<&SshConfig>, layers: &mut Layers, hops: &mut BTreeMap<String, Layers>) {
    let Some(alias) = layers.merged().ssh_config_host else { return };
    match ssh_config {
        Some(ssh_config) => add_layer(ssh_config, layers, &alias, hops),
        None => {
            let problem = format!(
                "it takes `ssh_config_host = \"{alias}\"`, and ssh_config is switched off; remove one of the two"
            );
            layers.problem = Some(problem);
        }
    }
}

fn add_layer(ssh_config: &SshConfig, layers: &mut Layers, alias: &str, hops: &mut BTreeMap<String, Layers>) {
    let profile = ssh_config.profile(alias);
    let trouble = profile.hops.iter().find_map(|hop| add_hop(ssh_config, hop, hops, HOP_DEPTH));
    layers.problem = layers.problem.take().or(trouble);
    layers.layers.push((Origin::SshConfig(alias.to_owned()), profile.values));
    layers.problem = layers.problem.take().or(profile.problem);
    layers.notes.extend(profile.notes);
}

/// Makes a hop, and what it is reached through itself, known; why that cannot be used, if so.
fn add_hop(
    ssh_config: &SshConfig,
    hop: &JumpHost,
    hops: &mut BTreeMap<String, Layers>,
    depth: usize,
) -> Option<String> {
    let key = hop_key(hop);
    if depth == 0 || hops.contains_key(&key) {
        return hops.get(&key).and_then(|known| known.problem.clone());
    }
    let profile = ssh_config.hop(hop);
    let layers = vec![(Origin::SshConfig(hop.host.clone()), profile.values)];
    let own = profile.problem.map(|problem| format!("its ProxyJump leads through {}: {problem}", hop.host));
    hops.insert(key.clone(), Layers { layers, problem: own.clone(), notes: profile.notes });
    let further = profile.hops.iter().find_map(|further| add_hop(ssh_config, further, hops, depth - 1));
    let problem = own.or(further);
    if let Some(known) = hops.get_mut(&key) {
        known.problem.clone_from(&problem);
    }
    problem
}
