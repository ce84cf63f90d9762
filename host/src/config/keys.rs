//! Keys that are not known and secrets that stand in the file, told with what was meant.
//!
//! The schema of the types as written says which keys there are, so nothing is listed twice.

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::file::ConfigFile;

/// Names that are more alike than this are taken for the same one mistyped (0 to 1, Jaro-Winkler).
const ALIKE: f64 = 0.8;
/// What holds a secret in the files people come from.
const SECRETS: &[&str] = &["password", "passwd", "passphrase", "private_key", "pass"];
/// Names of other programs for what is called otherwise here.
const RENAMED: &[(&str, &str)] = &[
    ("username", "user"),
    ("hostname", "host"),
    ("key_filename", "auth = [{ key_file = \"…\" }]"),
    ("identity_file", "auth = [{ key_file = \"…\" }]"),
    ("key_path", "auth = [{ key_file = \"…\" }]"),
    ("keepalive_interval", "keepalive_s"),
    ("timeout", "connect_timeout_s"),
    ("enter_sequence", "enter"),
    ("width", "columns"),
    ("cols", "columns"),
    ("height", "rows"),
    ("mode", "policy_mode"),
    ("security_mode", "policy_mode"),
];

/// The JSON Schema of portcullis.toml.
pub fn schema() -> Value {
    schemars::schema_for!(ConfigFile).to_value()
}

/// Every key that has no place where it stands, as `line N: …`. Text that is no TOML has none: its
/// parser says more.
pub(super) fn mistakes(text: &str) -> Vec<String> {
    let Ok(document) = DeTable::parse(text) else { return Vec::new() };
    let root = schema();
    let mut walk = Walk { text, root: &root, found: Vec::new() };
    walk.table(document.get_ref(), &root, "");
    // Tables are walked in the order of their keys.
    walk.found.sort();
    walk.found.into_iter().map(|(line, mistake)| format!("line {line}: {mistake}")).collect()
}

struct Walk<'a> {
    text: &'a str,
    root: &'a Value,
    found: Vec<(usize, String)>,
}

impl<'a> Walk<'a> {
    fn table(&mut self, table: &DeTable<'_>, schema: &'a Value, place: &str) {
        for (key, value) in table {
            let name: &str = key.get_ref();
            let inner = if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
            match (schema["properties"].get(name), &schema["additionalProperties"]) {
                (Some(known), _) => self.value(value.get_ref(), known, &inner),
                (None, Value::Bool(false)) => {
                    let line = self.text[..key.span().start].matches('\n').count() + 1;
                    let mistake = self.mistake(name, schema, place);
                    self.found.push((line, mistake));
                }
                (None, any @ Value::Object(_)) => self.value(value.get_ref(), any, &inner),
                // Whatever stands here is somebody else's.
                _ => {}
            }
        }
    }

    fn value(&mut self, value: &DeValue<'_>, schema: &'a Value, place: &str) {
        let schema = self.resolved(schema);
        match value {
            DeValue::Table(table) => self.table(table, schema, place),
            DeValue::Array(items) => {
                for item in items.iter() {
                    self.value(item.get_ref(), &schema["items"], place);
                }
            }
            _ => {}
        }
    }

    /// Behind references and optional values.
    fn resolved(&self, schema: &'a Value) -> &'a Value {
        if let Some(pointer) = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
            return self.root.pointer(pointer).map_or(schema, |schema| self.resolved(schema));
        }
        let choices = schema["anyOf"].as_array().into_iter().flatten();
        let choice = choices.map(|choice| self.resolved(choice)).find(|choice| choice["type"] == "object");
        choice.unwrap_or(schema)
    }

    fn mistake(&self, name: &str, schema: &Value, place: &str) -> String {
        let place = if place.is_empty() { String::new() } else { format!(" in `{place}`") };
        if SECRETS.contains(&name.to_ascii_lowercase().as_str()) {
            let kind = if name == "passphrase" { "passphrase" } else { "password" };
            return format!(
                "`{name}`{place} would put a secret into this file, where whoever reads the file has it. \
                 Name where it lies: {kind}_env = \"VARIABLE\", or {kind}_file = \"PATH\" of a file with mode 0600, \
                 in an entry of `auth`"
            );
        }
        let known: Vec<&String> = schema["properties"].as_object().into_iter().flat_map(|keys| keys.keys()).collect();
        if let Some((_, here)) = RENAMED.iter().find(|(other, _)| *other == name) {
            return format!("unknown key `{name}`{place}, here it is `{here}`");
        }
        let known: Vec<&str> = known.into_iter().map(String::as_str).collect();
        if let Some(nearest) = nearest(name, &known) {
            return format!("unknown key `{name}`{place}, did you mean `{nearest}`?");
        }
        if let Some(elsewhere) = self.elsewhere(name) {
            return format!("unknown key `{name}`{place}; it belongs in {elsewhere}");
        }
        format!("unknown key `{name}`{place}; known there are {}", known.join(", "))
    }

