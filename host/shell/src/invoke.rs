//! From an expanded command to the program that really runs: functions, builtins, wrappers,
//! nested shells, and the commands hidden in the words of `find`, `xargs`, `ssh` and containers.

use crate::builtins::joined_text;
use crate::decode;
use crate::environment::Known;
use crate::expand::Field;
use crate::lower::{Call, Frame, Input, Lowering};
use crate::plan::{Assignment, InvocationKind, UnknownKind};
use crate::shells;
use crate::words::is_name;
use crate::wrappers::{self, Options, Rest, Wrapper};
use crate::{MAX_WORDS, WHAT_UNICODE};

/// Words `xargs` appends one by one; more count as unknown.
pub(crate) const MAX_APPENDED: usize = 64;

/// Wrappers around one command; each copies what stands inside it.
const MAX_WRAPPERS: usize = 16;

impl Lowering {
    /// Lists what `call` runs; gives what it prints, where that is constant.
    pub(crate) fn invoke(&mut self, call: Call, frame: &Frame) -> Known {
        self.bounded(frame, |lowering| lowering.invoke_inner(call, frame))
    }

    fn invoke_inner(&mut self, call: Call, frame: &Frame) -> Known {
        if frame.wrappers.len() - frame.outside.min(frame.wrappers.len()) > MAX_WRAPPERS {
            self.stop("more wrappers around one command than can be followed", frame);
            return None;
        }
        if call.words() > MAX_WORDS {
            self.stop("more words than can be followed", frame);
            return None;
        }
        let first = call.fields.first()?;
        let path = match &first.value {
            Some(path) if !first.glob => path.clone(),
            _ => {
                self.emit(InvocationKind::Command, None, &call, frame);
                let span = first.span;
                self.unknown(UnknownKind::Unresolved, "the program is computed at run time", span);
                return None;
            }
        };
        let name = base_name(&path).to_owned();
        if name.len() > 1 && name.starts_with('=') {
            self.unknown(UnknownKind::Unresolved, "zsh would run the program named behind `=`", first.span);
        }
        if !name.is_ascii() {
            self.unknown(UnknownKind::Refused, format!("{WHAT_UNICODE} in a program's name"), first.span);
        }
        if !path.contains('/') {
            if self.functions.contains_key(&path) {
                return self.function_call(&path, &call, frame);
            }
            if let Some(output) = self.builtin(&name, &call, frame) {
                return output;
            }
        }
        if shells::is_shell(&name) {
            return self.shell(&name, &call, frame);
        }
        if shells::is_queue(&name) {
            self.emit(InvocationKind::Command, Some(name.clone()), &call, frame);
            if let Input::Text(text) | Input::Pipe(text) = &frame.input {
                let bare = Call { assignments: Vec::new(), redirections: Vec::new(), ..call };
                return self.shell_input(&name, text.clone(), &bare, frame);
            }
            return None;
        }
        if let Some(output) = self.carrier(&name, &call, frame) {
            return output;
        }
        match wrappers::find(&name, &call.fields) {
            Some((wrapper, 0)) => self.unwrap_call(wrapper, &name, call, frame),
            Some((wrapper, verb)) => self.unwrap_verb(wrapper, verb, &name, call, frame),
            None => self.program(&name, &call, frame),
        }
    }

    /// A program that wraps nothing, as far as is known.
    fn program(&mut self, name: &str, call: &Call, frame: &Frame) -> Known {
        self.emit(InvocationKind::Command, Some(name.to_owned()), call, frame);
        if let Some(start) = shell_within(name, &call.fields) {
            self.carried(call, start, name, frame);
        }
        let input = match &frame.input {
            Input::Text(text) | Input::Pipe(text) => text.as_deref(),
            Input::Inherited | Input::File => None,
        };
        decode::output(name, &call.fields, input)
    }

    fn function_call(&mut self, name: &str, call: &Call, frame: &Frame) -> Known {
        self.emit(InvocationKind::Command, Some(name.to_owned()), call, frame);
        let body = self.functions.get(name).cloned()?;
        if self.calls.iter().any(|active| active == name) {
            return None;
        }
        let before = self.environment.positional.clone();
        let single = call.fields.iter().all(|field| field.value.is_some() || !field.glob);
        let values = call.fields.iter().map(|field| field.value.clone()).collect();
        self.environment.positional = Some(if single { std::rc::Rc::new(values) } else { vec![None; 10].into() });
        self.calls.push(name.to_owned());
        let output = self.command(&body, &frame.deeper());
        self.calls.pop();
        self.environment.positional = before;
        output
    }

