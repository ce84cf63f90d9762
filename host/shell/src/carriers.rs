//! Programs with a command somewhere in their words: `find -exec`, `parallel`, `su -c`, containers and clusters.

use crate::environment::Known;
use crate::expand::Field;
use crate::invoke::{MAX_APPENDED, base_name, rest_of, substitute};
use crate::lower::{Call, Frame, Input, Lowering};
use crate::plan::{InvocationKind, Span};
use crate::shells;

impl Lowering {
    pub(crate) fn find(&mut self, name: &str, call: &Call, frame: &Frame) {
        self.emit(InvocationKind::Command, Some(name.to_owned()), call, frame);
        let roots = find_roots(&call.fields);
        let mut index = 1;
        while let Some(field) = call.fields.get(index) {
            index += 1;
            if !matches!(field.value.as_deref(), Some("-exec" | "-execdir" | "-ok" | "-okdir")) {
                continue;
            }
            let start = index;
            while let Some(field) = call.fields.get(index) {
                let plus = field.value.as_deref() == Some("+")
                    && index > start
                    && call.fields[index - 1].value.as_deref() == Some("{}");
                if plus || field.value.as_deref() == Some(";") {
                    break;
                }
                index += 1;
            }
            let inner = Call {
                fields: substitute(&call.fields[start..index], "{}", &roots),
                assignments: Vec::new(),
                redirections: Vec::new(),
            };
            let runs_shell = inner
                .fields
                .first()
                .and_then(|field| field.value.as_deref())
                .is_some_and(|path| shells::is_shell(base_name(path)));
            let names_in_text = call.fields[start..index]
                .iter()
                .any(|field| field.text.contains("{}") && field.value.as_deref() != Some("{}"));
            if inner.fields.is_empty() || (runs_shell && names_in_text) {
                self.unresolved("`find -exec` runs names as shell text, or nothing at all", frame);
            }
            self.invoke(inner, &frame.within(name));
        }
    }

    pub(crate) fn fd(&mut self, name: &str, call: &Call, frame: &Frame) {
        self.emit(InvocationKind::Command, Some(name.to_owned()), call, frame);
        let Some((start, attached)) = fd_command(&call.fields) else { return };
        let mut command: Vec<Field> = attached.into_iter().collect();
        command
            .extend(call.fields[start + 1..].iter().take_while(|field| field.value.as_deref() != Some(";")).cloned());
        if !command.iter().any(|field| FD_PLACES.iter().any(|place| field.text.contains(place))) {
            command.push(Field::constant("{}", frame.span));
        }
        let roots = fd_roots(&call.fields[..start], frame.span);
        let fields = FD_PLACES.iter().fold(command, |fields, place| substitute(&fields, place, &roots));
        self.invoke(Call { fields, assignments: Vec::new(), redirections: Vec::new() }, &frame.within(name));
    }

    /// `su -c TEXT user`: a privileged shell, listed with what it runs.
    pub(crate) fn switch_user(&mut self, call: &Call, frame: &Frame) {
        self.emit(InvocationKind::Command, Some("su".to_owned()), call, frame);
        let mut words = call.fields.iter().skip(1);
        while let Some(field) = words.next() {
            let attached = field.value.as_deref().and_then(|value| {
                value.strip_prefix("--command=").or_else(|| value.strip_prefix("--session-command="))
            });
            let text = match (field.value.as_deref(), attached) {
                (_, Some(text)) => Some(Field { value: Some(text.to_owned()), ..field.clone() }),
                (Some("-c" | "--command" | "--session-command" | "-lc"), _) => words.next().cloned(),
                _ => None,
            };
            if let Some(text) = text {
                let bare = Call { redirections: Vec::new(), assignments: Vec::new(), ..call.clone() };
                self.text_operands(&[text], &bare, &frame.within("su"));
            }
        }
    }

