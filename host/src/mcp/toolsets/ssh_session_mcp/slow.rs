//! Programs that are known to take long, for which `ssh-run` does not wait as long as it was told to.
//!
//! A convenience: a wrong guess changes when control returns, and nothing else. Nothing is allowed or refused by it.

use std::time::Duration;

/// How long is waited for one of them.
pub(super) const SLOW_WAIT: Duration = Duration::from_millis(3_000);

const PACKAGES: &[&str] = &["install", "upgrade", "update", "dist-upgrade", "full-upgrade"];

/// Program, and the words one of which comes next; none where the program alone is slow.
const SLOW: &[(&str, &[&str])] = &[
    ("apt", PACKAGES),
    ("apt-get", PACKAGES),
    ("dnf", PACKAGES),
    ("yum", PACKAGES),
    ("pacman", PACKAGES),
    ("apk", PACKAGES),
    ("pip", &["install"]),
    ("pip3", &["install"]),
    ("npm", &["install", "ci"]),
    ("yarn", &["install", "add"]),
    ("conda", &["install", "create", "update"]),
    ("docker", &["build", "pull", "push"]),
    ("cargo", &["build"]),
    ("make", &[]),
];

/// Whether the command's first program is one of them.
pub(super) fn is_slow(command: &str) -> bool {
    let mut words = command.split_whitespace().skip_while(|word| *word == "sudo" || word.contains('='));
    let Some(program) = words.next() else { return false };
    let mut rest = words.filter(|word| !word.starts_with('-'));
    match SLOW.iter().find(|(name, _)| *name == program) {
        Some((_, [])) => rest.next().is_none(),
        Some((_, verbs)) => rest.next().is_some_and(|verb| verbs.contains(&verb)),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_slow;

    #[test]
    fn programs_that_take_long_are_known_by_their_verb() {
        for slow in ["apt-get -y install vim", "sudo apt update", "npm ci", "docker build .", "make", "CC=gcc make -j4"]
        {
            assert!(is_slow(slow), "{slow}");
        }
        for quick in ["apt list", "make -C x clean", "docker ps", "echo apt install", "", "cargo --version"] {
            assert!(!is_slow(quick), "{quick}");
        }
    }
}
