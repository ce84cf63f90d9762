//! Which form of output a command line asks for.

/// The forms of `git status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Nothing asked for: long, or short where git's settings say so. The first line tells.
    Undecided,
    Long,
    /// `--short` and `--porcelain=v1`.
    Short,
    V2,
}

/// Options of git itself with a value in the next word.
const WITH_VALUE: [&str; 6] = ["-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path"];

/// The form, when the command is a `git status` whose output is one known here.
pub(crate) fn form(argv: &[String]) -> Option<Form> {
    let mut words = argv.iter().map(String::as_str);
    if words.next()?.rsplit('/').next() != Some("git") {
        return None;
    }
    loop {
        let word = words.next()?;
        if WITH_VALUE.contains(&word) {
            words.next();
        } else if word == "status" {
            break;
        } else if !word.starts_with('-') {
            return None;
        }
    }
    let mut form = Form::Undecided;
    for word in words {
        match word {
            "--" => break,
            "--long" => form = Form::Long,
            "--short" | "--porcelain" | "--porcelain=v1" | "--porcelain=1" => form = Form::Short,
            "--porcelain=v2" | "--porcelain=2" => form = Form::V2,
            "--null" | "--verbose" => return None,
            _ if word.starts_with("--column") || word.starts_with("--porcelain=") => return None,
            _ if word.starts_with("--") => {}
            _ => {
                if let Some(cluster) = word.strip_prefix('-') {
                    form = short_options(cluster, form)?;
                }
            }
        }
    }
    Some(form)
}

fn short_options(cluster: &str, mut form: Form) -> Option<Form> {
    for letter in cluster.chars() {
        match letter {
            's' => form = Form::Short,
            // The rest of the cluster is its value: `-uno`.
            'u' => return Some(form),
            // NUL between the entries; a diff behind the status.
            'z' | 'v' => return None,
            _ => {}
        }
    }
    Some(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_tells_the_form() {
        for (line, expected) in [
            ("git status", Some(Form::Undecided)),
            ("git status -sb", Some(Form::Short)),
            ("git -C /x -c a=b --no-pager status --porcelain", Some(Form::Short)),
            ("/usr/bin/git status --porcelain=v2 --branch", Some(Form::V2)),
            ("git status -s --long", Some(Form::Long)),
            ("git status -uno -- -z", Some(Form::Undecided)),
            ("git status -z", None),
            ("git status -sz", None),
            ("git status -v", None),
            ("git status --column", None),
            ("git stash list", None),
            ("git", None),
            ("svn status", None),
            ("", None),
        ] {
            let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(form(&argv), expected, "{line}");
        }
    }
}