    pub(crate) fn parallel(&mut self, call: &Call, frame: &Frame) {
        self.emit(InvocationKind::Command, Some("parallel".to_owned()), call, frame);
        let separator = call
            .fields
            .iter()
            .position(|field| matches!(field.value.as_deref(), Some(":::" | "::::" | ":::+")))
            .unwrap_or(call.fields.len());
        let mut start = 1;
        while start < separator && call.fields[start].value.as_deref().is_some_and(|value| value.starts_with('-')) {
            let valued = call.fields[start].value.as_deref().is_some_and(|value| PARALLEL_VALUED.contains(&value));
            start += 1 + usize::from(valued);
        }
        if start >= separator {
            return self.parallel_lines(&call.fields[separator..], call, frame);
        }
        let arguments = parallel_arguments(&call.fields[separator..], frame);
        let template = &call.fields[start..separator];
        for argument in arguments.into_iter().take(MAX_APPENDED) {
            let mut fields = substitute(template, "{}", std::slice::from_ref(&argument));
            if !template.iter().any(|field| field.text.contains("{}")) {
                fields.push(argument);
            }
            let one_text = template.len() == 1 && template[0].value.as_deref().is_some_and(|text| text.contains(' '));
            if one_text {
                self.text_operands(&fields, call, &frame.within("parallel"));
            } else {
                self.invoke(
                    Call { fields, assignments: Vec::new(), redirections: Vec::new() },
                    &frame.within("parallel"),
                );
            }
        }
    }

    /// `parallel ::: 'line' 'line'`: without a template the operands are the commands.
    fn parallel_lines(&mut self, operands: &[Field], call: &Call, frame: &Frame) {
        let lines: Vec<&Field> =
            operands.iter().filter(|field| field.value.as_deref() != Some(":::")).take(MAX_APPENDED).collect();
        if lines.is_empty() {
            match &frame.input {
                Input::Text(Some(text)) | Input::Pipe(Some(text)) => {
                    let field = Field::constant(text, frame.span);
                    self.text_operands(&[field], call, &frame.within("parallel"));
                }
                _ => self.unresolved("`parallel` runs lines that are not known", frame),
            }
        }
        for line in lines {
            self.text_operands(std::slice::from_ref(line), call, &frame.within("parallel"));
        }
    }

    /// `kubectl exec POD -- CMD`; none for the other verbs.
    pub(crate) fn cluster(&mut self, name: &str, call: &Call, frame: &Frame) -> Option<Known> {
        let verb = subcommand(&call.fields, 1, CLUSTER_VALUED)?;
        match call.fields[verb].value.as_deref()? {
            "exec" | "rsh" => {}
            "run" | "debug" => {
                let dashes = call.fields.iter().position(|field| field.value.as_deref() == Some("--"))?;
                self.emit(InvocationKind::Command, Some(name.to_owned()), call, frame);
                return Some(self.carried(call, dashes + 1, &format!("{name} exec"), frame));
            }
            "kubectl" if name != "kubectl" => return Some(self.invoke(rest_of(call, verb), &frame.within(name))),
            _ => return None,
        }
        self.emit(InvocationKind::Command, Some(name.to_owned()), call, frame);
        let dashes = call.fields.iter().position(|field| field.value.as_deref() == Some("--"));
        let start = match dashes {
            Some(index) => index + 1,
            None => subcommand(&call.fields, verb + 1, CLUSTER_VALUED).map_or(call.fields.len(), |pod| pod + 1),
        };
        Some(self.carried(call, start, &format!("{name} exec"), frame))
    }

    /// `docker exec`, `docker run`, `docker compose exec`; none for the other verbs.
    pub(crate) fn container(&mut self, name: &str, call: &Call, frame: &Frame) -> Option<Known> {
        let mut verb = subcommand(&call.fields, 1, CONTAINER_GLOBAL_VALUED)?;
        let mut word = call.fields[verb].value.as_deref()?;
        if matches!(word, "compose" | "container" | "task") {
            verb = subcommand(&call.fields, verb + 1, CONTAINER_GLOBAL_VALUED)?;
            word = call.fields[verb].value.as_deref()?;
        }
        if !matches!(word, "exec" | "run") {
            return None;
        }
        let label = format!("{name} {word}");
        self.emit(InvocationKind::Command, Some(name.to_owned()), call, frame);
        let mut index = verb + 1;
        let mut entrypoint = None;
        while let Some(value) = call
            .fields
            .get(index)
            .and_then(|field| field.value.as_deref())
            .filter(|value| value.starts_with('-') && *value != "-")
        {
            index += 1;
            if let Some(program) = value.strip_prefix("--entrypoint=") {
                entrypoint = Some(Field { value: Some(program.to_owned()), ..call.fields[index - 1].clone() });
            } else if value == "--entrypoint" {
                entrypoint = call.fields.get(index).cloned();
            }
            if value == "--" {
                break;
            }
            index += usize::from(container_option_takes_value(value));
        }
        let mut inner = rest_of(call, (index + 1).min(call.fields.len()));
        if inner.fields.first().is_some_and(|field| field.value.as_deref() == Some("--")) {
            inner.fields.remove(0);
        }
        inner.assignments.clear();
        inner.redirections.clear();
        if let Some(entrypoint) = entrypoint {
            inner.fields.insert(0, entrypoint);
        }
        if inner.fields.is_empty() {
            return Some(None);
        }
        Some(self.invoke(inner, &frame.within(&label)))
    }

