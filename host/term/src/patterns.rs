//! Shapes of the last line that mean "this waits for somebody", in English and Chinese.
//!
//! Used only while the terminal is quiet and the cursor stands at the end of the line; none of them
//! is ever taken as the end of a command. Strict shapes are hardly anything but a question; broad
//! ones (a colon, a question mark) only count after a longer silence and are told with low
//! confidence. Full-width punctuation is folded first.

use crate::outcome::AwaitingKind;

/// What a line asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub kind: AwaitingKind,
    /// The answers the question itself offers, as it writes them.
    pub options: Vec<String>,
    /// The one that Enter alone takes.
    pub default: Option<String>,
    /// The shape is hardly anything else.
    pub strict: bool,
}

impl Question {
    fn strict(kind: AwaitingKind) -> Self {
        Self { kind, options: Vec::new(), default: None, strict: true }
    }

    fn broad(kind: AwaitingKind) -> Self {
        Self { strict: false, ..Self::strict(kind) }
    }
}

/// What the line before the cursor asks for, if it has one of the strict shapes.
pub fn awaiting(line: &str) -> Option<AwaitingKind> {
    question(line, &[]).filter(|question| question.strict).map(|question| question.kind)
}

/// What the line before the cursor asks for. `above` are the rows over it, oldest first.
pub fn question(line: &str, above: &[String]) -> Option<Question> {
    let folded = fold(line);
    let text = folded.trim_end();
    if text.trim().is_empty() {
        return None;
    }
    if text.contains("yes/no/[fingerprint]") {
        let options = ["yes", "no", "fingerprint"].map(str::to_owned).to_vec();
        return Some(Question { options, ..Question::strict(AwaitingKind::Hostkey) });
    }
    if let Some((kind, _)) = FIRST.iter().find(|(_, shape)| shape(text)) {
        return Some(Question::strict(*kind));
    }
    if let Some(question) = confirmation(line) {
        return Some(question);
    }
    if let Some((kind, _)) = STRICT.iter().find(|(_, shape)| shape(text)) {
        return Some(Question::strict(*kind));
    }
    let options = numbered(above);
    if !options.is_empty() && [':', '?', '>', '#'].iter().any(|sign| text.ends_with(*sign)) {
        return Some(Question { options, ..Question::strict(AwaitingKind::Choice) });
    }
    if is_repl(text) {
        return Some(Question::strict(AwaitingKind::Repl));
    }
    let broad = text.ends_with(':') || text.ends_with('?');
    broad.then(|| Question::broad(AwaitingKind::Text))
}

type Shape = fn(&str) -> bool;

/// Looked for before anything else: a bastion's own words outrank what they quote.
const FIRST: &[(AwaitingKind, Shape)] = &[
    (AwaitingKind::Approval, |text| {
        let phrases = ["requires review", "wait for your admin", "waiting for approval", "等待审核", "审核人复核"];
        phrases.iter().any(|phrase| text.contains(phrase)) && !text.contains('[')
    }),
    (AwaitingKind::Filetransfer, |text| text.contains("waiting to receive") || text.starts_with("**b0")),
    (AwaitingKind::Pager, is_pager),
    (AwaitingKind::PressKey, is_press_key),
];

const STRICT: &[(AwaitingKind, Shape)] = &[
    (AwaitingKind::Otp, |text| {
        let words = ["verification code", "one-time", "otp", "mfa", "code]", "token code", "动态码", "动态口令"];
        asks_for(text, &words) || asks_for(text, &["验证码", "短信码"])
    }),
    (AwaitingKind::Passphrase, |text| asks_for(text, &["passphrase"])),
    (AwaitingKind::Password, |text| asks_for(text, &["password", "passcode", "pin for", "密码", "口令"])),
    (AwaitingKind::Menu, |text| {
        asks_for(text, &["selection", "choice", "number", "target ip", "选择", "编号", "序号"])
            || ["opt>", "[host]>", "[k8s]>", "[db]>", "id>"].iter().any(|prompt| text.ends_with(prompt))
    }),
    (AwaitingKind::Continuation, is_continuation),
    (AwaitingKind::Text, |text| asks_for(text, &["login", "username", "用户名"])),
];

/// A question with one of these words near its end, closed by a colon (`[sudo] password for ann:`).
fn asks_for(text: &str, words: &[&str]) -> bool {
    let tail_start = text.char_indices().rev().nth(60).map_or(0, |(index, _)| index);
    let tail = &text[tail_start..];
    (tail.ends_with(':') || tail.ends_with("]>")) && words.iter().any(|word| tail.contains(word))
}

/// Answers a yes-or-no question may offer, folded.
const ANSWERS: &[&str] =
    &["y", "n", "yes", "no", "a", "all", "q", "quit", "是", "否", "ok", "cancel", "never", "always"];

