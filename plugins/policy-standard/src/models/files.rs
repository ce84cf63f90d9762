//! Programs that delete, write, move or change files.

use portcullis_plugin::policy::Word;

use crate::call::Call;
use crate::place::{self, Target};
use crate::review::{Review, Touch};
use crate::rule;

pub fn judge<'a>(review: &mut Review<'a>, call: &Call<'a>) {
    match call.program {
        "rm" | "unlink" | "grm" => remove(review, call),
        "shred" | "srm" | "wipe" => erase(review, call),
        "rmdir" => remove_directories(review, call),
        "find" | "gfind" => find(review, call),
        "mv" | "gmv" => move_files(review, call),
        "cp" | "gcp" | "install" => copy(review, call),
        "ln" => link(review, call),
        "dd" => convert(review, call),
        "tee" => {
            let touch = if call.has("a", &["--append"]) { Touch::Append } else { Touch::Overwrite };
            if touch == Touch::Overwrite && reads_nothing(call) && !call.operands("", &[]).is_empty() {
                review.add(&rule::TRUNCATE);
            }
            each(review, &call.operands("", &[]), touch);
        }
        "sponge" => each(review, &call.operands("", &[]), Touch::Overwrite),
        "mknod" if call.has_word(&["b", "c", "u"]) => review.add(&rule::PRIVILEGE),
        "touch" | "mkdir" | "mkfifo" | "mknod" => {
            each(review, &call.operands("mdrt", &["--mode", "--date", "--reference"]), Touch::Append)
        }
        "truncate" => truncate(review, call),
        "chmod" => change_mode(review, call),
        "chown" | "chgrp" | "setfacl" | "chattr" => change_owner(review, call),
        "fallocate" => each(review, &call.operands("lo", &["--length", "--offset"]), Touch::Overwrite),
        "split" | "csplit" if call.has("", &["--filter"]) => review.add(&rule::FLAG_EXEC),
        "split" => each(review, call.operands("abCnlt", &[]).get(1..).unwrap_or(&[]), Touch::Append),
        "gio" if matches!(call.verb(), "trash" | "remove") => review.add(&rule::DELETE_PATH),
        "sort" => output_option(review, call, 'o', &["--output"]),
        "tar" | "bsdtar" | "gtar" => archive(review, call),
        "unzip" => {
            if !call.has("lptvzZ", &[]) {
                review.fetches(call.option_text('d', &[]).as_deref());
            }
            output_option(review, call, 'd', &[]);
        }
        "7z" | "7za" | "7zz" => {
            if call.has_word(&["-sdel"]) || call.verb() == "d" {
                review.add(&rule::DELETE_PATH);
            }
            for value in call.values().filter_map(|value| value.strip_prefix("-o")) {
                touch_text(review, value, Touch::Append);
            }
        }
        "zip" => zip(review, call),
        "cpio" if call.has("ipF", &["--extract", "--pass-through", "--file"]) => review.add(&rule::WRITE_PLAIN),
        "patch" if !call.has("", &["--dry-run"]) => review.add(&rule::IN_PLACE),
        "openssl" => {
            if let Some(position) = call.values().position(|value| value == "-out") {
                each(review, &call.words.get(position + 1).into_iter().collect::<Vec<_>>(), Touch::Overwrite);
            }
        }
        "gpg" => output_option(review, call, 'o', &["--output"]),
        "gcc" | "cc" | "g++" | "clang" | "ld" | "go" | "rustc" => output_option(review, call, 'o', &[]),
        "xxd" => {
            if let Some(word) = call.operands("clgosnR", &[]).get(1) {
                review.touch(word, Touch::Overwrite);
            }
        }
        "uniq" => {
            if let Some(word) = call.operands("fsw", &[]).get(1) {
                review.touch(word, Touch::Overwrite);
            }
        }
        "logger" | "gzip" | "gunzip" | "bzip2" | "xz" | "zstd" => review.add(&rule::WRITE_PLAIN),
        _ => {}
    }
}

