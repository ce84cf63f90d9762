//! Programs known to read only, for `readonly` mode, and names that ordinary commands have.

use crate::call::Call;

const READING: &[&str] = &[
    "ls", "cat", "head", "tail", "grep", "egrep", "fgrep", "zgrep", "rg", "ag", "ack", "find", "fd", "fdfind", "locate", "plocate", "stat", "file", "wc", "nl", "sort",
    "uniq", "cut", "tr", "paste", "join", "comm", "diff", "cmp", "column", "fold", "fmt", "rev", "tac", "od", "xxd", "hexdump", "strings", "jq", "yq", "sed", "awk",
    "gawk", "mawk", "echo", "printf", "true", "false", "test", "[", ":", "pwd", "cd", "pushd", "popd", "dirs", "date", "cal", "uptime", "who", "w", "whoami", "id",
    "groups", "users", "last", "lastb", "lastlog", "getent", "hostname", "uname", "arch", "nproc", "free", "df", "du", "lsblk", "blkid", "findmnt", "lscpu", "lsmod",
    "lspci", "lsusb", "lsof", "lsattr", "getfacl", "ps", "pgrep", "pidof", "pstree", "top", "vmstat", "iostat", "mpstat", "sar", "pidstat", "ss", "netstat", "ip",
    "ifconfig", "route", "arp", "dig", "host", "nslookup", "ping", "ping6", "traceroute", "tracepath", "mtr", "whois", "curl", "wget", "md5sum", "sha1sum",
    "sha256sum", "sha512sum", "cksum", "sum", "b2sum", "base64", "readlink", "realpath", "dirname", "basename", "which", "whereis", "type", "whatis", "apropos",
    "man", "info", "env", "printenv", "locale", "tree", "zcat", "bzcat", "xzcat", "zless", "journalctl", "dmesg", "systemctl", "service", "loginctl", "timedatectl",
    "hostnamectl", "localectl", "resolvectl", "kubectl", "oc", "helm", "sleep", "seq", "expr", "bc", "dc", "tput", "history", "jobs", "hash", "alias", "declare",
    "typeset", "export", "compgen", "command", "help", "let", "read", "numfmt", "shuf", "tsort", "iptables", "ip6tables", "iptables-save", "nft", "sysctl", "smartctl",
    "dpkg", "dpkg-query", "rpm", "apt", "apt-get", "apt-cache", "dnf", "yum", "apk", "pacman", "snap", "aws", "gcloud", "az", "psql", "mysql", "mariadb", "redis-cli",
    "sqlite3", "openssl", "crontab", "atq", "lsns", "nsenter", "findfs", "xargs", "set", "shift", "wait", "times", "ulimit", "umask", "return", "exit", "break",
    "continue", "sshd", "nginx", "zfgrep", "zegrep", "look", "cpupower", "sensors", "ethtool", "lslocks", "lsipc", "ipcs", "tty", "stty", "locate", "ssh", "mount",
];

const READING_VERBS: &[(&str, &[&str])] = &[
    ("git", &["status", "log", "diff", "show", "blame", "describe", "rev-parse", "rev-list", "ls-files", "ls-tree", "ls-remote", "shortlog", "reflog", "grep", "cat-file", "merge-base", "name-rev", "show-ref", "for-each-ref", "count-objects", "whatchanged", "cherry", "version", "help", "check-ignore", "var"]),
    ("docker", &["ps", "images", "inspect", "logs", "stats", "top", "version", "info", "port", "diff", "history", "events", "search"]),
    ("podman", &["ps", "images", "inspect", "logs", "stats", "top", "version", "info", "port", "diff", "history", "events", "search"]),
    ("terraform", &["show", "output", "validate", "version", "providers", "graph"]),
    ("tofu", &["show", "output", "validate", "version", "providers", "graph"]),
];

/// Ordinary commands that change something; a function of that name would take their place.
const ALSO_ORDINARY: &[&str] = &[
    "rm", "cp", "mv", "ln", "mkdir", "rmdir", "touch", "chmod", "chown", "tar", "zip", "unzip", "gzip", "sudo", "su", "ssh", "scp", "rsync", "git", "docker", "make",
    "vim", "vi", "nano", "less", "more", "kill", "pkill", "killall", "tee", "dd", "apt-get", "pip", "npm", "node", "python", "python3", "perl", "ruby", "sh", "bash",
    "eval", "exec", "source", "unset", "trap", "mount", "umount", "reboot", "shutdown", "passwd", "login", "nc", "cargo", "go", "java", "gcc", "cc", "watch", "nohup",
    "time", "timeout", "builtin", "exit", "logout", "cd",
];

/// Whether `call` is known to read only, its findings aside.
pub fn reads(call: &Call<'_>) -> bool {
    let verbs = READING_VERBS.iter().find(|(program, _)| *program == call.program);
    match verbs {
        Some((_, verbs)) => verbs.contains(&call.operands("cC", &["--git-dir", "--work-tree"]).first().and_then(|word| word.value.as_deref()).unwrap_or("")),
        None => READING.contains(&call.program) || call.asks_about_itself(),
    }
}

/// Whether a function or alias of that name would take the place of a command.
pub fn is_ordinary_command(name: &str) -> bool {
    READING.contains(&name) || ALSO_ORDINARY.contains(&name) || READING_VERBS.iter().any(|(program, _)| *program == name)
}
