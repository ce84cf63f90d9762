//! Programs that change services, processes, packages, network and kernel settings.

use crate::call::Call;
use crate::review::{Review, Touch};
use crate::rule::{self, Rule};

/// Programs with verbs: these only read, every other verb changes something.
const READING_VERBS: &[(&str, &Rule, &[&str])] = &[
    (
        "systemctl",
        &rule::SERVICE,
        &[
            "",
            "status",
            "is-active",
            "is-enabled",
            "is-failed",
            "is-system-running",
            "list-units",
            "list-unit-files",
            "list-timers",
            "list-sockets",
            "list-jobs",
            "list-dependencies",
            "list-automounts",
            "list-paths",
            "list-machines",
            "show",
            "cat",
            "help",
            "get-default",
            "show-environment",
            "whoami",
        ],
    ),
    (
        "loginctl",
        &rule::SERVICE,
        &[
            "",
            "list-sessions",
            "list-users",
            "list-seats",
            "session-status",
            "user-status",
            "seat-status",
            "show-session",
            "show-user",
            "show-seat",
        ],
    ),
    ("initctl", &rule::SERVICE, &["list", "status", "version", "show-config"]),
    ("supervisorctl", &rule::SERVICE, &["status", "avail", "pid", "version", "tail"]),
    ("launchctl", &rule::SERVICE, &["list", "print", "blame", "dumpstate", "version"]),
    ("monit", &rule::SERVICE, &["status", "summary", "report", "validate"]),
    (
        "pm2",
        &rule::SERVICE,
        &["list", "ls", "status", "show", "describe", "info", "jlist", "prettylist", "logs", "id", "pid"],
    ),
    (
        "snap",
        &rule::PACKAGE,
        &[
            "list",
            "info",
            "find",
            "search",
            "version",
            "changes",
            "services",
            "connections",
            "known",
            "warnings",
            "interfaces",
            "get",
        ],
    ),
    ("flatpak", &rule::PACKAGE, &["list", "info", "search", "history", "ps", "remotes", "remote-ls", "remote-info"]),
    (
        "apt",
        &rule::PACKAGE,
        &[
            "list",
            "show",
            "search",
            "policy",
            "depends",
            "rdepends",
            "changelog",
            "download",
            "source",
            "showsrc",
            "help",
        ],
    ),
    ("apt-get", &rule::PACKAGE, &["download", "source", "changelog", "check", "indextargets"]),
    ("aptitude", &rule::PACKAGE, &["search", "show", "versions", "why", "why-not", "changelog", "download"]),
    (
        "dnf",
        &rule::PACKAGE,
        &[
            "list",
            "info",
            "search",
            "provides",
            "whatprovides",
            "repoquery",
            "repolist",
            "repoinfo",
            "check",
            "check-update",
            "deplist",
            "history",
            "updateinfo",
            "grouplist",
            "help",
        ],
    ),
    (
        "yum",
        &rule::PACKAGE,
        &[
            "list",
            "info",
            "search",
            "provides",
            "whatprovides",
            "repoquery",
            "repolist",
            "check-update",
            "deplist",
            "history",
            "updateinfo",
            "grouplist",
            "help",
        ],
    ),
    ("microdnf", &rule::PACKAGE, &["list", "info", "search", "repoquery", "repolist"]),
    (
        "zypper",
        &rule::PACKAGE,
        &[
            "search",
            "se",
            "info",
            "if",
            "list-updates",
            "lu",
            "repos",
            "lr",
            "packages",
            "pa",
            "what-provides",
            "wp",
            "services",
            "ls",
            "locks",
            "ll",
            "ps",
            "patches",
        ],
    ),
    (
        "apk",
        &rule::PACKAGE,
        &["list", "info", "search", "policy", "stats", "version", "audit", "dot", "manifest", "verify"],
    ),
    ("pkg", &rule::PACKAGE, &["info", "search", "query", "rquery", "version", "which", "stats", "audit"]),
    (
        "opkg",
        &rule::PACKAGE,
        &["list", "list-installed", "list-upgradable", "info", "status", "search", "find", "files"],
    ),
    ("port", &rule::PACKAGE, &["list", "installed", "info", "search", "outdated", "contents"]),
    ("apt-mark", &rule::PACKAGE, &["showauto", "showmanual", "showhold"]),
    ("add-apt-repository", &rule::PACKAGE, &[]),
    ("apt-key", &rule::PACKAGE, &["list", "export", "finger"]),
    ("alternatives", &rule::PACKAGE, &[]),
    ("emerge", &rule::PACKAGE, &[]),
    (
        "brew",
        &rule::PACKAGE,
        &[
            "list",
            "ls",
            "info",
            "search",
            "outdated",
            "deps",
            "uses",
            "config",
            "doctor",
            "leaves",
            "desc",
            "home",
            "cat",
            "log",
            "--prefix",
            "--version",
            "services",
        ],
    ),
    ("tdnf", &rule::PACKAGE, &["list", "info", "search", "repolist", "check-update"]),
    ("rpm-ostree", &rule::PACKAGE, &["status", "db", "search"]),
    ("swupd", &rule::PACKAGE, &["info", "check-update", "search", "bundle-list", "diagnose"]),
    ("guix", &rule::PACKAGE, &["search", "show", "describe", "shell", "environment", "build", "size", "graph", "lint"]),
    ("fwupdmgr", &rule::KERNEL, &["get-devices", "get-updates", "get-history", "security", "get-remotes"]),
    ("chronyc", &rule::KERNEL, &["", "tracking", "sources", "sourcestats", "activity", "ntpdata"]),
    ("kubeadm", &rule::CLUSTER, &["version", "config", "certs", "help"]),
    ("ufw", &rule::NETWORK, &["status", "show", "version", "app"]),
    ("netplan", &rule::NETWORK, &["get", "info", "status", "ip", "generate"]),
    ("wg", &rule::NETWORK, &["", "show", "showconf", "genkey", "genpsk", "pubkey"]),
    ("tailscale", &rule::NETWORK, &["status", "ip", "netcheck", "version", "whois", "ping"]),
    ("resolvectl", &rule::NETWORK, &["", "status", "query", "statistics", "service", "tlsa", "openpgp"]),
    ("networkctl", &rule::NETWORK, &["", "list", "status", "lldp", "label"]),
    ("brctl", &rule::NETWORK, &["show", "showmacs", "showstp"]),
    ("hostnamectl", &rule::KERNEL, &["", "status"]),
    ("timedatectl", &rule::KERNEL, &["", "status", "show", "list-timezones", "timesync-status", "show-timesync"]),
    ("localectl", &rule::KERNEL, &["", "status", "list-locales", "list-keymaps"]),
    ("bootctl", &rule::KERNEL, &["", "status", "list", "is-installed"]),
    (
        "gsettings",
        &rule::KERNEL,
        &["get", "list-schemas", "list-keys", "list-recursively", "range", "describe", "writable"],
    ),
    ("busctl", &rule::SERVICE, &["", "list", "status", "tree", "introspect", "get-property", "capture"]),
    (
        "rabbitmqctl",
        &rule::DATABASE,
        &[
            "status",
            "list_queues",
            "list_users",
            "list_vhosts",
            "list_exchanges",
            "list_bindings",
            "list_connections",
            "list_channels",
            "list_consumers",
            "cluster_status",
            "environment",
            "report",
            "ping",
        ],
    ),
];

