//! Where the echo of a typed line ends and the output begins, for shells that do not mark it.
//!
//! dash, BusyBox ash and mksh have no hook that runs before a command. What stands between Enter
//! and the end mark is then the echoed line, one line feed per typed line (more where the shell's
//! own editor wraps), and the output. The sent text is followed through the echo with control
//! sequences and wraps left aside; a shell that scrolls a long line sideways shows only parts of
//! it, and then the line feeds are counted instead.

use crate::clean::clean;

/// PS2 of every POSIX shell, unless somebody has changed it.
const CONTINUATION_PROMPT: &[u8] = b"> ";
/// Longest echo looked at; typed lines are far shorter.
pub(crate) const MAX_ECHO_BYTES: u64 = 64 * 1024;
/// As much of the echo's beginning has to agree with the sent line for the line feeds to be counted.
const TELLING_CHARS: usize = 6;
/// Fewer tell nothing.
const FEWEST_CHARS: usize = 5;

/// Index into `bytes` where the output begins, when `sent` was typed just before them.
///
/// `sent` is what was typed without its last Enter; `\r` stands between several lines. A terminal
/// that does not echo gives 0.
pub(crate) fn output_start(bytes: &[u8], sent: &str) -> usize {
    let echoed = Echoed::of(bytes);
    let mut position = 0;
    let mut end = 0;
    for (index, line) in sent.split('\r').enumerate() {
        match echoed.find(line.trim_end(), position) {
            Some(after) => {
                end = echoed.behind_line_feed(bytes, after);
                position = echoed.position_at(end);
            }
            None if index == 0 && echoed.begins_like(sent) => {
                return behind_line_feeds(bytes, sent.split('\r').count());
            }
            None => return end,
        }
    }
    behind_prompts(bytes, behind_second_echo(bytes, end, sent), sent.matches('\r').count())
}

/// Lines that come faster than the shell reads them are echoed first, and the prompts for their
/// continuation are drawn afterwards, in a row.
fn behind_prompts(bytes: &[u8], end: usize, lines: usize) -> usize {
    let prompts = bytes[end..].chunks(CONTINUATION_PROMPT.len()).take(lines);
    end + prompts.take_while(|chunk| *chunk == CONTINUATION_PROMPT).count() * CONTINUATION_PROMPT.len()
}

/// What is typed before the shell's editor has taken the terminal is echoed by the terminal first
/// and by the editor again, whole or scrolled sideways (mksh ends such a row with `<`).
fn behind_second_echo(bytes: &[u8], end: usize, sent: &str) -> usize {
    let rest = &bytes[end..];
    let Some(feed) = rest.iter().position(|byte| *byte == b'\n') else { return end };
    // As it stands in the end: scrolling draws the row again and again.
    let text = clean(&rest[..feed], u16::MAX).text;
    let scrolled = text.trim_end().strip_suffix('<').map(str::trim);
    let part = scrolled.is_some_and(|part| part.len() >= TELLING_CHARS && sent.contains(part));
    if text.trim() == sent.trim() || part { end + feed + 1 } else { end }
}

/// The characters that were drawn, each with where it stood; line ends and control sequences are
/// left out, so that a wrapped line reads as one.
struct Echoed {
    text: Vec<u8>,
    at: Vec<usize>,
    /// Index of the first line feed, or of the end.
    first_feed: usize,
}

impl Echoed {
    fn of(bytes: &[u8]) -> Self {
        let first_feed = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
        let mut echoed = Self { text: Vec::new(), at: Vec::new(), first_feed };
        let mut index = 0;
        while index < bytes.len() {
            match bytes[index] {
                0x1b => index += escape_length(&bytes[index..]),
                byte if byte < 0x20 => index += 1,
                byte => {
                    echoed.text.push(byte);
                    echoed.at.push(index);
                    index += 1;
                }
            }
        }
        echoed
    }

    /// Position behind `line` in the drawn text, searched from `from` on.
    fn find(&self, line: &str, from: usize) -> Option<usize> {
        let wanted: Vec<u8> = line.bytes().filter(|byte| *byte >= 0x20).collect();
        if wanted.is_empty() {
            return Some(from);
        }
        let text = self.text.get(from..)?;
        text.windows(wanted.len()).position(|window| window == wanted).map(|start| from + start + wanted.len())
    }

    /// Index into the bytes behind the line feed that follows drawn character `position`.
    fn behind_line_feed(&self, bytes: &[u8], position: usize) -> usize {
        let start = position.checked_sub(1).and_then(|last| self.at.get(last)).map_or(0, |index| index + 1);
        bytes[start..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |found| start + found + 1)
    }

