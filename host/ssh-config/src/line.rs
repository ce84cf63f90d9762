//! One line of the file: keyword and arguments.
//!
//! The keyword ends at white space or `=`; arguments are separated by white space, may stand in
//! single or double quotes with `\` escaping quotes and itself, and `#` begins a comment where an
//! argument could begin (misc.c, `argv_split` of OpenSSH 9).

/// Keyword in lower case, and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) keyword: String,
    pub(crate) arguments: Vec<String>,
    /// What stands behind the keyword, as written, for values that are one text (`ProxyCommand`).
    pub(crate) rest: String,
}

/// `Ok(None)` for a blank line or a comment.
pub(crate) fn parse(text: &str) -> Result<Option<Line>, String> {
    let text = text.trim_matches([' ', '\t', '\r', '\x0c']);
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let end = text.find([' ', '\t', '=']).unwrap_or(text.len());
    let (keyword, behind) = text.split_at(end);
    let behind = behind.trim_start_matches([' ', '\t']);
    let rest = behind.strip_prefix('=').unwrap_or(behind).trim_matches([' ', '\t']);
    let keyword = keyword.trim_matches('"').to_ascii_lowercase();
    Ok(Some(Line { keyword, arguments: split(rest)?, rest: rest.to_owned() }))
}

fn split(text: &str) -> Result<Vec<String>, String> {
    let mut arguments = Vec::new();
    let mut argument: Option<String> = None;
    let mut quote = None;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (_, '\\') => {
                let escaped = characters
                    .next_if(|next| matches!(next, '\'' | '"' | '\\') || (quote.is_none() && matches!(next, ' ')));
                argument.get_or_insert_default().push(escaped.unwrap_or('\\'));
            }
            (None, '"' | '\'') => {
                quote = Some(c);
                argument.get_or_insert_default();
            }
            (Some(open), c) if open == c => quote = None,
            (None, ' ' | '\t') => arguments.extend(argument.take()),
            (None, '#') if argument.is_none() => break,
            _ => argument.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed".to_owned());
    }
    arguments.extend(argument);
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn arguments(text: &str) -> Vec<String> {
        parse(text).unwrap().unwrap().arguments
    }

    #[test]
    fn keyword_and_arguments_are_told_apart() {
        let line = parse("  HostName = web1.example.com ").unwrap().unwrap();
        assert_eq!(
            (line.keyword.as_str(), line.arguments.as_slice()),
            ("hostname", &["web1.example.com".to_owned()][..])
        );
        assert_eq!(arguments("Port=22"), ["22"]);
        assert_eq!(arguments("IdentityFile \"~/my keys/id\" # mine"), ["~/my keys/id"]);
        assert_eq!(arguments("SetEnv A=1 B='x y'"), ["A=1", "B=x y"]);
        assert_eq!(arguments("Host a#b c"), ["a#b", "c"]);
        assert_eq!(parse("# Host x").unwrap(), None);
        assert!(parse("User \"ann").is_err());
    }
}
