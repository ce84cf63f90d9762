//! `env` and `printenv`: one document for each variable, and `/etc/os-release` as one document.
//!
//! The value of a variable that looks like a secret, by its name or by itself, is not repeated: the
//! document says that it is there. Lines that follow it before the next variable belong to it.

use parser_kit::{Command, Document, End, Held, Reader, Sink};
use portcullis_plugin::lines::Line;
use portcullis_plugin::parser::OutputMeta;

/// The command says what the output is.
const SCORE: u8 = 90;
/// An operating system says less of itself; further lines stay text.
const MAX_RELEASE_LINES: usize = 200;
/// Parts of the name of a variable that holds a secret.
const SECRET_NAMES: [&str; 15] = [
    "SECRET",
    "TOKEN",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "APIKEY",
    "API_KEY",
    "ACCESS_KEY",
    "PRIVATE_KEY",
    "COOKIE",
    "AUTHORIZATION",
    "CONNECTION_STRING",
    "BEARER",
    "SIGNING",
];
/// Last words of such a name.
const SECRET_ENDINGS: [&str; 9] = ["KEY", "PWD", "PASS", "AUTH", "DSN", "PW", "PAT", "SALT", "PIN"];
/// Beginnings of secrets themselves.
const SECRET_VALUES: [&str; 12] =
    ["-----BEGIN", "eyJ", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "AKIA", "sk-", "Bearer "];

pub(crate) fn claim(command: &Command<'_>, head: &str) -> Option<u8> {
    // `env NAME=value program` runs the program, `printenv NAME` prints a value alone.
    let is_list = ["env", "printenv"].contains(&command.program) && command.operands(&["-u", "--unset"]).is_empty();
    let ends_with_nul = command.has('0', "null");
    (is_list && !ends_with_nul && head.lines().any(|line| assignment(line).is_some())).then_some(SCORE)
}

pub(crate) fn begin(_command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    Box::new(Variables { open: None })
}

struct Variables {
    open: Option<Variable>,
}

/// A variable of which the end is not known before the next begins.
struct Variable {
    document: Document,
    line: Held,
    is_secret: bool,
    hidden_lines: u32,
}

impl Variables {
    fn close(&mut self, sink: &mut Sink) {
        let Some(Variable { mut document, line, is_secret, hidden_lines }) = self.open.take() else { return };
        if is_secret && hidden_lines > 0 {
            document.set("hidden_lines", hidden_lines);
        }
        sink.record(&document, vec![line]);
    }
}

impl Reader for Variables {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        let Some((name, value)) = assignment(&line.text) else {
            match &mut self.open {
                Some(open) if open.is_secret => open.hidden_lines += 1,
                Some(open) => {
                    // The value goes on, or this is something else; either way it stays text.
                    open.document.set("may_continue", true);
                    sink.leave(line.number, &line.text);
                }
                None => sink.leave(line.number, &line.text),
            }
            return;
        };
        self.close(sink);
        let mut document = Document::new();
        document.set("name", name);
        let is_secret = is_secret(name, value);
        match is_secret {
            true => document.set("is_secret", true),
            false => document.set("value", value),
        }
        self.open = Some(Variable { document, line: line.into(), is_secret, hidden_lines: 0 });
    }

    fn finish(&mut self, _end: End, sink: &mut Sink) {
        self.close(sink);
    }
}

/// `NAME=value`; the name of an exported function of bash has more letters.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let is_name = name.starts_with(|symbol: char| symbol.is_ascii_alphabetic() || symbol == '_')
        && name.chars().all(|symbol| symbol.is_ascii_alphanumeric() || "_.%-".contains(symbol));
    is_name.then_some((name, value))
}

/// Whether a variable's value has to stay where it is.
fn is_secret(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let by_name = SECRET_NAMES.iter().any(|part| name.contains(part));
    // PWD and OLDPWD are places.
    let last = name.rsplit_once('_').map(|(_, last)| last);
    let by_ending = last.is_some_and(|last| SECRET_ENDINGS.contains(&last)) || name == "PGPASS";
    let by_value = SECRET_VALUES.iter().any(|beginning| value.starts_with(beginning)) || has_password(value);
    !value.is_empty() && (by_name || by_ending || by_value)
}

/// `scheme://user:password@host`, anywhere in the text.
fn has_password(value: &str) -> bool {
    value.split("://").skip(1).any(|behind| {
        let authority = behind.split(['/', ' ', '?', '#']).next().unwrap_or("");
        authority
            .rsplit_once('@')
            .is_some_and(|(user, _)| user.split_once(':').is_some_and(|(_, password)| !password.is_empty()))
    })
}

pub(crate) fn claim_release(command: &Command<'_>, head: &str) -> Option<u8> {
    let is_printed = ["cat", "head", "more", "less"].contains(&command.program);
    let files = command.operands(&["-n"]);
    let is_release =
        files.len() == 1 && ["os-release", "lsb-release", "initrd-release"].iter().any(|name| files[0].ends_with(name));
    (is_printed && is_release && head.lines().any(|line| assignment(line).is_some())).then_some(SCORE)
}

pub(crate) fn begin_release(_command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    Box::new(Release::default())
}

#[derive(Default)]
struct Release {
    document: Document,
    held: Vec<Held>,
}

impl Reader for Release {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        let read = assignment(&line.text).and_then(|(name, value)| Some((name.to_ascii_lowercase(), unquote(value)?)));
        match read {
            // A name that is there again would push the first out.
            Some((name, value)) if self.document.get(&name).is_none() && self.held.len() < MAX_RELEASE_LINES => {
                match name.as_str() {
                    "id_like" => {
                        self.document.set(&name, value.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
                    }
                    _ => self.document.set(&name, value),
                }
                self.held.push(line.into());
            }
            _ if line.text.trim().is_empty() => {}
            _ => sink.leave(line.number, &line.text),
        }
    }

    fn finish(&mut self, _end: End, sink: &mut Sink) {
        if !self.document.is_empty() {
            sink.record(&self.document, std::mem::take(&mut self.held));
        }
    }
}

/// A value as a shell reads it. None where it is not one word.
fn unquote(value: &str) -> Option<String> {
    if let Some(inner) = value.strip_prefix('\'') {
        return inner.strip_suffix('\'').filter(|inner| !inner.contains('\'')).map(str::to_owned);
    }
    let (inner, is_quoted) = match value.strip_prefix('"') {
        Some(inner) => (inner.strip_suffix('"')?, true),
        None => (value, false),
    };
    let mut text = String::new();
    let mut symbols = inner.chars();
    while let Some(symbol) = symbols.next() {
        match symbol {
            '\\' => text.push(symbols.next()?),
            '"' | '$' | '`' => return None,
            ' ' | '\'' if !is_quoted => return None,
            _ => text.push(symbol),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_name_or_value() {
        for (name, value, wanted) in [
            ("GITHUB_TOKEN", "x", true),
            ("AWS_SECRET_ACCESS_KEY", "x", true),
            ("DB_PWD", "x", true),
            ("PGPASSWORD", "x", true),
            ("DATABASE_URL", "postgres://u:secret@db/x", true),
            ("ANY", "eyJhbGciOi", true),
            ("PWD", "/home/a", false),
            ("OLDPWD", "/home/a", false),
            ("SSH_AUTH_SOCK", "/tmp/x", false),
            ("PROXY", "http://proxy:8080", false),
            ("HOMEPAGE", "https://a.example/x@y", false),
            ("KEYBOARD", "de", false),
            ("API_KEY", "", false),
        ] {
            assert_eq!(is_secret(name, value), wanted, "{name}={value}");
        }
    }
}
