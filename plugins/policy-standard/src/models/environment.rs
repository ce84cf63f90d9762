//! Variables, aliases and hooks that change what later commands run.

use portcullis_plugin::policy::Invocation;

use crate::call::Call;
use crate::reading;
use crate::review::Review;
use crate::rule;

const HOOKS: &[&str] = &[
    "PATH",
    "BASH_ENV",
    "ENV",
    "PROMPT_COMMAND",
    "SHELL",
    "SHELLOPTS",
    "BASHOPTS",
    "PAGER",
    "MANPAGER",
    "MANOPT",
    "GIT_PAGER",
    "SYSTEMD_PAGER",
    "PSQL_PAGER",
    "AWS_PAGER",
    "GH_PAGER",
    "DELTA_PAGER",
    "BAT_PAGER",
    "EDITOR",
    "VISUAL",
    "FCEDIT",
    "SUDO_EDITOR",
    "SYSTEMD_EDITOR",
    "KUBE_EDITOR",
    "PSQL_EDITOR",
    "GIT_EDITOR",
    "GIT_SEQUENCE_EDITOR",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_ASKPASS",
    "GIT_EXTERNAL_DIFF",
    "GIT_PROXY_COMMAND",
    "GIT_EXEC_PATH",
    "GIT_TEMPLATE_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "SSH_ASKPASS",
    "SUDO_ASKPASS",
    "BROWSER",
    "LESSOPEN",
    "LESSCLOSE",
    "LESSEDIT",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONHOME",
    "PYTHONBREAKPOINT",
    "PYTHONINSPECT",
    "PYTHONWARNINGS",
    "PERL5LIB",
    "PERL5OPT",
    "PERLLIB",
    "PERL5DB",
    "RUBYOPT",
    "RUBYLIB",
    "NODE_OPTIONS",
    "NODE_PATH",
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "MAVEN_OPTS",
    "TAR_OPTIONS",
    "RSYNC_RSH",
    "CVS_RSH",
    "SVN_SSH",
    "MAKEFLAGS",
    "GNUMAKEFLAGS",
    "FPATH",
    "ZDOTDIR",
    "INPUTRC",
    "GCONV_PATH",
    "LOCPATH",
    "HOSTALIASES",
    "TERMCAP",
    "OPENSSL_CONF",
    "OPENSSL_ENGINES",
    "RUSTC_WRAPPER",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "LUA_INIT",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "R_PROFILE",
    "R_ENVIRON",
    "EXINIT",
    "VIMINIT",
    "XDG_CONFIG_HOME",
    "WGETRC",
    "CURL_HOME",
    "TCLLIBPATH",
    "AWKPATH",
    "AWKLIBPATH",
    "FZF_DEFAULT_COMMAND",
];
const PREFIXES: &[&str] = &["LD_", "DYLD_", "BASH_FUNC_", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_", "MALLOC_HOOK"];
const HISTORY: &[&str] = &["HISTFILE", "HISTSIZE", "HISTFILESIZE", "HISTCONTROL", "HISTIGNORE"];

/// Values that switch a hook off instead of on.
fn is_harmless(name: &str, value: Option<&str>) -> bool {
    let is_program_hook = name.ends_with("PAGER") || name.ends_with("EDITOR") || name == "VISUAL" || name == "BROWSER";
    is_program_hook && matches!(value, Some("" | "cat" | "/bin/cat" | "true" | "/bin/true" | ":"))
}

/// Variables that name a program or a place programs are taken from.
const TOOLS: &[&str] = &[
    "CC",
    "CXX",
    "CPP",
    "LD",
    "AR",
    "AS",
    "NM",
    "RUSTC",
    "RUSTDOC",
    "CARGO",
    "GOROOT",
    "GOFLAGS",
    "JAVA_HOME",
    "PYTHON",
    "RUBY",
    "PERL",
    "MAKE",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "VIRTUAL_ENV",
    "GEM_HOME",
    "npm_config_prefix",
    "TERMINFO",
];

fn assignment(review: &mut Review<'_>, name: &str, value: Option<&str>) {
    if TOOLS.contains(&name) && value.is_some_and(|value| review.is_unreviewed(value)) {
        review.add(&rule::SCRATCH);
    }
    if HISTORY.contains(&name) {
        review.add(&rule::HISTORY);
    }
    let hooked = HOOKS.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    if hooked && !is_harmless(name, value) {
        review.add(&rule::ENVIRONMENT);
    }
}

/// `NAME=value` in front of a command or alone.
pub fn assignments(review: &mut Review<'_>, invocation: &Invocation) {
    for item in &invocation.assignments {
        assignment(review, &item.name, item.value.as_deref());
    }
}

pub fn judge<'a>(review: &mut Review<'a>, call: &Call<'a>) {
    match call.program {
        "export" | "declare" | "typeset" | "local" | "readonly" | "setenv" => {
            for word in call.words {
                let text = word.value.as_deref().unwrap_or(&word.text);
                if let Some((name, value)) = text.split_once('=') {
                    assignment(review, name.trim_end_matches('+'), word.value.as_deref().map(|_| value));
                }
            }
            let functions = call.program == "export" && call.has("f", &[]) && call.words.len() > 1;
            if functions {
                review.add(&rule::ENVIRONMENT);
            }
        }
        "unset" => {
            for name in call.values() {
                assignment(review, name, None);
            }
        }
        "read" | "mapfile" | "readarray" | "printf" => {
            if matches!(call.program, "mapfile" | "readarray") && call.has("C", &[]) {
                review.add(&rule::ENVIRONMENT);
            }
            let target = if call.program == "printf" { call.option_text('v', &[]) } else { None };
            let names: Vec<String> = if call.program == "printf" {
                target.into_iter().collect()
            } else {
                call.values().map(str::to_owned).collect()
            };
            for name in names {
                assignment(review, &name, None);
            }
        }
        "alias"
            if call.values().any(|value| value.contains('=')) || call.words.iter().any(|word| word.value.is_none()) =>
        {
            review.add(&rule::ENVIRONMENT)
        }
        "abbr" | "functions" | "autoload" | "zmodload" => review.add(&rule::ENVIRONMENT),
        "hash" if call.has("pd", &[]) => review.add(&rule::ENVIRONMENT),
        "enable" if call.has("fdn", &[]) || call.verb() != "" => review.add(&rule::ENVIRONMENT),
        "complete" if call.has("CF", &[]) => review.add(&rule::ENVIRONMENT),
        "compgen" if call.has("CF", &[]) => review.add(&rule::FLAG_EXEC),
        "bind"
            if !call.values().all(|value| matches!(value, "-P" | "-p" | "-l" | "-v" | "-V" | "-s" | "-S" | "-X")) =>
        {
            review.add(&rule::ENVIRONMENT)
        }
        "set" if call.has_word(&["history"]) && call.has_word(&["+o"]) => review.add(&rule::HISTORY),
        "history" if call.has("cdwanr", &[]) => review.add(&rule::HISTORY),
        "history" if call.has("s", &[]) => review.add(&rule::ENVIRONMENT),
        "fc" if !call.has("l", &[]) => review.add(&rule::UNRESOLVED),
        "function" => review.add(&rule::ENVIRONMENT),
        _ => {}
    }
    if call.program == "alias" {
        let shadows =
            call.values().filter_map(|value| value.split_once('=')).any(|(name, _)| reading::is_ordinary_command(name));
        if shadows {
            review.add(&rule::ENVIRONMENT);
        }
    }
}
