//! Exceptions a person has written into the configuration: they lower what one rule says of one command, to a
//! warning, until they are over.
//!
//! Nothing else lowers a verdict. What the host itself refuses, what a failed policy comes to and what a
//! policy denies in the mode `full` too has no exception; only of a rule that the same person wrote is the
//! last not asked. Neither a tool nor a plugin has a say here.

use portcullis_sandbox::policy::{Decision, Delivery, Mode, Request, Verdict};
use portcullis_shell as shell;
use serde::Serialize;

use crate::config::{Destination, Exception};
use crate::plugins::{PolicyChain, RULES_POLICY};

/// Of the host's own rules, which no exception touches.
const HOST_RULES: &str = "host/";

/// On record beside the ruling that was lowered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Excepted {
    /// What the rule had said.
    pub was: &'static str,
    /// The file in which a person wrote the exception.
    pub by: String,
    pub reason: String,
    pub until: String,
}

/// What was lowered, by policy and rule.
pub(super) type Lowered = Vec<(String, String, Excepted)>;

/// Lowers the decisions that an exception of the place speaks of.
pub(super) async fn lower(
    chain: &PolicyChain,
    destination: &Destination,
    request: &Request,
    decisions: &mut [(String, Decision)],
) -> Lowered {
    let Request { delivery, raw, now_unix_ms, .. } = request;
    let exceptions = applicable(&destination.exceptions, *delivery, raw, *now_unix_ms, decisions);
    if exceptions.is_empty() {
        return Vec::new();
    }
    let worst = denied_in_full(chain, destination, request).await;
    let mut lowered = Vec::new();
    for (policy, decision) in decisions {
        let Some(exception) = exceptions.iter().find(|exception| speaks_of(exception, decision)) else { continue };
        let is_worst = worst.iter().any(|(name, rule)| name == policy && *rule == decision.rule_id);
        if is_worst && policy != RULES_POLICY {
            continue;
        }
        let Exception { origin, reason, until, .. } = exception;
        let excepted = Excepted {
            was: decision.verdict.as_str(),
            by: origin.clone(),
            reason: reason.clone(),
            until: until.clone(),
        };
        decision.verdict = Verdict::Warn;
        lowered.push((policy.clone(), decision.rule_id.clone(), excepted));
    }
    lowered
}

/// Those that are not over, speak of a rule that objects, and of exactly this command.
fn applicable<'a>(
    exceptions: &'a [Exception],
    delivery: Delivery,
    line: &str,
    now_unix_ms: u64,
    decisions: &[(String, Decision)],
) -> Vec<&'a Exception> {
    // What a program or a menu reads is no command, whatever it looks like.
    if !matches!(delivery, Delivery::ShellLine | Delivery::Script) {
        return Vec::new();
    }
    let holds = |exception: &&Exception| {
        now_unix_ms < exception.until_unix_ms
            && decisions.iter().any(|(_, decision)| speaks_of(exception, decision))
            && is_same_command(&exception.line, line)
    };
    exceptions.iter().filter(holds).collect()
}

fn speaks_of(exception: &Exception, decision: &Decision) -> bool {
    decision.verdict > Verdict::Warn && exception.rule == decision.rule_id && !decision.rule_id.starts_with(HOST_RULES)
}

/// The rules that deny even in the mode `full`, each with its policy.
async fn denied_in_full(chain: &PolicyChain, destination: &Destination, request: &Request) -> Vec<(String, String)> {
    let in_full = Request { mode: Mode::Full, ..request.clone() };
    let said = chain.judge(&in_full, destination).await.into_iter();
    said.filter(|(_, decision)| decision.verdict == Verdict::Deny)
        .map(|(policy, decision)| (policy, decision.rule_id))
        .collect()
}

/// Whether both lines run the same: of one plain command its words decide, however they are quoted. How
/// several are joined, and the options of what stands around one, a plan does not hold, so there the text
/// has to be the same too.
fn is_same_command(written: &str, wanted: &str) -> bool {
    let (one, two) = (shell::parse(written), shell::parse(wanted));
    if !is_known(&one) || !is_known(&two) || one.invocations.len() != two.invocations.len() {
        return false;
    }
    let plain = matches!(one.invocations.as_slice(), [only] if only.wrappers.is_empty() && only.depth == 0);
    (plain || written.trim() == wanted.trim())
        && one.invocations.iter().zip(&two.invocations).all(|(one, two)| bare(one) == bare(two))
}

