//! How the lab's shells are started: program, arguments, directory, environment. Pure plans;
//! [`crate::bastion`] and [`crate::kubectl`] start them on a PTY, [`crate::cmsm::login`] becomes
//! one.
//!
//! The shells are real. None reads the machine's own start-up files, so a prompt is what the lab
//! says it is on every machine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::LabError;
use crate::cmsm::menu::Login;

/// The lab's directory, for `kubectl` and for whoever is inside.
pub const HOME_VARIABLE: &str = "PORTCULLIS_LAB_HOME";
/// Set in every shell of the lab; the auto-start block looks at it.
pub const INSIDE_VARIABLE: &str = "PORTCULLIS_LAB_INSIDE";
/// Names the session a process belongs to, so that all of a session's processes can be found.
pub(crate) const SESSION_VARIABLE: &str = "PORTCULLIS_LAB_SESSION";

/// Where programs are looked for in the lab's shells, behind the lab's own directory.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Variables that would make a shell read files or change its prompt.
const UNWANTED: [&str; 5] = ["BASH_ENV", "ENV", "PROMPT_COMMAND", "PS0", "SHELLOPTS"];

/// A program to start, ready for any way of starting it. The environment is complete: nothing is
/// to be inherited beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellPlan {
    /// Program to run.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Directory to start in.
    pub directory: PathBuf,
    /// The whole environment; of two entries with one name the later one counts.
    pub environment: Vec<(OsString, OsString)>,
}

impl ShellPlan {
    /// The master shell of a host, after the menu. Creates the user's home directory.
    ///
    /// `base` is what a login brings along: `TERM`, `LANG`, variables the client asked for.
    ///
    /// # Errors
    /// [`LabError::File`] when the home directory cannot be made.
    pub fn master(home: &Path, login: &Login, base: &[(OsString, OsString)]) -> Result<Self, LabError> {
        let mut plan = Self::on_host(home, &login.user, &login.target.name, &login.target.address, base)?;
        plan.environment.extend(pairs(&[("PORTCULLIS_LAB_CLUSTER", login.target.cluster.as_str())]));
        Ok(plan)
    }

    /// An interactive shell that knows which host it plays. Names as for [`Self::interactive`].
    ///
    /// # Errors
    /// [`LabError::File`] when the home directory cannot be made.
    pub fn on_host(
        home: &Path,
        user: &str,
        host: &str,
        address: &str,
        base: &[(OsString, OsString)],
    ) -> Result<Self, LabError> {
        let place = [
            ("PORTCULLIS_LAB_TARGET_IP", address),
            ("PORTCULLIS_LAB_TARGET_HOST", host),
            ("PORTCULLIS_LAB_REMOTE_USER", user),
        ];
        let mut plan = Self::interactive(home, user, host, base)?;
        plan.environment.extend(pairs(&place));
        Ok(plan)
    }

    /// An interactive shell as `user` on `host`: prompt `[user@host dir]$ `, or `#` for root.
    ///
    /// Both names must be plain (letters, digits, `-`, `_`, `.`): they go into the prompt, which
    /// the shell expands.
    ///
    /// # Errors
    /// [`LabError::File`] when the home directory cannot be made.
    pub fn interactive(home: &Path, user: &str, host: &str, base: &[(OsString, OsString)]) -> Result<Self, LabError> {
        let directory = home.join("runtime/master-home").join(user);
        std::fs::create_dir_all(&directory).map_err(LabError::file("create", &directory))?;
        let sign = if user == "root" { '#' } else { '$' };
        let shell = PromptedShell::find(&format!("{user}@{host}"), sign);
        let mut environment = wanted(base);
        environment.extend(pairs(&[("USER", user), ("LOGNAME", user), ("PS1", &shell.prompt), (INSIDE_VARIABLE, "1")]));
        environment.push(("HOME".into(), directory.clone().into()));
        environment.push(("SHELL".into(), shell.program.clone().into()));
        environment.push(("PATH".into(), search_path(home)));
        environment.push((HOME_VARIABLE.into(), home.into()));
        Ok(Self {
            program: shell.program,
            arguments: shell.arguments.iter().map(OsString::from).collect(),
            directory,
            environment,
        })
    }

    /// A command of an exec channel: `sh -c`, in the lab's directory.
    #[must_use]
    pub fn command(home: &Path, command: OsString, base: &[(OsString, OsString)]) -> Self {
        let mut environment = wanted(base);
        environment.push(("HOME".into(), home.into()));
        environment.push(("PATH".into(), search_path(home)));
        environment.push((HOME_VARIABLE.into(), home.into()));
        environment.push((INSIDE_VARIABLE.into(), "1".into()));
        Self {
            program: PathBuf::from("/bin/sh"),
            arguments: vec!["-c".into(), command],
            directory: home.to_path_buf(),
            environment,
        }
    }

