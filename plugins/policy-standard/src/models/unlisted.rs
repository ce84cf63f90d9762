//! Programs without a model: what their words give away.

use crate::call::Call;
use crate::models;
use crate::reading;
use crate::review::Review;
use crate::rule;

/// Words of an unlisted program that may begin a command.
const MAX_WRAPPED: usize = 16;
/// Words of such a command that are looked at.
const MAX_WORDS: usize = 32;
/// Commands looked for in one call.
const MAX_COMMANDS: usize = 3;
/// How the names of programs that can do something extreme begin.
const STARTS_EXTREME: &[&str] = &[
    "rm",
    "mkfs",
    "mke2fs",
    "dd",
    "wipefs",
    "shred",
    "chmod",
    "chown",
    "chgrp",
    "kill",
    "find",
    "blkdiscard",
    "sgdisk",
    "sfdisk",
    "fdisk",
    "parted",
    "lvremove",
    "vgremove",
    "pvremove",
    "zpool",
    "mdadm",
    "cryptsetup",
    "mv",
    "tee",
    "truncate",
    "cp",
    "nc",
    "install",
    "ln",
    "socat",
    "setfacl",
    "chattr",
    "sponge",
];
/// Programs that only show the words they are given.
const PRINTS_ITS_WORDS: &[&str] =
    &["figlet", "toilet", "cowsay", "cowthink", "banner", "notify-send", "say", "espeak", "logger", "tldr", "cheat"];
/// Builders, package tools and the like of a project, whose verbs are about the project.
const PROJECT: &[&str] = &[
    "yarn",
    "pnpm",
    "pip3",
    "pipx",
    "poetry",
    "uv",
    "pdm",
    "rye",
    "hatch",
    "tox",
    "nox",
    "pytest",
    "composer",
    "gem",
    "rake",
    "rails",
    "mix",
    "gradle",
    "gradlew",
    "mvn",
    "mvnw",
    "sbt",
    "lein",
    "dotnet",
    "cmake",
    "ninja",
    "meson",
    "bazel",
    "just",
    "task",
    "invoke",
    "lerna",
    "nx",
    "turbo",
    "grunt",
    "gulp",
    "ng",
    "vue",
    "expo",
    "flutter",
    "dart",
    "swift",
    "zig",
    "stack",
    "cabal",
    "opam",
    "bundle",
    "pre-commit",
    "jj",
    "hg",
    "svn",
    "todo",
    "task",
    "pass",
    "taskwarrior",
    "nvm",
    "rustup",
    "asdf",
    "mise",
    "code",
    "dbt",
    "alembic",
    "flask",
    "django-admin",
    "artisan",
];
/// Verbs that take something away, wherever they stand.
const DESTROYS: &[&str] = &[
    "delete",
    "destroy",
    "remove",
    "rm",
    "purge",
    "forget",
    "terminate",
    "undefine",
    "unregister",
    "unregistervm",
    "uninstall",
    "wipe",
    "zap",
    "erase",
    "reset",
    "poweroff",
    "reboot",
    "shutdown",
    "halt",
    "stop",
    "stopp",
    "kill",
    "drop",
    "prune",
    "revoke",
    "teardown",
    "evict",
    "gc",
    "disable",
    "drain",
];
/// Verbs that change a device named beside them.
const CHANGES_DEVICE: &[&str] = &[
    "zap",
    "wipe",
    "erase",
    "write",
    "format",
    "make",
    "create",
    "init",
    "eraseDisk",
    "erasedisk",
    "eraseVolume",
    "partitionDisk",
    "zeroDisk",
    "secureErase",
    "prepare",
    "restore",
    "resize",
];

/// `Verb-Noun`, as PowerShell names its commands, with a verb that does more than look.
fn is_changing_cmdlet(program: &str) -> bool {
    const LOOKS: &[&str] = &[
        "Get",
        "Test",
        "Select",
        "Where",
        "Measure",
        "Sort",
        "Compare",
        "Find",
        "Show",
        "ConvertTo",
        "ConvertFrom",
        "Format",
        "Resolve",
        "Join",
        "Split",
        "Group",
        "Search",
    ];
    let Some((verb, noun)) = program.split_once('-') else { return false };
    let is_name = |part: &str| {
        part.starts_with(|letter: char| letter.is_ascii_uppercase())
            && part.bytes().all(|byte| byte.is_ascii_alphabetic())
    };
    is_name(verb) && is_name(noun) && !LOOKS.contains(&verb) && !program.starts_with("Write-")
        || matches!(program, "Format-Volume")
}

/// Judges `call` once the models have had their say since `known`.
pub fn judge<'a>(review: &mut Review<'a>, call: &Call<'a>, known: usize) {
    if reading::is_ordinary_command(call.program) || PRINTS_ITS_WORDS.contains(&call.program) {
        return;
    }
    behind_an_unknown_wrapper(review, call);
    if is_changing_cmdlet(call.program) {
        review.add(&rule::UNRESOLVED);
    }
    let path = call.invocation.argv.first().and_then(|word| word.value.as_deref()).unwrap_or("");
    let of_project = path.contains('/') || PROJECT.contains(&call.program) || call.has("", &["--dry-run", "--check"]);
    if of_project || review.count() > known {
        return;
    }
    let operands = call.operands("", &[]);
    let values = || operands.iter().filter_map(|word| word.value.as_deref());
    let device = values().any(crate::place::is_block_device);
    if device && values().any(|value| CHANGES_DEVICE.contains(&value)) {
        review.add(&rule::DEVICE_WRITE);
    }
    // `sites:delete`, `vm.destroy` and `instance-delete` name the verb last.
    let last_part = |value: &str| value.rsplit([':', '.', '-']).next().is_some_and(|verb| DESTROYS.contains(&verb));
    let destroys = values()
        .take(3)
        .enumerate()
        .any(|(index, value)| DESTROYS.contains(&value) || (index < 2 && !value.contains('/') && last_part(value)));
    let asks = values().take(2).any(|value| matches!(value, "list" | "ls" | "show" | "get" | "status" | "help"));
    if destroys && !asks {
        review.add(&rule::CLOUD);
    }
}

/// `unlisted rm -rf /`: whatever the program is, words that would be extreme as a command of their
/// own are taken for one.
fn behind_an_unknown_wrapper<'a>(review: &mut Review<'a>, call: &Call<'a>) {
    let known = review.count();
    let mut looked_at = 0;
    for start in 0..call.words.len().min(MAX_WRAPPED) {
        let Some(path) = call.words[start].value.as_deref() else { continue };
        let program = path.rsplit('/').next().unwrap_or(path);
        if !STARTS_EXTREME.iter().any(|name| program.starts_with(name)) {
            continue;
        }
        looked_at += 1;
        if looked_at > MAX_COMMANDS {
            return;
        }
        let words = &call.words[start + 1..];
        models::judge(review, &Call { program, words: &words[..words.len().min(MAX_WORDS)], ..*call });
        if review.is_extreme_since(known) {
            return;
        }
        review.forget_since(known);
    }
}
