//! A command as a rule sees it: a name and the words behind it.
//!
//! Each wrapper that was taken off is such a command too (`sudo`, `docker exec`): whoever writes
//! `programs = ["sudo"]` means it. The wrapper's own options are gone by then.

use portcullis_plugin::policy::{Invocation, InvocationKind, Word};

use crate::glob::{Glob, Text, any_matches};
use crate::hit::{Hit, any};

/// Shortest part of a long option that counts as its abbreviation, without the dashes.
const MIN_ABBREVIATION: usize = 3;

/// One command with its words.
#[derive(Debug, Clone)]
pub struct View<'a> {
    /// None when it is computed at run time.
    program: Option<&'a str>,
    words: Vec<Part<'a>>,
}

#[derive(Debug, Clone, Copy)]
struct Part<'a> {
    /// None when only the run can tell.
    value: Option<&'a str>,
    text: &'a str,
    glob: bool,
}

impl<'a> Part<'a> {
    fn of(word: &'a Word) -> Self {
        Self { value: word.value.as_deref(), text: &word.text, glob: word.glob }
    }

    fn known(text: &'a str) -> Self {
        Self { value: Some(text), text, glob: false }
    }

    fn hit(self, globs: &[Glob]) -> Hit {
        match self.value {
            None => Hit::Maybe,
            Some(value) if self.glob => Hit::from(globs.iter().any(|glob| glob.meets(&Text::expanding(value)))),
            Some(value) => any_matches(globs, value),
        }
    }

    /// It may be an option when the line runs.
    fn may_be_an_option(self) -> bool {
        self.value.is_none() && self.text.trim_start_matches(['"', '\'', '\\']).starts_with(['$', '`', '-', '{'])
    }

    fn is_option(self) -> bool {
        self.value.is_some_and(|value| value.len() > 1 && value.starts_with('-'))
    }
}

impl<'a> View<'a> {
    /// The command of the invocation and those around it; none where nothing is run.
    pub fn all(invocation: &'a Invocation) -> Vec<Self> {
        if invocation.kind != InvocationKind::Command && invocation.wrappers.is_empty() {
            return Vec::new();
        }
        let words: Vec<Part<'_>> = invocation.argv.iter().map(Part::of).collect();
        let mut views = Vec::new();
        if invocation.kind == InvocationKind::Command {
            let words = words.get(1..).unwrap_or_default().to_vec();
            views.push(View { program: invocation.program.as_deref(), words });
        }
        for wrapper in &invocation.wrappers {
            let mut names = wrapper.split(' ');
            let program = names.next();
            let words = names.map(Part::known).chain(words.iter().copied()).collect();
            views.push(View { program, words });
        }
        views
    }

    /// Its name is one of these.
    pub fn program(&self, names: &[Glob]) -> Hit {
        self.program.map_or(Hit::Maybe, |program| any_matches(names, program))
    }

    /// It has one of these flags: `-r` also within `-rf`, `--recursive` also as `--recur` or with `=`.
    pub fn flags(&self, flags: &[String]) -> Hit {
        let before_operands = self.words.iter().take_while(|word| word.value != Some("--"));
        any(before_operands.map(|word| match word.value {
            None if word.may_be_an_option() => Hit::Maybe,
            None => Hit::No,
            Some(value) => Hit::from(flags.iter().any(|flag| is_flag(flag, value))),
        }))
    }

    /// Its words begin with one of these, options aside. An option may have the word behind it as its value.
    pub fn subcommands(&self, all: &[Vec<Glob>]) -> Hit {
        any(all.iter().map(|names| self.subcommand(names)))
    }

    fn subcommand(&self, names: &[Glob]) -> Hit {
        let mut places = vec![(0, Hit::Yes)];
        for name in names {
            let mut next = Vec::new();
            for (place, so_far) in self.behind_options(&places) {
                let Some(word) = self.words.get(place) else { continue };
                let hit = so_far.min(word.hit(std::slice::from_ref(name)));
                if hit > Hit::No {
                    next.push((place + 1, hit));
                }
            }
            places = next;
        }
        any(places.into_iter().map(|(_, hit)| hit))
    }

    /// Where the next word that is no option may stand.
    fn behind_options(&self, places: &[(usize, Hit)]) -> Vec<(usize, Hit)> {
        let mut reached: Vec<(usize, Hit)> = Vec::new();
        let mut open = places.to_vec();
        while let Some((place, hit)) = open.pop() {
            if reached.iter().any(|(known, strength)| *known == place && *strength >= hit) {
                continue;
            }
            reached.push((place, hit));
            let Some(word) = self.words.get(place) else { continue };
            if word.is_option() || word.may_be_an_option() {
                open.push((place + 1, hit));
                if !word.value.is_some_and(|value| value.contains('=') || value == "--") {
                    open.push((place + 2, hit));
                }
            }
        }
        reached
    }

    /// One of its words, options included, is one of these.
    pub fn arguments(&self, globs: &[Glob]) -> Hit {
        any(self.words.iter().map(|word| word.hit(globs)))
    }

    /// One of its words names one of these hosts: alone, in `user@host`, `host:path` or a URL.
    pub fn hosts(&self, globs: &[Glob], with_its_name: bool) -> Hit {
        let name = self.program.filter(|_| with_its_name).map(Part::known);
        any(self.words.iter().copied().chain(name).map(|word| match word.value {
            None => Hit::Maybe,
            Some(value) => Hit::from(host_names(value).any(|host| globs.iter().any(|glob| glob.matches(&host)))),
        }))
    }
}

fn is_flag(flag: &str, word: &str) -> bool {
    let name = word.split('=').next().unwrap_or(word);
    if flag == name {
        return true;
    }
    match (flag.strip_prefix("--"), name.strip_prefix("--")) {
        (Some(flag), Some(name)) => name.len() >= MIN_ABBREVIATION && flag.starts_with(name),
        (None, None) => {
            let mut letters = flag.chars().skip(1);
            let (letter, more) = (letters.next(), letters.next());
            let bundle = word.strip_prefix('-').unwrap_or_default();
            more.is_none() && letter.is_some_and(|letter| bundle.contains(letter))
        }
        _ => false,
    }
}

/// What in a word may be the name of a host, in lower case and without the dot at its end.
pub fn host_names(word: &str) -> impl Iterator<Item = String> {
    let word = word.split_once('=').filter(|_| word.starts_with('-')).map_or(word, |(_, value)| value);
    let from_peer = word.strip_prefix("/dev/tcp/").or_else(|| word.strip_prefix("/dev/udp/"));
    let authority = match (word.split_once("://"), from_peer) {
        (Some((_, rest)), _) => rest.split(['/', '?', '#']).next().unwrap_or(rest),
        (None, Some(rest)) => rest.split('/').next().unwrap_or(rest),
        (None, None) => word,
    };
    let authority = authority.rsplit('@').next().unwrap_or(authority);
    let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inner, _)) => inner,
        // More than one colon and no bracket: an IPv6 address as it is.
        None if authority.matches(':').count() > 1 && !authority.contains('/') => authority,
        None => authority.split(':').next().unwrap_or(authority),
    };
    let plain = |host: &str| !host.is_empty() && !host.starts_with('-') && !host.contains('/');
    let host = host.trim_end_matches('.');
    plain(host).then(|| host.to_ascii_lowercase()).into_iter()
}
