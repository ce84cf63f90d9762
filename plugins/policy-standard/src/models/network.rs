//! Programs that fetch, send, listen or connect.

use crate::call::Call;
use crate::place;
use crate::review::{Review, Touch};
use crate::rule;

/// Programs whose words reach another machine.
const TALKS: &[&str] = &[
    "curl",
    "wget",
    "dig",
    "host",
    "nslookup",
    "drill",
    "ping",
    "ping6",
    "traceroute",
    "http",
    "https",
    "xh",
    "nc",
    "ncat",
    "whois",
    "finger",
    "telnet",
    "ssh",
];
/// Programs whose output is content of this host; a name, a date or a version is not meant.
const TELLS: &[&str] = &[
    "cat", "head", "tail", "base64", "base32", "xxd", "od", "hexdump", "gzip", "tar", "whoami", "id", "hostname",
    "env", "printenv", "set", "ls", "find", "grep", "awk", "sed", "jq", "openssl", "uname", "ps", "history",
    "ifconfig", "ip", "sudo", "cut", "tr", "paste", "strings", "sort", "echo", "<", "rev", "python3", "perl",
];

/// `curl "http://peer/$(cat file)"`: what a command prints travels in a word.
fn sends_in_a_word(call: &Call<'_>) -> bool {
    TALKS.contains(&call.program)
        && call.words.iter().any(|word| {
            let after = |opening: &str| {
                word.text.split(opening).skip(1).any(|inner| {
                    let first = inner.trim_start().split([' ', '\t', ')', '`', '|']).next().unwrap_or("");
                    let first = if inner.trim_start().starts_with('<') { "<" } else { first };
                    TELLS.contains(&first.rsplit('/').next().unwrap_or(first))
                })
            };
            word.value.is_none() && (after("$(") || after("`"))
        })
}

/// A file, and not one that is empty, is standard input.
fn reads_file(call: &Call<'_>) -> bool {
    call.invocation.redirections.iter().any(|redirection| {
        redirection.operator == "<"
            && redirection.descriptor.is_none_or(|descriptor| descriptor == 0)
            && redirection.target.value.as_deref() != Some("/dev/null")
            && !redirection.target.text.starts_with("<(")
    })
}

pub fn judge<'a>(review: &mut Review<'a>, call: &Call<'a>) {
    if sends_in_a_word(call) && !matches!(call.program, "ssh" | "nc" | "ncat") {
        review.add(&rule::SEND);
    }
    match call.program {
        "gpg" if call.has("", &["--send-keys"]) => review.add(&rule::SEND),
        "curl" => curl(review, call),
        "wget" => wget(review, call),
        "nc" | "ncat" | "netcat" | "nc.openbsd" | "nc.traditional" | "cryptcat" => netcat(review, call),
        "socat" => socat(review, call),
        "scp" | "sftp" => secure_copy(review, call),
        "rsync" => rsync(review, call),
        "ssh" | "slogin" | "autossh" => secure_shell(review, call),
        "http" | "https" | "xh" | "xhs" | "curlie"
            if call
                .values()
                .any(|value| matches!(value.to_ascii_uppercase().as_str(), "POST" | "PUT" | "DELETE" | "PATCH"))
                || call.is_piped_into()
                || reads_file(call) =>
        {
            review.add(&rule::SEND)
        }
        "openssl" => {
            let connects = matches!(call.verb(), "s_client" | "s_server");
            if connects && call.reads_terminal() {
                review.add(&rule::INTERACTIVE);
            }
            let piped = matches!(call.invocation.standard_input, portcullis_plugin::policy::StandardInput::Pipe);
            if connects && (piped || reads_file(call)) {
                review.add(&rule::SEND);
            }
        }
        "ftp" | "tftp" | "ncftp" => review.add(&rule::SEND),
        "mutt" | "neomutt" | "s-nail" if call.is_piped_into() || reads_file(call) => review.add(&rule::SEND),
        "rclone"
            if matches!(
                call.verb(),
                "copy"
                    | "copyto"
                    | "sync"
                    | "move"
                    | "moveto"
                    | "delete"
                    | "deletefile"
                    | "purge"
                    | "rcat"
                    | "bisync"
                    | "rmdir"
                    | "rmdirs"
                    | "mount"
                    | "serve"
            ) && !call.has("n", &["--dry-run"])
                && (!matches!(call.verb(), "copy" | "copyto")
                    || call
                        .operands("", &[])
                        .last()
                        .is_none_or(|word| word.value.as_deref().is_none_or(|target| target.contains(':')))) =>
        {
            review.add(&rule::SEND);
        }
        "gh" if call.verb() == "gist" && call.has_word(&["create"]) => review.add(&rule::SEND),
        _ => {}
    }
}

