//! Programs that run another program, with the options that stand in between, as data.
//!
//! An option that is not in the table makes the call unresolved: a value taken for a program, or
//! a program for a value, would hide what runs.

use crate::environment::Known;
use crate::expand::Field;

/// What comes after a wrapper's options and positional words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// A program and its words.
    Program,
    /// Words that are joined and given to a shell.
    Text,
}

/// One wrapper's grammar.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wrapper {
    pub(crate) names: &'static [&'static str],
    /// Letters without a value.
    pub(crate) flags: &'static str,
    /// Letters with a value, attached or as the next word.
    pub(crate) valued: &'static str,
    /// Letters whose value, if any, is attached.
    pub(crate) optional: &'static str,
    pub(crate) long: &'static [&'static str],
    pub(crate) long_valued: &'static [&'static str],
    /// Words between options and program.
    pub(crate) positionals: usize,
    /// `NAME=value` may stand before the program.
    pub(crate) assignments: bool,
    pub(crate) rest: Rest,
    /// The wrapper does something of its own and is listed as well.
    pub(crate) listed: bool,
}

const PLAIN: Wrapper = Wrapper {
    names: &[],
    flags: "",
    valued: "",
    optional: "",
    long: &[],
    long_valued: &[],
    positionals: 0,
    assignments: false,
    rest: Rest::Program,
    listed: false,
};