fn each(review: &mut Review<'_>, words: &[&Word], touch: Touch) {
    for word in words {
        review.touch(word, touch);
    }
}

fn touch_text(review: &mut Review<'_>, path: &str, touch: Touch) {
    let path = place::normalise(path, review.directory.as_deref());
    review.touch_path(&path, touch);
}

fn output_option(review: &mut Review<'_>, call: &Call<'_>, letter: char, long: &[&str]) {
    if let Some(path) = call.option_text(letter, long) {
        touch_text(review, &path, Touch::Overwrite);
    } else if let Some(word) = call.option(letter, long) {
        review.touch(word, Touch::Overwrite);
    }
}

/// Programs that run a command on what they find below a directory.
const SEARCHES: &[&str] = &["find", "gfind", "fd", "fdfind"];

fn remove(review: &mut Review<'_>, call: &Call<'_>) {
    let operands = call.operands("", &[]);
    // These give their starting points; the words below them are deleted one by one.
    let recursive = call.has("rR", &["--recursive"]) || call.is_within(SEARCHES);
    let directory = review.directory.clone();
    let directory = directory.as_deref();
    if appended_from_root(review, call) {
        review.add(&rule::DELETE_ROOT);
    }
    if call.has("", &["--no-preserve-root"])
        || (recursive && operands.iter().any(|word| place::reaches_root(word, directory)))
    {
        review.add(&rule::DELETE_ROOT);
    }
    for word in &operands {
        removed(review, word);
    }
    let appended = call
        .invocation
        .wrappers
        .iter()
        .any(|wrapper| matches!(wrapper.as_str(), "xargs" | "find" | "fd" | "parallel" | "fdfind"));
    let all_scratch = !operands.is_empty() && operands.iter().all(|word| is_named_scratch_file(word));
    let flags_are_known = !call.has("rRd", &["--recursive", "--dir"]);
    if all_scratch && flags_are_known && !appended {
        review.add(&rule::DELETE_SCRATCH);
    } else if !operands.is_empty() || appended {
        review.add(&rule::DELETE_PATH);
    }
}

/// `find / … | xargs rm`: the names come from a search of a root.
fn appended_from_root(review: &Review<'_>, call: &Call<'_>) -> bool {
    call.is_within(&["xargs", "gxargs", "parallel"])
        && review.earlier_stages(call.invocation).iter().any(|producer| {
            let words = match producer.program {
                "find" | "gfind" => find_roots(producer),
                // The names of `ls -d` and of these are whole paths.
                "ls" if producer.has("d", &["--directory"]) => producer.operands("", &[]),
                "fd" | "fdfind" | "printf" | "echo" | "realpath" | "readlink" => producer.operands("", &[]),
                _ => Vec::new(),
            };
            words.iter().any(|word| place::reaches_root(word, review.directory.as_deref()))
        })
}

fn find_roots<'a>(call: &Call<'a>) -> Vec<&'a Word> {
    call.words
        .iter()
        .filter(|word| !matches!(word.value.as_deref(), Some("-H" | "-L" | "-P")))
        .take_while(|word| !word.value.as_deref().is_some_and(|value| value.starts_with(['-', '(', '!', ','])))
        .collect()
}

/// A critical file or device node that goes away.
fn removed(review: &mut Review<'_>, word: &Word) {
    let Some(value) = word.value.as_deref() else { return };
    let path = place::normalise(value, review.directory.as_deref());
    if place::target(&path) == Target::Critical {
        review.add(&rule::CRITICAL_FILE);
    }
}

/// Written out in full, strictly inside /tmp or /var/tmp, nothing for the shell to expand.
fn is_named_scratch_file(word: &Word) -> bool {
    let Some(value) = word.value.as_deref() else { return false };
    let literal = !word.glob && !word.text.contains(['$', '`', '{', '*', '?', '[']);
    let inside = ["/tmp/", "/var/tmp/"].iter().any(|directory| value.starts_with(directory))
        && !value.split('/').any(|part| part == "..");
    literal && inside && !value.ends_with('/') && place::is_scratch(&place::normalise(value, None))
}

