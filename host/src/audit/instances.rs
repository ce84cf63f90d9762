//! All instances below a state folder, those that run and those that have ended: how the operator's commands find
//! them, and how what ended ones left behind is removed.
//!
//! Whatever stands in the state folder may be hostile (names, links, pipes in place of files): only folders of
//! ours with names of ours are looked at, and no link is followed.

use std::fs::File;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use cap_std::fs::Dir;
use rustix::fs::{AtFlags, FlockOperation, OFlags};

use super::instance::{
    INSTANCES, InstanceError, LOCK_FILE, LOG_FILE, SERVER_FILE, SOCKET, ServerFile, TRANSCRIPTS, VIEWER_PAGE, failed,
    open_file, open_folder, open_instances, open_lock, reachable, remove_run_files,
};

/// Longest `server.json` that is read, in bytes.
const LONGEST_SERVER_FILE: u64 = 64 * 1024;
/// Longest name of a folder that can be an instance's.
const LONGEST_NAME: usize = 64;

/// The folder of one instance.
#[derive(Debug)]
pub struct Found {
    pub id: String,
    pub path: PathBuf,
    /// Its process holds the lock.
    pub runs: bool,
    /// What it says of itself, where it can be read.
    pub server: Option<ServerFile>,
    directory: Dir,
}

/// What was done about an instance that has ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Cleaned {
    pub instance_id: String,
    /// Nothing was left in its folder, which is gone.
    pub removed: bool,
}

/// The instances below `state`, by their start; those whose start is not known come first.
///
/// # Errors
/// When the folder cannot be read. One that is not there holds nothing.
pub fn find(state: &Path) -> Result<Vec<Found>, InstanceError> {
    if !state.join(INSTANCES).exists() {
        return Ok(Vec::new());
    }
    let instances = open_instances(state)?;
    let path = state.join(INSTANCES);
    let mut found = Vec::new();
    for entry in instances.entries().map_err(failed(&path))? {
        let name = entry.map_err(failed(&path))?.file_name();
        let Some(id) = name.to_str().filter(|name| is_id(name)) else { continue };
        // Another user's folder, a link or a file: none of ours.
        let Ok(directory) = open_folder(&instances, id).and_then(ours) else { continue };
        found.push(Found {
            id: id.to_owned(),
            path: path.join(id),
            runs: is_locked(&directory),
            server: read_server_file(&directory),
            directory,
        });
    }
    found.sort_by_key(|found| (found.server.as_ref().map(|server| server.started_unix_ms), found.id.clone()));
    Ok(found)
}

/// Those that run.
///
/// # Errors
/// As [`find`].
pub fn running(state: &Path) -> Result<Vec<Found>, InstanceError> {
    Ok(find(state)?.into_iter().filter(|found| found.runs).collect())
}

/// Removes what instances that have ended left behind and is of no use any more: where they were reached, and
/// the whole folder where no transcript is in it. One that runs is not touched.
///
/// # Errors
/// As [`find`].
pub fn clean(state: &Path) -> Result<Vec<Cleaned>, InstanceError> {
    let instances = if state.join(INSTANCES).exists() { open_instances(state)? } else { return Ok(Vec::new()) };
    let ended = find(state)?.into_iter().filter(|found| !found.runs);
    Ok(ended.filter_map(|found| clean_one(&instances, found)).collect())
}

/// `None` when there was nothing to do, or it runs after all.
fn clean_one(instances: &Dir, found: Found) -> Option<Cleaned> {
    let Found { id, directory, .. } = found;
    // Held until all is removed, so that nobody takes the folder meanwhile.
    let lock = open_lock(&directory).ok()?;
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).ok()?;
    let touched = remove_run_files(&directory);
    let has_no_record = match rustix::fs::unlinkat(&directory, TRANSCRIPTS, AtFlags::REMOVEDIR) {
        Ok(()) => true,
        Err(error) => error == rustix::io::Errno::NOENT,
    };
    let mut removed = false;
    if has_no_record {
        for name in [LOG_FILE, &format!("{LOG_FILE}.1"), LOCK_FILE] {
            let _ = rustix::fs::unlinkat(&directory, name, AtFlags::empty());
        }
        // With anything else in it, it stays.
        removed = rustix::fs::unlinkat(instances, id.as_str(), AtFlags::REMOVEDIR).is_ok();
    }
    drop(lock);
    (touched || removed).then_some(Cleaned { instance_id: id, removed })
}

