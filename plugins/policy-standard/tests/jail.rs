//! Lines that are allowed are run by a real bash in a jail, and nothing dangerous may have run.
//!
//! The jail is a chroot in mount, process, network and IPC namespaces of its own. In it stand bash,
//! harmless tools, and for every dangerous program a stub that writes down that it ran. Where no
//! namespaces can be made the test says so and ends, unless `PORTCULLIS_JAIL=required`.
//! `PORTCULLIS_JAIL_LINES` is the number of lines, `PORTCULLIS_JAIL_SEED` the first of their seeds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a native test, told by its environment how long to run"
)]
#![cfg(target_os = "linux")]

#[path = "support/rewrites.rs"]
mod rewrites;
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use portcullis_plugin::policy::Mode;
use rewrites::{AS_DATA, OF_LINES, OF_WORDS};
use support::judged;

/// Programs whose run is written down.
const DANGEROUS: &[&str] = &[
    "rm",
    "unlink",
    "shred",
    "mkfs",
    "mkfs.ext4",
    "dd",
    "wipefs",
    "chmod",
    "chown",
    "shutdown",
    "reboot",
    "halt",
    "poweroff",
    "systemctl",
    "service",
    "kill",
    "pkill",
    "killall",
    "mount",
    "umount",
    "iptables",
    "useradd",
    "userdel",
    "passwd",
    "apt-get",
    "crontab",
    "nc",
    "truncate",
];
/// Wrappers, which run what they are given.
const TRANSPARENT: &[(&str, &str)] = &[
    (
        "sudo",
        "while [[ $1 == -* ]]; do case $1 in --) shift; break;; -u|-g|-C|-h|-p) shift 2;; *) shift;; esac; done; \"$@\"",
    ),
    ("su", "while [ $# -gt 0 ]; do [ \"$1\" = -c ] && exec bash -c \"$2\"; shift; done"),
    (
        "ssh",
        "while [[ $1 == -* ]]; do case $1 in -p|-i|-o|-l|-J|-F) shift 2;; *) shift;; esac; done; shift; bash -c \"$*\"",
    ),
    (
        "docker",
        "case $1 in rm|rmi|stop|kill|restart) note;; exec) shift; while [[ $1 == -* ]]; do shift; done; shift; \"$@\";; esac",
    ),
    (
        "kubectl",
        "case $1 in delete|drain|scale|edit) note;; exec) while [ $# -gt 0 ] && [ \"$1\" != -- ]; do shift; done; shift; \"$@\";; esac",
    ),
    ("busybox", "\"$@\""),
];
/// Stands between the words of a program that ran.
const SEPARATOR: char = '\x1f';
/// What of them a safe line may do: ask, fail for want of an operand, or touch one file in /tmp.
fn is_harmless(ran: &str) -> bool {
    let words: Vec<&str> = ran.split(SEPARATOR).collect();
    let Some(program) = words.first() else { return true };
    let has = |wanted: &[&str]| words[1..].iter().any(|word| wanted.contains(word));
    let operands: Vec<&&str> = words[1..].iter().filter(|word| !word.starts_with('-')).collect();
    if has(&["--help", "--version"]) {
        return true;
    }
    match *program {
        "rm" | "unlink" => {
            operands.iter().all(|path| path.starts_with("/tmp/") && !path.contains(".."))
                && (operands.is_empty()
                    || !words[1..].iter().any(|word| word.starts_with('-') && word.contains(['r', 'R'])))
        }
        "dd" => !words.iter().any(|word| word.starts_with("of=/dev/s") || word.starts_with("of=/etc/")),
        "chmod" => operands.first().is_none_or(|mode| **mode != "777"),
        "kill" => has(&["-l", "-0"]) || operands.is_empty() && !has(&["-1"]),
        "reboot" | "halt" | "poweroff" | "shutdown" => false,
        "systemctl" => !has(&["stop", "restart", "disable", "mask", "poweroff", "reboot"]),
        "service" => !has(&["stop", "restart"]),
        "mount" => !has(&["-a"]),
        "iptables" => !has(&["-F", "-A", "-D"]),
        "nc" => !has(&["-e"]),
        "docker" | "kubectl" => false,
        _ => operands.is_empty(),
    }
}
const TOOLS: &[&str] = &[
    "bash", "sh", "cat", "ls", "env", "nice", "timeout", "nohup", "setsid", "stdbuf", "xargs", "find", "base64", "tr",
    "rev", "tee", "head", "tail", "seq", "sort", "wc", "printf", "echo", "true", "false", "date", "flock", "time",
    "xxd", "grep", "sed", "awk", "cut", "uniq", "mkdir", "touch", "sleep", "basename", "dirname", "id", "ionice", "od",
    "tac", "script",
];

/// A small generator, so that a seed is a line.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() >> 33) as usize % count
    }

    fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

