//! A terminal as a page of text: a title, and the last lines with who typed what among them.

use serde_json::{Map, Value, json};

use super::Call;
use super::settings::SshSessionMcpSettings;
use super::summary::Seen;
use super::told::Told;
use crate::ops;

/// Least width and height, in characters.
const LEAST: (usize, usize) = (40, 6);
/// Most of either.
const MOST: usize = 1_000;
/// Title and the line below it.
const HEAD_LINES: usize = 2;
const TAB: &str = "    ";

/// What a call asks of it.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) width: Option<usize>,
    pub(super) height: Option<usize>,
    pub(super) left_chars: Option<usize>,
    pub(super) right_events: Option<usize>,
    pub(super) strip_ansi: Option<bool>,
    pub(super) include: Option<bool>,
}

/// Its measures.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    width: usize,
    height: usize,
    left_chars: usize,
    right_events: usize,
}

impl Wanted {
    pub(super) fn shape(&self, settings: &SshSessionMcpSettings) -> Shape {
        let width = self.width.unwrap_or(settings.default_dashboard_width);
        let height = self.height.unwrap_or(settings.default_dashboard_height);
        Shape {
            width: width.clamp(LEAST.0, MOST),
            height: height.clamp(LEAST.1, MOST),
            left_chars: self.left_chars.unwrap_or(settings.default_dashboard_left_chars),
            right_events: self.right_events.unwrap_or(settings.default_dashboard_right_events),
        }
    }

    pub(super) fn is_included(&self) -> bool {
        self.include != Some(false)
    }

    /// Where the result differs from what was asked for.
    pub(super) fn notes(&self) -> Vec<String> {
        let raw = self.strip_ansi == Some(false);
        raw.then(|| "control sequences are never returned; a person sees the terminal itself in the viewer".to_owned())
            .into_iter()
            .collect()
    }
}

impl Shape {
    pub(super) fn fields(&self) -> Map<String, Value> {
        let fields = json!({
            "dashboardWidth": self.width,
            "dashboardHeight": self.height,
            "dashboardLeftChars": self.left_chars,
            "dashboardRightEvents": self.right_events,
            "stripAnsiFromLeft": true,
        });
        fields.as_object().cloned().unwrap_or_default()
    }
}

/// Draws the session's terminal.
pub(super) async fn draw(call: &Call, seen: &Seen, shape: Shape) -> Result<String, Told> {
    let count = shape.height.saturating_sub(HEAD_LINES);
    let lines = ops::latest_lines(&call.host, seen.id(), count as u64).await?;
    let summary = &seen.view.summary;
    let closed = if summary.closed_reason.is_some() { " [closed]" } else { "" };
    let title = format!("{} {}@{}{closed}", seen.reference(), seen.view.user, seen.view.address);
    Ok(page(&title, &lines, shape))
}

fn page(title: &str, lines: &[String], shape: Shape) -> String {
    let mut left = shape.left_chars;
    let mut rows: Vec<String> = Vec::new();
    for line in lines.iter().rev() {
        let row = cut(&line.replace('\t', TAB), shape.width);
        let length = row.chars().count();
        if length > left {
            break;
        }
        left -= length;
        rows.push(row);
    }
    let head = [cut(title, shape.width), String::new()];
    let all: Vec<String> = head.into_iter().chain(rows.into_iter().rev()).collect();
    all.join("\n")
}

/// As much of the row as fits into so many columns.
fn cut(row: &str, columns: usize) -> String {
    let mut left = columns;
    row.chars()
        .take_while(|c| {
            let width = portcullis_term::width(*c);
            let fits = width <= left;
            left = left.saturating_sub(width);
            fits
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(width: usize, left_chars: usize) -> Shape {
        Shape { width, height: 24, left_chars, right_events: 0 }
    }

    #[test]
    fn a_page_is_a_title_and_the_newest_lines_that_fit() {
        let lines = ["old", "a\tb", "[agent] ls"].map(str::to_owned);
        assert_eq!(page("lab/main", &lines, shape(40, 1000)), "lab/main\n\nold\na    b\n[agent] ls");
        assert_eq!(page("lab/main", &lines, shape(40, 12)), "lab/main\n\n[agent] ls");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(cut("构建完成", 5), "构建");
        assert_eq!(cut("abc", 2), "ab");
    }
}
