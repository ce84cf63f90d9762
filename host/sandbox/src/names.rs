//! Names of the contract's enum cases, as they stand in records, results and settings.

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::common::{Actor, Attribute, LevelKind, Severity, ShellDialect};
use crate::policy::{Decision, Delivery, Mode, Span, TerminalState, Verdict};

macro_rules! names {
    ($($type:ty { $($case:ident = $name:literal),+ $(,)? })+) => {
        $(
            impl $type {
                /// The case's name in `snake_case`.
                pub fn as_str(self) -> &'static str {
                    match self {
                        $(Self::$case => $name,)+
                    }
                }
            }

            impl std::fmt::Display for $type {
                fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    formatter.write_str(self.as_str())
                }
            }

            impl Serialize for $type {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.serialize_str(self.as_str())
                }
            }
        )+
    };
}

names! {
    Severity { Info = "info", Low = "low", Medium = "medium", High = "high", Critical = "critical" }
    Actor { Agent = "agent", Human = "human", Automation = "automation" }
    ShellDialect {
        Unknown = "unknown", Posix = "posix", Bash = "bash", Zsh = "zsh", Fish = "fish", Tcsh = "tcsh",
        Powershell = "powershell", NetworkCli = "network_cli", Menu = "menu", Repl = "repl",
    }
    LevelKind {
        Menu = "menu", Shell = "shell", PodShell = "pod_shell", ElevatedShell = "elevated_shell", Repl = "repl",
        NetworkCli = "network_cli", Multiplexer = "multiplexer", Unknown = "unknown",
    }
    Delivery {
        ShellLine = "shell_line", PtyInput = "pty_input", MenuInput = "menu_input", LogSearch = "log_search",
        Script = "script", FileRead = "file_read", FileWrite = "file_write",
    }
    Mode { Safe = "safe", Full = "full", Readonly = "readonly", Restricted = "restricted" }
    TerminalState {
        AtPrompt = "at_prompt", Running = "running", AwaitingInput = "awaiting_input", Fullscreen = "fullscreen",
        Menu = "menu", Unknown = "unknown",
    }
    Verdict { Abstain = "abstain", Allow = "allow", Warn = "warn", Ask = "ask", Deny = "deny" }
}

/// Strictness: `abstain < allow < warn < ask < deny`, the order of the contract.
impl Ord for Verdict {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (*self as u8).cmp(&(*other as u8))
    }
}

impl PartialOrd for Verdict {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut span = serializer.serialize_struct("Span", 2)?;
        span.serialize_field("start", &self.start)?;
        span.serialize_field("end", &self.end)?;
        span.end()
    }
}

impl Serialize for Attribute {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut attribute = serializer.serialize_struct("Attribute", 2)?;
        attribute.serialize_field("key", &self.key)?;
        attribute.serialize_field("value", &self.value)?;
        attribute.end()
    }
}

impl Serialize for Decision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut decision = serializer.serialize_struct("Decision", 9)?;
        decision.serialize_field("verdict", &self.verdict)?;
        decision.serialize_field("rule_id", &self.rule_id)?;
        decision.serialize_field("category", &self.category)?;
        decision.serialize_field("severity", &self.severity)?;
        decision.serialize_field("reason", &self.reason)?;
        decision.serialize_field("suggestion", &self.suggestion)?;
        decision.serialize_field("evidence", &self.evidence)?;
        decision.serialize_field("rewritten", &self.rewritten)?;
        decision.serialize_field("attributes", &self.attributes)?;
        decision.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strictest_verdict_is_the_greatest() {
        let verdicts = [Verdict::Warn, Verdict::Abstain, Verdict::Deny, Verdict::Allow, Verdict::Ask];
        assert_eq!(verdicts.into_iter().max(), Some(Verdict::Deny));
        assert!(Verdict::Abstain < Verdict::Allow && Verdict::Allow < Verdict::Warn && Verdict::Warn < Verdict::Ask);
    }
}
