//! The lines typed once per shell to make it mark its prompt, and the wrappers for shells that
//! cannot be marked.
//!
//! Each is one readable line of less than 1,000 bytes (BusyBox ash cuts longer ones), ends its
//! control strings with BEL and short (bastions that read along expect that), and starts with a
//! blank. The protocol is OSC 133; `aid=<nonce>.<pid>` names the shell, `q` counts its prompts.
//!
//! History: fish leaves out lines that start with a blank; bash forgets both lines by itself; zsh
//! reads the second one into a list that is thrown away and never writes the first one to its file;
//! dash keeps none. What offers no way to take a line back is the memory of the one shell that runs:
//! zsh's has the probe (not where `hist_ignore_space` is set), those of tcsh, mksh and BusyBox ash
//! have both lines.

use crate::level::ShellKind;

/// Reading must not become paging.
const PAGERS: &str = "PAGER=cat GIT_PAGER=cat MANPAGER=cat SYSTEMD_PAGER=cat";

/// Asks which shell reads this; valid in bash, zsh, POSIX shells and fish. csh complains about the
/// first variable, which tells as much. In zsh a history list of its own is begun.
pub fn probe(nonce: &str) -> String {
    format!(
        " printf '\\033]133;P;k=probe;b=%s;z=%s;f=%s;k2=%s;aid={nonce}.0\\007' \"$BASH_VERSION\" \"$ZSH_VERSION\" \"$FISH_VERSION\" \"$KSH_VERSION\"; [ -n \"$ZSH_VERSION\" ] && fc -p\r"
    )
}

/// Makes `shell` mark its prompt from now on. `form` counts the ways to do so from 0, best first;
/// `None` when there are no more.
pub fn marks(shell: ShellKind, nonce: &str, form: usize) -> Option<String> {
    match (shell, form) {
        (ShellKind::Bash, 0) => Some(bash(nonce)),
        (ShellKind::Bash, 1) => Some(bash_prompt_only(nonce)),
        (ShellKind::Zsh, 0) => Some(zsh(nonce)),
        (ShellKind::Fish, 0) => Some(fish(nonce)),
        (ShellKind::Tcsh, 0) => Some(tcsh(nonce)),
        (ShellKind::Posix | ShellKind::Unknown, PLAIN_FORM) => Some(posix(nonce)),
        (ShellKind::Posix, KSH_FORM) => Some(ksh(nonce)),
        _ => None,
    }
}

/// Of the forms for POSIX shells, the one for those that take the prompt as it is.
pub const PLAIN_FORM: usize = 0;
/// And the one for mksh, which counts every character of the prompt that is not set apart.
pub const KSH_FORM: usize = 1;

/// Takes the lines with the nonce out of bash's history.
fn bash_forget(nonce: &str) -> String {
    format!(
        "__pc_forget(){{ local h;while h=$(HISTTIMEFORMAT= history 1);[[ $h = *{nonce}* ]];do \
h=${{h#\"${{h%%[0-9]*}}\"}};history -d ${{h%%[!0-9]*}}||break;done;unset -f __pc_forget;}};__pc_forget"
    )
}

/// A prompt from the environment may have marks of the shell it came from: bash's are cut out of it,
/// any other's make way for a plain prompt.
const BASH_OWN_PROMPT: &str =
    "PS1=${PS1-};PS1=${PS1//'\\[\\033]133;B;aid='????????'.$$\\007\\]'/};[[ $PS1 = *aid=* ]]&&PS1='\\h:\\w\\$ '";

fn bash(nonce: &str) -> String {
    let forget = bash_forget(nonce);
    format!(
        " export {PAGERS};{forget};__pc_n=0;__pc_prompt(){{ local s=$?;__pc_n=$((__pc_n+1));\
printf '\\033]133;D;%s;aid={nonce}.%s;q=%s\\007\\033]133;A;aid={nonce}.%s\\007' $s $$ $__pc_n $$;return $s;}};\
PROMPT_COMMAND=\"__pc_prompt 2>/dev/null${{PROMPT_COMMAND:+;$PROMPT_COMMAND}}\";\
{BASH_OWN_PROMPT};PS1=\"$PS1\"'\\[\\033]133;B;aid={nonce}.$$\\007\\]';PS0=\"${{PS0-}}\"'\\033]133;C;aid={nonce}.$$\\007'\r"
    )
}

