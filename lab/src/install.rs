//! Puts the lab on a machine whose real sshd should lead into the menu, and takes it away again.
//!
//! A prefix directory gets the program and a `kubectl`; with auto-start, one marked block in a
//! bash start-up file turns an interactive SSH login into the menu. Installing twice changes
//! nothing the second time; removing leaves every other byte of the file as it was.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::LabError;
use crate::shell::{INSIDE_VARIABLE, quote};

/// Names of what is put into `<prefix>/bin`.
const PROGRAM: &str = "portcullis-lab";
const KUBECTL: &str = "kubectl";

const START: &str = "# >>> portcullis-lab >>>";
const END: &str = "# <<< portcullis-lab <<<";
/// Behind [`START`]: the file's last line had no end, and got one for the block's sake.
const LINE_END_ADDED: &str = " (line end added)";
/// Behind [`START`]: there was no file.
const FILE_CREATED: &str = " (file created)";

/// Copies `program` and a `kubectl` into `<prefix>/bin`.
///
/// # Errors
/// [`LabError::File`] or [`LabError::AwkwardPath`].
pub fn install_programs(program: &Path, prefix: &Path) -> Result<(), LabError> {
    let directory = prefix.join("bin");
    let installed = directory.join(PROGRAM);
    let command = [plain_text(&installed)?.to_owned(), "kubectl".to_owned()];
    fs::create_dir_all(&directory).map_err(LabError::file("create", &directory))?;
    let is_itself = fs::canonicalize(program).ok().is_some_and(|own| fs::canonicalize(&installed).ok() == Some(own));
    if !is_itself {
        let bytes = fs::read(program).map_err(LabError::file("read", program))?;
        replace(&installed, &bytes, Some(Permissions::from_mode(0o755)))?;
    }
    write_kubectl(prefix, &command)
}

/// Writes `<home>/bin/kubectl`, a script that runs `command` with kubectl's arguments behind it.
///
/// # Errors
/// [`LabError::File`] when it cannot be written.
pub fn write_kubectl(home: &Path, command: &[String]) -> Result<(), LabError> {
    let directory = home.join("bin");
    fs::create_dir_all(&directory).map_err(LabError::file("create", &directory))?;
    let words: Vec<String> = command.iter().map(|word| quote(word)).collect();
    let script = format!("#!/bin/sh\nexec {} \"$@\"\n", words.join(" "));
    replace(&directory.join(KUBECTL), script.as_bytes(), Some(Permissions::from_mode(0o755)))
}

/// Writes `<home>/bin/hostname` and `<home>/bin/id`, which answer as the host and the user that a menu
/// led to would; asked anything else they are the machine's own.
///
/// # Errors
/// [`LabError::File`] when they cannot be written.
pub fn write_identity(home: &Path) -> Result<(), LabError> {
    let directory = home.join("bin");
    fs::create_dir_all(&directory).map_err(LabError::file("create", &directory))?;
    let script = |program: &str, asked: &str, variable: &str| {
        format!(
            "#!/bin/sh\nif [ \"$*\" = '{asked}' ] && [ -n \"${variable}\" ]; then\n  printf '%s\\n' \"${variable}\"\n  exit\nfi\n\
             PATH=${{PATH#*:}} exec {program} \"$@\"\n"
        )
    };
    for (program, asked, variable) in
        [("hostname", "", "PORTCULLIS_LAB_TARGET_HOST"), ("id", "-un", "PORTCULLIS_LAB_REMOTE_USER")]
    {
        let text = script(program, asked, variable);
        replace(&directory.join(program), text.as_bytes(), Some(Permissions::from_mode(0o755)))?;
    }
    Ok(())
}

/// Makes interactive SSH logins that read `startup_file` enter the menu installed in `prefix`.
///
/// # Errors
/// [`LabError::DamagedBlock`], [`LabError::AwkwardPath`] or [`LabError::File`]; the file is then
/// unchanged.
pub fn enable_auto_start(startup_file: &Path, prefix: &Path) -> Result<(), LabError> {
    let prefix = plain_text(prefix)?;
    let existing = read_optional(startup_file)?;
    let before = match &existing {
        Some(text) => without_block(text, startup_file)?,
        None => Rest { bytes: Vec::new(), file_was_created: true },
    };
    let wanted = with_block(&before, prefix);
    if existing.as_deref() == Some(wanted.as_slice()) {
        return Ok(());
    }
    replace(&resolved(startup_file), &wanted, None)
}

/// Takes the block out of `startup_file`; a file that exists only for the block is removed.
/// Without a block nothing happens.
///
/// # Errors
/// [`LabError::DamagedBlock`] or [`LabError::File`]; the file is then unchanged.
pub fn disable_auto_start(startup_file: &Path) -> Result<(), LabError> {
    let Some(text) = read_optional(startup_file)? else {
        return Ok(());
    };
    let rest = without_block(&text, startup_file)?;
    if rest.file_was_created && rest.bytes.is_empty() {
        return fs::remove_file(startup_file).map_err(LabError::file("remove", startup_file));
    }
    if rest.bytes == text {
        return Ok(());
    }
    replace(&resolved(startup_file), &rest.bytes, None)
}

