//! The long form, in English: sentences on the branch, then sections of indented entries.

use crate::path;
use crate::report::{Change, Conflict, Report};

/// The section the reader is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Section {
    #[default]
    None,
    Staged,
    Unstaged,
    Unmerged,
    Untracked,
    Ignored,
}

/// What is read across lines.
#[derive(Debug, Default)]
pub(crate) struct Long {
    section: Section,
    /// `Your branch and 'x' have diverged,` has been read; the counts follow.
    diverged: bool,
}

/// Beginnings of sentences that say something is going on.
const IN_PROGRESS: [(&str, &str); 13] = [
    ("You have unmerged paths.", "merge"),
    ("All conflicts fixed but you are still merging.", "merge"),
    ("You are currently rebasing", "rebase"),
    ("interactive rebase in progress; onto ", "rebase"),
    ("rebase in progress; onto ", "rebase"),
    ("You are currently editing a commit while rebasing", "rebase"),
    ("You are currently cherry-picking", "cherry-pick"),
    ("You are currently reverting", "revert"),
    ("Cherry-pick currently in progress.", "cherry-pick"),
    ("Revert currently in progress.", "revert"),
    ("You are currently splitting a commit while rebasing", "rebase"),
    ("You are currently bisecting", "bisect"),
    ("You are in the middle of an am session.", "am"),
];

/// Closing sentences without news of their own.
const CLOSING: [&str; 3] =
    ["no changes added to commit", "nothing added to commit but untracked files present", "nothing to commit"];

const SECTIONS: [(&str, Section); 6] = [
    ("Changes to be committed:", Section::Staged),
    ("Changes not staged for commit:", Section::Unstaged),
    ("Changed but not updated:", Section::Unstaged),
    ("Unmerged paths:", Section::Unmerged),
    ("Untracked files:", Section::Untracked),
    ("Ignored files:", Section::Ignored),
];

const CONFLICTS: [(&str, &str); 7] = [
    ("both deleted:", "both-deleted"),
    ("added by us:", "added-by-us"),
    ("deleted by them:", "deleted-by-them"),
    ("added by them:", "added-by-them"),
    ("deleted by us:", "deleted-by-us"),
    ("both added:", "both-added"),
    ("both modified:", "both-modified"),
];

const CHANGES: [(&str, &str); 6] = [
    ("new file:", "added"),
    ("modified:", "modified"),
    ("deleted:", "deleted"),
    ("renamed:", "renamed"),
    ("copied:", "copied"),
    ("typechange:", "type-changed"),
];

impl Long {
    /// Takes one line; false when it does not fit.
    pub(crate) fn line(&mut self, report: &mut Report, text: &str) -> bool {
        let text = uncomment(text);
        let diverged = std::mem::take(&mut self.diverged);
        if text.trim().is_empty() {
            return true;
        }
        if diverged {
            return counts_of_divergence(report, text).is_some();
        }
        if let Some(entry) = text.strip_prefix('\t').or_else(|| text.strip_prefix("        ")) {
            return entry_line(report, self.section, entry).is_some();
        }
        // Advice: `  (use "git add <file>..." …)`.
        if text.starts_with("  (") && text.ends_with(')') {
            return true;
        }
        if let Some((_, section)) = SECTIONS.iter().find(|(title, _)| *title == text) {
            self.section = *section;
            return true;
        }
        if let Some((_, kind)) = IN_PROGRESS.iter().find(|(sentence, _)| text.starts_with(sentence)) {
            if !report.in_progress.contains(kind) {
                report.in_progress.push(kind);
            }
            return true;
        }
        self.sentence(report, text).is_some()
    }

    fn sentence(&mut self, report: &mut Report, text: &str) -> Option<()> {
        if let Some(branch) = text.strip_prefix("On branch ") {
            report.branch = Some(branch.to_owned());
        } else if let Some(commit) = text.strip_prefix("HEAD detached at ").or(text.strip_prefix("HEAD detached from "))
        {
            report.detached = Some(true);
            report.commit = Some(commit.to_owned());
        } else if text == "Not currently on any branch." {
            report.detached = Some(true);
        } else if ["No commits yet", "Initial commit"].contains(&text) {
            report.no_commits = Some(true);
        } else if let Some(rest) = text.strip_prefix("Your branch ") {
            return self.tracking(report, rest);
        } else if let Some(rest) = text.strip_prefix("Your stash currently has ") {
            report.stashes = Some(rest.split(' ').next()?.parse().ok()?);
        } else {
            CLOSING.iter().find(|sentence| text.starts_with(*sentence))?;
            if text.starts_with("nothing to commit") && text.ends_with("clean") {
                report.clean = Some(true);
            }
        }
        Some(())
    }

