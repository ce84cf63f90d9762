//! Files that are written whole or not at all, for their owner only.

use std::io::Write;
use std::path::Path;

use super::ConfigError;

/// Puts `text` in the place of what stands at `path`, creating its folder. A crash leaves the old file
/// or the new one; a symbolic link stays one, and its target is replaced.
pub(super) fn write(path: &Path, text: &str) -> Result<(), ConfigError> {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    replace_file(&target, text).map_err(|source| ConfigError::Unwritable { path: path.to_owned(), source })
}

/// As [`write`], for files that are no configuration: a link at `path` itself is replaced.
pub(crate) fn replace_file(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)?;
    // The temporary file is made with mode 0600, in the same folder, so that renaming is one step.
    let mut file = tempfile::Builder::new().prefix(".portcullis-").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    std::fs::File::open(folder)?.sync_all()
}
