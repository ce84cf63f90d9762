//! The file that came with the files of the current folder.
//!
//! Whoever wrote the repository wrote it, so it decides nothing about trust. It counts only after a
//! person on this machine has looked at exactly this content (`portcullis config allow`), and even then
//! it can add hosts and tighten, never name secrets, host keys, plugins' files or folders, loosen a
//! policy, or lead a profile of the user's to another host.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::file::{self, ConfigFile, ProfileFile};
use super::files::{self, FilesFile};
use super::layers::{Layers, Origin};
use super::rules::Rule;
use super::{ConfigError, PolicyMode, find, foreign, replace};

/// Keys a workspace may set for the whole program.
const TOP_KEYS: &[&str] = &["profiles", "default_profile"];
/// Keys it may set in a profile of the user's.
const ON_USERS_PROFILE: &[&str] = &[
    "label",
    "tags",
    "routes",
    "log_search",
    "encoding",
    "columns",
    "rows",
    "idle_close_s",
    "policy_mode",
    "policies",
    "rules",
    "files",
];
/// Keys it may set beside those in a profile of its own. Not there, and so refused: what decides which
/// host keys are right, and how safe a connection has to be.
const ON_OWN_PROFILE: &[&str] = &[
    "ssh_config_host",
    "host",
    "port",
    "user",
    "auth",
    "connect_timeout_s",
    "keepalive_s",
    "keepalive_max",
    "enter",
    "navigator",
];
/// Keys it may set in an entry of `auth`: everything else names secrets, or whom to ask for them.
const IN_AUTH: &[&str] = &["key_file"];
/// Contents a person has looked at, by path.
const ALLOWED_FILE: &str = "allowed_workspaces.json";

/// What a workspace's file holds, as far as it keeps to the rules.
#[derive(Debug)]
pub struct Workspace {
    pub path: PathBuf,
    /// SHA-256 of the content.
    pub digest: String,
    pub(super) file: ConfigFile,
}

impl Workspace {
    /// Reads the file and refuses what a workspace may not say.
    ///
    /// # Errors
    /// Names the key and why it may not stand there.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = file::read_text(path)?;
        let refused = |problem| ConfigError::Workspace { path: path.to_owned(), problem };
        let mut file = match foreign::of_folder(path, &text).map_err(refused)? {
            Some(file) => file,
            None => file::parse(&text, path)?,
        };
        check_keys(&file).map_err(refused)?;
        file.make_paths_absolute(path.parent().unwrap_or(Path::new(".")));
        Ok(Self { path: path.to_owned(), digest: digest(&text), file })
    }

    /// One line for each profile, for the person who decides.
    pub fn summary(&self) -> Vec<String> {
        let lines = self.file.profiles.iter().map(|(name, profile)| {
            let host =
                profile.host.as_deref().or(profile.ssh_config_host.as_deref()).unwrap_or("as the user's profile");
            let keys = written(profile).keys().cloned().collect::<Vec<_>>().join(", ");
            format!("profile {name}: {host} (sets {keys})")
        });
        lines.chain(self.file.default_profile.iter().map(|name| format!("default profile: {name}"))).collect()
    }

    /// Whether a person on this machine has allowed exactly what stands in the file now.
    pub fn is_allowed(path: &Path) -> bool {
        let Ok(text) = file::read_text(path) else { return false };
        allowed().get(&key(path)) == Some(&Value::String(digest(&text)))
    }

    /// Remembers that a person has looked at this content. Only a person's command calls this.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn allow(&self) -> Result<(), ConfigError> {
        let mut all = allowed();
        all.insert(key(&self.path), Value::String(self.digest.clone()));
        let path = find::user_folder().ok_or(ConfigError::NoHome)?.join(ALLOWED_FILE);
        replace::write(&path, &format!("{:#}\n", Value::Object(all)))
    }

    /// Adds what the file says to what the user's files say.
    pub(super) fn apply(
        self,
        top: &mut ConfigFile,
        profiles: &mut BTreeMap<String, Layers>,
    ) -> Result<(), ConfigError> {
        let Self { path, file, .. } = self;
        let default_mode = top.defaults.policy_mode.unwrap_or_default();
        let default_rules = top.defaults.rules.clone().unwrap_or_default();
        let default_files = top.defaults.files.clone().unwrap_or_default().or(FilesFile::built_in());
        // All of it is checked before any of it counts.
        for (name, values) in &file.profiles {
            let users = profiles.get(name).map(Layers::merged);
            let checked = match &users {
                Some(users) => check_on_users(values, users, default_mode),
                None => check_mode(values.policy_mode, default_mode),
            };
            let users_rules = users.iter().filter_map(|users| users.rules.as_ref()).flatten().chain(&default_rules);
            let checked = checked.and_then(|()| check_rules(values, users_rules));
            let users_files = users.and_then(|users| users.files).unwrap_or_default().or(default_files.clone());
            let tightens = |()| values.files.as_ref().map_or(Ok(()), |own| files::check_tightens(own, &users_files));
            checked.and_then(tightens).map_err(|problem| ConfigError::Workspace {
                path: path.clone(),
                problem: format!("profile `{name}`: {problem}"),
            })?;
        }
        if let Some(default) = &file.default_profile
            && !profiles.contains_key(default)
            && !file.profiles.contains_key(default)
        {
            let problem = format!("`default_profile` is `{default}`, and there is no such profile");
            return Err(ConfigError::Workspace { path, problem });
        }
        for (name, values) in file.profiles {
            let layers = profiles.entry(name).or_default();
            let values = joined(values, &layers.merged());
            layers.layers.insert(0, (Origin::File(path.clone()), values));
        }
        if file.default_profile.is_some() {
            top.default_profile = file.default_profile;
        }
        Ok(())
    }
}