    pub(crate) fn carried(&mut self, call: &Call, start: usize, label: &str, frame: &Frame) -> Known {
        if start >= call.fields.len() {
            return None;
        }
        let inner = Call { fields: call.fields[start..].to_vec(), assignments: Vec::new(), redirections: Vec::new() };
        self.invoke(inner, &frame.within(label))
    }

    /// `git bisect run CMD`, `git submodule foreach TEXT`, `git rebase --exec TEXT`, `git filter-branch`.
    pub(crate) fn git(&mut self, call: &Call, frame: &Frame) -> Option<Known> {
        let verb = subcommand(&call.fields, 1, &["-C", "-c", "--git-dir", "--work-tree", "--namespace"])?;
        let word = |index: usize| call.fields.get(index).and_then(|field| field.value.as_deref());
        let (start, text) = match (word(verb)?, word(verb + 1)) {
            ("bisect", Some("run")) => (verb + 2, false),
            ("submodule", Some("foreach")) => (verb + 2 + usize::from(word(verb + 2) == Some("--recursive")), true),
            _ => return None,
        };
        self.emit(InvocationKind::Command, Some("git".to_owned()), call, frame);
        if start >= call.fields.len() {
            return Some(None);
        }
        if text {
            let fields = call.fields[start..].to_vec();
            let bare = Call { assignments: Vec::new(), redirections: Vec::new(), ..call.clone() };
            return Some(self.text_operands(&fields, &bare, &frame.within("git")));
        }
        Some(self.carried(call, start, "git", frame))
    }
}

/// What `fd` puts a name, or a part of it, in the place of.
const FD_PLACES: &[&str] = &["{}", "{/}", "{//}", "{.}", "{/.}"];
/// Options of `fd` with a value in the next word.
const FD_VALUED: &[&str] = &[
    "-c",
    "--color",
    "-d",
    "--max-depth",
    "--maxdepth",
    "--min-depth",
    "--exact-depth",
    "-e",
    "--extension",
    "-E",
    "--exclude",
    "-j",
    "--threads",
    "-o",
    "--owner",
    "-S",
    "--size",
    "-t",
    "--type",
    "--and",
    "--batch-size",
    "--changed-after",
    "--changed-before",
    "--changed-within",
    "--newer",
    "--older",
    "--format",
    "--ignore-contain",
    "--ignore-file",
    "--max-results",
    "--path-separator",
];
/// Options of `fd` that say where it searches.
const FD_PLACE_OPTIONS: &[&str] = &["--search-path", "--base-directory", "-C"];

/// Where the option that runs something stands, and the first word of it when that is attached.
fn fd_command(fields: &[Field]) -> Option<(usize, Option<Field>)> {
    fields.iter().enumerate().skip(1).find_map(|(index, field)| {
        let value = field.value.as_deref()?;
        if matches!(value, "-x" | "-X" | "--exec" | "--exec-batch") {
            return Some((index, None));
        }
        let attached = ["--exec=", "--exec-batch=", "-x", "-X"].iter().find_map(|option| value.strip_prefix(option))?;
        Some((index, Some(Field { value: Some(attached.to_owned()), text: attached.to_owned(), ..field.clone() })))
    })
}

/// The names found are not known, but they stand below these; without any, below the present directory.
fn fd_roots(fields: &[Field], span: Span) -> Vec<Field> {
    let (mut roots, mut operands) = (Vec::new(), Vec::new());
    let mut words = fields.iter().skip(1);
    while let Some(field) = words.next() {
        let value = field.value.as_deref().unwrap_or("");
        let attached = FD_PLACE_OPTIONS.iter().find_map(|option| value.strip_prefix(option)?.strip_prefix('='));
        if FD_PLACE_OPTIONS.contains(&value) {
            roots.extend(words.next().cloned());
        } else if let Some(place) = attached {
            roots.push(Field { value: Some(place.to_owned()), ..field.clone() });
        } else if FD_VALUED.contains(&value) {
            words.next();
        } else if value == "--" {
            operands.extend(words.by_ref().cloned());
        } else if !value.starts_with('-') {
            operands.push(field.clone());
        }
    }
    // The first operand is the pattern.
    roots.extend(operands.into_iter().skip(1));
    if roots.is_empty() {
        roots.push(Field::unknown("{}", span));
    }
    roots
}

