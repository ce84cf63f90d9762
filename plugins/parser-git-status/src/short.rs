//! The short form: `XY path`, and `## branch` at the top.

use crate::path;
use crate::report::Report;

/// Takes one line; false when it does not fit.
pub(crate) fn line(report: &mut Report, text: &str) -> bool {
    if let Some(head) = text.strip_prefix("## ") {
        return branch(report, head);
    }
    let mut letters = text.chars();
    let (Some(index), Some(tree), Some(' ')) = (letters.next(), letters.next(), letters.next()) else { return false };
    let rest = letters.as_str();
    match (index, tree) {
        ('?', '?') => path::read(rest).map(|path| report.untracked.push(path)).is_some(),
        ('!', '!') => path::read(rest).map(|path| report.ignored.push(path)).is_some(),
        _ if [index, tree].iter().any(|letter| ['R', 'C'].contains(letter)) => match path::read_pair(rest) {
            Some((from, to)) => report.entry((index, tree), &to, Some(&from)),
            None => false,
        },
        // `.` is for the other form.
        _ if index == '.' || tree == '.' => false,
        _ => path::read(rest).is_some_and(|path| report.entry((index, tree), &path, None)),
    }
}

/// Whether a first line is of this form rather than of the long one.
pub(crate) fn is_first_line(text: &str) -> bool {
    line(&mut Report::default(), text)
}

fn branch(report: &mut Report, head: &str) -> bool {
    if head == "HEAD (no branch)" {
        report.detached = Some(true);
        return true;
    }
    let (head, no_commits) = match head.strip_prefix("No commits yet on ").or(head.strip_prefix("Initial commit on ")) {
        Some(branch) => (branch, true),
        None => (head, false),
    };
    // A branch's name has no blank and no `..`.
    let (names, counts) = match head.split_once(' ') {
        Some((names, counts)) => (names, Some(counts)),
        None => (head, None),
    };
    let (branch, upstream) = match names.split_once("...") {
        Some((branch, upstream)) => (branch, Some(upstream)),
        None => (names, None),
    };
    if branch.is_empty() || upstream == Some("") {
        return false;
    }
    let Some(tracking) = counts.map_or(Some(Tracking::default()), tracking) else { return false };
    report.branch = Some(branch.to_owned());
    report.no_commits = no_commits.then_some(true);
    report.upstream_gone = tracking.gone.then_some(true);
    if upstream.is_some() && !tracking.gone {
        report.ahead = Some(tracking.ahead);
        report.behind = Some(tracking.behind);
    }
    report.upstream = upstream.map(str::to_owned);
    true
}

#[derive(Default)]
struct Tracking {
    ahead: u64,
    behind: u64,
    gone: bool,
}

/// `[ahead 1, behind 2]` or `[gone]`.
fn tracking(text: &str) -> Option<Tracking> {
    let mut tracking = Tracking::default();
    for part in text.strip_prefix('[')?.strip_suffix(']')?.split(", ") {
        match part.split_once(' ') {
            Some(("ahead", count)) => tracking.ahead = count.parse().ok()?,
            Some(("behind", count)) => tracking.behind = count.parse().ok()?,
            None if part == "gone" => tracking.gone = true,
            _ => return None,
        }
    }
    Some(tracking)
}
