//! `kubectl get`, `kubectl top`, and the events at the end of `kubectl describe`.
//!
//! `get` prints the columns of any resource, so the fields are the headings; those known to be
//! numbers are numbers. Output formats made by the caller (`-o jsonpath`, `-o yaml`) are not read.

use parser_kit::number::{integer, percent};
use parser_kit::{Command, Document, End, Held, Layout, Reader, Sink, words};
use portcullis_plugin::lines::Line;
use portcullis_plugin::parser::OutputMeta;
use serde_json::Value;

use crate::aligned::{Aligned, Row, Table, is_in_capitals};

/// The command says what the output is.
const SCORE: u8 = 90;
/// Options with a value in a word of its own.
const WITH_VALUE: [&str; 22] = [
    "-n",
    "--namespace",
    "--context",
    "--kubeconfig",
    "--cluster",
    "--user",
    "--as",
    "-s",
    "--server",
    "--token",
    "-l",
    "--selector",
    "-o",
    "--output",
    "-f",
    "--filename",
    "-L",
    "--label-columns",
    "--field-selector",
    "--sort-by",
    "--request-timeout",
    "--chunk-size",
];
/// Columns of built-in resources that count something.
const COUNTS: [&str; 11] = [
    "restarts",
    "up_to_date",
    "available",
    "desired",
    "current",
    "data",
    "secrets",
    "replicas",
    "minpods",
    "maxpods",
    "count",
];

/// What follows the program when it is a kubectl: verb, resource and names.
fn operands<'a>(command: &Command<'a>) -> Option<Vec<&'a str>> {
    let mut operands = command.operands(&WITH_VALUE);
    if ["k3s", "microk8s", "minikube"].contains(&command.program) {
        (operands.first() == Some(&"kubectl")).then_some(())?;
        operands.remove(0);
    } else if !["kubectl", "k", "oc", "microk8s.kubectl", "kubecolor"].contains(&command.program) {
        return None;
    }
    Some(operands)
}

fn has_headings(command: &Command<'_>) -> bool {
    let format = command.value('o', "output").unwrap_or("wide");
    let no_headers = command.words.iter().any(|word| word.starts_with("--no-headers") && *word != "--no-headers=false");
    !no_headers && (format == "wide" || format.starts_with("custom-columns"))
}

/// `kubectl get …`, as columns.
pub(crate) fn claim_get(command: &Command<'_>, _head: &str) -> Option<u8> {
    let verb = *operands(command)?.first()?;
    (verb == "get" && has_headings(command)).then_some(SCORE)
}

pub(crate) fn begin_get(command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    let operands = operands(command).unwrap_or_default();
    // `pods/web` names one; `pods,svc` prints which is which before every name.
    let resource = operands.get(1).and_then(|word| word.split('/').next()).filter(|word| !word.contains(','));
    let resource = resource.filter(|word| *word != "all").map(str::to_owned);
    Box::new(Aligned::new(Resources { resource }))
}

struct Resources {
    resource: Option<String>,
}

impl Table for Resources {
    fn is_heading(&self, line: &str) -> bool {
        is_in_capitals(line)
    }

    fn row(&self, row: &Row<'_>) -> Option<Document> {
        let mut document = Document::new();
        document.set_some("resource", self.resource.as_deref());
        for (field, cell) in row.pairs() {
            match field {
                "name" => name(&mut document, cell),
                "ready" => ready(&mut document, cell),
                "restarts" => restarts(&mut document, cell),
                // Fields that are not columns of kubectl's own.
                "resource" | "ready_count" | "ready_total" | "last_restart" => {
                    document.set(&format!("{field}_shown"), cell);
                }
                _ => document.set(field, value(field, cell)),
            }
        }
        Some(document)
    }
}

/// `pod/web` where several resources were asked for.
fn name(document: &mut Document, cell: &str) {
    match cell.split_once('/') {
        Some((resource, name)) => {
            document.set("resource", resource);
            document.set("name", name);
        }
        None => document.set("name", cell),
    }
}

fn ready(document: &mut Document, cell: &str) {
    if let Some((ready, total)) = parser_kit::number::pair(cell, '/') {
        document.set("ready_count", ready);
        document.set("ready_total", total);
    }
    document.set("ready", value("ready", cell));
}

/// `5`, or `5 (3m ago)`.
fn restarts(document: &mut Document, cell: &str) {
    let (count, last) = cell.split_once(" (").unwrap_or((cell, ""));
    match (integer(count), last.strip_suffix(')')) {
        (Some(count), Some(last)) => {
            document.set("restarts", count);
            document.set("last_restart", last);
        }
        _ => document.set("restarts", value("restarts", cell)),
    }
}

fn value(field: &str, cell: &str) -> Value {
    match cell {
        "<none>" => Value::Null,
        _ => integer(cell).filter(|_| COUNTS.contains(&field)).map_or_else(|| cell.into(), Value::from),
    }
}

