//! Lines that start a shell somewhere else.
//!
//! Known from the line's words alone, and used for one thing only: to know that a prompt which
//! appears belongs to a new shell. A line that is not recognised costs the level's place on the path,
//! nothing else.

use portcullis_term::LevelKind;

/// Which level the line would open, told from its words: the host only uses it to know that a
/// prompt which appears belongs to a new shell.
pub(crate) fn nested_level(line: &str) -> Option<(LevelKind, String)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let program = words.first()?.rsplit('/').next()?;
    let has = |flag: &str| words.contains(&flag);
    let interactive = words.iter().any(|word| matches!(*word, "-it" | "-ti" | "-i" | "-t" | "--tty" | "--stdin"));
    let separator = words.iter().position(|word| *word == "--");
    match program {
        "kubectl" | "oc" if has("exec") && interactive => {
            let namespace = value_after(&words, &["-n", "--namespace"]).unwrap_or("default");
            let exec = words.iter().position(|word| *word == "exec")?;
            let end = separator.unwrap_or(words.len());
            let mut skip = false;
            let pod = words[exec + 1..end].iter().find(|word| {
                let is_value =
                    std::mem::replace(&mut skip, matches!(**word, "-n" | "--namespace" | "-c" | "--container"));
                !is_value && !word.starts_with('-')
            })?;
            Some((LevelKind::PodShell, format!("{namespace}/{pod}")))
        }
        "docker" | "podman" | "nerdctl" if has("exec") && interactive => {
            let exec = words.iter().position(|word| *word == "exec")?;
            let container = words[exec + 1..].iter().find(|word| !word.starts_with('-'))?;
            Some((LevelKind::PodShell, (*container).to_owned()))
        }
        "su" => Some((
            LevelKind::ElevatedShell,
            words.last().filter(|w| !w.starts_with('-') && **w != "su").unwrap_or(&"root").to_string(),
        )),
        "sudo" if has("-i") || has("-s") || has("su") => Some((LevelKind::ElevatedShell, "root".to_owned())),
        "ssh" => {
            let host = words[1..].iter().rfind(|word| !word.starts_with('-'))?;
            Some((LevelKind::Shell, (*host).to_owned()))
        }
        "bash" | "zsh" | "fish" | "sh" | "dash" | "ash" | "ksh" | "mksh" if words.len() == 1 || interactive => {
            Some((LevelKind::Shell, program.to_owned()))
        }
        _ => None,
    }
}

fn value_after<'a>(words: &[&'a str], flags: &[&str]) -> Option<&'a str> {
    words.windows(2).find(|pair| flags.contains(&pair[0])).map(|pair| pair[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_open_a_shell_elsewhere_are_recognised() {
        let cases = [
            ("kubectl exec -it api-1 -n orders -- /bin/bash", Some("orders/api-1")),
            ("kubectl -n orders exec -it -c app api-1 -- sh", Some("orders/api-1")),
            ("kubectl exec api-1 -- cat /etc/hosts", None),
            ("docker exec -it web sh", Some("web")),
            ("su - postgres", Some("postgres")),
            ("su -", Some("root")),
            ("sudo -i", Some("root")),
            ("ssh db1", Some("db1")),
            ("bash", Some("bash")),
            ("bash script.sh", None),
            ("ls -la", None),
        ];
        for (line, label) in cases {
            assert_eq!(nested_level(line).map(|(_, label)| label).as_deref(), label, "{line}");
        }
    }
}
