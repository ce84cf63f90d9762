//! A disk of a few hundred kilobytes for one server's state, which fills up; and one that cannot be written.
//!
//! A tmpfs in a mount namespace of the server's own, where this machine lets us mount (as root, or with user
//! namespaces); elsewhere a limit on the size of its files, which it meets as it meets a full disk.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what is unexpected fails the test")]

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::mcp::{Client, program};
use crate::scene::Scene;

/// A server started with the scene's configuration, whose `state` cannot be written: the command that starts it.
pub fn on_read_only_disk(scene: &Scene) -> Command {
    let state = scene.path("state");
    std::fs::create_dir_all(&state).unwrap();
    assert!(may_mount(), "a read-only disk takes the right to mount: run this as root, or allow user namespaces");
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs -o mode=700,ro tmpfs \"$2\" && exec \"$0\" stdio --config \"$1\"";
    command.args(["-rm", "sh", "-c", script]).arg(program()).arg(scene.path("portcullis.toml")).arg(&state);
    command
}

/// A server whose state lies on a disk of its own.
pub struct SmallDisk {
    process_id: u32,
    /// A real disk, seen by the server alone.
    mounted: bool,
    state: PathBuf,
}

/// Whether this machine lets us mount, tried once.
fn may_mount() -> bool {
    let tried = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).output();
    tried.is_ok_and(|tried| tried.status.success())
}

impl SmallDisk {
    /// Starts a server with the scene's configuration, whose `state` is on a disk of that size.
    #[allow(clippy::print_stdout, reason = "which of the two it was belongs to what the test shows")]
    pub fn serve(scene: &Scene, kilobytes: u32) -> (Client, Self) {
        let (mounted, state) = (may_mount(), scene.path("state"));
        println!(
            "{}",
            if mounted { "a disk of its own: tmpfs" } else { "no right to mount here: a limit on file sizes" }
        );
        std::fs::create_dir_all(&state).unwrap();
        let mut command = Command::new(if mounted { "unshare" } else { "sh" });
        if mounted {
            command.args(["-rm", "sh"]);
        }
        // The signal for a file that has become too large is as little the program's affair as the disk's size.
        let mount = format!("mount -t tmpfs -o mode=700,size={kilobytes}k tmpfs \"$2\" &&");
        let script = format!("trap '' XFSZ; {} exec \"$0\" stdio --config \"$1\"", if mounted { &mount } else { "" });
        command.args(["-c", &script]).arg(program()).arg(scene.path("portcullis.toml")).arg(&state);
        let client = Client::start_command(command);
        let process_id = client.process_id();
        (client, Self { process_id, mounted, state })
    }

    /// The same file as this test sees it.
    pub fn seen(&self, path: &Path) -> PathBuf {
        if !self.mounted {
            return path.to_owned();
        }
        let mut seen = PathBuf::from(format!("/proc/{}/root", self.process_id));
        seen.push(path.strip_prefix("/").expect("an absolute path"));
        seen
    }

    /// A command that sees the disk as the server does.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        if !self.mounted {
            return Command::new(program);
        }
        let mut command = Command::new("nsenter");
        let target = self.process_id.to_string();
        command.args(["--target", &target, "--user", "--preserve-credentials", "--mount"]).arg(program);
        command
    }

    /// Nothing more fits, or only what is left of the last page.
    pub fn fill(&self) {
        if !self.mounted {
            let largest = |path: PathBuf| std::fs::metadata(path).map_or(0, |known| known.len());
            let most = self.transcripts().into_iter().map(largest).max().unwrap_or(0);
            return self.limit_files(&(most + 100).to_string());
        }
        let mut filler = std::fs::File::create(self.seen(&self.state.join("filler"))).unwrap();
        let full = loop {
            if let Err(error) = std::io::Write::write_all(&mut filler, &[0; 512]) {
                break error;
            }
        };
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull, "{full}");
    }

    /// There is room again.
    pub fn empty(&self) {
        match self.mounted {
            true => std::fs::remove_file(self.seen(&self.state.join("filler"))).unwrap(),
            false => self.limit_files("unlimited"),
        }
    }

    /// Sets how large the server's files may become.
    fn limit_files(&self, bytes: &str) {
        let (limit, process_id) = (format!("--fsize={bytes}:"), self.process_id.to_string());
        assert!(Command::new("prlimit").args(["--pid", &process_id, &limit]).status().unwrap().success());
    }

    /// All transcripts on it, as this test sees them.
    pub fn transcripts(&self) -> Vec<PathBuf> {
        let instances = std::fs::read_dir(self.seen(&self.state.join("instances"))).unwrap();
        let folders = instances.map(|entry| entry.unwrap().path().join("transcripts"));
        let files = folders.filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
        files.map(|file| file.unwrap().path()).collect()
    }
}
