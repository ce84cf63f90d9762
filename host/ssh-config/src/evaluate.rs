//! Which lines apply to a host: `Host`, `Match`, `Include`, first value wins.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::error::ConfigError;
use crate::expand::Tokens;
use crate::keyword;
use crate::line::{self, Line};
use crate::options::HostOptions;
use crate::pattern;

/// Files may include others this deep (readconf.h, `READCONF_MAX_DEPTH`).
const MAX_DEPTH: usize = 16;

/// The files `ssh` would read, in its order. A file that does not exist is as good as empty. Each is read
/// once, so that all answers are of one state, and many of them cost no more than one.
#[derive(Debug, Clone)]
pub struct Files {
    user: Option<PathBuf>,
    system: Option<PathBuf>,
    read: RefCell<BTreeMap<PathBuf, Rc<[NumberedLine]>>>,
}

/// A line's number, from 1, and what stands there or why that cannot be told.
type NumberedLine = (usize, Result<Line, String>);

impl Files {
    /// `user` is usually `~/.ssh/config`, `system` `/etc/ssh/ssh_config`. Nothing is read yet.
    #[must_use]
    pub fn new(user: Option<PathBuf>, system: Option<PathBuf>) -> Self {
        Self { user, system, read: RefCell::default() }
    }

    /// The files themselves, without those that they include.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        [&self.user, &self.system].into_iter().flatten().map(PathBuf::as_path)
    }

    fn lines(&self, path: &Path) -> Result<Rc<[NumberedLine]>, ConfigError> {
        if let Some(lines) = self.read.borrow().get(path) {
            return Ok(lines.clone());
        }
        let text = match std::fs::read(path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(ConfigError::Unreadable { path: path.to_owned(), source }),
        };
        let numbered = (1..).zip(text.lines());
        let lines: Rc<[NumberedLine]> =
            numbered.filter_map(|(number, text)| Some((number, line::parse(text).transpose()?))).collect();
        self.read.borrow_mut().insert(path.to_owned(), lines.clone());
        Ok(lines)
    }
}

/// What is asked for.
pub struct Query<'a> {
    /// As a person would type it.
    pub host: &'a str,
    /// Given beside the host (`ssh -l`); outranks the files.
    pub user: Option<&'a str>,
    pub port: Option<u16>,
    /// The local account.
    pub local_user: &'a str,
    pub local_host: &'a str,
    pub home: &'a Path,
    /// Variables that values may name (`${NAME}`).
    pub environment: &'a dyn Fn(&str) -> Option<String>,
}

/// Something in the files that has no effect here, or less than in `ssh`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub path: PathBuf,
    pub line: usize,
    pub text: String,
}

/// Keyword, and one entry for each line that counts.
pub(crate) type Settings = BTreeMap<String, Vec<Line>>;

/// What applies to the host.
///
/// # Errors
/// What `ssh` would refuse to start with: an unreadable file, an unknown keyword, a bad value.
pub fn resolve(files: &Files, query: &Query<'_>) -> Result<HostOptions, ConfigError> {
    let mut reader = Reader::new(files, query, false);
    reader.read_all()?;
    if reader.wants_final_pass {
        // `Match final` is only true in a second reading, which begins with what the first found.
        let mut second = Reader::new(files, query, true);
        second.settings = std::mem::take(&mut reader.settings);
        second.read_all()?;
        second.notes = reader.notes;
        reader = second;
    }
    HostOptions::from_settings(&reader.settings, query, reader.notes)
}

/// Hosts named in the files without a wildcard, in order: what a person would type.
///
/// # Errors
/// As [`resolve`].
pub fn aliases(files: &Files, query: &Query<'_>) -> Result<Vec<String>, ConfigError> {
    let mut reader = Reader::new(files, query, false);
    reader.read_all()?;
    let mut seen = BTreeSet::new();
    reader.aliases.retain(|name| seen.insert(name.clone()));
    Ok(reader.aliases)
}

