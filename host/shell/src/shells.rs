//! Programs that read shell text: `sh -c '…'`, `… | bash`, `bash script`, `at`.

use std::rc::Rc;

use crate::environment::{Known, Value};
use crate::expand::Field;
use crate::lower::{Call, Frame, Input, Lowering};
use crate::plan::InvocationKind;

/// Shells whose language is close enough to be read as ours.
const SHELLS: &[&str] = &[
    "sh", "bash", "dash", "ash", "zsh", "ksh", "ksh93", "mksh", "pdksh", "rbash", "rzsh", "fish", "csh", "tcsh", "yash",
];
/// Programs that take shell text on standard input and run it later.
const QUEUES: &[&str] = &["at", "batch"];
/// Long options of these shells that take a value.
const VALUED: &[&str] = &["--rcfile", "--init-file", "--init-command", "--features", "--profile"];

pub(crate) fn is_shell(name: &str) -> bool {
    SHELLS.contains(&name.trim_start_matches('-'))
}

pub(crate) fn is_queue(name: &str) -> bool {
    QUEUES.contains(&name)
}

/// What a shell's words ask it to run.
enum Program<'a> {
    /// `-c TEXT [NAME ARGUMENT…]`
    Text(&'a Field, &'a [Field]),
    Script(&'a Field),
    /// `-s [ARGUMENT…]`
    StandardInput(&'a [Field]),
    /// `--version` and the like.
    Nothing,
    /// A word that may be an option or a script.
    Unclear,
}

impl Lowering {
    pub(crate) fn shell(&mut self, name: &str, call: &Call, frame: &Frame) -> Known {
        match program(&call.fields) {
            Program::Text(text, parameters) => self.shell_text(name, text, parameters, call, frame),
            Program::Script(Field { process: Some(text), .. }) => self.shell_input(name, text.clone(), call, frame),
            Program::Script(script)
                if matches!(script.value.as_deref(), Some("/dev/stdin" | "-" | "/proc/self/fd/0" | "/dev/fd/0")) =>
            {
                self.shell_standard_input(name, &[], call, frame)
            }
            Program::Script(script) => {
                let checks = call.fields[1..].iter().any(|field| field.value.as_deref() == Some("-n"));
                let unknown = script.value.is_none() || (script.glob && !checks);
                self.emit(InvocationKind::Command, Some(name.to_owned()), call, frame);
                if unknown {
                    self.unresolved("the script that is run is not known", frame);
                }
                None
            }
            Program::StandardInput(arguments) => self.shell_standard_input(name, arguments, call, frame),
            Program::Nothing => {
                self.emit(InvocationKind::Command, Some(name.to_owned()), call, frame);
                None
            }
            Program::Unclear => {
                self.emit(InvocationKind::Command, Some(name.to_owned()), call, frame);
                self.unresolved("what the shell is asked to run is not known", frame);
                None
            }
        }
    }

    fn shell_text(&mut self, name: &str, text: &Field, parameters: &[Field], call: &Call, frame: &Frame) -> Known {
        let Some(value) = text.value.clone() else {
            self.emit(InvocationKind::Command, Some(name.to_owned()), call, frame);
            self.unresolved("the text given to the shell is not known", frame);
            return None;
        };
        self.around_nested(call, frame);
        let before = self.environment.clone();
        let all_single = parameters.iter().all(|field| field.value.is_some());
        let values: Vec<Known> = parameters.iter().map(|field| field.value.clone()).collect();
        let unset = if values.is_empty() { vec![None] } else { values };
        self.environment.positional = Some(Rc::new(if all_single { unset } else { vec![None; 10] }));
        self.inherit(call);
        let output = self.nested_text(&value, text.span, &frame.within(&format!("{name} -c")));
        self.environment = before;
        output
    }

    fn shell_standard_input(&mut self, name: &str, arguments: &[Field], call: &Call, frame: &Frame) -> Known {
        match &frame.input {
            Input::Text(text) | Input::Pipe(text) => {
                let before = self.environment.positional.clone();
                if !arguments.is_empty() {
                    let all_single = arguments.iter().all(|field| field.value.is_some());
                    let values = std::iter::once(None).chain(arguments.iter().map(|field| field.value.clone()));
                    self.environment.positional =
                        Some(Rc::new(if all_single { values.collect() } else { vec![None; 10] }));
                }
                let output = self.shell_input(name, text.clone(), call, frame);
                self.environment.positional = before;
                output
            }
            Input::Inherited | Input::File => {
                self.emit(InvocationKind::Command, Some(name.to_owned()), call, frame);
                None
            }
        }
    }

    /// Variables set in front of a nested shell are variables of that shell.
    fn inherit(&mut self, call: &Call) {
        for assignment in &call.assignments {
            self.environment.set(&assignment.name, Value::Scalar(assignment.value.clone()));
        }
    }

    pub(crate) fn shell_input(&mut self, name: &str, text: Known, call: &Call, frame: &Frame) -> Known {
        let Some(text) = text else {
            self.emit(InvocationKind::Command, Some(name.to_owned()), call, frame);
            self.unresolved("the text the shell would read is not known", frame);
            return None;
        };
        self.around_nested(call, frame);
        let before = self.environment.clone();
        self.inherit(call);
        let inner = Frame { input: Input::Inherited, ..frame.within(name) };
        let output = self.nested_text(&text, frame.span, &inner);
        self.environment = before;
        output
    }
}

fn program(fields: &[Field]) -> Program<'_> {
    let mut index = 1;
    let mut takes_text = false;
    let mut takes_input = false;
    while let Some(field) = fields.get(index) {
        let Some(value) = field.value.as_deref() else {
            return if takes_text {
                Program::Text(field, &fields[index + 1..])
            } else if field.process.is_some() {
                Program::Script(field)
            } else {
                Program::Unclear
            };
        };
        match value {
            "--help" | "--version" => return Program::Nothing,
            "--" | "-" => {
                index += 1;
                break;
            }
            "--command" => takes_text = true,
            long if long.starts_with("--command=") => return Program::Unclear,
            long if VALUED.contains(&long) => index += 1,
            long if long.starts_with("--") => {}
            short if short.starts_with(['-', '+']) => {
                takes_text |= short.starts_with('-') && short.contains('c');
                takes_input |= short.starts_with('-') && short.contains('s');
                // `-o NAME` and `-O NAME`, also at the end of a cluster.
                index += usize::from(short.ends_with(['o', 'O']));
            }
            _ => break,
        }
        index += 1;
    }
    match fields.get(index) {
        Some(text) if takes_text => Program::Text(text, &fields[index + 1..]),
        None if takes_text => Program::Unclear,
        Some(_) if takes_input => Program::StandardInput(&fields[index..]),
        Some(script) => Program::Script(script),
        None => Program::StandardInput(&[]),
    }
}
