//! What was printed since something was typed, without the echo of what was typed.
//!
//! Pure. The echo is looked for at the beginning only: a tty prints it the moment the keys arrive, and
//! text further on that equals the typed text is the program's own.

/// `printed` without the echo of `typed` at its beginning. While only a part of the echo has arrived,
/// nothing of it counts as printed.
pub(super) fn without_echo<'a>(printed: &'a str, typed: &str) -> &'a str {
    if typed.is_empty() {
        return printed;
    }
    let mut rest = printed;
    for wanted in typed.chars() {
        let mut seen = rest.chars();
        match seen.next() {
            // The echo is still on its way.
            None => return "",
            Some(found) if same(found, wanted) => rest = seen.as_str(),
            // This program does not echo, or something else came first.
            Some(_) => return printed,
        }
    }
    rest.strip_prefix('\n').unwrap_or(rest)
}

/// A wide line wraps, and a line editor then shows the blank at the margin as a line end.
fn same(found: char, wanted: char) -> bool {
    found == wanted || (found == '\n' && wanted == ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_echo_is_left_out_and_nothing_else() {
        let cases = [
            ("hello\nhello\n", "hello", "hello\n"),
            ("hel", "hello", ""),
            ("", "hello", ""),
            ("Name: ", "hello", "Name: "),
            ("^C\nTraceback", "^C", "Traceback"),
            ("help\n", "hello", "help\n"),
            ("2\n", "", "2\n"),
            ("你好\n再见", "你好", "再见"),
        ];
        for (printed, typed, rest) in cases {
            assert_eq!(without_echo(printed, typed), rest, "{printed:?} {typed:?}");
        }
    }
}