/// `[Y/n]`, `(yes/no)`, `[confirm]`, `rm: remove regular file 'a'?`. The one capital among small
/// letters is what Enter takes.
fn confirmation(line: &str) -> Option<Question> {
    let folded = fold_width(line);
    let bare = folded.trim_end().trim_end_matches([':', '?', ' ', '>']);
    let lower = bare.to_lowercase();
    if lower.ends_with("[confirm]") {
        return Some(Question { default: Some("Enter".to_owned()), ..Question::strict(AwaitingKind::Confirm) });
    }
    if let Some(options) = offered(bare) {
        let capital = |option: &&String| option.chars().next().is_some_and(char::is_uppercase);
        let capitals: Vec<&String> = options.iter().filter(capital).collect();
        let default = match capitals.as_slice() {
            [only] if options.len() > 1 => Some((*only).clone()),
            _ => None,
        };
        return Some(Question { options, default, ..Question::strict(AwaitingKind::Confirm) });
    }
    let asks = folded.trim_end().ends_with('?');
    let tool = ["rm: ", "cp: ", "mv: ", "ln: ", "gzip: ", "unzip: "].iter().any(|name| folded.starts_with(name));
    let options = || vec!["y".to_owned(), "n".to_owned()];
    (asks && tool).then(|| Question { options: options(), ..Question::strict(AwaitingKind::Confirm) })
}

/// The answers between the last brackets of the line, when they are answers.
fn offered(bare: &str) -> Option<Vec<String>> {
    let close = bare.chars().next_back().filter(|c| matches!(c, ']' | ')'))?;
    let open = if close == ']' { '[' } else { '(' };
    let inside = &bare[bare.rfind(open)? + 1..bare.len() - 1];
    let options: Vec<String> = inside.split(['/', '|']).map(|option| option.trim().to_owned()).collect();
    let known = |option: &String| ANSWERS.contains(&option.to_lowercase().as_str());
    (options.len() > 1 && options.iter().all(known)).then_some(options)
}

fn is_pager(text: &str) -> bool {
    text.ends_with("(end)")
        || text.contains("--more--")
        || text.contains("-- more --")
        || text.ends_with("press h for help or q to quit)")
        || text.ends_with("<--- more --->")
        || (text.starts_with("lines ") && text.contains('-') && text.len() < 60)
}

fn is_press_key(text: &str) -> bool {
    let phrases =
        ["press any key", "press enter", "press return", "hit enter", "按任意键", "回车继续", "按回车键", "键退出"];
    phrases.iter().any(|phrase| text.contains(phrase))
}

/// Prompts of interpreters and database clients that wait for a statement (folded to lower case).
fn is_repl(text: &str) -> bool {
    let exact = [">", ">>>", "(pdb)", "(gdb)", "(lldb)", "irb>", "ipdb>"];
    if exact.contains(&text) || (text.starts_with("in [") && text.ends_with("]:")) {
        return true;
    }
    if text.starts_with("irb(") && text.ends_with('>') {
        return true;
    }
    is_psql(text, '=') || text.strip_suffix('>').is_some_and(|name| is_client_name(name.trim_end()))
}

/// `name>`, `MariaDB [shop]>`, `127.0.0.1:6379>`: a word or two, no path, no mail address.
fn is_client_name(name: &str) -> bool {
    let mut words = name.split(' ');
    let first = words.next().unwrap_or_default();
    let second = words.next();
    let word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || ".-_:".contains(c));
    let bracketed = |word: &str| word.starts_with('[') && word.ends_with(']');
    word(first) && second.is_none_or(bracketed) && words.next().is_none()
}

