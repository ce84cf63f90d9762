//! The gate's word on a line that nobody types: the same policies, rules and exceptions, without effect.

use portcullis_sandbox::policy::{Delivery, Verdict};
use portcullis_term::Typist;

use portcullis_shell as shell;
use serde::Serialize;

use super::judge::SessionPolicy;
use super::{Gate, Judged, Place, Refusal, Ruling, judge};
use crate::plugins::Catalog;

/// What would become of a line.
#[derive(Debug, Clone)]
pub struct Preview {
    judged: Judged,
    plan: PlanSummary,
}

/// What a line would run, for people and agents to read.
#[derive(Debug, Clone, Serialize)]
pub struct PlanSummary {
    pub commands: Vec<PlannedCommand>,
    /// What was not understood, each with its reason and its part of the line.
    pub unknowns: Vec<PlannedUnknown>,
}

/// One thing that would run.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedCommand {
    /// `command`, `assignment`, `function` or `redirection`.
    pub kind: &'static str,
    /// None when it is computed at run time.
    pub program: Option<String>,
    /// The words as the program gets them; as written where only the run can tell.
    pub argv: Vec<String>,
    /// Of those words the ones that only the run can tell, as written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown_words: Vec<String>,
    /// What was taken off, outermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wrappers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assignments: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redirections: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub background: bool,
    /// 0 on the line itself, more within substitutions, nested shells and functions.
    pub depth: u8,
    /// Bytes of the line.
    pub span: (usize, usize),
}

/// A part of the line that was not understood.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedUnknown {
    /// `unresolved`, `malformed` or `refused`.
    pub kind: &'static str,
    pub what: String,
    /// Bytes of the line.
    pub span: (usize, usize),
}

impl PlanSummary {
    /// Of a line as the host reads it.
    pub(super) fn of(shell::Plan { invocations, unknowns }: shell::Plan) -> Self {
        let unknown = |unknown: shell::Unknown| PlannedUnknown {
            kind: match unknown.kind {
                shell::UnknownKind::Unresolved => "unresolved",
                shell::UnknownKind::Malformed => "malformed",
                shell::UnknownKind::Refused => "refused",
            },
            what: unknown.what,
            span: (unknown.span.start, unknown.span.end),
        };
        Self {
            commands: invocations.into_iter().map(planned).collect(),
            unknowns: unknowns.into_iter().map(unknown).collect(),
        }
    }
}

fn planned(invocation: shell::Invocation) -> PlannedCommand {
    let shown = |word: &shell::Word| word.value.clone().unwrap_or_else(|| word.text.clone());
    let unknown = invocation.argv.iter().filter(|word| word.value.is_none());
    let assignment = |assignment: &shell::Assignment| match &assignment.value {
        Some(value) => format!("{}={value}", assignment.name),
        None => format!("{}=(known only when it runs)", assignment.name),
    };
    let redirection = |redirection: &shell::Redirection| {
        let descriptor = redirection.descriptor.map_or_else(String::new, |number| number.to_string());
        format!("{descriptor}{} {}", redirection.operator, shown(&redirection.target))
    };
    PlannedCommand {
        kind: match invocation.kind {
            shell::InvocationKind::Command => "command",
            shell::InvocationKind::Assignment => "assignment",
            shell::InvocationKind::FunctionDefinition => "function",
            shell::InvocationKind::Redirection => "redirection",
        },
        argv: invocation.argv.iter().map(shown).collect(),
        unknown_words: unknown.map(|word| word.text.clone()).collect(),
        assignments: invocation.assignments.iter().map(assignment).collect(),
        redirections: invocation.redirections.iter().map(redirection).collect(),
        program: invocation.program,
        wrappers: invocation.wrappers,
        background: invocation.background,
        depth: invocation.depth,
        span: (invocation.span.start, invocation.span.end),
    }
}

impl Preview {
    /// What all policies said together; `deny` where none had an opinion.
    pub fn verdict(&self) -> Verdict {
        self.judged.verdict
    }

    /// Every ruling, the strictest first.
    pub fn rulings(&self) -> &[Ruling] {
        &self.judged.rulings
    }

    /// For the record: a text that is not typed, marked as one that was only judged.
    pub(crate) fn into_not_typed(self) -> Refusal {
        // There is a ruling: a verdict comes from one, or from the host where no policy had any.
        Refusal { judged: Judged { dry_run: true, ..self.judged }, matter: None, denial: None }
    }

    /// What the line would run.
    pub fn plan(&self) -> &PlanSummary {
        &self.plan
    }
}

impl Gate {
    /// Judges the line as [`Gate::clear`] would judge it for the prompt of `place`.
    pub async fn preview(&self, place: &Place, line: &str, purpose: Option<String>) -> Preview {
        let rules = self.session_rules(place).await;
        previewed(&self.plugins.current(), place, &rules, line, purpose).await
    }
}

/// The same with plugins that belong to no running host, and so to no session.
pub(crate) async fn preview(catalog: &Catalog, place: &Place, line: &str, purpose: Option<String>) -> Preview {
    previewed(catalog, place, &SessionPolicy::None, line, purpose).await
}

async fn previewed(
    catalog: &Catalog,
    place: &Place,
    session: &SessionPolicy,
    line: &str,
    purpose: Option<String>,
) -> Preview {
    let parsed = shell::parse(line);
    let plan = PlanSummary::of(parsed.clone());
    let request = judge::request(place, Typist::Agent, Delivery::ShellLine, line, parsed, purpose);
    let mut judged = judge::judged(catalog, &place.destination, session, &request).await;
    if judged.verdict == Verdict::Abstain {
        judged.no_opinion();
    }
    Preview { judged, plan }
}