fn erase(review: &mut Review<'_>, call: &Call<'_>) {
    for word in call.operands("ns", &["--iterations", "--size"]) {
        let Some(value) = word.value.as_deref() else { continue };
        let path = place::normalise(value, review.directory.as_deref());
        match place::target(&path) {
            Target::BlockDevice => review.add(&rule::DEVICE_WRITE),
            Target::Critical => review.add(&rule::CRITICAL_FILE),
            _ => {}
        }
    }
}

fn remove_directories(review: &mut Review<'_>, call: &Call<'_>) {
    each(review, &call.operands("", &[]), Touch::Remove);
}

fn find(review: &mut Review<'_>, call: &Call<'_>) {
    let roots = find_roots(call);
    if call.has_word(&["-delete"]) {
        let directory = review.directory.clone();
        let from_here = roots.is_empty() && directory.as_deref().is_some_and(place::is_root);
        if from_here || roots.iter().any(|word| place::reaches_root(word, directory.as_deref())) {
            review.add(&rule::DELETE_ROOT);
        }
        review.add(&rule::DELETE_PATH);
    }
    if call.has_word(&["-ok", "-okdir"]) {
        review.add(&rule::INTERACTIVE);
    }
    let words: Vec<&Word> = call.words.iter().collect();
    for pair in words.windows(2) {
        if matches!(pair[0].value.as_deref(), Some("-fprint" | "-fprint0" | "-fls" | "-fprintf")) {
            review.touch(pair[1], Touch::Overwrite);
        }
    }
}

/// Sources and destination of `cp`, `mv`, `ln`, `install`.
fn sources_and_target<'a>(call: &Call<'a>, valued: &str) -> (Vec<&'a Word>, Option<String>, Option<&'a Word>) {
    let mut operands = call.operands(valued, &["--target-directory", "--suffix", "--mode", "--owner", "--group"]);
    if let Some(directory) = call.option_text('t', &["--target-directory"]) {
        return (operands, Some(directory), None);
    }
    // What `xargs` appends may be nothing at all.
    if call.is_within(&["xargs", "gxargs"])
        && operands.len() > 2
        && operands.last().is_some_and(|word| word.value.is_none())
    {
        operands.pop();
    }
    let target = if operands.len() > 1 { operands.pop() } else { None };
    (operands, None, target)
}

fn destination(review: &mut Review<'_>, sources: &[&Word], directory: Option<&str>, target: Option<&Word>) {
    if let Some(directory) = directory {
        touch_text(review, directory, Touch::Append);
    }
    let Some(target) = target else { return };
    review.touch(target, Touch::Overwrite);
    // Into a directory the file keeps its name.
    let Some(value) = target.value.as_deref() else { return };
    for source in sources.iter().filter_map(|word| word.value.as_deref()) {
        let name = source.trim_end_matches('/').rsplit('/').next().unwrap_or(source);
        let path = place::normalise(&format!("{value}/{name}"), review.directory.as_deref());
        if place::target(&path) == Target::Critical
            && place::is_root(&place::normalise(value, review.directory.as_deref()))
        {
            review.add(&rule::CRITICAL_FILE);
        }
    }
}

fn move_files(review: &mut Review<'_>, call: &Call<'_>) {
    let (sources, directory, target) = sources_and_target(call, "tS");
    if target.is_some_and(|word| word.value.as_deref() == Some("/dev/null")) {
        review.add(&rule::DELETE_PATH);
    }
    for word in &sources {
        let Some(value) = word.value.as_deref() else { continue };
        let path = place::normalise(value, review.directory.as_deref());
        let everything = word.glob && place::reaches_root(word, review.directory.as_deref());
        match place::target(&path) {
            _ if path == "/" || place::is_system_directory(&path) || everything => review.add(&rule::CRITICAL_FILE),
            Target::Critical => review.add(&rule::CRITICAL_FILE),
            Target::Protected => review.add(&rule::WRITE_PROTECTED),
            _ => {}
        }
    }
    destination(review, &sources, directory.as_deref(), target);
}