    /// The command `kubectl exec` runs in a pod's directory. `base` as for [`Self::master`].
    ///
    /// A bash without arguments of its own gets the ones that keep the machine's start-up files
    /// out; with arguments it is taken as asked for.
    #[must_use]
    pub fn pod(
        directory: &Path,
        namespace: &str,
        pod: &str,
        command: &[OsString],
        base: &[(OsString, OsString)],
    ) -> Option<Self> {
        let (program, arguments) = command.split_first()?;
        let label = format!("pod:{namespace}/{pod}");
        let is_bash = Path::new(program).file_name().is_some_and(|name| name == "bash");
        let prompt = if is_bash { bash_prompt(&label, '$') } else { posix_prompt(&label, '$') };
        let mut environment = wanted(base);
        environment.extend(pairs(&[
            ("PS1", prompt.as_str()),
            ("HOSTNAME", pod),
            ("POD_NAME", pod),
            ("POD_NAMESPACE", namespace),
            ("PATH", SYSTEM_PATH),
            (INSIDE_VARIABLE, "1"),
        ]));
        environment.push(("HOME".into(), directory.into()));
        let mut arguments = arguments.to_vec();
        if is_bash && arguments.is_empty() {
            arguments = vec!["--noprofile".into(), "--norc".into()];
        }
        Some(Self { program: program.into(), arguments, directory: directory.to_path_buf(), environment })
    }
}

/// An interactive shell with a fixed prompt.
struct PromptedShell {
    program: PathBuf,
    arguments: &'static [&'static str],
    prompt: String,
}

impl PromptedShell {
    /// bash where the machine has it, else `sh`.
    fn find(label: &str, sign: char) -> Self {
        match find_program("bash") {
            Some(program) => {
                Self { program, arguments: &["--noprofile", "--norc", "-i"], prompt: bash_prompt(label, sign) }
            }
            None => Self { program: PathBuf::from("/bin/sh"), arguments: &["-i"], prompt: posix_prompt(label, sign) },
        }
    }
}

/// `\W` is bash's own name of the last directory, `~` at home.
fn bash_prompt(label: &str, sign: char) -> String {
    format!("[{label} \\W]{sign} ")
}

/// A POSIX shell expands parameters in its prompt, but knows no `\W`.
fn posix_prompt(label: &str, sign: char) -> String {
    format!("[{label} ${{PWD##*/}}]{sign} ")
}

fn find_program(name: &str) -> Option<PathBuf> {
    SYSTEM_PATH.split(':').map(|directory| Path::new(directory).join(name)).find(|candidate| candidate.is_file())
}

fn search_path(home: &Path) -> OsString {
    let mut path = home.join("bin").into_os_string();
    path.push(":");
    path.push(SYSTEM_PATH);
    path
}

fn wanted(base: &[(OsString, OsString)]) -> Vec<(OsString, OsString)> {
    let is_wanted = |name: &OsString| !UNWANTED.iter().any(|unwanted| name == unwanted);
    base.iter().filter(|(name, _)| is_wanted(name)).cloned().collect()
}

fn pairs(entries: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    entries.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
}

/// Wraps a word for a POSIX shell, so that it stands for itself whatever is in it.
pub(crate) fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step in a test panics")]

    use super::*;
    use crate::cmsm::{Target, USERS, known_targets};

    fn value<'a>(plan: &'a ShellPlan, name: &str) -> Option<&'a str> {
        plan.environment.iter().rev().find(|(key, _)| key == name).and_then(|(_, value)| value.to_str())
    }

    #[test]
    fn the_master_shell_has_its_place_in_the_environment() {
        let home = tempfile::tempdir().unwrap();
        for user in USERS {
            let target: Target = known_targets().remove(1);
            let login = Login { target, user: user.to_owned() };
            let base = pairs(&[("TERM", "xterm"), ("BASH_ENV", "/etc/evil"), ("PATH", "/evil")]);
            let plan = ShellPlan::master(home.path(), &login, &base).unwrap();
            let sign = if user == "root" { "]# " } else { "]$ " };
            assert!(value(&plan, "PS1").unwrap().starts_with(&format!("[{user}@master-b ")));
            assert!(value(&plan, "PS1").unwrap().ends_with(sign));
            assert_eq!(value(&plan, "PORTCULLIS_LAB_TARGET_IP"), Some("10.66.12.22"));
            assert_eq!(value(&plan, "PORTCULLIS_LAB_CLUSTER"), Some("payments-prod"));
            assert_eq!(value(&plan, "PORTCULLIS_LAB_REMOTE_USER"), Some(user));
            assert_eq!(value(&plan, "TERM"), Some("xterm"));
            assert_eq!(value(&plan, "BASH_ENV"), None);
            let first = home.path().join("bin");
            assert!(value(&plan, "PATH").unwrap().starts_with(first.to_str().unwrap()));
            assert!(plan.directory.is_dir() && plan.directory.ends_with(user));
        }
    }

    #[test]
    fn a_pod_shell_reads_no_start_up_files() {
        let plan = |command: &[&str]| {
            let command: Vec<OsString> = command.iter().map(OsString::from).collect();
            ShellPlan::pod(Path::new("/x"), "orders", "api-1", &command, &[])
        };
        let bash = plan(&["/bin/bash"]).unwrap();
        assert_eq!(bash.arguments, ["--noprofile", "--norc"]);
        assert_eq!(value(&bash, "PS1"), Some("[pod:orders/api-1 \\W]$ "));
        assert_eq!(plan(&["bash", "-c", "id"]).unwrap().arguments, ["-c", "id"]);
        let sh = plan(&["/bin/sh"]).unwrap();
        assert_eq!(value(&sh, "PS1"), Some("[pod:orders/api-1 ${PWD##*/}]$ "));
        assert_eq!(plan(&[]), None);
    }

    #[test]
    fn quoted_words_stand_for_themselves() {
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("it's $HOME"), r"'it'\''s $HOME'");
    }
}