impl Found {
    /// Connects to the process.
    ///
    /// # Errors
    /// When nothing listens there.
    pub fn connect(&self) -> std::io::Result<UnixStream> {
        UnixStream::connect(reachable(&self.directory, &self.path, SOCKET))
    }

    /// Its log, where it has one.
    ///
    /// # Errors
    /// When there is none, or something else stands in its place.
    pub fn open_log(&self) -> std::io::Result<File> {
        open_file(&self.directory, LOG_FILE, OFlags::RDONLY)
    }

    /// Whether its process still holds the lock.
    pub fn still_runs(&self) -> bool {
        is_locked(&self.directory)
    }

    /// Writes a page that leads a browser to the viewer, so that its token stands in no list of processes; the
    /// page's path.
    ///
    /// # Errors
    /// When there is no viewer or the page cannot be written.
    pub fn write_viewer_page(&self) -> std::io::Result<PathBuf> {
        let url = self.server.as_ref().and_then(|server| server.viewer_url.as_deref());
        // Made of an address and hexadecimal digits by us; anything else does not belong into a page.
        let is_plain = |url: &&str| url.chars().all(|c| c.is_ascii_alphanumeric() || ":/.#=[]".contains(c));
        let url = url.filter(is_plain).ok_or(std::io::ErrorKind::NotFound)?;
        let page =
            format!("<!doctype html><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"0; url={url}\">\n");
        let mut file = open_file(&self.directory, VIEWER_PAGE, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC)?;
        std::io::Write::write_all(&mut file, page.as_bytes())?;
        Ok(self.path.join(VIEWER_PAGE))
    }
}

/// Names this program gives: nothing that a path, a terminal or a shell takes for something else.
fn is_id(name: &str) -> bool {
    !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn ours(directory: Dir) -> std::io::Result<Dir> {
    let found = rustix::fs::fstat(&directory)?;
    match found.st_uid == rustix::process::geteuid().as_raw() {
        true => Ok(directory),
        false => Err(std::io::ErrorKind::PermissionDenied.into()),
    }
}

/// Shared, so that two who look do not take each other for the process.
fn is_locked(directory: &Dir) -> bool {
    let Ok(lock) = open_file(directory, LOCK_FILE, OFlags::RDONLY) else { return false };
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK)
}