pub fn judge<'a>(review: &mut Review<'a>, call: &Call<'a>) {
    if let Some((_, rule, reading)) = READING_VERBS.iter().find(|(program, _, _)| *program == call.program) {
        verbs(review, call, rule, reading);
    }
    processes(review, call);
    services(review, call);
    packages(review, call);
    network(review, call);
    settings(review, call);
}

fn verbs(review: &mut Review<'_>, call: &Call<'_>, rule: &'static Rule, reading: &[&str]) {
    let simulated = rule.id == "package/change"
        && call
            .has("s", &["--simulate", "--dry-run", "--just-print", "--no-act", "--recon", "--assumeno", "--pretend"]);
    let operands = call.operands(
        "HMtpnocC",
        &[
            "--host",
            "--machine",
            "--type",
            "--state",
            "--property",
            "--lines",
            "--output",
            "--config-file",
            "--option",
            "--releasever",
            "--repo",
            "--root",
        ],
    );
    let verb = operands.first().and_then(|word| word.value.as_deref());
    let verb = if operands.is_empty() { Some("") } else { verb };
    if matches!(
        verb,
        Some(
            "poweroff"
                | "reboot"
                | "halt"
                | "kexec"
                | "suspend"
                | "hibernate"
                | "hybrid-sleep"
                | "soft-reboot"
                | "rescue"
                | "emergency"
        )
    ) && matches!(call.program, "systemctl" | "loginctl")
    {
        review.add(&rule::POWER);
        return;
    }
    if matches!(call.program, "systemctl") && matches!(verb, Some("edit")) {
        review.add(&rule::INTERACTIVE);
    }
    let history_changes = matches!(call.program, "dnf" | "yum")
        && verb == Some("history")
        && call.has_word(&["undo", "redo", "rollback"]);
    if simulated || (verb.is_some_and(|verb| reading.contains(&verb)) && !history_changes) {
        return;
    }
    let asks_nothing = verb == Some("") && call.has("", &["--list", "--status-all"]);
    if !asks_nothing {
        review.add(rule);
    }
}

