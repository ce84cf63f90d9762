//! Changes to the file of ours that keep its comments.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value};

use super::file::ProfileFile;
use super::{ConfigError, Sources, file, keys, replace};

/// Keys of an entry of `auth` that may be given as if they were the profile's own.
const AUTH_KEYS: &[&str] = &["key_file", "passphrase_env", "passphrase_file", "password_env", "password_file"];

/// A file being changed; nothing is written before [`Edit::save`].
#[derive(Debug)]
pub struct Edit {
    path: PathBuf,
    document: DocumentMut,
}

impl Edit {
    /// Opens the file; one that does not exist begins empty.
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub fn open(path: &Path) -> Result<Self, ConfigError> {
        let text = match file::read_text(path) {
            Ok(text) => text,
            Err(ConfigError::Missing { .. }) => String::new(),
            Err(error) => return Err(error),
        };
        if super::foreign::is_json(path, &text) {
            let problem = "it is another program's file; take it over with `portcullis config import`".to_owned();
            return Err(ConfigError::Edit { path: path.to_owned(), problem });
        }
        let document = text.parse().map_err(|error: toml_edit::TomlError| ConfigError::Syntax {
            path: path.to_owned(),
            message: error.to_string().trim_end().to_owned(),
        })?;
        Ok(Self { path: path.to_owned(), document })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn has_profile(&self, name: &str) -> bool {
        self.document.get("profiles").and_then(|profiles| profiles.get(name)).is_some()
    }

    /// Sets `KEY=VALUE` pairs of a profile, which is made when it is not there.
    ///
    /// # Errors
    /// When a pair is no pair, or the file is written in a way that cannot be changed here.
    pub fn set(&mut self, profile: &str, pairs: &[String]) -> Result<(), ConfigError> {
        let mut login = Vec::new();
        let mut values = Vec::new();
        for pair in pairs {
            let wrong = || self.problem(format!("`{pair}` is not KEY=VALUE"));
            let (key, text) = pair.split_once('=').ok_or_else(wrong)?;
            match AUTH_KEYS.contains(&key) {
                true => login.push((key, text)),
                false => values.push((key, parsed(key, text))),
            }
        }
        if !login.is_empty() {
            values.push(("auth", auth(&login)));
        }
        let table = self.profile(profile)?;
        for (key, value) in values {
            put(table, key, value);
        }
        Ok(())
    }

    /// Puts a whole profile in the place of one of that name.
    pub(super) fn put_profile(&mut self, name: &str, values: &ProfileFile) -> Result<(), ConfigError> {
        let text = toml::to_string(values).map_err(|error| self.problem(error.to_string()))?;
        let fresh: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| self.problem(error.to_string()))?;
        self.remove_profile(name);
        let table = self.profile(name)?;
        for (key, item) in fresh.as_table() {
            let item = item.clone().into_value().map_or(Item::None, Item::Value);
            table.insert(key, item);
        }
        Ok(())
    }

    /// Takes keys of a profile out.
    ///
    /// # Errors
    /// When a key is not there.
    pub fn unset(&mut self, profile: &str, keys: &[String]) -> Result<(), ConfigError> {
        for key in keys {
            if self.profile(profile)?.remove(key).is_none() {
                return Err(self.problem(format!("profile `{profile}` does not set `{key}` here")));
            }
        }
        Ok(())
    }

    /// Whether there was one.
    pub fn remove_profile(&mut self, name: &str) -> bool {
        let profiles = self.document.get_mut("profiles").and_then(Item::as_table_like_mut);
        profiles.is_some_and(|profiles| profiles.remove(name).is_some())
    }

    /// Adds a component of the operator's, pinned to its content, or puts it in the place of one of that name.
    ///
    /// # Errors
    /// When the file is written in a way that cannot be changed here.
    pub fn put_plugin(
        &mut self,
        name: &str,
        component: &Path,
        sha256: &str,
        settings: &str,
    ) -> Result<(), ConfigError> {
        let settings: toml_edit::DocumentMut = settings
            .parse()
            .map_err(|error: toml_edit::TomlError| self.problem(format!("the settings are no TOML: {error}")))?;
        let path = component.to_str().ok_or_else(|| self.problem("a plugin's path has to be UTF-8".to_owned()))?;
        let plugin = self.table("plugins", name)?;
        plugin.remove("builtin");
        put(plugin, "path", path.into());
        put(plugin, "sha256", sha256.into());
        if !settings.is_empty() {
            plugin.insert("settings", Item::Table(settings.as_table().clone()));
        }
        Ok(())
    }

    /// Whether there was one.
    pub fn remove_plugin(&mut self, name: &str) -> bool {
        let plugins = self.document.get_mut("plugins").and_then(Item::as_table_like_mut);
        plugins.is_some_and(|plugins| plugins.remove(name).is_some())
    }

    /// Which profile is opened when none is named.
    pub fn set_default(&mut self, profile: Option<&str>) {
        match profile {
            Some(profile) => put(self.document.as_table_mut(), "default_profile", profile.into()),
            None => drop(self.document.remove("default_profile")),
        }
    }

