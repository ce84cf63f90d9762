//! Which paths a word of a command may name.

use portcullis_plugin::policy::{Invocation, Word};

use crate::glob::{Glob, Text};
use crate::hit::{Hit, any};

/// Programs that go through a directory with all that is in it, whatever their flags.
const WALKERS: &[&str] = &[
    "find", "fd", "fdfind", "rsync", "tar", "rg", "ag", "ack", "du", "tree", "ncdu", "mv", "zip", "7z", "restic",
    "borg",
];

/// Where relative paths start, and whose home `~` is.
#[derive(Debug, Clone, Default)]
pub struct Here {
    /// Absolute, or below `~`; none when the host does not know it.
    pub directory: Option<String>,
    previous: Option<String>,
    home: Option<String>,
}

impl Here {
    /// The terminal's user in the directory that is known, if one is.
    pub fn new(user: &str, directory: Option<&str>) -> Self {
        let home = match user {
            "" => None,
            "root" => Some("/root".to_owned()),
            user => Some(format!("/home/{user}")),
        };
        let directory = directory.filter(|path| path.starts_with('/')).map(str::to_owned);
        Self { directory, previous: None, home }
    }

    /// Follows `cd` and `pushd`.
    pub fn follow(&mut self, invocation: &Invocation) {
        if !matches!(invocation.program.as_deref(), Some("cd" | "pushd")) {
            return;
        }
        let target = invocation
            .argv
            .iter()
            .skip(1)
            .find(|word| word.value.as_deref().is_none_or(|value| value == "-" || !value.starts_with('-')));
        let next = match target.map(|word| word.value.as_deref()) {
            None => Some("~".to_owned()),
            Some(Some("-")) => self.previous.clone(),
            Some(Some(path)) => Some(self.normalised(path)).filter(|path| path.starts_with(['/', '~'])),
            Some(None) => None,
        };
        self.previous = std::mem::replace(&mut self.directory, next);
    }

    /// Without `.`, `..` and doubled slashes.
    fn normalised(&self, path: &str) -> String {
        let joined = match &self.directory {
            Some(directory) if !path.starts_with(['/', '~']) => format!("{directory}/{path}"),
            _ => path.to_owned(),
        };
        let absolute = joined.starts_with('/');
        let mut parts: Vec<&str> = Vec::new();
        for part in joined.split('/') {
            match part {
                "" | "." => {}
                ".." => match parts.last().copied() {
                    Some("..") => parts.push(".."),
                    // What lies above a home directory is the system's business.
                    Some(last) if last.starts_with('~') && parts.len() == 1 => parts = vec!["", "home"],
                    Some(_) => drop(parts.pop()),
                    None if absolute => {}
                    None => parts.push(".."),
                },
                other => parts.push(other),
            }
        }
        match (absolute, parts.first()) {
            (false, _) | (true, Some(&"")) => parts.join("/"),
            (true, _) => format!("/{}", parts.join("/")),
        }
    }

    /// The path by every name it has: the home directory has several.
    fn names(&self, path: &str) -> Vec<String> {
        let mut names = vec![path.to_owned()];
        let Some(home) = self.home.as_deref() else { return names };
        let user = home.rsplit('/').next().unwrap_or_default();
        let below = |prefix: &str| path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        if let Some(rest) = below("~").or_else(|| below(&format!("~{user}"))).or_else(|| below(home)) {
            names.extend([format!("{home}{rest}"), format!("~{rest}")]);
        }
        names
    }
}

/// A word that may name paths, made ready to be compared with many patterns.
#[derive(Debug)]
pub struct Named<'a> {
    pub word: &'a Word,
    paths: Vec<Path>,
}

/// One path a word may mean.
#[derive(Debug, Default)]
struct Path {
    /// By every name it has.
    names: Vec<Text>,
    /// What lies below it, where the command goes through whole directories.
    below: Vec<Text>,
    /// Its end, where the directory it starts in is not known, and whether it begins by leaving that.
    end: Option<(Text, bool)>,
}

