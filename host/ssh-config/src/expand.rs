//! `%` tokens, `~` and `${NAME}` in values.

use std::collections::BTreeMap;
use std::path::Path;

/// What each token stands for (ssh_config(5), TOKENS).
#[derive(Debug, Clone, Default)]
pub(crate) struct Tokens {
    values: BTreeMap<char, String>,
}

impl Tokens {
    pub(crate) fn new() -> Self {
        Self::default().with('%', "%")
    }

    #[must_use]
    pub(crate) fn with(mut self, token: char, value: &str) -> Self {
        self.values.insert(token, value.to_owned());
        self
    }

    /// Unknown tokens stay as they are written.
    pub(crate) fn expand(&self, text: &str) -> String {
        let mut expanded = String::new();
        let mut characters = text.chars();
        while let Some(c) = characters.next() {
            if c != '%' {
                expanded.push(c);
                continue;
            }
            match characters.next() {
                Some(token) => match self.values.get(&token) {
                    Some(value) => expanded.push_str(value),
                    None => expanded.extend(['%', token]),
                },
                None => expanded.push('%'),
            }
        }
        expanded
    }
}

/// `~` and `~/…`; another user's home is left as it is written.
pub(crate) fn tilde(text: &str, home: &Path) -> String {
    match text.strip_prefix('~') {
        Some("") => home.display().to_string(),
        Some(rest) if rest.starts_with('/') => format!("{}{rest}", home.display()),
        _ => text.to_owned(),
    }
}

/// `${NAME}` by its value.
///
/// # Errors
/// The name of a variable that is not set: `ssh` does not start then.
pub(crate) fn variables(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        let name = &rest[start + 2..start + length];
        expanded.push_str(&rest[..start]);
        expanded.push_str(&environment(name).ok_or_else(|| name.to_owned())?);
        rest = &rest[start + length + 1..];
    }
    expanded.push_str(rest);
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_tilde_and_variables() {
        let tokens = Tokens::new().with('h', "web1").with('r', "ann");
        assert_eq!(tokens.expand("~/.ssh/%r@%h%%%x"), "~/.ssh/ann@web1%%x");
        assert_eq!(tilde("~/x", Path::new("/home/ann")), "/home/ann/x");
        assert_eq!(tilde("~bob/x", Path::new("/home/ann")), "~bob/x");
        let environment = |name: &str| (name == "A").then(|| "1".to_owned());
        assert_eq!(variables("a${A}b", &environment), Ok("a1b".to_owned()));
        assert_eq!(variables("${B}", &environment), Err("B".to_owned()));
    }
}
