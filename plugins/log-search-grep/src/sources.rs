//! Which files and folders may be searched, and which file a name in the output belongs to.

/// More is not one question. Sources.
pub(crate) const MAX_SOURCES: usize = 20;
/// Trees of the kernel: endless, or with side effects when read.
const KERNEL_TREES: [&str; 3] = ["proc", "sys", "dev"];

/// Whether a source may be searched; the error says why not and what to do.
pub(crate) fn check(source: &str) -> Result<(), String> {
    if source.is_empty() {
        return Err("a source is empty; name a folder or a file".to_owned());
    }
    if source.contains(char::is_control) {
        return Err(format!("the source {source:?} has control characters"));
    }
    if source.starts_with('-') {
        return Err(format!("the source {source:?} would be read as an option; write ./{source}"));
    }
    if source.starts_with(['(', ')', '!', ',']) {
        return Err(format!("the source {source:?} would be read as an expression of find; write ./{source}"));
    }
    if source.starts_with('~') {
        return Err(format!("the source {source:?} is not expanded; write the whole path"));
    }
    if source.contains(['*', '?']) {
        return Err(format!("the source {source:?} is not expanded; give its folder and a file name pattern"));
    }
    if !source.starts_with('/') {
        return Ok(());
    }
    match root_of(source) {
        None => Err(format!("the source {source:?} is the whole file system; name a folder in it")),
        Some(tree) if KERNEL_TREES.contains(&tree) => {
            Err(format!("the source {source:?} is part of /{tree}, which has no logs"))
        }
        Some(_) => Ok(()),
    }
}

/// Whether it can be given to a program as it is: no quotes, no option.
pub(crate) fn is_plain_name(name: &str) -> bool {
    let plain = |symbol: char| symbol.is_ascii_alphanumeric() || "._@:-".contains(symbol);
    name.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_') && name.chars().all(plain)
}

/// The first folder of an absolute path, `.` and `..` resolved by their words alone.
fn root_of(path: &str) -> Option<&str> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.first().copied()
}

/// Whether `find` may have printed this path when it was given that source.
pub(crate) fn holds(source: &str, path: &str) -> bool {
    match path.strip_prefix(source) {
        Some("") => true,
        Some(rest) => source.ends_with('/') || (rest.starts_with('/') && rest.len() > 1),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dangerous_sources_are_refused() {
        for source in [
            "",
            "-delete",
            "a\nb",
            "a\u{1b}",
            "~/x",
            "/var/log/*.log",
            "/",
            "//",
            "/var/..",
            "/proc",
            "/./sys/x",
            "/var/../../dev/sda",
            "(",
            "!",
        ] {
            assert!(check(source).is_err(), "{source:?}");
        }
        for source in ["/var/log", "var/log", ".", "./-x", "/var/log/a b [1].log", "../logs", "/srv/proc"] {
            assert_eq!(check(source), Ok(()), "{source:?}");
        }
    }

    #[test]
    fn a_path_belongs_to_its_source() {
        for (source, path, expected) in [
            ("/var/log", "/var/log/a", true),
            ("/var/log", "/var/logs", false),
            ("/var/log/", "/var/log/a", true),
            ("a.log", "a.log", true),
            (".", "./x", true),
            (".", ".x", false),
            ("/var/log", "/var/log/", false),
        ] {
            assert_eq!(holds(source, path), expected, "{source} {path}");
        }
    }
}
