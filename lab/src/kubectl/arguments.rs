//! The command line, read as kubectl reads it: flags may stand anywhere before `--`.

use std::ffi::{OsStr, OsString};

use crate::pods::PodName;

/// Lines `logs` shows unless told otherwise.
const TAIL_DEFAULT: usize = 100;

/// A call that was understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Call {
    Help,
    Get {
        resource: Resource,
        headers: bool,
    },
    /// `tail` is `None` for the whole log.
    Logs {
        pod: PodName,
        tail: Option<usize>,
    },
    Exec(ExecRequest),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Resource {
    Namespaces,
    Pods { namespace: String },
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct ExecRequest {
    pub(super) pod: PodName,
    pub(super) stdin: bool,
    pub(super) terminal: bool,
    /// Never empty.
    pub(super) command: Vec<OsString>,
}

/// Everything on the line, before it is known what it means.
#[derive(Debug, Default)]
struct Words {
    plain: Vec<String>,
    namespace: Option<String>,
    tail: Option<String>,
    no_headers: bool,
    stdin: bool,
    terminal: bool,
    help: bool,
    command: Vec<OsString>,
}

/// Understands a call; the error is the complaint to show.
pub(super) fn parse(arguments: &[OsString]) -> Result<Call, String> {
    let words = collect(arguments)?;
    let plain: Vec<&str> = words.plain.iter().map(String::as_str).collect();
    if words.help {
        return Ok(Call::Help);
    }
    match plain.as_slice() {
        [] | ["help", ..] => Ok(Call::Help),
        ["get"] => Err("get what? namespaces or pods".to_owned()),
        ["get", kind] => get(kind, &words),
        ["logs", pod] => Ok(Call::Logs { pod: pod_name(&words, pod)?, tail: tail(words.tail.as_deref())? }),
        ["logs", ..] => Err("logs needs exactly one POD".to_owned()),
        ["exec", pod] if !words.command.is_empty() => Ok(Call::Exec(ExecRequest {
            pod: pod_name(&words, pod)?,
            stdin: words.stdin,
            terminal: words.terminal,
            command: words.command,
        })),
        ["exec", ..] => Err("exec needs one POD and, behind --, a COMMAND".to_owned()),
        ["get", _, extra, ..] => Err(format!("unexpected argument {extra:?}")),
        [other, ..] => Err(format!("unknown command {other:?}")),
    }
}

fn get(kind: &str, words: &Words) -> Result<Call, String> {
    let resource = match kind {
        "ns" | "namespace" | "namespaces" => Resource::Namespaces,
        "po" | "pod" | "pods" => Resource::Pods { namespace: namespace(words).to_owned() },
        other => return Err(format!("the server doesn't have a resource type {other:?}")),
    };
    Ok(Call::Get { resource, headers: !words.no_headers })
}

fn collect(arguments: &[OsString]) -> Result<Words, String> {
    let mut words = Words::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let text = argument.to_str().ok_or_else(|| format!("argument {argument:?} is not UTF-8"))?;
        let (flag, value) = match text.split_once('=') {
            Some((flag, value)) if flag.starts_with('-') => (flag, Some(value)),
            _ => (text, None),
        };
        let mut wants_value = || match value.or_else(|| rest.next().and_then(|next| OsStr::to_str(next))) {
            Some(value) => Ok(value.to_owned()),
            None => Err(format!("flag needs an argument: {flag}")),
        };
        match flag {
            "--" => {
                words.command = rest.cloned().collect();
                break;
            }
            "-n" | "--namespace" => words.namespace = Some(wants_value()?),
            "--tail" => words.tail = Some(wants_value()?),
            "--no-headers" => words.no_headers = true,
            "-i" | "--stdin" => words.stdin = true,
            "-t" | "--tty" => words.terminal = true,
            "-it" | "-ti" => (words.stdin, words.terminal) = (true, true),
            "-h" | "--help" => words.help = true,
            _ if flag.starts_with('-') => return Err(format!("unknown flag: {flag}")),
            _ => words.plain.push(text.to_owned()),
        }
    }
    Ok(words)
}

fn namespace(words: &Words) -> &str {
    words.namespace.as_deref().unwrap_or("default")
}

fn pod_name(words: &Words, typed: &str) -> Result<PodName, String> {
    // `pod/NAME` is what other kubectl commands print.
    let name = typed.strip_prefix("pod/").or_else(|| typed.strip_prefix("pods/")).unwrap_or(typed);
    let namespace = namespace(words);
    PodName::new(namespace, name)
        .ok_or_else(|| format!("{namespace:?} and {name:?} are not a namespace and a POD name"))
}

fn tail(value: Option<&str>) -> Result<Option<usize>, String> {
    let Some(value) = value else {
        return Ok(Some(TAIL_DEFAULT));
    };
    match value.parse::<i64>() {
        Ok(-1) => Ok(None),
        Ok(lines) if lines >= 0 => Ok(usize::try_from(lines).ok()),
        _ => Err(format!("--tail needs a number of lines, or -1 for all, not {value:?}")),
    }
}
