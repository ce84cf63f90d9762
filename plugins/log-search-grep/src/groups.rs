//! Brings lines of grep's output together in groups and finds out where each line's path ends.
//!
//! Without context every line is a group of its own. With context a group is a run of lines of
//! one file with consecutive numbers, of which at least one matched; that leaves, of the ways to
//! read its lines, nearly always a single one. Of several, the shortest path is taken.

use crate::locate::{Reading, readings};

/// Lines of one group that wait until its path is clear; a longer group is decided then.
const MAX_WAITING_LINES: usize = 256;

/// A line, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Located {
    pub(crate) path: String,
    pub(crate) number: u64,
    pub(crate) text: String,
    pub(crate) matched: bool,
    /// It does not go on from the line before.
    pub(crate) first_of_group: bool,
}

/// What a line led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Line(Located),
    /// A group is over.
    End,
    /// The line is none of grep's.
    Strange(String),
}

#[derive(Debug)]
pub(crate) struct Groups {
    sources: Vec<String>,
    context: bool,
    /// The path and number of the last line given, while its group goes on.
    current: Option<(String, u64)>,
    waiting: Vec<String>,
    /// The ways to read the first waiting line that all waiting lines agree with.
    readings: Vec<Reading>,
}

impl Groups {
    pub(crate) fn new(sources: Vec<String>, context: bool) -> Self {
        Self { sources, context, current: None, waiting: Vec::new(), readings: Vec::new() }
    }

    /// Takes a line and gives what has become clear.
    pub(crate) fn line(&mut self, line: &str, each: &mut impl FnMut(Outcome)) {
        if self.context && line == "--" {
            self.decide(each);
            self.end(each);
            return;
        }
        if self.waiting.is_empty() {
            return self.next(line, each);
        }
        let expected = u64::try_from(self.waiting.len()).unwrap_or(u64::MAX);
        let first = &self.waiting[0];
        let agreeing: Vec<Reading> = self
            .readings
            .iter()
            .filter(|reading| {
                let number = reading.number.saturating_add(expected);
                goes_on(line, &first[..reading.path_end], number).is_some()
            })
            .cloned()
            .collect();
        if agreeing.is_empty() {
            self.decide(each);
            return self.next(line, each);
        }
        self.readings = agreeing;
        self.waiting.push(line.to_owned());
        if self.readings.len() == 1 || self.waiting.len() >= MAX_WAITING_LINES {
            self.decide(each);
        }
    }

    /// The output is over.
    pub(crate) fn finish(&mut self, each: &mut impl FnMut(Outcome)) {
        self.decide(each);
        self.end(each);
    }

    /// A line when none is waiting.
    fn next(&mut self, line: &str, each: &mut impl FnMut(Outcome)) {
        if let Some((path, number)) = &self.current
            && self.context
            && let Some(reading) = goes_on(line, path, number.saturating_add(1))
        {
            self.current = Some((path.clone(), reading.number));
            return each(Outcome::Line(located(line, &reading, false)));
        }
        let readings = readings(line, &self.sources, self.context);
        if readings.is_empty() {
            // Its group, if any, goes on: messages come between the lines.
            return each(Outcome::Strange(line.to_owned()));
        }
        self.end(each);
        self.readings = readings;
        self.waiting.push(line.to_owned());
        // One line that matched is a whole group, unless more may show another path.
        if !self.context || self.readings.len() == 1 {
            self.decide(each);
        }
    }

