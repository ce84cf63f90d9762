//! Programs that run another program, with the options that stand in between, as data.
//!
//! An option that is not in the table makes the call unresolved: a value taken for a program, or
//! a program for a value, would hide what runs.

mod table;

use crate::environment::Known;
use crate::expand::Field;
use table::WRAPPERS;

/// What comes after a wrapper's options and positional words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// A program and its words.
    Program,
    /// Words that are joined and given to a shell.
    Text,
}

/// One wrapper's grammar.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wrapper {
    pub(crate) names: &'static [&'static str],
    /// Letters without a value.
    pub(crate) flags: &'static str,
    /// Letters with a value, attached or as the next word.
    pub(crate) valued: &'static str,
    /// Letters whose value, if any, is attached.
    pub(crate) optional: &'static str,
    pub(crate) long: &'static [&'static str],
    pub(crate) long_valued: &'static [&'static str],
    /// Words between options and program.
    pub(crate) positionals: usize,
    /// `NAME=value` may stand before the program.
    pub(crate) assignments: bool,
    pub(crate) rest: Rest,
    /// The wrapper does something of its own and is listed as well.
    pub(crate) listed: bool,
    /// Words after the name that make it a wrapper, `netns exec`; none when the name is enough.
    pub(crate) verbs: &'static [&'static str],
    /// Long options that take the next two words.
    pub(crate) long_pairs: &'static [&'static str],
    /// A long option that is not in the table has no value of its own, or has it attached.
    pub(crate) lenient: bool,
}

/// The wrapper that `fields` call, and the index of the last word of its name and verb.
pub(crate) fn find(name: &str, fields: &[Field]) -> Option<(&'static Wrapper, usize)> {
    let name = if name.starts_with("ld-linux") || name.starts_with("ld-musl") { "ld.so" } else { name };
    WRAPPERS.iter().filter(|wrapper| wrapper.names.contains(&name)).find_map(|wrapper| {
        if wrapper.verbs.is_empty() {
            return Some((wrapper, 0));
        }
        wrapper.verbs.iter().find_map(|verb| Some((wrapper, verb_end(verb, fields)?)))
    })
}

/// Index of the last word of `verb`, which may stand after options without a value.
fn verb_end(verb: &str, fields: &[Field]) -> Option<usize> {
    let mut index = 1;
    while fields.get(index)?.value.as_deref()?.starts_with('-') {
        index += 1;
    }
    for word in verb.split(' ') {
        if fields.get(index)?.value.as_deref()? != word {
            return None;
        }
        index += 1;
    }
    Some(index - 1)
}

/// `poetry run CMD`: a first word that makes the rest a command.
pub(crate) fn runs_rest(name: &str, subcommand: &str) -> bool {
    matches!(
        (name, subcommand),
        ("poetry" | "pipenv" | "uv" | "hatch" | "pdm" | "rye", "run")
            | ("bundle" | "mise" | "asdf" | "rbenv" | "pyenv", "exec")
    )
}

/// The options of one call.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Letter or long name, with its value.
    pub(crate) given: Vec<(String, Option<Field>)>,
    /// Index of the first word that is not an option.
    pub(crate) rest: usize,
}

impl Options {
    pub(crate) fn has(&self, names: &[&str]) -> bool {
        self.given.iter().any(|(name, _)| names.contains(&name.as_str()))
    }

    pub(crate) fn value(&self, names: &[&str]) -> Option<&Field> {
        self.given.iter().rev().find(|(name, _)| names.contains(&name.as_str())).and_then(|(_, value)| value.as_ref())
    }
}

/// Reads the options of `fields[0]`; none when one of them is not in the table.
pub(crate) fn options(wrapper: &Wrapper, fields: &[Field]) -> Option<Options> {
    let mut options = Options { given: Vec::new(), rest: 1 };
    while let Some(field) = fields.get(options.rest) {
        let Some(value) = field.value.as_deref() else { return Some(options) };
        if value == "--" {
            options.rest += 1;
            return Some(options);
        }
        if matches!(value, "--help" | "--version") {
            options.given.push((value.to_owned(), None));
            options.rest = fields.len();
            return Some(options);
        }
        if !value.starts_with('-') || value == "-" {
            return Some(options);
        }
        options.rest += 1;
        if value.starts_with("--") {
            long_option(wrapper, fields, value, &mut options)?;
        } else {
            short_options(wrapper, fields, field, &value[1..], &mut options)?;
        }
    }
    Some(options)
}

