//! `top -b`: a summary document and one for each process, again for each repetition.

use parser_kit::number::{decimal, integer};
use parser_kit::{Command, Document, End, Held, Reader, Sink, words};
use portcullis_plugin::lines::Line;
use portcullis_plugin::parser::OutputMeta;

use crate::load;
use crate::process::Columns;

/// The command says what the output is.
const SCORE: u8 = 90;

pub(crate) fn claim(command: &Command<'_>, head: &str) -> Option<u8> {
    // Without `-b` it fills the screen and leaves no lines.
    let is_batch = command.program == "top" && command.has('b', "batch");
    (is_batch && head.lines().any(|line| Columns::read(line).is_some())).then_some(SCORE)
}

pub(crate) fn begin(_command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    Box::new(Top::default())
}

// What the lines of the summary begin with, in the languages procps speaks.
const TASKS: [&str; 10] =
    ["Tasks", "Tareas", "Tâches", "Tarefas", "Zadania", "Sarcini", "Uppgifter", "Завдання", "Tác vụ", "任务"];
const THREADS: [&str; 8] = ["Threads", "Hilos", "Wątki", "Fire exec", "Trådar", "Потоки", "Tuyến trình", "스레드"];
const PROCESSORS: [&str; 7] = ["CPU", "Cpu(s)", "%Cpu(s)", "%CPU(s)", "%CPU", "%Cpu/er", "%CПроц."];
const MEMORY: [&str; 8] = ["Mem", "mem", "Spch", "RAM", "Minn", "Пам", "BNhớ", "메모리"];
const SWAP: [&str; 8] = ["Swap", "swap", "Intercambio", "Éch", "Växl", "Своп", "TĐổi", "스  왑"];

#[derive(Default)]
struct Top {
    summary: Document,
    held: Vec<Held>,
    columns: Option<Columns>,
}

impl Top {
    fn give_summary(&mut self, sink: &mut Sink) {
        let summary = std::mem::take(&mut self.summary);
        if !summary.is_empty() {
            sink.record(&summary, std::mem::take(&mut self.held));
        }
    }
}

impl Reader for Top {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        let text = line.text.as_ref();
        if text.trim().is_empty() {
            return;
        }
        if let Some(columns) = Columns::read(text) {
            self.give_summary(sink);
            self.columns = Some(columns);
        } else if let Some(document) = self.columns.as_ref().and_then(|columns| columns.row(text)) {
            sink.row(&document, line);
        } else if let Some((name, values)) = summary(text) {
            // A field that is there belongs to a repetition that had no processes.
            if self.summary.get(&name).is_some() {
                self.give_summary(sink);
            }
            self.summary.set(&name, values);
            self.held.push(line.into());
            self.columns = None;
        } else {
            sink.leave(line.number, text);
        }
    }

    fn finish(&mut self, _end: End, sink: &mut Sink) {
        self.give_summary(sink);
    }
}

/// The field and the values of one line of the summary.
fn summary(text: &str) -> Option<(String, Document)> {
    if let Some(uptime) = text.strip_prefix("top - ") {
        return Some(("uptime".to_owned(), load::read(uptime)?));
    }
    let (label, rest) = text.split_once(':')?;
    let label = label.trim();
    if label == "Load average" {
        return Some(("load".to_owned(), load_average(rest)?));
    }
    let (unit, kind) = ["KiB", "MiB", "GiB"]
        .into_iter()
        .find_map(|unit| Some((unit, label.strip_prefix(unit)?.strip_prefix(' ')?)))
        .unwrap_or(("KiB", label));
    let name = if TASKS.contains(&label) {
        "tasks".to_owned()
    } else if THREADS.contains(&label) {
        "threads".to_owned()
    } else if PROCESSORS.contains(&label) {
        "cpu_percent".to_owned()
    } else if MEMORY.contains(&kind) {
        format!("memory_{}", unit.to_lowercase())
    } else if SWAP.contains(&kind) {
        format!("swap_{}", unit.to_lowercase())
    } else {
        let number = label.strip_prefix("%Cpu").or_else(|| label.strip_prefix("Cpu"))?;
        format!("cpu_{}_percent", integer(number.trim())?)
    };
    Some((name, amounts(rest)?))
}

/// BusyBox: `2.92 1.88 1.83 3/95 351`.
fn load_average(rest: &str) -> Option<Document> {
    let words = words::all(rest);
    let [one, five, fifteen, running, last_pid] = words.as_slice() else { return None };
    let (running, total) = parser_kit::number::pair(running, '/')?;
    let mut document = Document::new();
    for (name, load) in [("load_1", one), ("load_5", five), ("load_15", fifteen)] {
        document.set(name, decimal(load)?);
    }
    document.set("running", running);
    document.set("total", total);
    document.set("last_pid", integer(last_pid)?);
    Some(document)
}

/// `73 total,   1 running`, `0.0 us,100.0 id`, `95% usr  4% sys`, `24105.1 total, 1687.4 used.`.
fn amounts(text: &str) -> Option<Document> {
    let mut document = Document::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.find(|symbol: char| !symbol.is_ascii_digit())?;
        let fraction = fraction_length(&rest[digits..]);
        let (number, behind) = rest.split_at(digits + fraction);
        let behind = behind.trim_start_matches(['%', 'K', 'k', '+']);
        let end = behind
            .find(|symbol: char| symbol == ',' || symbol == '.' || symbol.is_ascii_digit())
            .unwrap_or(behind.len());
        let (name, next) = behind.split_at(end);
        let name = words::field_name(name);
        (name != "column" && document.get(&name).is_none()).then_some(())?;
        match integer(number) {
            Some(number) => document.set(&name, number),
            None => document.set(&name, decimal(number)?),
        }
        rest = next.trim_start_matches([',', '.', ' ']);
    }
    (!document.is_empty()).then_some(document)
}

/// The length of `.5` or `,5` at the start.
fn fraction_length(text: &str) -> usize {
    let Some(fraction) = text.strip_prefix(['.', ',']) else { return 0 };
    let digits = fraction.len() - fraction.trim_start_matches(|symbol: char| symbol.is_ascii_digit()).len();
    if digits > 0 { 1 + digits } else { 0 }
}
