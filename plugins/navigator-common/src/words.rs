//! Words of a route, checked: each of them may be typed into a menu or stand unquoted in a shell.

use portcullis_plugin::navigator::Goal;
use portcullis_plugin::{PluginError, ShellDialect};

/// Longest DNS name, and more than any user or shell needs. Bytes.
const MAX_WORD_BYTES: usize = 253;
/// A row number has no more digits.
const MAX_NUMBER_DIGITS: usize = 4;

/// The error for a route that cannot be followed as it is written.
pub fn invalid(message: String) -> PluginError {
    PluginError::InvalidInput(message)
}

/// A parameter that the route has to have.
///
/// # Errors
/// When it is missing or empty.
pub fn required<'a>(value: Option<&'a str>, name: &str) -> Result<&'a str, PluginError> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| invalid(format!("the route needs the parameter {name:?}")))
}

/// The value, if it is made of what belongs there.
///
/// # Errors
/// When it is not.
pub fn checked(name: &str, value: &str, is_fine: fn(&str) -> bool) -> Result<String, PluginError> {
    if is_fine(value) {
        return Ok(value.to_owned());
    }
    Err(invalid(format!("parameter {name:?} is {value:?}, which has characters that do not belong there")))
}

/// A parameter that the route may have, checked.
///
/// # Errors
/// As [`checked`].
pub fn optional(goal: &Goal, name: &str, is_fine: fn(&str) -> bool) -> Result<Option<String>, PluginError> {
    goal.parameter(name).map(|value| checked(name, value, is_fine)).transpose()
}

/// Refuses parameters that nobody reads: a misspelt one would be ignored otherwise.
///
/// # Errors
/// The first one that is not in the list.
pub fn only_known(goal: &Goal, known: &[&str]) -> Result<(), PluginError> {
    match goal.parameters.iter().find(|given| !known.contains(&given.key.as_str())) {
        Some(unknown) => Err(invalid(format!("parameter {:?} is not one of {}", unknown.key, known.join(", ")))),
        None => Ok(()),
    }
}

fn made_of(text: &str, extra: &str) -> bool {
    (1..=MAX_WORD_BYTES).contains(&text.len())
        && text.chars().all(|symbol| symbol.is_ascii_alphanumeric() || extra.contains(symbol))
        && !text.starts_with('-')
}

/// A host's name or address, also IPv6.
pub fn is_host_name(text: &str) -> bool {
    made_of(text, "._:-")
}

/// A login user.
pub fn is_user_name(text: &str) -> bool {
    made_of(text, "._@-")
}

/// A namespace, pod or container. It stands unquoted in a command, so nothing else may be in it.
pub fn is_kubernetes_name(text: &str) -> bool {
    is_kubernetes_name_start(text) && !text.ends_with(['-', '.'])
}

/// The same, or the beginning of one with a `*` behind it.
pub fn is_kubernetes_pattern(text: &str) -> bool {
    text.strip_suffix('*').map_or_else(|| is_kubernetes_name(text), is_kubernetes_name_start)
}

pub(crate) fn is_kubernetes_name_start(text: &str) -> bool {
    made_of(text, ".-") && !text.starts_with('.') && !text.contains(|symbol: char| symbol.is_ascii_uppercase())
}

/// The name of a secret.
pub fn is_secret_name(text: &str) -> bool {
    made_of(text, "-_.")
}

/// A program by its name or path.
pub fn is_program_path(text: &str) -> bool {
    made_of(text, "/._-")
}

/// A row's number.
pub fn is_number(text: &str) -> bool {
    (1..=MAX_NUMBER_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A name that people gave: any script, but nothing that is a control or could stand for a line
/// end, a key or a hidden character.
pub fn is_given_name(text: &str) -> bool {
    (1..=MAX_WORD_BYTES).contains(&text.len())
        && text.trim() == text
        && text.chars().all(|symbol| symbol == ' ' || symbol.is_alphanumeric() || "._:-@()#+,".contains(symbol))
        && !text.starts_with('-')
}

/// A shell's dialect, as far as its program's name tells.
pub fn dialect_of(program: &str) -> ShellDialect {
    match program.rsplit('/').next().unwrap_or_default() {
        "bash" => ShellDialect::Bash,
        "sh" | "ash" | "dash" | "ksh" | "mksh" => ShellDialect::Posix,
        "zsh" => ShellDialect::Zsh,
        "fish" => ShellDialect::Fish,
        "tcsh" | "csh" => ShellDialect::Tcsh,
        _ => ShellDialect::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_people_give_have_no_controls_and_no_shell() {
        for fine in ["web-1", "支付-网关 01", "db (old)", "ns:a@b", "api_1"] {
            assert!(is_given_name(fine), "{fine}");
        }
        for bad in
            ["", " a", "a ", "a\r2", "a\u{1b}[2J", "a;reboot", "a|b", "$(id)", "`id`", "-rf", "a/b", "a\u{200b}b"]
        {
            assert!(!is_given_name(bad), "{bad:?}");
        }
        assert!(!is_given_name(&"a".repeat(MAX_WORD_BYTES + 1)));
    }
}
