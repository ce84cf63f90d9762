//! Paths: normalised by their text alone, and sorted into the kinds of place the rules speak of.

use portcullis_plugin::policy::Word;

/// `../` this often is meant to reach the root.
const MANY_STEPS_UP: usize = 5;
/// Directories that no recursive command may have as its target.
const TOP_LEVEL: &[&str] = &[
    "bin", "boot", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "opt", "proc", "root", "run", "sbin",
    "srv", "sys", "usr", "var",
];
/// Where the above really live on a host with a merged /usr.
const MERGED: &[&str] = &["bin", "sbin", "lib", "lib32", "lib64", "libx32"];
const CRITICAL: &[&str] = &["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/sudoers", "/etc/fstab"];
/// Directories at the top, and some below, that no command should write in.
const PROTECTED_TOP: &[&str] =
    &["etc", "boot", "usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "root", "proc", "sys"];
const PROTECTED_BELOW: &[&str] = &["/var/lib", "/var/spool", "/run/systemd"];
const STARTUP: &[&str] = &[
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".bash_logout",
    ".bash_aliases",
    ".profile",
    ".zshrc",
    ".zshenv",
    ".zprofile",
    ".zlogin",
    ".zlogout",
    ".kshrc",
    ".mkshrc",
    ".cshrc",
    ".tcshrc",
    ".login",
    ".logout",
    ".inputrc",
    ".gitconfig",
    ".netrc",
    ".npmrc",
    ".tmux.conf",
    ".screenrc",
    ".xprofile",
    ".vimrc",
    ".xinitrc",
    ".xsession",
    ".xprofile",
    ".pam_environment",
    ".forward",
    ".rhosts",
    ".shosts",
    "authorized_keys",
    "authorized_keys2",
];
const STARTUP_DIRECTORIES: &[&str] = &[
    "/.ssh/",
    "/.gnupg/",
    "/.config/systemd/",
    "/.config/autostart/",
    "/.config/git/",
    "/.config/environment.d/",
    "/Library/LaunchAgents/",
    "/.config/fish/",
    "/.git/hooks/",
    "/.local/share/systemd/",
];
/// Names under /dev that swallow, produce or are the terminal.
const HARMLESS_DEVICES: &[&str] =
    &["null", "zero", "full", "stdin", "stdout", "stderr", "tty", "random", "urandom", "ptmx"];
/// Names under /dev that are neither harmless nor storage.
const CHARACTER_DEVICES: &[&str] = &[
    "ttyS", "ttyUSB", "ttyACM", "tty", "pts", "kmsg", "log", "console", "input", "snd", "mem", "kmem", "port",
    "watchdog", "kvm", "fuse", "net", "video", "rtc", "hpet", "i2c", "gpio", "usb", "bus", "tcp", "udp", "shm",
    "mqueue", "fd", "vhost", "dri", "hidraw", "uinput", "vcs",
];

/// `path` without `.`, `..` and doubled slashes; a home directory keeps its `~`.
pub fn normalise(path: &str, directory: Option<&str>) -> String {
    let joined = match directory {
        Some(directory) if !path.starts_with(['/', '~']) => format!("{directory}/{path}"),
        _ => path.to_owned(),
    };
    let absolute = joined.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last().copied() {
                Some(last) if last.starts_with('~') && parts.len() == 1 => parts = vec!["", "home"],
                Some("..") => parts.push(".."),
                Some(_) => {
                    parts.pop();
                }
                None if absolute => {}
                None => parts.push(".."),
            },
            other => parts.push(other),
        }
    }
    if parts.first() == Some(&"") {
        return parts.join("/");
    }
    if absolute { format!("/{}", parts.join("/")) } else { parts.join("/") }
}

/// A system directory at the top, or what it is a link to.
pub fn is_system_directory(path: &str) -> bool {
    let below = path.strip_prefix('/').unwrap_or("");
    TOP_LEVEL.contains(&below) || below.strip_prefix("usr/").is_some_and(|name| MERGED.contains(&name))
}