fn copy(review: &mut Review<'_>, call: &Call<'_>) {
    let valued = if call.program == "install" { "tSmog" } else { "tS" };
    if call.program == "install" && call.has("d", &["--directory"]) {
        each(review, &call.operands("mog", &["--mode", "--owner", "--group"]), Touch::Append);
        return;
    }
    let (sources, directory, target) = sources_and_target(call, valued);
    if sources.iter().any(|word| word.value.as_deref() == Some("/dev/null")) {
        review.add(&rule::TRUNCATE);
    }
    if call.program == "install" && call.option_text('m', &["--mode"]).is_some_and(|mode| widens(&mode)) {
        review.add(&rule::PRIVILEGE);
    }
    destination(review, &sources, directory.as_deref(), target);
}

fn link(review: &mut Review<'_>, call: &Call<'_>) {
    let (sources, directory, target) = sources_and_target(call, "tS");
    let name = target.and_then(|word| word.value.as_deref()).unwrap_or("");
    if name.ends_with("history") && sources.iter().any(|word| word.value.as_deref() == Some("/dev/null")) {
        review.add(&rule::HISTORY);
    }
    destination(review, &[], directory.as_deref(), target);
}

fn convert(review: &mut Review<'_>, call: &Call<'_>) {
    if call.has_word(&["if=/dev/null"]) && call.values().any(|value| value.starts_with("of=")) {
        review.add(&rule::TRUNCATE);
    }
    for word in call.words {
        let output = match word.value.as_deref() {
            Some(value) => value.strip_prefix("of="),
            None if word.text.trim_start_matches(['"', '\'']).starts_with("of=") => {
                review.add(&rule::WRITE_UNKNOWN);
                None
            }
            None => None,
        };
        if let Some(path) = output {
            touch_text(review, path, Touch::Overwrite);
        }
    }
}

fn truncate(review: &mut Review<'_>, call: &Call<'_>) {
    let grows = call.option_text('s', &["--size"]).is_some_and(|size| size.starts_with('+') || size.starts_with('>'));
    each(review, &call.operands("sr", &["--size", "--reference"]), Touch::Overwrite);
    if !grows {
        review.add(&rule::TRUNCATE);
    }
}

/// Set-id and sticky bits, or writing for everybody.
fn widens(mode: &str) -> bool {
    if mode.chars().all(|character| character.is_digit(8)) {
        let digits = mode.trim_start_matches('0');
        let special = digits.len() > 3 && !digits.starts_with('1');
        let others_write = mode.chars().last().and_then(|digit| digit.to_digit(8)).is_some_and(|digit| digit & 2 != 0);
        return special || others_write;
    }
    mode.split(',').any(|clause| {
        let (who, what) = clause.split_once(['+', '=']).unwrap_or((clause, ""));
        let everybody = who.contains(['o', 'a']);
        what.contains('s') || (everybody && what.contains('w'))
    })
}

fn change_mode(review: &mut Review<'_>, call: &Call<'_>) {
    // A mode may begin with a dash: `chmod -w file`.
    let is_option = |value: &str| {
        value.starts_with("--") || (value.starts_with('-') && value[1..].chars().all(|letter| "Rvcf".contains(letter)))
    };
    let mut operands: Vec<&Word> =
        call.words.iter().filter(|word| !word.value.as_deref().is_some_and(is_option)).collect();
    let referenced = call.has("", &["--reference"]);
    let mode = if referenced || operands.is_empty() { None } else { Some(operands.remove(0)) };
    match mode.map(|word| word.value.as_deref()) {
        Some(Some(mode)) if widens(mode) => review.add(&rule::PRIVILEGE),
        Some(None) => review.add(&rule::PRIVILEGE),
        _ => {}
    }
    recursive_change(review, call, &operands);
    each(review, &operands, Touch::Append);
}