    /// Where a key that is right and misplaced belongs.
    fn elsewhere(&self, name: &str) -> Option<&'static str> {
        let places = [
            ("DefaultsFile", "[defaults] or [profiles.NAME]"),
            ("ProfileFile", "[profiles.NAME]"),
            ("AuthFile", "an entry of `auth`"),
            ("ViewerFile", "[viewer]"),
            ("ViewerProxyFile", "[viewer.proxy]"),
            ("McpFile", "[mcp]"),
            ("HttpFile", "[mcp.http]"),
            ("LimitsFile", "[limits]"),
            ("LogFile", "[log]"),
            ("MetricsFile", "[metrics]"),
            ("AttachFile", "[attach]"),
            ("TranscriptFile", "[transcript]"),
            ("KeepFile", "[transcript.keep]"),
            ("RedactionFile", "[redaction]"),
            ("FilesFile", "[profiles.NAME.files]"),
            ("Rule", "an entry of [[profiles.NAME.rules]]"),
            ("ExceptionFile", "an entry of [[profiles.NAME.exceptions]]"),
            ("PluginFile", "[plugins.NAME]"),
            ("PluginLimits", "[plugins.NAME.limits]"),
        ];
        let has = |table: &str| self.root["$defs"][table]["properties"].get(name).is_some();
        let place = places.into_iter().find(|(table, _)| has(table)).map(|(_, place)| place);
        place.or_else(|| self.root["properties"].get(name).map(|_| "the top of the file, before the first [table]"))
    }
}

/// The known name that is most like this one, where one is.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let alike = |known: &&&str| strsim::jaro_winkler(known, name);
    known.iter().max_by(|a, b| alike(a).total_cmp(&alike(b))).filter(|known| alike(known) > ALIKE).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_is_told_with_its_line_and_what_was_meant() {
        let text = "\
default_profil = 'web'
columns = 100
[viewer]
prot = 80
[plugins.own]
settings = { anything = { goes = 1 } }
[profiles.web]
hots = 'a'
username = 'ann'
password = 'x'
frobnicate = 1
default_profile = 'web'
auth = [{ key_fil = 'k' }, { passphrase = 'y' }]
[profiles.web.routes.api]
any = 'thing'
";
        let mistakes = mistakes(text);
        let expected = [
            "line 1: unknown key `default_profil`, did you mean `default_profile`?",
            "line 2: unknown key `columns`; it belongs in [defaults] or [profiles.NAME]",
            "line 4: unknown key `prot` in `viewer`, did you mean `port`?",
            "line 8: unknown key `hots` in `profiles.web`, did you mean `host`?",
            "line 9: unknown key `username` in `profiles.web`, here it is `user`",
            "line 10: `password` in `profiles.web` would put a secret into this file, where whoever reads the file \
             has it. Name where it lies: password_env = \"VARIABLE\", or password_file = \"PATH\" of a file with mode \
             0600, in an entry of `auth`",
            "line 12: unknown key `default_profile` in `profiles.web`; it belongs in the top of the file, before the \
             first [table]",
            "line 13: unknown key `key_fil` in `profiles.web.auth`, did you mean `key_file`?",
        ];
        for wanted in expected {
            assert!(mistakes.iter().any(|mistake| mistake == wanted), "{wanted}\nnot in {mistakes:#?}");
        }
        let other: Vec<&String> = mistakes.iter().filter(|mistake| !expected.contains(&mistake.as_str())).collect();
        assert_eq!(other.len(), 2, "{other:#?}");
        assert!(other.iter().any(|mistake| mistake.starts_with("line 11: unknown key `frobnicate`")), "{other:#?}");
        assert!(other.iter().any(|mistake| mistake.contains("passphrase_env")), "{other:#?}");
    }

    #[test]
    fn a_file_without_mistakes_has_none() {
        let text = "ssh_config = false\n[defaults]\nrows = 3\n[profiles.a]\nhost = 'h'\nlog_search = { sources = ['x'] }\n\
                    navigator = { plugin = 'p', secrets = { password = { env = 'P' } } }\n[mcp]\nstructured = 'off'\n[profiles.b]\nauth = [{ password_env = 'P' }]\n";
        assert_eq!(mistakes(text), Vec::<String>::new());
        assert_eq!(mistakes("this is = not [toml"), Vec::<String>::new());
    }
}
