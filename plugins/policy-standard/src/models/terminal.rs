//! Programs that wait for typing, and output that does not end.

use portcullis_plugin::policy::StandardInput;

use crate::call::Call;
use crate::review::Review;
use crate::rule;

/// Full-screen programs, editors, pagers and prompts.
const INTERACTIVE: &[&str] = &[
    "vim",
    "vi",
    "nvim",
    "view",
    "vimdiff",
    "gvim",
    "emacs",
    "emacsclient",
    "nano",
    "pico",
    "joe",
    "jed",
    "micro",
    "mcedit",
    "hx",
    "helix",
    "kak",
    "ne",
    "mg",
    "ee",
    "less",
    "more",
    "most",
    "pg",
    "zless",
    "zmore",
    "htop",
    "btop",
    "bpytop",
    "bashtop",
    "gtop",
    "iotop",
    "nmon",
    "glances",
    "iftop",
    "nethogs",
    "powertop",
    "mc",
    "ranger",
    "nnn",
    "lf",
    "vifm",
    "ncdu",
    "tig",
    "lazygit",
    "lazydocker",
    "gitui",
    "k9s",
    "tmux",
    "screen",
    "byobu",
    "zellij",
    "nmtui",
    "raspi-config",
    "alsamixer",
    "cfdisk",
    "vipw",
    "vigr",
    "dialog",
    "whiptail",
    "fish_config",
    "minicom",
    "picocom",
    "cu",
    "mutt",
    "neomutt",
    "irssi",
    "weechat",
    "lldb",
    "telnet",
    "ftp",
    "irb",
    "pry",
    "ghci",
    "octave",
    "utop",
    "fzf",
    "gum",
    "select",
    "su",
    "login",
    "chsh",
    "chfn",
    "ssh-add",
    "gpg-agent",
    "fg",
    "suspend",
    "atop",
    "slabtop",
    "wavemon",
    "cmatrix",
    "nsupdate",
    "ipython",
    "ipython3",
    "bpython",
    "lftp",
    "aptitude",
    "tinker",
    "iex",
    "gdb",
    "vlock",
    "passwd",
    "sudoedit",
    "crash",
    "sqlplus",
    "w3m",
    "lynx",
    "links",
    "elinks",
    "sc-im",
    "visidata",
    "vd",
    "tty-clock",
    "newsboat",
    "ncmpcpp",
    "menuconfig",
    "nvtop",
    "s-tui",
    "gitk",
    "git-gui",
    "rlogin",
    "maxima",
    "gp",
    "sage",
    "gnuplot",
    "calc",
    "csi",
    "coqtop",
    "prolog",
    "gprolog",
    "spark-shell",
    "spark-sql",
    "pyspark",
    "hive",
    "impala-shell",
    "beeline",
    "zkCli.sh",
    "zkcli",
    "kafka-console-producer",
    "kafka-console-producer.sh",
    "jshell",
    "asciinema",
    "bandwhich",
    "trippy",
    "gping",
    "dry",
    "ctop",
    "lazysql",
    "pgcli",
    "mycli",
    "litecli",
    "usql",
    "iredis",
    "termshark",
    "aerc",
    "cmus",
    "nvitop",
    "zenith",
    "bottom",
    "btm",
    "tiptop",
    "yazi",
    "xplr",
    "broot",
    "superfile",
    "pudb",
    "pdb",
    "ipdb",
    "radare2",
    "r2",
    "gforth",
    "clisp",
    "mit-scheme",
    "chezscheme",
    "rhino",
    "hugs",
    "idris2",
    "lein-repl",
    "ssh-agent-shell",
    "dselect",
    "tasksel",
];

