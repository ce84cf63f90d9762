//! What the route asks for, checked: every word of it may be typed into a menu or a shell.

use navigator_common::pods::WantedPod;
use navigator_common::words::{
    checked, invalid, is_host_name, is_secret_name, is_user_name, only_known, optional, required,
};
use portcullis_plugin::PluginError;
use portcullis_plugin::navigator::Goal;

use crate::settings::Settings;

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

impl Wanted {
    pub(crate) fn read(goal: &Goal, settings: &Settings) -> Result<Self, PluginError> {
        only_known(goal, &PARAMETERS)?;
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
            pod: WantedPod::read(goal, settings.default_namespace.as_deref())?,
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
