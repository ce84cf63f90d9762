//! Files of the two programs people come from, read as if they had been written in portcullis.toml.
//!
//! JSON with `profiles` (ssh-mcp), JSON with `devices` (ssh-session-mcp), and `.env` files of both.
//! Secrets that stand in them are handed out apart and never become part of a configuration.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::file::{AuthFile, ConfigFile, ProfileFile};
use super::foreign_rules;
use super::viewer::ViewerFile;
use super::{EnterKey, PolicyMode, ssh_config};

/// What a file of another program says.
#[derive(Debug, Default)]
pub(super) struct Foreign {
    pub(super) file: ConfigFile,
    pub(super) secrets: Vec<InlineSecret>,
    /// What has no place here, or another one.
    pub(super) notes: Vec<String>,
}

/// A secret that stood in the file.
pub(super) struct InlineSecret {
    pub(super) profile: String,
    pub(super) kind: SecretKind,
    pub(super) value: Zeroizing<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecretKind {
    Password,
    Passphrase,
}

impl SecretKind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Passphrase => "passphrase",
        }
    }
}

impl std::fmt::Debug for InlineSecret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} of {}", self.kind.word(), self.profile)
    }
}

/// Variables that complete such a file.
pub(super) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

pub(super) fn is_json(path: &Path, text: &str) -> bool {
    path.extension().is_some_and(|extension| extension == "json") || text.trim_start().starts_with('{')
}

pub(super) fn read_json(text: &str, variables: Variables<'_>) -> Result<Foreign, String> {
    let document: Value = serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
    let Value::Object(document) = document else { return Err("it is no JSON object".to_owned()) };
    let mut reader = Reader { variables, foreign: Foreign::default() };
    match document.get("devices") {
        Some(devices) => reader.devices(&document, devices)?,
        None => reader.profiles(&document)?,
    }
    Ok(reader.foreign)
}

/// Pairs of a `.env` file. Libraries replace `$NAME` in values; the programs these files are from do
/// not, and a password may hold a `$`.
pub(super) fn env_pairs(text: &str) -> BTreeMap<String, Zeroizing<String>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.strip_prefix("export ").unwrap_or(line).split_once('='));
    pairs.map(|(name, value)| (name.trim().to_owned(), Zeroizing::new(unquoted(value.trim()).to_owned()))).collect()
}

fn unquoted(value: &str) -> &str {
    let inner = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(value)
}

/// The one host of a `.env` file; nothing when it names none.
pub(super) fn from_env(variables: Variables<'_>) -> Result<Foreign, String> {
    let mut foreign = Foreign::default();
    foreign.file.viewer.port = viewer_port(variables("VIEWER_PORT").as_deref(), &mut foreign.file.viewer.enabled);
    let Some(host) = variables("SSH_HOST") else { return Ok(foreign) };
    let name = "default".to_owned();
    let port =
        variables("SSH_PORT").map(|port| port.parse().map_err(|_| format!("SSH_PORT is `{port}`, which is no port")));
    let key = variables("SSH_KEY").or_else(|| variables("SSH_KEY_FILE"));
    let mut auth: Vec<AuthFile> =
        key.map(|key| AuthFile { key_file: Some(key.into()), ..AuthFile::default() }).into_iter().collect();
    if let Some(file) = variables("SSH_PASSWORD_FILE") {
        auth.push(AuthFile { password_file: Some(file.into()), ..AuthFile::default() });
    } else if let Some(value) = variables("SSH_PASSWORD") {
        foreign.secrets.push(InlineSecret { profile: name.clone(), kind: SecretKind::Password, value: value.into() });
    }
    let profile = ProfileFile {
        host: Some(host),
        port: port.transpose()?,
        user: variables("SSH_USER"),
        auth: Some(auth),
        policy_mode: mode(variables("SSH_MCP_MODE").as_deref(), &name, &mut foreign.notes),
        ..ProfileFile::default()
    };
    foreign.file.profiles.insert(name, profile);
    Ok(foreign)
}

