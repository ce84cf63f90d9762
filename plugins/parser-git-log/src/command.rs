//! What a `git` command prints, by its words.

use parser_kit::Command;

/// Options of git itself with a value in the next word.
const WITH_VALUE: [&str; 6] = ["-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path"];

/// The subcommand and what follows it.
pub(crate) fn read<'a>(command: &Command<'a>) -> Option<(&'a str, Vec<&'a str>)> {
    (command.program == "git").then_some(())?;
    let mut words = command.words.iter().copied();
    loop {
        let word = words.next()?;
        if WITH_VALUE.contains(&word) {
            words.next();
        } else if !word.starts_with('-') {
            return Some((word, words.take_while(|word| *word != "--").collect()));
        }
    }
}

/// Whether one of the options is there, with or without a value.
pub(crate) fn has(words: &[&str], options: &[&str]) -> bool {
    words.iter().any(|word| options.contains(&word.split('=').next().unwrap_or(word)))
}

/// The value of `--name=value`.
pub(crate) fn value<'a>(words: &[&'a str], names: &[&str]) -> Option<&'a str> {
    words.iter().find_map(|word| {
        let (name, value) = word.split_once('=')?;
        names.contains(&name).then_some(value)
    })
}
