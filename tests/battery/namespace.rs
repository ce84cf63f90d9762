//! Users with passwords without touching the machine: the battery runs itself again inside a
//! private mount namespace in which `/etc` is a copy.
//!
//! That needs root, which is what a build machine gives. Without root the battery runs outside, and
//! the rows that need users fail and say so.

use std::path::Path;
use std::process::{Command, ExitCode};

use crate::world::{ASH_USER, OTHER_USER, PASSWORD, USER, USER_ID};

/// Names the scratch folder to the inner run.
const INSIDE: &str = "PORTCULLIS_BATTERY_FOLDER";

/// Runs in the new namespace: `$1` is the scratch folder, the rest the battery itself.
const ENTER: &str = r#"
set -e
folder=$1; shift
cp -a /etc "$folder/etc"
mount --bind "$folder/etc" /etc
user() {
    mkdir -p "$folder/users/$1"
    echo "$1:x:$2:$2::$folder/users/$1:$3" >>/etc/passwd
    echo "$1:x:$2:" >>/etc/group
    echo "$1:*:19000:0:99999:7:::" >>/etc/shadow
    chown "$2:$2" "$folder/users/$1"
}
user "$FIRST" "$FIRST_ID" /bin/bash
user "$SECOND" $((FIRST_ID + 1)) /bin/dash
user "$THIRD" $((FIRST_ID + 2)) "$folder/bin/ash"
for name in "$FIRST" "$SECOND" "$THIRD"; do echo "$name:$SECRET"; done | chpasswd
echo "$folder/bin/ash" >>/etc/shells
mkdir -p /etc/sudoers.d
printf '%s ALL=(ALL:ALL) ALL\nDefaults:%s lecture=never, timestamp_timeout=0\n' "$FIRST" "$FIRST" >/etc/sudoers.d/battery
chmod 440 /etc/sudoers.d/battery
exec "$@"
"#;

/// The scratch folder, when this is the inner run.
pub(crate) fn inside() -> Option<std::path::PathBuf> {
    std::env::var_os(INSIDE).map(Into::into)
}

/// Runs this program again inside; `None` when this user may not.
pub(crate) fn enter(folder: &Path) -> Option<ExitCode> {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if !is_root {
        return None;
    }
    let program = std::env::current_exe().expect("a program has a path");
    let status = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", ENTER, "enter"])
        .arg(folder)
        .arg(program)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, folder)
        .envs([("FIRST", USER), ("SECOND", OTHER_USER), ("THIRD", ASH_USER), ("SECRET", PASSWORD)])
        .env("FIRST_ID", USER_ID.to_string())
        .status()
        .expect("unshare is there; run: apt-get install -y util-linux");
    Some(ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)))
}