/// For hosts where PROMPT_COMMAND cannot be changed: everything stands in the prompt.
fn bash_prompt_only(nonce: &str) -> String {
    let forget = bash_forget(nonce);
    format!(
        " export {PAGERS};{forget};{BASH_OWN_PROMPT};PS0=\"${{PS0-}}\"'\\033]133;C;aid={nonce}.$$\\007';\
PS1='\\[\\033]133;D;$?;aid={nonce}.$$;q=$((__pc_n=__pc_n+1))\\007\\033]133;A;aid={nonce}.$$\\007\\]'\"$PS1\"'\\[\\033]133;B;aid={nonce}.$$\\007\\]'\r"
    )
}

fn zsh(nonce: &str) -> String {
    format!(
        " export {PAGERS};__pc_n=0;__pc_prompt(){{ printf '\\033]133;D;%s;aid={nonce}.%s;q=%s\\007\\033]133;A;aid={nonce}.%s\\007' $? $$ $((++__pc_n)) $$ }};\
__pc_run(){{ printf '\\033]133;C;aid={nonce}.%s\\007' $$ }};precmd_functions=(__pc_prompt $precmd_functions);\
preexec_functions+=(__pc_run);unsetopt prompt_sp;[[ $PS1 = *aid=* ]]&&PS1='%m%# ';PS1=\"$PS1\"$'%{{\\033]133;B;aid={nonce}.'$$$'\\007%}}';\
fc -P;HISTORY_IGNORE=\"(${{HISTORY_IGNORE:-}}|*k=prob[e];*)\"\r"
    )
}

fn fish(nonce: &str) -> String {
    format!(
        " for v in PAGER GIT_PAGER MANPAGER SYSTEMD_PAGER; set -gx $v cat; end; set -g __pc_n 0; functions -q __pc_old; or functions -c fish_prompt __pc_old; \
function fish_prompt; set -l s $status; set -g __pc_n (math $__pc_n + 1); \
printf '\\033]133;D;%s;aid={nonce}.%s;q=%s\\007\\033]133;A;aid={nonce}.%s\\007' $s $fish_pid $__pc_n $fish_pid; __pc_old; \
printf '\\033]133;B;aid={nonce}.%s\\007' $fish_pid; end; \
function __pc_run --on-event fish_preexec; printf '\\033]133;C;aid={nonce}.%s\\007' $fish_pid; end\r"
    )
}

/// Aliases are the hooks of csh; the prompt itself takes no control strings that reach the terminal
/// unchanged, so there is no `B`.
fn tcsh(nonce: &str) -> String {
    format!(
        " setenv PAGER cat;setenv GIT_PAGER cat;setenv MANPAGER cat;setenv SYSTEMD_PAGER cat;set __pc_n=1;\
alias precmd 'printf \"\\033]133;D;%s;aid={nonce}.%s;q=%s\\007\\033]133;A;aid={nonce}.%s\\007\" $status $$ $__pc_n $$; @ __pc_n++';\
alias postcmd 'printf \"\\033]133;C;aid={nonce}.%s\\007\" $$'\r"
    )
}

/// Everything stands in PS1, which these shells expand at each prompt; they have no hook that runs
/// before a command, so there is no `C`.
fn posix(nonce: &str) -> String {
    format!(
        " export {PAGERS};__pc_n=0 __pc_e=$(printf '\\033') __pc_b=$(printf '\\007');case $PS1 in *aid=*)PS1='$ ';;esac;\
PS1=\"$__pc_e]133;D;\"'$?;aid={nonce}.$$;q=$((__pc_n=__pc_n+1))'\"$__pc_b$__pc_e]133;A;\"'aid={nonce}.$$'\"$__pc_b${{PS1-\\$ }}$__pc_e]133;B;\"'aid={nonce}.$$'\"$__pc_b\"\r"
    )
}