fn output(review: &mut Review<'_>, call: &Call<'_>, letter: char, long: &[&str]) {
    let path = call.option_text(letter, long);
    match (path, call.option(letter, long)) {
        (Some(path), _) if path != "-" => {
            let path = place::normalise(&path, review.directory.as_deref());
            review.touch_path(&path, Touch::Overwrite);
        }
        (None, Some(word)) => review.touch(word, Touch::Overwrite),
        _ => {}
    }
}

fn curl(review: &mut Review<'_>, call: &Call<'_>) {
    let query = call.has("G", &["--get"]);
    let method = call.option_text('X', &["--request"]);
    let changes = method
        .as_deref()
        .is_some_and(|method| !matches!(method.to_ascii_uppercase().as_str(), "GET" | "HEAD" | "OPTIONS"));
    let data_options = [
        "-d",
        "--data",
        "--data-raw",
        "--data-binary",
        "--data-ascii",
        "--data-urlencode",
        "--json",
        "-F",
        "--form",
        "--form-string",
    ];
    let has_data = call.values().any(|value| {
        let name = value.split('=').next().unwrap_or(value);
        data_options.contains(&name) || cluster_has(value, "dF")
    });
    let uploads = call
        .values()
        .any(|value| matches!(value.split('=').next(), Some("-T" | "--upload-file")) || cluster_has(value, "T"));
    let reads_file = call.values().any(|value| {
        value.starts_with('@')
            || value.contains("=@")
            || value.starts_with("-d@")
            || value.contains("=<")
            || value.contains("@/")
    });
    if uploads || changes || (has_data && (!query || reads_file)) {
        review.add(&rule::SEND);
    }
    if call.has("K", &["--config"]) {
        review.add(&rule::FLAG_EXEC);
    }
    output(review, call, 'o', &["--output"]);
    if let Some(directory) = call.option_text('\0', &["--output-dir"]) {
        let path = place::normalise(&directory, None);
        review.touch_path(&path, Touch::Append);
    }
    for (letter, long) in [('c', "--cookie-jar"), ('D', "--dump-header")] {
        output(review, call, letter, &[long]);
    }
    if call.has("O", &["--remote-name"]) {
        review.add(&rule::WRITE_PLAIN);
        let names: Vec<String> = call
            .values()
            .filter(|value| value.contains("://"))
            .filter_map(|url| url.rsplit('/').next())
            .map(str::to_owned)
            .collect();
        for name in names {
            let path = place::normalise(&name, review.directory.as_deref());
            review.touch_path(&path, Touch::Overwrite);
        }
    }
    if call.has("N", &["--no-buffer"]) && !call.has("m", &["--max-time"]) && !call.is_time_limited() {
        review.add(&rule::STREAM);
    }
    if call.values().any(|value| value.starts_with("telnet://")) {
        review.add(&rule::INTERACTIVE);
    }
}

/// A letter in a short cluster, before any letter of curl's that takes a value.
fn cluster_has(value: &str, letters: &str) -> bool {
    const VALUED: &str = "AbcCDeEFhHKmoPQrtTuUwxXyYzd";
    let Some(cluster) = value.strip_prefix('-').filter(|cluster| !cluster.starts_with('-')) else { return false };
    for letter in cluster.chars() {
        if letters.contains(letter) {
            return true;
        }
        if VALUED.contains(letter) {
            return false;
        }
    }
    false
}