const WRAPPERS: &[Wrapper] = &[
    Wrapper {
        names: &["sudo"],
        flags: "AbBEeHiKklNnPsSVv",
        valued: "CDghpRrTtUu",
        long: &[
            "--askpass",
            "--background",
            "--bell",
            "--edit",
            "--set-home",
            "--login",
            "--remove-timestamp",
            "--reset-timestamp",
            "--list",
            "--no-update",
            "--non-interactive",
            "--preserve-groups",
            "--shell",
            "--stdin",
            "--validate",
            "--preserve-env",
        ],
        long_valued: &[
            "--close-from",
            "--chdir",
            "--group",
            "--host",
            "--prompt",
            "--chroot",
            "--role",
            "--command-timeout",
            "--type",
            "--other-user",
            "--user",
        ],
        assignments: true,
        ..PLAIN
    },
    Wrapper { names: &["doas"], flags: "Lns", valued: "aCu", ..PLAIN },
    Wrapper {
        names: &["pkexec"],
        long: &["--disable-internal-agent", "--keep-cwd"],
        long_valued: &["--user"],
        ..PLAIN
    },
    Wrapper {
        names: &["runuser"],
        flags: "flmpP",
        valued: "cgGsuw",
        long: &["--login", "--pty"],
        long_valued: &["--user", "--group", "--command", "--shell"],
        listed: true,
        ..PLAIN
    },
    Wrapper {
        names: &["setpriv"],
        long: &["--clear-groups", "--keep-groups", "--init-groups", "--no-new-privs", "--reset-env"],
        long_valued: &[
            "--reuid",
            "--regid",
            "--groups",
            "--ruid",
            "--euid",
            "--rgid",
            "--egid",
            "--inh-caps",
            "--ambient-caps",
            "--bounding-set",
            "--securebits",
        ],
        ..PLAIN
    },
    Wrapper {
        names: &["env"],
        flags: "i0v",
        valued: "uCS",
        long: &[
            "--ignore-environment",
            "--null",
            "--debug",
            "--list-signal-handling",
            "--default-signal",
            "--ignore-signal",
            "--block-signal",
        ],
        long_valued: &["--unset", "--chdir", "--split-string"],
        assignments: true,
        ..PLAIN
    },
    Wrapper { names: &["nice"], flags: "0123456789", valued: "n", long_valued: &["--adjustment"], ..PLAIN },
    Wrapper {
        names: &["ionice"],
        flags: "t",
        valued: "cnpPu",
        long: &["--ignore"],
        long_valued: &["--class", "--classdata", "--pid", "--pgid", "--uid"],
        ..PLAIN
    },
    Wrapper {
        names: &["chrt"],
        flags: "abdfimorRvG",
        valued: "TPDp",
        long: &[
            "--all-tasks",
            "--batch",
            "--deadline",
            "--fifo",
            "--idle",
            "--other",
            "--rr",
            "--reset-on-fork",
            "--verbose",
        ],
        long_valued: &["--pid"],
        positionals: 1,
        ..PLAIN
    },
    Wrapper {
        names: &["taskset"],
        flags: "ac",
        valued: "p",
        long: &["--all-tasks", "--cpu-list"],
        long_valued: &["--pid"],
        positionals: 1,
        ..PLAIN
    },
    Wrapper {
        names: &["numactl"],
        flags: "alshH",
        valued: "CNmipP",
        long: &["--localalloc", "--hardware", "--show", "--all"],
        long_valued: &["--cpunodebind", "--membind", "--interleave", "--preferred", "--physcpubind"],
        ..PLAIN
    },
    Wrapper { names: &["prlimit"], valued: "p", optional: "cdefilmnqrstuvxy", long_valued: &["--pid"], ..PLAIN },
    Wrapper {
        names: &["timeout", "gtimeout"],
        flags: "fpv",
        valued: "ks",
        long: &["--preserve-status", "--foreground", "--verbose"],
        long_valued: &["--kill-after", "--signal"],
        positionals: 1,
        ..PLAIN
    },
    Wrapper {
        names: &["time", "gtime"],
        flags: "apqv",
        valued: "fo",
        long: &["--append", "--portability", "--quiet", "--verbose"],
        long_valued: &["--format", "--output"],
        ..PLAIN
    },
    Wrapper {
        names: &[
            "nohup",
            "chronic",
            "eatmydata",
            "torsocks",
            "torify",
            "catchsegv",
            "dbus-run-session",
            "daemonize",
            "unbuffer",
            "setarch",
            "linux32",
            "linux64",
            "noglob",
            "nocorrect",
            "rlwrap",
            "vglrun",
            "proxychains",
            "proxychains4",
        ],
        flags: "pqRr",
        ..PLAIN
    },
    Wrapper { names: &["fakeroot"], flags: "u", valued: "lsib", ..PLAIN },
    Wrapper { names: &["setsid"], flags: "cfw", long: &["--ctty", "--fork", "--wait"], ..PLAIN },
    Wrapper { names: &["stdbuf"], valued: "ioe", long_valued: &["--input", "--output", "--error"], ..PLAIN },
    Wrapper { names: &["command"], flags: "pvV", ..PLAIN },
    Wrapper { names: &["builtin"], ..PLAIN },
    Wrapper { names: &["exec"], flags: "cl", valued: "a", ..PLAIN },
    Wrapper { names: &["coproc"], ..PLAIN },
    Wrapper {
        names: &["xargs", "gxargs"],
        flags: "0orptx",
        valued: "adEILnPs",
        optional: "eil",
        long: &["--null", "--open-tty", "--no-run-if-empty", "--interactive", "--verbose", "--exit", "--show-limits"],
        long_valued: &[
            "--arg-file",
            "--delimiter",
            "--max-lines",
            "--max-args",
            "--max-procs",
            "--max-chars",
            "--replace",
            "--eof",
            "--process-slot-var",
        ],
        listed: true,
        ..PLAIN
    },
    Wrapper {
        names: &["flock"],
        flags: "esxnuoFv",
        valued: "cEw",
        long: &["--exclusive", "--shared", "--nonblock", "--nb", "--unlock", "--close", "--no-fork", "--verbose"],
        long_valued: &["--command", "--conflict-exit-code", "--timeout", "--wait"],
        positionals: 1,
        ..PLAIN
    },
    Wrapper {
        names: &["script"],
        flags: "aefqV",
        valued: "cEIoOBmT",
        optional: "t",
        long: &["--append", "--return", "--flush", "--force", "--quiet"],
        long_valued: &[
            "--command",
            "--echo",
            "--log-in",
            "--log-out",
            "--log-io",
            "--log-timing",
            "--logging-format",
            "--output-limit",
        ],
        ..PLAIN
    },
    Wrapper {
        names: &["watch"],
        flags: "bcegprtwx",
        optional: "d",
        valued: "nq",
        long: &[
            "--beep",
            "--color",
            "--no-color",
            "--differences",
            "--errexit",
            "--chgexit",
            "--precise",
            "--no-title",
            "--no-wrap",
            "--exec",
            "--no-rerun",
        ],
        long_valued: &["--interval", "--equexit"],
        rest: Rest::Text,
        ..PLAIN
    },
    Wrapper { names: &["busybox", "toybox", "coreutils"], flags: "", ..PLAIN },
    Wrapper {
        names: &["chroot"],
        long: &["--skip-chdir"],
        long_valued: &["--groups", "--userspec"],
        positionals: 1,
        ..PLAIN
    },
    Wrapper {
        names: &["unshare"],
        flags: "cfr",
        optional: "imnpuCTU",
        valued: "GRSw",
        long: &[
            "--fork",
            "--map-root-user",
            "--map-current-user",
            "--mount",
            "--uts",
            "--ipc",
            "--net",
            "--pid",
            "--user",
            "--cgroup",
            "--time",
            "--mount-proc",
            "--map-auto",
            "--keep-caps",
            "--kill-child",
        ],
        long_valued: &["--root", "--wd", "--setuid", "--setgid", "--propagation", "--setgroups"],
        ..PLAIN
    },
    Wrapper {
        names: &["nsenter"],
        flags: "aFZe",
        optional: "mniuCpUTrw",
        valued: "tSG",
        long: &[
            "--all",
            "--mount",
            "--uts",
            "--ipc",
            "--net",
            "--pid",
            "--user",
            "--cgroup",
            "--time",
            "--root",
            "--wd",
            "--no-fork",
            "--preserve-credentials",
        ],
        long_valued: &["--target", "--setuid", "--setgid"],
        ..PLAIN
    },
    Wrapper { names: &["firejail", "bwrap"], listed: true, ..PLAIN },
    Wrapper {
        names: &["strace", "ltrace"],
        listed: true,
        flags: "cCdDfFhiknqrtTvVwxyzZ",
        valued: "abeEIlnopPsSuUX",
        ..PLAIN
    },
    Wrapper { names: &["perf"], ..PLAIN },
    Wrapper {
        names: &["systemd-run"],
        flags: "dPqrSGt",
        valued: "EHMpu",
        long: &[
            "--scope",
            "--user",
            "--pty",
            "--pipe",
            "--wait",
            "--collect",
            "--quiet",
            "--no-block",
            "--no-ask-password",
            "--remain-after-exit",
            "--same-dir",
            "--shell",
            "--system",
            "--send-sighup",
        ],
        long_valued: &[
            "--unit",
            "--property",
            "--description",
            "--slice",
            "--setenv",
            "--uid",
            "--gid",
            "--nice",
            "--working-directory",
            "--on-active",
            "--on-boot",
            "--on-calendar",
            "--on-startup",
            "--on-unit-active",
            "--timer-property",
            "--host",
            "--machine",
            "--service-type",
        ],
        listed: true,
        ..PLAIN
    },
    Wrapper {
        names: &["systemd-inhibit"],
        long: &["--list", "--no-pager"],
        long_valued: &["--what", "--who", "--why", "--mode"],
        ..PLAIN
    },
    Wrapper {
        names: &["systemd-cat"],
        valued: "tp",
        long_valued: &["--identifier", "--priority", "--stderr-priority", "--level-prefix"],
        ..PLAIN
    },
    Wrapper { names: &["start-stop-daemon"], listed: true, ..PLAIN },
    Wrapper { names: &["sshpass"], flags: "ehvV", optional: "pfdP", ..PLAIN },
    Wrapper {
        names: &["ssh", "autossh", "slogin"],
        flags: "46AaCfGgKkMNnqsTtVvXxYy",
        valued: "BbcDEeFIiJLlmOoPpQRSWw",
        positionals: 1,
        rest: Rest::Text,
        listed: true,
        ..PLAIN
    },
    Wrapper {
        names: &["rsh", "remsh"],
        flags: "dKnx",
        valued: "l",
        positionals: 1,
        rest: Rest::Text,
        listed: true,
        ..PLAIN
    },
    Wrapper {
        names: &["xvfb-run"],
        flags: "a",
        valued: "efnps",
        long: &["--auto-servernum"],
        long_valued: &["--server-args", "--server-num", "--error-file", "--auth-file"],
        ..PLAIN
    },
    Wrapper { names: &["choom"], valued: "n", long_valued: &["--adjust"], ..PLAIN },
    Wrapper {
        names: &["cpulimit"],
        flags: "zfvm",
        valued: "lpPe",
        long: &["--lazy", "--foreground"],
        long_valued: &["--limit", "--pid", "--exe"],
        ..PLAIN
    },
    Wrapper {
        names: &["hyperfine"],
        flags: "iN",
        valued: "wrmMspcLnu",
        long: &["--ignore-failure", "--show-output"],
        long_valued: &[
            "--warmup",
            "--runs",
            "--prepare",
            "--setup",
            "--cleanup",
            "--shell",
            "--export-json",
            "--export-markdown",
        ],
        rest: Rest::Text,
        ..PLAIN
    },
    Wrapper { names: &["entr"], flags: "acdnprsxz", listed: true, ..PLAIN },
    Wrapper { names: &["ssh-agent", "gpg-agent"], listed: true, flags: "cDdks", valued: "aEtP", ..PLAIN },
    Wrapper { names: &["sg"], positionals: 1, listed: true, ..PLAIN },
    Wrapper { names: &["nsjail", "cgexec"], valued: "g", long: &["--sticky"], listed: true, ..PLAIN },
    Wrapper { names: &["faketime"], flags: "fmp", positionals: 1, ..PLAIN },
    Wrapper { names: &["retry", "ts-node"], listed: true, ..PLAIN },
];

