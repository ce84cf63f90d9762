//! Walks the tree as the shell would and writes down everything that could run.
//!
//! Every branch is taken, loops are entered, functions are followed at their definition and at
//! each call. A command's output is tracked where it is constant, because it may be run next.
//! Work is bounded by [`MAX_STEPS`], [`MAX_LEVEL`], [`crate::MAX_INVOCATIONS`] and [`crate::MAX_WORDS`]; past them the plan says
//! so and nothing more is added.

use std::collections::HashMap;
use std::rc::Rc;

use crate::environment::{Environment, Known, Value};
use crate::expand::Field;
use crate::pattern::Work;
use crate::plan::{
    Assignment, Invocation, InvocationKind, Plan, Redirection, Span, StandardInput, Unknown, UnknownKind,
};
use crate::syntax::{Command, CommandKind, Connector, Item, Pipeline, RawAssignment, RawRedirection, RawWord, Script};
use crate::words::Parser;
use crate::{MAX_INVOCATIONS, MAX_WORDS, REDIRECTION_WORDS, WHAT_LIMIT};

/// Commands looked at in one line, repetitions of loops and functions included.
const MAX_STEPS: usize = 20_000;
/// Depth of the walk over tree, nested texts and calls together; a bound on the native stack.
const MAX_LEVEL: u32 = 96;
/// Bytes of output that are followed.
const MAX_OUTPUT_BYTES: usize = 32 * 1024;
/// Words of a `for` that are tried one by one.
const MAX_ITERATIONS: usize = 32;
/// Once a plan is this long, what is left of a loop is walked once with an unknown variable.
const ITERATION_INVOCATIONS: usize = MAX_INVOCATIONS / 2;

/// Where standard input comes from.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    Inherited,
    Pipe(Known),
    File,
    Text(Known),
}

/// What surrounds the command being looked at.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) input: Input,
    pub(crate) stage: u16,
    pub(crate) stages: u16,
    pub(crate) background: bool,
    pub(crate) in_loop: bool,
    pub(crate) depth: u8,
    pub(crate) wrappers: Rc<Vec<String>>,
    /// How many of the wrappers stand outside the text this command is part of.
    pub(crate) outside: usize,
    pub(crate) span: Span,
}

impl Frame {
    fn outermost() -> Self {
        Self {
            input: Input::Inherited,
            stage: 0,
            stages: 1,
            background: false,
            in_loop: false,
            depth: 0,
            wrappers: Rc::default(),
            outside: 0,
            span: Span::default(),
        }
    }

    /// The same place, one more wrapper inside.
    pub(crate) fn within(&self, wrapper: &str) -> Self {
        let mut inner = self.clone();
        Rc::make_mut(&mut inner.wrappers).push(wrapper.to_owned());
        inner
    }

    pub(crate) fn deeper(&self) -> Self {
        Self { depth: self.depth.saturating_add(1), ..self.clone() }
    }
}

/// A command after expansion.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) fields: Vec<Field>,
    pub(crate) assignments: Vec<Assignment>,
    pub(crate) redirections: Vec<Redirection>,
}

impl Call {
    /// How much it is, as [`MAX_WORDS`] counts it.
    pub(crate) fn words(&self) -> usize {
        self.fields.len() + self.assignments.len() + self.redirections.len() * REDIRECTION_WORDS
    }
}

pub(crate) struct Lowering {
    pub(crate) plan: Plan,
    pub(crate) environment: Environment,
    pub(crate) functions: HashMap<String, Rc<Command>>,
    /// Functions being followed, innermost last.
    pub(crate) calls: Vec<String>,
    /// Where the `cd`s of the plan lead when read one after the other; none when they do not tell.
    pub(crate) announced: Option<Known>,
    level: u32,
    steps: usize,
    /// What the plan holds, as [`MAX_WORDS`] counts it.
    words: usize,
    pub(crate) pattern_work: Work,
    stopped: bool,
}