fn processes(review: &mut Review<'_>, call: &Call<'_>) {
    match call.program {
        "kill" => kill(review, call),
        "pkill" | "killall" => {
            let harmless = call.has_word(&["-0", "-l", "-L", "--list"])
                || call.option_text('s', &["--signal"]).is_some_and(|signal| signal == "0");
            let everything = call
                .operands("sugGtPUo", &["--signal", "--user"])
                .iter()
                .any(|word| matches!(word.value.as_deref(), Some("." | ".*" | "")));
            if everything {
                review.add(&rule::SIGNAL_ALL);
            }
            if !harmless {
                review.add(&rule::PROCESS);
            }
        }
        "fuser" if call.has("k", &["--kill"]) => review.add(&rule::PROCESS),
        "taskset" | "chrt" | "ionice" | "prlimit"
            if call.has("pP", &["--pid", "--pgid"])
                && (call.words.len() > 2 || call.has("cn", &["--class", "--classdata"])) =>
        {
            review.add(&rule::PROCESS)
        }
        "cpulimit" | "choom" => review.add(&rule::PROCESS),
        "gcore" => review.add(&rule::PROCESS),
        _ => {}
    }
}

fn kill(review: &mut Review<'_>, call: &Call<'_>) {
    if call.has_word(&["-l", "-L", "--list", "--table", "-0"]) {
        return;
    }
    let mut words = call.words.iter();
    let mut signal_given = false;
    while let Some(word) = words.next() {
        match word.value.as_deref() {
            Some("-s" | "-n" | "--signal") => {
                signal_given = true;
                if words.next().and_then(|word| word.value.as_deref()) == Some("0") {
                    return;
                }
            }
            Some("--") => signal_given = true,
            // The first dashed word is the signal, later ones are process groups.
            Some("-1") if signal_given => review.add(&rule::SIGNAL_ALL),
            Some(value) if value.starts_with('-') => signal_given = true,
            _ => {}
        }
    }
    review.add(&rule::PROCESS);
}