fn wget(review: &mut Review<'_>, call: &Call<'_>) {
    let sends = call.values().any(|value| {
        ["--post-file", "--post-data", "--body-file", "--body-data"].iter().any(|option| value.starts_with(option))
    });
    let method = call
        .option_text('\0', &["--method"])
        .is_some_and(|method| !matches!(method.to_ascii_uppercase().as_str(), "GET" | "HEAD"));
    if sends || method {
        review.add(&rule::SEND);
    }
    if call.values().any(|value| value.starts_with("--use-askpass")) || call.has("e", &["--execute"]) {
        review.add(&rule::FLAG_EXEC);
    }
    if call.has("b", &["--background"]) {
        review.add(&rule::BACKGROUND);
    }
    let document = call.values().find_map(|value| {
        value.strip_prefix("-qO").or_else(|| value.strip_prefix("-O")).filter(|rest| !rest.is_empty())
    });
    match document {
        Some("-") => {}
        Some(path) => {
            let path = place::normalise(path, review.directory.as_deref());
            review.touch_path(&path, Touch::Overwrite);
        }
        None => output(review, call, 'O', &["--output-document"]),
    }
    output(review, call, 'P', &["--directory-prefix"]);
    output(review, call, 'o', &["--output-file"]);
    if !call.has("O", &["--output-document", "--spider"]) {
        for name in call.values().filter(|value| !value.starts_with('-')).filter_map(|url| url.rsplit('/').next()) {
            let path = place::normalise(name, review.directory.as_deref());
            review.touch_path(&path, Touch::Overwrite);
        }
    }
}

fn netcat(review: &mut Review<'_>, call: &Call<'_>) {
    if call.has("ec", &["--exec", "--sh-exec", "--lua-exec"]) {
        review.add(&rule::REMOTE_SHELL);
        return;
    }
    if call.has("z", &[]) && !call.has("l", &["--listen"]) {
        return;
    }
    if call.has("l", &["--listen"]) {
        review.add(&rule::TUNNEL);
    }
    review.add(if call.reads_terminal() { &rule::INTERACTIVE } else { &rule::SEND });
}

fn socat(review: &mut Review<'_>, call: &Call<'_>) {
    let addresses: Vec<String> =
        call.values().filter(|value| !value.starts_with('-') || *value == "-").map(str::to_ascii_lowercase).collect();
    let runs = addresses
        .iter()
        .any(|address| address.starts_with("exec:") || address.starts_with("system:") || address.starts_with("shell:"));
    let peer = addresses.iter().any(|address| {
        ["tcp", "udp", "openssl", "ssl", "sctp", "socks", "proxy", "ip4", "ip6", "vsock"]
            .iter()
            .any(|kind| address.starts_with(kind))
    });
    if runs && peer {
        review.add(&rule::REMOTE_SHELL);
    } else if runs {
        review.add(&rule::FLAG_EXEC);
    } else {
        review.add(&rule::TUNNEL);
    }
}