fn read_server_file(directory: &Dir) -> Option<ServerFile> {
    let file = open_file(directory, SERVER_FILE, OFlags::RDONLY).ok()?;
    let mut text = Vec::new();
    file.take(LONGEST_SERVER_FILE).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::super::{Instance, Keeping, Wanted};
    use super::*;

    #[test]
    fn one_that_runs_is_found_by_its_lock_and_not_touched() {
        let state = tempfile::tempdir().unwrap();
        let (first, second) = (
            Instance::create(state.path(), Keeping::default()).unwrap(),
            Instance::create(state.path(), Keeping::default()).unwrap(),
        );
        assert_ne!(first.id, second.id);
        first.announce(|file| file.label = Some("prod".to_owned())).unwrap();
        first.note_client("a client").unwrap();
        first.note_client("a client").unwrap();
        let found = find(state.path()).unwrap();
        assert!(found.len() == 2 && found.iter().all(|found| found.runs));
        let server = found.iter().find(|found| found.id == first.id).unwrap().server.clone().unwrap();
        assert_eq!((server.label.as_deref(), server.clients.as_slice()), (Some("prod"), &["a client".to_owned()][..]));
        assert_eq!(clean(state.path()).unwrap(), []);
        let (first_id, second_id) = (first.id.clone(), second.id.clone());
        // As after a kill: the lock is gone, the files are not. That a process has its number means nothing.
        drop(first);
        assert!(state.path().join("instances").join(&first_id).join("server.json").exists());
        let cleaned = clean(state.path()).unwrap();
        assert_eq!(cleaned, [Cleaned { instance_id: first_id, removed: true }]);
        assert_eq!(find(state.path()).unwrap().iter().map(|it| it.id.clone()).collect::<Vec<_>>(), [second_id]);
    }

    #[test]
    fn a_record_stays_when_its_instance_is_cleaned() {
        let state = tempfile::tempdir().unwrap();
        let instance = Instance::create(state.path(), Keeping::default()).unwrap();
        let path = instance.path.clone();
        let wanted = Wanted { mode: crate::config::TranscriptMode::Full, audited: false, secrets: &[] };
        drop(instance.transcript("s-web-1", &wanted).unwrap());
        drop(instance.open_log().unwrap());
        drop(instance);
        let cleaned = clean(state.path()).unwrap();
        assert!(
            !cleaned[0].removed && path.join("transcripts/s-web-1.jsonl").exists() && path.join("host.log").exists()
        );
        assert!(!path.join("server.json").exists());
        assert_eq!(clean(state.path()).unwrap(), [], "there is nothing left to do");
    }

    #[test]
    fn everything_is_private_and_nothing_hostile_is_followed() {
        let state = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
        std::fs::create_dir(state.path().join(INSTANCES)).unwrap();
        std::fs::set_permissions(state.path().join(INSTANCES), std::fs::Permissions::from_mode(0o777)).unwrap();
        let instance = Instance::create(state.path(), Keeping::default()).unwrap();
        drop(instance.open_log().unwrap());
        let _listener = instance.bind_socket().unwrap();
        assert_eq!(mode(&state.path().join(INSTANCES)), 0o700);
        for (name, wanted) in [
            ("", 0o700),
            ("transcripts", 0o700),
            ("server.json", 0o600),
            ("host.log", 0o600),
            ("lock", 0o600),
            (SOCKET, 0o600),
        ] {
            assert_eq!(mode(&instance.path.join(name)), wanted, "{name}");
        }
        let instances = state.path().join(INSTANCES);
        std::fs::write(outside.path().join("server.json"), "{\"viewer_url\":\"http://evil/\"}").unwrap();
        symlink(outside.path(), instances.join("abcdef")).unwrap();
        for hostile in ["a b", "\u{1b}[2J", "..x", "name-with-$(id)", &"x".repeat(200)] {
            std::fs::create_dir(instances.join(hostile)).unwrap();
        }
        // Files of an ended instance that lead elsewhere, or would be waited for.
        let ended = instances.join("0123456789ab");
        std::fs::create_dir(&ended).unwrap();
        symlink(outside.path().join("server.json"), ended.join("server.json")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, ended.join("lock"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let found = find(state.path()).unwrap();
        let ids: Vec<&str> = found.iter().map(|found| found.id.as_str()).collect();
        assert_eq!(ids, ["0123456789ab", instance.id.as_str()]);
        assert!(!found[0].runs && found[0].server.is_none());
        clean(state.path()).unwrap();
        assert!(outside.path().join("server.json").exists());
        // Nor is all of it put where somebody else's link leads.
        let misled = tempfile::tempdir().unwrap();
        symlink(outside.path(), misled.path().join(INSTANCES)).unwrap();
        assert!(Instance::create(misled.path(), Keeping::default()).is_err() && find(misled.path()).is_err());
        // A log that is a link to another file is not written through.
        let log = instance.path.join("host.log");
        std::fs::remove_file(&log).unwrap();
        symlink(outside.path().join("server.json"), &log).unwrap();
        assert!(instance.open_log().is_err());
    }

    #[test]
    fn a_socket_is_reached_below_a_folder_whose_path_is_too_long_for_an_address() {
        let state = tempfile::tempdir().unwrap();
        let deep = state.path().join("d".repeat(100)).join("e".repeat(100));
        let instance = Instance::create(&deep, Keeping::default()).unwrap();
        let _listener = instance.bind_socket().unwrap();
        running(&deep).unwrap()[0].connect().unwrap();
    }

    #[test]
    fn the_page_for_a_browser_holds_an_address_of_ours_or_is_not_written() {
        let state = tempfile::tempdir().unwrap();
        let instance = Instance::create(state.path(), Keeping::default()).unwrap();
        let page = || running(state.path()).unwrap()[0].write_viewer_page();
        assert!(page().is_err());
        instance.announce(|file| file.viewer_url = Some("http://127.0.0.1:8765/#token=ab12".to_owned())).unwrap();
        assert!(std::fs::read_to_string(page().unwrap()).unwrap().contains("url=http://127.0.0.1:8765/#token=ab12\""));
        instance.announce(|file| file.viewer_url = Some("http://x/\"><script>".to_owned())).unwrap();
        assert!(page().is_err());
    }
}
