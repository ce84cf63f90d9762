//! What tells that a file is still the one that was read through: size, identity and time of last change, of the
//! boot this machine is in.
//!
//! No program can set a file's change time, so content that was replaced shows. After a crash of the machine a file
//! may have its times and not its content; the boot is another one then. A change within the grain of the clock
//! could hide, so a file that changed only just now has no stamp. Elsewhere than on Linux no file has one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cap_std::fs::File;

/// The kernel gives every boot a random name (`random(4)`).
const BOOT: &str = "/proc/sys/kernel/random/boot_id";
/// File systems tell times to the tick, or to two seconds; clocks of file servers differ a little.
const SETTLED: Duration = Duration::from_secs(5);

/// Stamps of files in this boot.
pub(crate) struct Stamps {
    /// None where the boot is not known.
    boot: Option<String>,
    /// How long ago the last change has to be.
    settled: Duration,
}

impl Stamps {
    pub(crate) fn of_this_boot() -> Self {
        let boot = std::fs::read_to_string(BOOT).ok().map(|boot| boot.trim().to_owned());
        Self { boot, settled: SETTLED }
    }

    /// For tests, which cannot wait; each of their changes is another file.
    #[cfg(test)]
    pub(crate) fn at_once(self) -> Self {
        Self { settled: Duration::ZERO, ..self }
    }

    /// The stamp of a file as it is now; none where an unchanged stamp would not prove unchanged content.
    pub(crate) fn take(&self, file: &File) -> Option<String> {
        self.taken_at(file, SystemTime::now())
    }

    #[cfg(unix)]
    fn taken_at(&self, file: &File, now: SystemTime) -> Option<String> {
        use cap_std::fs::MetadataExt as _;

        let boot = self.boot.as_ref()?;
        let metadata = file.metadata().ok()?;
        let changed = Duration::new(metadata.ctime().try_into().ok()?, metadata.ctime_nsec().try_into().ok()?);
        let now = now.duration_since(UNIX_EPOCH).ok()?;
        if now.checked_sub(changed)? < self.settled {
            return None;
        }
        let (size_bytes, device, inode) = (metadata.len(), metadata.dev(), metadata.ino());
        Some(format!("{boot} {device}:{inode} {size_bytes} {}", changed.as_nanos()))
    }

    #[cfg(not(unix))]
    fn taken_at(&self, _file: &File, _now: SystemTime) -> Option<String> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_stamp_is_of_one_content_and_one_boot() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        let later = SystemTime::now() + 2 * SETTLED;
        let stamps = Stamps::of_this_boot();
        let taken = |content: &str, stamps: &Stamps, now| {
            // A new file each time: the clock's grain hides a change of the same one.
            std::fs::write(path.with_extension("new"), content).unwrap();
            std::fs::rename(path.with_extension("new"), &path).unwrap();
            stamps.taken_at(&File::from_std(std::fs::File::open(&path).unwrap()), now)
        };
        let first = taken("one", &stamps, later).unwrap();
        assert_eq!(stamps.taken_at(&File::from_std(std::fs::File::open(&path).unwrap()), later).unwrap(), first);
        assert_ne!(taken("two", &stamps, later).unwrap(), first);
        assert_eq!(taken("one", &stamps, SystemTime::now()), None, "it changed only just now");
        assert_eq!(taken("one", &stamps, UNIX_EPOCH), None, "it changed in the future");
        let other = Stamps { boot: Some("another".to_owned()), settled: SETTLED };
        let open = || File::from_std(std::fs::File::open(&path).unwrap());
        assert_ne!(other.taken_at(&open(), later), stamps.taken_at(&open(), later));
        assert_eq!(Stamps { boot: None, settled: SETTLED }.taken_at(&open(), later), None);
    }
}
