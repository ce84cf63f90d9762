//! Git and its kin: work and history that would be lost, and options that run programs.

use crate::call::Call;
use crate::review::{Review, Touch};
use crate::rule;

pub fn judge<'a>(review: &mut Review<'a>, call: &Call<'a>) {
    match call.program {
        "git" => git(review, call),
        "svn" if matches!(call.verb(), "revert" | "delete" | "rm" | "remove" | "cleanup") => {
            review.add(&rule::VERSION_CONTROL)
        }
        "hg" if matches!(call.verb(), "strip" | "revert" | "purge" | "rollback" | "histedit" | "update")
            && (call.verb() != "update" || call.has("C", &["--clean"])) =>
        {
            review.add(&rule::VERSION_CONTROL)
        }
        "jj" if matches!(call.verb(), "abandon" | "undo" | "restore") => review.add(&rule::VERSION_CONTROL),
        "git-filter-repo" | "bfg" => review.add(&rule::VERSION_CONTROL),
        _ => {}
    }
}

const GLOBAL_VALUED: &[&str] =
    &["-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path", "--super-prefix", "--config-env"];

/// Configuration that names a program.
fn is_hook(setting: &str) -> bool {
    let key = setting.split('=').next().unwrap_or(setting).to_ascii_lowercase();
    let exact = [
        "core.pager",
        "core.editor",
        "core.sshcommand",
        "core.fsmonitor",
        "core.hookspath",
        "core.askpass",
        "core.gitproxy",
        "core.alternaterefscommand",
        "sequence.editor",
        "diff.external",
        "gpg.program",
        "ssh.variant",
        "web.browser",
        "include.path",
        "uploadpack.packobjectshook",
        "interactive.difffilter",
        "protocol.ext.allow",
        "protocol.allow",
        "sendemail.smtpserver",
        "init.templatedir",
        "core.attributesfile",
    ];
    let ends = [
        ".command",
        ".textconv",
        ".cmd",
        ".helper",
        ".clean",
        ".smudge",
        ".process",
        ".driver",
        ".program",
        ".path",
        ".uploadpack",
        ".receivepack",
        ".proxy",
        ".vcs",
        ".update",
    ];
    exact.contains(&key.as_str())
        || key.starts_with("alias.")
        || key.starts_with("pager.")
        || key.starts_with("includeif.")
        || ends.iter().any(|end| key.ends_with(end))
}

fn git(review: &mut Review<'_>, call: &Call<'_>) {
    let mut index = 0;
    while let Some(value) = call.value(index) {
        if !value.starts_with('-') {
            break;
        }
        let next = call.value(index + 1).unwrap_or("");
        let setting = match value {
            "-c" | "--config-env" => Some(next),
            _ => {
                value.strip_prefix("--config-env=").or_else(|| value.strip_prefix("-c").filter(|rest| !rest.is_empty()))
            }
        };
        let harmless = setting.is_some_and(|setting| {
            matches!(setting.split_once('=').map(|(_, value)| value), Some("cat" | "" | "true" | "false"))
                && !setting.to_ascii_lowercase().starts_with("alias.")
        });
        if setting.is_some_and(is_hook) && !harmless || value.starts_with("--exec-path=") {
            review.add(&rule::FLAG_EXEC);
        }
        index += 1 + usize::from(GLOBAL_VALUED.contains(&value));
    }
    let Some(verb) = call.value(index) else { return };
    let inner = Call { words: &call.words[index + 1..], ..*call };
    let executes = inner.values().any(|value| {
        value.starts_with("--upload-pack")
            || value.starts_with("--receive-pack")
            || value.starts_with("--open-files-in-pager")
            || value.starts_with("ext::")
            || value.starts_with("--extcmd")
    }) || (matches!(verb, "archive" | "push" | "fetch-pack" | "send-pack" | "rebase")
        && inner.values().any(|value| value.starts_with("--exec")))
        || (verb == "grep" && inner.has("O", &[]))
        || (matches!(verb, "clone" | "fetch" | "ls-remote" | "pull") && inner.has("u", &[]) && verb == "clone")
        || (verb == "rebase" && inner.has("x", &[]))
        || (verb == "difftool" && inner.has("x", &[]))
        || (verb == "clone" && inner.option_text('c', &["--config"]).is_some_and(|setting| is_hook(&setting)))
        || (verb == "clone" && inner.has("", &["--template"]));
    if executes {
        review.add(&rule::FLAG_EXEC);
    }
    if discards(verb, &inner) {
        review.add(&rule::VERSION_CONTROL);
    }
    if opens_editor(verb, &inner) {
        review.add(&rule::INTERACTIVE);
    }
    match verb {
        "config" => configuration(review, &inner),
        "clone" => clone(review, &inner),
        "send-email" | "imap-send" => review.add(&rule::SEND),
        "daemon" | "instaweb" => review.add(&rule::TUNNEL),
        "archive" | "format-patch" | "bundle" => {
            if let Some(path) = inner.option_text('o', &["--output", "--output-directory"]) {
                let path = crate::place::normalise(&path, review.directory.as_deref());
                review.touch_path(&path, Touch::Overwrite);
            }
        }
        "status" | "log" | "diff" | "show" => {
            if let Some(path) = inner.option_text('\0', &["--output"]) {
                let path = crate::place::normalise(&path, review.directory.as_deref());
                review.touch_path(&path, Touch::Overwrite);
            }
        }
        _ => {}
    }
}