fn recursive_change(review: &mut Review<'_>, call: &Call<'_>, operands: &[&Word]) {
    let recursive = call.has("R", &["--recursive"]) || call.is_within(SEARCHES);
    let directory = review.directory.clone();
    if appended_from_root(review, call) {
        review.add(&rule::CRITICAL_FILE);
    }
    if recursive && operands.iter().any(|word| place::reaches_root(word, directory.as_deref())) {
        review.add(&rule::CRITICAL_FILE);
    }
}

fn change_owner(review: &mut Review<'_>, call: &Call<'_>) {
    let operands = call.operands("", &["--from", "--reference"]);
    recursive_change(review, call, operands.get(1..).unwrap_or(&[]));
}

/// Standard input is /dev/null.
fn reads_nothing(call: &Call<'_>) -> bool {
    call.invocation
        .redirections
        .iter()
        .any(|redirection| redirection.operator == "<" && redirection.target.value.as_deref() == Some("/dev/null"))
}

fn archive(review: &mut Review<'_>, call: &Call<'_>) {
    let runs = [
        "checkpoint-action",
        "to-command",
        "use-compress-program",
        "rsh-command",
        "info-script",
        "new-volume-script",
        "rmt-command",
    ];
    for value in call.values() {
        let name = value.strip_prefix("--").map(|long| long.split('=').next().unwrap_or(long)).unwrap_or("");
        if name.len() >= 4 && runs.iter().any(|option| option.starts_with(name)) {
            let program = value.split_once('=').map(|(_, program)| program).unwrap_or("");
            let compressor = matches!(
                program.split(' ').next(),
                Some("gzip" | "pigz" | "bzip2" | "pbzip2" | "xz" | "pixz" | "zstd" | "lz4")
            );
            if !(program.starts_with("dot") || (name.starts_with("use") && compressor)) {
                review.add(&rule::FLAG_EXEC);
            }
        }
    }
    if call.has("F", &[])
        || call.option_text('I', &[]).is_some_and(|program| {
            !matches!(program.split(' ').next(), Some("gzip" | "pigz" | "bzip2" | "xz" | "zstd" | "lz4" | "pixz"))
        })
    {
        review.add(&rule::FLAG_EXEC);
    }
    if call.has("", &["--remove-files"]) {
        review.add(&rule::DELETE_PATH);
    }
    let bundled = call.value(0).unwrap_or("").trim_start_matches('-');
    let mode = |letter: char, long: &str| {
        (!call.value(0).unwrap_or("").starts_with("--") && bundled.contains(letter))
            || call.has(&letter.to_string(), &[long])
    };
    if mode('x', "--extract") || call.has("", &["--get"]) {
        review.add(&rule::WRITE_PLAIN);
        let to_output = call.has("O", &["--to-stdout"]) || bundled.contains('O');
        if !to_output {
            review.fetches(call.option_text('C', &["--directory"]).as_deref());
        }
        if call.has("P", &["--absolute-names"]) {
            review.add(&rule::WRITE_PROTECTED);
        }
        output_option(review, call, 'C', &["--directory"]);
    } else if mode('c', "--create") || mode('r', "--append") || mode('u', "--update") {
        output_option(review, call, 'f', &["--file"]);
    }
}

fn zip(review: &mut Review<'_>, call: &Call<'_>) {
    if call.has_word(&["-TT", "--unzip-command"]) || call.values().any(|value| value.starts_with("--unzip-command=")) {
        review.add(&rule::FLAG_EXEC);
    }
    if call.has("m", &["--move"]) {
        review.add(&rule::DELETE_PATH);
    }
    if let Some(word) = call.operands("xibnt", &[]).first() {
        review.touch(word, Touch::Overwrite);
    }
}