    /// Chooses the path of the waiting lines and gives them.
    fn decide(&mut self, each: &mut impl FnMut(Outcome)) {
        let waiting = std::mem::take(&mut self.waiting);
        let candidates = std::mem::take(&mut self.readings);
        let Some(first) = waiting.first() else { return };
        let reads = |reading: &Reading| -> Vec<Reading> {
            let path = &first[..reading.path_end];
            let numbers = reading.number..;
            waiting.iter().zip(numbers).filter_map(|(line, number)| goes_on(line, path, number)).collect()
        };
        // A group has a line that matched, and the shortest path comes first.
        let complete = |lines: &Vec<Reading>| lines.iter().any(|line| line.matched);
        let Some(chosen) = candidates.iter().map(reads).find(complete).or_else(|| candidates.first().map(reads)) else {
            return;
        };
        let mut last = None;
        for (index, (line, reading)) in waiting.iter().zip(&chosen).enumerate() {
            each(Outcome::Line(located(line, reading, index == 0)));
            last = Some(reading.number);
        }
        self.current = last.zip(chosen.first()).map(|(number, reading)| (first[..reading.path_end].to_owned(), number));
    }

    fn end(&mut self, each: &mut impl FnMut(Outcome)) {
        if self.current.take().is_some() {
            each(Outcome::End);
        }
    }
}

/// Reads a line as one of that file and number.
fn goes_on(line: &str, path: &str, number: u64) -> Option<Reading> {
    let rest = line.strip_prefix(path)?;
    let separator = rest.chars().next().filter(|symbol| [':', '-'].contains(symbol))?;
    let (digits, _) = rest[1..].split_once(separator)?;
    (digits == number.to_string()).then_some(Reading {
        path_end: path.len(),
        number,
        text_start: path.len() + digits.len() + 2,
        matched: separator == ':',
    })
}

fn located(line: &str, reading: &Reading, first_of_group: bool) -> Located {
    Located {
        path: line[..reading.path_end].to_owned(),
        number: reading.number,
        text: line[reading.text_start..].to_owned(),
        matched: reading.matched,
        first_of_group,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(context: bool, lines: &[&str]) -> Vec<String> {
        let mut groups = Groups::new(vec!["/l".to_owned()], context);
        let mut read = Vec::new();
        let mut each = |outcome| {
            read.push(match outcome {
                Outcome::Line(line) => {
                    let mark = if line.matched { '=' } else { '~' };
                    format!(
                        "{}{}{mark}{}{}",
                        if line.first_of_group { ">" } else { "" },
                        line.path,
                        line.number,
                        line.text
                    )
                }
                Outcome::End => "end".to_owned(),
                Outcome::Strange(line) => format!("?{line}"),
            });
        };
        for line in lines {
            groups.line(line, &mut each);
        }
        groups.finish(&mut each);
        read
    }

    #[test]
    fn without_context_the_first_number_counts() {
        assert_eq!(
            read(false, &["/l/a.log:3:x:4:y", "/l/a-1-b.log:5:t", "find: '/l/x': Permission denied", "/other:1:x"]),
            [">/l/a.log=3x:4:y", "end", ">/l/a-1-b.log=5t", "?find: '/l/x': Permission denied", "?/other:1:x", "end"]
        );
    }

    #[test]
    fn names_with_dates_are_told_from_context() {
        assert_eq!(
            read(
                true,
                &["/l/app-2026-11-21.log-4-before", "/l/app-2026-11-21.log:5:hit", "/l/app-2026-11-21.log-6-after"]
            ),
            [">/l/app-2026-11-21.log~4before", "/l/app-2026-11-21.log=5hit", "/l/app-2026-11-21.log~6after", "end"]
        );
        assert_eq!(read(true, &["/l/app-2026-11-21.log:5:hit", "--"]), [">/l/app-2026-11-21.log=5hit", "end"]);
    }

    #[test]
    fn numbers_in_the_text_do_not_count() {
        assert_eq!(
            read(true, &["/l/a-1-x", "/l/a:2:-3-y", "/l/a-3-z :4: -5-"]),
            [">/l/a~1x", "/l/a=2-3-y", "/l/a~3z :4: -5-", "end"]
        );
    }

    #[test]
    fn groups_end_at_separators_and_other_files() {
        assert_eq!(
            read(true, &["/l/a:1:x", "--", "/l/a:9:y", "/l/b:10:z", "/l/b-11-z"]),
            [">/l/a=1x", "end", ">/l/a=9y", "end", ">/l/b=10z", "/l/b~11z", "end"]
        );
    }
}
