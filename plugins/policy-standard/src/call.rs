//! One invocation as the models see it: options and operands by the usual rules.

use portcullis_plugin::policy::{Invocation, StandardInput, Word};

/// Programs whose `-h` is no question.
const HALTS: &[&str] = &["shutdown", "history"];
/// Programs whose later words are not their own: scripts, actions, process numbers.
const HANDS_WORDS_ON: &[&str] = &[
    "python", "python2", "python3", "pypy3", "perl", "ruby", "node", "nodejs", "deno", "bun", "php", "lua", "luajit",
    "tclsh", "wish", "expect", "Rscript", "guile", "awk", "gawk", "mawk", "nawk", "find", "gfind", "kill", "busybox",
    "java", "xargs", "env", "socat", "tmux", "screen",
];

/// A command with its words; words that only the run can tell have no value.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    pub invocation: &'a Invocation,
    pub program: &'a str,
    /// Everything after the program.
    pub words: &'a [Word],
}

impl<'a> Call<'a> {
    /// None for invocations that are not a command with a known program.
    pub fn new(invocation: &'a Invocation) -> Option<Self> {
        let program = invocation.program.as_deref()?;
        Some(Self { invocation, program, words: invocation.argv.get(1..)? })
    }

    pub fn value(&self, index: usize) -> Option<&'a str> {
        self.words.get(index)?.value.as_deref()
    }

    pub fn values(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.words.iter().filter_map(|word| word.value.as_deref())
    }

    /// Words up to `--`.
    fn options(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.values().take_while(|value| *value != "--").filter(|value| value.len() > 1 && value.starts_with('-'))
    }

    /// One of the letters in a cluster, or one of the long options, also abbreviated or with `=`.
    pub fn has(&self, letters: &str, long: &[&str]) -> bool {
        self.options().any(|option| match option.strip_prefix("--") {
            Some(name) => {
                let name = name.split('=').next().unwrap_or(name);
                long.iter().any(|candidate| {
                    let candidate = candidate.trim_start_matches('-');
                    candidate == name || (name.len() >= 3 && candidate.starts_with(name))
                })
            }
            None => option[1..].chars().any(|letter| letters.contains(letter)) || long.contains(&option),
        })
    }

    /// One of exactly these words anywhere.
    pub fn has_word(&self, words: &[&str]) -> bool {
        self.values().any(|value| words.contains(&value))
    }

    /// Words that are neither options nor values of the options named; unknown words count.
    pub fn operands(&self, valued: &str, valued_long: &[&str]) -> Vec<&'a Word> {
        let mut operands = Vec::new();
        let mut words = self.words.iter();
        let mut only_operands = false;
        while let Some(word) = words.next() {
            match word.value.as_deref() {
                Some("--") if !only_operands => only_operands = true,
                Some(value) if !only_operands && value.len() > 1 && value.starts_with("--") => {
                    if valued_long.contains(&value) {
                        words.next();
                    }
                }
                Some(value) if !only_operands && value.len() > 1 && value.starts_with('-') => {
                    let letters = &value[1..];
                    let position = letters.find(|letter| valued.contains(letter));
                    if position.is_some_and(|position| letters[position..].chars().count() == 1)
                        || valued_long.contains(&value)
                    {
                        words.next();
                    }
                }
                _ => operands.push(word),
            }
        }
        operands
    }

    /// The value of an option: `-oX`, `-o X`, `--long=X` or `--long X`.
    pub fn option(&self, letter: char, long: &[&str]) -> Option<&'a Word> {
        let mut words = self.words.iter();
        while let Some(word) = words.next() {
            let Some(value) = word.value.as_deref() else { continue };
            if value == "--" {
                return None;
            }
            if long.contains(&value) {
                return words.next();
            }
            let attached_long = value.split_once('=').is_some_and(|(name, _)| long.contains(&name));
            if attached_long {
                return Some(word);
            }
            if !value.starts_with("--") && value.starts_with('-') && value.ends_with(letter) && value.len() > 1 {
                return words.next();
            }
            if !value.starts_with("--")
                && value.strip_prefix('-').is_some_and(|rest| rest.starts_with(letter) && rest.len() > 1)
            {
                return Some(word);
            }
        }
        None
    }

    /// As [`Self::option`], the text of the value alone.
    pub fn option_text(&self, letter: char, long: &[&str]) -> Option<String> {
        let value = self.option(letter, long)?.value.as_deref()?;
        if let Some((name, rest)) = value.split_once('=')
            && long.contains(&name)
        {
            return Some(rest.to_owned());
        }
        let attached =
            value.strip_prefix('-').and_then(|rest| rest.strip_prefix(letter)).filter(|rest| !rest.is_empty());
        Some(attached.unwrap_or(value).to_owned())
    }

    /// The first word that is not an option.
    pub fn verb(&self) -> &'a str {
        self.operands("", &[]).first().and_then(|word| word.value.as_deref()).unwrap_or("")
    }

    /// Only asks the program about itself.
    pub fn asks_about_itself(&self) -> bool {
        let asks = |value: &str| matches!(value, "--help" | "--version" | "--usage");
        let first = self.value(0).unwrap_or("");
        let alone = self.words.len() == 1
            && matches!(first, "-V" | "-h" | "-help" | "-version" | "-v" | "version" | "help")
            && !(first == "-h" && HALTS.contains(&self.program));
        // Some hand words after their own first operand on, and any program does when POSIX is asked for.
        let hands_on = HANDS_WORDS_ON.contains(&self.program)
            || self.invocation.assignments.iter().any(|assignment| assignment.name == "POSIXLY_CORRECT");
        alone || asks(first) || (!hands_on && self.options().any(asks))
    }

    /// A time limit stands outside.
    pub fn is_time_limited(&self) -> bool {
        self.is_within(&["timeout", "gtimeout"])
    }

    pub fn is_within(&self, wrappers: &[&str]) -> bool {
        self.invocation.wrappers.iter().any(|wrapper| wrappers.contains(&wrapper.as_str()))
    }

    /// Standard input is the terminal.
    pub fn reads_terminal(&self) -> bool {
        matches!(self.invocation.standard_input, StandardInput::Inherited)
    }

    /// Text that is piped or given within the line.
    pub fn input_text(&self) -> Option<&'a str> {
        match &self.invocation.standard_input {
            StandardInput::Text(Some(text)) => Some(text),
            _ => None,
        }
    }

    pub fn is_piped_into(&self) -> bool {
        matches!(self.invocation.standard_input, StandardInput::Pipe | StandardInput::Text(_))
    }
}