/// Nothing is left to the run.
fn is_known(plan: &shell::Plan) -> bool {
    let known = |invocation: &shell::Invocation| {
        invocation.argv.iter().all(|word| word.value.is_some())
            && invocation.assignments.iter().all(|assignment| assignment.value.is_some())
            && invocation.redirections.iter().all(|redirection| redirection.target.value.is_some())
            && invocation.standard_input != shell::StandardInput::Text(None)
            && (invocation.program.is_some() || invocation.kind != shell::InvocationKind::Command)
    };
    plan.unknowns.is_empty() && !plan.invocations.is_empty() && plan.invocations.iter().all(known)
}

/// Without how and where it is written.
fn bare(invocation: &shell::Invocation) -> shell::Invocation {
    let span = shell::Span::default();
    let word = |word: &shell::Word| shell::Word { text: String::new(), span, ..word.clone() };
    let mut bare = shell::Invocation { span, ..invocation.clone() };
    bare.argv = invocation.argv.iter().map(word).collect();
    for assignment in &mut bare.assignments {
        assignment.span = span;
    }
    for redirection in &mut bare.redirections {
        redirection.span = span;
        redirection.target = word(&redirection.target);
    }
    bare
}

#[cfg(test)]
mod tests {
    use portcullis_sandbox::common::Severity;

    use super::*;

    fn decision(verdict: Verdict, rule_id: &str) -> (String, Decision) {
        let decision = Decision {
            verdict,
            rule_id: rule_id.to_owned(),
            category: "c".to_owned(),
            severity: Severity::High,
            reason: "r".to_owned(),
            suggestion: None,
            evidence: None,
            rewritten: None,
            attributes: Vec::new(),
        };
        ("p".to_owned(), decision)
    }

    #[test]
    fn an_exception_speaks_of_one_rule_one_command_and_some_time() {
        let exception = |rule: &str| Exception {
            rule: rule.to_owned(),
            line: "rm -r build".to_owned(),
            until_unix_ms: 1_000,
            until: "then".to_owned(),
            reason: "ours".to_owned(),
            origin: "file".to_owned(),
        };
        let denied = [decision(Verdict::Deny, "delete/path"), decision(Verdict::Deny, "host/policy-failed")];
        let count = |rule: &str, delivery, line: &str, now, decisions: &[(String, Decision)]| {
            applicable(&[exception(rule)], delivery, line, now, decisions).len()
        };
        let shell = Delivery::ShellLine;
        assert_eq!(count("delete/path", shell, "rm -r build", 999, &denied), 1);
        assert_eq!(count("delete/path", shell, "rm -r build", 1_000, &denied), 0, "it is over");
        assert_eq!(count("delete/path", shell, "rm -r other", 0, &denied), 0);
        assert_eq!(count("delete/root", shell, "rm -r build", 0, &denied), 0);
        assert_eq!(count("host/policy-failed", shell, "rm -r build", 0, &denied), 0);
        for delivery in [Delivery::PtyInput, Delivery::MenuInput, Delivery::FileWrite, Delivery::LogSearch] {
            assert_eq!(count("delete/path", delivery, "rm -r build", 0, &denied), 0, "{delivery:?}");
        }
        let warned = [decision(Verdict::Warn, "delete/path")];
        assert_eq!(count("delete/path", shell, "rm -r build", 0, &warned), 0, "there is nothing to lower");
    }

    #[test]
    fn one_command_is_the_same_by_its_words() {
        let same = |one, two| is_same_command(one, two);
        assert!(same("rm -r build", "rm  -r 'build'"));
        assert!(same("rm -r build > log", "rm \"-r\" build >log"));
        for other in [
            "rm -r build2",
            "rm -r build x",
            "rm -r build > log",
            "rm -r build &",
            "sudo rm -r build",
            "X=1 rm -r build",
            "rm -r bui*",
            "rm -r build; ls",
            "rm -r build | cat",
            "/tmp/rm -r build",
            "rm -r \"$X\"",
            "rm -r $(echo build)",
            "rm -r 'build",
            "",
        ] {
            assert!(!same("rm -r build", other), "{other}");
            assert!(!same(other, "rm -r build"), "{other}");
        }
    }

    #[test]
    fn what_a_plan_does_not_hold_has_to_be_written_the_same() {
        let same = |one, two| is_same_command(one, two);
        assert!(same("ssh a rm x", " ssh a rm x "));
        assert!(!same("ssh a rm x", "ssh b rm x"));
        assert!(!same("sudo -u ann rm x", "sudo -u root rm x"));
        assert!(same("test -f x && rm x", "test -f x && rm x"));
        assert!(!same("test -f x && rm x", "test -f x || rm x"));
        assert!(!same("rm $X", "rm $X"), "what only the run can tell is never the same");
    }
}