/// Adds to the lists of the user's profile instead of taking their place.
fn joined(mut values: ProfileFile, users: &ProfileFile) -> ProfileFile {
    if let (Some(own), Some(users)) = (&mut values.policies, &users.policies) {
        let mut all = users.clone();
        all.extend(own.drain(..).filter(|name| !users.contains(name)));
        *own = all;
    }
    if let (Some(own), Some(users)) = (&mut values.routes, &users.routes) {
        own.extend(users.clone());
    }
    values
}

fn check_keys(file: &ConfigFile) -> Result<(), String> {
    let top = written(file);
    if let Some(key) = top.keys().find(|key| !TOP_KEYS.contains(&key.as_str())) {
        return Err(format!(
            "`{key}` may not be set by a file that comes with a folder's contents; set it in the user's file"
        ));
    }
    for (name, profile) in &file.profiles {
        let keys = written(profile);
        let may = |key: &&String| ON_USERS_PROFILE.contains(&key.as_str()) || ON_OWN_PROFILE.contains(&key.as_str());
        if let Some(key) = keys.keys().find(|key| !may(key)) {
            return Err(format!("profile `{name}` sets `{key}`, which a workspace may not; set it in the user's file"));
        }
        let login: Vec<String> =
            profile.auth.iter().flatten().flat_map(|method| written(method).into_iter()).map(|(key, _)| key).collect();
        if let Some(key) = login.iter().find(|key| !IN_AUTH.contains(&key.as_str())) {
            let what =
                if key.starts_with("pass") { "names a secret" } else { "logs in by other means than a key file" };
            return Err(format!(
                "profile `{name}` {what} (`{key}`), which a workspace may not: it could have it sent to a host of its choice; \
                 write this profile in the user's file"
            ));
        }
        if profile.navigator.as_ref().is_some_and(|navigator| navigator.secrets.is_some()) {
            return Err(format!("profile `{name}` names `secrets` for its navigator, which a workspace may not"));
        }
        if profile.policy_mode == Some(PolicyMode::Full) {
            return Err(format!("profile `{name}` sets `policy_mode = \"full\"`, which a workspace may not"));
        }
    }
    Ok(())
}

fn check_on_users(values: &ProfileFile, users: &ProfileFile, default_mode: PolicyMode) -> Result<(), String> {
    if let Some(key) = written(values).keys().find(|key| !ON_USERS_PROFILE.contains(&key.as_str())) {
        return Err(format!(
            "it is the user's, and `{key}` of it may not be changed from here; give the workspace's profile another name"
        ));
    }
    // A route says where a secret goes.
    let binds_secrets = users.navigator.as_ref().is_some_and(|navigator| navigator.secrets.is_some());
    if binds_secrets && values.routes.as_ref().is_some_and(|routes| !routes.is_empty()) {
        return Err("it binds `secrets` to its navigator, so its routes are the user's alone; write the route in the user's file".to_owned());
    }
    let routes = values.routes.iter().flatten().map(|(name, _)| name);
    if let Some(route) =
        routes.into_iter().find(|name| users.routes.as_ref().is_some_and(|all| all.contains_key(*name)))
    {
        return Err(format!("its route `{route}` is the user's; give the workspace's route another name"));
    }
    check_mode(values.policy_mode, users.policy_mode.unwrap_or(default_mode))
}

