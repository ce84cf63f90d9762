//! A script as it is written in the settings. What may stand in it is checked in `check`.

use std::collections::BTreeMap;

use navigator_common::compare::Compare;
use navigator_common::settings::Dialect;
use navigator_common::words::{self, is_given_name, is_host_name, is_number, is_user_name};
use portcullis_plugin::config::{self, diagnostic};
use portcullis_plugin::{ConfigDiagnostic, LevelKind};
use serde::Deserialize;
use serde_json::Value;

use crate::check;

/// Menus that are written already; settings beside it change parts of it.
const PRESETS: [(&str, &str); 1] = [("numbered-menu", include_str!("presets/numbered-menu.json"))];

/// The whole.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Script {
    /// Parameters that a route may give.
    #[serde(default)]
    pub(crate) parameters: BTreeMap<String, Parameter>,
    /// Parts of patterns by name.
    #[serde(default)]
    pub(crate) patterns: BTreeMap<String, String>,
    #[serde(default = "first_state")]
    pub(crate) start: String,
    /// A screen is looked at after so many milliseconds without a byte.
    #[serde(default = "quiet_ms")]
    pub(crate) quiet_ms: u32,
    /// For an answer, where a state says nothing else.
    #[serde(default = "timeout_ms")]
    pub(crate) timeout_ms: u32,
    /// Lines, keys and secrets of one navigation.
    #[serde(default = "max_sends")]
    pub(crate) max_sends: u32,
    #[serde(default)]
    pub(crate) checkpoints: Vec<Checkpoint>,
    #[serde(default)]
    pub(crate) states: BTreeMap<String, State>,
    /// Of `recognise`: the last line of this bastion's screen.
    pub(crate) recognise: Option<String>,
}

fn first_state() -> String {
    "start".to_owned()
}

fn quiet_ms() -> u32 {
    120
}

fn timeout_ms() -> u32 {
    10_000
}

fn max_sends() -> u32 {
    40
}

/// A value of the route.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameter {
    #[serde(default)]
    pub(crate) kind: Kind,
    #[serde(default)]
    pub(crate) optional: bool,
    pub(crate) default: Option<String>,
}

/// What a parameter's value may be made of.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// A name that people gave, in any script.
    #[default]
    Name,
    /// A host's name or address.
    Host,
    User,
    Number,
    Secret,
    /// A namespace, pod or container.
    Kubernetes,
    Program,
}

impl Kind {
    pub(crate) fn is_fine(self) -> fn(&str) -> bool {
        match self {
            Self::Name => is_given_name,
            Self::Host => is_host_name,
            Self::User => is_user_name,
            Self::Number => is_number,
            Self::Secret => words::is_secret_name,
            Self::Kubernetes => words::is_kubernetes_pattern,
            Self::Program => words::is_program_path,
        }
    }
}

/// A place a session may be in when a route begins, and the state that goes on from there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Checkpoint {
    pub(crate) kind: Place,
    pub(crate) label: Option<String>,
    /// All of these have to be the level's.
    #[serde(default)]
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) state: String,
}

/// What is waited for, and what is done then.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    pub(crate) timeout_ms: Option<u32>,
    /// Rules count only after so many milliseconds without a byte.
    #[serde(default)]
    pub(crate) settle_ms: u32,
    /// Tried in this order at every screen.
    pub(crate) on: Vec<Rule>,
    /// Told when nothing has come; `menu-silent` unless said.
    pub(crate) on_timeout: Option<Failing>,
}