/// Filters that read standard input when no file is named: operands they need before files, and
/// letters with a value.
const FILTERS: &[(&str, usize, &str)] = &[
    ("cat", 0, ""),
    ("tac", 0, "s"),
    ("nl", 0, "bdfhilnsvw"),
    ("head", 0, "cn"),
    ("tail", 0, "cns"),
    ("wc", 0, ""),
    ("sort", 0, "kotST"),
    ("uniq", 0, "fsw"),
    ("cut", 0, "bcdf"),
    ("paste", 0, "d"),
    ("rev", 0, ""),
    ("fold", 0, "w"),
    ("fmt", 0, "w"),
    ("column", 0, "cos"),
    ("od", 0, "AjNStw"),
    ("xxd", 0, "clgos"),
    ("hexdump", 0, "efns"),
    ("base64", 0, "w"),
    ("base32", 0, "w"),
    ("md5sum", 0, ""),
    ("sha1sum", 0, ""),
    ("sha256sum", 0, ""),
    ("sha512sum", 0, ""),
    ("cksum", 0, ""),
    ("strings", 0, "nt"),
    ("expand", 0, "t"),
    ("unexpand", 0, "t"),
    ("pr", 0, "lowhsN"),
    ("shuf", 0, "nio"),
    ("tsort", 0, ""),
    ("grep", 1, "efmABCdD"),
    ("egrep", 1, "efmABC"),
    ("fgrep", 1, "efmABC"),
    ("sed", 1, "efl"),
    ("awk", 1, "fvFe"),
    ("gawk", 1, "fvFei"),
    ("mawk", 1, "fvF"),
    ("jq", 1, "fL"),
    ("yq", 1, ""),
    ("bc", 0, ""),
    ("dc", 0, "ef"),
    ("tr", 9, ""),
    ("tee", 9, ""),
    ("split", 0, "abCln"),
    ("xargs", 9, "aIdnPLs"),
    ("iconv", 0, "fto"),
    ("less", 0, ""),
    ("gzip", 0, "S"),
    ("pv", 0, "sBLN"),
    ("mail", 9, "s"),
    ("psql", 9, ""),
    ("gunzip", 0, "S"),
    ("zcat", 0, ""),
    ("read", 9, ""),
    ("mapfile", 9, ""),
    ("readarray", 9, ""),
    ("at", 9, ""),
    ("crontab", 9, ""),
    ("logger", 1, "tpf"),
    ("wall", 1, ""),
    ("write", 9, ""),
];

pub fn judge<'a>(review: &mut Review<'a>, call: &Call<'a>) {
    if INTERACTIVE.contains(&call.program) && !has_batch_form(call) {
        review.add(&rule::INTERACTIVE);
    }
    prompts(review, call);
    filters(review, call);
    let source = call.program == "yes"
        || (call.program == "cat" && call.has_word(&["/dev/zero", "/dev/urandom", "/dev/random", "/dev/full"]));
    if source && !call.is_time_limited() && is_read_to_the_end(review, call) {
        review.add(&rule::STREAM);
    }
    if !call.is_time_limited() && streams(call) {
        review.add(&rule::STREAM);
    }
}