fn services(review: &mut Review<'_>, call: &Call<'_>) {
    let path = call.invocation.argv.first().and_then(|word| word.value.as_deref()).unwrap_or("");
    let is_script =
        ["/etc/init.d/", "/etc/rc.d/", "/usr/local/etc/rc.d/"].iter().any(|directory| path.starts_with(directory));
    if is_script && !matches!(call.value(0), Some("status")) {
        review.add(&rule::SERVICE);
    }
    match call.program {
        "service" | "rc-service" | "sv" | "invoke-rc.d" | "rcctl" => {
            let reads = call.has_word(&["status", "--status-all", "--list", "-l", "-e", "-r", "ls", "get", "check"]);
            if !reads && !call.words.is_empty() {
                review.add(&rule::SERVICE);
            }
        }
        "chkconfig" | "rc-update" if !(call.words.is_empty() || call.has_word(&["--list", "show", "-v"])) => {
            review.add(&rule::SERVICE)
        }
        "nginx" | "apache2" | "httpd" | "haproxy" | "sshd" | "named" | "postfix" | "caddy" | "dnsmasq" | "smbd" => {
            let reads = call
                .has(if call.program == "nginx" { "tTvV" } else { "tTvVSMLc" }, &["--version", "--help", "--test"])
                && !call.has("s", &[])
                || call.has_word(&["check", "validate", "status", "version"]);
            if !reads {
                review.add(&rule::SERVICE);
            }
        }
        "apachectl" | "apache2ctl"
            if !(call.has("tSMVv", &[]) || call.has_word(&["configtest", "status", "fullstatus"])) =>
        {
            review.add(&rule::SERVICE)
        }
        "crontab" => crontab(review, call),
        "at" if !call.has("lcV", &["--list"]) => {
            review.add(&rule::BACKGROUND);
            review.add(&rule::PERSIST);
        }
        "journalctl"
            if call.values().any(|value| {
                value.starts_with("--vacuum")
                    || matches!(value, "--rotate" | "--flush" | "--setup-keys" | "--relinquish-var")
            }) =>
        {
            review.add(&rule::HISTORY)
        }
        "auditctl" if !call.has("lsvh", &[]) => review.add(&rule::HISTORY),
        "logrotate" if !call.has("d", &["--debug"]) => review.add(&rule::HISTORY),
        "dmesg"
            if call.has("cCDEn", &["--clear", "--read-clear", "--console-off", "--console-on", "--console-level"]) =>
        {
            review.add(&rule::HISTORY)
        }
        "lastlog" if call.has("CS", &["--clear", "--set"]) => review.add(&rule::HISTORY),
        _ => {}
    }
}

fn crontab(review: &mut Review<'_>, call: &Call<'_>) {
    if call.has("e", &[]) {
        review.add(&rule::INTERACTIVE);
    } else if !call.has("l", &[]) {
        review.add(&rule::PERSIST);
    }
}

fn packages(review: &mut Review<'_>, call: &Call<'_>) {
    let first = call.value(0).unwrap_or("");
    let changes = match call.program {
        "dpkg" => {
            let reads = call.has(
                "lLsSpCcIewWfxXV",
                &[
                    "--list",
                    "--listfiles",
                    "--status",
                    "--search",
                    "--print-avail",
                    "--audit",
                    "--contents",
                    "--info",
                    "--get-selections",
                    "--print-architecture",
                    "--print-foreign-architectures",
                    "--compare-versions",
                    "--verify",
                    "--field",
                    "--control",
                    "--show",
                    "--dry-run",
                    "--simulate",
                    "--no-act",
                    "--assert-help",
                ],
            );
            let writes = call.has(
                "irP",
                &[
                    "--install",
                    "--remove",
                    "--purge",
                    "--configure",
                    "--unpack",
                    "--set-selections",
                    "--clear-selections",
                    "--add-architecture",
                    "--remove-architecture",
                    "--triggers-only",
                ],
            );
            (writes || !reads) && !call.has("", &["--dry-run", "--simulate", "--no-act"])
        }
        "rpm" => {
            !(first.starts_with("-q")
                || first.starts_with("-V")
                || call.has("", &["--query", "--verify", "--checksig", "--eval", "--test", "--showrc", "--querytags"])
                || first == "-K")
        }
        "pacman" | "yay" | "paru" => {
            let query = first.starts_with("-Q")
                || first.starts_with("-F")
                || first.starts_with("-T")
                || first.starts_with("-D") && call.has("k", &[]);
            let search =
                first.starts_with("-S") && first.len() > 2 && first[2..].chars().all(|letter| "silgq".contains(letter));
            !(query || search || call.has("p", &["--print", "--query"]))
        }
        "nix-env" => !call.has("q", &["--query", "--dry-run"]),
        "xbps-install" | "xbps-remove" | "pkg_add" | "pkg_delete" | "dpkg-divert" | "dpkg-statoverride"
        | "installer" | "eopkg" | "slackpkg" | "upgradepkg" | "removepkg" | "installpkg" | "do-release-upgrade"
        | "unattended-upgrade" => true,
        "update-alternatives" => !call.has("", &["--list", "--display", "--query", "--get-selections"]),
        "ldconfig" => !call.has("pv", &["--print-cache"]),
        _ => false,
    };
    if changes {
        review.add(&rule::PACKAGE);
    }
    let hook = matches!(call.program, "apt" | "apt-get")
        && call.values().any(|value| {
            value.contains("::Pre-Invoke") || value.contains("::Post-Invoke") || value.contains("::Pre-Install-Pkgs")
        });
    if hook {
        review.add(&rule::FLAG_EXEC);
    }
}