/// The words and redirections of the invocation that may name paths.
pub fn named<'a>(invocation: &'a Invocation, here: &Here) -> Vec<Named<'a>> {
    let walks = walks(invocation);
    let names = invocation.argv.iter().enumerate().filter(|(index, word)| {
        // A program given by its path is a path as well.
        *index > 0 || word.text.contains('/')
    });
    let files = invocation.redirections.iter().filter(|item| !item.operator.starts_with("<<")).map(|item| &item.target);
    let words = names.map(|(_, word)| word).chain(files);
    words
        .map(|word| {
            let parts = word.value.as_deref().into_iter().flat_map(parts);
            Named { word, paths: parts.filter_map(|part| Path::of(part, word.glob, here, walks)).collect() }
        })
        .collect()
}

/// Whether any of `patterns` speaks of one of the words, and of which.
pub fn hit<'a>(patterns: &[Glob], words: &[Named<'a>]) -> (Hit, Option<&'a Word>) {
    let mut found = (Hit::No, None);
    for named in words {
        let hit = match named.word.value {
            None => Hit::Maybe,
            Some(_) => any(named.paths.iter().flat_map(|path| patterns.iter().map(move |pattern| path.hit(pattern)))),
        };
        if hit > found.0 {
            found = (hit, Some(named.word));
        }
    }
    found
}

/// The command goes through whole directories.
fn walks(invocation: &Invocation) -> bool {
    let program = invocation.program.as_deref().unwrap_or_default();
    let flags = invocation.argv.iter().skip(1).filter_map(|word| word.value.as_deref());
    let letters: &[char] = match program {
        "ls" | "sort" | "sed" | "tac" | "xargs" | "read" | "date" => &['R'],
        "cp" => &['r', 'R', 'a'],
        _ => &['r', 'R'],
    };
    // What `find` runs is given everything below the folder that stands for it in the plan.
    let found_below = |wrapper: &String| WALKERS.contains(&wrapper.split(' ').next().unwrap_or(wrapper));
    WALKERS.contains(&program)
        || invocation.wrappers.iter().any(found_below)
        || flags.take_while(|flag| *flag != "--").any(|flag| match flag.strip_prefix("--") {
            Some(long) => long.len() > 2 && ("recursive".starts_with(long) || "archive".starts_with(long)),
            None => flag.starts_with('-') && flag.contains(letters),
        })
}

/// The word, what stands behind `=` or `:` in it, and what is attached to an option's letter.
fn parts(value: &str) -> impl Iterator<Item = &str> {
    let behind = |separator: char| value.split_once(separator).map(|(_, rest)| rest);
    let attached = value.strip_prefix('-').filter(|rest| !rest.starts_with('-')).and_then(|rest| {
        let mut letters = rest.chars();
        letters.next().map(|_| letters.as_str()).filter(|rest| rest.contains('/') || rest.starts_with('~'))
    });
    [Some(value), behind('='), behind(':'), attached].into_iter().flatten().filter(|part| !part.is_empty())
}

impl Path {
    /// None for the directory itself, which nobody has named.
    fn of(path: &str, expands: bool, here: &Here, walks: bool) -> Option<Self> {
        let path = here.normalised(path);
        if path.is_empty() {
            return None;
        }
        let text = |path: &str| if expands { Text::expanding(path) } else { Text::literal(path) };
        let names = here.names(&path);
        let is_absolute = path.starts_with(['/', '~']);
        let below = names.iter().filter(|_| walks && is_absolute).map(|name| text(name).below()).collect();
        let end = path.rsplit("../").next().unwrap_or(&path);
        let end = (!is_absolute && end != "..").then(|| (text(end).at_any_depth(), path.starts_with("../")));
        Some(Self { names: names.iter().map(|name| text(name)).collect(), below, end })
    }

    fn hit(&self, pattern: &Glob) -> Hit {
        let within = pattern.is_absolute() && self.below.iter().any(|text| pattern.meets(text));
        if within || self.names.iter().any(|text| pattern.meets(text)) {
            return Hit::Yes;
        }
        // In a directory that nobody knows a path is known by its end only.
        let may =
            self.end.as_ref().is_some_and(|(end, climbs)| (*climbs || pattern.names_its_end()) && pattern.meets(end));
        if may { Hit::Maybe } else { Hit::No }
    }
}
