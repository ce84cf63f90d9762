//! What the route asks for, checked: every word of it may be typed into a menu or a shell.

use portcullis_plugin::navigator::Goal;
use portcullis_plugin::{PluginError, ShellDialect};

use crate::settings::Settings;

/// Longest DNS name, and more than any user or shell needs. Bytes.
const MAX_WORD_BYTES: usize = 253;
/// What the menu takes for "leave".
const LEAVE_WORDS: [&str; 3] = ["q", "quit", "exit"];
const PARAMETERS: [&str; 9] = [
    "target",
    "target_name",
    "target_address",
    "user",
    "password_secret",
    "namespace",
    "pod",
    "pod_shell",
    "container",
];

/// The place to reach.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// As typed at the menu: an address or a name.
    pub(crate) target: String,
    /// The other half, when the route knows both.
    pub(crate) target_name: Option<String>,
    pub(crate) target_address: Option<String>,
    /// A name or a number of the list.
    pub(crate) user: String,
    /// Name of the secret to be given where the bastion asks for the user's password.
    pub(crate) password_secret: Option<String>,
    pub(crate) pod: Option<WantedPod>,
}

/// A pod on the host reached.
#[derive(Clone, Debug)]
pub(crate) struct WantedPod {
    pub(crate) namespace: String,
    pub(crate) name: NamePattern,
    pub(crate) container: Option<String>,
    pub(crate) shell: String,
}

/// An exact name or, written with a `*` at its end, the beginning of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NamePattern {
    Exact(String),
    Prefix(String),
}

impl NamePattern {
    pub(crate) fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => name == exact,
            Self::Prefix(prefix) => name.starts_with(prefix.as_str()),
        }
    }

    /// As the route wrote it.
    pub(crate) fn written(&self) -> String {
        match self {
            Self::Exact(exact) => exact.clone(),
            Self::Prefix(prefix) => format!("{prefix}*"),
        }
    }
}

impl Wanted {
    pub(crate) fn read(goal: &Goal, settings: &Settings) -> Result<Self, PluginError> {
        if let Some(unknown) = goal.parameters.iter().find(|given| !PARAMETERS.contains(&given.key.as_str())) {
            return Err(invalid(format!("parameter {:?} is not one of {}", unknown.key, PARAMETERS.join(", "))));
        }
        let target = required(goal.parameter("target"), "target")?;
        if LEAVE_WORDS.contains(&target) || target.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid(format!(
                "target {target:?} would be a command or a row number to the menu; give an address or a name"
            )));
        }
        let user = required(goal.parameter("user").or(settings.default_user.as_deref()), "user")?;
        Ok(Self {
            target: checked("target", target, is_host_name)?,
            target_name: optional(goal, "target_name", is_host_name)?,
            target_address: optional(goal, "target_address", is_host_name)?,
            user: checked("user", user, is_user_name)?,
            password_secret: optional(goal, "password_secret", is_secret_name)?,
            pod: WantedPod::read(goal, settings)?,
        })
    }

    /// Whether a host of this name and address is the one asked for.
    pub(crate) fn is_target(&self, name: &str, address: &str) -> bool {
        let half = |wanted: &Option<String>, shown: &str| wanted.as_deref().is_none_or(|wanted| wanted == shown);
        (self.target == name || self.target == address)
            && half(&self.target_name, name)
            && half(&self.target_address, address)
    }
}

impl WantedPod {
    fn read(goal: &Goal, settings: &Settings) -> Result<Option<Self>, PluginError> {
        let Some(pod) = goal.parameter("pod") else { return Ok(None) };
        let namespace = goal.parameter("namespace").or(settings.default_namespace.as_deref());
        let name = match pod.strip_suffix('*') {
            Some(prefix) => NamePattern::Prefix(checked("pod", prefix, is_kubernetes_name_start)?),
            None => NamePattern::Exact(checked("pod", pod, is_kubernetes_name)?),
        };
        let shell = goal.parameter("pod_shell").unwrap_or("/bin/bash");
        Ok(Some(Self {
            namespace: checked("namespace", required(namespace, "namespace")?, is_kubernetes_name)?,
            name,
            container: optional(goal, "container", is_kubernetes_name)?,
            shell: checked("pod_shell", shell, is_program_path)?,
        }))
    }

    /// The shell's dialect, as far as its name tells.
    pub(crate) fn dialect(&self) -> ShellDialect {
        match self.shell.rsplit('/').next().unwrap_or_default() {
            "bash" => ShellDialect::Bash,
            "sh" | "ash" | "dash" | "ksh" | "mksh" => ShellDialect::Posix,
            "zsh" => ShellDialect::Zsh,
            "fish" => ShellDialect::Fish,
            "tcsh" | "csh" => ShellDialect::Tcsh,
            _ => ShellDialect::Unknown,
        }
    }
}

fn invalid(message: String) -> PluginError {
    PluginError::InvalidInput(message)
}

fn required<'a>(value: Option<&'a str>, name: &str) -> Result<&'a str, PluginError> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| invalid(format!("the route needs the parameter {name:?}")))
}

fn checked(name: &str, value: &str, is_fine: fn(&str) -> bool) -> Result<String, PluginError> {
    if is_fine(value) {
        return Ok(value.to_owned());
    }
    Err(invalid(format!("parameter {name:?} is {value:?}, which has characters that do not belong there")))
}

fn optional(goal: &Goal, name: &str, is_fine: fn(&str) -> bool) -> Result<Option<String>, PluginError> {
    goal.parameter(name).map(|value| checked(name, value, is_fine)).transpose()
}

fn made_of(text: &str, extra: &str) -> bool {
    (1..=MAX_WORD_BYTES).contains(&text.len())
        && text.chars().all(|symbol| symbol.is_ascii_alphanumeric() || extra.contains(symbol))
        && !text.starts_with('-')
}

/// A host's name or address, also IPv6.
pub(crate) fn is_host_name(text: &str) -> bool {
    made_of(text, "._:-")
}

/// A login user.
pub(crate) fn is_user_name(text: &str) -> bool {
    made_of(text, "._@-")
}

/// A namespace, pod or container. It stands unquoted in a command, so nothing else may be in it.
pub(crate) fn is_kubernetes_name(text: &str) -> bool {
    is_kubernetes_name_start(text) && !text.ends_with(['-', '.'])
}

fn is_kubernetes_name_start(text: &str) -> bool {
    made_of(text, ".-") && !text.starts_with('.') && !text.contains(|symbol: char| symbol.is_ascii_uppercase())
}

fn is_secret_name(text: &str) -> bool {
    made_of(text, "-_.")
}

fn is_program_path(text: &str) -> bool {
    made_of(text, "/._-")
}