/// What a file of theirs that came with a folder's contents says, where it is one: its own words only, nothing of the
/// environment, and no secret.
pub(super) fn of_folder(path: &Path, text: &str) -> Result<Option<ConfigFile>, String> {
    let is_env = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".env"));
    let Foreign { mut file, secrets, .. } = match (is_env, is_json(path, text)) {
        (true, _) => {
            let pairs = env_pairs(text);
            from_env(&|name| pairs.get(name).map(|value| value.to_string()))?
        }
        (false, true) => read_json(text, &|_| None)?,
        (false, false) => return Ok(None),
    };
    if let Some(secret) = secrets.first() {
        return Err(format!(
            "the {} of profile `{}` stands in it; `portcullis config import {}` moves it to a file of its own",
            secret.kind.word(),
            secret.profile,
            path.display()
        ));
    }
    // Where the viewer listens is the operator's matter.
    file.viewer = ViewerFile::default();
    file.give_defaults_to_profiles();
    Ok(Some(file))
}

struct Reader<'a> {
    variables: Variables<'a>,
    foreign: Foreign,
}

impl Reader<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        (self.variables)(name).filter(|value| is_filled(value))
    }

    /// `profiles` as a map or a list of named ones, or the whole document as the map.
    fn profiles(&mut self, document: &Map<String, Value>) -> Result<(), String> {
        let whole = Value::Object(document.clone());
        let named: Vec<(String, &Value)> = match document.get("profiles").unwrap_or(&whole) {
            Value::Object(map) => map.iter().map(|(name, profile)| (name.clone(), profile)).collect(),
            Value::Array(list) => list
                .iter()
                .map(|profile| Some((text(profile, "name")?, profile)))
                .collect::<Option<_>>()
                .ok_or("an entry of `profiles` has no `name`")?,
            _ => return Err("`profiles` is neither an object nor a list".to_owned()),
        };
        for (name, profile) in named {
            let name = self.plain_name(&name);
            let values = self.profile(&name, profile).map_err(|problem| format!("profile `{name}`: {problem}"))?;
            self.foreign.file.profiles.insert(name, values);
        }
        if let Some(port) = self.variable("SSH_MCP_VIEWER_PORT") {
            let viewer = &mut self.foreign.file.viewer;
            viewer.port = viewer_port(Some(&port), &mut viewer.enabled);
        }
        let note = "unknown host keys are always refused; record each once with `portcullis trust HOST`";
        self.foreign.notes.push(note.to_owned());
        Ok(())
    }

    fn profile(&mut self, name: &str, written: &Value) -> Result<ProfileFile, String> {
        let missing = |key: &str| format!("`{key}` is missing");
        let waits = ["timeout", "banner_timeout", "auth_timeout"].into_iter().filter_map(|key| seconds(written, key));
        let security = &written["security"];
        let security_mode = text(security, "mode")
            .or_else(|| text(written, "security_mode"))
            .or_else(|| self.variable("SSH_MCP_SECURITY_MODE"));
        for list in ["allow_patterns", "deny_patterns", "command_allow_patterns", "command_deny_patterns"] {
            let given = |value: &Value| value.as_array().is_some_and(|list| !list.is_empty());
            if given(&security[list]) || given(&written[list]) {
                let note =
                    format!("profile `{name}`: `{list}` is not carried over; write it as [[profiles.{name}.rules]]");
                self.foreign.notes.push(note);
            }
        }
        let enter = text(written, "enter_sequence").or_else(|| self.variable("SSH_MCP_ENTER_SEQUENCE"));
        let keepalive = seconds(written, "keepalive_interval")
            .or_else(|| self.variable("SSH_MCP_KEEPALIVE_INTERVAL").and_then(|value| value.parse().ok()));
        Ok(ProfileFile {
            host: Some(text(written, "host").ok_or_else(|| missing("host"))?),
            user: Some(text(written, "username").or_else(|| text(written, "user")).ok_or_else(|| missing("username"))?),
            port: number(written, "port")?,
            auth: Some(self.profile_auth(name, written)),
            connect_timeout_s: waits.max(),
            keepalive_s: keepalive,
            columns: number(written, "width")?,
            rows: number(written, "height")?,
            enter: enter.as_deref().map(EnterKey::from_name).transpose()?,
            policy_mode: mode(security_mode.as_deref(), name, &mut self.foreign.notes),
            ..ProfileFile::default()
        })
    }

    fn profile_auth(&mut self, name: &str, written: &Value) -> Vec<AuthFile> {
        let mut auth = Vec::new();
        let password = text(written, "password").filter(|value| is_filled(value));
        let password_env = text(written, "password_env");
        if let Some(key) = text(written, "key_filename") {
            let inline = text(written, "passphrase").filter(|value| is_filled(value));
            let passphrase_env = text(written, "passphrase_env").filter(|_| inline.is_none());
            auth.push(AuthFile { key_file: Some(key.into()), passphrase_env, ..AuthFile::default() });
            self.secret(name, SecretKind::Passphrase, inline);
        } else if password.is_none() && password_env.is_none() && written["look_for_keys"] != false {
            auth.extend(ssh_config::usual_keys());
        }
        if password.is_some() {
            self.secret(name, SecretKind::Password, password);
        } else if password_env.is_some() {
            auth.push(AuthFile { password_env, ..AuthFile::default() });
        }
        auth
    }

    fn secret(&mut self, profile: &str, kind: SecretKind, value: Option<String>) {
        let value = value.map(Zeroizing::new);
        self.foreign.secrets.extend(value.map(|value| InlineSecret { profile: profile.to_owned(), kind, value }));
    }

    fn devices(&mut self, document: &Map<String, Value>, devices: &Value) -> Result<(), String> {
        let defaults = document.get("defaults").unwrap_or(&Value::Null);
        let wanted_mode = self.variable("SSH_MCP_MODE").or_else(|| text(defaults, "mode"));
        let notes = &mut self.foreign.notes;
        self.foreign.file.defaults.policy_mode = mode(wanted_mode.as_deref(), "defaults", notes);
        let (rules, notes) = foreign_rules::read(document.get("policyRules").unwrap_or(&Value::Null));
        self.foreign.file.defaults.rules = rules;
        self.foreign.notes.extend(notes);
        let port = self.variable("VIEWER_PORT").or_else(|| match &defaults["viewerPort"] {
            Value::Number(port) => Some(port.to_string()),
            other => other.as_str().map(str::to_owned),
        });
        let viewer = &mut self.foreign.file.viewer;
        viewer.port = viewer_port(port.as_deref(), &mut viewer.enabled);
        for device in devices.as_array().ok_or("`devices` is no list")? {
            let id = text(device, "id").ok_or("an entry of `devices` has no `id`")?;
            let name = self.plain_name(&id);
            let values = self.device(device).map_err(|problem| format!("device `{id}`: {problem}"))?;
            if self.foreign.file.profiles.insert(name, values).is_some() {
                return Err(format!("the device `{id}` is there twice"));
            }
        }
        self.foreign.file.default_profile =
            document.get("defaultDevice").and_then(Value::as_str).map(|name| name.replace(char::is_whitespace, "-"));
        Ok(())
    }

    fn device(&mut self, written: &Value) -> Result<ProfileFile, String> {
        let (auth, defaults) = (&written["auth"], &written["defaults"]);
        if !auth["password"].is_null() {
            return Err("`auth.password` may not stand in the file; name a variable with `passwordEnv`".to_owned());
        }
        let key = text(auth, "keyPath").map(|key| AuthFile { key_file: Some(key.into()), ..AuthFile::default() });
        let password =
            text(auth, "passwordEnv").map(|name| AuthFile { password_env: Some(name), ..AuthFile::default() });
        let tags =
            written["tags"].as_array().map(|tags| tags.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        Ok(ProfileFile {
            label: text(written, "label"),
            tags,
            host: Some(text(written, "host").ok_or("`host` is missing")?),
            user: Some(text(written, "user").ok_or("`user` is missing")?),
            port: number(written, "port")?,
            auth: Some(key.into_iter().chain(password).collect()),
            columns: number(defaults, "cols")?,
            rows: number(defaults, "rows")?,
            idle_close_s: defaults["idleTimeoutMs"].as_u64().map(|milliseconds| milliseconds.div_ceil(1000)),
            ..ProfileFile::default()
        })
    }

    /// Names have no blanks here.
    fn plain_name(&mut self, name: &str) -> String {
        let plain = name.replace(char::is_whitespace, "-");
        if plain != name {
            self.foreign.notes.push(format!("`{name}` is called `{plain}` here, where names have no blanks"));
        }
        plain
    }
}