fn long_option(wrapper: &Wrapper, fields: &[Field], word: &str, options: &mut Options) -> Option<()> {
    let (name, attached) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    };
    let mut candidates =
        wrapper.long.iter().chain(wrapper.long_valued).filter(|long| **long == name || long.starts_with(name));
    let exact = wrapper.long.iter().chain(wrapper.long_valued).find(|long| **long == name);
    if wrapper.long_pairs.contains(&name) {
        options.given.push((name.to_owned(), None));
        options.rest += 2;
        return Some(());
    }
    let full = match exact {
        Some(exact) => exact,
        None if wrapper.lenient => {
            options.given.push((name.to_owned(), None));
            return Some(());
        }
        // An abbreviation must be the beginning of one option only.
        None => candidates.next().filter(|_| candidates.next().is_none())?,
    };
    let mut value: Known = attached.map(str::to_owned);
    let mut field = fields.get(options.rest - 1)?.clone();
    if attached.is_none() && wrapper.long_valued.contains(full) {
        field = fields.get(options.rest)?.clone();
        value = field.value.clone();
        options.rest += 1;
    }
    let taken = attached.is_some() || wrapper.long_valued.contains(full);
    options.given.push(((*full).to_owned(), taken.then_some(Field { value, ..field })));
    Some(())
}

fn short_options(
    wrapper: &Wrapper,
    fields: &[Field],
    word: &Field,
    cluster: &str,
    options: &mut Options,
) -> Option<()> {
    for (index, letter) in cluster.char_indices() {
        let attached = &cluster[index + letter.len_utf8()..];
        if wrapper.flags.contains(letter) {
            options.given.push((letter.to_string(), None));
            continue;
        }
        if wrapper.optional.contains(letter) {
            let value = (!attached.is_empty()).then(|| Field { value: Some(attached.to_owned()), ..word.clone() });
            options.given.push((letter.to_string(), value));
            return Some(());
        }
        if !wrapper.valued.contains(letter) {
            return None;
        }
        let value = if attached.is_empty() {
            options.rest += 1;
            fields.get(options.rest - 1)?.clone()
        } else {
            Field { value: Some(attached.to_owned()), ..word.clone() }
        };
        options.given.push((letter.to_string(), Some(value)));
        return Some(());
    }
    Some(())
}

/// A command that stands in an option's value or after it.
pub(crate) enum Carried {
    /// Shell text.
    Text(Field),
    /// Index of the first word of a program's call.
    Program(usize),
    /// Index of the first word of a shell's arguments.
    Shell(usize),
}

/// Finds the command in the words of a program that names it by an option.
pub(crate) fn carried(name: &str, fields: &[Field]) -> Option<Carried> {
    let entry = table::CARRIERS.iter().find(|entry| entry.names.contains(&name))?;
    let has_verb = |verb: &str| fields[1..].iter().any(|field| field.value.as_deref() == Some(verb));
    if !entry.verb.is_empty() && !has_verb(entry.verb) {
        return None;
    }
    for (index, field) in fields.iter().enumerate().skip(1) {
        let Some(value) = field.value.as_deref() else { continue };
        if entry.options.contains(&value) && index + 1 < fields.len() {
            return Some(match entry.form {
                Form::Text => Carried::Text(fields[index + 1].clone()),
                Form::Program => Carried::Program(index + 1),
                Form::Shell => Carried::Shell(index + 1),
            });
        }
        let attached = value.split_once('=').filter(|(option, _)| entry.options.contains(option));
        if let Some((_, text)) = attached.filter(|_| entry.form == Form::Text) {
            return Some(Carried::Text(Field { value: Some(text.to_owned()), ..field.clone() }));
        }
    }
    None
}

/// How a carrier's option gives the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Program,
    Shell,
}

/// A program that runs a command named by an option.
#[derive(Debug, Clone, Copy)]
struct Carrier {
    names: &'static [&'static str],
    /// A word that must be there; empty for none.
    verb: &'static str,
    options: &'static [&'static str],
    form: Form,
}