/// Removes what [`install_programs`] put into `<prefix>/bin`. Homes and pods stay; the prefix
/// goes when nothing else is left in it.
///
/// # Errors
/// [`LabError::File`] when a program cannot be removed.
pub fn remove_programs(prefix: &Path) -> Result<(), LabError> {
    let directory = prefix.join("bin");
    for name in [PROGRAM, KUBECTL] {
        let file = directory.join(name);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(LabError::file("remove", &file)(error));
            }
            _ => {}
        }
    }
    for directory in [directory.as_path(), prefix] {
        // Refused where something of the person's own is in it, and that is right.
        let _kept = fs::remove_dir(directory);
    }
    Ok(())
}

/// A start-up file without the lab's block.
struct Rest {
    bytes: Vec<u8>,
    /// The file was made for the block.
    file_was_created: bool,
}

fn with_block(before: &Rest, prefix: &str) -> Vec<u8> {
    let mut bytes = before.bytes.clone();
    let mut note = if before.file_was_created { FILE_CREATED } else { "" };
    if bytes.last().is_some_and(|last| *last != b'\n') {
        bytes.push(b'\n');
        note = LINE_END_ADDED;
    }
    let program = quote(&format!("{prefix}/bin/{PROGRAM}"));
    let home = quote(prefix);
    let block = format!(
        "{START}{note}\n\
         if [ -n \"${{SSH_CONNECTION-}}\" ] && [ -z \"${{{INSIDE_VARIABLE}-}}\" ] && [ -t 0 ] && [ -x {program} ]; then\n\
         \x20 case $- in *i*) exec {program} cmsm --home {home} ;; esac\n\
         fi\n\
         {END}\n"
    );
    bytes.extend_from_slice(block.as_bytes());
    bytes
}

/// Takes every block out of a text, restoring what stood there before it was put in.
fn without_block(text: &[u8], file: &Path) -> Result<Rest, LabError> {
    let mut rest = Rest { bytes: Vec::new(), file_was_created: false };
    let mut opened_at = None;
    for (index, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let content = line.strip_suffix(b"\n").unwrap_or(line);
        let note = content.strip_prefix(START.as_bytes());
        match (opened_at, note) {
            (None, Some(note)) => {
                opened_at = Some(index + 1);
                rest.file_was_created |= note == FILE_CREATED.as_bytes();
                if note == LINE_END_ADDED.as_bytes() {
                    rest.bytes.pop_if(|last| *last == b'\n');
                }
            }
            (None, None) if content == END.as_bytes() => return Err(damaged(file, index + 1)),
            (None, None) => rest.bytes.extend_from_slice(line),
            (Some(start), Some(_)) => return Err(damaged(file, start)),
            (Some(_), None) if content == END.as_bytes() => opened_at = None,
            (Some(_), None) => {}
        }
    }
    match opened_at {
        Some(start) => Err(damaged(file, start)),
        None => Ok(rest),
    }
}

fn damaged(path: &Path, line: usize) -> LabError {
    LabError::DamagedBlock { path: path.to_path_buf(), line }
}

fn read_optional(path: &Path) -> Result<Option<Vec<u8>>, LabError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LabError::file("read", path)(error)),
    }
}

/// The file itself where the path is a link, so that the link stays one.
fn resolved(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_missing| path.to_path_buf())
}

/// Puts new contents in place of a file in one step. Without `permissions` the former file's
/// are kept.
fn replace(path: &Path, bytes: &[u8], permissions: Option<Permissions>) -> Result<(), LabError> {
    let mut draft_name = path.file_name().map(OsString::from).unwrap_or_default();
    draft_name.push(format!(".portcullis-lab-{}", std::process::id()));
    let draft = path.with_file_name(draft_name);
    fs::write(&draft, bytes).map_err(LabError::file("write", &draft))?;
    let permissions = permissions.or_else(|| fs::metadata(path).ok().map(|metadata| metadata.permissions()));
    if let Some(permissions) = permissions {
        fs::set_permissions(&draft, permissions).map_err(LabError::file("write", &draft))?;
    }
    fs::rename(&draft, path).map_err(LabError::file("rename", &draft))
}