/// As [`posix`]. A prompt that begins with a control character and a carriage return has its
/// unprintable parts between such characters (mksh(1), PS1).
fn ksh(nonce: &str) -> String {
    format!(
        " export {PAGERS};__pc_n=0 __pc_e=$(printf '\\033') __pc_b=$(printf '\\007') __pc_m=$(printf '\\001');case $PS1 in *aid=*)PS1='$ ';;esac;\
PS1=\"$__pc_m$(printf '\\r')$__pc_m$__pc_e]133;D;\"'$?;aid={nonce}.$$;q=$((__pc_n=__pc_n+1))'\"$__pc_b$__pc_e]133;A;\"'aid={nonce}.$$'\"$__pc_b$__pc_m${{PS1-\\$ }}$__pc_m$__pc_e]133;B;\"'aid={nonce}.$$'\"$__pc_b$__pc_m\"\r"
    )
}

/// Runs `text` in the present shell as one argument, whatever stands in it: comments,
/// here-documents, `&`, open quotes and syntax errors stay inside, where `; printf` behind the
/// command would be swallowed by them.
pub fn eval(shell: ShellKind, text: &str) -> String {
    let builtin = match shell {
        ShellKind::Zsh => "builtin eval",
        ShellKind::Fish | ShellKind::Tcsh => "eval",
        ShellKind::Bash | ShellKind::Posix | ShellKind::Unknown => "command eval",
    };
    let quoted = match shell {
        // Inside single quotes fish knows `\'` and `\\`.
        ShellKind::Fish => text.replace('\\', "\\\\").replace('\'', "\\'"),
        _ => text.replace('\'', "'\\''"),
    };
    format!("{builtin} '{quoted}'")
}

fn status(shell: ShellKind) -> &'static str {
    match shell {
        ShellKind::Fish | ShellKind::Tcsh => "$status",
        _ => "$?",
    }
}

/// Wraps one command so that its end and code can be told without marks in the prompt.
pub fn sentinel(shell: ShellKind, nonce: &str, number: u64, command: &str) -> String {
    let (eval, status) = (eval(shell, command), status(shell));
    format!(
        " printf '\\033]133;C;aid={nonce}.s\\007';{eval};printf '\\033]133;D;%s;aid={nonce}.s;q={number}\\007' \"{status}\"\r"
    )
}

/// As [`sentinel`], as text that a multiplexer passes on. The text is put together by `printf`, so
/// that the echo of this line does not contain it.
pub fn visible_sentinel(shell: ShellKind, nonce: &str, number: u64, command: &str) -> String {
    let (eval, status) = (eval(shell, command), status(shell));
    format!(" printf '@@%s:%s@@\\n' {nonce} {number};{eval};printf '@@%s:%s=%s@@\\n' {nonce} {number} \"{status}\"\r")
}

/// What [`visible_sentinel`] prints before the command.
pub(crate) fn visible_start(nonce: &str, number: u64) -> String {
    format!("@@{nonce}:{number}@@")
}

/// What [`visible_sentinel`] prints behind the command, up to the exit code.
pub(crate) fn visible_end(nonce: &str, number: u64) -> String {
    format!("@@{nonce}:{number}=")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn every_line_fits_the_shortest_line_editor() {
        for shell in [ShellKind::Bash, ShellKind::Zsh, ShellKind::Fish, ShellKind::Tcsh, ShellKind::Posix] {
            let mut form = 0;
            while let Some(line) = marks(shell, "0123abcd", form) {
                assert!(line.len() < 1000, "{shell:?}: {}", line.len());
                assert!(line.starts_with(' ') && line.ends_with('\r'));
                assert_eq!(line.matches('\r').count(), 1);
                assert!(!line.contains('\x1b'), "the echo of the line must not itself be a mark");
                form += 1;
            }
            assert!(form > 0, "{shell:?}");
        }
        assert!(probe("0123abcd").len() < 250);
    }

    #[test]
    fn the_echo_of_a_visible_sentinel_is_not_the_sentinel() {
        let line = visible_sentinel(ShellKind::Bash, "0123abcd", 7, "ls");
        assert!(!line.contains(&visible_start("0123abcd", 7)) && !line.contains(&visible_end("0123abcd", 7)));
    }
}
