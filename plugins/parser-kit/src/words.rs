//! Rows as words divided by blanks; the columns of most system tools.

/// The next word and what follows it, beginning with the blank.
pub fn next(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start_matches([' ', '\t']);
    let end = text.find([' ', '\t']).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// The first `count` words and the trimmed rest. None when there are fewer.
pub fn take(text: &str, count: usize) -> Option<(Vec<&str>, &str)> {
    let mut rest = text;
    let mut taken = Vec::with_capacity(count);
    for _ in 0..count {
        let (word, behind) = next(rest)?;
        taken.push(word);
        rest = behind;
    }
    Some((taken, rest.trim_matches([' ', '\t'])))
}

/// Every word.
pub fn all(text: &str) -> Vec<&str> {
    text.split([' ', '\t']).filter(|word| !word.is_empty()).collect()
}

/// A heading as a field's name: lower case, everything else than letters and digits one `_`.
pub fn field_name(heading: &str) -> String {
    let mut name = String::with_capacity(heading.len());
    // `PORT(S)`
    let heading = heading.replace("(S)", "S").replace("(s)", "s");
    for symbol in heading.trim().chars() {
        if symbol.is_alphanumeric() {
            name.extend(symbol.to_lowercase());
        } else if symbol == '%' {
            name.push_str(if name.is_empty() || name.ends_with('_') { "percent_" } else { "_percent" });
        } else if !name.ends_with('_') && !name.is_empty() {
            name.push('_');
        }
    }
    let name = name.trim_end_matches('_');
    if name.is_empty() { "column".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_names() {
        assert_eq!(take("  a\tb  c d ", 2), Some((vec!["a", "b"], "c d")));
        assert_eq!(take("a", 2), None);
        assert_eq!(all(" a  b\t"), ["a", "b"]);
        for (heading, name) in [
            ("CONTAINER ID", "container_id"),
            ("CPU(cores)", "cpu_cores"),
            ("MEMORY%", "memory_percent"),
            ("%CPU", "percent_cpu"),
            ("UP-TO-DATE", "up_to_date"),
            ("PORT(S)", "ports"),
            ("--", "column"),
        ] {
            assert_eq!(field_name(heading), name);
        }
    }
}
