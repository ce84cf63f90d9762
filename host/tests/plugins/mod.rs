//! What a broken or hostile plugin can do to the running program: fail its own call. The program is
//! driven over MCP against a real sshd; the plugins are the lab's misbehaving ones.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed step is a failed test")]

mod checks;
mod configured;
mod live;
mod parsers;
mod policies;
mod starts;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use e2e::mcp::{Client, program};
use e2e::scene::{Scene, sshd_profile};
use e2e::sshd::{Sshd, SshdOptions};
use serde_json::json;

/// A profile that no misbehaving policy watches.
const GOOD: &str = "good";

/// The component of one of the lab's packages.
fn component(package: &str) -> PathBuf {
    let path = Path::new(env!("PORTCULLIS_MISBEHAVING_DIR")).join(format!("{package}.wasm"));
    assert!(path.is_file(), "{} is missing; build without PORTCULLIS_PLUGINS_DIST", path.display());
    path
}

/// The configuration's section for a plugin; `settings` is a TOML inline table.
fn plugin_section(name: &str, package: &str, settings: &str) -> String {
    format!("\n[plugins.{name}]\npath = {:?}\nsettings = {settings}\n", component(package).display().to_string())
}

/// A program with a session open on [`GOOD`] and on whatever else the test asks for.
struct Stage {
    scene: Scene,
    client: Client,
    /// Answers as long as it lives.
    _sshd: Sshd,
}

impl Stage {
    /// `policed` are further profiles, each with the settings of its one misbehaving policy;
    /// `more` is added to the configuration as it is.
    fn set(policed: &[(&str, &str)], more: &str) -> Self {
        let built = Path::new(env!("CARGO_BIN_EXE_portcullis")).canonicalize().unwrap();
        assert_eq!(program().canonicalize().unwrap(), built, "PORTCULLIS_BIN is not the program under test");
        let sshd = Sshd::start(SshdOptions::default());
        let mut text = sshd_profile(GOOD, &sshd);
        for (name, settings) in policed {
            let _ = writeln!(text, "{}policies = [\"{name}\"]", sshd_profile(name, &sshd));
            text.push_str(&plugin_section(name, "misbehaving", settings));
        }
        text.push_str(more);
        let scene = Scene::empty();
        scene.configure(&text);
        let client = scene.client();
        Self { scene, client, _sshd: sshd }
    }

    /// The id of a new session.
    fn open(&mut self, profile: &str) -> String {
        let opened = self.client.succeed("ssh_open", json!({ "profile": profile }));
        assert_eq!(opened["session"]["state"], "at_prompt", "{opened}");
        opened["session"]["session_id"].as_str().unwrap().to_owned()
    }
}