    pub fn default_profile(&self) -> Option<&str> {
        self.document.get("default_profile").and_then(Item::as_str)
    }

    /// Checks the whole and writes it, or says why not and leaves the file as it was.
    ///
    /// # Errors
    /// As loading the result would give.
    pub fn save(self) -> Result<(), ConfigError> {
        let text = self.document.to_string();
        Sources::of_text(&text, &self.path)?.resolve()?;
        replace::write(&self.path, &text)
    }

    fn profile(&mut self, name: &str) -> Result<&mut Table, ConfigError> {
        self.table("profiles", name)
    }

    /// `[SECTION.NAME]`, made where it is not there.
    fn table(&mut self, section: &str, name: &str) -> Result<&mut Table, ConfigError> {
        let path = self.path.clone();
        let inline = || ConfigError::Edit {
            path,
            problem: format!("its {section} are written in a way only a person can edit"),
        };
        let all = self.document.entry(section).or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        });
        let named = all.as_table_mut().map(|all| all.entry(name).or_insert(Item::Table(Table::new())));
        named.and_then(Item::as_table_mut).ok_or_else(inline)
    }

    fn problem(&self, problem: String) -> ConfigError {
        ConfigError::Edit { path: self.path.clone(), problem }
    }
}

/// A comment behind the old value stays behind the new one.
fn put(table: &mut Table, key: &str, mut value: Value) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            value.decor_mut().clone_from(old.decor());
            *old = value;
        }
        None => drop(table.insert(key, Item::Value(value))),
    }
}

/// What is text by the schema is taken as it is; anything else as TOML where it is TOML.
fn parsed(key: &str, text: &str) -> Value {
    let schema = keys::schema();
    let kind = &schema["$defs"]["ProfileFile"]["properties"][key]["type"];
    let is_text = match kind {
        Json::String(kind) => kind == "string",
        Json::Array(kinds) => kinds.iter().any(|kind| kind == "string"),
        _ => false,
    };
    let value = if is_text { None } else { text.parse().ok() };
    value.unwrap_or_else(|| text.into())
}

/// The list `auth`: the key with its passphrase, then the password.
fn auth(pairs: &[(&str, &str)]) -> Value {
    let entry = |password: bool| {
        let own = pairs.iter().filter(|(key, _)| key.starts_with("password_") == password);
        own.map(|(key, text)| ((*key).to_owned(), Value::from(*text))).collect::<InlineTable>()
    };
    let entries = [entry(false), entry(true)].into_iter().filter(|entry| !entry.is_empty());
    Value::Array(entries.map(Value::InlineTable).collect::<Array>())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn edited(before: &str, change: impl FnOnce(&mut Edit)) -> Result<String, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portcullis.toml");
        std::fs::write(&path, format!("ssh_config = false\n{before}")).unwrap();
        let mut edit = Edit::open(&path).unwrap();
        change(&mut edit);
        edit.save()?;
        let text = std::fs::read_to_string(&path).unwrap();
        Ok(text.strip_prefix("ssh_config = false\n").unwrap().to_owned())
    }

    fn pairs(pairs: &[&str]) -> Vec<String> {
        pairs.iter().map(|pair| (*pair).to_owned()).collect()
    }

    #[test]
    fn comments_and_order_stay() {
        let before = "# mine\n[profiles.web] # the shop\nuser = \"ann\" # not root\nhost = \"web1\"\n\n# the end\n";
        let after = edited(before, |edit| edit.set("web", &pairs(&["user=bob", "port=2222", "host=10"])).unwrap());
        assert_eq!(
            after.unwrap(),
            "# mine\n[profiles.web] # the shop\nuser = \"bob\" # not root\nhost = \"10\"\nport = 2222\n\n# the end\n"
        );
    }

    #[test]
    fn a_new_profile_takes_its_login_in_short() {
        let set = ["host=h", "user=u", "key_file=~/.ssh/id", "passphrase_env=P", "password_file=pw", "tags=[\"a\"]"];
        let after = edited("", |edit| edit.set("new", &pairs(&set)).unwrap()).unwrap();
        assert!(
            after.contains("auth = [{ key_file = \"~/.ssh/id\", passphrase_env = \"P\" }, { password_file = \"pw\" }]"),
            "{after}"
        );
        assert!(after.contains("tags = [\"a\"]"), "{after}");
    }

    #[test]
    fn what_would_not_load_is_not_written() {
        let before = "[profiles.web]\nhost = 'web1'\nuser = 'ann'\n";
        for (change, words) in [
            ("hots=x", "did you mean `host`"),
            ("policy_mode=yolo", "yolo"),
            ("columns=0", "columns"),
            ("password=hunter2", "password_env"),
        ] {
            let error = edited(before, |edit| edit.set("web", &pairs(&[change])).unwrap()).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let error = edited(before, |edit| edit.set_default(Some("nobody"))).unwrap_err().to_string();
        assert!(error.contains("nobody") && error.contains("web"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn the_written_file_is_its_owners_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/portcullis.toml");
        let mut edit = Edit::open(&path).unwrap();
        edit.set("web", &pairs(&["host=h", "user=u"])).unwrap();
        edit.save().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file is left");
    }
}
