//! Messages of the tools between the lines of their output: on a terminal both are one stream.

/// Programs of the plan that may complain.
const PROGRAMS: [&str; 6] = ["find: ", "grep: ", "timeout: ", "nice: ", "bash: ", "sh: "];
/// Messages kept for an error.
const MAX_KEPT: usize = 5;
const MAX_CHARS: usize = 300;

/// What the tools complained about.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Vec<String>);

impl Complaints {
    /// Keeps a line if it is a message of one of the tools.
    pub(crate) fn take(&mut self, line: &str) -> bool {
        if !PROGRAMS.iter().any(|program| line.starts_with(program)) {
            return false;
        }
        if self.0.len() < MAX_KEPT {
            self.0.push(line.chars().take(MAX_CHARS).collect());
        }
        true
    }

    /// A message that puts the whole search in doubt: about one of the sources itself, or about
    /// no file at all, such as a broken expression. A file that may not be read does not.
    pub(crate) fn fatal(&self, sources: &[String]) -> Option<&str> {
        let about = |message: &str, source: &String| {
            let ends = [':', '\'', '’', '"'];
            message.match_indices(source.as_str()).any(|(at, _)| {
                let before = message[..at].chars().next_back();
                let after = message[at + source.len()..].chars().next();
                before.is_some_and(|symbol| " '‘\"".contains(symbol))
                    && after.is_some_and(|symbol| ends.contains(&symbol))
            })
        };
        let about_a_file = |message: &str| sources.iter().any(|source| message.contains(source.as_str()));
        self.0
            .iter()
            .map(String::as_str)
            .find(|message| !about_a_file(message) || sources.iter().any(|source| about(message, source)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_source_and_a_broken_expression_are_fatal() {
        let sources = vec!["/var/log".to_owned()];
        for (line, fatal) in [
            ("find: ‘/var/log’: No such file or directory", true),
            ("find: /var/log: No such file or directory", true),
            ("grep: Unmatched ( or \\(", true),
            ("bash: find: command not found", true),
            ("grep: /var/log/btmp: Permission denied", false),
            ("find: ‘/var/log/private’: Permission denied", false),
        ] {
            let mut complaints = Complaints::default();
            assert!(complaints.take(line));
            assert_eq!(complaints.fatal(&sources).is_some(), fatal, "{line}");
        }
        assert!(!Complaints::default().take("findings: x"));
    }
}
