//! A scratch folder with a bastion and a configuration that leads to it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a scene that cannot be set fails the test that needs it"
)]

use std::path::{Path, PathBuf};

use lab::bastion::{self, Bastion, BastionOptions};
use tempfile::TempDir;

use crate::mcp::{Client, program};
use crate::sshd::Sshd;

/// The bastion's user and password.
pub const USER: &str = "ann";
pub const PASSWORD: &str = "correct-horse-battery";
/// Where the configuration looks for the password.
pub const PASSWORD_VARIABLE: &str = "STORIES_PASSWORD";

/// Everything one story needs; gone when dropped.
pub struct Scene {
    pub folder: TempDir,
    pub bastion: Option<Bastion>,
    runtime: tokio::runtime::Runtime,
}

impl Scene {
    /// A bastion with its menu; `adjust` changes its options.
    pub fn with_bastion(adjust: impl FnOnce(&mut BastionOptions)) -> Self {
        let mut scene = Self::empty();
        let mut options = BastionOptions::new(scene.folder.path().join("lab"), USER);
        options.password = Some(PASSWORD.to_owned());
        let program = program().to_str().expect("a UTF-8 path").to_owned();
        options.kubectl_command = vec![program, "lab-kubectl".to_owned()];
        adjust(&mut options);
        let bastion = scene.runtime.block_on(bastion::start(options)).expect("the bastion starts");
        std::fs::write(scene.path("known_hosts"), bastion.known_hosts_line()).unwrap();
        let configuration = configuration(bastion.address.port());
        scene.configure(&configuration);
        scene.bastion = Some(bastion);
        scene
    }

    /// Only a folder.
    pub fn empty() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { folder: tempfile::tempdir().unwrap(), bastion: None, runtime }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn configure(&self, text: &str) {
        std::fs::write(self.path("portcullis.toml"), format!("{}{text}", head())).unwrap();
    }

    /// Puts the profile into the mode `full`: what the mode `safe` denies is warned of.
    pub fn allow_everything_but_the_worst(&self) {
        let path = self.path("portcullis.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, format!("{text}\n[defaults]\npolicy_mode = \"full\"\n")).unwrap();
    }

    /// A client of a server with this scene's configuration.
    pub fn client(&self) -> Client {
        Client::start(&self.path("portcullis.toml"), &[(PASSWORD_VARIABLE, PASSWORD)])
    }

    /// The same, by a client that can put a form to its user.
    pub fn client_with_dialogs(&self) -> Client {
        Client::start_with_dialogs(&self.path("portcullis.toml"), &[(PASSWORD_VARIABLE, PASSWORD)])
    }

    /// The transcript of a session, line by line.
    pub fn transcript(&self, session_id: &str) -> Vec<serde_json::Value> {
        let instances = std::fs::read_dir(self.path("state/instances")).unwrap();
        let files: Vec<PathBuf> = instances
            .map(|entry| entry.unwrap().path().join("transcripts").join(format!("{session_id}.jsonl")))
            .filter(|path| path.exists())
            .collect();
        assert_eq!(files.len(), 1, "transcripts of {session_id}: {files:?}");
        let text = std::fs::read_to_string(&files[0]).unwrap();
        text.lines().map(|line| serde_json::from_str(line).expect("a transcript line is JSON")).collect()
    }
}

/// The component of one of the lab's plugins, as the newest build of the program under test has left it.
pub fn lab_component(package: &str) -> PathBuf {
    let build = program().canonicalize().unwrap().parent().unwrap().join("build");
    let built = std::fs::read_dir(&build).unwrap().filter_map(Result::ok);
    let components = built.map(|entry| entry.path().join("out/misbehaving").join(format!("{package}.wasm")));
    let newest = components.filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path))).max();
    newest.unwrap_or_else(|| panic!("no {package}.wasm below {}", build.display())).1
}

/// Folders inside the scene, so that nothing of the user's is touched; compiled components are
/// shared between stories.
fn head() -> String {
    let cache = std::env::temp_dir().join("portcullis-stories-cache");
    format!(
        "ssh_config = false\nstate_directory = \"state\"\ncache_directory = {:?}\n[viewer]\nport = 18765\n",
        cache.display().to_string()
    )
}

/// The policy `team`, which has a person asked about lines with one of these words (`'deploy', 'freeze'`).
pub fn asking(words: &str) -> String {
    let component = lab_component("misbehaving").display().to_string();
    format!("[plugins.team]\npath = {component:?}\nsettings = {{ asks = [{words}] }}\n")
}

/// The profile `lab` with its routes.
pub fn configuration(port: u16) -> String {
    format!(
        r#"
[profiles.lab]
label = "Lab bastion"
host = "127.0.0.1"
port = {port}
user = "{USER}"
auth = [{{ password_env = "{PASSWORD_VARIABLE}" }}]
known_hosts = ["known_hosts"]
navigator = {{ plugin = "navigator-cmsm", menu_label = "bastion" }}
log_search = {{ sources = ["var/log"] }}

[profiles.lab.routes.orders-api]
target = "10.66.12.21"
user = "root"
namespace = "orders"
pod = "orders-api-*"

[profiles.lab.routes.master-b]
target = "master-b"
user = "readonly"

[profiles.lab.routes.nowhere]
target = "10.66.12.21"
user = "root"
namespace = "orders"
pod = "billing-*"
"#
    )
}

/// A profile named `name` on a real sshd, with its throw-away key.
pub fn sshd_profile(name: &str, sshd: &Sshd) -> String {
    format!(
        "\n[profiles.{name}]\nhost = {:?}\nport = {}\nuser = {:?}\nauth = [{{ key_file = {:?} }}]\nknown_hosts = [{:?}]\n",
        sshd.host(),
        sshd.port(),
        sshd.user(),
        path_text(sshd.user_key()),
        path_text(sshd.known_hosts())
    )
}

fn path_text(path: impl AsRef<Path>) -> String {
    path.as_ref().display().to_string()
}
