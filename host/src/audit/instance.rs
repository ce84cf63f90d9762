//! The folder of one running process: `<state>/instances/<instance_id>/`.
//!
//! A process holds a lock on its folder for as long as it lives, whatever ends it. Whether an instance runs is
//! read from that lock and never from a process id, which another process may have by now.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cap_std::fs::Dir;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use serde::{Deserialize, Serialize};

use super::chain::{ChainKey, KeyError};
use super::file::{Manner, RecordFile};
use super::redact::Redaction;
use super::transcript::{Transcript, TranscriptError};
use crate::config::{Config, OnWriteFailure, Secret, Sync, TranscriptMode};
use crate::{clock, random};

pub(super) const INSTANCES: &str = "instances";
pub(super) const TRANSCRIPTS: &str = "transcripts";
pub(super) const SERVER_FILE: &str = "server.json";
/// Where the next server file is written before it takes the place of the last one.
pub(super) const NEW_SERVER_FILE: &str = "server.json.new";
pub(super) const LOCK_FILE: &str = "lock";
pub(super) const SOCKET: &str = "control.sock";
pub(super) const LOG_FILE: &str = "host.log";
/// Leads a browser to the viewer, so that its token stands in no list of processes.
pub(super) const VIEWER_PAGE: &str = "viewer.html";
/// Names tried before giving up; a cleaner may hold a new folder's lock for a moment.
const ATTEMPTS: usize = 8;

/// Why the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    #[error("the state folder {} cannot be made or opened; give another with `state_directory` in the configuration", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} belongs to somebody else; give a folder of your own with `state_directory` in the configuration", path.display())]
    Foreign { path: PathBuf },
    #[error("no random name could be made")]
    Random(#[source] getrandom::Error),
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// How an instance keeps its record.
#[derive(Debug, Default)]
pub struct Keeping {
    pub(super) key: ChainKey,
    pub(super) sync: Sync,
    /// None: by the profile.
    pub(super) on_failure: Option<OnWriteFailure>,
    pub(super) output_limit_bytes: Option<u64>,
    pub(super) redaction: Redaction,
}

impl Keeping {
    /// As the operator has it.
    ///
    /// # Errors
    /// When the chain's key cannot be read.
    pub fn of(config: &Config) -> Result<Self, InstanceError> {
        let written = &config.transcript;
        Ok(Self {
            key: ChainKey::read(written.key_file.as_deref())?,
            sync: written.sync,
            on_failure: written.on_write_failure,
            output_limit_bytes: written.output_limit_bytes,
            redaction: Redaction::of(config),
        })
    }
}

/// What a session's transcript is to be.
#[derive(Debug)]
pub struct Wanted<'a> {
    pub mode: TranscriptMode,
    /// Nothing is typed that cannot be recorded.
    pub audited: bool,
    /// Values that may not be written, beside those of the instance.
    pub secrets: &'a [Secret],
}

/// What `server.json` says of a running process. It holds the viewer's token and is readable by its owner only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerFile {
    /// Of this file's shape.
    pub version: u32,
    pub instance_id: String,
    pub process_id: u32,
    /// The process that started it: an MCP client, below which an agent's own shells run. 0 for none.
    pub client_process_id: u32,
    pub started_unix_ms: u64,
    pub program_version: String,
    /// What the operator calls it.
    pub label: Option<String>,
    /// Names of the MCP clients it serves or has served.
    pub clients: Vec<String>,
    /// Everything that is to run beside the sessions does.
    pub ready: bool,
    /// With the operator's token.
    pub viewer_url: Option<String>,
    /// A link of its own for each role.
    pub viewer_links: BTreeMap<String, String>,
}

/// This process's own folder.
#[derive(Debug)]
pub struct Instance {
    pub id: String,
    pub path: PathBuf,
    directory: Dir,
    transcripts: Dir,
    announced: Mutex<ServerFile>,
    /// Released by the operating system when the process ends.
    _lock: OwnedFd,
    keeping: Keeping,
}