/// Forms of interactive programs that print and end.
fn has_batch_form(call: &Call<'_>) -> bool {
    match call.program {
        "tmux" => matches!(
            call.verb(),
            "ls" | "list-sessions"
                | "list-windows"
                | "list-panes"
                | "info"
                | "show-options"
                | "capture-pane"
                | "has-session"
                | "display-message"
                | "list-clients"
        ),
        "screen" => call.has_word(&["-ls", "-list"]),
        "gdb" | "lldb" => call.has_word(&["-batch", "--batch", "-b"]),
        "w3m" | "lynx" | "links" | "elinks" => call.has_word(&["-dump", "-source", "--dump"]),
        "atop" | "nmon" => call.has("Pfr", &[]) || call.operands("", &[]).len() > 1,
        "iotop" => call.has("b", &["--batch"]) && call.has("n", &["--iter"]),
        "emacs" => call.has("", &["--batch"]),
        "passwd" => call.has("S", &["--status"]),
        "aptitude" => !call.operands("", &[]).is_empty(),
        "ssh-add" => call.has("lLdD", &[]),
        "octave" => call.has("", &["--eval"]) || !call.operands("", &[]).is_empty(),
        "mutt" | "neomutt" | "lftp" | "ftp" | "su" => {
            !call.reads_terminal()
                || (call.program == "su" && call.has("c", &["--command"]))
                || (call.program == "lftp" && call.has("ecf", &[]))
        }
        "powertop" => call.has("", &["--html", "--csv"]),
        "nethogs" => call.has("c", &[]),
        "iftop" => call.has("ts", &[]),
        "glances" => call.has("", &["--stdout-once", "--stop-after"]),
        "ncdu" => call.has("o", &[]),
        "slabtop" => call.has("o", &["--once"]),
        "fzf" => call.has("f", &["--filter"]),
        "telnet" | "nsupdate" => !call.reads_terminal(),
        "irb" | "ghci" | "pry" => call.has("e", &[]),
        "emacsclient" => call.has("n", &["--no-wait", "--eval"]),
        "crash" | "sqlplus" => !call.reads_terminal(),
        "hive" | "beeline" | "impala-shell" | "spark-sql" | "pgcli" | "mycli" | "usql" | "litecli" => {
            call.has("efq", &["--execute", "--query", "--file"])
        }
        "gnuplot" | "sage" | "gp" | "calc" | "maxima" | "csi" | "gforth" | "clisp" | "coqtop" | "gprolog" | "r2"
        | "radare2" | "pdb" | "pudb" | "broot" => {
            !call.reads_terminal()
                || call.has("qe", &["--batch", "--eval"])
                || (!call.operands("", &[]).is_empty() && !matches!(call.program, "pdb" | "pudb" | "r2" | "radare2"))
        }
        "spark-shell"
        | "pyspark"
        | "jshell"
        | "zkCli.sh"
        | "zkcli"
        | "kafka-console-producer"
        | "kafka-console-producer.sh" => !call.reads_terminal(),
        "asciinema" => !matches!(call.verb(), "" | "rec" | "play" | "stream"),
        "ctop" | "btm" | "bottom" => false,
        _ => false,
    }
}

