//! The last row of an attached terminal: which session it is, where it is, and what the person has to know.

use serde_json::Value;

use super::super::approvals::visible;

pub(super) struct StatusLine {
    observe: bool,
    detach_key: String,
    session: String,
    notice: Option<String>,
    /// The session's size, where this terminal shows only a part.
    cut: Option<(u16, u16)>,
}

impl StatusLine {
    pub(super) fn new(observe: bool, detach_key: String) -> Self {
        Self { observe, detach_key, session: String::new(), notice: None, cut: None }
    }

    /// From the session's summary. A notice has been there long enough when something happens.
    pub(super) fn session(&mut self, told: &Value) {
        let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
        let crumbs: Vec<&str> = told["breadcrumb"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let place = if crumbs.is_empty() { text("host") } else { crumbs.join(" › ") };
        let mut parts = vec![text("session_id"), place, text("state")];
        parts.extend(told["running_command"].as_str().map(|command| format!("runs {command}")));
        self.session = parts.iter().map(|part| shown(part)).collect::<Vec<_>>().join(" · ");
        self.notice = None;
    }

    pub(super) fn notice(&mut self, message: String) {
        self.notice = Some(message);
    }

    pub(super) fn cut(&mut self, size: Option<(u16, u16)>) {
        self.cut = size;
    }

    /// The bytes that draw it, and leave the cursor and what it writes with as they were.
    pub(super) fn drawn(&self, (columns, rows): (u16, u16)) -> Vec<u8> {
        let mut text = self.text();
        // Cells are counted as characters; a wide one at the very end is cut off by the terminal.
        text = text.chars().take(usize::from(columns)).collect();
        let width = usize::from(columns);
        format!("\x1b7\x1b[?6l\x1b[{rows};1H\x1b[0;7m{text:width$}\x1b[m\x1b8").into_bytes()
    }

    fn text(&self) -> String {
        let leave = format!("{} leaves", self.detach_key);
        if let Some(notice) = &self.notice {
            return format!(" {} · {leave}", shown(notice));
        }
        let observing = if self.observe { "looking on · " } else { "" };
        let cut = self.cut.map(|(columns, rows)| format!(" · shows a part of {columns}×{rows}")).unwrap_or_default();
        format!(" {observing}{leave}{cut} · {}", self.session)
    }
}

fn shown(text: &str) -> String {
    text.split(' ').map(visible).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_in_a_name_acts_on_the_terminal_and_nothing_is_wider_than_it() {
        let mut status = StatusLine::new(false, "ctrl-]".to_owned());
        let place = format!("web\u{1b}[2J\u{202e}{}", "x".repeat(300));
        status.session(
            &json!({ "session_id": "s-web-1", "breadcrumb": [place], "state": "running", "running_command": "a b" }),
        );
        let drawn = String::from_utf8(status.drawn((60, 24))).unwrap();
        assert!(drawn.starts_with("\x1b7\x1b[?6l\x1b[24;1H\x1b[0;7m ctrl-] leaves · s-web-1 · web"), "{drawn:?}");
        assert!(
            !drawn.contains("\x1b[2J") && !drawn.contains('\u{202e}') && drawn.chars().count() < 60 + 40,
            "{drawn:?}"
        );
        status.notice("not\u{7} sent".to_owned());
        assert!(status.text().contains("sent") && !status.text().contains('\u{7}'));
    }
}