impl Instance {
    /// Makes the folder of a new instance below `state`, locks it and says in it who runs.
    ///
    /// # Errors
    /// When the folder cannot be made or is not ours to use.
    pub fn create(state: &Path, keeping: Keeping) -> Result<Self, InstanceError> {
        private_folder(state).map_err(failed(state))?;
        let instances = open_instances(state)?;
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let id = random::hex(6).map_err(InstanceError::Random)?;
            let path = state.join(INSTANCES).join(&id);
            match claim(&instances, &id) {
                Ok((directory, transcripts, lock)) => {
                    let announced = Mutex::new(ServerFile {
                        version: 1,
                        instance_id: id.clone(),
                        process_id: std::process::id(),
                        started_unix_ms: clock::unix_ms(),
                        program_version: env!("CARGO_PKG_VERSION").to_owned(),
                        ..ServerFile::default()
                    });
                    let instance = Self { id, path, directory, transcripts, announced, _lock: lock, keeping };
                    instance.announce(|_| {})?;
                    return Ok(instance);
                }
                Err(source) => last = Some(InstanceError::Folder { path, source }),
            }
        }
        Err(last.unwrap_or_else(|| InstanceError::Foreign { path: state.to_owned() }))
    }

    /// Changes what `server.json` says: where the operator's commands and the browser find this process.
    ///
    /// # Errors
    /// When the file cannot be written whole; the old one stays then.
    pub fn announce(&self, change: impl FnOnce(&mut ServerFile)) -> Result<(), InstanceError> {
        let mut announced = self.announced.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut announced);
        let content = serde_json::to_vec(&*announced).map_err(|error| failed(&self.path)(error.into()))?;
        let write = || {
            self.write_file(NEW_SERVER_FILE, &content)?;
            self.directory.rename(NEW_SERVER_FILE, &self.directory, SERVER_FILE)
        };
        write().map_err(failed(&self.path.join(SERVER_FILE)))
    }

    /// What the file says now.
    pub fn announced(&self) -> ServerFile {
        self.announced.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes the name of a client that is served; whether it was not known yet.
    ///
    /// # Errors
    /// As [`Instance::announce`].
    pub fn note_client(&self, name: &str) -> Result<bool, InstanceError> {
        if self.announced.lock().unwrap_or_else(PoisonError::into_inner).clients.iter().any(|known| known == name) {
            return Ok(false);
        }
        self.announce(|file| file.clients.push(name.to_owned()))?;
        Ok(true)
    }

    /// Opens the log for appending.
    ///
    /// # Errors
    /// When it cannot be made, or something else than a file of ours stands in its place.
    pub fn open_log(&self) -> std::io::Result<File> {
        open_file(&self.directory, LOG_FILE, OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND)
    }

    /// The log goes on in a new file; the one before the last is gone.
    ///
    /// # Errors
    /// As [`Instance::open_log`].
    pub fn rotate_log(&self) -> std::io::Result<File> {
        self.directory.rename(LOG_FILE, &self.directory, format!("{LOG_FILE}.1"))?;
        self.open_log()
    }

    /// Where the host's log lies.
    pub fn log_file(&self) -> PathBuf {
        self.path.join(LOG_FILE)
    }

    /// Where the sessions' transcripts lie.
    pub fn transcripts_folder(&self) -> PathBuf {
        self.path.join(TRANSCRIPTS)
    }

    /// The private socket of the operator's commands, on which nothing listens yet but the caller.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn bind_socket(&self) -> std::io::Result<UnixListener> {
        use std::os::unix::fs::PermissionsExt as _;
        // The folder is private, so nobody else gets here between the two steps.
        let path = reachable(&self.directory, &self.path, SOCKET);
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    }

    /// Removes what only makes sense while the process runs; transcripts and log stay.
    pub fn retire(&self) {
        remove_run_files(&self.directory);
    }

    /// Starts the transcript of a session.
    ///
    /// # Errors
    /// When its file exists already or cannot be written, where typing is to stop then.
    pub fn transcript(&self, session_id: &str, wanted: &Wanted<'_>) -> Result<Transcript, TranscriptError> {
        let Keeping { key, sync, on_failure, output_limit_bytes, redaction } = &self.keeping;
        if wanted.mode == TranscriptMode::Off {
            return Ok(Transcript::new(wanted.mode, None, None));
        }
        let by_profile = if wanted.audited { OnWriteFailure::Stop } else { OnWriteFailure::Warn };
        let manner = Manner { key: key.clone(), sync: *sync, on_failure: on_failure.unwrap_or(by_profile) };
        let mut redactor = redaction.redactor()?;
        for secret in wanted.secrets {
            redactor.learn(secret.expose());
        }
        let file = RecordFile::create(&self.transcripts, session_id, &self.path, manner)?;
        Ok(Transcript::new(wanted.mode, Some((file, redactor)), *output_limit_bytes))
    }

    fn write_file(&self, name: &str, content: &[u8]) -> std::io::Result<()> {
        let mut file = open_file(&self.directory, name, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC)?;
        std::io::Write::write_all(&mut file, content)
    }
}