pub(crate) fn find(name: &str) -> Option<&'static Wrapper> {
    WRAPPERS.iter().find(|wrapper| wrapper.names.contains(&name))
}

/// `poetry run CMD`: a first word that makes the rest a command.
pub(crate) fn runs_rest(name: &str, subcommand: &str) -> bool {
    matches!(
        (name, subcommand),
        ("poetry" | "pipenv" | "uv" | "hatch" | "pdm" | "rye", "run")
            | ("bundle" | "mise" | "asdf" | "rbenv" | "pyenv", "exec")
    )
}

/// The options of one call.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Letter or long name, with its value.
    pub(crate) given: Vec<(String, Option<Field>)>,
    /// Index of the first word that is not an option.
    pub(crate) rest: usize,
}

impl Options {
    pub(crate) fn has(&self, names: &[&str]) -> bool {
        self.given.iter().any(|(name, _)| names.contains(&name.as_str()))
    }

    pub(crate) fn value(&self, names: &[&str]) -> Option<&Field> {
        self.given.iter().rev().find(|(name, _)| names.contains(&name.as_str())).and_then(|(_, value)| value.as_ref())
    }
}

/// Reads the options of `fields[0]`; none when one of them is not in the table.
pub(crate) fn options(wrapper: &Wrapper, fields: &[Field]) -> Option<Options> {
    let mut options = Options { given: Vec::new(), rest: 1 };
    while let Some(field) = fields.get(options.rest) {
        let Some(value) = field.value.as_deref() else { return Some(options) };
        if value == "--" {
            options.rest += 1;
            return Some(options);
        }
        if matches!(value, "--help" | "--version") {
            options.given.push((value.to_owned(), None));
            options.rest = fields.len();
            return Some(options);
        }
        if !value.starts_with('-') || value == "-" {
            return Some(options);
        }
        options.rest += 1;
        if value.starts_with("--") {
            long_option(wrapper, fields, value, &mut options)?;
        } else {
            short_options(wrapper, fields, field, &value[1..], &mut options)?;
        }
    }
    Some(options)
}