    /// Programs with a command somewhere in their words that is not at the end of plain options.
    fn carrier(&mut self, name: &str, call: &Call, frame: &Frame) -> Option<Known> {
        match name {
            "find" | "gfind" => self.find(name, call, frame),
            "fd" | "fdfind" => self.fd(name, call, frame),
            "su" => self.switch_user(call, frame),
            "runuser"
                if !call.fields.iter().any(|field| field.text.starts_with("-u") || field.text.starts_with("--u")) =>
            {
                self.switch_user(call, frame);
            }
            "parallel" => self.parallel(call, frame),
            "kubectl" | "oc" | "k3s" | "microk8s" => return self.cluster(name, call, frame),
            "docker" | "podman" | "nerdctl" | "docker-compose" | "podman-compose" | "lxc" | "crictl" | "ctr" => {
                return self.container(name, call, frame);
            }
            "sem" => self.parallel(call, frame),
            _ => {
                let subcommand = call.fields.get(1).and_then(|field| field.value.as_deref()).unwrap_or("");
                if wrappers::runs_rest(name, subcommand) && call.fields.len() > 2 {
                    return Some(self.invoke(rest_of(call, 2), &frame.within(name)));
                }
                if name == "git" {
                    return self.git(call, frame);
                }
                return self.carried_by_option(name, call, frame);
            }
        }
        Some(None)
    }

    /// `perf stat CMD`: listed as it stands, and what it runs after it.
    fn unwrap_verb(
        &mut self,
        wrapper: &'static Wrapper,
        verb: usize,
        name: &str,
        mut call: Call,
        frame: &Frame,
    ) -> Known {
        self.emit(InvocationKind::Command, Some(name.to_owned()), &call, frame);
        call.fields.drain(1..=verb);
        call.assignments.clear();
        call.redirections.clear();
        let Some(options) = wrappers::options(wrapper, &call.fields) else {
            self.unresolved("an option of a wrapper is not known, so what it runs is not", frame);
            return None;
        };
        if let Some(text) = options.value(&["c", "--call"]).filter(|_| wrapper.long_valued.contains(&"--call")) {
            return self.text_operands(std::slice::from_ref(text), &call, &frame.within(name));
        }
        let mut rest = options.rest + wrapper.positionals;
        if wrapper.positionals > 0 && call.fields.get(rest).is_some_and(|field| field.value.as_deref() == Some("--")) {
            rest += 1;
        }
        if rest >= call.fields.len() {
            return None;
        }
        match wrapper.rest {
            Rest::Program => {
                call.fields.drain(..rest);
                self.invoke(call, &frame.within(name))
            }
            Rest::Text => self.text_operands(&call.fields[rest..], &call, &frame.within(name)),
        }
    }

    /// `vagrant ssh -c TEXT`, `nix develop -c CMD`: the command stands in or after an option.
    fn carried_by_option(&mut self, name: &str, call: &Call, frame: &Frame) -> Option<Known> {
        let carried = wrappers::carried(name, &call.fields)?;
        self.emit(InvocationKind::Command, Some(name.to_owned()), call, frame);
        let bare = Call { assignments: Vec::new(), redirections: Vec::new(), ..call.clone() };
        Some(match carried {
            wrappers::Carried::Program(start) if name == "start-stop-daemon" => {
                let mut inner = rest_of(&bare, start);
                inner.fields.retain(|field| field.value.as_deref() != Some("--"));
                self.invoke(inner, &frame.within(name))
            }
            wrappers::Carried::Text(text) => self.text_operands(&[text], &bare, &frame.within(name)),
            wrappers::Carried::Program(start) => self.invoke(rest_of(&bare, start), &frame.within(name)),
            wrappers::Carried::Shell(start) => {
                let mut inner = rest_of(&bare, start);
                inner.fields.insert(0, Field::constant("bash", frame.span));
                self.invoke(inner, &frame.within(name))
            }
        })
    }