/// Lowers the whole line onto `plan`.
pub(crate) fn line(text: &str, plan: Plan) -> Plan {
    let mut lowering = Lowering {
        plan,
        environment: Environment::interactive(),
        functions: HashMap::new(),
        calls: Vec::new(),
        announced: Some(None),
        level: 0,
        steps: 0,
        words: 0,
        pattern_work: Work::new(),
        stopped: false,
    };
    let frame = Frame::outermost();
    if text.trim_start().starts_with('^') {
        lowering.unresolved("history expansion: an earlier command would be changed and run", &frame);
    }
    let mut parser = Parser::new(text, 0, None, true);
    let result = parser.whole_script();
    lowering.plan.unknowns.append(&mut parser.unknowns);
    match result {
        Ok(script) => {
            lowering.script(&script, &frame);
        }
        Err(error) => {
            let span = Span { start: error.at.min(text.len()), end: text.len() };
            lowering.plan.unknowns.push(Unknown { kind: error.kind, what: error.what, span });
        }
    }
    lowering.plan
}

impl Lowering {
    pub(crate) fn unknown(&mut self, kind: UnknownKind, what: impl Into<String>, span: Span) {
        let unknown = Unknown { kind, what: what.into(), span };
        if !self.plan.unknowns.contains(&unknown) && self.plan.unknowns.len() < MAX_INVOCATIONS {
            self.plan.unknowns.push(unknown);
        }
    }

    pub(crate) fn unresolved(&mut self, what: &str, frame: &Frame) {
        self.unknown(UnknownKind::Unresolved, what, frame.span);
    }

    pub(crate) fn stop(&mut self, what: &str, frame: &Frame) {
        if !self.stopped {
            self.stopped = true;
            self.unknown(UnknownKind::Refused, format!("{WHAT_LIMIT}: {what}"), frame.span);
        }
    }