/// A path as text for a script. Line ends would break out of the block's lines.
fn plain_text(path: &Path) -> Result<&str, LabError> {
    let text = path.to_str().filter(|text| !text.chars().any(char::is_control));
    text.ok_or_else(|| LabError::AwkwardPath { path: path.to_path_buf() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step in a test panics")]

    use std::process::Command;

    use super::*;

    #[test]
    fn a_startup_file_comes_back_byte_for_byte() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".bashrc");
        for before in [&b""[..], b"a=1\n", b"a=1", b"a=1\r\n\n\n", b"\xff\xfe\n# >>> other >>>\n", b"\n"] {
            fs::write(&file, before).unwrap();
            fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
            enable_auto_start(&file, Path::new("/opt/lab")).unwrap();
            let once = fs::read(&file).unwrap();
            assert!(once.starts_with(before), "{before:?}");
            enable_auto_start(&file, Path::new("/opt/lab")).unwrap();
            assert_eq!(fs::read(&file).unwrap(), once, "{before:?}");
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
            disable_auto_start(&file).unwrap();
            assert_eq!(fs::read(&file).unwrap(), before);
            disable_auto_start(&file).unwrap();
            assert_eq!(fs::read(&file).unwrap(), before);
        }
    }

    #[test]
    fn a_new_prefix_replaces_the_block_and_lines_around_it_stay() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".bashrc");
        fs::write(&file, "first").unwrap();
        enable_auto_start(&file, Path::new("/opt/one")).unwrap();
        let mut text = fs::read(&file).unwrap();
        text.extend_from_slice(b"later\n");
        fs::write(&file, &text).unwrap();
        enable_auto_start(&file, Path::new("/opt/it's two")).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text.matches(START).count(), 1);
        assert!(!text.contains("/opt/one") && text.contains(r"'/opt/it'\''s two/bin/portcullis-lab'"));
        assert!(text.contains("later\n"), "{text}");
    }

    #[test]
    fn a_file_made_for_the_block_goes_with_it_and_a_link_stays_a_link() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".bashrc");
        enable_auto_start(&file, Path::new("/opt/lab")).unwrap();
        enable_auto_start(&file, Path::new("/opt/lab")).unwrap();
        disable_auto_start(&file).unwrap();
        assert!(!file.exists());

        let real = home.path().join("dotfile");
        fs::write(&real, "a\n").unwrap();
        std::os::unix::fs::symlink(&real, &file).unwrap();
        enable_auto_start(&file, Path::new("/opt/lab")).unwrap();
        assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
        assert!(fs::read_to_string(&real).unwrap().contains(START));
    }

    #[test]
    fn a_damaged_block_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".bashrc");
        for (text, line) in
            [(format!("a\n{START}\nb\n"), 2), (format!("a\nb\n{END}\n"), 3), (format!("{START}\n{START}\n{END}\n"), 1)]
        {
            fs::write(&file, &text).unwrap();
            for outcome in [enable_auto_start(&file, Path::new("/opt/lab")), disable_auto_start(&file)] {
                assert!(matches!(outcome, Err(LabError::DamagedBlock { line: at, .. }) if at == line), "{text}");
            }
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
    }

    /// The block itself, run by a shell under the conditions it looks at.
    #[test]
    fn only_an_interactive_ssh_login_that_is_not_inside_would_enter() {
        let home = tempfile::tempdir().unwrap();
        let prefix = home.path().join("lab");
        let marker = home.path().join("entered");
        fs::create_dir_all(prefix.join("bin")).unwrap();
        let program = prefix.join("bin").join(PROGRAM);
        fs::write(&program, format!("#!/bin/sh\ntouch {}\n", quote(marker.to_str().unwrap()))).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        let file = home.path().join(".bashrc");
        enable_auto_start(&file, &prefix).unwrap();
        for (ssh, inside) in [(false, false), (true, true), (true, false)] {
            let mut shell = Command::new("sh");
            shell.arg(&file).env_clear();
            if ssh {
                shell.env("SSH_CONNECTION", "x");
            }
            if inside {
                shell.env(INSIDE_VARIABLE, "1");
            }
            // Neither interactive nor on a terminal: never entered, and never an error.
            assert!(shell.stdin(std::process::Stdio::null()).status().unwrap().success());
            assert!(!marker.exists());
        }
    }

    #[test]
    fn programs_are_put_in_and_taken_out() {
        let home = tempfile::tempdir().unwrap();
        let prefix = home.path().join("lab");
        let program = home.path().join("program");
        fs::write(&program, "#!/bin/sh\necho \"$@\"\n").unwrap();
        for _twice in 0..2 {
            install_programs(&program, &prefix).unwrap();
            let output = Command::new(prefix.join("bin/kubectl")).args(["get", "a b"]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), "kubectl get a b\n");
        }
        fs::create_dir(prefix.join("runtime")).unwrap();
        remove_programs(&prefix).unwrap();
        assert!(prefix.join("runtime").is_dir() && !prefix.join("bin").exists());
        fs::remove_dir(prefix.join("runtime")).unwrap();
        remove_programs(&prefix).unwrap();
        assert!(!prefix.exists());
    }

    #[test]
    fn a_prefix_with_a_line_end_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".bashrc");
        let outcome = enable_auto_start(&file, Path::new("/opt/a\nreboot"));
        assert!(matches!(outcome, Err(LabError::AwkwardPath { .. })));
        assert!(!file.exists());
    }
}
