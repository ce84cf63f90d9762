//! Lines of a screen: the last one, and what of it is shown with a failure.

use portcullis_plugin::navigator::CommandResult;

/// Rows and characters shown with a failure.
const MAX_SHOWN_ROWS: usize = 20;
const MAX_SHOWN_CHARS: usize = 200;

/// The last line that is not blank, without trailing blanks.
pub fn last_line(lines: &[String]) -> Option<&str> {
    lines.iter().map(|line| line.trim_end()).rfind(|line| !line.is_empty())
}

/// The last rows, cleaned and cut, for a failure.
pub fn shown(lines: &[String]) -> Vec<String> {
    let filled: Vec<&String> = lines.iter().filter(|line| !line.trim().is_empty()).collect();
    let clean = |line: &&String| -> String {
        line.trim_end().chars().filter(|symbol| !symbol.is_control()).take(MAX_SHOWN_CHARS).collect()
    };
    filled[filled.len().saturating_sub(MAX_SHOWN_ROWS)..].iter().map(clean).collect()
}

/// The last rows of what a command printed.
pub fn output_rows(result: &CommandResult) -> Vec<String> {
    let lines: Vec<String> = result.output.lines().map(str::to_owned).collect();
    shown(&lines)
}