    /// Runs `inner` one level deeper unless a limit is reached; every recursion of the walk passes here.
    pub(crate) fn bounded(&mut self, frame: &Frame, inner: impl FnOnce(&mut Self) -> Known) -> Known {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            self.stop("the line repeats too much to be followed", frame);
        }
        if self.level >= MAX_LEVEL {
            self.stop("nested too deep to be followed", frame);
        }
        if self.stopped {
            return None;
        }
        self.level += 1;
        let output = inner(self);
        self.level -= 1;
        output
    }

    pub(crate) fn script(&mut self, script: &Script, frame: &Frame) -> Known {
        let mut output = Some(String::new());
        for item in script {
            let next = self.item(item, frame);
            output = joined(output, next);
        }
        output
    }

    fn item(&mut self, item: &Item, frame: &Frame) -> Known {
        if !item.background {
            return self.chain(&item.chain, frame);
        }
        let before = self.environment.clone();
        let inner = Frame { background: true, ..frame.clone() };
        let output = self.chain(&item.chain, &inner);
        self.environment = before;
        output
    }

    fn chain(&mut self, chain: &[(Connector, Pipeline)], frame: &Frame) -> Known {
        let mut output = Some(String::new());
        let mut if_skipped: Option<Environment> = None;
        let mut before_last = self.environment.clone();
        for (index, (connector, pipeline)) in chain.iter().enumerate() {
            if index > 0 {
                if *connector == Connector::Or {
                    if let Some(before) = if_skipped.take() {
                        self.environment.merge(&before);
                    }
                    // What stands before failed, and may have done nothing at all.
                    self.environment.merge_directory(&before_last);
                }
                if_skipped.get_or_insert_with(|| self.environment.clone());
            }
            before_last = self.environment.clone();
            let next = self.pipeline(pipeline, frame);
            // Which side of `||` speaks is not known, unless one of them is silent.
            let either_silent = output.as_deref() == Some("") || next.as_deref() == Some("");
            output =
                if index > 0 && *connector == Connector::Or && !either_silent { None } else { joined(output, next) };
        }
        if let Some(before) = if_skipped {
            self.environment.merge(&before);
        }
        output
    }

    fn pipeline(&mut self, pipeline: &Pipeline, frame: &Frame) -> Known {
        let [command] = pipeline.commands.as_slice() else {
            let before = self.environment.clone();
            let mut output = Some(String::new());
            let stages = u16::try_from(pipeline.commands.len()).unwrap_or(u16::MAX);
            for (stage, command) in (0u16..).zip(&pipeline.commands) {
                self.environment = before.clone();
                let input = if stage == 0 { frame.input.clone() } else { Input::Pipe(output.take()) };
                let inner = Frame { input, stage, stages, ..frame.clone() };
                output = self.command(command, &inner);
            }
            self.environment = before;
            return output;
        };
        self.command(command, frame)
    }

    pub(crate) fn command(&mut self, command: &Command, frame: &Frame) -> Known {
        let frame = Frame { span: command.span, ..frame.clone() };
        self.bounded(&frame.clone(), |lowering| match &command.kind {
            CommandKind::Simple { assignments, words } => {
                lowering.simple(assignments, words, &command.redirections, &frame)
            }
            _ => lowering.compound(command, frame),
        })
    }

    fn compound(&mut self, command: &Command, mut frame: Frame) -> Known {
        let redirections = self.redirections(&command.redirections, &mut frame);
        let silenced = writes_elsewhere(&redirections);
        if !redirections.is_empty() {
            let call = Call { fields: Vec::new(), assignments: Vec::new(), redirections };
            self.emit(InvocationKind::Redirection, None, &call, &frame);
        }
        let output = self.compound_body(command, &frame);
        if silenced { Some(String::new()) } else { output }
    }

    fn compound_body(&mut self, command: &Command, frame: &Frame) -> Known {
        match &command.kind {
            CommandKind::Simple { .. } => None,
            CommandKind::Group(script) => self.script(script, frame),
            CommandKind::Subshell(script) => {
                let before = self.environment.clone();
                let output = self.script(script, frame);
                self.environment = before;
                output
            }
            CommandKind::If { branches, otherwise } => self.if_command(branches, otherwise.as_ref(), frame),
            CommandKind::Loop { until, condition, body } => self.loop_command(*until, condition, body, frame),
            CommandKind::For { name, words, body, asks } => {
                if *asks {
                    let call = Call {
                        fields: vec![Field::constant("select", frame.span)],
                        assignments: Vec::new(),
                        redirections: Vec::new(),
                    };
                    self.emit(InvocationKind::Command, Some("select".to_owned()), &call, frame);
                }
                self.for_command(name, words.as_deref(), body, frame)
            }
            CommandKind::ArithmeticFor { parts, endless, body } => {
                let header = self.plain_text(parts, frame);
                self.arithmetic_effects(header, frame);
                self.repeated(body, &loop_frame(frame, *endless));
                None
            }
            CommandKind::Case { word, arms } => self.case_command(word, arms, frame),
            CommandKind::Function { name, body } => self.function_definition(name, body, frame),
            CommandKind::Test(words) => {
                for word in words {
                    for field in self.fields(word, frame) {
                        self.check_subscript(field.value.as_deref().unwrap_or(""), frame);
                    }
                }
                Some(String::new())
            }
            CommandKind::Arithmetic(parts) => {
                let text = self.plain_text(parts, frame);
                self.arithmetic_effects(text, frame);
                Some(String::new())
            }
            CommandKind::Coprocess(inner) => {
                let before = self.environment.clone();
                let background = Frame { background: true, ..frame.clone() };
                self.command(inner, &background);
                self.environment = before;
                Some(String::new())
            }
        }
    }

    fn if_command(&mut self, branches: &[(Script, Script)], otherwise: Option<&Script>, frame: &Frame) -> Known {
        let mut after: Option<Environment> = None;
        for (condition, body) in branches {
            self.script(condition, frame);
            let tested = self.environment.clone();
            self.script(body, frame);
            self.join(&mut after);
            self.environment = tested;
        }
        if let Some(script) = otherwise {
            self.script(script, frame);
        }
        self.join(&mut after);
        None
    }

    /// Merges the present environment into `after` and goes on with the result.
    fn join(&mut self, after: &mut Option<Environment>) {
        if let Some(other) = after {
            self.environment.merge(other);
        }
        *after = Some(self.environment.clone());
    }

    fn loop_command(&mut self, until: bool, condition: &Script, body: &Script, frame: &Frame) -> Known {
        let inner = loop_frame(frame, never_ends(until, condition));
        let before = self.environment.clone();
        self.script(condition, &inner);
        self.script(body, &inner);
        if self.changed_since(&before) {
            self.environment.merge(&before);
            self.script(condition, &inner);
            self.script(body, &inner);
            self.environment.merge(&before);
        }
        None
    }

    /// Walks `body` as often as it takes for variables it changes to count as unknown.
    fn repeated(&mut self, body: &Script, frame: &Frame) {
        let before = self.environment.clone();
        self.script(body, frame);
        if self.changed_since(&before) {
            self.environment.merge(&before);
            self.script(body, frame);
            self.environment.merge(&before);
        }
    }

    fn changed_since(&self, before: &Environment) -> bool {
        let mut copy = self.environment.clone();
        copy.merge(before);
        copy.differs(&self.environment)
    }

    fn for_command(&mut self, name: &str, words: Option<&[RawWord]>, body: &Script, frame: &Frame) -> Known {
        let inner = loop_frame(frame, false);
        let mut values: Vec<Value> = Vec::new();
        let mut certain = words.is_some();
        for field in words.unwrap_or(&[]).iter().flat_map(|word| self.fields(word, frame)).collect::<Vec<_>>() {
            if let (Some(pattern), true) = (&field.value, field.glob) {
                values.push(Value::Pattern(pattern.clone()));
                continue;
            }
            certain &= field.value.is_some();
            values.extend(field.value.or(field.guess).map(|value| Value::Scalar(Some(value))));
        }
        if words.is_none()
            && let Some(positional) = self.environment.positional.clone()
        {
            certain = true;
            values.extend(positional.iter().skip(1).map(|value| Value::Scalar(value.clone())));
        }
        if values.len() > MAX_ITERATIONS || self.plan.invocations.len() > ITERATION_INVOCATIONS {
            values.clear();
            certain = false;
        }
        if !certain {
            values.push(Value::Scalar(None));
        }
        certain &= values.iter().all(|value| matches!(value, Value::Scalar(_)));
        let before = self.environment.clone();
        let mut output = Some(String::new());
        for value in values {
            let is_long = self.plan.invocations.len() > ITERATION_INVOCATIONS;
            self.environment.set(name, if is_long { Value::Scalar(None) } else { value });
            let next = self.script(body, &inner);
            output = joined(output, next);
            if is_long {
                certain = false;
                break;
            }
        }
        self.environment.merge(&before);
        if certain { output } else { None }
    }

    fn case_command(&mut self, word: &RawWord, arms: &[(Vec<RawWord>, Script)], frame: &Frame) -> Known {
        let _ = self.fields(word, frame);
        let mut after = Some(self.environment.clone());
        for (patterns, script) in arms {
            let before = self.environment.clone();
            for pattern in patterns {
                let _ = self.fields(pattern, frame);
            }
            self.script(script, frame);
            self.join(&mut after);
            self.environment = before;
        }
        if let Some(after) = after {
            self.environment = after;
        }
        None
    }

    fn function_definition(&mut self, name: &str, body: &Rc<Command>, frame: &Frame) -> Known {
        let call = Call { fields: Vec::new(), assignments: Vec::new(), redirections: Vec::new() };
        self.emit(InvocationKind::FunctionDefinition, Some(name.to_owned()), &call, frame);
        self.functions.insert(name.to_owned(), Rc::clone(body));
        let before = self.environment.clone();
        self.environment.positional = Some(Rc::new(vec![None; 10]));
        self.calls.push(name.to_owned());
        // Where it will be called, and with what input, is not known here.
        self.command(body, &Frame { input: Input::Pipe(None), ..frame.deeper() });
        self.calls.pop();
        self.environment = before;
        Some(String::new())
    }

    fn simple(
        &mut self,
        assignments: &[RawAssignment],
        words: &[RawWord],
        redirections: &[RawRedirection],
        frame: &Frame,
    ) -> Known {
        let mut frame = frame.clone();
        let mut values = Vec::new();
        for assignment in assignments {
            let value = self.assigned_value(assignment, &frame);
            match (&value, assignment.append) {
                (Value::Scalar(Some(added)), true) => {
                    let whole = self.environment.scalar(&assignment.name).unwrap_or_else(|| ":".to_owned()) + added;
                    self.prompt_text(&assignment.name, &Value::Scalar(Some(whole)), &frame);
                }
                _ => self.prompt_text(&assignment.name, &value, &frame),
            }
            values.push(value);
            if words.is_empty() {
                self.assign(assignment, values.last().cloned().unwrap_or(Value::Scalar(None)));
            }
        }
        let fields: Vec<Field> = words.iter().flat_map(|word| self.fields(word, &frame)).collect();
        let arrays: Vec<(RawAssignment, Value)> =
            words.iter().filter_map(|word| self.array_operand(word, &frame)).collect();
        let redirections = self.redirections(redirections, &mut frame);
        let silenced = writes_elsewhere(&redirections);
        let plain: Vec<Assignment> =
            assignments.iter().zip(&values).map(|(assignment, value)| plan_assignment(assignment, value)).collect();
        let call = Call { fields, assignments: plain, redirections };
        let output = if call.fields.is_empty() {
            let kind =
                if call.assignments.is_empty() { InvocationKind::Redirection } else { InvocationKind::Assignment };
            if !words.is_empty() {
                self.unresolved("the command may expand to nothing or to anything", &frame);
            }
            self.emit(kind, None, &call, &frame);
            Some(String::new())
        } else {
            self.with_guesses(call, &frame)
        };
        for (assignment, value) in arrays {
            self.assign(&assignment, value);
        }
        if silenced { Some(String::new()) } else { output }
    }

    /// Looks at the call as it is and, where unset variables have a likely value, with that too.
    fn with_guesses(&mut self, call: Call, frame: &Frame) -> Known {
        let guessed = call.fields.iter().any(|field| field.guess.is_some()).then(|| {
            let fields = call.fields.iter().filter_map(guessed_field).collect();
            Call { fields, ..call.clone() }
        });
        let output = self.invoke(call, frame);
        if let Some(guessed) = guessed.filter(|guessed| !guessed.fields.is_empty()) {
            self.invoke(guessed, frame);
            return None;
        }
        output
    }

    /// `declare -a name=( … )`: the elements run their substitutions and are kept.
    fn array_operand(&mut self, word: &RawWord, frame: &Frame) -> Option<(RawAssignment, Value)> {
        word.array.as_ref()?;
        let assignment = crate::grammar::split_assignment(word)?;
        let value = self.assigned_value(&assignment, frame);
        Some((assignment, value))
    }

    fn redirections(&mut self, raw: &[RawRedirection], frame: &mut Frame) -> Vec<Redirection> {
        let mut redirections = Vec::new();
        for redirection in raw {
            let is_input = redirection.descriptor.is_none_or(|descriptor| descriptor == 0);
            let mut target = match &redirection.body {
                Some(_) => Field::constant(&redirection.target.text, redirection.target.span),
                None if redirection.operator == "<<<" => {
                    let value = self.plain_text(&redirection.target.parts, frame);
                    Field { value, ..Field::unknown(&redirection.target.text, redirection.target.span) }
                }
                None => self.single(&redirection.target, frame),
            };
            let input = match redirection.operator {
                "<<" | "<<-" => {
                    let parts = redirection.body.as_ref().and_then(|body| body.get()).cloned().unwrap_or_default();
                    Some(Input::Text(self.plain_text(&parts, frame)))
                }
                "<<<" => {
                    target.glob = false;
                    Some(Input::Text(target.value.clone().map(|text| text + "\n")))
                }
                "<" | "<>" => Some(match &target.process {
                    Some(text) => Input::Text(text.clone()),
                    None => Input::File,
                }),
                "<&" => Some(Input::File),
                _ => None,
            };
            if let Some(input) = input.filter(|_| is_input) {
                frame.input = input;
            }
            redirections.push(Redirection {
                descriptor: redirection.descriptor,
                operator: redirection.operator.to_owned(),
                target: target.word(),
                span: redirection.span,
            });
        }
        redirections
    }

    /// `$( )`: what it prints, without the newlines at the end.
    pub(crate) fn substitution(&mut self, script: &Script, frame: &Frame) -> Known {
        // `$(< file)` reads the file; the redirection alone says so.
        let inner = Frame { input: Input::Inherited, stage: 0, stages: 1, ..frame.deeper() };
        let before = self.environment.clone();
        let output = self.bounded(frame, |lowering| lowering.script(script, &inner));
        self.environment = before;
        let reads_file = script
            .iter()
            .any(|item| item.chain.iter().any(|(_, pipeline)| pipeline.commands.iter().any(only_redirects)));
        let output = if reads_file { None } else { output };
        output.map(|text| text.trim_end_matches('\n').to_owned())
    }

    pub(crate) fn process(&mut self, script: &Script, writes: bool, frame: &Frame) -> Known {
        let input = if writes { Input::Pipe(None) } else { Input::Inherited };
        let inner = Frame { input, stage: 0, stages: 1, ..frame.deeper() };
        let before = self.environment.clone();
        let output = self.bounded(frame, |lowering| lowering.script(script, &inner));
        self.environment = before.clone();
        if !writes {
            return output;
        }
        // Some commands (`tee`) hand on what they read. Whether this one does is not known here, so the script
        // is followed once more with that text, beside what is said of text that nobody knows.
        if let Input::Pipe(text @ Some(_)) | Input::Text(text @ Some(_)) = &frame.input {
            let inner = Frame { input: Input::Pipe(text.clone()), ..inner };
            self.bounded(frame, |lowering| lowering.script(script, &inner));
            self.environment = before;
        }
        None
    }

    pub(crate) fn emit(&mut self, kind: InvocationKind, program: Known, call: &Call, frame: &Frame) {
        if !matches!(program.as_deref(), Some("cd" | "pushd")) {
            self.announce(frame);
        }
        self.push(kind, program, call, frame);
    }

    /// Tells a reader of the plan where relative paths start, when its `cd`s do not.
    pub(crate) fn announce(&mut self, frame: &Frame) {
        if let Some(directory) = self.directory_to_announce() {
            let fields = vec![Field::constant("cd", frame.span), Field { span: frame.span, ..directory }];
            let call = Call { fields, assignments: Vec::new(), redirections: Vec::new() };
            let frame = Frame { input: Input::File, background: false, ..frame.clone() };
            self.push(InvocationKind::Command, Some("cd".to_owned()), &call, &frame);
        }
    }

    fn push(&mut self, kind: InvocationKind, program: Known, call: &Call, frame: &Frame) {
        if self.plan.invocations.len() >= MAX_INVOCATIONS {
            self.stop("more commands than can be followed", frame);
            return;
        }
        self.words += call.words();
        if self.words > MAX_WORDS {
            self.stop("more words than can be followed", frame);
            return;
        }
        self.plan.invocations.push(Invocation {
            kind,
            program,
            argv: call.fields.iter().map(Field::word).collect(),
            wrappers: frame.wrappers.to_vec(),
            assignments: call.assignments.clone(),
            redirections: call.redirections.clone(),
            standard_input: match &frame.input {
                Input::Inherited => StandardInput::Inherited,
                Input::Pipe(None) => StandardInput::Pipe,
                Input::Pipe(text @ Some(_)) | Input::Text(text) => StandardInput::Text(text.clone()),
                Input::File => StandardInput::File,
            },
            stage: frame.stage,
            stages: frame.stages,
            background: frame.background,
            in_loop: frame.in_loop,
            depth: frame.depth,
            span: frame.span,
        });
    }

    /// Shell text found inside a word: judged like the line itself.
    pub(crate) fn nested_text(&mut self, text: &str, span: Span, frame: &Frame) -> Known {
        let inner = Frame { span, outside: frame.wrappers.len(), ..frame.deeper() };
        self.bounded(frame, |lowering| {
            let mut parser = Parser::new(text, u32::from(inner.depth), Some(span), false);
            let result = parser.whole_script();
            lowering.plan.unknowns.append(&mut parser.unknowns);
            match result {
                Ok(script) => lowering.script(&script, &inner),
                // A nested shell stops with an error instead of waiting for more.
                Err(error) => {
                    let kind = if error.kind == UnknownKind::Malformed { UnknownKind::Unresolved } else { error.kind };
                    lowering.unknown(kind, format!("in the nested shell text: {}", error.what), span);
                    None
                }
            }
        })
    }
}