/// It may add rules, which only tighten; what the user has written stays as it is.
fn check_rules<'a>(values: &ProfileFile, mut users: impl Iterator<Item = &'a Rule>) -> Result<(), String> {
    let own: Vec<&str> = values.rules.iter().flatten().map(|rule| rule.id.as_str()).collect();
    match users.find(|rule| own.contains(&rule.id.as_str())) {
        Some(rule) => Err(format!("its rule `{}` is the user's; give the workspace's rule another id", rule.id)),
        None => Ok(()),
    }
}

/// A mode may only become stricter; the two strict ones are not compared.
fn check_mode(wanted: Option<PolicyMode>, users: PolicyMode) -> Result<(), String> {
    let Some(wanted) = wanted.filter(|wanted| *wanted != users) else { return Ok(()) };
    let strict = matches!(wanted, PolicyMode::Readonly | PolicyMode::Restricted);
    if users == PolicyMode::Full || (users == PolicyMode::Safe && strict) {
        return Ok(());
    }
    Err(format!(
        "its `policy_mode` would go from {} to {}, and a workspace may only tighten",
        users.as_str(),
        wanted.as_str()
    ))
}

/// The keys that stand in the file.
fn written(values: &impl serde::Serialize) -> Map<String, Value> {
    let Ok(Value::Object(mut all)) = serde_json::to_value(values) else { return Map::new() };
    all.retain(|_, value| is_written(value));
    all
}

/// A table nobody wrote is one without a value here.
fn is_written(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Object(table) => table.values().any(is_written),
        _ => true,
    }
}

