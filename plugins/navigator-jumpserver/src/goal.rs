//! What the route asks for, checked: every word of it may be typed into the menu or a shell.

use navigator_common::pods::{self, WantedPod};
use navigator_common::words::{
    checked, invalid, is_given_name, is_host_name, is_secret_name, is_user_name, only_known, optional, required,
};
use portcullis_plugin::PluginError;
use portcullis_plugin::navigator::Goal;

use crate::menu::Asset;
use crate::settings::Settings;

const OWN_PARAMETERS: [&str; 8] =
    ["target", "target_name", "target_address", "host_name", "account", "protocol", "login_user", "password_secret"];

/// The place to reach.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// As searched for: an address or a name.
    pub(crate) target: String,
    target_name: Option<String>,
    target_address: Option<String>,
    /// What the host calls itself, where that is not the asset's name.
    pub(crate) host_name: Option<String>,
    /// An account's name or login name, where the asset has several.
    pub(crate) account: Option<String>,
    pub(crate) protocol: String,
    /// For an account whose login name is typed by hand.
    pub(crate) login_user: Option<String>,
    /// Name of the secret to be given where the bastion asks for the account's password.
    pub(crate) password_secret: Option<String>,
    pub(crate) pod: Option<WantedPod>,
}

impl Wanted {
    pub(crate) fn read(goal: &Goal, settings: &Settings) -> Result<Self, PluginError> {
        only_known(goal, &[&OWN_PARAMETERS[..], &pods::PARAMETERS[..]].concat())?;
        let account = goal.parameter("account").or(settings.default_account.as_deref());
        let protocol = goal.parameter("protocol").unwrap_or(&settings.protocol);
        Ok(Self {
            target: checked("target", required(goal.parameter("target"), "target")?, is_given_name)?,
            target_name: optional(goal, "target_name", is_given_name)?,
            target_address: optional(goal, "target_address", is_host_name)?,
            host_name: optional(goal, "host_name", is_host_name)?,
            account: account.map(|account| checked("account", account, is_account)).transpose()?,
            protocol: checked("protocol", protocol, is_protocol)?,
            login_user: optional(goal, "login_user", is_user_name)?,
            password_secret: optional(goal, "password_secret", is_secret_name)?,
            pod: WantedPod::read(goal, settings.default_namespace.as_deref())?,
        })
        .and_then(Self::consistent)
    }

    fn consistent(self) -> Result<Self, PluginError> {
        let halves = [&self.target_name, &self.target_address];
        if halves.iter().all(|half| half.as_ref().is_some_and(|half| *half != self.target)) {
            return Err(invalid(
                "target is neither target_name nor target_address, so no asset could be all of them".to_owned(),
            ));
        }
        Ok(self)
    }

    /// Whether this row is the asset asked for.
    pub(crate) fn is_target(&self, asset: &Asset) -> bool {
        let is_name = |wanted: &str| as_shown(wanted) == asset.name;
        (is_name(&self.target) || self.target == asset.address)
            && self.target_name.as_deref().is_none_or(is_name)
            && self.target_address.as_ref().is_none_or(|wanted| *wanted == asset.address)
    }

    /// The half of name and address that was not searched for; it narrows a long list.
    pub(crate) fn other_half(&self) -> Option<&str> {
        [&self.target_address, &self.target_name]
            .into_iter()
            .flatten()
            .find(|half| **half != self.target)
            .map(|half| &**half)
    }
}

/// The menu's tables show a blank of a name as `_`.
fn as_shown(name: &str) -> String {
    name.replace(' ', "_")
}

fn is_account(text: &str) -> bool {
    is_given_name(text)
}

fn is_protocol(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
