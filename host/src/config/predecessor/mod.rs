//! What was given to the program that this one takes the place of: its flags, its variables, its files.
//!
//! Its profiles and devices become profiles below ours; policies, plugins and the record stay ours. What has no
//! effect here is told, with what to do instead. A file of its that lies in the current folder is written by
//! whoever wrote the folder's contents: it counts as one of ours there would, after a person has allowed it.

mod flags;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use self::flags::Use;
use super::file::{self, AuthFile, ConfigFile};
use super::find::{self, Surroundings};
use super::foreign::{self, Foreign};
use super::layers::Origin;
use super::sources::Sources;
use super::workspace::Workspace;
use super::{Config, ConfigError, PolicyMode};

/// The single device of flags and variables.
const ONLY_DEVICE: &str = "default";

/// One of the two programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Predecessor {
    SshMcp,
    SshSessionMcp,
}

impl Predecessor {
    fn name(self) -> &'static str {
        match self {
            Self::SshMcp => "ssh-mcp",
            Self::SshSessionMcp => "ssh-session-mcp",
        }
    }

    /// Where it looks for its file in the current folder.
    fn workspace_file(self) -> &'static str {
        match self {
            Self::SshMcp => "config/profiles.json",
            Self::SshSessionMcp => "ssh-session-mcp.config.json",
        }
    }

    /// The user's own file, where it has one.
    fn users_file(self) -> Option<PathBuf> {
        let folder = || super::resolve::folder("XDG_CONFIG_HOME", ".config");
        match self {
            Self::SshMcp => None,
            Self::SshSessionMcp => folder().map(|folder| folder.join("ssh-session-mcp/config.json")),
        }
    }
}

/// What a `.env` may say: where, and as whom. All else decides about trust, and is for flags and variables.
const OF_ENV_FILE: [&str; 5] = ["SSH_HOST", "SSH_PORT", "SSH_USER", "SSH_KEY", "SSH_KEY_FILE"];

/// Its flags and variables, the stronger of each: flag, variable, `.env`.
pub struct Given {
    predecessor: Predecessor,
    flags: BTreeMap<&'static str, String>,
    environment: Environment,
    /// Of the current folder, where a person has allowed it.
    env_file: BTreeMap<String, Zeroizing<String>>,
    notes: Vec<String>,
}

/// Looks a variable up.
type Environment = Box<dyn Fn(&str) -> Option<String>>;

/// Where the configuration came from.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// The file that was named; the others do not count then.
    pub explicit: Option<PathBuf>,
    /// In the current folder, whether it is there or not.
    pub workspace: PathBuf,
    pub users: Option<PathBuf>,
    /// Devices came from flags and variables only.
    pub only_variables: bool,
}

/// The configuration with what was given.
pub struct Loaded {
    pub config: Config,
    pub files: Files,
    /// What has no effect here, and what to do instead.
    pub notes: Vec<String>,
}

impl Given {
    /// Reads the arguments behind ours, and the variables of this process.
    ///
    /// # Errors
    /// Of a flag that the program would refuse, too.
    pub fn of_process(predecessor: Predecessor, arguments: &[String]) -> Result<Self, ConfigError> {
        let mut given = Self::new(predecessor, arguments, Box::new(|name| std::env::var(name).ok()))?;
        if predecessor == Predecessor::SshSessionMcp {
            given.read_env_file(Path::new(".env"));
        }
        Ok(given)
    }

    fn new(predecessor: Predecessor, arguments: &[String], environment: Environment) -> Result<Self, ConfigError> {
        let (flags, notes) = flags::read(predecessor, arguments)?;
        let mut given = Self { predecessor, flags, environment, env_file: BTreeMap::new(), notes };
        given.note_what_has_no_effect();
        given.check_viewer()?;
        Ok(given)
    }

    fn read_env_file(&mut self, path: &Path) {
        let Ok(text) = std::fs::read_to_string(path).map(Zeroizing::new) else { return };
        let mut pairs = foreign::env_pairs(&text);
        pairs.retain(|name, _| OF_ENV_FILE.contains(&name.as_str()));
        if Workspace::is_allowed(path) {
            self.env_file = pairs;
        } else if pairs.contains_key("SSH_HOST") {
            self.notes.push(
                "the file .env of this folder is not used: no person on this machine has allowed it; \
                 `portcullis config import .env` takes its host over, `portcullis config allow .env` lets it count"
                    .to_owned(),
            );
        }
    }