    fn position_at(&self, index: usize) -> usize {
        self.at.partition_point(|at| *at < index)
    }

    fn begins_like(&self, sent: &str) -> bool {
        // What an editor makes of other characters is its own affair (ash shows question marks).
        let ascii = sent.trim_start().bytes().take_while(|byte| byte.is_ascii_graphic() || *byte == b' ');
        let head: Vec<u8> = ascii.take(TELLING_CHARS).collect();
        let drawn = self.text.iter().position(|byte| *byte != b' ').unwrap_or(self.text.len());
        if self.text[drawn..].starts_with(&head) {
            return !head.is_empty();
        }
        // Behind a prompt that was drawn once more.
        let first_line = &self.text[..self.position_at(self.first_feed)];
        head.len() >= FEWEST_CHARS && first_line.windows(head.len()).any(|window| window == head)
    }
}

/// Length of the control sequence at the start of `bytes` (ECMA-48: CSI to its final byte, OSC to
/// BEL or ST, anything else two bytes).
fn escape_length(bytes: &[u8]) -> usize {
    match bytes.get(1) {
        Some(b'[') => bytes[2..].iter().position(|byte| (0x40..=0x7e).contains(byte)).map_or(bytes.len(), |i| i + 3),
        Some(b']') => {
            let end = bytes.iter().position(|byte| *byte == 0x07);
            let terminator = bytes.windows(2).skip(1).position(|pair| pair == b"\x1b\\").map(|index| index + 3);
            end.map(|index| index + 1).into_iter().chain(terminator).min().unwrap_or(bytes.len())
        }
        _ => bytes.len().min(2),
    }
}

fn behind_line_feeds(bytes: &[u8], count: usize) -> usize {
    let feeds = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    feeds.map(|(index, _)| index + 1).nth(count.saturating_sub(1)).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output<'a>(bytes: &'a str, sent: &str) -> &'a str {
        &bytes[output_start(bytes.as_bytes(), sent)..]
    }

    #[test]
    fn the_echo_of_a_plain_line_is_left_out() {
        assert_eq!(output("echo hi\r\nhi\r\n", "echo hi"), "hi\r\n");
        assert_eq!(output("true\r\n", "true"), "");
        assert_eq!(output("echo hi\r\r\nhi\r\n", "echo hi"), "hi\r\n");
    }

    #[test]
    fn prompts_drawn_behind_the_whole_echo_are_no_output() {
        let echo = "command eval 'echo a\r\necho b'\r\n> a\r\nb\r\n";
        assert_eq!(output(echo, "command eval 'echo a\recho b'"), "a\r\nb\r\n");
        assert_eq!(output("echo \"> x\"\r\n> x\r\n", "echo \"> x\""), "> x\r\n");
        assert_eq!(output("echo ?? ??\r\n\u{4f60}\r\n", "echo \u{4f60}\u{597d}"), "\u{4f60}\r\n");
    }

    #[test]
    fn a_line_wrapped_by_the_shell_s_editor_is_one_line() {
        assert_eq!(output("echo aaaa\r\nbbbb\r\naaaabbbb\r\n", "echo aaaabbbb"), "aaaabbbb\r\n");
        assert_eq!(output("echo aa\x1b[6n\r\nbb\x1b[J\r\naabb\r\n", "echo aabb"), "aabb\r\n");
    }

    #[test]
    fn every_line_of_a_script_has_its_echo() {
        let echo = "command eval 'for n in 1 2\r\n> do echo $n\r\n> done'\r\n1\r\n2\r\n";
        assert_eq!(output(echo, "command eval 'for n in 1 2\rdo echo $n\rdone'"), "1\r\n2\r\n");
    }

    #[test]
    fn output_is_kept_where_nothing_is_echoed() {
        assert_eq!(output("hi\r\n", "echo hi"), "hi\r\n");
        assert_eq!(output("", "stty echo"), "");
    }

    #[test]
    fn an_echo_by_terminal_and_editor_is_left_out_twice() {
        assert_eq!(output("echo hi\r\necho hi\r\nhi\r\n", "echo hi"), "hi\r\n");
        assert_eq!(output("echo abcdefghijkl\r\n\rdefghijkl   <\r\nabc\r\n", "echo abcdefghijkl"), "abc\r\n");
    }

    #[test]
    fn a_line_scrolled_sideways_is_counted_by_its_line_feed() {
        assert_eq!(output("echo aaaaaa<bbbb cccc\r\nout\r\n", "echo aaaaaaaaaaaaaaaaaaaabbbb cccc"), "out\r\n");
    }
}