/// `kubectl top pods|nodes`.
pub(crate) fn claim_top(command: &Command<'_>, _head: &str) -> Option<u8> {
    let verb = *operands(command)?.first()?;
    (verb == "top" && has_headings(command)).then_some(SCORE)
}

pub(crate) fn begin_top(_command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    Box::new(Aligned::new(Usage))
}

struct Usage;

impl Table for Usage {
    fn is_heading(&self, line: &str) -> bool {
        is_in_capitals(line)
    }

    fn row(&self, row: &Row<'_>) -> Option<Document> {
        let mut document = Document::new();
        for (field, cell) in row.pairs() {
            let (name, number) = match field {
                "cpu_cores" => ("cpu_millicores", amount(cell, &[("m", 1), ("", 1000)])),
                "memory_bytes" => ("memory_mib", amount(cell, &[("Mi", 1), ("Gi", 1024)])),
                "cpu_percent" => ("cpu_percent", percent(cell).map(Value::from)),
                "memory_percent" => ("memory_percent", percent(cell).map(Value::from)),
                _ => (field, Some(cell.into())),
            };
            match number {
                Some(number) => document.set(name, number),
                // `<unknown>`
                None => document.set(&format!("{name}_text"), cell),
            }
        }
        Some(document)
    }
}

fn amount(cell: &str, units: &[(&str, u64)]) -> Option<Value> {
    let number =
        |(unit, factor): &(&str, u64)| integer(cell.strip_suffix(unit)?)?.checked_mul(*factor).map(Value::from);
    units.iter().find_map(number)
}

/// The events at the end of `kubectl describe`.
pub(crate) fn claim_events(command: &Command<'_>, head: &str) -> Option<u8> {
    let verb = *operands(command)?.first()?;
    // Where the head is all there is, it has to have some.
    let has_events = head.len() >= 4000 || head.lines().any(|line| line.trim_end() == "Events:");
    (verb == "describe" && has_events).then_some(SCORE)
}

pub(crate) fn begin_events(_command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    Box::new(Events::default())
}

#[derive(Default)]
struct Events {
    /// The object described, by the last `Name:` and `Namespace:` before the events.
    object: Document,
    stage: Stage,
}

#[derive(Default)]
enum Stage {
    #[default]
    Outside,
    /// Behind `Events:`.
    Announced,
    /// Behind the heading.
    Headed(String),
    /// Behind the dashes that show where the columns lie.
    Rows(Layout),
}

impl Reader for Events {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        let text = line.text.as_ref();
        if !text.starts_with(' ') {
            return self.top_level(line, sink);
        }
        match &self.stage {
            Stage::Outside => sink.leave(line.number, text),
            Stage::Announced => match words::next(text) {
                Some(("Type" | "FirstSeen" | "LastSeen", _)) => self.stage = Stage::Headed(text.to_owned()),
                _ => sink.leave(line.number, text),
            },
            Stage::Headed(heading) => match Layout::detect(heading, &[text]) {
                Some(layout) if text.trim().chars().all(|symbol| symbol == '-' || symbol == ' ' || symbol == '\t') => {
                    self.stage = Stage::Rows(layout);
                }
                _ => sink.leave(line.number, text),
            },
            Stage::Rows(layout) => match event(layout, text, &self.object) {
                Some(document) => sink.record(&document, vec![Held::from(line)]),
                None => sink.leave(line.number, text),
            },
        }
    }

    fn finish(&mut self, _end: End, _sink: &mut Sink) {}
}

impl Events {
    fn top_level(&mut self, line: &Line<'_>, sink: &mut Sink) {
        let (key, value) = line.text.split_once(':').unwrap_or(("", &line.text));
        let value = value.trim();
        self.stage = Stage::Outside;
        match key {
            "Events" if value.is_empty() => return self.stage = Stage::Announced,
            // Another object begins.
            "Name" => self.object = Document::new(),
            _ => {}
        }
        if key == "Name" || key == "Namespace" {
            self.object.set_filled(if key == "Name" { "object" } else { "namespace" }, value);
        }
        if !line.text.trim().is_empty() {
            sink.leave(line.number, &line.text);
        }
    }
}

fn event(layout: &Layout, text: &str, object: &Document) -> Option<Document> {
    let mut document = object.clone();
    for (heading, cell) in layout.names().zip(layout.cells(text)?) {
        let field = words::field_name(heading);
        if field == "age" {
            repeated(&mut document, cell);
        }
        if ["type", "reason"].contains(&field.as_str()) && cell.is_empty() {
            return None;
        }
        document.set(&field, cell);
    }
    document.get("message").is_some().then_some(document)
}

/// `3m (x5 over 10m)`.
fn repeated(document: &mut Document, cell: &str) {
    let Some((_, inside)) = cell.split_once(" (x") else { return };
    let count = inside.split(' ').next().and_then(integer);
    document.set_some("count", count);
}