    fn unwrap_call(&mut self, wrapper: &'static Wrapper, name: &str, mut call: Call, frame: &Frame) -> Known {
        if name == "coreutils" {
            return self.multi_call(&mut call, frame);
        }
        let Some(options) = wrappers::options(wrapper, &call.fields) else {
            self.emit(InvocationKind::Command, Some(name.to_owned()), &call, frame);
            self.unresolved("an option of a wrapper is not known, so what it runs is not", frame);
            return None;
        };
        if let Some(output) = self.special_form(name, &options, &mut call, frame) {
            return output;
        }
        let mut rest = options.rest;
        if wrapper.assignments {
            rest = after_assignments(wrapper, &mut call, rest);
        }
        rest += wrapper.positionals;
        if wrapper.positionals > 0 && rest < call.fields.len() {
            // Some take options again after their operand, and all take `--` there.
            let Some(again) = wrappers::options(wrapper, &call.fields[rest - 1..]) else {
                self.emit(InvocationKind::Command, Some(name.to_owned()), &call, frame);
                self.unresolved("an option of a wrapper is not known, so what it runs is not", frame);
                return None;
            };
            rest += again.rest - 1;
        }
        rest += words_of_its_own(name, call.fields.get(rest..).unwrap_or(&[]));
        let has_inner = rest < call.fields.len();
        if wrapper.listed || !has_inner {
            self.emit(InvocationKind::Command, Some(name.to_owned()), &call, frame);
        }
        if !has_inner {
            // Without a command these give their input to a shell.
            return match &frame.input {
                Input::Text(Some(text)) | Input::Pipe(Some(text)) if wrapper.rest == Rest::Text && wrapper.listed => {
                    let field = Field::constant(text, frame.span);
                    self.text_operands(&[field], &call, &frame.within(name))
                }
                _ => None,
            };
        }
        let directory = match name {
            "env" => options.value(&["C", "--chdir"]),
            "sudo" | "sudo-rs" | "run0" => options.value(&["D", "--chdir"]),
            "unshare" | "nsenter" | "bwrap" | "systemd-run" => {
                options.value(&["--wd", "--chdir", "--working-directory"])
            }
            _ => None,
        };
        let before = directory.map(|directory| self.enter_directory(directory.value.clone()));
        let output = self.unwrapped(wrapper, name, &options, rest, call, frame);
        if let Some(before) = before {
            self.environment = before;
        }
        output
    }

    /// What stands inside a wrapper, run.
    fn unwrapped(
        &mut self,
        wrapper: &Wrapper,
        name: &str,
        options: &Options,
        rest: usize,
        call: Call,
        frame: &Frame,
    ) -> Known {
        let inner_frame = frame.within(name);
        let is_text = wrapper.rest == Rest::Text && !(name == "watch" && options.has(&["x", "--exec"]));
        if is_text {
            if !wrapper.listed {
                self.around_nested(&call, frame);
            }
            return self.text_operands(&call.fields[rest..], &call, &inner_frame);
        }
        // Nothing is copied here: wrappers may stand in each other many times.
        let mut inner = call;
        inner.fields.drain(..rest);
        if wrapper.listed {
            inner.redirections.clear();
            inner.assignments.clear();
        }
        if name == "xargs" || name == "gxargs" {
            return self.appended(inner, options, &inner_frame);
        }
        self.invoke(inner, &inner_frame)
    }

    /// Words joined to shell text; unknown words could be any text.
    pub(crate) fn text_operands(&mut self, fields: &[Field], call: &Call, frame: &Frame) -> Known {
        let span = fields.first().map_or(frame.span, |field| field.span);
        match joined_text(fields) {
            Some(text) => {
                let before = self.environment.clone();
                let output = self.nested_text(&text, span, frame);
                self.environment = before;
                output
            }
            None => {
                let name =
                    call.fields.first().and_then(|field| field.value.as_deref()).map(|path| base_name(path).to_owned());
                self.emit(InvocationKind::Command, name, call, frame);
                self.unresolved("the text given to a shell is not known", frame);
                None
            }
        }
    }

    /// Options that change what a wrapper does altogether; none when it just runs the rest.
    fn special_form(&mut self, name: &str, options: &Options, call: &mut Call, frame: &Frame) -> Option<Known> {
        let alone = |lowering: &mut Self, call: &Call| {
            lowering.emit(InvocationKind::Command, Some(name.to_owned()), call, frame);
            Some(None)
        };
        match name {
            "command" if options.has(&["v", "V"]) => alone(self, call),
            "sudo" | "sudo-rs"
                if options.has(&["e", "--edit", "l", "--list", "v", "--validate", "V", "K", "--remove-timestamp"]) =>
            {
                alone(self, call)
            }
            "sudo" | "sudo-rs" | "doas" if options.has(&["i", "s", "--login", "--shell"]) => {
                let rest = options.rest;
                if rest >= call.fields.len() {
                    return alone(self, call);
                }
                self.around_nested(call, frame);
                let fields = call.fields[rest..].to_vec();
                Some(self.text_operands(&fields, call, &frame.within(name)))
            }
            "env" if options.has(&["S", "--split-string"]) => Some(self.split_string(options, call, frame)),
            "ionice" | "chrt" | "taskset" | "prlimit" | "cpulimit" if options.has(&["p", "P", "--pid", "--pgid"]) => {
                alone(self, call)
            }
            "flock" | "runuser" | "script" if options.has(&["c", "--command"]) => {
                let text = options.value(&["c", "--command"]).cloned();
                Some(self.option_text(name, text, call, frame))
            }
            "flock" | "sg"
                if call
                    .fields
                    .get(options.rest + 1)
                    .is_some_and(|field| matches!(field.value.as_deref(), Some("-c" | "--command"))) =>
            {
                let text = call.fields.get(options.rest + 2).cloned();
                Some(self.option_text(name, text, call, frame))
            }
            "script" => alone(self, call),
            "npx" | "bunx" | "pnpx" if options.has(&["c", "--call"]) => {
                let text = options.value(&["c", "--call"]).cloned();
                Some(self.option_text(name, text, call, frame))
            }
            "runuser" if !options.has(&["u", "--user"]) => alone(self, call),
            _ => None,
        }
    }