const COMMANDS: &[&str] = &[
    "rm -rf /srv/data",
    "rm -rf /etc",
    "rm notes.txt",
    "rm -f /tmp/a",
    "unlink x",
    "mkfs.ext4 /dev/sda",
    "dd if=x of=/dev/sda",
    "chmod 777 x",
    "chmod -R 777 /etc",
    "chown bob x",
    "reboot",
    "systemctl stop x",
    "systemctl status x",
    "kill 1",
    "kill -9 -1",
    "pkill x",
    "service x restart",
    "mount -a",
    "iptables -F",
    "useradd bob",
    "docker rm -f x",
    "docker ps",
    "kubectl delete pod x",
    "kubectl get pods",
    "nc -e sh h 1",
    "truncate -s 0 x",
    "shutdown now",
    "su -c id",
    "ls",
    "echo hi",
    "date",
    "cat x",
];
const TOKENS: &[&str] = &[
    "rm",
    "-rf",
    "/",
    "/etc",
    "x",
    "$x",
    "\"$x\"",
    "${x}",
    "${x:-rm}",
    "${x#r}",
    "x=rm",
    "x=/",
    "y=(rm -rf /)",
    "\"${y[@]}\"",
    "$(",
    ")",
    "`",
    "'",
    "\"",
    "\\",
    "|",
    "||",
    "&&",
    ";",
    "&",
    "\n",
    "(",
    "{",
    "}",
    "<",
    ">",
    ">>",
    "<<<",
    "<<E\n",
    "\nE\n",
    "echo",
    "printf",
    "eval",
    "sh",
    "-c",
    "bash",
    "xargs",
    "env",
    "if",
    "then",
    "fi",
    "for",
    "in",
    "do",
    "done",
    "while",
    "case",
    "esac",
    ";;",
    "f()",
    "function",
    "!",
    "[[",
    "]]",
    "((",
    "))",
    "$'\\x72m'",
    "r\\m",
    "r''m",
    "{rm,-rf,/}",
    "*",
    "?",
    "~",
    "#",
    "cat",
    "true",
    "false",
    "kill",
    "reboot",
    "chmod",
    "777",
    "%s",
    "base64",
    "-d",
    "cm0gLXJmIC8=",
    "tee",
    "exec",
    "command",
    "trap",
    "EXIT",
    "set",
    "--",
    "$@",
    "$1",
    "IFS=,",
    "read",
    "nice",
    "timeout",
    "5",
    "find",
    ".",
    "-exec",
    "\\;",
    "{}",
    "-delete",
];

/// One line: a command in rewrites, as data, or broken, or tokens as they come.
fn line(random: &mut Random) -> String {
    let mut text = match random.below(10) {
        0..=2 => (0..2 + random.below(9)).map(|_| *random.of(TOKENS)).collect::<Vec<_>>().join(" "),
        3 => {
            let sources = [random.of(COMMANDS), random.of(COMMANDS), random.of(COMMANDS)];
            let joints = [" ; ", " && ", " | ", " || ", "\n", " & "];
            format!("{}{}{}{}{}", sources[0], random.of(&joints), sources[1], random.of(&joints), sources[2])
        }
        _ => {
            let mut text = (*random.of(COMMANDS)).to_owned();
            if random.below(3) > 0 {
                text = random.of(OF_WORDS).1(&text);
            }
            for _ in 0..random.below(3) {
                text = random.of(OF_LINES).1(&text);
            }
            text
        }
    };
    if random.below(3) == 0 {
        text = random.of(AS_DATA).1(&text);
    }
    for _ in 0..random.below(4) {
        damage(random, &mut text);
    }
    text
}

/// Takes out, doubles, moves or adds something small.
fn damage(random: &mut Random, text: &mut String) {
    let mut characters: Vec<char> = text.chars().collect();
    if characters.is_empty() {
        return;
    }
    let at = random.below(characters.len());
    match random.below(5) {
        0 => drop(characters.remove(at)),
        1 => characters.insert(at, characters[at]),
        2 => characters.insert(
            at,
            *random.of(&['\'', '"', '\\', '$', '`', ' ', ';', '|', '\n', '(', ')', '{', '}', '#', '=', '*']),
        ),
        3 => {
            let other = random.below(characters.len());
            characters.swap(at, other);
        }
        _ => {
            let token: Vec<char> = format!(" {} ", random.of(TOKENS)).chars().collect();
            characters.splice(at..at, token);
        }
    }
    *text = characters.into_iter().collect();
}

fn find_tool(name: &str) -> Option<PathBuf> {
    ["/bin", "/usr/bin", "/sbin", "/usr/sbin"]
        .iter()
        .map(|place| Path::new(place).join(name))
        .find(|path| path.is_file())
}

