//! Files beside the terminal: the line by which a policy knows what is done with one.

use portcullis_sandbox::policy::Delivery;
use portcullis_shell::quote;
use portcullis_term::Typist;

use super::{Gate, Refusal};

/// What is done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileAccess {
    /// Its content is read.
    Read,
    /// The names in a directory are read.
    List,
    /// Only what the server tells of it is read.
    Look,
    /// It is made, or replaced.
    Write,
}

/// The line that would do the same in a shell, so that rules about lines hold for files too.
pub(super) fn line(actor: Typist, access: FileAccess, path: &str) -> Result<(String, Delivery), Box<Refusal>> {
    let words: &[&str] = match access {
        FileAccess::Read => &["cat", "--", path],
        FileAccess::List => &["ls", "-la", "--", path],
        FileAccess::Look => &["stat", "--", path],
        FileAccess::Write => &[path],
    };
    let line = quote(words).map_err(|error| Gate::refuse(actor, path, "host/path", &error.to_string()))?;
    Ok(match access {
        FileAccess::Write => (format!("cat > {line}"), Delivery::FileWrite),
        FileAccess::Read | FileAccess::List | FileAccess::Look => (line, Delivery::FileRead),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_judged_as_the_line_that_would_reach_it() {
        let line = |access, path: &str| line(Typist::Agent, access, path).map(|(line, _)| line);
        assert_eq!(line(FileAccess::Read, "/etc/shadow").ok().as_deref(), Some("cat -- /etc/shadow"));
        assert_eq!(line(FileAccess::List, "/srv/a b").ok().as_deref(), Some("ls -la -- '/srv/a b'"));
        let odd = line(FileAccess::Write, "/srv/it's; rm -rf $HOME");
        assert_eq!(odd.ok().as_deref(), Some(r"cat > '/srv/it'\''s; rm -rf $HOME'"));
        let refused = line(FileAccess::Look, "/srv/a\nb").map_err(|refusal| refusal.strictest().rule_id.clone());
        assert_eq!(refused, Err("host/path".to_owned()));
    }
}
