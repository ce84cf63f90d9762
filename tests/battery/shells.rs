//! The shells of the battery and what differs between them.

/// A shell that a person meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Shell {
    Bash,
    Dash,
    Ash,
    Zsh,
    Fish,
    Tcsh,
    Mksh,
}

impl Shell {
    pub(crate) const ALL: &[Self] = &[Self::Bash, Self::Dash, Self::Ash, Self::Zsh, Self::Fish, Self::Tcsh, Self::Mksh];
    pub(crate) const BASH: &[Self] = &[Self::Bash];
    /// Those whose line editor switches bracketed paste on.
    pub(crate) const PASTING: &[Self] = &[Self::Bash, Self::Zsh, Self::Fish];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Dash => "dash",
            Self::Ash => "ash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
            Self::Tcsh => "tcsh",
            Self::Mksh => "mksh",
        }
    }

    /// How it is started, without files of its own that would change the prompt.
    pub(crate) fn command(self) -> &'static str {
        match self {
            Self::Bash => "bash --noprofile --norc -i",
            Self::Dash => "dash -i",
            Self::Ash => "busybox ash -i",
            Self::Zsh => "zsh -f -i",
            Self::Fish => "fish --no-config -i",
            Self::Tcsh => "tcsh -f -i",
            Self::Mksh => "mksh -i",
        }
    }

    /// The file that shows it is installed, and its Debian package.
    pub(crate) fn package(self) -> (&'static str, &'static str) {
        match self {
            Self::Bash => ("/bin/bash", "bash"),
            Self::Dash => ("/usr/bin/dash", "dash"),
            Self::Ash => ("/usr/bin/busybox", "busybox"),
            Self::Zsh => ("/usr/bin/zsh", "zsh"),
            Self::Fish => ("/usr/bin/fish", "fish"),
            Self::Tcsh => ("/usr/bin/tcsh", "tcsh"),
            Self::Mksh => ("/usr/bin/mksh", "mksh"),
        }
    }
}

/// What carries the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Transport {
    /// The terminal model on a local PTY.
    Pty,
    /// The real program against a real sshd on loopback.
    Sshd,
    /// The same, with 300 ms ± 200 for every byte in each direction, one byte at a time.
    Slow,
}

impl Transport {
    pub(crate) const ALL: &[Self] = &[Self::Pty, Self::Sshd, Self::Slow];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pty => "pty",
            Self::Sshd => "sshd",
            Self::Slow => "slow",
        }
    }
}