/// When all of its conditions hold, its one action is done.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rule {
    /// Found in the last line that is not blank.
    pub(crate) last_line: Option<String>,
    /// Found in what came since the last thing typed.
    pub(crate) screen: Option<String>,
    /// Not found there.
    pub(crate) not_screen: Option<String>,
    /// How many lines of it match; exactly this many have to.
    pub(crate) count: Option<Count>,
    pub(crate) alternate_screen: Option<bool>,
    pub(crate) at_prompt: Option<bool>,
    /// Pairs of texts that have to be the same.
    pub(crate) equal: Vec<[String; 2]>,
    /// Values that have to be known, or, written `!name`, unknown.
    pub(crate) known: Vec<String>,

    pub(crate) line: Option<String>,
    pub(crate) keys: Option<Vec<String>>,
    pub(crate) secret: Option<String>,
    pub(crate) ask_person: Option<Asking>,
    pub(crate) choose: Option<Choose>,
    pub(crate) run: Option<String>,
    pub(crate) verify: Option<Verify>,
    pub(crate) enter: Option<LevelText>,
    pub(crate) open: Option<Opening>,
    #[serde(rename = "use")]
    pub(crate) ready: Option<Ready>,
    pub(crate) done: Option<Reaching>,
    pub(crate) fail: Option<Failing>,
    /// The state that comes next.
    pub(crate) then: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Count {
    pub(crate) of: String,
    pub(crate) is: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asking {
    pub(crate) question: String,
    /// The value that holds the answer.
    pub(crate) into: String,
}

/// One row of a table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Choose {
    /// Found in the line of titles; without it `row` reads every line.
    pub(crate) header: Option<String>,
    /// Titles of each value.
    #[serde(default)]
    pub(crate) columns: BTreeMap<String, Vec<String>>,
    /// Named groups are the values, where there is no header.
    pub(crate) row: Option<String>,
    /// One of these has to fit with all of its values.
    pub(crate) fits: Vec<BTreeMap<String, String>>,
    /// And these, as far as the route says something of them.
    #[serde(default)]
    pub(crate) and: BTreeMap<String, String>,
    pub(crate) pages: Option<Pages>,
    pub(crate) line: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pages {
    pub(crate) next: String,
    pub(crate) back: String,
    /// Found where there is one more page; without it the list ends when a page comes again.
    pub(crate) more: Option<String>,
    #[serde(default = "max_pages")]
    pub(crate) max: usize,
}

fn max_pages() -> usize {
    10
}

/// A question to the host, and its answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Verify {
    pub(crate) run: String,
    pub(crate) expect: String,
    #[serde(default)]
    pub(crate) compare: Compare,
    /// Typed when the host is another one.
    pub(crate) leave: Option<String>,
}

/// A level that is entered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LevelText {
    #[serde(default)]
    pub(crate) kind: Place,
    pub(crate) label: String,
    #[serde(default)]
    pub(crate) dialect: Dialect,
    #[serde(default)]
    pub(crate) attributes: BTreeMap<String, String>,
}

/// A line that opens a level, and a secret for what asks on the way.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Opening {
    pub(crate) line: String,
    pub(crate) secret: Option<String>,
    pub(crate) level: LevelText,
}

/// A step that is written already, and its words.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ready {
    pub(crate) step: ReadyStep,
    pub(crate) user: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) secret: Option<String>,
}

/// Which one.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ReadyStep {
    Su,
    Sudo,
    Ssh,
    /// Into the pod of the parameters `namespace`, `pod`, `container`, `pod_shell`; nowhere where the
    /// route names none.
    KubectlExec,
}

impl ReadyStep {
    /// Whether it has a user, a host and a secret.
    pub(crate) fn words(self) -> (bool, bool, bool) {
        match self {
            Self::Su | Self::Sudo => (true, false, true),
            Self::Ssh => (true, true, true),
            Self::KubectlExec => (false, false, false),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reaching {
    pub(crate) label: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Failing {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// The kind of a level.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Place {
    #[default]
    Shell,
    Pod,
    Elevated,
}

impl From<Place> for LevelKind {
    fn from(place: Place) -> Self {
        match place {
            Place::Shell => Self::Shell,
            Place::Pod => Self::PodShell,
            Place::Elevated => Self::ElevatedShell,
        }
    }
}

impl Script {
    /// Reads and checks a script; the error lists everything that is wrong.
    pub(crate) fn read(text: &str) -> Result<Self, Vec<ConfigDiagnostic>> {
        let whole = with_preset(text).map_err(|wrong| vec![wrong])?;
        let script: Self = config::parse(&whole).map_err(|wrong| vec![wrong])?;
        let wrong = check::problems(&script);
        if wrong.is_empty() { Ok(script) } else { Err(wrong) }
    }
}

/// The settings over the preset they name: tables are joined, everything else is replaced.
fn with_preset(text: &str) -> Result<String, ConfigDiagnostic> {
    let mut own: BTreeMap<String, Value> = config::parse(text)?;
    let Some(preset) = own.remove("preset") else { return Ok(text.to_owned()) };
    let known = PRESETS.iter().find(|(name, _)| preset.as_str() == Some(name));
    let Some((_, preset)) = known else {
        let names: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
        return Err(diagnostic("preset", format!("{preset} is none of {}", names.join(", "))));
    };
    let mut whole: Value = serde_json::from_str(preset).map_err(|error| diagnostic("preset", error.to_string()))?;
    join(&mut whole, Value::Object(own.into_iter().collect()));
    Ok(whole.to_string())
}

fn join(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                match under.get_mut(&key) {
                    Some(there) => join(there, value),
                    None => drop(under.insert(key, value)),
                }
            }
        }
        (under, over) => *under = over,
    }
}
