//! What is known of the shell's variables while a line is followed.
//!
//! Only constants of the line itself are known. Copies share their data until one is changed, so
//! that every branch and subshell can have its own.

use std::collections::HashMap;
use std::rc::Rc;

/// Where relative paths start, kept under a name no variable of a shell can have.
pub(crate) const DIRECTORY: &str = "working directory";
/// What `pushd` laid aside, likewise.
pub(crate) const DIRECTORY_STACK: &str = "directory stack";

/// A text, or none when only the run can tell.
pub(crate) type Known = Option<String>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Scalar(Known),
    Array(Vec<Known>),
    /// Some name that matches this pattern: the variable of `for f in *.txt`.
    Pattern(String),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    variables: Rc<HashMap<String, Value>>,
    /// `$1…`; none when the line did not set them.
    pub(crate) positional: Option<Rc<Vec<Known>>>,
}

impl Environment {
    /// What an interactive shell starts with and rarely changes. A home directory is written `~`.
    pub(crate) fn interactive() -> Self {
        let mut environment = Self::default();
        environment.set("HOME", Value::Scalar(Some("~".to_owned())));
        environment.set("IFS", Value::Scalar(Some(" \t\n".to_owned())));
        environment
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.variables.get(name)
    }

    pub(crate) fn scalar(&self, name: &str) -> Known {
        match self.get(name)? {
            Value::Scalar(value) => value.clone(),
            Value::Array(elements) => elements.first().cloned().flatten(),
            Value::Pattern(_) => None,
        }
    }

    pub(crate) fn set(&mut self, name: &str, value: Value) {
        Rc::make_mut(&mut self.variables).insert(name.to_owned(), value);
    }

    /// `name[key]=value`, beside the array itself.
    pub(crate) fn set_element(&mut self, name: &str, key: &str, value: &str) {
        self.set(&format!("{name}[{key}]"), Value::Scalar(Some(value.to_owned())));
    }

    pub(crate) fn element(&self, name: &str, key: &str) -> Known {
        self.scalar(&format!("{name}[{key}]"))
    }

    /// None of the elements of `name` is known any more.
    pub(crate) fn forget_elements(&mut self, name: &str) {
        let is_element = |key: &str| key.strip_prefix(name).is_some_and(|rest| rest.starts_with('['));
        if self.variables.keys().any(|key| is_element(key)) {
            Rc::make_mut(&mut self.variables).retain(|key, _| !is_element(key));
        }
    }

    /// What `name` is when it was not set before; any assignment takes its place.
    pub(crate) fn set_guess(&mut self, name: &str, value: Known) {
        Rc::make_mut(&mut self.variables).remove(name);
        self.set(&format!("{name} if unset"), Value::Scalar(value));
    }

    pub(crate) fn guess(&self, name: &str) -> Known {
        self.scalar(&format!("{name} if unset"))
    }

    pub(crate) fn forget(&mut self, name: &str) {
        self.set(name, Value::Scalar(None));
    }

    /// After a part that may or may not have run: what both agree upon stays known.
    pub(crate) fn merge(&mut self, other: &Self) {
        if self.positional != other.positional {
            self.positional = Some(Rc::new(vec![None; 9]));
        }
        if Rc::ptr_eq(&self.variables, &other.variables) {
            return;
        }
        let mut differing: Vec<String> = Vec::new();
        for (name, value) in self.variables.iter() {
            if other.variables.get(name) != Some(value) {
                differing.push(name.clone());
            }
        }
        differing.extend(other.variables.keys().filter(|name| !self.variables.contains_key(*name)).cloned());
        let directory = nearer_to_the_root(self.scalar(DIRECTORY), other.scalar(DIRECTORY));
        for name in differing {
            self.forget(&name);
        }
        if let Some(directory) = directory {
            self.set(DIRECTORY, Value::Scalar(Some(directory)));
        }
    }
}

impl Environment {
    /// As [`Self::merge`], the present directory alone.
    pub(crate) fn merge_directory(&mut self, other: &Self) {
        let (present, before) = (self.scalar(DIRECTORY), other.scalar(DIRECTORY));
        if present != before
            && let Some(directory) = nearer_to_the_root(present, before)
        {
            self.set(DIRECTORY, Value::Scalar(Some(directory)));
        }
    }
}

/// Of two directories that may be the present one, the one where a mistake costs more.
fn nearer_to_the_root(first: Known, second: Known) -> Known {
    match (first, second) {
        (Some(first), Some(second)) if second.len() < first.len() => Some(second),
        (first, second) => first.or(second),
    }
}

impl Environment {
    /// Whether any variable or positional parameter is not the same.
    pub(crate) fn differs(&self, other: &Self) -> bool {
        self.positional != other.positional
            || (!Rc::ptr_eq(&self.variables, &other.variables) && self.variables != other.variables)
    }
}