    /// `coreutils --coreutils-prog=NAME WORD…`
    fn multi_call(&mut self, call: &mut Call, frame: &Frame) -> Known {
        let program = call.fields.get(1).and_then(|field| field.value.as_deref());
        let program = program.and_then(|value| value.strip_prefix("--coreutils-prog=")).map(str::to_owned);
        let mut inner = rest_of(call, 1.min(call.fields.len() - 1));
        if let (Some(program), Some(first)) = (program, inner.fields.first_mut()) {
            *first = Field { value: Some(program), ..first.clone() };
        }
        self.invoke(inner, &frame.within("coreutils"))
    }

    fn option_text(&mut self, name: &str, text: Option<Field>, call: &Call, frame: &Frame) -> Known {
        if name == "runuser" {
            self.emit(InvocationKind::Command, Some(name.to_owned()), call, frame);
        } else {
            self.around_nested(call, frame);
        }
        match text {
            Some(field) => self.text_operands(std::slice::from_ref(&field), call, &frame.within(name)),
            None => None,
        }
    }

    /// `env -S 'words'`: the text is split into words in front of the rest.
    fn split_string(&mut self, options: &Options, call: &Call, frame: &Frame) -> Known {
        let text = options.value(&["S", "--split-string"]).and_then(|field| field.value.clone());
        let rest = joined_text(&call.fields[options.rest..]);
        let (Some(text), Some(rest)) = (text, rest) else {
            self.emit(InvocationKind::Command, Some("env".to_owned()), call, frame);
            self.unresolved("the words given to `env -S` are not known", frame);
            return None;
        };
        self.around_nested(call, frame);
        // The quoting rules of `env -S` are close to a shell's; reading it as one can only find more.
        self.nested_text(&format!("{text} {rest}"), frame.span, &frame.within("env"))
    }

    /// `xargs`: the program with the words it reads, where they are constant.
    fn appended(&mut self, inner: Call, options: &Options, frame: &Frame) -> Known {
        let from_file = options.has(&["a", "--arg-file"]);
        let input = match &frame.input {
            Input::Text(text) | Input::Pipe(text) if !from_file => text.clone(),
            _ => None,
        };
        let replaced = options.has(&["I", "i", "--replace"]);
        let marker = options
            .value(&["I", "i", "--replace"])
            .and_then(|field| field.value.clone())
            .unwrap_or_else(|| "{}".to_owned());
        let words = input.map(|text| input_words(&text, options, replaced)).filter(|words| words.len() <= MAX_APPENDED);
        let span = frame.span;
        let inner_frame = Frame { input: Input::File, ..frame.clone() };
        if replaced {
            let values: Vec<Field> = match words {
                Some(words) => words.iter().map(|word| Field::constant(word, span)).collect(),
                None => vec![Field::unknown(&marker, span)],
            };
            for value in values {
                let call =
                    Call { fields: substitute(&inner.fields, &marker, std::slice::from_ref(&value)), ..inner.clone() };
                self.invoke(call, &inner_frame);
            }
            return None;
        }
        let mut call = inner;
        match words {
            Some(words) => call.fields.extend(words.iter().map(|word| Field::constant(word, span))),
            None => call.fields.push(Field::unknown("…", span)),
        }
        self.invoke(call, &inner_frame)
    }
}

pub(crate) fn rest_of(call: &Call, start: usize) -> Call {
    Call {
        fields: call.fields[start..].to_vec(),
        assignments: call.assignments.clone(),
        redirections: call.redirections.clone(),
    }
}

