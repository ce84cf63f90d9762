//! A person's home folder for one test: what the program finds there and nothing else.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a home that cannot be made fails the test that needs it")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::mcp::{Client, program};
use crate::sshd::Sshd;

/// Gone when dropped.
pub struct Home {
    folder: TempDir,
}

/// How a command ended and what it said.
#[derive(Debug)]
pub struct Ran {
    pub success: bool,
    pub stdout: String,
    pub stderr: String,
}

impl Home {
    #[must_use]
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the user's file is.
    #[must_use]
    pub fn user_file(&self) -> PathBuf {
        self.path(".config/portcullis/portcullis.toml")
    }

    /// Writes a file that only its owner may read, with its folders.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// `~/.ssh/config` with one alias that leads to the server; its host key is recorded.
    pub fn know(&self, alias: &str, sshd: &Sshd) {
        self.write(".ssh/known_hosts", &fs::read_to_string(sshd.known_hosts()).unwrap());
        self.write(".ssh/config", &alias_of(alias, sshd));
    }

    /// The program with this home, started in `folder` below it, without the variables that would lead
    /// it elsewhere.
    #[must_use]
    pub fn command(&self, folder: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments).current_dir(self.path(folder)).env("HOME", self.folder.path());
        for name in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "SSH_AUTH_SOCK", "PORTCULLIS_CONFIG", "SSH_MCP_CONFIG"] {
            command.env_remove(name);
        }
        // Compiled components are shared between stories.
        command.env("XDG_CACHE_HOME", std::env::temp_dir().join("portcullis-stories-home-cache"));
        command
    }

    /// Runs a command of the program's, with nobody to ask.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_in("", arguments)
    }

    #[must_use]
    pub fn run_in(&self, folder: &str, arguments: &[&str]) -> Ran {
        let output = self.command(folder, arguments).stdin(Stdio::null()).output().expect("the program starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Ran { success: output.status.success(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// A client of a server that was told of no file.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::start_command(self.command("", &["stdio"]))
    }
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

/// Lines of ssh_config for a server.
#[must_use]
pub fn alias_of(alias: &str, sshd: &Sshd) -> String {
    format!(
        "Host {alias}\n  HostName {}\n  Port {}\n  User {}\n  IdentityFile {}\n",
        sshd.host(),
        sshd.port(),
        sshd.user(),
        shown(&sshd.user_key())
    )
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
