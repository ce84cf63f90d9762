//! The operator's settings: what this bastion's texts are, and how long to wait for them.

use navigator_common::settings::{Dialect, wrong_quiet, wrong_text, wrong_timeout};
use portcullis_plugin::ConfigDiagnostic;
use portcullis_plugin::config::{self, diagnostic};
use serde::Deserialize;

/// Shortest and longest time to wait for an answer. Milliseconds.
const TIMEOUT_RANGE_MS: std::ops::RangeInclusive<u32> = 500..=120_000;
/// As written by the operator, all optional.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) texts: Texts,
    /// A screen is looked at after so many milliseconds without a byte.
    pub(crate) quiet_ms: u32,
    /// For an answer of the menu.
    pub(crate) menu_timeout_ms: u32,
    /// For the host's shell after the user was chosen.
    pub(crate) login_timeout_ms: u32,
    /// Used when the route names none.
    pub(crate) default_user: Option<String>,
    pub(crate) default_namespace: Option<String>,
    /// The shell that hosts behind this bastion give.
    pub(crate) host_shell: Dialect,
}

/// The menu's fixed texts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Texts {
    /// Part of the banner.
    pub(crate) banner: String,
    pub(crate) target_prompt: String,
    /// Heads the row of the target found: index, address, name, and more.
    pub(crate) result_title: String,
    /// Heads the list of users: `1) name`.
    pub(crate) user_title: String,
    pub(crate) user_prompt: String,
    /// End of the line that asks for the target's password, small and large letters alike.
    pub(crate) password_prompt: String,
    /// `{host}` and `{user}` stand for the names.
    pub(crate) logged_in: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            texts: Texts::default(),
            quiet_ms: 80,
            menu_timeout_ms: 10_000,
            login_timeout_ms: 30_000,
            default_user: None,
            default_namespace: None,
            host_shell: Dialect::Bash,
        }
    }
}

impl Default for Texts {
    fn default() -> Self {
        Self {
            banner: "CMSM".to_owned(),
            target_prompt: "Target IP:".to_owned(),
            result_title: "Search result:".to_owned(),
            user_title: "Select login user:".to_owned(),
            user_prompt: "User number:".to_owned(),
            password_prompt: "password:".to_owned(),
            logged_in: "Logged in to {host} as {user}.".to_owned(),
        }
    }
}

impl Settings {
    /// Reads and checks the settings; the error lists everything that is wrong.
    pub(crate) fn read(config: &str) -> Result<Self, Vec<ConfigDiagnostic>> {
        let settings: Self = config::parse(config).map_err(|wrong| vec![wrong])?;
        let wrong = settings.problems();
        if wrong.is_empty() { Ok(settings) } else { Err(wrong) }
    }

    fn problems(&self) -> Vec<ConfigDiagnostic> {
        let timeouts = [("menu_timeout_ms", self.menu_timeout_ms), ("login_timeout_ms", self.login_timeout_ms)];
        let timeouts = timeouts.into_iter().filter_map(|(path, value)| wrong_timeout(path, value, &TIMEOUT_RANGE_MS));
        let texts = self.texts.all().into_iter().filter_map(|(path, text)| wrong_text(path, text));
        let mut wrong: Vec<_> = timeouts.chain(wrong_quiet("quiet_ms", self.quiet_ms)).chain(texts).collect();
        if !(self.texts.logged_in.contains("{host}") && self.texts.logged_in.contains("{user}")) {
            wrong.push(diagnostic("texts.logged_in", "must contain {host} and {user}, or a login cannot be checked"));
        }
        wrong
    }
}

impl Texts {
    fn all(&self) -> [(&'static str, &str); 7] {
        [
            ("texts.banner", &self.banner),
            ("texts.target_prompt", &self.target_prompt),
            ("texts.result_title", &self.result_title),
            ("texts.user_title", &self.user_title),
            ("texts.user_prompt", &self.user_prompt),
            ("texts.password_prompt", &self.password_prompt),
            ("texts.logged_in", &self.logged_in),
        ]
    }

    /// Whether a line asks for a password.
    pub(crate) fn asks_password(&self, line: &str) -> bool {
        line.trim_end().to_lowercase().ends_with(&self.password_prompt.trim_end().to_lowercase())
    }

    /// The line that says the login succeeded.
    pub(crate) fn login_line(&self, host: &str, user: &str) -> String {
        self.logged_in.replace("{host}", host).replace("{user}", user)
    }
}
