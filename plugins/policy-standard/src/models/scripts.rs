//! The little languages of `sed` and `awk`: which of their commands write or run something.

use portcullis_plugin::policy::{StandardInput, Word};

use crate::call::Call;
use crate::place;
use crate::review::{Review, Touch};
use crate::rule;

pub fn judge<'a>(review: &mut Review<'a>, call: &Call<'a>) {
    match call.program {
        "sed" | "gsed" => sed(review, call),
        "awk" | "gawk" | "mawk" | "nawk" | "original-awk" | "busybox-awk" => awk(review, call),
        _ => {}
    }
}

/// Scripts given with `-e` or `--expression`, or else the first operand.
fn sed(review: &mut Review<'_>, call: &Call<'_>) {
    let in_place = call
        .values()
        .take_while(|value| *value != "--")
        .any(|value| is_in_place(value) || short_cluster_has(value, 'i', "efl"));
    if in_place {
        review.add(&rule::IN_PLACE);
        for word in call.operands("efl", &["--expression", "--file"]).iter().skip(1) {
            if let Some(value) = word.value.as_deref() {
                let path = place::normalise(value, review.directory.as_deref());
                if !matches!(place::target(&path), place::Target::Plain | place::Target::Scratch) {
                    review.touch_path(&path, Touch::Append);
                }
            }
        }
    }
    let mut scripts: Vec<Option<&Word>> = Vec::new();
    let mut words = call.words.iter();
    let mut has_file = false;
    while let Some(word) = words.next() {
        match word.value.as_deref() {
            Some("-e" | "--expression" | "-ne" | "-Ee" | "-re" | "-nEe") => scripts.push(words.next()),
            Some("-f" | "--file") => {
                has_file = true;
                let path = words.next().and_then(|word| word.value.as_deref());
                sed_script_in(review, call, path);
            }
            Some(value) if value.starts_with("--file=") => {
                has_file = true;
                sed_script_in(review, call, value.strip_prefix("--file="));
            }
            Some(value) if value.starts_with("--expression=") => {
                sed_script(review, value.trim_start_matches("--expression="));
                has_file = true;
            }
            _ => {}
        }
    }
    if scripts.is_empty() && !has_file {
        scripts.push(call.operands("l", &[]).first().copied());
    }
    for script in scripts.into_iter().flatten() {
        match script.value.as_deref() {
            Some(text) => sed_script(review, text),
            // A variable inside a script is data as long as the script's commands are written out.
            None if script.text.trim_start_matches(['"', '\'']).starts_with('$') => review.add(&rule::OPAQUE),
            None => sed_script(review, script.text.trim_matches(['"', '\''])),
        }
    }
}

/// A script in a file: of the project, given on the line, or seen by nobody.
fn sed_script_in(review: &mut Review<'_>, call: &Call<'_>, path: Option<&str>) {
    match path {
        Some(path) if place::is_standard_input(path) => match call.input_text() {
            Some(text) => sed_script(review, text),
            None => review.add(&rule::OPAQUE),
        },
        Some(path) if !review.is_unreviewed(path) => {}
        _ => review.add(&rule::OPAQUE),
    }
}

/// `--in-place[=SUFFIX]`, also abbreviated.
fn is_in_place(value: &str) -> bool {
    let name = value.split('=').next().unwrap_or(value);
    name.len() > 3 && "--in-place".starts_with(name)
}

fn short_cluster_has(value: &str, letter: char, valued: &str) -> bool {
    let Some(cluster) = value.strip_prefix('-').filter(|cluster| !cluster.starts_with('-')) else { return false };
    for candidate in cluster.chars() {
        if candidate == letter {
            return true;
        }
        if valued.contains(candidate) {
            return false;
        }
    }
    false
}

/// Reads a sed script command by command.
fn sed_script(review: &mut Review<'_>, script: &str) {
    let characters: Vec<char> = script.chars().collect();
    let mut at = 0;
    while at < characters.len() {
        at = skip_addresses(&characters, at);
        let Some(&command) = characters.get(at) else { return };
        at += 1;
        match command {
            's' => {
                let Some(&delimiter) = characters.get(at) else { return };
                at = skip_delimited(&characters, at + 1, delimiter);
                at = skip_delimited(&characters, at, delimiter);
                while let Some(&flag) = characters.get(at) {
                    match flag {
                        'e' => review.add(&rule::FLAG_EXEC),
                        'w' => {
                            at = sed_file(review, &characters, at + 1);
                            break;
                        }
                        ';' | '\n' | '}' | ' ' => break,
                        _ => {}
                    }
                    at += 1;
                }
            }
            'y' => {
                let Some(&delimiter) = characters.get(at) else { return };
                at = skip_delimited(&characters, at + 1, delimiter);
                at = skip_delimited(&characters, at, delimiter);
            }
            'w' | 'W' => at = sed_file(review, &characters, at),
            'e' => {
                review.add(&rule::FLAG_EXEC);
                at = line_end(&characters, at);
            }
            'a' | 'i' | 'c' | 'r' | 'R' | '#' => at = line_end(&characters, at),
            'b' | 't' | 'T' | ':' => {
                while characters.get(at).is_some_and(|character| !matches!(character, ';' | '\n' | '}')) {
                    at += 1;
                }
            }
            _ => {}
        }
    }
}

fn line_end(characters: &[char], start: usize) -> usize {
    characters[start..]
        .iter()
        .position(|character| *character == '\n')
        .map_or(characters.len(), |offset| start + offset + 1)
}

