//! Names as GNU `ls` quotes them: for a terminal `'a b'`, `"it's"`, `'a'$'\n''b'`; as C does
//! `"a b"`; with escapes `a\ b`.

use portcullis_plugin::c_string;

use crate::options::Style;

/// What `$'…'` has beside C's own escapes.
const SHELL_ESCAPES: &[(u8, u8)] = &[(b'e', 0x1b), (b'\'', b'\'')];

/// Reads a name at the start of the text that is quoted or escaped in that style; gives what is meant
/// and what follows it.
pub(crate) fn decode(text: &str, style: Style) -> Option<(String, &str)> {
    match style {
        Style::Literal => None,
        Style::Shell => unquote(text),
        Style::C => {
            let (name, rest) = c_string(text.strip_prefix('"')?, b'"', &[])?;
            Some((String::from_utf8_lossy(&name).into_owned(), rest))
        }
        Style::Escape => {
            let ended = format!("{text} ");
            let (name, rest) = c_string(&ended, b' ', &[(b' ', b' ')])?;
            // What was read ends with the blank; the one behind the text is none of it.
            let read = ended.len() - rest.len() - 1;
            Some((String::from_utf8_lossy(&name).into_owned(), text.get(read..)?))
        }
    }
}

/// A text that is one quoted or escaped name.
pub(crate) fn whole(text: &str, style: Style) -> Option<String> {
    decode(text, style).and_then(|(name, rest)| rest.is_empty().then_some(name))
}

/// Reads a quoted name at the start of the text; gives it unquoted and what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut name = Vec::new();
    let mut rest = text;
    loop {
        rest = if let Some(inner) = rest.strip_prefix('\'') {
            plain(inner, '\'', &mut name)?
        } else if let Some(inner) = rest.strip_prefix('"') {
            plain(inner, '"', &mut name)?
        } else if let Some(inner) = rest.strip_prefix("$'") {
            escaped(inner, &mut name)?
        } else if let Some(inner) = rest.strip_prefix("\\'").filter(|_| rest.len() < text.len()) {
            name.push(b'\'');
            inner
        } else {
            break;
        };
    }
    (rest.len() < text.len()).then(|| (String::from_utf8_lossy(&name).into_owned(), rest))
}

fn plain<'a>(inner: &'a str, quote: char, name: &mut Vec<u8>) -> Option<&'a str> {
    let (text, rest) = inner.split_once(quote)?;
    name.extend_from_slice(text.as_bytes());
    Some(rest)
}

fn escaped<'a>(inner: &'a str, name: &mut Vec<u8>) -> Option<&'a str> {
    let (text, rest) = c_string(inner, b'\'', SHELL_ESCAPES)?;
    name.extend(text);
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_names_are_read() {
        for (text, name, rest) in [
            ("'a b'", "a b", ""),
            ("'a -> b' -> c", "a -> b", " -> c"),
            ("\"it's\"", "it's", ""),
            ("'a'$'\\n''b'", "a\nb", ""),
            ("''$'\\033''[31m'", "\u{1b}[31m", ""),
            ("'a'\\''b'", "a'b", ""),
            ("''$'\\303\\274'", "ü", ""),
        ] {
            assert_eq!(unquote(text), Some((name.to_owned(), rest)), "{text}");
        }
    }

    #[test]
    fn broken_quotes_are_none() {
        for text in ["a", "'a", "$'a", "$'\\", "$'\\9'", "$'\\777'", "", "\\'a"] {
            assert_eq!(unquote(text), None, "{text}");
        }
    }
}