fn allowed() -> Map<String, Value> {
    let text = find::user_folder().and_then(|folder| std::fs::read_to_string(folder.join(ALLOWED_FILE)).ok());
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn key(path: &Path) -> String {
    path.canonicalize().unwrap_or_else(|_| path.to_owned()).display().to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn apply(text: &str, users: &str) -> Result<BTreeMap<String, Layers>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".portcullis.toml");
        std::fs::write(&path, text).unwrap();
        let mut top = file::parse(users, &path).unwrap();
        let mut profiles: BTreeMap<String, Layers> = std::mem::take(&mut top.profiles)
            .into_iter()
            .map(|(name, values)| {
                (name, Layers { layers: vec![(Origin::File("u".into()), values)], ..Layers::default() })
            })
            .collect();
        let workspace = Workspace::read(&path).map_err(|error| error.to_string())?;
        workspace.apply(&mut top, &mut profiles).map_err(|error| error.to_string())?;
        Ok(profiles)
    }

    const USERS: &str = "[profiles.prod]\nhost = 'prod.example.com'\nuser = 'ann'\npolicies = ['ours']\n\
                         navigator = { plugin = 'n' }\n[profiles.prod.routes.api]\ntarget = 'a'\n\
                         [[profiles.prod.rules]]\nid = 'ours'\naction = 'deny'\nprograms = ['x']\n\
                         [[defaults.rules]]\nid = 'all'\naction = 'deny'\nprograms = ['y']\n";

    #[test]
    fn nothing_that_decides_about_trust_is_taken_from_a_workspace() {
        let profile = "[profiles.new]\nhost = 'h'\nuser = 'u'\n";
        let cases = [
            ("state_directory = 'x'\n".to_owned(), "`state_directory`"),
            ("ssh_config = 'x'\n".to_owned(), "`ssh_config`"),
            ("[viewer]\nenabled = false\n".to_owned(), "`viewer`"),
            ("[mcp]\nstructured = 'off'\n".to_owned(), "`mcp`"),
            ("[defaults]\npolicy_mode = 'full'\n".to_owned(), "`defaults`"),
            ("[plugins.p]\npath = 'p.wasm'\n".to_owned(), "`plugins`"),
            (format!("{profile}known_hosts = ['kh']\n"), "`known_hosts`"),
            (format!("{profile}auth = [{{ password_env = 'AWS_SECRET_ACCESS_KEY' }}]\n"), "`password_env`"),
            (format!("{profile}auth = [{{ key_file = 'k', passphrase_file = '~/p' }}]\n"), "`passphrase_file`"),
            (format!("{profile}host_key_alias = 'prod.example.com'\n"), "`host_key_alias`"),
            (format!("{profile}legacy_algorithms = true\n"), "`legacy_algorithms`"),
            (format!("{profile}proxy_command = 'nc %h %p'\n"), "`proxy_command`"),
            (format!("{profile}transcript = 'off'\n"), "`transcript`"),
            (format!("{profile}approval_timeout_s = 1\n"), "`approval_timeout_s`"),
            (format!("{profile}navigator = {{ plugin = 'n', secrets = {{ a = {{ env = 'X' }} }} }}\n"), "`secrets`"),
            (format!("{profile}auth = [{{ agent = '/tmp/s' }}]\n"), "agent"),
            (format!("{profile}auth = [{{ ask = true }}]\n"), "`ask`"),
            (format!("{profile}policy_mode = 'full'\n"), "full"),
            ("[profiles.prod]\nhost = 'evil.example.com'\n".to_owned(), "`host` of it"),
            ("[profiles.prod]\nssh_config_host = 'evil'\n".to_owned(), "`ssh_config_host` of it"),
            ("[profiles.prod]\nnavigator = { plugin = 'other' }\n".to_owned(), "`navigator` of it"),
            ("[profiles.prod.routes.api]\ntarget = 'evil'\n".to_owned(), "route `api`"),
            ("[[profiles.prod.rules]]\nid = 'ours'\nenabled = false\n".to_owned(), "rule `ours` is the user's"),
            ("[[profiles.prod.rules]]\nid = 'all'\naction = 'warn'\nprograms = ['x']\n".to_owned(), "rule `all` is"),
            (format!("{profile}[[profiles.new.rules]]\nid = 'all'\nenabled = false\n"), "rule `all` is the user's"),
            (
                "[[profiles.prod.exceptions]]\nrule = 'delete/path'\nline = 'rm x'\nuntil = 2100-01-01\nreason = 'r'\n"
                    .to_owned(),
                "`exceptions`",
            ),
            ("[profiles.prod.files]\nread = ['/etc']\n".to_owned(), "only tighten"),
            (format!("{profile}files = {{ write = ['/'] }}\n"), "only tighten"),
        ];
        for (text, expected) in cases {
            let problem = apply(&text, USERS).unwrap_err();
            assert!(problem.contains(expected) && problem.contains(".portcullis.toml"), "{text}: {problem}");
        }
        let strict = format!("[defaults]\npolicy_mode = 'readonly'\n{USERS}");
        for text in [format!("{profile}policy_mode = 'safe'\n"), "[profiles.prod]\npolicy_mode = 'safe'\n".to_owned()] {
            let problem = apply(&text, &strict).unwrap_err();
            assert!(problem.contains("only tighten"), "{problem}");
        }
    }

    #[test]
    fn no_route_of_a_workspace_leads_a_secret_anywhere() {
        let navigator = "navigator = { plugin = 'n' }";
        let bound = "navigator = { plugin = 'n', secrets = { root = { env = 'X' } } }";
        let route = "[profiles.prod.routes.jobs]\ntarget = 'j'\npassword_secret = 'root'\n";
        let problem = apply(route, &USERS.replace(navigator, bound)).unwrap_err();
        assert!(problem.contains("the user's alone") && problem.contains(".portcullis.toml"), "{problem}");
        assert!(apply("[profiles.prod]\nlabel = 'x'\n", &USERS.replace(navigator, bound)).is_ok());
    }

    #[test]
    fn it_adds_hosts_and_routes_and_tightens() {
        let text = "[profiles.dev]\nhost = 'dev'\nuser = 'u'\nauth = [{ key_file = '~/.ssh/id' }]\n\
                    files = { read = ['~/src'], write = [] }\n[profiles.prod]\nlabel = 'Careful'\npolicy_mode = 'readonly'\npolicies = ['theirs']\n\
                    [profiles.prod.routes.jobs]\ntarget = 'j'\n\
                    [[profiles.prod.rules]]\nid = 'theirs'\naction = 'ask'\nprograms = ['z']\n";
        let profiles = apply(text, USERS).unwrap();
        assert_eq!(profiles["dev"].merged().host.as_deref(), Some("dev"));
        let prod = profiles["prod"].merged();
        assert_eq!((prod.host.as_deref(), prod.policy_mode), (Some("prod.example.com"), Some(PolicyMode::Readonly)));
        let rules: Vec<String> = prod.rules.unwrap().into_iter().map(|rule| rule.id).collect();
        assert_eq!(rules, ["theirs", "ours"]);
        assert_eq!(prod.policies.unwrap(), ["ours", "theirs"]);
        assert_eq!(prod.routes.unwrap().keys().collect::<Vec<_>>(), ["api", "jobs"]);
    }
}
