//! Patterns of ssh_config(5): `*`, `?`, `!` and lists.

/// `list` holds patterns separated by commas. A negated one that matches decides alone.
pub(crate) fn list_matches(list: &str, text: &str) -> bool {
    any(list.split(','), text)
}

/// As [`list_matches`] for host names and keywords, whose letters may be large or small (match.c,
/// `match_hostname`). `Host` compares what was typed as it was typed.
pub(crate) fn host_matches(list: &str, host: &str) -> bool {
    list_matches(&list.to_lowercase(), &host.to_lowercase())
}

/// As [`list_matches`], for patterns that are arguments of their own (`Host`).
pub(crate) fn any<'a>(patterns: impl IntoIterator<Item = &'a str>, text: &str) -> bool {
    let mut found = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(negated) if matches(negated, text) => return false,
            Some(_) => {}
            None => found |= matches(pattern, text),
        }
    }
    found
}

/// The last `*` is where to go back to.
fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match &mut star {
                Some((at, from)) => {
                    *from += 1;
                    (p, t) = (*at + 1, *from);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_and_negation() {
        assert!(matches("*.example.com", "web1.example.com"));
        assert!(matches("web?", "web1") && !matches("web?", "web12"));
        assert!(matches("*a*b*", "xxaxxbxx") && !matches("*a*b", "xxaxxbxx"));
        assert!(list_matches("*.example.com,!db*", "web1.example.com"));
        assert!(!list_matches("*.example.com,!db*", "db1.example.com"));
        assert!(!list_matches("!db*", "web1"));
        assert!(!matches("WEB1", "web1") && host_matches("WEB*", "web1"));
    }
}