const PARALLEL_VALUED: &[&str] = &[
    "-j",
    "-P",
    "-n",
    "-N",
    "-L",
    "-I",
    "-a",
    "-S",
    "-C",
    "-d",
    "--jobs",
    "--delay",
    "--timeout",
    "--id",
    "--colsep",
    "--joblog",
    "--results",
    "--tagstring",
    "--retries",
    "--memfree",
    "--load",
    "--sshlogin",
    "--env",
    "--workdir",
    "--semaphoretimeout",
    "--max-args",
    "--max-procs",
    "--arg-file",
    "--halt",
    "--delimiter",
    "--tmpdir",
    "--nice",
];

/// What `parallel` puts in place of `{}`: the words after `:::`, or the lines of its input.
fn parallel_arguments(sources: &[Field], frame: &Frame) -> Vec<Field> {
    let unknown = || vec![Field::unknown("{}", frame.span)];
    if sources.first().is_some_and(|field| field.value.as_deref() == Some("::::")) {
        return unknown();
    }
    let words: Vec<Field> =
        sources.iter().filter(|field| !matches!(field.value.as_deref(), Some(":::" | ":::+"))).cloned().collect();
    if !words.is_empty() {
        return words;
    }
    match &frame.input {
        Input::Text(Some(text)) | Input::Pipe(Some(text)) => {
            text.lines().map(|line| Field::constant(line, frame.span)).collect()
        }
        _ => unknown(),
    }
}

const CLUSTER_VALUED: &[&str] = &[
    "-n",
    "--namespace",
    "--context",
    "--cluster",
    "--kubeconfig",
    "-s",
    "--server",
    "--user",
    "--token",
    "--as",
    "--as-group",
    "--request-timeout",
    "-c",
    "--container",
    "-f",
    "--filename",
    "--pod-running-timeout",
    "-v",
];

const CONTAINER_GLOBAL_VALUED: &[&str] = &[
    "-H",
    "--host",
    "-c",
    "--context",
    "--config",
    "-l",
    "--log-level",
    "-f",
    "--file",
    "-p",
    "--project-name",
    "--profile",
    "--env-file",
    "--project-directory",
    "-n",
    "--namespace",
];

/// Options of `run` and `exec` without a value; every other long option has one.
const CONTAINER_FLAGS: &[&str] = &[
    "--rm",
    "--detach",
    "--interactive",
    "--tty",
    "--init",
    "--privileged",
    "--read-only",
    "--no-healthcheck",
    "--publish-all",
    "--sig-proxy",
    "--oom-kill-disable",
    "--quiet",
    "--no-deps",
    "--no-TTY",
    "--no-tty",
    "--service-ports",
    "--build",
    "--use-aliases",
    "--quiet-pull",
    "--remove-orphans",
    "--replace",
];

fn container_option_takes_value(option: &str) -> bool {
    if option.starts_with("--") {
        return !option.contains('=') && !CONTAINER_FLAGS.contains(&option);
    }
    // A cluster takes the next word when its last letter has a value.
    option.chars().last().is_some_and(|letter| !"ditPqT".contains(letter))
        && option.chars().skip(1).take(option.len() - 2).all(|letter| "ditPqT".contains(letter))
}

/// Index of the first word from `start` that is not an option or an option's value.
fn subcommand(fields: &[Field], start: usize, valued: &[&str]) -> Option<usize> {
    let mut index = start;
    loop {
        let value = fields.get(index)?.value.as_deref()?;
        if !value.starts_with('-') {
            return Some(index);
        }
        index += 1 + usize::from(valued.contains(&value));
    }
}

/// The starting points of `find`, each standing for everything below it.
fn find_roots(fields: &[Field]) -> Vec<Field> {
    let mut roots = Vec::new();
    for field in &fields[1..] {
        match field.value.as_deref() {
            Some("-H" | "-L" | "-P") if roots.is_empty() => {}
            Some(value) if value.starts_with('-') || matches!(value, "(" | "!" | ",") => break,
            _ => roots.push(Field { glob: true, ..field.clone() }),
        }
    }
    if roots.is_empty() {
        roots.push(Field { glob: true, ..Field::constant(".", Span::default()) });
    }
    roots
}
