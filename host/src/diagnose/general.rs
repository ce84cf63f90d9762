//! What concerns the machine and not one profile.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Finding;
use crate::config::{PluginEntry, ViewerConfig};
use crate::ssh;

/// Where MCP clients keep their servers, below the home folder.
const CLIENT_FILES: &[(&str, &str)] = &[
    ("Claude Code", ".claude.json"),
    ("Claude Code", ".claude/settings.json"),
    ("Codex", ".codex/config.toml"),
    ("Cursor", ".cursor/mcp.json"),
    ("Claude Desktop", ".config/Claude/claude_desktop_config.json"),
    ("Claude Desktop", "Library/Application Support/Claude/claude_desktop_config.json"),
    ("Gemini CLI", ".gemini/settings.json"),
];
/// Far above any such file.
const CLIENT_FILE_LIMIT_BYTES: u64 = 32 * 1024 * 1024;

/// The agent that a profile finds which names none.
pub fn agent() -> Finding {
    let subject = "agent";
    let places = ssh::agent_sockets(None);
    let mut silent = Vec::new();
    for place in &places {
        match UnixStream::connect(place) {
            Ok(_) => return Finding::good(subject, format!("{} answers", place.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => silent.push(format!("{} does not answer: {error}", place.display())),
        }
    }
    if silent.is_empty() {
        let looked_at: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
        return Finding::note(subject, format!("none is there; looked at {}", looked_at.join(", ")));
    }
    Finding::note(subject, silent.join("; "))
}

/// Whether the viewer gets the port the configuration names.
pub fn viewer_port(viewer: &ViewerConfig) -> Finding {
    let subject = "viewer";
    if !viewer.enabled {
        return Finding::note(subject, "switched off: nobody can watch, type or approve");
    }
    let port = viewer.first_port;
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Finding::good(subject, format!("port {port} is free")),
        Err(error) => Finding::note(
            subject,
            format!("port {port} is taken ({error}), perhaps by a host that runs; the next free one is used"),
        ),
    }
}

/// The operator's own components: whether each is there and is the one that was pinned.
pub fn plugin_files(plugins: &[PluginEntry]) -> Vec<Finding> {
    plugins.iter().filter_map(|entry| entry.path.as_ref().map(|path| plugin_file(entry, path))).collect()
}

fn plugin_file(entry: &PluginEntry, path: &Path) -> Finding {
    let subject = format!("plugin {}", entry.name);
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let text = format!("{} cannot be read: {error}", path.display());
            return Finding::problem(&subject, text).with_help("correct `path` in the configuration");
        }
    };
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    match &entry.sha256 {
        Some(pinned) if pinned.eq_ignore_ascii_case(&digest) => {
            Finding::good(&subject, format!("{} is the pinned one ({digest})", path.display()))
        }
        Some(pinned) => {
            Finding::problem(&subject, format!("{} has the SHA-256 {digest}, pinned is {pinned}", path.display()))
                .with_help("if the new file is wanted, put its digest into the configuration")
        }
        None => Finding::note(&subject, format!("{} is not pinned", path.display()))
            .with_help(format!("sha256 = \"{digest}\"")),
    }
}

/// Which MCP clients have been told of this program.
pub fn clients(home: &Path, current_folder: Option<&Path>) -> Vec<Finding> {
    let mut files: Vec<(&str, PathBuf)> =
        CLIENT_FILES.iter().map(|(client, file)| (*client, home.join(file))).collect();
    files.extend(current_folder.map(|folder| ("this folder", folder.join(".mcp.json"))));
    let registered = |(client, path): &(&str, PathBuf)| {
        let small = std::fs::metadata(path).is_ok_and(|metadata| metadata.len() <= CLIENT_FILE_LIMIT_BYTES);
        let named = small && std::fs::read_to_string(path).is_ok_and(|text| text.contains("portcullis"));
        named.then(|| Finding::good("client", format!("{client} names portcullis in {}", path.display())))
    };
    let found: Vec<Finding> = files.iter().filter_map(registered).collect();
    if found.is_empty() {
        return vec![
            Finding::note("client", "no client's file that is known here names portcullis")
                .with_help("e.g. claude mcp add ssh -- portcullis stdio"),
        ];
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::super::State;
    use super::*;

    #[test]
    fn a_client_is_found_by_its_file() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(clients(home.path(), None)[0].state, State::Note);
        std::fs::create_dir(home.path().join(".codex")).unwrap();
        std::fs::write(home.path().join(".codex/config.toml"), "[mcp_servers.ssh]\ncommand = 'portcullis'\n").unwrap();
        let found = clients(home.path(), None);
        assert_eq!((found.len(), found[0].state), (1, State::Good));
        assert!(found[0].text.starts_with("Codex"), "{}", found[0].text);
    }

    #[test]
    fn a_plugin_that_is_not_the_pinned_one_is_a_problem() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let entry = |sha256: Option<&str>| PluginEntry {
            granted_secrets: Vec::new(),
            limits: crate::config::PluginLimits::default(),
            name: "own".to_owned(),
            path: Some(file.path().to_owned()),
            builtin: None,
            sha256: sha256.map(str::to_owned),
            settings: "{}".to_owned(),
        };
        // Of no bytes at all.
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(plugin_files(&[entry(Some(empty))])[0].state, State::Good);
        assert_eq!(plugin_files(&[entry(Some("00"))])[0].state, State::Problem);
        let help = plugin_files(&[entry(None)])[0].help.clone();
        assert_eq!(help, Some(format!("sha256 = \"{empty}\"")));
    }

    #[test]
    fn a_taken_port_is_told() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let viewer = ViewerConfig { enabled: true, first_port: taken.local_addr().unwrap().port(), proxy: None };
        assert_eq!(viewer_port(&viewer).state, State::Note);
    }
}