fn long_option(wrapper: &Wrapper, fields: &[Field], word: &str, options: &mut Options) -> Option<()> {
    let (name, attached) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    };
    let mut candidates =
        wrapper.long.iter().chain(wrapper.long_valued).filter(|long| **long == name || long.starts_with(name));
    let exact = wrapper.long.iter().chain(wrapper.long_valued).find(|long| **long == name);
    let full = match exact {
        Some(exact) => exact,
        // An abbreviation must be the beginning of one option only.
        None => candidates.next().filter(|_| candidates.next().is_none())?,
    };
    let mut value: Known = attached.map(str::to_owned);
    let mut field = fields.get(options.rest - 1)?.clone();
    if attached.is_none() && wrapper.long_valued.contains(full) {
        field = fields.get(options.rest)?.clone();
        value = field.value.clone();
        options.rest += 1;
    }
    let taken = attached.is_some() || wrapper.long_valued.contains(full);
    options.given.push(((*full).to_owned(), taken.then_some(Field { value, ..field })));
    Some(())
}

fn short_options(
    wrapper: &Wrapper,
    fields: &[Field],
    word: &Field,
    cluster: &str,
    options: &mut Options,
) -> Option<()> {
    for (index, letter) in cluster.char_indices() {
        let attached = &cluster[index + letter.len_utf8()..];
        if wrapper.flags.contains(letter) {
            options.given.push((letter.to_string(), None));
            continue;
        }
        if wrapper.optional.contains(letter) {
            let value = (!attached.is_empty()).then(|| Field { value: Some(attached.to_owned()), ..word.clone() });
            options.given.push((letter.to_string(), value));
            return Some(());
        }
        if !wrapper.valued.contains(letter) {
            return None;
        }
        let value = if attached.is_empty() {
            options.rest += 1;
            fields.get(options.rest - 1)?.clone()
        } else {
            Field { value: Some(attached.to_owned()), ..word.clone() }
        };
        options.given.push((letter.to_string(), Some(value)));
        return Some(());
    }
    Some(())
}