fn is_home(path: &str) -> bool {
    let one_below = |rest: &str| !rest.is_empty() && !rest.contains('/');
    (path.starts_with('~') && !path.contains('/')) || path.strip_prefix("/home/").is_some_and(one_below)
}

/// `/`, a system directory or a home directory.
pub fn is_root(path: &str) -> bool {
    path == "/" || is_system_directory(path) || is_home(path)
}

/// Whether deleting `word` recursively takes a root of the system, or everything in one.
pub fn reaches_root(word: &Word, directory: Option<&str>) -> bool {
    let Some(value) = word.value.as_deref().filter(|value| !value.is_empty()) else { return false };
    let mut path = normalise(value, directory);
    // Enough steps up lead to the root from wherever the shell is.
    let climbed = path.trim_start_matches("../");
    if (path.len() - climbed.len()) / 3 >= MANY_STEPS_UP && climbed != ".." {
        path = format!("/{climbed}");
    }
    if is_root(&path) {
        return true;
    }
    let mut stripped = false;
    while let Some((parent, last)) = path.rsplit_once('/') {
        let parent = if parent.is_empty() { "/" } else { parent };
        if !last.contains(['*', '?', '[']) {
            break;
        }
        if parent == "/" && TOP_LEVEL.iter().any(|name| matches(last, name)) {
            return true;
        }
        if !takes_everything(last) {
            break;
        }
        stripped = true;
        path = parent.to_owned();
    }
    stripped && is_root(&path)
}

/// A pattern without any literal letter: `*`, `.*`, `[a-z]*`.
fn takes_everything(pattern: &str) -> bool {
    let mut in_set = false;
    pattern.contains('*')
        && pattern.chars().all(|character| match character {
            '[' => {
                in_set = true;
                true
            }
            ']' if in_set => {
                in_set = false;
                true
            }
            _ if in_set => true,
            other => matches!(other, '*' | '?' | '.'),
        })
}

/// Shell pattern matching of one path component.
fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    // reachable[i]: the first i elements of the pattern can match what was read so far.
    let mut reachable = vec![false; pattern.len() + 1];
    reachable[0] = true;
    star_step(&pattern, &mut reachable);
    for &character in &name {
        let mut next = vec![false; pattern.len() + 1];
        let mut index = 0;
        while index < pattern.len() {
            let (width, hit, stays) = element(&pattern[index..], character);
            if reachable[index] {
                next[index] |= stays;
                next[index + width] |= hit;
            }
            index += width;
        }
        reachable = next;
        star_step(&pattern, &mut reachable);
    }
    reachable.last().copied().unwrap_or(false)
}

fn star_step(pattern: &[char], reachable: &mut [bool]) {
    for index in 0..pattern.len() {
        if reachable[index] && pattern[index] == '*' {
            reachable[index + 1] = true;
        }
    }
}

/// Width of the first element, whether it takes `character`, and whether it may take more.
fn element(pattern: &[char], character: char) -> (usize, bool, bool) {
    match pattern[0] {
        '*' => (1, false, true),
        '?' => (1, true, false),
        '[' => match pattern.iter().skip(2).position(|other| *other == ']') {
            Some(offset) => {
                let inside = &pattern[1..offset + 2];
                let negated = matches!(inside.first(), Some('!' | '^'));
                let inside = if negated { &inside[1..] } else { inside };
                let listed = inside.contains(&character)
                    || inside.windows(3).any(|range| range[1] == '-' && (range[0]..=range[2]).contains(&character));
                (offset + 3, listed != negated, false)
            }
            None => (1, character == '[', false),
        },
        literal => (1, literal == character, false),
    }
}

/// What writing to a path would touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// /dev/null and the like.
    Nowhere,
    /// /dev/tcp/… of the shell.
    Peer,
    BlockDevice,
    /// The kernel's emergency trigger.
    Emergency,
    Critical,
    Protected,
    Scratch,
    Plain,
}