    /// What follows `Your branch `.
    fn tracking(&mut self, report: &mut Report, text: &str) -> Option<()> {
        let name = |text: &str| -> Option<(String, String)> {
            let (name, rest) = text.strip_prefix('\'')?.split_once('\'')?;
            Some((name.to_owned(), rest.to_owned()))
        };
        let count = |text: &str| -> Option<u64> {
            let (count, unit) = text.split_once(' ')?;
            unit.starts_with("commit").then(|| count.parse().ok())?
        };
        if let Some(rest) = text.strip_prefix("is up to date with ").or(text.strip_prefix("is up-to-date with ")) {
            report.upstream = Some(name(rest)?.0);
            (report.ahead, report.behind) = (Some(0), Some(0));
        } else if let Some(rest) = text.strip_prefix("is ahead of ") {
            let (upstream, rest) = name(rest)?;
            report.ahead = Some(count(rest.strip_prefix(" by ")?)?);
            (report.upstream, report.behind) = (Some(upstream), Some(0));
        } else if let Some(rest) = text.strip_prefix("is behind ") {
            let (upstream, rest) = name(rest)?;
            report.behind = Some(count(rest.strip_prefix(" by ")?)?);
            (report.upstream, report.ahead) = (Some(upstream), Some(0));
        } else if let Some(rest) = text.strip_prefix("and ") {
            let (upstream, rest) = name(rest)?;
            (rest == " have diverged,").then_some(())?;
            report.upstream = Some(upstream);
            self.diverged = true;
        } else {
            let (upstream, rest) = name(text.strip_prefix("is based on ")?)?;
            (rest == ", but the upstream is gone.").then_some(())?;
            report.upstream = Some(upstream);
            report.upstream_gone = Some(true);
        }
        Some(())
    }
}

/// Old versions write `# ` before every line.
fn uncomment(text: &str) -> &str {
    match text.strip_prefix('#') {
        Some(rest) => rest.strip_prefix(' ').unwrap_or(rest),
        None => text,
    }
}

/// `and have 1 and 2 different commits each, respectively.`
fn counts_of_divergence(report: &mut Report, text: &str) -> Option<()> {
    let mut words = text.strip_prefix("and have ")?.split(' ');
    let (ahead, and, behind) = (words.next()?, words.next()?, words.next()?);
    (and == "and").then_some(())?;
    let (ahead, behind) = (ahead.parse().ok()?, behind.parse().ok()?);
    (report.ahead, report.behind) = (Some(ahead), Some(behind));
    Some(())
}

fn entry_line(report: &mut Report, section: Section, entry: &str) -> Option<()> {
    match section {
        Section::None => return None,
        Section::Untracked => report.untracked.push(path::read(entry)?),
        Section::Ignored => report.ignored.push(path::read(entry)?),
        Section::Unmerged => {
            let (conflict, path) = labelled(entry, &CONFLICTS)?;
            report.unmerged.push(Conflict { path: path::read(path)?, conflict });
        }
        Section::Staged => report.staged.push(change(entry)?),
        Section::Unstaged => report.unstaged.push(change(entry)?),
    }
    Some(())
}

/// The meaning of the label and the text behind it.
fn labelled<'a>(entry: &'a str, labels: &[(&str, &'static str)]) -> Option<(&'static str, &'a str)> {
    let (label, meaning) = labels.iter().find(|(label, _)| entry.starts_with(label))?;
    Some((meaning, entry[label.len()..].trim_start_matches(' ')))
}

fn change(entry: &str) -> Option<Change> {
    let (change, text) = labelled(entry, &CHANGES)?;
    if ["renamed", "copied"].contains(&change) {
        let (from, to) = path::read_pair(text)?;
        return Some(Change { original_path: Some(from), ..Change::new(to, change) });
    }
    let (path, note) = submodule_note(text);
    Some(Change { note: note.map(str::to_owned), ..Change::new(path::read(path)?, change) })
}

/// ` (new commits, modified content)` behind a submodule's path.
fn submodule_note(text: &str) -> (&str, Option<&str>) {
    const NOTES: [&str; 3] = ["new commits", "modified content", "untracked content"];
    text.strip_suffix(')')
        .and_then(|text| text.rsplit_once(" ("))
        .filter(|(_, note)| note.split(", ").all(|part| NOTES.contains(&part)))
        .map_or((text, None), |(path, note)| (path, Some(note)))
}