fn prompts(review: &mut Review<'_>, call: &Call<'_>) {
    let waits = match call.program {
        "top" => !(call.has("b", &["--batch"]) && call.has("n", &["--iterations"])),
        "read" => call.reads_terminal() && !call.has("t", &[]),
        "nslookup" => call.operands("", &[]).is_empty(),
        "xargs" => call
            .values()
            .take_while(|value| value.starts_with('-'))
            .any(|value| value == "--interactive" || (!value.starts_with("--") && value.contains('p'))),
        "rm" | "cp" | "mv" | "ln" => {
            call.has("i", &["--interactive"]) && call.reads_terminal() && !call.has("f", &["--force"])
        }
        "script" => true,
        "ssh-copy-id" | "kinit" | "gpg" => {
            call.program == "kinit"
                || call.has(
                    "",
                    &[
                        "--gen-key",
                        "--generate-key",
                        "--full-gen-key",
                        "--full-generate-key",
                        "--edit-key",
                        "--edit-card",
                    ],
                )
                || (call.program == "gpg"
                    && call.has("c", &["--symmetric"])
                    && !call.has("", &["--batch", "--passphrase", "--passphrase-file", "--passphrase-fd"]))
        }
        "npm" | "yarn" | "pnpm" => {
            matches!(call.verb(), "login" | "adduser")
                || (matches!(call.verb(), "init" | "create") && !call.has("y", &["--yes"]))
        }
        "mysql_secure_installation" | "dpkg-reconfigure" => true,
        "gcloud" => call.verb() == "init" || call.has_word(&["login"]),
        "az" | "heroku" | "vault" | "cargo" | "terraform" | "fly" | "vercel" | "netlify" | "doctl" | "tailscale"
        | "argocd" => {
            call.verb() == "login" || (call.program == "heroku" && call.verb() == "run" && call.words.len() == 2)
        }
        "rails" | "flask" | "django-admin" | "artisan" | "hbase" | "swift" | "dotnet" | "lein" | "mix" | "play" => {
            matches!(call.verb(), "console" | "c" | "dbconsole" | "db" | "shell" | "repl" | "fsi" | "tinker")
                || (call.program == "swift" && call.words.is_empty())
        }
        "python" | "python3" | "php" | "ruby" => {
            call.value(0).is_some_and(|script| {
                let name = script.rsplit('/').next().unwrap_or(script);
                matches!(name, "manage.py" | "artisan" | "rails")
            }) && matches!(
                call.value(1),
                Some(
                    "shell"
                        | "shell_plus"
                        | "dbshell"
                        | "tinker"
                        | "console"
                        | "c"
                        | "createsuperuser"
                        | "changepassword"
                )
            )
        }
        "manage.py" => matches!(call.verb(), "shell" | "shell_plus" | "dbshell" | "createsuperuser"),
        "node" | "nodejs" => call.value(0) == Some("inspect"),
        "code" | "subl" | "mate" | "atom" => call.has("w", &["--wait"]),
        "bat" | "batcat" => call.values().any(|value| value == "--paging=always"),
        "mosh" => call.operands("p", &[]).len() < 2,
        "multipass" | "lxc" | "incus" | "limactl" | "oc" | "toolbox" | "distrobox" => {
            matches!(call.verb(), "shell" | "console" | "rsh" | "enter") && call.operands("n", &[]).len() < 3
        }
        "update-alternatives" => call.has("", &["--config"]),
        "openssl" => {
            matches!(call.value(0), Some("req"))
                && call.has_word(&["-new", "-newkey"])
                && !call.has_word(&["-subj", "-batch", "-config"])
                || call.words.is_empty()
                || (call.value(0) == Some("passwd")
                    && call.reads_terminal()
                    && call.operands("", &["-salt", "-in"]).len() < 2
                    && !call.has_word(&["-in", "-stdin"]))
        }
        _ => false,
    };
    if waits || (call.program.starts_with("create-") && !call.has("y", &["--yes", "--template"])) {
        review.add(&rule::INTERACTIVE);
    }
}

/// A filter that would read the terminal.
fn filters(review: &mut Review<'_>, call: &Call<'_>) {
    if !matches!(call.invocation.standard_input, StandardInput::Inherited) {
        return;
    }
    let Some((name, needed, valued)) = FILTERS.iter().find(|(name, _, _)| *name == call.program) else { return };
    if matches!(*name, "at" | "crontab" | "psql" | "mail" | "read") {
        return;
    }
    let operands = call.operands(
        valued,
        &[
            "--lines",
            "--bytes",
            "--expression",
            "--file",
            "--regexp",
            "--field-separator",
            "--key",
            "--delimiter",
            "--fields",
            "--max-count",
            "--context",
            "--include",
            "--exclude",
            "--arg",
            "--args",
            "--color",
            "--output",
        ],
    );
    let mut needed = *needed;
    match *name {
        "grep" | "egrep" | "fgrep" => {
            if call.has("rR", &["--recursive", "--dereference-recursive"]) {
                return;
            }
            needed -= usize::from(call.has("ef", &["--regexp", "--file"]));
        }
        "sed" | "awk" | "gawk" | "mawk" => {
            needed -= usize::from(call.has("ef", &["--expression", "--file", "--source"]));
            let starts_only = operands.first().and_then(|word| word.value.as_deref()).is_some_and(|code| {
                code.trim_start().starts_with("BEGIN") && !code.contains("END") && code.matches('{').count() == 1
            });
            if name.ends_with("awk") && starts_only {
                return;
            }
        }
        "jq" | "yq" => {
            if call.has("n", &["--null-input"]) || (*name == "yq" && operands.len() > 1) {
                return;
            }
            needed -= usize::from(call.has("f", &["--from-file"]));
            let pairs = call
                .values()
                .filter(|value| matches!(*value, "--arg" | "--argjson" | "--slurpfile" | "--rawfile"))
                .count();
            needed += pairs;
        }
        "shuf" if call.has("ei", &["--echo", "--input-range"]) => return,
        "xargs" if call.has("a", &["--arg-file"]) => return,
        "dc" if call.has("ef", &[]) => return,
        "wc" if call.has("", &["--files0-from"]) => return,
        "tail" | "head"
            if operands.iter().any(|word| word.value.as_deref().is_some_and(|value| value.starts_with('+')))
                && operands.len() > 1 =>
        {
            return;
        }
        "logger" => {
            if !operands.is_empty() || call.has("f", &["--file"]) {
                return;
            }
            needed = 0;
        }
        _ => {}
    }
    let names_standard_input = operands.iter().skip(needed).any(|word| word.value.as_deref() == Some("-"));
    if operands.len() <= needed || names_standard_input {
        review.add(&rule::INTERACTIVE);
    }
}