struct Reader<'a> {
    files: &'a Files,
    query: &'a Query<'a>,
    settings: Settings,
    notes: Vec<Note>,
    /// Names without a wildcard, as often as they stand there.
    aliases: Vec<String>,
    ignore_unknown: String,
    is_final: bool,
    wants_final_pass: bool,
}

/// Where a line stands.
struct Place<'a> {
    path: &'a Path,
    line: usize,
    depth: usize,
    is_user_file: bool,
}

impl Place<'_> {
    fn error(&self, problem: impl Into<String>) -> ConfigError {
        ConfigError::Line { path: self.path.to_owned(), line: self.line, problem: problem.into() }
    }
}

impl<'a> Reader<'a> {
    fn new(files: &'a Files, query: &'a Query<'a>, is_final: bool) -> Self {
        Self {
            files,
            query,
            settings: Settings::new(),
            notes: Vec::new(),
            aliases: Vec::new(),
            ignore_unknown: String::new(),
            is_final,
            wants_final_pass: false,
        }
    }

    fn read_all(&mut self) -> Result<(), ConfigError> {
        for (path, is_user_file) in [(&self.files.user, true), (&self.files.system, false)] {
            if let Some(path) = path {
                self.read_file(path, true, 0, is_user_file)?;
            }
        }
        Ok(())
    }

    /// Reads one file; its lines count while `active` and until a `Host` or `Match` says otherwise.
    fn read_file(&mut self, path: &Path, active: bool, depth: usize, is_user_file: bool) -> Result<(), ConfigError> {
        let enclosing = active;
        let mut active = active;
        for (number, line) in self.files.lines(path)?.iter() {
            let place = Place { path, line: *number, depth, is_user_file };
            let line = line.as_ref().map_err(|problem| place.error(problem))?;
            match line.keyword.as_str() {
                "host" => active = enclosing && self.host(line, &place)?,
                "match" => active = self.matches(line, &place)? && enclosing,
                "include" => self.include(line, active, &place)?,
                _ => self.set(line, active, &place)?,
            }
        }
        Ok(())
    }

    fn host(&mut self, line: &Line, place: &Place<'_>) -> Result<bool, ConfigError> {
        if line.arguments.is_empty() {
            return Err(place.error("`Host` needs a pattern"));
        }
        self.aliases.extend(line.arguments.iter().filter(|name| !name.contains(['*', '?', '!'])).cloned());
        Ok(pattern::any(line.arguments.iter().map(String::as_str), self.query.host))
    }

    /// All criteria have to hold; every one is looked at, so that a bad one is always found.
    fn matches(&mut self, line: &Line, place: &Place<'_>) -> Result<bool, ConfigError> {
        let mut arguments = line.arguments.iter();
        let mut holds = true;
        let mut criteria = 0;
        while let Some(criterion) = arguments.next() {
            criteria += 1;
            let (name, given) = match criterion.split_once('=') {
                Some((name, value)) => (name.to_ascii_lowercase(), Some(value.to_owned())),
                None => (criterion.to_ascii_lowercase(), None),
            };
            let (negated, name) = match name.strip_prefix('!') {
                Some(name) => (true, name),
                None => (false, name.as_str()),
            };
            let truth = match name {
                "all" => true,
                "canonical" => self.is_final,
                "final" => {
                    self.wants_final_pass = true;
                    self.is_final
                }
                _ => {
                    let value = given.or_else(|| arguments.next().cloned());
                    let value = value.ok_or_else(|| place.error(format!("`Match {name}` needs a value")))?;
                    self.criterion(name, &value, place)?
                }
            };
            holds &= truth != negated;
        }
        if criteria == 0 { Err(place.error("`Match` needs a criterion")) } else { Ok(holds) }
    }