fn write_program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Lays out the jail's files below `root`.
fn furnish(root: &Path) {
    for place in
        ["bin", "lines", "home", "tmp", "srv/data", "etc", "dev", "proc", "lib", "lib64", "usr/lib", "usr/lib64", "log"]
    {
        fs::create_dir_all(root.join(place)).unwrap();
    }
    for place in ["usr/bin", "sbin", "usr/sbin"] {
        let _ = std::os::unix::fs::symlink("/bin", root.join(place));
    }
    for tool in TOOLS {
        if let Some(path) = find_tool(tool) {
            fs::copy(path, root.join("bin").join(tool)).unwrap();
        }
    }
    fs::create_dir(root.join("stub")).unwrap();
    fs::copy(find_tool("bash").unwrap(), root.join("stub/bash")).unwrap();
    // A line for the log. The real ones are no scripts: a stub that a shell reads does nothing.
    let note = "read -rd '' by < /proc/$$/cmdline; [ \"$by\" = /stub/bash ] || exit 126; note() { local IFS=$'\\x1f'; local ran=\"${0##*/}${1+$IFS}$*\"; \
                printf '%s\\n' \"${ran//$'\\n'/ }\" >> \"/log/$JAILED\"; }\n";
    for name in DANGEROUS {
        write_program(&root.join("bin").join(name), &format!("#!/stub/bash\n{note}note \"$@\"\n"));
    }
    for (name, body) in TRANSPARENT {
        let body = body.replace("note;;", "note \"$@\";;");
        write_program(&root.join("bin").join(name), &format!("#!/stub/bash\n{note}{body}\n"));
    }
    // Builtins of these names would reach the jail's own processes instead of the stubs.
    fs::write(root.join("rc"), "enable -n kill\n").unwrap();
    fs::write(root.join("etc/passwd"), "bob:x:1:1::/home:/bin/bash\n").unwrap();
    let driver = "cd /home\nfor file in /lines/*; do\n  export JAILED=${file##*/}\n  \
        BASH_ENV=/rc timeout -s KILL 3 bash -c \"$(cat \"$file\")\" < /dev/null > /dev/null 2>&1\ndone\n";
    fs::write(root.join("driver"), driver).unwrap();
}

/// Runs every line in `root/lines`; false where no jail can be made.
fn run(root: &Path) -> bool {
    let script = "set -e\nmount --make-rprivate /\ncd \"$1\"\n\
        for place in lib lib64 usr/lib usr/lib64; do\n  \
          [ -d \"/$place\" ] && mount --bind \"/$place\" \"$place\" && mount -o remount,bind,ro \"$place\"\ndone\n\
        mount -t proc proc proc\nfor device in null zero urandom; do touch dev/$device; mount --bind /dev/$device dev/$device; done\n\
        ln -sf /proc/self/fd dev/fd\nulimit -u 2000 -f 20000 -t 600\n\
        exec chroot . /bin/bash -c 'exec env -i PATH=/bin HOME=/home bash /driver'";
    let status = Command::new("unshare")
        .args(["--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child", "bash", "-c", script, "jail"])
        .arg(root)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[test]
fn nothing_dangerous_runs_from_an_allowed_line() {
    let (count, seed) = (number("PORTCULLIS_JAIL_LINES", 3000), number("PORTCULLIS_JAIL_SEED", 1));
    let root = std::env::temp_dir().join(format!("portcullis-jail-{}", std::process::id()));
    furnish(&root);
    // A line that must be seen to run, so that silence means something.
    fs::write(root.join("lines/control"), "r''m -rf /srv/data; $(echo reboot)").unwrap();
    let mut allowed = Vec::new();
    for number in 0..count {
        let mut random = Random((seed + number).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let text = line(&mut random);
        if judged(&text, Mode::Safe) == "allow" {
            fs::write(root.join(format!("lines/{number:06}")), &text).unwrap();
            allowed.push((number, text));
        }
    }
    let ran = run(&root);
    let log = |name: &str| fs::read_to_string(root.join("log").join(name)).unwrap_or_default();
    let control = log("control");
    let wrong: Vec<String> = allowed
        .iter()
        .flat_map(|(number, text)| {
            let log = log(&format!("{number:06}"));
            log.lines().filter(|ran| !is_harmless(ran)).map(|ran| format!("{text:?} ran {ran:?}")).collect::<Vec<_>>()
        })
        .collect();
    let _ = fs::remove_dir_all(&root);
    if !ran && control.is_empty() {
        assert!(std::env::var("PORTCULLIS_JAIL").is_err(), "no jail can be made here");
        eprintln!("no jail can be made here; nothing was run");
        return;
    }
    assert_eq!(control, "rm\x1f-rf\x1f/srv/data\nreboot\n", "the jail does not see what runs");
    eprintln!("{count} lines, {} allowed and run, {} ran something dangerous", allowed.len(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