/// Programs that show or search the words they are given.
const SHOWS_ITS_WORDS: &[&str] = &[
    "echo", "printf", "grep", "egrep", "fgrep", "rg", "ag", "ack", "git", "jq", "test", "[", "which", "type", "man",
    "logger", "expr", "whereis", "whatis", "apropos", "pgrep", "pkill", "ps", "ls", "cat", "basename", "dirname",
    "awk", "sed", "say",
];

/// Index of `sh` where an unlisted program's words hold `sh -c TEXT`.
fn shell_within(name: &str, fields: &[Field]) -> Option<usize> {
    if SHOWS_ITS_WORDS.contains(&name) {
        return None;
    }
    let word = |index: usize| fields.get(index).and_then(|field| field.value.as_deref());
    (1..fields.len().saturating_sub(2).min(MAX_APPENDED)).find(|index| {
        word(*index).is_some_and(|path| shells::is_shell(base_name(path)))
            && word(*index + 1)
                .is_some_and(|option| option.starts_with('-') && !option.starts_with("--") && option.contains('c'))
    })
}

/// Words a few wrappers take between their options and the program.
fn words_of_its_own(name: &str, rest: &[Field]) -> usize {
    let first = rest.first().and_then(|field| field.value.as_deref()).unwrap_or("");
    let own = match name {
        "env" => first == "-",
        "setarch" => {
            first.contains("86")
                || ["arm", "aarch", "ppc", "s390", "uname", "linux"].iter().any(|start| first.starts_with(start))
        }
        _ => false,
    };
    usize::from(own)
}

/// Past assignments and, since `sudo` takes options after them too, past those.
fn after_assignments(wrapper: &Wrapper, call: &mut Call, start: usize) -> usize {
    let mut rest = start;
    loop {
        let taken = take_assignments(call, rest);
        rest += taken;
        let more = taken > 0
            && call
                .fields
                .get(rest)
                .is_some_and(|field| field.value.as_deref().is_some_and(|value| value.starts_with('-')));
        match more.then(|| wrappers::options(wrapper, &call.fields[rest - 1..])).flatten() {
            Some(again) => rest += again.rest - 1,
            None => return rest,
        }
    }
}

/// Moves `NAME=value` words from `start` to the assignments; gives their number.
fn take_assignments(call: &mut Call, start: usize) -> usize {
    let mut count = 0;
    while let Some(field) = call.fields.get(start + count) {
        let name_and_value = match &field.value {
            Some(value) => value.split_once('=').map(|(name, value)| (name.to_owned(), Some(value.to_owned()))),
            None => field.text.split_once('=').map(|(name, _)| (name.to_owned(), None)),
        };
        let Some((name, value)) = name_and_value.filter(|(name, _)| is_name(name)) else { break };
        call.assignments.push(Assignment { name, value, span: field.span });
        count += 1;
    }
    count
}

/// The fields with each `marker` replaced: a word of its own becomes all of `values`, inside a
/// longer word the text is replaced or, when not known, the word becomes unknown.
pub(crate) fn substitute(fields: &[Field], marker: &str, values: &[Field]) -> Vec<Field> {
    let mut result = Vec::new();
    for field in fields {
        match field.value.as_deref() {
            Some(value) if value == marker => result.extend(values.iter().cloned()),
            Some(value) if value.contains(marker) => match values {
                [Field { value: Some(text), .. }] => {
                    result.push(Field { value: Some(value.replace(marker, text)), ..field.clone() });
                }
                _ => result.push(Field { value: None, glob: false, ..field.clone() }),
            },
            _ => result.push(field.clone()),
        }
    }
    result
}

fn input_words(text: &str, options: &Options, lines: bool) -> Vec<String> {
    let delimiter = options.value(&["d", "--delimiter"]).and_then(|field| field.value.clone());
    let delimiter = delimiter
        .and_then(|text| crate::escape::decode(&text, crate::escape::Dialect::Format))
        .and_then(|text| text.chars().next());
    let split: Vec<String> = match delimiter {
        Some(delimiter) => text.trim_end_matches('\n').split(delimiter).map(str::to_owned).collect(),
        None if lines => text.lines().map(|line| line.trim_start().to_owned()).collect(),
        None => text.split_whitespace().map(|word| word.replace(['\'', '"', '\\'], "")).collect(),
    };
    split.into_iter().filter(|word| !word.is_empty()).collect()
}

pub(crate) fn base_name(path: &str) -> &str {
    match path.rsplit('/').next() {
        Some(name) if !name.is_empty() => name,
        _ => path,
    }
}
