//! The folder of one running process: `<state>/instances/<instance_id>/`.

use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, OpenOptions, OpenOptionsExt};
use serde_json::json;

use super::transcript::{Transcript, TranscriptError};
use crate::config::TranscriptMode;
use crate::{clock, random};

/// Why the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    #[error("the state folder {} cannot be made or opened; give another with `state_directory` in the configuration", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("no random name could be made")]
    Random(#[source] getrandom::Error),
}

/// This process's own folder.
#[derive(Debug)]
pub struct Instance {
    pub id: String,
    pub path: PathBuf,
    directory: Dir,
    transcripts: Dir,
}

impl Instance {
    /// Makes the folder of a new instance below `state`.
    ///
    /// # Errors
    /// When the folder cannot be made or is not ours to use.
    pub fn create(state: &Path) -> Result<Self, InstanceError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| InstanceError::Folder { path, source }
        };
        let id = random::hex(6).map_err(InstanceError::Random)?;
        private_folder(state).map_err(failed(state))?;
        let state_directory = Dir::open_ambient_dir(state, ambient_authority()).map_err(failed(state))?;
        let instances = open_private(&state_directory, "instances").map_err(failed(state))?;
        let path = state.join("instances").join(&id);
        let directory = open_private(&instances, &id).map_err(failed(&path))?;
        let transcripts = open_private(&directory, "transcripts").map_err(failed(&path))?;
        Ok(Self { id, path, directory, transcripts })
    }

    /// Writes `server.json`: where the operator's commands and the browser find this process. It
    /// holds the viewer's tokens (`links`: a role and its address) and is readable by its owner only.
    ///
    /// # Errors
    /// When the file cannot be written whole.
    pub fn write_server_file(&self, viewer_url: Option<&str>, links: &[(&str, String)]) -> Result<(), InstanceError> {
        let failed = |source| InstanceError::Folder { path: self.path.join("server.json"), source };
        let content = json!({
            "instance_id": self.id,
            "process_id": std::process::id(),
            "started_unix_ms": clock::unix_ms(),
            "viewer_url": viewer_url,
            "viewer_links": links.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        });
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut file = self.directory.open_with("server.json.new", &options).map_err(failed)?;
        std::io::Write::write_all(&mut file, content.to_string().as_bytes()).map_err(failed)?;
        self.directory.rename("server.json.new", &self.directory, "server.json").map_err(failed)
    }

    /// Removes what only makes sense while the process runs; the transcripts stay.
    pub fn retire(&self) {
        // Gone already is as good as removed.
        let _ = self.directory.remove_file("server.json");
    }

    /// Starts the transcript of a session.
    ///
    /// # Errors
    /// When its file exists already or cannot be written.
    pub fn transcript(&self, session_id: &str, mode: TranscriptMode) -> Result<Transcript, TranscriptError> {
        Transcript::create(&self.transcripts, session_id, &self.path, mode)
    }
}

fn private_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn open_private(parent: &Dir, name: &str) -> std::io::Result<Dir> {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    match parent.create_dir_with(name, &builder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    parent.open_dir(name)
}