/// Both outputs one after the other.
fn joined(first: Known, second: Known) -> Known {
    let (mut first, second) = (first?, second?);
    if first.len() + second.len() > MAX_OUTPUT_BYTES {
        return None;
    }
    first.push_str(&second);
    Some(first)
}

fn loop_frame(frame: &Frame, endless: bool) -> Frame {
    let mut inner = if endless { frame.within("while true") } else { frame.clone() };
    inner.in_loop = true;
    inner
}

/// A condition that is always met: `true`, `:`, `sleep N`.
fn never_ends(until: bool, condition: &Script) -> bool {
    let Some(Item { chain, .. }) = condition.last() else { return false };
    let [(_, Pipeline { commands })] = chain.as_slice() else { return false };
    let [Command { kind, .. }] = commands.as_slice() else { return false };
    match kind {
        CommandKind::Simple { words, .. } => match words.first().map(|word| word.text.as_str()) {
            Some("true" | ":" | "sleep" | "/bin/true" | "date" | "echo" | "printf" | "uptime" | "clear") => !until,
            Some("false" | "/bin/false") => until,
            Some("[" | "test") => words.len() == if words[0].text == "[" { 3 } else { 2 } && !until,
            _ => false,
        },
        CommandKind::Test(words) => {
            words.len() == 1
                && !until
                && words[0]
                    .parts
                    .iter()
                    .all(|part| matches!(part, crate::syntax::Part::Literal { text, .. } if !text.is_empty()))
        }
        CommandKind::Arithmetic(parts) => match parts.as_slice() {
            [crate::syntax::Part::Literal { text, .. }] => {
                text.trim().parse::<i64>().is_ok_and(|value| (value != 0) != until)
            }
            _ => false,
        },
        _ => false,
    }
}

fn only_redirects(command: &Command) -> bool {
    matches!(&command.kind, CommandKind::Simple { assignments, words } if assignments.is_empty() && words.is_empty())
}

fn writes_elsewhere(redirections: &[Redirection]) -> bool {
    redirections.iter().any(|redirection| {
        redirection.operator.contains('>')
            && redirection.operator != "<>"
            && redirection.descriptor.is_none_or(|descriptor| descriptor == 1)
    })
}

fn guessed_field(field: &Field) -> Option<Field> {
    match &field.guess {
        None => Some(field.clone()),
        Some(guess) if guess.is_empty() => None,
        Some(guess) => Some(Field { value: Some(guess.clone()), guess: None, shape: None, ..field.clone() }),
    }
}

fn plan_assignment(assignment: &RawAssignment, value: &Value) -> Assignment {
    let value = match value {
        Value::Scalar(value) if !assignment.append && !assignment.element => value.clone(),
        _ => None,
    };
    Assignment { name: assignment.name.clone(), value, span: assignment.span }
}