/// Sorts a normalised path.
pub fn target(path: &str) -> Target {
    if let Some(device) = path.strip_prefix("/dev/") {
        return device_target(device);
    }
    if path == "/proc/sysrq-trigger" {
        return Target::Emergency;
    }
    if CRITICAL.contains(&path) || is_below(path, "/boot") || path == "/boot" {
        return Target::Critical;
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    if STARTUP.contains(&name) || is_in_startup_directory(path) || is_protected(path) || path == "/" {
        return Target::Protected;
    }
    if is_scratch(path) { Target::Scratch } else { Target::Plain }
}

fn is_in_startup_directory(path: &str) -> bool {
    // Most paths have none of the names with which all of them begin.
    if !path.split('/').any(|part| part.starts_with('.') || part == "Library") {
        return false;
    }
    let framed = format!("/{}/", path.trim_start_matches('/'));
    STARTUP_DIRECTORIES.iter().any(|directory| framed.contains(directory))
}

fn is_protected(path: &str) -> bool {
    let Some(top) = path.strip_prefix('/').and_then(|below| below.split('/').next()) else { return false };
    PROTECTED_TOP.contains(&top) || PROTECTED_BELOW.iter().any(|place| path == *place || is_below(path, place))
}

fn device_target(device: &str) -> Target {
    let first = device.split('/').next().unwrap_or(device);
    if HARMLESS_DEVICES.contains(&device) || first == "fd" || first == "shm" {
        return if first == "shm" { Target::Scratch } else { Target::Nowhere };
    }
    if matches!(first, "tcp" | "udp") {
        return Target::Peer;
    }
    let is_character = CHARACTER_DEVICES.iter().any(|name| {
        let rest = first.strip_prefix(name);
        rest.is_some_and(|rest| rest.chars().all(|character| character.is_ascii_digit() || character == '-'))
    });
    if is_character { Target::Protected } else { Target::BlockDevice }
}

/// A storage device, named as a path.
pub fn is_block_device(path: &str) -> bool {
    path.strip_prefix("/dev/").is_some_and(|device| device_target(device) == Target::BlockDevice)
}

/// Files whose content is a secret, by their last names. A private key of SSH has no fixed name, and its
/// public half beside it is no secret.
pub fn holds_secrets(path: &str) -> bool {
    const NAMES: &[&str] =
        &[".netrc", ".pgpass", ".my.cnf", ".git-credentials", ".npmrc", ".pypirc", ".vault-token", ".htpasswd"];
    const ENDINGS: &[&str] = &[
        "/etc/shadow",
        "/etc/shadow-",
        "/etc/gshadow",
        "/etc/gshadow-",
        "/.aws/credentials",
        "/.kube/config",
        "/.docker/config.json",
        "/.config/gcloud/credentials.db",
        "/.config/gcloud/application_default_credentials.json",
        "/.config/gh/hosts.yml",
        "/.cargo/credentials.toml",
    ];
    const FOLDERS: &[&str] = &["/.gnupg/private-keys-v1.d/", "/.password-store/", "/etc/ssl/private/"];
    const SSH_PUBLIC: &[&str] = &["config", "known_hosts", "known_hosts2", "authorized_keys", "authorized_keys2"];
    let name = path.rsplit('/').next().unwrap_or(path);
    let ssh_key = (path.contains("/.ssh/") && !name.ends_with(".pub") && !SSH_PUBLIC.contains(&name))
        || (path.starts_with("/etc/ssh/") && name.starts_with("ssh_host_") && !name.ends_with(".pub"));
    ssh_key
        || NAMES.contains(&name)
        || ENDINGS.iter().any(|ending| path.ends_with(ending))
        || FOLDERS.iter().any(|folder| path.contains(folder))
        || path.ends_with("/environ") && path.starts_with("/proc/")
}

/// A name for what the program is given to read.
pub fn is_standard_input(path: &str) -> bool {
    matches!(path, "-" | "/dev/stdin" | "/dev/fd/0" | "/proc/self/fd/0")
}

fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

/// Strictly inside /tmp, /var/tmp or /dev/shm.
pub fn is_scratch(path: &str) -> bool {
    ["/tmp", "/var/tmp", "/dev/shm"].iter().any(|directory| is_below(path, directory))
}
