//! The figures of this process: counters, histograms and gauges, written as OpenMetrics text.
//!
//! Whoever does something counts it here in one line. Nothing here decides, and nothing reads a figure to act on
//! it. Labels come from fixed lists or from the operator's configuration, never from a remote host or a model, so
//! that their number is bounded and no secret gets in.

use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use portcullis_term::{Outcome, Typist};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Seconds; a call may wait for a command or a person for minutes.
const CALL_SECONDS: [f64; 11] = [0.001, 0.005, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0, 20.0, 60.0, 300.0];
/// Seconds; a plugin that takes longer than the last is stopped.
const PLUGIN_SECONDS: [f64; 8] = [0.0001, 0.0005, 0.001, 0.005, 0.02, 0.1, 0.5, 2.0];
/// Seconds from an event to its line in the transcript.
const RECORD_SECONDS: [f64; 8] = [0.00001, 0.00005, 0.0002, 0.001, 0.005, 0.02, 0.1, 1.0];

static FIGURES: LazyLock<Figures> = LazyLock::new(Figures::new);

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Called {
    tool: String,
    status: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfTool {
    tool: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Ended {
    actor: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Judged {
    actor: &'static str,
    verdict: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfPlugin {
    plugin: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfActor {
    actor: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct About {
    version: &'static str,
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

struct Figures {
    registry: Registry,
    calls: Family<Called, Counter>,
    call_time: Histograms<OfTool>,
    commands: Family<Ended, Counter>,
    verdicts: Family<Judged, Counter>,
    plugin_time: Histograms<OfPlugin>,
    plugin_failures: Family<OfPlugin, Counter>,
    output_bytes: Counter,
    input_bytes: Family<OfActor, Counter>,
    record_time: Histogram,
    opened: Counter,
    open: Gauge,
    viewers: Gauge,
    attached: Gauge,
    started: Gauge<f64, AtomicU64>,
}

impl Figures {
    fn new() -> Self {
        let mut figures = Self {
            registry: Registry::with_prefix("portcullis"),
            calls: Family::default(),
            call_time: Family::new_with_constructor(|| Histogram::new(CALL_SECONDS)),
            commands: Family::default(),
            verdicts: Family::default(),
            plugin_time: Family::new_with_constructor(|| Histogram::new(PLUGIN_SECONDS)),
            plugin_failures: Family::default(),
            output_bytes: Counter::default(),
            input_bytes: Family::default(),
            record_time: Histogram::new(RECORD_SECONDS),
            opened: Counter::default(),
            open: Gauge::default(),
            viewers: Gauge::default(),
            attached: Gauge::default(),
            started: Gauge::default(),
        };
        figures.register();
        figures
    }

    fn register(&mut self) {
        let all = &mut self.registry;
        let about: Family<About, Gauge> = Family::default();
        about.get_or_create(&About { version: env!("CARGO_PKG_VERSION") }).set(1);
        all.register("build_info", "The program's version", about);
        all.register("calls", "Tool calls by tool and result_status", self.calls.clone());
        let seconds = Unit::Seconds;
        all.register_with_unit("call", "Time until a tool call is answered", seconds.clone(), self.call_time.clone());
        all.register("commands", "Commands that have ended, by who ran them and how", self.commands.clone());
        all.register("verdicts", "What the policies said together, by who wanted to type", self.verdicts.clone());
        all.register_with_unit(
            "plugin",
            "Time a plugin takes for one answer",
            seconds.clone(),
            self.plugin_time.clone(),
        );
        all.register("plugin_failures", "Answers a plugin failed to give", self.plugin_failures.clone());
        all.register_with_unit("output", "Output of all sessions", Unit::Bytes, self.output_bytes.clone());
        all.register_with_unit("input", "Typed into sessions, by whom", Unit::Bytes, self.input_bytes.clone());
        let text = "Time to write one line of a transcript, during which its effect waits";
        all.register_with_unit("transcript_lag", text, seconds.clone(), self.record_time.clone());
        all.register("sessions_opened", "Sessions that were opened", self.opened.clone());
        all.register("sessions_open", "Sessions that are open", self.open.clone());
        all.register("viewers", "Sockets that pages of the viewer hold", self.viewers.clone());
        all.register("terminals_attached", "Terminals attached with `portcullis attach`", self.attached.clone());
        all.register_with_unit("start_time", "When the process started, since 1970", seconds, self.started.clone());
    }
}

/// When the process started, in milliseconds since 1970.
pub(crate) fn started(unix_ms: u64) {
    FIGURES.started.set(unix_ms as f64 / 1000.0);
}

/// A tool call was answered. `tool` is one of ours.
pub(crate) fn called(tool: &str, status: &'static str, took: Duration) {
    FIGURES.calls.get_or_create(&Called { tool: tool.to_owned(), status }).inc();
    FIGURES.call_time.get_or_create(&OfTool { tool: tool.to_owned() }).observe(took.as_secs_f64());
}

/// A command has ended.
pub(crate) fn command_ended(typist: Typist, outcome: &Outcome) {
    let (actor, outcome) = (actor(typist), outcome_name(outcome));
    FIGURES.commands.get_or_create(&Ended { actor, outcome }).inc();
}

/// The policies have judged a text.
pub(crate) fn judged(typist: Typist, verdict: &'static str) {
    FIGURES.verdicts.get_or_create(&Judged { actor: actor(typist), verdict }).inc();
}

/// A plugin was asked something.
pub(crate) fn plugin_asked(plugin: &str, took: Duration, failed: bool) {
    // The library writes labels as they are, and the operator may call a plugin anything.
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let labels = OfPlugin { plugin: plugin.chars().map(plain).collect() };
    FIGURES.plugin_time.get_or_create(&labels).observe(took.as_secs_f64());
    let failures = FIGURES.plugin_failures.get_or_create(&labels);
    failures.inc_by(u64::from(failed));
}

pub(crate) fn output(bytes: usize) {
    FIGURES.output_bytes.inc_by(bytes as u64);
}

pub(crate) fn input(typist: Typist, bytes: usize) {
    FIGURES.input_bytes.get_or_create(&OfActor { actor: actor(typist) }).inc_by(bytes as u64);
}

/// A line of a transcript was written.
pub(crate) fn recorded(took: Duration) {
    FIGURES.record_time.observe(took.as_secs_f64());
}

pub(crate) fn session_opened() {
    FIGURES.opened.inc();
    FIGURES.open.inc();
}

pub(crate) fn session_closed() {
    FIGURES.open.dec();
}

/// One more is there for as long as the value lives.
pub(crate) struct Present(fn() -> &'static Gauge);

impl Drop for Present {
    fn drop(&mut self) {
        (self.0)().dec();
    }
}

/// A page holds a socket.
pub(crate) fn viewer() -> Present {
    present(|| &FIGURES.viewers)
}

/// A terminal is attached.
pub(crate) fn attached() -> Present {
    present(|| &FIGURES.attached)
}

fn present(which: fn() -> &'static Gauge) -> Present {
    which().inc();
    Present(which)
}

fn actor(typist: Typist) -> &'static str {
    match typist {
        Typist::Agent => "agent",
        Typist::Human => "human",
        Typist::Automation => "automation",
    }
}

fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Completed { .. } => "completed",
        Outcome::PromptNoStatus => "prompt_no_status",
        Outcome::AwaitingInput { .. } => "awaiting_input",
        Outcome::Fullscreen => "fullscreen",
        Outcome::Running => "running",
        Outcome::LevelChanged { .. } => "level_changed",
        Outcome::Disconnected { .. } => "disconnected",
        Outcome::Unknown { .. } => "unknown",
    }
}

/// All figures as OpenMetrics text.
pub(crate) fn render() -> String {
    let mut written = String::new();
    // Writing to a string does not fail.
    let _ = text::encode(&mut written, &FIGURES.registry);
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_is_counted_under_its_labels() {
        called("a_test's tool", "success", Duration::from_millis(3));
        called("a_test's tool", "failure", Duration::from_secs(400));
        plugin_asked("a \"quoted\"\nname", Duration::from_micros(1), true);
        let before = FIGURES.attached.get();
        let present = attached();
        assert_eq!(FIGURES.attached.get(), before + 1);
        drop(present);
        let text = render();
        for line in [
            "portcullis_calls_total{tool=\"a_test's tool\",status=\"success\"} 1",
            "portcullis_call_seconds_bucket{le=\"0.005\",tool=\"a_test's tool\"} 1",
            "portcullis_call_seconds_bucket{le=\"+Inf\",tool=\"a_test's tool\"} 2",
            "portcullis_call_seconds_count{tool=\"a_test's tool\"} 2",
            "portcullis_plugin_failures_total{plugin=\"a__quoted__name\"} 1",
        ] {
            assert!(text.lines().any(|there| there == line), "{line}\n{text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
