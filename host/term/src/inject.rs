//! The lines typed once per shell to make it mark its prompt, and the wrapper for shells that
//! cannot be marked.
//!
//! Each is one readable line of less than 1,000 bytes (BusyBox ash cuts longer ones), ends its
//! control strings with BEL and short (bastions that read along expect that), and starts with a
//! blank, which keeps it out of the history where the shell's user has asked for that. The
//! protocol is OSC 133; `aid=<nonce>.<pid>` names the shell, `q` counts its prompts.

use crate::level::ShellKind;

/// Reading must not become paging.
const PAGERS: &str = "PAGER=cat GIT_PAGER=cat MANPAGER=cat SYSTEMD_PAGER=cat";

/// Asks which shell reads this; valid in bash, zsh, POSIX shells and fish.
pub fn probe(nonce: &str) -> String {
    format!(
        " printf '\\033]133;P;k=probe;b=%s;z=%s;f=%s;aid={nonce}.0\\007' \"$BASH_VERSION\" \"$ZSH_VERSION\" \"$FISH_VERSION\"\r"
    )
}

/// Makes `shell` mark its prompt from now on.
pub fn marks(shell: ShellKind, nonce: &str) -> String {
    match shell {
        ShellKind::Bash => bash(nonce),
        ShellKind::Zsh => zsh(nonce),
        ShellKind::Fish => fish(nonce),
        ShellKind::Posix | ShellKind::Tcsh | ShellKind::Unknown => posix(nonce),
    }
}

fn bash(nonce: &str) -> String {
    format!(
        " export {PAGERS};__pc_n=0;__pc_prompt(){{ local s=$?;__pc_n=$((__pc_n+1));\
printf '\\033]133;D;%s;aid={nonce}.%s;q=%s\\007\\033]133;A;aid={nonce}.%s\\007' $s $$ $__pc_n $$;return $s;}};\
PROMPT_COMMAND=\"__pc_prompt${{PROMPT_COMMAND:+;$PROMPT_COMMAND}}\";\
PS1=\"${{PS1-}}\"'\\[\\033]133;B;aid={nonce}.$$\\007\\]';PS0='\\033]133;C;aid={nonce}.$$\\007'\r"
    )
}

fn zsh(nonce: &str) -> String {
    format!(
        " export {PAGERS};__pc_n=0;__pc_prompt(){{ printf '\\033]133;D;%s;aid={nonce}.%s;q=%s\\007\\033]133;A;aid={nonce}.%s\\007' $? $$ $((++__pc_n)) $$ }};\
__pc_run(){{ printf '\\033]133;C;aid={nonce}.%s\\007' $$ }};precmd_functions=(__pc_prompt $precmd_functions);\
preexec_functions+=(__pc_run);unsetopt prompt_sp;PS1=\"$PS1\"$'%{{\\033]133;B;aid={nonce}.'$$$'\\007%}}'\r"
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

/// Everything stands in PS1, which these shells expand at each prompt; they have no hook that runs
/// before a command, so there is no `C`.
fn posix(nonce: &str) -> String {
    format!(
        " export {PAGERS};__pc_n=0 __pc_e=$(printf '\\033') __pc_b=$(printf '\\007');\
PS1=\"$__pc_e]133;D;\"'$?;aid={nonce}.$$;q=$((__pc_n=__pc_n+1))'\"$__pc_b$__pc_e]133;A;\"'aid={nonce}.$$'\"$__pc_b${{PS1-\\$ }}$__pc_e]133;B;\"'aid={nonce}.$$'\"$__pc_b\"\r"
    )
}

/// Wraps one command so that its end and code can be told without marks in the prompt.
///
/// `eval` keeps comments, here-documents, `&`, open quotes and syntax errors inside its own
/// argument, where `; printf` behind the command would be swallowed by them.
pub fn sentinel(shell: ShellKind, nonce: &str, number: u64, command: &str) -> String {
    let eval = if shell == ShellKind::Zsh { "builtin eval" } else { "command eval" };
    let quoted = command.replace('\'', "'\\''");
    format!(
        " printf '\\033]133;C;aid={nonce}.s\\007';{eval} '{quoted}';printf '\\033]133;D;%s;aid={nonce}.s;q={number}\\007' \"$?\"\r"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_fits_the_shortest_line_editor() {
        for shell in [ShellKind::Bash, ShellKind::Zsh, ShellKind::Fish, ShellKind::Posix] {
            let line = marks(shell, "0123abcd");
            assert!(line.len() < 1000, "{shell:?}: {}", line.len());
            assert!(line.starts_with(' ') && line.ends_with('\r'));
            assert_eq!(line.matches('\r').count(), 1);
            assert!(!line.contains('\x1b'), "the echo of the line must not itself be a mark");
        }
        assert!(probe("0123abcd").len() < 200);
    }
}
