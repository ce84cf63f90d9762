//! Compiled components on disk: one private directory, one file per component and engine.
//!
//! A file ends with a checksum of what precedes it; anything that does not match is treated as absent. The
//! checksum is against damage; the directory's mode is what keeps others from planting code here. The code
//! stands first, where it can be mapped, and a file is never written again once it has its name. A file that was
//! found whole is not read through again while it stays as it is ([`crate::stamp`]).

use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, OpenOptions};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;

use crate::stamp::Stamps;

/// Last bytes of every file, after the checksum; the number changes with the layout.
const MAGIC: &[u8; 16] = b"portcullis-code2";
const CHECKSUM_BYTES: usize = 4;
const TRAILER_BYTES: usize = CHECKSUM_BYTES + MAGIC.len();
const DIGEST_BYTES: usize = 32;
/// What is read at a time where a file is only looked through.
const CHUNK_BYTES: usize = 64 * 1024;
/// The largest compiled component that is read back. A JavaScript plugin has some 36 MB.
const MAX_FILE_BYTES: u64 = 512 * 1024 * 1024;

/// SHA-256 of a component file.
pub(crate) type Digest = [u8; DIGEST_BYTES];

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

/// The directory and the part of the key that stands for the engine.
pub(crate) struct Cache {
    directory: Dir,
    path: PathBuf,
    engine_key: String,
    stamps: Stamps,
}

impl Cache {
    /// Opens the directory, making it, and making it private, where necessary.
    pub(crate) fn open(path: &Path, engine: &Engine) -> io::Result<Self> {
        make_private_directory(path)?;
        let path = path.canonicalize()?;
        let directory = Dir::open_ambient_dir(&path, ambient_authority())?;
        Ok(Self { directory, path, engine_key: engine_key(engine), stamps: Stamps::of_this_boot() })
    }

    pub(crate) fn file_name(&self, component: &Digest) -> String {
        format!("{}-{}.code", hexadecimal(component), self.engine_key)
    }

    /// A name in the directory that nobody else uses, with its full path.
    pub(crate) fn temporary(&self, suffix: &str) -> io::Result<(String, PathBuf)> {
        let mut random = [0_u8; 12];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let name = format!("tmp-{}{suffix}", hexadecimal(&random));
        let path = self.path.join(&name);
        Ok((name, path))
    }

    /// The file with a component's compiled code, or none when there is none or it is damaged.
    pub(crate) fn find(&self, component: &Digest) -> Option<PathBuf> {
        let name = self.file_name(component);
        match self.is_whole(&name) {
            Ok(true) => return Some(self.path.join(name)),
            Ok(false) => tracing::warn!(file = %name, "a compiled plugin is damaged; compiling again"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(file = %name, %error, "a compiled plugin cannot be read; compiling again");
            }
        }
        None
    }

    fn is_whole(&self, name: &str) -> io::Result<bool> {
        let mut file = self.directory.open(name)?;
        let stamp = self.stamps.take(&file);
        let stamp_name = format!("{name}.whole");
        if stamp.as_ref().is_some_and(|stamp| self.read_stamp(&stamp_name).as_ref() == Some(stamp)) {
            return Ok(true);
        }
        let is_whole = checksum_is_right(&mut file)?;
        // Only what was the same before and after reading it was read as a whole.
        if is_whole && let Some(stamp) = stamp.filter(|stamp| self.stamps.take(&file).as_ref() == Some(stamp)) {
            self.replace(&stamp_name, &[stamp.as_bytes()]).unwrap_or_else(|error| {
                tracing::debug!(file = %stamp_name, %error, "a compiled plugin will be read through again next time");
            });
        }
        Ok(is_whole)
    }

    fn read_stamp(&self, name: &str) -> Option<String> {
        self.directory.read_to_string(name).ok()
    }

    pub(crate) fn read_whole(&self, name: &str) -> io::Result<Vec<u8>> {
        let file = self.directory.open(name)?;
        let mut bytes = Vec::with_capacity(usize::try_from(file.metadata()?.len().min(MAX_FILE_BYTES)).unwrap_or(0));
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {MAX_FILE_BYTES} bytes")));
        }
        Ok(bytes)
    }

    /// Keeps compiled code: whole or not at all.
    pub(crate) fn store(&self, component: &Digest, code: &[u8]) -> io::Result<()> {
        self.replace(&self.file_name(component), &[code, &trailer(crc32fast::hash(code))])
    }

    /// Gives a name to new content: whole or not at all.
    fn replace(&self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        let (temporary, _) = self.temporary(".part")?;
        let written =
            self.write_new(&temporary, parts).and_then(|()| self.directory.rename(&temporary, &self.directory, name));
        if written.is_err() {
            self.remove(&temporary);
        }
        written
    }

    pub(crate) fn write_new(&self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use cap_std::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut file = self.directory.open_with(name, &options)?;
        parts.iter().try_for_each(|part| file.write_all(part))
    }

    /// Best effort: a left-over file costs space, nothing else.
    pub(crate) fn remove(&self, name: &str) {
        if let Err(error) = self.directory.remove_file(name)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::debug!(file = %name, %error, "a temporary file is left over");
        }
    }
}