    fn criterion(&mut self, name: &str, value: &str, place: &Place<'_>) -> Result<bool, ConfigError> {
        let query = self.query;
        Ok(match name {
            "host" => pattern::host_matches(value, &self.host_name()),
            "originalhost" => pattern::host_matches(value, query.host),
            "user" => pattern::list_matches(value, &self.user()),
            "localuser" => pattern::list_matches(value, query.local_user),
            "tagged" => pattern::list_matches(value, self.first("tag").unwrap_or_default()),
            "exec" | "localnetwork" => {
                let text = format!("`Match {name}` is not evaluated here, so its part does not apply");
                self.note(place, text);
                false
            }
            other => return Err(place.error(format!("there is no criterion `{other}` for `Match`"))),
        })
    }

    /// The host's name as far as it is known by now.
    fn host_name(&self) -> String {
        match self.first("hostname") {
            Some(name) => Tokens::new().with('h', self.query.host).expand(name),
            None => self.query.host.to_owned(),
        }
    }

    fn user(&self) -> String {
        let given = self.query.user.or_else(|| self.first("user"));
        given.unwrap_or(self.query.local_user).to_owned()
    }

    fn first(&self, keyword: &str) -> Option<&str> {
        self.settings.get(keyword)?.first()?.arguments.first().map(String::as_str)
    }

    /// Files named relative to `~/.ssh`, or to the folder of the system's file; those that do not
    /// exist are nothing to complain about.
    fn include(&mut self, line: &Line, active: bool, place: &Place<'_>) -> Result<(), ConfigError> {
        if line.arguments.is_empty() {
            return Err(place.error("`Include` needs a file"));
        }
        if place.depth + 1 >= MAX_DEPTH {
            return Err(ConfigError::TooDeep { path: place.path.to_owned(), line: place.line, limit: MAX_DEPTH });
        }
        for argument in &line.arguments {
            let named = crate::expand::tilde(argument, self.query.home);
            let folder = match place.is_user_file {
                true => self.query.home.join(".ssh"),
                false => PathBuf::from("/etc/ssh"),
            };
            let wanted = folder.join(named);
            let paths = glob::glob(&wanted.to_string_lossy()).map_err(|error| place.error(error.to_string()))?;
            for path in paths.flatten() {
                self.read_file(&path, active, place.depth + 1, place.is_user_file)?;
            }
        }
        Ok(())
    }

    fn set(&mut self, line: &Line, active: bool, place: &Place<'_>) -> Result<(), ConfigError> {
        let (keyword, known) = keyword::present_name(&line.keyword);
        if !known {
            return self.unknown(keyword, place);
        }
        if line.arguments.is_empty() {
            return Err(place.error(format!("`{keyword}` needs a value")));
        }
        if !active {
            return Ok(());
        }
        if keyword == "ignoreunknown" && self.ignore_unknown.is_empty() {
            self.ignore_unknown.clone_from(&line.arguments[0]);
        }
        if self.other_way_is_named(keyword) {
            return Ok(());
        }
        let collected = keyword::is_collected(keyword);
        let keyword = keyword.to_owned();
        let lines = self.settings.entry(keyword).or_default();
        if lines.is_empty() || (collected && !lines.contains(line)) {
            lines.push(line.clone());
        }
        Ok(())
    }

    /// Of a jump and a command, whichever comes first in the files counts (readconf.c).
    fn other_way_is_named(&self, keyword: &str) -> bool {
        let first = |keyword: &str| self.settings.get(keyword)?.first()?.arguments.first();
        match keyword {
            "proxycommand" => first("proxyjump").is_some_and(|hops| hops != "none"),
            "proxyjump" => first("proxycommand").is_some(),
            _ => false,
        }
    }

    fn unknown(&mut self, keyword: &str, place: &Place<'_>) -> Result<(), ConfigError> {
        if pattern::host_matches(&self.ignore_unknown, keyword) {
            return Ok(());
        }
        let hint = keyword::nearest(keyword).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        Err(place.error(format!("`ssh` knows no option `{keyword}`{hint}")))
    }

    fn note(&mut self, place: &Place<'_>, text: String) {
        let note = Note { path: place.path.to_owned(), line: place.line, text };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}