/// `host:path`, not a local path.
fn is_remote(value: &str) -> bool {
    if value.contains("://") {
        return true;
    }
    match (value.find(':'), value.find('/')) {
        (Some(colon), Some(slash)) => colon < slash,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

fn runs_by_option(call: &Call<'_>) -> bool {
    let options = ["proxycommand", "localcommand", "permitlocalcommand", "knownhostscommand", "proxyusefdpass"];
    call.values().any(|value| {
        let value = value.strip_prefix("-o").unwrap_or(value).trim_start().to_ascii_lowercase();
        options.iter().any(|option| value.strip_prefix(option).is_some_and(|rest| rest.starts_with(['=', ' '])))
    })
}

fn secure_copy(review: &mut Review<'_>, call: &Call<'_>) {
    if call.has("SD", &[]) || runs_by_option(call) {
        review.add(&rule::FLAG_EXEC);
    }
    let operands = call.operands("cDFiJloPSX", &[]);
    if call.program == "sftp" {
        review.add(if call.has("b", &[]) { &rule::SEND } else { &rule::INTERACTIVE });
        return;
    }
    match operands.last().map(|word| word.value.as_deref()) {
        Some(Some(target)) if is_remote(target) => review.add(&rule::SEND),
        Some(Some(target)) => {
            let path = place::normalise(target, review.directory.as_deref());
            review.touch_path(&path, Touch::Overwrite);
        }
        _ => review.add(&rule::SEND),
    }
}

fn rsync(review: &mut Review<'_>, call: &Call<'_>) {
    let long = [
        "--rsh",
        "--rsync-path",
        "--exclude",
        "--include",
        "--filter",
        "--files-from",
        "--bwlimit",
        "--port",
        "--password-file",
        "--log-file",
        "--chmod",
        "--timeout",
        "--max-size",
        "--exclude-from",
        "--backup-dir",
        "--suffix",
        "--compare-dest",
        "--link-dest",
        "--out-format",
        "--info",
        "--partial-dir",
    ];
    let shell = call.option_text('e', &["--rsh"]);
    let unusual = shell.as_deref().is_some_and(|shell| {
        shell.split_whitespace().next().is_none_or(|program| !matches!(program, "ssh" | "/usr/bin/ssh" | "rsh"))
            || shell.to_ascii_lowercase().contains("command")
    });
    if unusual
        || call.values().any(|value| value.starts_with("--rsync-path") && (value.contains(' ') || value.contains(';')))
    {
        review.add(&rule::FLAG_EXEC);
    }
    if call.has("n", &["--dry-run"]) || call.has("", &["--list-only"]) {
        return;
    }
    let operands = call.operands("efBTM", &long);
    let deletes = call
        .values()
        .any(|value| (value.starts_with("--del") && value != "--delay-updates") || value == "--remove-source-files");
    if deletes {
        review.add(&rule::DELETE_PATH);
    }
    if call.has("", &["--daemon"]) {
        review.add(&rule::SERVICE);
    }
    if operands.len() < 2 {
        return;
    }
    let Some(target) = operands.last() else { return };
    match target.value.as_deref() {
        Some(value) if is_remote(value) => review.add(&rule::SEND),
        _ => {
            let directory = review.directory.clone();
            if deletes && place::reaches_root(target, directory.as_deref()) {
                review.add(&rule::DELETE_ROOT);
            }
            review.touch(target, Touch::Overwrite);
        }
    }
}

fn secure_shell(review: &mut Review<'_>, call: &Call<'_>) {
    if runs_by_option(call) {
        review.add(&rule::FLAG_EXEC);
    }
    if call.has_word(&["-V", "-G"]) || call.has("Q", &[]) {
        return;
    }
    let operands = call.operands("BbcDEeFIiJLlmOoPpQRSWw", &[]);
    let options: Vec<&str> = call
        .values()
        .take_while(|value| operands.first().is_none_or(|host| host.value.as_deref() != Some(*value)))
        .collect();
    let has = |letters: &str| {
        options.iter().any(|option| {
            option.starts_with('-') && option.chars().nth(1).is_some_and(|letter| letters.contains(letter))
        })
    };
    if call.option_text('F', &[]).is_some_and(|path| review.is_unreviewed(&path)) {
        review.add(&rule::FLAG_EXEC);
    }
    if has("RLDWw") {
        review.add(&rule::TUNNEL);
    }
    if has("N")
        || options.iter().any(|option| option.starts_with('-') && option.contains('N') && !option.starts_with("-o"))
    {
        review.add(&rule::STREAM);
    }
    if has("f") {
        review.add(&rule::BACKGROUND);
    }
    if operands.len() < 2 {
        review.add(if call.reads_terminal() { &rule::INTERACTIVE } else { &rule::OPAQUE });
    } else if matches!(call.invocation.standard_input, portcullis_plugin::policy::StandardInput::Pipe)
        || reads_file(call)
    {
        review.add(&rule::SEND);
    }
}
