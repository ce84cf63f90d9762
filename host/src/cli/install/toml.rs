//! One table of Codex' configuration, set and removed without touching anything else.

use toml_edit::{Array, DocumentMut, Item, Table, TomlError, value};

use super::clients::Launch;

/// The variables that Codex hands on only when they are named.
const HANDED_ON: [&str; 1] = ["SSH_AUTH_SOCK"];
/// Seconds a start may take; the very first one compiles the plugins.
const STARTUP_S: i64 = 60;
/// Seconds a call may take; ours answer within one minute.
const TOOL_S: i64 = 120;

/// Sets `container.name`; says whether the container had to be made.
pub(super) fn set(text: &str, container: &str, name: &str, launch: &Launch) -> Result<(String, bool), TomlError> {
    let mut document: DocumentMut = text.parse()?;
    let made = !document.contains_key(container);
    let all = document.entry(container).or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let list = |items: &[&str]| value(items.iter().copied().collect::<Array>());
    let mut entry = Table::new();
    entry["command"] = value(launch.program.display().to_string());
    entry["args"] = list(&launch.arguments.iter().map(String::as_str).collect::<Vec<_>>());
    entry["env_vars"] = list(&HANDED_ON);
    entry["startup_timeout_sec"] = value(STARTUP_S);
    entry["tool_timeout_sec"] = value(TOOL_S);
    if let Some(all) = all.as_table_like_mut() {
        all.insert(name, Item::Table(entry));
    }
    Ok((document.to_string(), made))
}

/// The program that `container.name` starts, where there is such an entry.
pub(super) fn program(text: &str, container: &str, name: &str) -> Result<Option<String>, TomlError> {
    let document: DocumentMut = text.parse()?;
    let entry = document.get(container).and_then(|all| all.get(name));
    Ok(entry.map(|entry| entry.get("command").and_then(Item::as_str).unwrap_or_default().to_owned()))
}

/// Takes `container.name` out, and the container as well where nothing is left and it is `ours`.
pub(super) fn remove(text: &str, container: &str, name: &str, ours: bool) -> Result<String, TomlError> {
    let mut document: DocumentMut = text.parse()?;
    if let Some(all) = document.get_mut(container).and_then(Item::as_table_like_mut) {
        all.remove(name);
        if ours && all.is_empty() {
            document.remove(container);
        }
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

    use super::*;

    #[test]
    fn what_is_set_is_taken_back_to_the_byte() {
        let launch = Launch { program: "/opt/portcullis".into(), arguments: vec!["stdio".to_owned()] };
        for before in [
            "",
            "# mine\nmodel = \"x\"\n",
            "model = \"x\" # mine\n\n[mcp_servers.other]\ncommand = \"y\" # theirs\n",
            "[mcp_servers.other]\ncommand = \"y\"\n\n[profiles.a]\nmodel = \"z\"\n\n# the end\n",
        ] {
            let (after, made) = set(before, "mcp_servers", "ssh", &launch).unwrap();
            assert!(after.contains("[mcp_servers.ssh]\ncommand = \"/opt/portcullis\""), "{after}");
            assert_eq!(program(&after, "mcp_servers", "ssh").unwrap().unwrap(), "/opt/portcullis");
            assert_eq!(remove(&after, "mcp_servers", "ssh", made).unwrap(), before, "{after}");
        }
        assert!(set("not [toml", "mcp_servers", "ssh", &launch).is_err());
    }
}