fn network(review: &mut Review<'_>, call: &Call<'_>) {
    const CHANGING: &[&str] = &[
        "add", "a", "del", "d", "delete", "set", "s", "flush", "f", "replace", "change", "append", "up", "down",
        "prepend", "attach", "exec", "restore", "rename",
    ];
    let changes = match call.program {
        "ip" => {
            let operands = call.operands("nflb", &["-family", "-netns", "-batch", "-loops"]);
            let verb = operands.get(1).and_then(|word| word.value.as_deref()).unwrap_or("");
            let runs = matches!(verb, "exec") && call.words.len() > 3;
            (CHANGING.contains(&verb) && !runs)
                || call.has_word(&["-batch", "-b", "-force"])
                || (operands.first().and_then(|word| word.value.as_deref()) == Some("netns")
                    && matches!(verb, "add" | "del"))
        }
        "bridge" | "tc" | "devlink" | "rdma" => {
            call.has_word(&["add", "del", "delete", "replace", "change", "set", "flush", "link"])
                && !call.has_word(&["show", "list", "ls"])
        }
        "ifconfig" => call.operands("", &[]).len() > 1,
        "route" | "arp" => {
            call.has_word(&["add", "del", "delete", "flush", "change"])
                || call.has("ds", &["--delete", "--set"]) && call.program == "arp"
        }
        "iptables" | "ip6tables" | "ebtables" | "arptables" | "iptables-legacy" | "iptables-nft" => {
            call.has(
                "ADIRFZNXPE",
                &[
                    "--append",
                    "--delete",
                    "--insert",
                    "--replace",
                    "--flush",
                    "--zero",
                    "--new-chain",
                    "--delete-chain",
                    "--policy",
                    "--rename-chain",
                ],
            ) || call.words.is_empty()
        }
        "nft" => {
            !(call.has_word(&["list", "describe"]) || call.has("c", &["--check"]))
                || call.has_word(&["flush", "delete", "add", "insert", "destroy", "reset"])
                    && !call.has("c", &["--check"])
        }
        "firewall-cmd" => !call.values().all(|value| {
            value.starts_with("--list")
                || value.starts_with("--get")
                || value.starts_with("--state")
                || value.starts_with("--query")
                || value.starts_with("--zone")
                || value.starts_with("--info")
                || matches!(value, "--permanent" | "--check-config" | "--version")
        }),
        "ipset" => !matches!(call.verb(), "list" | "save" | "test" | "version" | "help"),
        "nmcli" => {
            call.has_word(&[
                "up",
                "down",
                "add",
                "modify",
                "delete",
                "edit",
                "connect",
                "disconnect",
                "on",
                "off",
                "reload",
                "load",
                "import",
                "clone",
                "hotspot",
                "hostname",
                "set",
                "reapply",
                "con-add",
            ]) && !call.has_word(&["show", "status"])
        }
        "ethtool" => {
            call.has("sKGACcrpfEFLNXWU", &["--change", "--offload", "--features", "--set-ring", "--pause", "--reset"])
        }
        "iw" | "iwconfig" => call.has_word(&["set", "connect", "disconnect", "del", "essid", "mode", "power"]),
        "conntrack" => call.has("DFIU", &["--delete", "--flush", "--create", "--update"]),
        "pfctl" => !call.has("s", &[]),
        "fail2ban-client" => !matches!(call.verb(), "status" | "ping" | "get" | "version"),
        _ => false,
    };
    if changes {
        review.add(&rule::NETWORK);
    }
}

