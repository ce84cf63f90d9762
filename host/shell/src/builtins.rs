//! What assignments and builtins do to the shell's own state, as far as later words depend on it.

use std::rc::Rc;

use crate::environment::{DIRECTORY, DIRECTORY_STACK, Environment, Known, Value};
use crate::expand::Field;
use crate::lower::{Call, Frame, Input, Lowering};
use crate::plan::{InvocationKind, Span};
use crate::syntax::RawAssignment;
use crate::words::{Parser, is_name};

/// Builtins that evaluate subscripts in their arguments, quoted or not.
const EVALUATES_SUBSCRIPTS: &[&str] = &[
    "test",
    "[",
    "let",
    "printf",
    "read",
    "declare",
    "typeset",
    "local",
    "export",
    "readonly",
    "unset",
    "mapfile",
    "readarray",
    "wait",
    "getopts",
];

/// A longer path counts as unknown.
const MAX_DIRECTORY_BYTES: usize = 1024;
/// What may stand around a builtin without another process.
const STAYS_IN_SHELL: &[&str] = &["command", "builtin", "time", "noglob", "nocorrect", "while true"];

/// Elements of one array that are followed.
const MAX_ELEMENTS: usize = 256;

impl Lowering {
    pub(crate) fn assigned_value(&mut self, assignment: &RawAssignment, frame: &Frame) -> Value {
        if let Some(elements) = &assignment.array {
            let mut values = Vec::new();
            self.environment.forget_elements(&assignment.name);
            for element in elements {
                for field in self.fields(element, frame) {
                    if let Some((key, value)) = field.value.as_deref().and_then(named) {
                        self.environment.set_element(&assignment.name, key, value);
                    }
                    place_element(&mut values, field);
                }
            }
            return Value::Array(values);
        }
        let text = self.plain_text(&assignment.value, frame);
        if assignment.element {
            self.check_subscript(text.as_deref().unwrap_or(""), frame);
        }
        Value::Scalar(text)
    }

    pub(crate) fn assign(&mut self, assignment: &RawAssignment, value: Value) {
        if assignment.element {
            let value = self.with_element(&assignment.name, &value);
            self.environment.set(&assignment.name, value);
            return;
        }
        let value = match (assignment.append, self.environment.get(&assignment.name), value) {
            (false, _, value) => value,
            (true, Some(Value::Array(old)), Value::Array(new)) => {
                Value::Array(old.iter().cloned().chain(new).collect())
            }
            (true, Some(Value::Scalar(Some(old))), Value::Scalar(Some(new))) => {
                Value::Scalar(Some(format!("{old}{new}")))
            }
            (true, None, Value::Array(_)) | (true, ..) => Value::Scalar(None),
        };
        self.environment.set(&assignment.name, value);
    }

    /// The array `name` after `name[index]=value`, given as the text `[index]=value`.
    fn with_element(&mut self, name: &str, assigned: &Value) -> Value {
        let mut elements = match self.environment.get(name) {
            Some(Value::Array(elements)) => elements.clone(),
            Some(Value::Scalar(first)) => vec![first.clone()],
            Some(Value::Pattern(_)) => vec![None],
            None => Vec::new(),
        };
        let Value::Scalar(Some(text)) = assigned else {
            self.environment.forget_elements(name);
            return Value::Scalar(None);
        };
        if let Some((key, value)) = named(text) {
            self.environment.set_element(name, key, value);
        }
        let Some((index, value)) = indexed(text) else { return Value::Scalar(None) };
        if elements.len() <= index {
            elements.resize(index + 1, None);
        }
        elements[index] = Some(value);
        Value::Array(elements)
    }

    /// Prompts and hooks hold shell text that runs at the next prompt.
    pub(crate) fn prompt_text(&mut self, name: &str, value: &Value, frame: &Frame) {
        let text = match value {
            Value::Scalar(Some(text)) => text.clone(),
            Value::Array(elements) => elements.iter().flatten().cloned().collect::<Vec<_>>().join("\n"),
            Value::Scalar(None) | Value::Pattern(_) => return,
        };
        let text = text.as_str();
        match name {
            "PROMPT_COMMAND" => {
                self.nested_text(text, frame.span, &frame.within(name));
            }
            "PS0" | "PS1" | "PS2" | "PS4" => {
                let inner = frame.within(name).deeper();
                let mut parser = Parser::new(text, u32::from(inner.depth), Some(frame.span), false);
                match parser.here_document() {
                    Ok(parts) => {
                        let _ = self.plain_text(&parts, &inner);
                    }
                    Err(error) => self.unresolved(&error.what, frame),
                }
            }
            _ => {}
        }
    }