/// psql's `shop=#`, `shop=>` and their relatives, where `sign` says what is open.
fn is_psql(text: &str, sign: char) -> bool {
    let Some(rest) = text.strip_suffix(['#', '>']) else { return false };
    let rest = rest.strip_suffix(['*', '!', '?']).unwrap_or(rest);
    rest.strip_suffix(sign)
        .is_some_and(|name| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_'))
}

/// A statement that goes on: `...`, `   ...>`, `    ->`, `shop-#`, `shop(#`.
fn is_continuation(text: &str) -> bool {
    let bare = text.trim_start();
    ["...", "...>", "->", "quote>", "dquote>", "bquote>", "cmdsubst>", "heredoc>", "for>", "while>", "if>", "then>"]
        .contains(&bare)
        || (bare.starts_with("...") && bare.ends_with(':') && bare.len() < 12)
        || (bare.starts_with("irb(") && bare.ends_with('*'))
        || ['-', '(', '\'', '"', '$'].iter().any(|sign| is_psql(bare, *sign))
}

/// The numbers of a list of choices over the line, when there are at least two.
fn numbered(above: &[String]) -> Vec<String> {
    let number = |row: &String| -> Option<String> {
        let row = row.trim_start().trim_start_matches(['[', '(']);
        let digits: String = row.chars().take_while(char::is_ascii_digit).collect();
        let rest = row[digits.len()..].chars().next()?;
        (!digits.is_empty() && digits.len() < 4 && matches!(rest, ')' | '.' | ':' | ']' | '、')).then_some(digits)
    };
    let listed: Vec<String> = above.iter().rev().map_while(number).collect();
    if listed.len() < 2 { Vec::new() } else { listed.into_iter().rev().collect() }
}

/// A line that looks like a shell's prompt: ends in one of the usual signs.
pub fn looks_like_prompt(line: &str) -> bool {
    let text = line.trim_end();
    let sign = text.chars().next_back();
    matches!(sign, Some('$' | '#' | '%' | '❯' | '➜')) || (sign == Some('>') && text.chars().count() < 120)
}

/// As [`looks_like_prompt`], and not the prompt of an interpreter or a database client.
pub fn looks_like_shell_prompt(line: &str) -> bool {
    let folded = fold(line);
    let text = folded.trim_end();
    looks_like_prompt(line) && !text.ends_with('>') && !is_repl(text) && !is_continuation(text)
}

/// Lower case, full-width signs as their narrow forms.
fn fold(line: &str) -> String {
    fold_width(line).to_lowercase()
}

fn fold_width(line: &str) -> String {
    line.chars()
        .map(|c| match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
            '\u{3000}' => ' ',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn questions_are_told_apart() {
        let cases = [
            ("[sudo] password for ann: ", Some(AwaitingKind::Password)),
            ("Enter passphrase for key '/home/a/.ssh/id': ", Some(AwaitingKind::Passphrase)),
            ("请输入密码：", Some(AwaitingKind::Password)),
            ("Verification code: ", Some(AwaitingKind::Otp)),
            ("请输入短信验证码：", Some(AwaitingKind::Otp)),
            ("Are you sure you want to continue connecting (yes/no/[fingerprint])? ", Some(AwaitingKind::Hostkey)),
            ("Do you want to continue? [Y/n] ", Some(AwaitingKind::Confirm)),
            ("rm: remove regular file 'a'? ", Some(AwaitingKind::Confirm)),
            ("是否继续（是/否）：", Some(AwaitingKind::Confirm)),
            ("Reload? [confirm]", Some(AwaitingKind::Confirm)),
            ("--More--(17%)", Some(AwaitingKind::Pager)),
            ("(END)", Some(AwaitingKind::Pager)),
            ("lines 1-39/812", Some(AwaitingKind::Pager)),
            ("按任意键继续", Some(AwaitingKind::PressKey)),
            ("Target IP: ", Some(AwaitingKind::Menu)),
            ("Opt> ", Some(AwaitingKind::Menu)),
            ("等待审核人复核确认，按 q 回车取消登录。", Some(AwaitingKind::Approval)),
            ("rz waiting to receive.", Some(AwaitingKind::Filetransfer)),
            (">>> ", Some(AwaitingKind::Repl)),
            ("sqlite> ", Some(AwaitingKind::Repl)),
            ("shop=# ", Some(AwaitingKind::Repl)),
            ("shop=*> ", Some(AwaitingKind::Repl)),
            ("MariaDB [shop]> ", Some(AwaitingKind::Repl)),
            ("127.0.0.1:6379> ", Some(AwaitingKind::Repl)),
            ("   ...> ", Some(AwaitingKind::Continuation)),
            ("shop-# ", Some(AwaitingKind::Continuation)),
            ("... ", Some(AwaitingKind::Continuation)),
            ("user@host:~$ ", None),
            ("root@host:~# ", None),
            ("the word Password: inside a sentence that goes on", None),
            ("Name: ", None),
            ("", None),
        ];
        for (line, kind) in cases {
            assert_eq!(awaiting(line), kind, "{line:?}");
        }
    }

    #[test]
    fn a_question_s_own_answers_are_read() {
        let asked = question("Do you want to continue? [Y/n] ", &[]).unwrap();
        assert_eq!((asked.options, asked.default.as_deref()), (vec!["Y".into(), "n".into()], Some("Y")));
        let asked = question("Overwrite (y/n)? ", &[]).unwrap();
        assert_eq!((asked.options, asked.default), (vec!["y".to_owned(), "n".to_owned()], None));
        let above = ["1) orders".to_owned(), "2) billing".to_owned()];
        let asked = question("#? ", &above).unwrap();
        assert_eq!((asked.kind, asked.options), (AwaitingKind::Choice, vec!["1".to_owned(), "2".to_owned()]));
        let asked = question("What is your name? ", &[]).unwrap();
        assert_eq!((asked.kind, asked.strict), (AwaitingKind::Text, false));
    }

    #[test]
    fn a_client_s_prompt_is_no_shell_s() {
        for line in ["user@host:~$ ", "# ", "/app # ", "host% ", "❯ "] {
            assert!(looks_like_shell_prompt(line), "{line:?}");
        }
        for line in ["shop=# ", "shop-# ", "sqlite> ", ">>> ", "> ", "Name: "] {
            assert!(!looks_like_shell_prompt(line), "{line:?}");
        }
    }
}
