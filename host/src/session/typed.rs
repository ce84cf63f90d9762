//! Typed bytes as lines for the history: one per submitted line or control key, never per keystroke.

use portcullis_term::Typist;

use super::history::typist_name;

/// A line longer than this is cut in the history, in characters.
const MAX_LINE_CHARS: usize = 1_000;

/// Keys that are more than one byte, and what the history calls them. Paste marks are no keys.
const SEQUENCES: &[(&str, &str)] = &[
    ("\x1b[200~", ""),
    ("\x1b[201~", ""),
    ("\x1b[A", "<up>"),
    ("\x1b[B", "<down>"),
    ("\x1b[C", "<right>"),
    ("\x1b[D", "<left>"),
    ("\x1bOA", "<up>"),
    ("\x1bOB", "<down>"),
    ("\x1bOC", "<right>"),
    ("\x1bOD", "<left>"),
    ("\x1b[H", "<home>"),
    ("\x1b[F", "<end>"),
    ("\x1b[3~", "<delete>"),
    ("\x1b[5~", "<page-up>"),
    ("\x1b[6~", "<page-down>"),
];

/// The line somebody is typing.
#[derive(Debug, Default)]
pub(super) struct Typing {
    line: Option<Line>,
}

#[derive(Debug)]
struct Line {
    typist: Typist,
    text: String,
    /// Part of it answers a question for a secret; then none of it is kept.
    secret: bool,
}

impl Typing {
    /// Adds what was typed; gives the lines that are complete.
    pub(super) fn add(&mut self, typist: Typist, bytes: &[u8], secret: bool) -> Vec<String> {
        let mut lines = Vec::new();
        if self.line.as_ref().is_some_and(|line| line.typist != typist) {
            lines.extend(self.finish());
        }
        let text = String::from_utf8_lossy(bytes);
        let mut rest: &str = &text;
        while let Some(c) = rest.chars().next() {
            let line = self.line.get_or_insert(Line { typist, text: String::new(), secret });
            line.secret |= secret;
            let sequence = SEQUENCES.iter().find(|(bytes, _)| rest.starts_with(bytes));
            let length = sequence.map_or(c.len_utf8(), |(bytes, _)| bytes.len());
            rest = &rest[length..];
            match (sequence, c) {
                (Some((_, name)), _) => line.push(name),
                (None, '\r' | '\n') => {
                    if line.text.is_empty() {
                        line.push("<enter>");
                    }
                    lines.extend(self.finish());
                }
                (None, '\x7f' | '\x08') => drop(line.text.pop()),
                (None, '\t') => line.push("<tab>"),
                (None, '\x1b') => line.push("<esc>"),
                (None, '\x01'..='\x1a') => {
                    line.push(&format!("<ctrl-{}>", char::from(c as u8 + b'a' - 1)));
                    lines.extend(self.finish());
                }
                (None, c) => line.push(c.encode_utf8(&mut [0; 4])),
            }
        }
        lines
    }

    /// The line as far as it got.
    pub(super) fn finish(&mut self) -> Option<String> {
        let line = self.line.take()?;
        let name = typist_name(line.typist);
        if line.secret {
            return Some(format!("[{name}] (typed at a question for a secret; not kept)"));
        }
        (!line.text.is_empty()).then(|| format!("[{name}] {}", line.text))
    }
}

impl Line {
    fn push(&mut self, text: &str) {
        if !self.secret && self.text.len() < MAX_LINE_CHARS {
            self.text.push_str(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[(&str, bool)]) -> Vec<String> {
        let mut typing = Typing::default();
        pieces.iter().flat_map(|(bytes, secret)| typing.add(Typist::Human, bytes.as_bytes(), *secret)).collect()
    }

    #[test]
    fn keystrokes_become_one_line() {
        let keys: Vec<(String, bool)> = "lx\x7fs -l\r".chars().map(|c| (c.to_string(), false)).collect();
        let keys: Vec<(&str, bool)> = keys.iter().map(|(key, secret)| (key.as_str(), *secret)).collect();
        assert_eq!(lines(&keys), ["[human] ls -l"]);
    }

    #[test]
    fn keys_without_a_character_are_named() {
        assert_eq!(lines(&[("\x1b[A\r\x03", false)]), ["[human] <up>", "[human] <ctrl-c>"]);
        assert_eq!(lines(&[("\x1b[200~a\x1b[201~\r\r", false)]), ["[human] a", "[human] <enter>"]);
    }

    #[test]
    fn a_secret_is_never_kept() {
        let told = lines(&[("hun", true), ("ter2", true), ("\r", true), ("ls\r", false)]);
        assert_eq!(told, ["[human] (typed at a question for a secret; not kept)", "[human] ls"]);
        // The question came while the line was being typed.
        assert!(!lines(&[("abc", false), ("hunter2\r", true)]).join("").contains("abc"));
    }

    #[test]
    fn who_types_next_begins_a_line() {
        let mut typing = Typing::default();
        assert!(typing.add(Typist::Human, b"who", false).is_empty());
        assert_eq!(typing.add(Typist::Agent, b"y\r", false), ["[human] who", "[agent] y"]);
    }
}
