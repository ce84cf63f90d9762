//! Lines that start a shell somewhere else.
//!
//! Known from the line's words alone, and used for one thing only: to know that a prompt which
//! appears belongs to a new shell. A line that is not recognised costs the level's place on the path,
//! nothing else.

use std::time::Duration;

use crate::level::LevelKind;
use crate::track::Expectation;

/// Which level a line would open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NestedLevel {
    pub kind: LevelKind,
    pub label: String,
    /// It takes the place of the present shell (`exec zsh`).
    pub replaces: bool,
}

impl NestedLevel {
    /// What the terminal is told to expect. `nonce`: eight hexadecimal digits, random.
    pub fn expectation(self, nonce: String, within: Duration) -> Expectation {
        Expectation { replaces: self.replaces, ..Expectation::new(self.kind, self.label, nonce, within) }
    }
}

/// Options of `ssh` that take a value of their own (ssh(1), OpenSSH 9).
const SSH_VALUES: &str = "BbcDEeFIiJLlmOoPpQRSWw";
const SHELLS: &[&str] = &["bash", "zsh", "fish", "sh", "dash", "ash", "ksh", "mksh", "tcsh", "csh", "rbash"];

/// Which level the line would open, told from its words: the host only uses it to know that a
/// prompt which appears belongs to a new shell.
pub fn nested_level(line: &str) -> Option<NestedLevel> {
    let last = last_words(line);
    let mut words: Vec<&str> = last.iter().map(String::as_str).skip_while(|word| is_assignment(word)).collect();
    let mut replaces = false;
    loop {
        match *words.first()? {
            "exec" => replaces = true,
            "env" | "command" | "builtin" | "nohup" => {}
            _ => break,
        }
        words.remove(0);
        words = words.into_iter().skip_while(|word| is_assignment(word) || word.starts_with('-')).collect();
    }
    let (kind, label) = level_of(&words)?;
    Some(NestedLevel { kind, label, replaces: replaces && kind == LevelKind::Shell })
}

fn level_of(words: &[&str]) -> Option<(LevelKind, String)> {
    let program = words.first()?.rsplit('/').next()?;
    let has = |flag: &str| words.contains(&flag);
    match program {
        "kubectl" | "oc" if has("exec") && is_interactive(words) => pod(words),
        "docker" | "podman" | "nerdctl" | "crictl" if (has("exec") || has("run")) && is_interactive(words) => {
            let verb = words.iter().position(|word| *word == "exec" || *word == "run")?;
            let container = words[verb + 1..].iter().find(|word| !word.starts_with('-'))?;
            Some((LevelKind::PodShell, (*container).to_owned()))
        }
        "su" if !has("-c") => {
            let user = words[1..].iter().rfind(|word| !word.starts_with('-') && !word.starts_with('/'));
            Some((LevelKind::ElevatedShell, (*user.unwrap_or(&"root")).to_owned()))
        }
        "sudo" | "doas" if has("-i") || has("-s") || has("su") || words.last().is_some_and(|w| SHELLS.contains(w)) => {
            let user = value_after(words, &["-u", "--user"]).unwrap_or("root");
            Some((LevelKind::ElevatedShell, user.to_owned()))
        }
        "ssh" => ssh(words),
        "mosh" => words[1..].iter().find(|word| !word.starts_with('-')).map(|host| (LevelKind::Shell, (*host).into())),
        "tmux" | "screen" | "byobu" if !has("-d") && !has("ls") && !has("-ls") && !has("kill-server") => {
            Some((LevelKind::Multiplexer, program.to_owned()))
        }
        // A recording of a shell that it starts itself.
        "script" if !has("-c") && !has("--command") => Some((LevelKind::Shell, "script".to_owned())),
        "busybox" if words.get(1).is_some_and(|applet| SHELLS.contains(applet)) && words.len() <= 3 => {
            Some((LevelKind::Shell, words[1].to_owned()))
        }
        _ if SHELLS.contains(&program) && !has("-c") && words[1..].iter().all(|word| word.starts_with('-')) => {
            Some((LevelKind::Shell, program.to_owned()))
        }
        _ => None,
    }
}

