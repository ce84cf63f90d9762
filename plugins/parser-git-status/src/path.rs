//! Paths as git writes them: plain, or in double quotes with C escapes.

use portcullis_plugin::c_string;

/// A whole path.
pub(crate) fn read(text: &str) -> Option<String> {
    match text.strip_prefix('"') {
        Some(inner) => quoted(inner).and_then(|(path, rest)| rest.is_empty().then_some(path)),
        None => (!text.is_empty()).then(|| text.to_owned()),
    }
}

/// `a -> b`; none when a plain path has an arrow of its own, as then it is unclear which is git's.
pub(crate) fn read_pair(text: &str) -> Option<(String, String)> {
    const ARROW: &str = " -> ";
    let (from, to) = match text.strip_prefix('"') {
        Some(inner) => {
            let (from, rest) = quoted(inner)?;
            (from, rest.strip_prefix(ARROW)?)
        }
        None => {
            let (from, to) = text.split_once(ARROW)?;
            (from.to_owned(), to)
        }
    };
    if from.is_empty() || (!to.starts_with('"') && to.contains(ARROW)) {
        return None;
    }
    Some((from, read(to)?))
}

/// What stands before the closing quote, unescaped, and what follows that quote.
fn quoted(inner: &str) -> Option<(String, &str)> {
    let (path, rest) = c_string(inner, b'"', &[])?;
    Some((String::from_utf8_lossy(&path).into_owned(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_unquoted() {
        for (text, path) in [
            ("a b", Some("a b")),
            (r#""a\tb\"\\""#, Some("a\tb\"\\")),
            (r#""gr\303\266\303\237e""#, Some("größe")),
            (r#""a"b"#, None),
            (r#""a"#, None),
            (r#""\9""#, None),
            ("", None),
        ] {
            assert_eq!(read(text).as_deref(), path, "{text}");
        }
    }

    #[test]
    fn an_arrow_is_read_where_it_is_clear() {
        let pair = |from: &str, to: &str| Some((from.to_owned(), to.to_owned()));
        assert_eq!(read_pair("a -> b c"), pair("a", "b c"));
        assert_eq!(read_pair(r#""a -> b" -> "c -> d""#), pair("a -> b", "c -> d"));
        assert_eq!(read_pair("a -> b -> c"), None);
        assert_eq!(read_pair("a"), None);
        assert_eq!(read_pair(" -> b"), None);
    }
}