/// A template that nobody has filled in is as good as nothing.
fn is_filled(value: &str) -> bool {
    !value.is_empty() && !value.contains("${")
}

fn text(value: &Value, key: &str) -> Option<String> {
    value[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn number(value: &Value, key: &str) -> Result<Option<u16>, String> {
    if value[key].is_null() {
        return Ok(None);
    }
    value[key]
        .as_u64()
        .and_then(|number| u16::try_from(number).ok())
        .map(Some)
        .ok_or_else(|| format!("`{key}` is {}, which is out of its range", value[key]))
}

fn seconds(value: &Value, key: &str) -> Option<u64> {
    let seconds = value[key].as_f64().filter(|seconds| (0.0..1e9).contains(seconds))?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1e9")]
    Some(seconds.ceil() as u64)
}

/// Modes of both programs. A mode nobody chose is the one that is built in here, `safe`.
fn mode(name: Option<&str>, place: &str, notes: &mut Vec<String>) -> Option<PolicyMode> {
    match name? {
        "safe" => Some(PolicyMode::Safe),
        "full" | "unrestricted" | "permissive" => Some(PolicyMode::Full),
        "readonly" => Some(PolicyMode::Readonly),
        "restricted" => Some(PolicyMode::Restricted),
        other => {
            notes.push(format!("{place}: the mode `{other}` is not known here, so it is `safe`"));
            None
        }
    }
}

/// `0` is how viewers are switched off there, `auto` any free port.
fn viewer_port(written: Option<&str>, enabled: &mut Option<bool>) -> Option<u16> {
    let port: u16 = written?.parse().ok()?;
    if port == 0 {
        *enabled = Some(false);
        return None;
    }
    Some(port)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn read(text: &str) -> Foreign {
        read_json(text, &|_| None).unwrap()
    }

    #[test]
    fn profiles_of_ssh_mcp_mean_the_same_here() {
        let foreign = read(
            r#"{ "profiles": {
                "dev": { "host": "dev.example.com", "username": "ann", "key_filename": "~/.ssh/id_ed25519",
                         "passphrase_env": "DEV_PASSPHRASE", "timeout": 10, "auth_timeout": 20.5,
                         "enter_sequence": "carriage-return", "keepalive_interval": 30, "width": 120, "height": 40 },
                "old box": { "host": "10.0.0.5", "username": "root", "port": 2222, "password": "hunter2",
                             "password_env": "ignored", "security": { "mode": "readonly", "deny_patterns": ["x"] } },
                "template": { "host": "h", "username": "u", "password": "${PASSWORD}", "password_env": "P",
                              "security_mode": "unrestricted" } } }"#,
        );
        let dev = &foreign.file.profiles["dev"];
        assert_eq!((dev.connect_timeout_s, dev.keepalive_s, dev.columns), (Some(21), Some(30), Some(120)));
        assert_eq!(dev.enter, Some(EnterKey::Cr));
        assert_eq!(dev.auth.as_ref().unwrap()[0].passphrase_env.as_deref(), Some("DEV_PASSPHRASE"));
        assert_eq!(dev.policy_mode, None);
        let old = &foreign.file.profiles["old-box"];
        assert_eq!((old.port, old.policy_mode), (Some(2222), Some(PolicyMode::Readonly)));
        assert!(old.auth.as_ref().unwrap().is_empty());
        assert_eq!(foreign.secrets.len(), 1);
        assert_eq!((foreign.secrets[0].profile.as_str(), foreign.secrets[0].value.as_str()), ("old-box", "hunter2"));
        assert!(!format!("{:?}", foreign.secrets).contains("hunter2"));
        let template = &foreign.file.profiles["template"];
        assert_eq!(template.auth.as_ref().unwrap()[0].password_env.as_deref(), Some("P"));
        assert_eq!(template.policy_mode, Some(PolicyMode::Full));
        for words in ["deny_patterns", "old-box", "portcullis trust"] {
            assert!(foreign.notes.iter().any(|note| note.contains(words)), "{words}: {:?}", foreign.notes);
        }
    }

    #[test]
    fn a_list_and_a_bare_map_are_profiles_too() {
        let list = read(r#"{ "profiles": [{ "name": "a", "host": "h", "username": "u", "look_for_keys": false }] }"#);
        assert_eq!(list.file.profiles["a"].host.as_deref(), Some("h"));
        let bare = read(r#"{ "a": { "host": "h", "username": "u" } }"#);
        assert_eq!(bare.file.profiles["a"].user.as_deref(), Some("u"));
        let error = read_json(r#"{ "profiles": { "a": { "host": "h" } } }"#, &|_| None).unwrap_err();
        assert!(error.contains("`a`") && error.contains("`username`"), "{error}");
    }

    #[test]
    fn devices_of_ssh_session_mcp_mean_the_same_here() {
        let foreign = read(
            r#"{ "defaults": { "mode": "full", "viewerPort": "auto" }, "defaultDevice": "board",
                "devices": [{ "id": "board", "label": "Board", "host": "192.168.1.9", "user": "root", "tags": ["lab"],
                  "auth": { "passwordEnv": "BOARD_PASSWORD" }, "defaults": { "cols": 100, "idleTimeoutMs": 1500 } },
                  { "id": "other", "host": "o", "user": "u", "port": 2200, "auth": { "keyPath": "~/.ssh/id" } }] }"#,
        );
        assert_eq!(foreign.file.defaults.policy_mode, Some(PolicyMode::Full));
        assert_eq!(foreign.file.default_profile.as_deref(), Some("board"));
        let board = &foreign.file.profiles["board"];
        assert_eq!((board.columns, board.idle_close_s), (Some(100), Some(2)));
        assert_eq!(board.tags.as_ref().unwrap(), &["lab"]);
        assert!(foreign.file.profiles["other"].auth.as_ref().unwrap()[0].key_file.is_some());
        assert_eq!((foreign.file.viewer.port, foreign.file.viewer.enabled), (None, None));
    }

    #[test]
    fn an_env_file_is_one_host() {
        let pairs = env_pairs(
            "# a comment\nexport SSH_HOST=\"web1\"\nSSH_PORT=2222\nSSH_USER=ann\nSSH_PASSWORD='pa$$ #1'\nVIEWER_PORT=0\n",
        );
        let foreign = from_env(&|name| pairs.get(name).map(|value| value.to_string())).unwrap();
        let profile = &foreign.file.profiles["default"];
        assert_eq!((profile.host.as_deref(), profile.port), (Some("web1"), Some(2222)));
        assert_eq!(foreign.secrets[0].value.as_str(), "pa$$ #1");
        assert_eq!(foreign.file.viewer.enabled, Some(false));
    }
}
