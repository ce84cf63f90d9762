//! Patterns of whole paths: `/srv/*/log/app-?.log`. `*` and `?` stay within a folder, `**` does not.

/// The longest folder in front of the first `*`, `?` or `[`; the path itself where it is no pattern.
pub(super) fn folder(path: &str) -> &str {
    let Some(first) = path.find(['*', '?', '[']) else { return path };
    match path[..first].rfind('/') {
        Some(0) => "/",
        Some(end) => &path[..end],
        None => ".",
    }
}

/// Whether the pattern is that of the whole path.
pub(super) fn fits(pattern: &str, path: &str) -> bool {
    fit(pattern.trim_start_matches("./").as_bytes(), path.trim_start_matches("./").as_bytes())
}

fn fit(pattern: &[u8], path: &[u8]) -> bool {
    match pattern {
        [] => path.is_empty(),
        [b'*', b'*', rest @ ..] => {
            // `a/**/b` is also `a/b`.
            let beyond = rest.strip_prefix(b"/").unwrap_or(rest);
            (0..=path.len()).any(|end| fit(rest, &path[end..])) || fit(beyond, path)
        }
        [b'*', rest @ ..] => {
            let end = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
            (0..=end).any(|end| fit(rest, &path[end..]))
        }
        [b'?', rest @ ..] => path.split_first().is_some_and(|(first, path)| *first != b'/' && fit(rest, path)),
        [b'[', rest @ ..] => class(rest, path).unwrap_or_else(|| literal(pattern, path)),
        _ => literal(pattern, path),
    }
}

fn literal(pattern: &[u8], path: &[u8]) -> bool {
    pattern.first() == path.first() && fit(&pattern[1..], &path[1..])
}

/// A class such as `[0-9]` or `[!ab]`; none where it has no end.
fn class(pattern: &[u8], path: &[u8]) -> Option<bool> {
    let end = pattern.iter().skip(1).position(|byte| *byte == b']')? + 1;
    let (members, rest) = (&pattern[..end], &pattern[end + 1..]);
    let (negated, members) = match members {
        [b'!' | b'^', members @ ..] => (true, members),
        members => (false, members),
    };
    let Some((first, path)) = path.split_first() else { return Some(false) };
    let mut inside = false;
    let mut left = members;
    while let [low, after @ ..] = left {
        left = match after {
            [b'-', high, after @ ..] => {
                inside |= (low..=high).contains(&first);
                after
            }
            after => {
                inside |= low == first;
                after
            }
        };
    }
    Some(inside != negated && *first != b'/' && fit(rest, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_begins_at_a_folder_and_fits_whole_paths() {
        for (pattern, place) in
            [("/var/log", "/var/log"), ("/var/log/*.log", "/var/log"), ("*.log", "."), ("/*/x", "/"), ("a/b[1]", "a")]
        {
            assert_eq!(folder(pattern), place, "{pattern}");
        }
        for (pattern, path, expected) in [
            ("/l/*.log", "/l/a.log", true),
            ("/l/*.log", "/l/b/a.log", false),
            ("/l/**/*.log", "/l/b/c/a.log", true),
            ("/l/**/*.log", "/l/a.log", true),
            ("/l/app-?.log", "/l/app-1.log", true),
            ("/l/app[0-9].log", "/l/app7.log", true),
            ("/l/app[!0-9].log", "/l/app7.log", false),
            ("/l/x[", "/l/x[", true),
            ("*.log", "./a.log", true),
            ("/l/*", "/l/", true),
        ] {
            assert_eq!(fits(pattern, path), expected, "{pattern} {path}");
        }
    }
}