/// What is fetched into a new directory has not been looked at, and the directory may be a system's.
fn clone(review: &mut Review<'_>, call: &Call<'_>) {
    let operands = call.operands("bcjou", &["--branch", "--depth", "--config", "--origin", "--reference", "--jobs"]);
    let value = |index: usize| operands.get(index).and_then(|word| word.value.as_deref());
    let Some(source) = value(0) else { return };
    let name = source.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or(source);
    let directory = value(1).unwrap_or(name.trim_end_matches(".git")).to_owned();
    let path = crate::place::normalise(&directory, review.directory.as_deref());
    review.touch_path(&path, Touch::Append);
}

fn discards(verb: &str, call: &Call<'_>) -> bool {
    let word = |index: usize| {
        call.operands("", &[]).get(index).and_then(|word| word.value.as_deref()).unwrap_or("").to_owned()
    };
    let dry = call.has("n", &["--dry-run"]);
    match verb {
        "clean" => !dry,
        "reset" => call.has("", &["--hard", "--merge", "--keep"]),
        "restore" => !call.has("S", &["--staged"]) || call.has("W", &["--worktree"]),
        "checkout" => {
            let makes_branch = call.has("bB", &["--orphan"]);
            let paths = call.has_word(&["--"])
                || call
                    .operands("", &[])
                    .iter()
                    .any(|word| matches!(word.value.as_deref(), Some("." | "*" | ":/" | ":")));
            let several = call.operands("", &["--conflict"]).len() > 1 && !call.has("t", &["--track", "--detach"]);
            call.has("fB", &["--force", "--ours", "--theirs"]) || (!makes_branch && (paths || several))
        }
        "switch" => call.has("fC", &["--force", "--discard-changes", "--force-create"]),
        "stash" => matches!(word(0).as_str(), "drop" | "clear"),
        "branch" => {
            call.has("DfMC", &["--force"])
                || (call.has("d", &["--delete"]) && call.has("f", &["--force"]))
                || call.has("d", &["--delete"]) && call.has("r", &["--remotes"])
        }
        "tag" => call.has("df", &["--delete", "--force"]),
        "push" => {
            !dry && (call.has(
                "fd",
                &["--force", "--force-with-lease", "--force-if-includes", "--delete", "--mirror", "--prune"],
            ) || call
                .operands("o", &["--repo", "--push-option"])
                .iter()
                .skip(1)
                .any(|word| word.value.as_deref().is_none_or(|value| value.starts_with(['+', ':']))))
        }
        "rm" => !(dry || call.has("", &["--cached"])),
        "reflog" => matches!(word(0).as_str(), "expire" | "delete"),
        "gc" => call.values().any(|value| value.starts_with("--prune")),
        "prune" => !dry,
        "filter-branch" | "filter-repo" | "replace" | "read-tree" => true,
        "update-ref" => call.has("d", &["--delete", "--stdin"]),
        "rebase" => !call.has("", &["--show-current-patch", "--continue", "--skip", "--quit"]),
        "worktree" => matches!(word(0).as_str(), "remove" | "prune") && !dry,
        "submodule" => word(0) == "deinit",
        "notes" => matches!(word(0).as_str(), "remove" | "prune"),
        "remote" => matches!(word(0).as_str(), "remove" | "rm" | "prune") && !dry,
        "merge" | "cherry-pick" | "revert" | "am" => call.has("", &["--abort"]),
        "lfs" => word(0) == "prune" && !dry,
        "svn" => word(0) == "reset",
        "checkout-index" => call.has("f", &["--force"]),
        "symbolic-ref" => call.operands("m", &[]).len() > 1 || call.has("d", &["--delete"]),
        _ => false,
    }
}