fn settings(review: &mut Review<'_>, call: &Call<'_>) {
    match call.program {
        "sysctl"
            if call.has("wpf", &["--write", "--load", "--system"])
                || call.values().any(|value| value.contains('=')) =>
        {
            review.add(&rule::KERNEL)
        }
        "modprobe"
            if !call.has("nc", &["--dry-run", "--show-depends", "--showconfig", "--resolve-alias"])
                || call.has("r", &["--remove"]) && !call.has("n", &["--dry-run"]) =>
        {
            review.add(&rule::KERNEL)
        }
        "date"
            if call.has("s", &["--set"])
                || call
                    .values()
                    .any(|value| value.len() >= 8 && value.chars().all(|character| character.is_ascii_digit())) =>
        {
            review.add(&rule::KERNEL)
        }
        "hwclock" if call.has("ws", &["--systohc", "--hctosys", "--set", "--adjust"]) => review.add(&rule::KERNEL),
        "hostname"
            if call.has("F", &["--file"])
                || call.operands("", &[]).iter().any(|word| word.value.as_deref() != Some("")) =>
        {
            review.add(&rule::KERNEL)
        }
        "domainname" if !call.words.is_empty() => review.add(&rule::KERNEL),
        "tune2fs" if !call.has("l", &[]) => review.add(&rule::KERNEL),
        "smartctl" if call.has("sto", &["--test", "--smart", "--offlineauto", "--set"]) => review.add(&rule::KERNEL),
        "nix-collect-garbage" => review.add(&rule::PACKAGE),
        "utmpdump" if call.has("r", &["--reverse"]) => review.add(&rule::HISTORY),
        "run0" => review.add(&rule::PRIVILEGE),
        "efibootmgr" if !call.words.is_empty() && !call.has("v", &[]) => review.add(&rule::KERNEL),
        "cpupower" if call.has_word(&["frequency-set", "idle-set", "set"]) => review.add(&rule::KERNEL),
        "bpftool" if !call.has_word(&["show", "list", "dump", "help"]) => review.add(&rule::KERNEL),
        "passwd" if !call.has("S", &["--status"]) => {
            review.add(&rule::ACCOUNT);
            review.add(&rule::INTERACTIVE);
        }
        "chage" if !call.has("l", &["--list"]) => review.add(&rule::ACCOUNT),
        "loadkeys" | "setterm" | "setfont" => review.add(&rule::KERNEL),
        "sudo" | "doas" => raised(review, call),
        "runuser" | "machinectl" => review.add(&rule::PRIVILEGE),
        "pkexec" => review.add(&rule::PRIVILEGE),
        "visudo" if !call.has("c", &["--check"]) => review.add(&rule::INTERACTIVE),
        "ssh-keygen" if !call.has("lFByLQH", &[]) => {
            match call.option_text('f', &[]) {
                Some(path) => {
                    let path = crate::place::normalise(&path, review.directory.as_deref());
                    review.touch_path(&path, Touch::Overwrite);
                }
                None => review.add(&rule::WRITE_PROTECTED),
            }
            if !call.has("N", &[]) {
                review.add(&rule::INTERACTIVE);
            }
        }
        _ => {}
    }
}

/// `sudo` without a command to judge: a shell, an editor, or a list of rights.
fn raised(review: &mut Review<'_>, call: &Call<'_>) {
    if call.has("lkKV", &["--list", "--reset-timestamp", "--remove-timestamp"]) {
        return;
    }
    if call.has("e", &["--edit"]) {
        review.add(&rule::INTERACTIVE);
    }
    if call.has("v", &["--validate"]) {
        if !call.has("n", &["--non-interactive"]) {
            review.add(&rule::INTERACTIVE);
        }
        return;
    }
    review.add(&rule::PRIVILEGE);
}
