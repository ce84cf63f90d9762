//! A policy that misbehaves as the line it judges says. Settings `{"fail":true}` are refused.

use portcullis_plugin::policy::{Decision, Policy, Request, RuleInfo, Span, Verdict};
use portcullis_plugin::{ConfigDiagnostic, PluginError, Severity, log};
use std::cell::Cell;
use std::hint::black_box;

struct Misbehaving {
    /// To see whether an instance is ever used twice.
    evaluations: Cell<u32>,
}

impl Policy for Misbehaving {
    fn create(_config: &str) -> Result<Self, PluginError> {
        Ok(Self { evaluations: Cell::new(0) })
    }

    fn validate_config(config: &str) -> Vec<ConfigDiagnostic> {
        match config {
            "{\"fail\":true}" => {
                vec![ConfigDiagnostic { path: "fail".into(), message: "must\u{1b}[31m not be true".into() }]
            }
            "{\"loop\":true}" => spin(),
            _ => Vec::new(),
        }
    }

    fn rules(_config: &str) -> Vec<RuleInfo> {
        let rule_id = "test/line".to_owned();
        vec![RuleInfo { rule_id, title: "a line".into(), category: "test".into(), severity: Severity::Low }]
    }

    fn evaluate(&self, request: &Request) -> Result<Vec<Decision>, PluginError> {
        self.evaluations.set(self.evaluations.get() + 1);
        let mut decision = Decision::new(Verdict::Ask, "test/line", "test", Severity::Low, "as asked");
        match request.raw.as_str() {
            "loop" => spin(),
            "trap" => panic!("bad luck"),
            "overflow the stack" => decision.reason = black_box(deep(u64::MAX)).to_string(),
            "allocate" => allocate(),
            "flood the log" => (0..10_000).for_each(|line| log::error(&format!("line {line} {}", "x".repeat(5_000)))),
            "many decisions" => return Ok(vec![decision; 65]),
            "long reason" => decision.reason = "x".repeat(70_000),
            "huge answer" => decision.reason = "x".repeat(8_000_000),
            "escape" => decision.reason = "\u{1b}]0;title\u{7}safe\u{202e}\nline".into(),
            "typed escape" => decision.rewritten = Some("ls\rrm -rf /".into()),
            "no rule" => decision.rule_id = " ".into(),
            "wrong evidence" => decision.evidence = Some(Span { start: 3, end: 900 }),
            "split character ä" => decision.evidence = Some(Span { start: 0, end: 17 }),
            "error" => return Err(PluginError::Unsupported("cannot\u{7} say".into())),
            line => {
                decision.reason = format!("{} bytes, evaluation {}", line.len(), self.evaluations.get());
                decision.evidence = Some(Span { start: 0, end: line.len() as u32 });
            }
        }
        Ok(vec![decision])
    }
}

fn spin() -> ! {
    let mut rounds = 0_u64;
    loop {
        rounds = black_box(rounds.wrapping_add(1));
    }
}

fn deep(left: u64) -> u64 {
    let here = black_box([left; 32]);
    if left == 0 { 0 } else { deep(left - 1) + black_box(here)[7] }
}

fn allocate() {
    let mut blocks = Vec::new();
    loop {
        blocks.push(black_box(vec![1_u8; 1 << 20]));
    }
}

portcullis_plugin::policy!(Misbehaving);