fn opens_editor(verb: &str, call: &Call<'_>) -> bool {
    match verb {
        "commit" => {
            let message = call.has(
                "mFCt",
                &[
                    "--message",
                    "--file",
                    "--no-edit",
                    "--fixup",
                    "--squash",
                    "--reuse-message",
                    "--dry-run",
                    "--short",
                    "--porcelain",
                ],
            );
            !message
                || call.has("p", &["--patch", "--interactive"]) && !call.has("m", &[])
                || call.has("ec", &["--edit", "--reedit-message"]) && !call.has("m", &["--message"])
        }
        "rebase" => call.has("i", &["--interactive", "--edit-todo"]),
        "add" | "stage" => call.has("pei", &["--patch", "--edit", "--interactive"]),
        "stash" => matches!(call.verb(), "" | "push" | "save") && call.has("p", &["--patch"]),
        "checkout" | "reset" | "restore" => call.has("p", &["--patch"]),
        "clean" => call.has("i", &["--interactive"]),
        "revert" => !call.has("n", &["--no-edit", "--no-commit", "--abort", "--continue", "--quit"]),
        "tag" => call.has("asu", &["--annotate", "--sign"]) && !call.has("mF", &["--message", "--file"]),
        "notes" => call.verb() == "edit" || (call.verb() == "add" && !call.has("mF", &["--message"])),
        "config" => call.has("e", &["--edit"]) || call.verb() == "edit",
        "merge" | "cherry-pick" => call.has("e", &["--edit"]) && !call.has("m", &["--no-edit"]),
        "branch" => call.has("", &["--edit-description"]),
        "gui" | "citool" | "mergetool" | "difftool" | "instaweb" => {
            !call.has("y", &["--no-prompt", "--tool-help"]) || verb != "difftool"
        }
        "credential" => call.reads_terminal(),
        "hash-object" | "mktree" | "apply" | "am" | "fast-import" => {
            call.reads_terminal()
                && (call.has("", &["--stdin"])
                    || (call.operands("", &[]).is_empty()
                        && !call.has("", &["--abort", "--continue", "--skip", "--show-current-patch", "--quit"])))
        }
        _ => false,
    }
}

fn configuration(review: &mut Review<'_>, call: &Call<'_>) {
    let reads = call
        .has("l", &["--get", "--list", "--get-all", "--get-regexp", "--show-origin", "--get-urlmatch", "--name-only"])
        || matches!(call.verb(), "get" | "list");
    if reads {
        return;
    }
    let operands = call.operands("f", &["--file", "--blob", "--type"]);
    let key = operands.iter().filter_map(|word| word.value.as_deref()).find(|value| value.contains('.')).unwrap_or("");
    let value = operands.last().and_then(|word| word.value.as_deref()).unwrap_or("");
    if operands.len() > 1 && is_hook(key) && !matches!(value, "cat" | "true" | "false") {
        review.add(&rule::ENVIRONMENT);
    }
    if call.has("", &["--system"]) {
        review.add(&rule::WRITE_PROTECTED);
    }
    if operands.len() > 1 {
        review.add(&rule::WRITE_PLAIN);
    }
}