    /// The value of a setting by its flag: of the flag, the variable, or the allowed `.env`.
    pub fn value(&self, flag: &str) -> Option<String> {
        let variable = flags::settings(self.predecessor).iter().find(|it| it.flag == Some(flag))?.variable;
        self.flags.get(flag).cloned().or_else(|| self.of_environment(variable?))
    }

    /// The same as a number.
    ///
    /// # Errors
    /// When it is none.
    pub fn number(&self, flag: &str) -> Result<Option<u64>, ConfigError> {
        let Some(value) = self.value(flag) else { return Ok(None) };
        let wrong = |_| ConfigError::Given(format!("--{flag} is `{value}`, and takes a whole number"));
        value.parse().map(Some).map_err(wrong)
    }

    /// The mode that was asked for.
    ///
    /// # Errors
    /// When there is no such mode.
    pub fn mode(&self) -> Result<Option<PolicyMode>, ConfigError> {
        match self.value("mode").as_deref() {
            None => Ok(None),
            Some("safe") => Ok(Some(PolicyMode::Safe)),
            Some("full") => Ok(Some(PolicyMode::Full)),
            Some(other) => Err(ConfigError::Given(format!("--mode is `{other}`; it is safe or full"))),
        }
    }

    /// A variable as its files and ours read it: its flag is stronger.
    fn variable(&self, name: &str) -> Option<String> {
        let setting = flags::settings(self.predecessor).iter().find(|it| it.variable == Some(name));
        let flag = setting.and_then(|setting| self.flags.get(setting.flag?).cloned());
        flag.or_else(|| self.of_environment(name))
    }

    /// A template that a client has not filled in is as good as nothing.
    fn of_environment(&self, name: &str) -> Option<String> {
        let filled = |value: &String| !value.is_empty() && !value.contains("${");
        let of_file = || self.env_file.get(name).map(|value| value.to_string());
        (self.environment)(name).filter(filled).or_else(|| of_file().filter(filled))
    }

    fn note_what_has_no_effect(&mut self) {
        for setting in flags::settings(self.predecessor) {
            let Use::Instead(instead) = setting.becomes else { continue };
            if let Some(flag) = setting.flag.filter(|flag| self.flags.contains_key(flag)) {
                self.notes.push(format!("--{flag} has no effect here: {instead}"));
            } else if let Some(name) = setting.variable.filter(|name| self.of_environment(name).is_some()) {
                self.notes.push(format!("the variable {name} has no effect here: {instead}"));
            }
        }
    }

    fn viewer(&self) -> (Option<String>, Option<String>) {
        match self.predecessor {
            Predecessor::SshMcp => (self.value("viewer-host"), self.value("viewer-port")),
            Predecessor::SshSessionMcp => (self.value("viewerHost"), self.value("viewerPort")),
        }
    }

    fn check_viewer(&mut self) -> Result<(), ConfigError> {
        let (host, port) = self.viewer();
        if let Some(port) = port.filter(|port| port != "auto" && port.parse::<u16>().is_err()) {
            let problem = format!("the viewer's port is `{port}`; it is a number up to 65535, or auto");
            return Err(ConfigError::Given(problem));
        }
        if let Some(host) = host.filter(|host| !matches!(host.as_str(), "127.0.0.1" | "localhost" | "::1")) {
            self.notes.push(format!(
                "the viewer does not listen on {host}: it is on 127.0.0.1 only; from elsewhere forward its port, with ssh -L"
            ));
        }
        Ok(())
    }
}

/// Loads our files, below them those of the program that is replaced. `path` is what our own `--config` named, a
/// file of either.
///
/// # Errors
/// As [`super::load`].
pub fn load(given: Given, path: Option<&Path>) -> Result<Loaded, ConfigError> {
    let named = path.map(Path::to_owned).or_else(|| given.value("config").map(PathBuf::from));
    let is_theirs = |path: &PathBuf| file::read_text(path).map(|text| foreign::is_json(path, &text));
    let theirs = named.as_ref().map(is_theirs).transpose()?.unwrap_or(false);
    let predecessor = given.predecessor;
    let mut files = Files {
        explicit: named.clone().filter(|_| theirs),
        workspace: std::env::current_dir().unwrap_or_default().join(predecessor.workspace_file()),
        users: predecessor.users_file(),
        only_variables: false,
    };
    let ours = named.filter(|_| !theirs);
    let surroundings = Surroundings { ssh_mcp_config: None, ..Surroundings::of_process(ours.as_deref()) };
    let found = find::find(&surroundings);
    let mut sources = Sources::default();
    if let Some((path, reason)) = &found.main {
        file::check_owner(path)?;
        sources.add_main(&file::read_text(path)?, path, *reason)?;
    }
    let mut workspaces: Vec<PathBuf> = found.workspace.into_iter().collect();
    match &files.explicit {
        Some(path) => add_file(&mut sources, &given, path, "named for the program that is replaced")?,
        None => {
            let users = files.users.as_ref().filter(|path| path.exists());
            if let Some(path) = users {
                add_file(&mut sources, &given, path, "the user's file of the program that is replaced")?;
            }
            let workspace = files.workspace.exists();
            workspaces.extend(workspace.then(|| files.workspace.clone()));
            if users.is_none() && !workspace {
                files.only_variables = add_device(&mut sources, &given)?;
            }
        }
    }
    set_viewer(&mut sources.top, &given);
    sources.add_others(workspaces);
    Ok(Loaded { config: sources.resolve()?, files, notes: given.notes })
}

