//! A real ssh-agent for one test, ended when dropped.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a kit that cannot start fails the test that needs it")]

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

/// A running ssh-agent.
pub struct SshAgent {
    child: Child,
    directory: TempDir,
}

impl SshAgent {
    /// Starts an agent without keys; returns once its socket is open.
    ///
    /// # Panics
    /// When there is no ssh-agent on this machine.
    #[must_use]
    pub fn start() -> Self {
        let directory = tempfile::tempdir().expect("a scratch directory");
        let mut child = Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(directory.path().join("socket"))
            // Keys added with a question are refused: nobody is there to say yes.
            .env("SSH_ASKPASS", "/bin/false")
            .env("SSH_ASKPASS_REQUIRE", "force")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("ssh-agent starts; run: apt-get install -y openssh-client");
        let mut said = String::new();
        // It names its socket once that is open.
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert!(said.contains("SSH_AUTH_SOCK"), "{said}");
        Self { child, directory }
    }

    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    /// Adds a private key, with the certificate beside it if there is one.
    pub fn add(&self, key: &Path) {
        self.ssh_add(&[], key);
    }

    /// Adds a private key that the agent will ask for before each use, in vain.
    pub fn add_with_question(&self, key: &Path) {
        self.ssh_add(&["-c"], key);
    }

    fn ssh_add(&self, options: &[&str], key: &Path) {
        let output = Command::new("ssh-add")
            .arg("-q")
            .args(options)
            .arg(key)
            .env("SSH_AUTH_SOCK", self.socket())
            .output()
            .expect("ssh-add runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for SshAgent {
    fn drop(&mut self) {
        // Both errors mean that it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
