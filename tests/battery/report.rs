//! What was told of a command at one moment, and judging it.
//!
//! Every check says what kind of wrong it met, because the kinds weigh differently: a wrong text is
//! a defect, a command called finished that still runs is the worst thing this product could do.

use std::time::SystemTime;

use serde_json::Value;

/// A report in the words of the product's own results, whichever way it came.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    /// `outcome`, `exit_code`, `exit_source`, `confidence`, `kind`, `prompt`, `options`, `default`,
    /// `breadcrumb`, `reason`, `evidence`, `human_input`.
    pub(crate) fields: Value,
    /// The command's output so far.
    pub(crate) text: String,
    /// When it was known.
    pub(crate) at: SystemTime,
    /// The command line, for messages.
    pub(crate) line: String,
}

/// What is wrong with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Outcome,
    ExitCode,
    /// Told as ended while it was not.
    FalseCompletion,
    Output,
    /// The line was not taken, or taken where it must not be.
    Submission,
    /// Anything else: levels, screen, time.
    Other,
}

#[derive(Debug, Clone)]
pub(crate) struct Wrong {
    pub(crate) kind: Kind,
    pub(crate) message: String,
}

pub(crate) type Judged<T = ()> = Result<T, Wrong>;

pub(crate) fn wrong<T>(kind: Kind, message: impl Into<String>) -> Judged<T> {
    Err(Wrong { kind, message: message.into() })
}

/// `Ok` when `holds`.
pub(crate) fn check(holds: bool, kind: Kind, message: impl FnOnce() -> String) -> Judged {
    if holds { Ok(()) } else { wrong(kind, message()) }
}

impl Report {
    pub(crate) fn outcome(&self) -> &str {
        self.fields["outcome"].as_str().unwrap_or("")
    }

    pub(crate) fn exit_code(&self) -> Option<i64> {
        self.fields["exit_code"].as_i64()
    }

    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields[name].as_str().unwrap_or("")
    }

    pub(crate) fn breadcrumb(&self) -> Vec<String> {
        self.fields["breadcrumb"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    }

    /// The command may go on.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.outcome(), "running" | "awaiting_input" | "fullscreen" | "unknown")
    }

    fn told(&self) -> String {
        let text: String = self.text.chars().take(300).collect();
        format!("`{}`: {} with {text:?}", self.line, self.fields)
    }

    fn outcome_is(&self, wanted: &str) -> Judged {
        if self.outcome() == wanted {
            return Ok(());
        }
        let open = matches!(wanted, "running" | "awaiting_input" | "fullscreen");
        // Whether a command that should have asked something had really ended is not known here; an
        // end by the shell's own mark is believed, one that was concluded is not.
        let concluded = !self.is_open() && (wanted == "running" || self.field("confidence") != "certain");
        // Where the shell tells its ends, a prompt without one may have been seen too early.
        let too_early = wanted == "completed" && self.outcome() == "prompt_no_status";
        let kind = if open && concluded || too_early { Kind::FalseCompletion } else { Kind::Outcome };
        wrong(kind, format!("expected {wanted}, got {}", self.told()))
    }

    /// Ended with exactly this code, given by the shell's own mark, certain.
    pub(crate) fn completed(&self, code: i64) -> Judged {
        self.outcome_is("completed")?;
        self.code(code)?;
        let certain = self.field("exit_source") == "mark" && self.field("confidence") == "certain";
        check(certain, Kind::Outcome, || format!("expected a mark and certainty, got {}", self.told()))
    }

    /// Ended with exactly this code, by whatever gave it.
    pub(crate) fn ended(&self, code: i64) -> Judged {
        self.outcome_is("completed")?;
        self.code(code)
    }

    pub(crate) fn code(&self, code: i64) -> Judged {
        check(self.exit_code() == Some(code), Kind::ExitCode, || format!("expected exit {code}, got {}", self.told()))
    }

    /// The prompt is back; the code is right if one is given at all.
    pub(crate) fn completed_or_no_status(&self, code: i64) -> Judged {
        if self.outcome() == "prompt_no_status" {
            return check(self.exit_code().is_none(), Kind::ExitCode, || {
                format!("a code without a source: {}", self.told())
            });
        }
        self.ended(code)
    }

    /// Still running, and nothing more is claimed.
    pub(crate) fn running(&self) -> Judged {
        self.outcome_is("running")?;
        check(self.exit_code().is_none(), Kind::ExitCode, || format!("a running command has no code: {}", self.told()))
    }

    /// Anything but ended.
    pub(crate) fn open(&self) -> Judged {
        check(self.is_open(), Kind::FalseCompletion, || format!("expected an open outcome, got {}", self.told()))
    }

    pub(crate) fn fullscreen(&self) -> Judged {
        self.outcome_is("fullscreen")
    }

    /// Waits for input of one of these kinds.
    pub(crate) fn awaiting(&self, kinds: &[&str]) -> Judged {
        self.outcome_is("awaiting_input")?;
        check(kinds.contains(&self.field("kind")), Kind::Outcome, || format!("expected {kinds:?}, got {}", self.told()))
    }

    /// A pager has the terminal: told as such, or as a full-screen program.
    pub(crate) fn pager(&self) -> Judged {
        if self.outcome() == "fullscreen" { Ok(()) } else { self.awaiting(&["pager"]) }
    }

    pub(crate) fn confident(&self, wanted: &str) -> Judged {
        check(self.field("confidence") == wanted, Kind::Outcome, || {
            format!("expected {wanted} confidence, got {}", self.told())
        })
    }

    /// The command led to a level with this label at the end of the path.
    pub(crate) fn entered(&self, label: &str) -> Judged {
        self.outcome_is("level_changed")?;
        let path = self.breadcrumb();
        check(path.last().is_some_and(|last| last == label), Kind::Other, || {
            format!("expected to be at {label}, got {}", self.told())
        })
    }

    /// The command left a level; the code is the one the level below was told.
    pub(crate) fn left(&self, depth: usize, code: i64) -> Judged {
        self.outcome_is("level_changed")?;
        self.code(code)?;
        check(self.breadcrumb().len() == depth, Kind::Other, || format!("expected depth {depth}, got {}", self.told()))
    }

    pub(crate) fn text_is(&self, wanted: &str) -> Judged {
        check(self.text == wanted, Kind::Output, || {
            let wanted: String = wanted.chars().take(300).collect();
            format!("expected {wanted:?}, got {}", self.told())
        })
    }

    pub(crate) fn text_has(&self, wanted: &str) -> Judged {
        check(self.text.contains(wanted), Kind::Output, || format!("expected {wanted:?} in it, got {}", self.told()))
    }

    pub(crate) fn text_lacks(&self, unwanted: &str) -> Judged {
        check(!self.text.contains(unwanted), Kind::Output, || {
            format!("{unwanted:?} does not belong into {}", self.told())
        })
    }
}
