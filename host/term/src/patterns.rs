//! Shapes of the last line that mean "this waits for a person", in English and Chinese.
//!
//! Strict shapes only: each is used when the terminal is quiet and the cursor stands at the end of
//! the line, and none of them is ever taken as the end of a command. Full-width punctuation is
//! folded first.

use crate::outcome::AwaitingKind;

/// What the line before the cursor asks for, if it has one of the known shapes.
pub fn awaiting(line: &str) -> Option<AwaitingKind> {
    let folded = fold(line);
    let text = folded.trim_end();
    if text.is_empty() {
        return None;
    }
    SHAPES.iter().find(|(_, shape)| shape(text)).map(|(kind, _)| *kind)
}

type Shape = fn(&str) -> bool;

const SHAPES: &[(AwaitingKind, Shape)] = &[
    (AwaitingKind::Pager, is_pager),
    (AwaitingKind::PressKey, is_press_key),
    (AwaitingKind::Hostkey, |text| text.contains("yes/no/[fingerprint]")),
    (AwaitingKind::Confirm, is_confirm),
    (AwaitingKind::Otp, |text| {
        asks_for(
            text,
            &["verification code", "one-time", "otp", "mfa", "code]", "动态码", "动态口令", "验证码", "短信码"],
        )
    }),
    (AwaitingKind::Passphrase, |text| asks_for(text, &["passphrase"])),
    (AwaitingKind::Password, |text| asks_for(text, &["password", "passcode", "密码", "口令"])),
    (AwaitingKind::Menu, |text| {
        asks_for(text, &["selection", "choice", "number", "target ip", "选择", "编号", "序号"])
    }),
    (AwaitingKind::Text, |text| asks_for(text, &["login", "username", "用户名"])),
];

/// A question with one of these words near its end, closed by a colon (`[sudo] password for ann:`).
fn asks_for(text: &str, words: &[&str]) -> bool {
    let tail_start = text.char_indices().rev().nth(60).map_or(0, |(index, _)| index);
    let tail = &text[tail_start..];
    (tail.ends_with(':') || tail.ends_with("]>")) && words.iter().any(|word| tail.contains(word))
}

fn is_confirm(text: &str) -> bool {
    let bare = text.trim_end_matches([':', '?', ' ']);
    ["[y/n]", "(y/n)", "(yes/no)", "[yes/no]", "[confirm]", "[是/否]", "(是/否)"].iter().any(|end| bare.ends_with(end))
}

fn is_pager(text: &str) -> bool {
    text.ends_with("(end)")
        || text.contains("--more--")
        || text.contains("-- more --")
        || text.ends_with("press h for help or q to quit)")
}

fn is_press_key(text: &str) -> bool {
    ["press any key", "press enter", "press return", "按任意键", "回车继续"].iter().any(|phrase| text.contains(phrase))
}

/// A line that looks like a shell's prompt: ends in one of the usual signs.
pub fn looks_like_prompt(line: &str) -> bool {
    let text = line.trim_end();
    let sign = text.chars().next_back();
    matches!(sign, Some('$' | '#' | '%' | '❯' | '➜')) || (sign == Some('>') && text.chars().count() < 120)
}

/// Lower case, full-width signs as their narrow forms.
fn fold(line: &str) -> String {
    line.chars()
        .flat_map(char::to_lowercase)
        .map(|c| match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
            '\u{3000}' => ' ',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_told_apart() {
        let cases = [
            ("[sudo] password for ann: ", Some(AwaitingKind::Password)),
            ("Enter passphrase for key '/home/a/.ssh/id': ", Some(AwaitingKind::Passphrase)),
            ("请输入密码：", Some(AwaitingKind::Password)),
            ("Verification code: ", Some(AwaitingKind::Otp)),
            ("Are you sure you want to continue connecting (yes/no/[fingerprint])? ", Some(AwaitingKind::Hostkey)),
            ("Do you want to continue? [Y/n] ", Some(AwaitingKind::Confirm)),
            ("rm: remove regular file 'a'? ", None),
            ("--More--(17%)", Some(AwaitingKind::Pager)),
            ("(END)", Some(AwaitingKind::Pager)),
            ("按任意键继续", Some(AwaitingKind::PressKey)),
            ("Target IP: ", Some(AwaitingKind::Menu)),
            ("user@host:~$ ", None),
            ("the word Password: inside a sentence that goes on", None),
            ("", None),
        ];
        for (line, kind) in cases {
            assert_eq!(awaiting(line), kind, "{line:?}");
        }
    }
}
