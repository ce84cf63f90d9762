//! What is published with the program agrees with it, and what a bundle starts is it.

use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::mcp::{Client, program};
use serde_json::{Value, json};

fn file(name: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("packaging").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn document(name: &str) -> Value {
    serde_json::from_str(&file(name)).unwrap()
}

#[test]
fn names_and_versions_agree() {
    let version = env!("CARGO_PKG_VERSION");
    let (server, manifest, container) = (document("server.json"), document("manifest.json"), file("Dockerfile"));
    assert_eq!((&server["version"], &manifest["version"]), (&json!(version), &json!(version)));
    // What the registry refuses otherwise.
    let name = server["name"].as_str().unwrap();
    assert!(name.split_once('/').is_some_and(|(owner, name)| owner.contains('.') && name == "portcullis"), "{name}");
    assert!(server["description"].as_str().unwrap().chars().count() <= 100);
    for package in server["packages"].as_array().unwrap() {
        assert_eq!((&package["registryType"], &package["transport"]["type"]), (&json!("oci"), &json!("stdio")));
        assert!(package["identifier"].as_str().unwrap().ends_with(&format!("/portcullis:{version}")), "{package}");
    }
    // The image says whose it is, and starts the program as one that is not root.
    assert!(container.contains(&format!("LABEL io.modelcontextprotocol.server.name=\"{name}\"")), "{container}");
    let toolchain =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("rust-toolchain.toml"));
    let channel = toolchain.unwrap().split("channel = \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert!(channel.starts_with(container.split("FROM rust:").nth(1).unwrap().split('-').next().unwrap()), "{channel}");
    // What is built on one Debian runs on the same, not on an older one.
    let base = container.split("FROM rust:").nth(1).unwrap().split_whitespace().next().unwrap();
    let debian = base.rsplit('-').next().unwrap();
    assert!(container.contains(&format!("\nFROM debian:{debian}-slim\n")), "{container}");
    assert!(container.contains("\nUSER portcullis\nENTRYPOINT [\"portcullis\"]\nCMD [\"stdio\"]\n"), "{container}");
}

#[test]
fn what_the_bundle_starts_is_the_program() {
    let manifest = document("manifest.json");
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display().to_string();
    let entry = folder.path().join(manifest["server"]["entry_point"].as_str().unwrap());
    std::fs::create_dir_all(entry.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(program().canonicalize().unwrap(), &entry).unwrap();
    let config = &manifest["server"]["mcp_config"];
    let mut command = Command::new(config["command"].as_str().unwrap().replace("${__dirname}", &place));
    command.args(config["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap()));
    command.env_clear().env("HOME", folder.path());
    // A user who has chosen no file: some clients leave the template as it is.
    for (name, value) in config["env"].as_object().unwrap() {
        command.env(name, value.as_str().unwrap());
    }
    command.env("XDG_CACHE_HOME", std::env::temp_dir().join("portcullis-stories-home-cache"));
    let mut client = Client::start_command(command);
    assert_eq!(client.succeed("ssh_hosts", json!({}))["hosts"], json!([]));
}
