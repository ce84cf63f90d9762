//! The operator's settings: how long to wait, what to verify, and words a site has changed.

use navigator_common::settings::{Dialect, wrong_quiet, wrong_text, wrong_timeout};
use navigator_common::words::{is_given_name, is_kubernetes_name};
use portcullis_plugin::ConfigDiagnostic;
use portcullis_plugin::config::{self, diagnostic};
use serde::Deserialize;

use crate::identity::{Check, default_checks};
use crate::texts;

/// Shortest and longest time to wait for an answer. Milliseconds.
const TIMEOUT_RANGE_MS: std::ops::RangeInclusive<u32> = 500..=170_000;
/// A navigation has 64 steps; every page takes one, and one more to go back.
const MAX_PAGES: usize = 20;
const MAX_LISTED: usize = 50;

/// As written by the operator, all optional.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// A screen is looked at after so many milliseconds without a byte.
    pub(crate) quiet_ms: u32,
    /// A shell's prompt counts as one after so many milliseconds without a byte.
    pub(crate) settle_ms: u32,
    /// For an answer of the menu.
    pub(crate) menu_timeout_ms: u32,
    /// For the asset's shell after it was chosen.
    pub(crate) login_timeout_ms: u32,
    /// For a reviewer.
    pub(crate) approval_timeout_ms: u32,
    /// Whether a reviewer may be asked at all.
    pub(crate) request_review: bool,
    /// Pages of a list that are read; a longer list is not chosen from.
    pub(crate) max_pages: usize,
    pub(crate) protocol: String,
    /// Used when the route names none.
    pub(crate) default_account: Option<String>,
    pub(crate) default_namespace: Option<String>,
    /// The shell that assets behind this bastion give.
    pub(crate) host_shell: Dialect,
    /// How a line ends where a shell waits.
    pub(crate) shell_prompt_ends: Vec<String>,
    /// Asked of the host before the place counts as reached.
    pub(crate) verify: Vec<Check>,
    pub(crate) texts: Texts,
}

/// Words beside the known ones.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Texts {
    pub(crate) no_assets: Vec<String>,
    pub(crate) blocked: Vec<String>,
    pub(crate) waiting: Vec<String>,
    pub(crate) approved: Vec<String>,
    pub(crate) rejected: Vec<String>,
    pub(crate) ended: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            quiet_ms: 120,
            settle_ms: 400,
            menu_timeout_ms: 10_000,
            login_timeout_ms: 30_000,
            approval_timeout_ms: 120_000,
            request_review: false,
            max_pages: 10,
            protocol: "ssh".to_owned(),
            default_account: None,
            default_namespace: None,
            host_shell: Dialect::Unknown,
            shell_prompt_ends: ["$", "#", "%", ">"].map(str::to_owned).to_vec(),
            verify: default_checks(),
            texts: Texts::default(),
        }
    }
}

impl Settings {
    /// Reads and checks the settings; the error lists everything that is wrong.
    pub(crate) fn read(config: &str) -> Result<Self, Vec<ConfigDiagnostic>> {
        let mut settings: Self = config::parse(config).map_err(|wrong| vec![wrong])?;
        let wrong = settings.problems();
        if !wrong.is_empty() {
            return Err(wrong);
        }
        settings.texts.add_known();
        Ok(settings)
    }

    fn problems(&self) -> Vec<ConfigDiagnostic> {
        let mut wrong = self.wrong_times();
        if !(1..=MAX_PAGES).contains(&self.max_pages) {
            wrong.push(diagnostic("max_pages", format!("{} is not between 1 and {MAX_PAGES}", self.max_pages)));
        }
        let words = [("default_account", &self.default_account, is_given_name as fn(&str) -> bool)];
        let words = words.into_iter().chain([("default_namespace", &self.default_namespace, is_kubernetes_name as _)]);
        for (path, value, is_fine) in words {
            if value.as_deref().is_some_and(|value| !is_fine(value)) {
                wrong.push(diagnostic(path, format!("{value:?} has characters that do not belong there")));
            }
        }
        if self.protocol.is_empty() || !self.protocol.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            wrong.push(diagnostic("protocol", "must be a protocol's name, such as \"ssh\""));
        }
        for (path, list) in self.texts.all().into_iter().chain([("shell_prompt_ends", &self.shell_prompt_ends)]) {
            wrong.extend(wrong_texts(path, list));
        }
        if self.shell_prompt_ends.is_empty() {
            wrong.push(diagnostic("shell_prompt_ends", "without any, no shell would ever be recognised"));
        }
        wrong.extend(
            self.verify.iter().enumerate().flat_map(|(index, check)| check.problems(&format!("verify[{index}]"))),
        );
        wrong
    }

    fn wrong_times(&self) -> Vec<ConfigDiagnostic> {
        let timeouts = [
            ("menu_timeout_ms", self.menu_timeout_ms),
            ("login_timeout_ms", self.login_timeout_ms),
            ("approval_timeout_ms", self.approval_timeout_ms),
        ];
        let long = timeouts.into_iter().filter_map(|(path, value)| wrong_timeout(path, value, &TIMEOUT_RANGE_MS));
        let quiet = [("quiet_ms", self.quiet_ms), ("settle_ms", self.settle_ms)];
        let quiet = quiet.into_iter().filter_map(|(path, value)| wrong_quiet(path, value));
        long.chain(quiet).collect()
    }
}

fn wrong_texts(path: &str, list: &[String]) -> Vec<ConfigDiagnostic> {
    let mut wrong = Vec::new();
    if list.len() > MAX_LISTED {
        wrong.push(diagnostic(path, format!("has more than {MAX_LISTED} texts")));
    }
    let texts = list.iter().enumerate();
    wrong.extend(texts.filter_map(|(index, text)| wrong_text(&format!("{path}[{index}]"), text)));
    wrong
}

impl Texts {
    fn all(&self) -> [(&'static str, &Vec<String>); 6] {
        [
            ("texts.no_assets", &self.no_assets),
            ("texts.blocked", &self.blocked),
            ("texts.waiting", &self.waiting),
            ("texts.approved", &self.approved),
            ("texts.rejected", &self.rejected),
            ("texts.ended", &self.ended),
        ]
    }

    fn add_known(&mut self) {
        for (own, known) in [
            (&mut self.no_assets, texts::NO_ASSETS),
            (&mut self.blocked, texts::BLOCKED),
            (&mut self.waiting, texts::WAITING),
            (&mut self.approved, texts::APPROVED),
            (&mut self.rejected, texts::REJECTED),
            (&mut self.ended, texts::ENDED),
        ] {
            own.extend(known.iter().map(|text| (*text).to_owned()));
        }
    }
}