/// A file of the operator's in the other program's form.
fn add_file(sources: &mut Sources, given: &Given, path: &Path, why: &'static str) -> Result<(), ConfigError> {
    file::check_owner(path)?;
    let text = Zeroizing::new(file::read_text(path)?);
    let (file, problems) = sources.foreign(&text, path, &|name| given.variable(name))?;
    add(sources, file, path, &problems);
    sources.files.push((path.to_owned(), why));
    Ok(())
}

/// The device that flags and variables name, where they name one.
fn add_device(sources: &mut Sources, given: &Given) -> Result<bool, ConfigError> {
    if given.predecessor != Predecessor::SshSessionMcp {
        return Ok(false);
    }
    let variables = |name: &str| given.variable(name);
    let Foreign { mut file, notes, .. } = foreign::from_env(&variables).map_err(ConfigError::Given)?;
    let Some(profile) = file.profiles.get_mut(ONLY_DEVICE) else { return Ok(false) };
    if profile.user.is_none() {
        return Err(ConfigError::Given("there is a host and no user; give --user or SSH_USER".to_owned()));
    }
    let auth = profile.auth.get_or_insert_default();
    // A folder's contents could have a secret sent to a host of their choice.
    let host_is_operators = given.flags.contains_key("host") || (given.environment)("SSH_HOST").is_some();
    if !host_is_operators {
        auth.retain(|method| method.password_file.is_none());
    } else if (given.environment)("SSH_PASSWORD").is_some() && given.variable("SSH_PASSWORD_FILE").is_none() {
        // Read where it is, when it is needed; nothing of it is kept.
        auth.push(AuthFile { password_env: Some("SSH_PASSWORD".to_owned()), ..AuthFile::default() });
    }
    file.default_profile = Some(ONLY_DEVICE.to_owned());
    sources.notes.extend(notes);
    let folder = std::env::current_dir().unwrap_or_default();
    add(sources, file, &folder.join("flags and variables"), &BTreeMap::new());
    Ok(true)
}

/// Its profiles below those of ours that have the same name.
fn add(sources: &mut Sources, mut file: ConfigFile, path: &Path, problems: &BTreeMap<String, String>) {
    file.make_paths_absolute(path.parent().unwrap_or(Path::new(".")));
    file.give_defaults_to_profiles();
    for (name, mut values) in std::mem::take(&mut file.profiles) {
        let is_ours = sources.profiles.contains_key(&name);
        let layers = sources.profiles.entry(name.clone()).or_default();
        if is_ours {
            // How lines are judged on a profile of ours is not theirs to say.
            (values.policy_mode, values.rules) = (None, None);
            layers.notes.push(format!(
                "{} has a profile of this name, too: where both say something, ours counts",
                path.display()
            ));
        } else {
            layers.problem = problems.get(&name).cloned();
        }
        layers.layers.push((Origin::File(path.to_owned()), values));
    }
    let top = &mut sources.top;
    top.default_profile = top.default_profile.take().or(file.default_profile);
    top.viewer.port = top.viewer.port.or(file.viewer.port);
    top.viewer.enabled = top.viewer.enabled.or(file.viewer.enabled);
}

/// Flags and variables are stronger than files, also ours.
fn set_viewer(top: &mut ConfigFile, given: &Given) {
    match given.viewer().1.as_deref().map(str::parse::<u16>) {
        None => {}
        Some(Ok(0)) => top.viewer.enabled = Some(false),
        Some(Ok(port)) => (top.viewer.port, top.viewer.enabled) = (Some(port), Some(true)),
        Some(Err(_auto)) => top.viewer.enabled = Some(true),
    }
}

#[cfg(test)]
mod tests;
