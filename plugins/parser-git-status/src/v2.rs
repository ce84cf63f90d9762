//! `--porcelain=v2`: a letter for the kind of line, then fields of fixed number.

use crate::path;
use crate::report::Report;

/// Takes one line; false when it does not fit.
pub(crate) fn line(report: &mut Report, text: &str) -> bool {
    let Some((kind, rest)) = text.split_once(' ') else { return false };
    match kind {
        "#" => header(report, rest).is_some(),
        // XY sub mH mI mW hH hI path
        "1" => fields(rest, 8).and_then(|fields| changed(report, &fields)).is_some(),
        // XY sub mH mI mW hH hI Xscore path TAB original
        "2" => fields(rest, 9).and_then(|fields| renamed(report, &fields)).is_some(),
        // XY sub m1 m2 m3 mW h1 h2 h3 path
        "u" => fields(rest, 10).and_then(|fields| changed(report, &fields)).is_some(),
        "?" => path::read(rest).map(|path| report.untracked.push(path)).is_some(),
        "!" => path::read(rest).map(|path| report.ignored.push(path)).is_some(),
        _ => false,
    }
}

fn header(report: &mut Report, text: &str) -> Option<()> {
    let (name, value) = text.split_once(' ')?;
    match (name, value) {
        ("branch.oid", "(initial)") => report.no_commits = Some(true),
        ("branch.oid", commit) => report.commit = Some(commit.to_owned()),
        ("branch.head", "(detached)") => report.detached = Some(true),
        ("branch.head", branch) => report.branch = Some(branch.to_owned()),
        ("branch.upstream", upstream) => report.upstream = Some(upstream.to_owned()),
        ("branch.ab", counts) => {
            let (ahead, behind) = counts.split_once(' ')?;
            let (ahead, behind) = (ahead.strip_prefix('+')?.parse().ok()?, behind.strip_prefix('-')?.parse().ok()?);
            (report.ahead, report.behind) = (Some(ahead), Some(behind));
        }
        ("stash", count) => report.stashes = Some(count.parse().ok()?),
        _ => return None,
    }
    Some(())
}

fn fields(text: &str, count: usize) -> Option<Vec<&str>> {
    let fields: Vec<&str> = text.splitn(count, ' ').collect();
    (fields.len() == count).then_some(fields)
}

fn letters(field: &str) -> Option<(char, char)> {
    let mut letters = field.chars();
    let pair = (letters.next()?, letters.next()?);
    (letters.next().is_none() && pair.0 != ' ' && pair.1 != ' ').then_some(pair)
}

fn changed(report: &mut Report, fields: &[&str]) -> Option<()> {
    let (first, last) = (fields.first()?, fields.last()?);
    report.entry(letters(first)?, &path::read(last)?, None).then_some(())
}

fn renamed(report: &mut Report, fields: &[&str]) -> Option<()> {
    let (first, last) = (fields.first()?, fields.last()?);
    let (path, original) = last.split_once('\t')?;
    report.entry(letters(first)?, &path::read(path)?, Some(&path::read(original)?)).then_some(())
}
