//! The command whose output is read: program, operands and options, as far as they say what the
//! output looks like. It is not a shell: the host has taken quotes and wrappers off.

/// A command, the path before its program's name taken off, and BusyBox before its applet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    pub program: &'a str,
    /// It was started as `busybox APPLET`.
    pub is_busybox: bool,
    /// What follows the program.
    pub words: Vec<&'a str>,
}

impl<'a> Command<'a> {
    /// None when there is no program.
    pub fn read(argv: &'a [String]) -> Option<Self> {
        let mut words = argv.iter().map(String::as_str);
        let mut program = base_name(words.next()?);
        let is_busybox = ["busybox", "toybox"].contains(&program);
        if is_busybox {
            program = base_name(words.next()?);
        }
        Some(Self { program, is_busybox, words: words.collect() })
    }

    /// Whether `-…letter…` or `--long` (also with a value) is among the words before `--`.
    pub fn has(&self, letter: char, long: &str) -> bool {
        self.options().any(|word| match word.strip_prefix("--") {
            Some(name) => name.split('=').next() == Some(long),
            None => word[1..].contains(letter),
        })
    }

    /// The value of `--long VALUE`, `--long=VALUE`, `-l VALUE` or `-lVALUE`.
    pub fn value(&self, letter: char, long: &str) -> Option<&'a str> {
        let mut words = self.words.iter().copied().take_while(|word| *word != "--");
        while let Some(word) = words.next() {
            if let Some(name) = word.strip_prefix("--") {
                match name.split_once('=') {
                    Some((name, value)) if name == long => return Some(value),
                    None if name == long => return words.next(),
                    _ => {}
                }
            } else if let Some(rest) = word.strip_prefix('-').and_then(|rest| rest.strip_prefix(letter)) {
                return if rest.is_empty() { words.next() } else { Some(rest.trim_start_matches('=')) };
            }
        }
        None
    }

    /// Words that are no options; values of options in words of their own are among them, unless
    /// the option is one of `with_value`.
    pub fn operands(&self, with_value: &[&str]) -> Vec<&'a str> {
        let mut operands = Vec::new();
        let mut words = self.words.iter().copied();
        while let Some(word) = words.next() {
            if word == "--" {
                operands.extend(words);
                break;
            }
            if with_value.contains(&word) {
                words.next();
            } else if !word.starts_with('-') || word == "-" {
                operands.push(word);
            }
        }
        operands
    }

    fn options(&self) -> impl Iterator<Item = &'a str> + '_ {
        let words = self.words.iter().copied().take_while(|word| *word != "--");
        words.filter(|word| word.starts_with('-') && word.len() > 1)
    }
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn program_and_options() {
        let argv = words("/bin/busybox ps -ef -o pid --sort=-rss -- -x");
        let command = Command::read(&argv).unwrap();
        assert_eq!((command.program, command.is_busybox), ("ps", true));
        assert!(command.has('f', "full") && command.has('?', "sort"));
        assert!(!command.has('x', "x"), "what follows -- is no option");
        assert_eq!((command.value('o', "format"), command.value('?', "sort")), (Some("pid"), Some("-rss")));
        assert_eq!(command.operands(&["-o"]), ["-x"]);
        assert_eq!(Command::read(&[]), None);
        assert_eq!(Command::read(&words("busybox")), None);
    }

    #[test]
    fn values_in_every_writing() {
        for line in ["k get -o json", "k get -ojson", "k get -o=json", "k get --output json", "k get --output=json"] {
            let argv = words(line);
            assert_eq!(Command::read(&argv).unwrap().value('o', "output"), Some("json"), "{line}");
        }
    }
}