/// Reads a file through, to its end.
fn checksum_is_right(file: &mut File) -> io::Result<bool> {
    let size_bytes = file.metadata()?.len();
    let Some(mut left) = size_bytes.checked_sub(TRAILER_BYTES as u64).filter(|_| size_bytes <= MAX_FILE_BYTES) else {
        return Ok(false);
    };
    let mut checksum = crc32fast::Hasher::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK_BYTES);
        let part = &mut chunk[..wanted];
        file.read_exact(part)?;
        checksum.update(part);
        left -= wanted as u64;
    }
    let mut end = [0; TRAILER_BYTES];
    file.read_exact(&mut end)?;
    Ok(end == trailer(checksum.finalize()))
}

fn trailer(checksum: u32) -> [u8; TRAILER_BYTES] {
    let mut trailer = [0; TRAILER_BYTES];
    let (first, last) = trailer.split_at_mut(CHECKSUM_BYTES);
    first.copy_from_slice(&checksum.to_le_bytes());
    last.copy_from_slice(MAGIC);
    trailer
}

/// Engine version, target and every setting that compiled code depends on.
fn engine_key(engine: &Engine) -> String {
    /// The standard library's hasher promises nothing between two releases; this one does.
    struct StableHasher(Sha256);
    impl Hasher for StableHasher {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            let digest = self.0.clone().finalize();
            digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
        }
    }
    let mut hasher = StableHasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(unix)]
fn make_private_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};

    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let metadata = std::fs::metadata(path)?;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to another user"));
    }
    if metadata.mode() & 0o077 != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn make_private_directory(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
    use super::*;
    use crate::engine;

    fn cache() -> (tempfile::TempDir, Cache) {
        let home = tempfile::tempdir().unwrap();
        let cache = Cache::open(&home.path().join("code"), &engine::without_pool().unwrap()).unwrap();
        (home, cache)
    }

    #[test]
    fn what_is_stored_is_read_back_and_a_changed_byte_is_not() {
        let (home, cache) = cache();
        let component = digest(b"component");
        assert_eq!(cache.find(&component), None);
        cache.store(&component, b"compiled code").unwrap();
        let file = cache.find(&component).unwrap();
        assert!(file.starts_with(home.path().canonicalize().unwrap()));
        let whole = std::fs::read(&file).unwrap();
        assert!(whole.starts_with(b"compiled code"), "{whole:?}");
        for position in 0..whole.len() {
            let mut changed = whole.clone();
            changed[position] ^= 1;
            std::fs::write(&file, &changed).unwrap();
            assert_eq!(cache.find(&component), None, "byte {position} changed");
            std::fs::write(&file, &whole[..position]).unwrap();
            assert_eq!(cache.find(&component), None, "cut after {position} bytes");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_is_read_through_once_and_again_when_it_is_another() {
        let (home, mut cache) = cache();
        cache.stamps = Stamps::of_this_boot().at_once();
        let component = digest(b"component");
        cache.store(&component, b"compiled code").unwrap();
        let file = cache.find(&component).unwrap();
        let stamp = PathBuf::from(format!("{}.whole", file.display()));
        assert!(stamp.is_file());
        let mut damaged = std::fs::read(&file).unwrap();
        damaged[3] ^= 1;
        let other = home.path().join("other");
        std::fs::write(&other, damaged).unwrap();
        std::fs::rename(&other, &file).unwrap();
        assert_eq!(cache.find(&component), None, "the stamp is of another file");
        // Had it been whole when it was read: then it is not read any more.
        let own = cache.stamps.take(&File::from_std(std::fs::File::open(&file).unwrap())).unwrap();
        std::fs::write(&stamp, own).unwrap();
        assert_eq!(cache.find(&component), Some(file.clone()));
        std::fs::write(&stamp, "no stamp").unwrap();
        assert_eq!(cache.find(&component), None);
    }

    #[cfg(unix)]
    #[test]
    fn an_open_directory_is_made_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        Cache::open(home.path(), &engine::without_pool().unwrap()).unwrap();
        assert_eq!(std::fs::metadata(home.path()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn code_of_the_compiling_engine_has_the_key_of_the_running_one() {
        let running = engine::start(2).unwrap();
        assert_eq!(engine_key(&running), engine_key(&engine::without_pool().unwrap()));
    }
}