/// `-i` and `-t` in any spelling: `-it`, `-i -t`, `--stdin --tty`.
fn is_interactive(words: &[&str]) -> bool {
    let end = words.iter().position(|word| *word == "--").unwrap_or(words.len());
    words[..end].iter().any(|word| {
        let short = word.strip_prefix('-').filter(|flags| !flags.starts_with('-'));
        matches!(*word, "--tty" | "--stdin" | "--interactive") || short.is_some_and(|flags| flags.contains(['i', 't']))
    })
}

fn pod(words: &[&str]) -> Option<(LevelKind, String)> {
    let namespace = value_after(words, &["-n", "--namespace"]).unwrap_or("default");
    let exec = words.iter().position(|word| *word == "exec")?;
    let end = words.iter().position(|word| *word == "--").unwrap_or(words.len());
    let mut skip = false;
    let pod = words.get(exec + 1..end)?.iter().find(|word| {
        let is_value = std::mem::replace(&mut skip, matches!(**word, "-n" | "--namespace" | "-c" | "--container"));
        !is_value && !word.starts_with('-')
    })?;
    Some((LevelKind::PodShell, format!("{namespace}/{pod}")))
}

/// The host of an `ssh` line without a command; with one there is no shell to wait for.
fn ssh(words: &[&str]) -> Option<(LevelKind, String)> {
    let mut rest = words[1..].iter();
    while let Some(word) = rest.next() {
        match word.strip_prefix('-') {
            Some(flags) if flags.ends_with(|flag| SSH_VALUES.contains(flag)) && flags.len() == 1 => drop(rest.next()),
            Some(_) => {}
            None => return rest.next().is_none().then(|| (LevelKind::Shell, (*word).to_owned())),
        }
    }
    None
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.starts_with('-')
    })
}

fn value_after<'a>(words: &[&'a str], flags: &[&str]) -> Option<&'a str> {
    words.windows(2).find(|pair| flags.contains(&pair[0])).map(|pair| pair[1])
}

/// The words behind the last `;`, `&&`, `||`, `|` or line end outside quotes: the command whose
/// prompt would be seen.
fn last_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = line.trim_end().chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(characters.next()),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if open == c => quote = None,
            (None, ';' | '&' | '|' | '\n') => {
                words.clear();
                word = None;
            }
            (None, ' ' | '\t') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
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
            ("docker exec web ls", None),
            ("su - postgres", Some("postgres")),
            ("su -s /bin/sh", Some("root")),
            ("su -", Some("root")),
            ("su - -c id", None),
            ("sudo -i", Some("root")),
            ("sudo -u postgres -i", Some("postgres")),
            ("sudo ls", None),
            ("ssh db1", Some("db1")),
            ("ssh -p 2222 -i key ann@db1", Some("ann@db1")),
            ("ssh db1 uptime", None),
            ("cd /srv && ssh db1", Some("db1")),
            ("echo 'a; ssh db1'", None),
            ("bash", Some("bash")),
            ("env PS1='$ ' dash -i", Some("dash")),
            ("PS1=x dash -i", Some("dash")),
            ("busybox ash", Some("ash")),
            ("tmux", Some("tmux")),
            ("tmux new -d", None),
            ("script -qe /dev/null", Some("script")),
            ("bash script.sh", None),
            ("bash -c 'echo x'", None),
            ("ls -la", None),
        ];
        for (line, label) in cases {
            assert_eq!(nested_level(line).map(|level| level.label).as_deref(), label, "{line}");
        }
    }

    #[test]
    fn exec_takes_the_place_of_the_present_shell() {
        assert_eq!(nested_level("exec zsh").map(|level| level.replaces), Some(true));
        assert_eq!(nested_level("exec -l bash").map(|level| level.replaces), Some(true));
        assert_eq!(nested_level("zsh").map(|level| level.replaces), Some(false));
        assert_eq!(nested_level("exec 3<file"), None);
    }
}