fn sed_file(review: &mut Review<'_>, characters: &[char], start: usize) -> usize {
    let end = line_end(characters, start);
    let name: String = characters[start..end].iter().collect();
    let path = place::normalise(name.trim(), review.directory.as_deref());
    review.touch_path(&path, Touch::Overwrite);
    end
}

/// Past an unescaped `delimiter`; brackets hide it.
fn skip_delimited(characters: &[char], start: usize, delimiter: char) -> usize {
    let mut at = start;
    let mut in_set = false;
    while let Some(&character) = characters.get(at) {
        at += 1;
        match character {
            '\\' => at += 1,
            '[' => in_set = true,
            ']' => in_set = false,
            _ if character == delimiter && !in_set => return at,
            _ if character == delimiter && !characters[at..].contains(&']') => return at,
            _ => {}
        }
    }
    at
}

fn skip_addresses(characters: &[char], start: usize) -> usize {
    let mut at = start;
    while let Some(&character) = characters.get(at) {
        match character {
            '/' => at = skip_delimited(characters, at + 1, '/'),
            '\\' => {
                let delimiter = characters.get(at + 1).copied().unwrap_or('/');
                at = skip_delimited(characters, at + 2, delimiter);
            }
            'I' | 'M' if at > start && characters[at - 1] == '/' => at += 1,
            '0'..='9' | '$' | ',' | '~' | '+' | '!' | ' ' | '\t' | '\n' | ';' | '{' | '}' => at += 1,
            _ => return at,
        }
    }
    at
}

fn awk(review: &mut Review<'_>, call: &Call<'_>) {
    let in_place = call.values().any(|value| matches!(value, "inplace" | "-iinplace" | "--include=inplace"));
    if in_place {
        review.add(&rule::IN_PLACE);
    }
    if call.values().any(|value| matches!(value, "-l" | "--load") || value.starts_with("--load=")) {
        review.add(&rule::FLAG_EXEC);
    }
    if let Some(path) = call.option_text('f', &["--file"]) {
        match &call.invocation.standard_input {
            _ if !matches!(path.as_str(), "-" | "/dev/stdin" | "/dev/fd/0" | "/proc/self/fd/0") => {
                if review.is_unreviewed(&path) {
                    review.add(&rule::SCRATCH);
                }
            }
            StandardInput::Text(Some(script)) => awk_script(review, script),
            _ => review.add(&rule::OPAQUE),
        }
        return;
    }
    let mut scripts: Vec<Option<&str>> = Vec::new();
    if let Some(word) = call.option('e', &["--source"]) {
        scripts.push(word.value.as_deref().map(|value| value.strip_prefix("--source=").unwrap_or(value)));
    } else {
        scripts.push(
            call.operands("Fvi", &["--field-separator", "--assign", "--include"])
                .first()
                .and_then(|word| word.value.as_deref()),
        );
    }
    for script in scripts {
        match script {
            Some(script) => awk_script(review, script),
            None if call.words.is_empty() => {}
            None => review.add(&rule::OPAQUE),
        }
    }
}

fn awk_script(review: &mut Review<'_>, script: &str) {
    if script.contains("/inet") {
        review.add(&rule::REMOTE_SHELL);
    }
    let code = awk_code(script);
    let compact: String = code.chars().filter(|character| !character.is_whitespace()).collect();
    let pipes = compact.replace("||", "").contains('|');
    if pipes || compact.contains("system(") || compact.contains("@load") {
        review.add(&rule::FLAG_EXEC);
    }
    for statement in code.split([';', '\n', '}', '{']) {
        let Some(start) = statement.find("print") else { continue };
        let mut open = 0i32;
        for byte in statement.bytes().skip(start) {
            match byte {
                b'(' => open += 1,
                b')' => open -= 1,
                b'>' if open == 0 => {
                    awk_output(review, script);
                    break;
                }
                _ => {}
            }
        }
    }
}

/// Files that `print > "file"` names.
fn awk_output(review: &mut Review<'_>, script: &str) {
    let mut rest = script;
    let mut named = false;
    while let Some(position) = rest.find('>') {
        let touch = if rest[position..].starts_with(">>") { Touch::Append } else { Touch::Overwrite };
        rest = rest[position..].trim_start_matches('>').trim_start();
        if let Some(name) = rest.strip_prefix('"').and_then(|text| text.split('"').next()) {
            named = true;
            let path = place::normalise(name, review.directory.as_deref());
            review.touch_path(&path, touch);
        }
    }
    if !named {
        review.add(&rule::WRITE_UNKNOWN);
    }
}

/// The program without its strings, regular expressions and comments.
fn awk_code(script: &str) -> String {
    let mut code = String::new();
    let mut characters = script.chars().peekable();
    while let Some(character) = characters.next() {
        let significant = code.trim_end().chars().last();
        match character {
            '"' => {
                skip_awk(&mut characters, '"');
                code.push('"');
            }
            // A slash after a value divides, anywhere else it opens a regular expression.
            '/' if significant
                .is_none_or(|last| !(last.is_alphanumeric() || matches!(last, ')' | ']' | '_' | '"' | '$'))) =>
            {
                skip_awk(&mut characters, '/');
                code.push('~');
            }
            '#' => while characters.next_if(|next| *next != '\n').is_some() {},
            other => code.push(other),
        }
    }
    code
}

fn skip_awk(characters: &mut std::iter::Peekable<std::str::Chars<'_>>, end: char) {
    while let Some(character) = characters.next() {
        if character == '\\' {
            characters.next();
        } else if character == end {
            return;
        }
    }
}