    /// `a[$(…)]` where the shell evaluates the subscript even though it was quoted.
    pub(crate) fn check_subscript(&mut self, text: &str, frame: &Frame) {
        if let Some(open) = text.find('[')
            && (text[open..].contains("$(") || text[open..].contains('`'))
        {
            self.unresolved("a substitution inside a subscript", frame);
        }
    }

    /// `(( … ))`, `let`: variables named in an expression that assigns are unknown afterwards.
    pub(crate) fn arithmetic_effects(&mut self, text: Known, frame: &Frame) {
        let Some(text) = text else { return };
        self.check_subscript(&text, frame);
        if !(text.contains('=') || text.contains("++") || text.contains("--")) {
            return;
        }
        for name in text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_') {
            if is_name(name) {
                self.environment.forget(name);
            }
        }
    }

    /// Follows a builtin of the shell; none when `name` is not one that needs following.
    pub(crate) fn builtin(&mut self, name: &str, call: &Call, frame: &Frame) -> Option<Known> {
        if EVALUATES_SUBSCRIPTS.contains(&name) {
            for field in &call.fields[1..] {
                self.check_subscript(field.value.as_deref().unwrap_or(""), frame);
            }
        }
        match name {
            "eval" => return Some(self.eval(call, frame)),
            "trap" => self.trap(call, frame),
            "." | "source" => return Some(self.source(call, frame)),
            "set" => self.set_positional(&call.fields[1..]),
            "shift" => self.shift(call),
            "export" | "declare" | "typeset" | "local" | "readonly" => self.declare(call, frame),
            "mapfile" | "readarray" => {
                self.calls_back(name, call, frame);
                self.forget_operands(&call.fields[1..]);
            }
            "read" | "getopts" | "unset" => self.forget_operands(&call.fields[1..]),
            "let" => {
                for field in &call.fields[1..] {
                    self.arithmetic_effects(field.value.clone(), frame);
                }
            }
            "printf" => {
                if call.fields.get(1).and_then(|field| field.value.as_deref()) == Some("-v") {
                    let output = crate::decode::printf(&call.fields[3.min(call.fields.len())..]);
                    if let Some(Field { value: Some(name), .. }) = call.fields.get(2) {
                        self.environment.set(name, Value::Scalar(output));
                    }
                    self.emit(InvocationKind::Command, Some(name.to_owned()), call, frame);
                    return Some(Some(String::new()));
                }
                return None;
            }
            "alias" | "bind" | "complete" | "compgen" => {
                self.calls_back(name, call, frame);
                return None;
            }
            "cd" | "pushd" | "popd" => self.change_directory(name, call, frame),
            _ => return None,
        }
        self.emit(InvocationKind::Command, Some(name.to_owned()), call, frame);
        let prints =
            matches!(name, "trap" | "set" | "export" | "declare" | "typeset" | "readonly") && call.fields.len() < 3;
        Some((!prints).then(String::new))
    }

    /// Shell text that an alias, a key or a completion will run later.
    fn calls_back(&mut self, name: &str, call: &Call, frame: &Frame) {
        let mut before = "";
        for field in &call.fields[1..] {
            let Some(value) = field.value.as_deref() else { continue };
            let text = match name {
                "alias" => value.split_once('=').map(|(_, text)| text),
                "bind" if before == "-x" => value.split_once("\":").map(|(_, text)| text),
                "complete" | "compgen" | "mapfile" | "readarray" if before == "-C" => Some(value),
                _ => None,
            };
            if let Some(text) = text.filter(|text| !text.trim().is_empty()) {
                let text = text.trim();
                let text = match text.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')) {
                    Some(inner) if name == "bind" => inner.to_owned(),
                    _ => text.to_owned(),
                };
                self.nested_text(&text, field.span, &frame.within(name));
            }
            before = value;
        }
    }

    fn eval(&mut self, call: &Call, frame: &Frame) -> Known {
        let operands = &call.fields[1..];
        let operands = if operands.first().is_some_and(|field| field.value.as_deref() == Some("--")) {
            &operands[1..]
        } else {
            operands
        };
        self.around_nested(call, frame);
        match joined_text(operands) {
            Some(text) => self.nested_text(&text, frame.span, &frame.within("eval")),
            None => {
                self.emit(InvocationKind::Command, Some("eval".to_owned()), call, frame);
                self.unresolved("the text given to `eval` is not known", frame);
                None
            }
        }
    }

    /// Assignments and redirections of a call whose inside is listed instead of itself.
    pub(crate) fn around_nested(&mut self, call: &Call, frame: &Frame) {
        if call.assignments.is_empty() && call.redirections.is_empty() {
            return;
        }
        let kind = if call.assignments.is_empty() { InvocationKind::Redirection } else { InvocationKind::Assignment };
        let bare =
            Call { fields: Vec::new(), assignments: call.assignments.clone(), redirections: call.redirections.clone() };
        self.emit(kind, None, &bare, frame);
    }

    fn trap(&mut self, call: &Call, frame: &Frame) {
        let operands: Vec<&Field> = call.fields[1..]
            .iter()
            .skip_while(|field| field.value.as_deref().is_some_and(|value| value == "--"))
            .collect();
        let [action, _, ..] = operands.as_slice() else { return };
        match action.value.as_deref() {
            Some(text) if text.starts_with('-') => {}
            Some(text) => {
                let text = text.to_owned();
                self.nested_text(&text, action.span, &frame.within("trap"));
            }
            None => self.unresolved("the text given to `trap` is not known", frame),
        }
    }

    fn source(&mut self, call: &Call, frame: &Frame) -> Known {
        let text = match call.fields.get(1) {
            Some(Field { process: Some(text), .. }) => Some(text.clone()),
            Some(Field { value: Some(path), .. }) if path == "/dev/stdin" || path == "/proc/self/fd/0" => {
                match &frame.input {
                    Input::Pipe(text) | Input::Text(text) => Some(text.clone()),
                    _ => None,
                }
            }
            _ => None,
        };
        if let Some(Some(text)) = text {
            self.around_nested(call, frame);
            return self.nested_text(&text, frame.span, &frame.within("source"));
        }
        self.emit(InvocationKind::Command, Some("source".to_owned()), call, frame);
        if call.fields.get(1).is_none_or(|field| field.value.is_none()) {
            self.unresolved("the script that is read is not known", frame);
        }
        None
    }

    fn set_positional(&mut self, operands: &[Field]) {
        let mut index = 0;
        while let Some(field) = operands.get(index) {
            match field.value.as_deref() {
                Some("--") => {
                    index += 1;
                    break;
                }
                Some("-o" | "+o") => index += 2,
                Some(option) if option.starts_with(['-', '+']) => index += 1,
                _ => break,
            }
        }
        if index >= operands.len() && operands.last().is_none_or(|field| field.value.as_deref() != Some("--")) {
            return;
        }
        let mut values: Vec<Known> = vec![None];
        let all_single = operands[index..].iter().all(|field| field.value.is_some() || !field.glob);
        values.extend(operands[index..].iter().map(|field| field.value.clone()));
        self.environment.positional = Some(Rc::new(if all_single { values } else { vec![None; 10] }));
    }

    fn shift(&mut self, call: &Call) {
        let count = match call.fields.get(1) {
            None => Some(1),
            Some(field) => field.value.as_deref().and_then(|value| value.parse::<usize>().ok()),
        };
        let Some(values) = self.environment.positional.clone() else { return };
        self.environment.positional = Some(Rc::new(match count {
            Some(count) => values.iter().take(1).cloned().chain(values.iter().skip(1 + count).cloned()).collect(),
            None => vec![None; 10],
        }));
    }

    fn declare(&mut self, call: &Call, frame: &Frame) {
        for field in &call.fields[1..] {
            let Some((name, value)) = field.value.as_deref().and_then(|value| value.split_once('=')) else { continue };
            let (name, append) = match name.strip_suffix('+') {
                Some(name) => (name, true),
                None => (name, false),
            };
            if is_name(name) {
                let value = Value::Scalar((!append).then(|| value.to_owned()));
                self.prompt_text(name, &value, frame);
                self.environment.set(name, value);
            }
        }
    }

    fn forget_operands(&mut self, operands: &[Field]) {
        for field in operands {
            let name = field.value.as_deref().map(|name| name.split('[').next().unwrap_or(name));
            if let Some(name) = name.filter(|name| is_name(name)) {
                self.environment.forget_elements(name);
                self.environment.forget(name);
            }
        }
        self.environment.forget("REPLY");
        self.environment.forget("MAPFILE");
    }

    /// `cd`, `pushd` and `popd`, as far as they take effect in this shell.
    fn change_directory(&mut self, name: &str, call: &Call, frame: &Frame) {
        let target = call.fields[1..]
            .iter()
            .map(|field| field.value.clone())
            .rfind(|value| !matches!(value.as_deref(), Some("-L" | "-P" | "-n" | "-e" | "-@" | "--")));
        self.announce(frame);
        let present = self.environment.scalar(DIRECTORY);
        let next = match (name, target) {
            ("popd", _) => self.laid_aside(),
            ("pushd", None) => self.environment.scalar("OLDPWD"),
            (_, None) => Some("~".to_owned()),
            (_, Some(Some(path))) if path == "-" => self.environment.scalar("OLDPWD"),
            (_, Some(Some(path))) if path.starts_with(['/', '~']) => Some(path),
            (_, Some(Some(path))) => present.clone().map(|present| format!("{present}/{path}")),
            (_, Some(None)) => None,
        };
        let too_long = next.as_ref().is_some_and(|path| path.len() > MAX_DIRECTORY_BYTES);
        let next = next.filter(|_| !too_long);
        // A reader of the plan follows the plain forms by itself.
        let plain = !too_long && name != "popd" && call.fields.iter().all(|field| field.value.as_deref() != Some("-"));
        self.announced = plain.then(|| next.clone());
        if !frame.wrappers.iter().skip(frame.outside).all(|wrapper| STAYS_IN_SHELL.contains(&wrapper.as_str())) {
            return;
        }
        if name == "pushd" {
            let mut stack = self.directory_stack();
            stack.push(present.clone());
            self.environment.set(DIRECTORY_STACK, Value::Array(stack));
        }
        self.environment.set("OLDPWD", Value::Scalar(present));
        self.environment.set("PWD", Value::Scalar(next.clone()));
        self.environment.set(DIRECTORY, Value::Scalar(next));
    }

    /// Lets relative paths start in `path`; gives what was before.
    pub(crate) fn enter_directory(&mut self, path: Known) -> Environment {
        let before = self.environment.clone();
        let present = self.environment.scalar(DIRECTORY);
        let next = path.and_then(|path| match path.starts_with(['/', '~']) {
            true => Some(path),
            false => present.map(|present| format!("{present}/{path}")),
        });
        self.environment.set(DIRECTORY, Value::Scalar(next));
        before
    }

    fn directory_stack(&self) -> Vec<Known> {
        match self.environment.get(DIRECTORY_STACK) {
            Some(Value::Array(stack)) => stack.clone(),
            _ => Vec::new(),
        }
    }

    fn laid_aside(&mut self) -> Known {
        let mut stack = self.directory_stack();
        let directory = stack.pop().flatten();
        self.environment.set(DIRECTORY_STACK, Value::Array(stack));
        directory
    }

    /// Where relative paths start from here on, when that is not where the last `cd` of the plan led:
    /// a subshell, a branch not taken or a pipeline has ended since.
    pub(crate) fn directory_to_announce(&mut self) -> Option<Field> {
        let present = self.environment.scalar(DIRECTORY);
        if self.announced.as_ref() == Some(&present) {
            return None;
        }
        self.announced = Some(present.clone());
        Some(match present {
            Some(directory) => Field::constant(&directory, Span::default()),
            None => Field::unknown("$PWD", Span::default()),
        })
    }
}

/// Index and value of `[3]=x`, for indices worth following.
fn indexed(text: &str) -> Option<(usize, String)> {
    let (index, value) = text.strip_prefix('[')?.split_once("]=")?;
    Some((index.parse::<usize>().ok().filter(|index| *index < MAX_ELEMENTS)?, value.to_owned()))
}

/// `[3]=x` sets the fourth element, anything else the next; elements by name have no order.
fn place_element(values: &mut Vec<Known>, field: Field) {
    match field.value.as_deref().and_then(indexed) {
        Some((index, value)) => {
            if values.len() <= index {
                values.resize(index + 1, Some(String::new()));
            }
            values[index] = Some(value);
        }
        None if field.value.as_deref().is_some_and(|value| named(value).is_some()) => values.push(None),
        None => values.push(field.value),
    }
}

/// Key and value of `[key]=x`.
fn named(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('[')?.split_once("]=").filter(|(key, _)| !key.is_empty())
}

/// Words joined by blanks, as `eval` and `ssh` do; none when one of them is not known.
pub(crate) fn joined_text(fields: &[Field]) -> Known {
    let words: Option<Vec<&str>> = fields.iter().map(|field| field.value.as_deref()).collect();
    words.map(|words| words.join(" "))
}