pub(super) fn failed(path: &Path) -> impl Fn(std::io::Error) -> InstanceError + use<> {
    let path = path.to_owned();
    move |source| InstanceError::Folder { path: path.clone(), source }
}

/// The folder of all instances, made when it is not there, and private from then on.
pub(super) fn open_instances(state: &Path) -> Result<Dir, InstanceError> {
    let path = state.join(INSTANCES);
    let opened = rustix::fs::open(state, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let state = opened.map(into_dir).map_err(|error| failed(&path)(error.into()))?;
    let instances = open_private(&state, INSTANCES).map_err(failed(&path))?;
    let found = rustix::fs::fstat(&instances).map_err(|error| failed(&path)(error.into()))?;
    if found.st_uid != rustix::process::geteuid().as_raw() {
        return Err(InstanceError::Foreign { path });
    }
    if found.st_mode & 0o077 != 0 {
        rustix::fs::fchmod(&instances, Mode::RWXU).map_err(|error| failed(&path)(error.into()))?;
    }
    Ok(instances)
}

/// Makes the folder of a name nobody has, and takes its lock.
fn claim(instances: &Dir, id: &str) -> std::io::Result<(Dir, Dir, OwnedFd)> {
    rustix::fs::mkdirat(instances, id, Mode::RWXU)?;
    let directory = open_folder(instances, id)?;
    let lock = open_lock(&directory)?;
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    // A cleaner may have removed the file before the lock was taken; then the lock is on nothing.
    let (ours, there) =
        (rustix::fs::fstat(&lock)?, rustix::fs::statat(&directory, LOCK_FILE, AtFlags::SYMLINK_NOFOLLOW)?);
    if (ours.st_dev, ours.st_ino) != (there.st_dev, there.st_ino) {
        return Err(std::io::ErrorKind::ResourceBusy.into());
    }
    let transcripts = open_private(&directory, TRANSCRIPTS)?;
    Ok((directory, transcripts, lock))
}

pub(super) fn open_lock(directory: &Dir) -> std::io::Result<OwnedFd> {
    open_file(directory, LOCK_FILE, OFlags::RDWR | OFlags::CREATE).map(Into::into)
}

/// A file of ours in the folder itself: no link is followed and nothing waits (a pipe in its place).
pub(super) fn open_file(directory: &Dir, name: &str, flags: OFlags) -> std::io::Result<File> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, name, flags, Mode::RUSR | Mode::WUSR)?;
    let found = rustix::fs::fstat(&file)?;
    let is_file = rustix::fs::FileType::from_raw_mode(found.st_mode).is_file();
    if !is_file || found.st_uid != rustix::process::geteuid().as_raw() {
        return Err(std::io::ErrorKind::PermissionDenied.into());
    }
    Ok(file.into())
}

/// A folder in the folder itself, through no link.
pub(super) fn open_folder(parent: &Dir, name: &str) -> std::io::Result<Dir> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(into_dir(rustix::fs::openat(parent, name, flags, Mode::empty())?))
}

fn open_private(parent: &Dir, name: &str) -> std::io::Result<Dir> {
    match rustix::fs::mkdirat(parent, name, Mode::RWXU) {
        Err(error) if error != rustix::io::Errno::EXIST => return Err(error.into()),
        _ => {}
    }
    open_folder(parent, name)
}

fn into_dir(folder: OwnedFd) -> Dir {
    Dir::from_std_file(folder.into())
}

/// A path to a file in the folder that is short whatever the folder is called: a socket's address has 108 bytes.
/// It holds while `directory` is open.
pub(super) fn reachable(directory: &Dir, path: &Path, name: &str) -> PathBuf {
    use std::os::fd::AsRawFd as _;
    let short = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
    if short.exists() { short.join(name) } else { path.join(name) }
}

/// What only makes sense while the process runs. Links are removed, not followed.
pub(super) fn remove_run_files(directory: &Dir) -> bool {
    let names = [SERVER_FILE, NEW_SERVER_FILE, SOCKET, VIEWER_PAGE];
    // Gone already is as good as removed.
    names.map(|name| rustix::fs::unlinkat(directory, name, AtFlags::empty()).is_ok()).contains(&true)
}

fn private_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