/// Whether what `call` prints goes to the terminal or into filters that wait for its end.
fn is_read_to_the_end(review: &Review<'_>, call: &Call<'_>) -> bool {
    let later = review.later_stages(call.invocation);
    let bounded = later.iter().any(|stage| stage.program == "head");
    let first_is_filter = later.first().is_none_or(|stage| FILTERS.iter().any(|(name, _, _)| *name == stage.program));
    first_is_filter && !bounded
}

/// `program INTERVAL [COUNT]`: no count, no end.
fn lacks_count(call: &Call<'_>, valued: &str) -> bool {
    let numbers = call
        .operands(valued, &["-P", "-p", "--dec"])
        .iter()
        .filter_map(|word| word.value.as_deref())
        .filter(|value| value.parse::<f64>().is_ok())
        .count();
    numbers == 1
}

fn streams(call: &Call<'_>) -> bool {
    let later_stage = call.invocation.stage + 1 < call.invocation.stages;
    match call.program {
        "tail" => call.has("fF", &["--follow", "--retry"]) && !call.has("", &["--pid"]),
        "journalctl" => call.has("f", &["--follow"]),
        "dmesg" => call.has("wW", &["--follow", "--follow-new"]),
        "ping" | "ping6" | "fping" => {
            !call.has("c", &["--count"])
                && !call.has("w", &["--deadline"])
                && (call.program != "fping" || call.has("l", &["--loop"]))
        }
        "arping" | "hping3" => !call.has("c", &["--count"]),
        "mtr" => !(call.has("rc", &["--report", "--report-wide", "--report-cycles"])),
        "cat" | "od" | "xxd" | "hexdump" | "base64" | "strings" | "tr" if !later_stage => {
            call.values().any(|value| matches!(value, "/dev/zero" | "/dev/urandom" | "/dev/random"))
                && !call.has("Nnl", &[])
        }
        "tcpdump" | "tshark" => !call.has("crDLhd", &["--count"]) && !call.has("a", &[]),
        "ngrep" | "dumpcap" | "snoop" => !call.has("nca", &[]),
        "inotifywait" => call.has("md", &["--monitor", "--daemon"]) || !call.has("t", &["--timeout"]),
        "inotifywatch" | "fatrace" => !call.has("ts", &["--timeout"]),
        "fswatch" | "entr" | "nodemon" | "watchexec" | "multitail" | "stern" | "kubetail" | "dstat" | "nload"
        | "bmon" | "speedometer" | "dbus-monitor" | "perf-top" | "tload" | "collectl" => {
            let counted = matches!(call.program, "dstat" | "collectl") && call.operands("", &[]).len() > 1;
            !(counted || call.has("1", &["--one-event", "--no-follow"]))
        }
        "vmstat" => lacks_count(call, "npST"),
        "iostat" | "mpstat" | "pidstat" | "sar" | "jstat" | "ifstat" => lacks_count(call, "pP"),
        "free" => call.has("s", &["--seconds"]) && !call.has("c", &["--count"]),
        "tsc" | "jest" | "webpack" | "vite" | "rollup" | "esbuild" | "sass" | "tailwindcss" | "mocha" | "ava"
        | "parcel" => {
            call.has("w", &["--watch", "--watchAll"]) && !call.values().any(|value| value.ends_with("=false"))
                || matches!(call.verb(), "watch" | "serve" | "dev")
        }
        "vitest" => !matches!(call.verb(), "run" | "bench" | "list") && !call.has("", &["--run"]),
        "npm" | "yarn" | "pnpm" | "bun" => call.has_word(&["--watch"]) || call.value(0) == Some("watch"),
        "serve" | "http-server" | "live-server" | "browser-sync" | "json-server" | "swatch" | "usbmon" | "mongotop"
        | "watchman-wait" | "reflex" | "air" => true,
        "mongostat" => !call.has("n", &["--rowcount"]),
        "mysqladmin" => call.has("i", &["--sleep"]) && !call.has("c", &["--count"]),
        "etcdctl" => call.verb() == "watch",
        "consul" | "nomad" => call.verb() == "monitor",
        "gdbus" => call.verb() == "monitor",
        "kcat" | "kafkacat" => call.has("C", &[]) && !call.has("ce", &[]),
        "pg_recvlogical" | "pg_receivewal" => call.has("", &["--start"]) || call.program == "pg_receivewal",
        "gcloud" => call.has_word(&["logging"]) && call.has_word(&["tail"]),
        "fly" | "flyctl" => call.verb() == "logs" && !call.has("n", &["--no-tail"]),
        "cf" => call.verb() == "logs" && !call.has("", &["--recent"]),
        "sleep" => {
            call.has_word(&["infinity", "inf"])
                || call.values().any(|value| value.parse::<f64>().is_ok_and(|seconds| seconds > 86_400.0))
        }
        "udevadm" | "ip" | "busctl" | "nmcli" => call.has_word(&["monitor"]),
        "watch" => true,
        "strace" | "ltrace" => call.has("p", &["--attach"]),
        "perf" => {
            matches!(call.verb(), "top")
                || (matches!(call.verb(), "record" | "stat" | "trace")
                    && (call.has("ap", &[]) || call.operands("eptCGIoxrDFMmuKk", &[]).len() < 2)
                    && !call.has_word(&["sleep"]))
        }
        "bpftrace" | "opensnoop" | "execsnoop" => true,
        "iperf" | "iperf3" => call.has("s", &["--server"]),
        "cargo" => call.verb() == "watch",
        "supervisorctl" | "pm2" => {
            (call.verb() == "tail" && call.has("f", &[]))
                || (call.program == "pm2"
                    && (matches!(call.verb(), "monit")
                        || (matches!(call.verb(), "logs") && !call.has("", &["--nostream"]))))
        }
        "kafka-console-consumer" | "kafka-console-consumer.sh" => !call.has("", &["--max-messages", "--timeout-ms"]),
        "mosquitto_sub" => !call.has("CW", &[]),
        "seq" => call.has_word(&["inf", "infinity"]),
        "lnav" => !call.has("n", &[]),
        "top" => call.has("b", &["--batch"]) && !call.has("n", &["--iterations"]),
        "lsof" => call.has("r", &[]),
        "ss" => call.has("E", &["--events"]),
        "conntrack" => call.has("E", &["--event"]),
        "candump" | "btmon" | "hcidump" | "evtest" | "xev" | "libinput" | "jackd" | "irw" => true,
        "logread" => call.has("f", &[]),
        "varnishlog" => !call.has("d", &[]),
        "varnishstat" => !call.has("1jxl", &[]),
        _ => false,
    }
}
