//! Navigators: which keys bring this terminal from where it is to the place asked for?
//!
//! The host calls [`Navigation::next`] with what happened and does the step it answers with; a
//! step that sends something is judged by the policies first. When a navigation fails the host
//! gives the screen back to its caller; nothing is guessed.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::bindings::navigator::exports::portcullis::navigator::menu_navigator as export;
pub use crate::bindings::navigator::exports::portcullis::navigator::menu_navigator::{
    CommandResult, Event, Failure, Goal, Key, NamedKey, Outcome, Row, Screen, Step, WaitFor,
};
use crate::{ConfigDiagnostic, PluginError, attribute, hook};

/// A kind of bastion.
pub trait Navigator: Sized + 'static {
    /// One way through it.
    type Navigation: Navigation;

    /// What is wrong with the settings (JSON text, `{}` when there are none); empty when nothing is.
    fn validate_config(config: &str) -> Vec<ConfigDiagnostic> {
        let _ = config;
        Vec::new()
    }

    /// How sure it is that this screen is its bastion, 0 to 100.
    fn recognise(config: &str, screen: &Screen) -> u8;

    /// Starts on the way to a goal.
    ///
    /// # Errors
    /// [`PluginError::InvalidConfig`] for unusable settings, [`PluginError::InvalidInput`] for a
    /// goal whose parameters are missing or wrong.
    fn begin(config: &str, goal: Goal) -> Result<Self::Navigation, PluginError>;
}

/// One way through a bastion, step by step.
pub trait Navigation: 'static {
    /// What to do after what has happened. `Step::Fail` is the answer when the place cannot be
    /// reached.
    ///
    /// # Errors
    /// When the navigator itself cannot go on, for example on an event it did not ask for.
    fn next(&mut self, event: Event) -> Result<Step, PluginError>;
}

impl Goal {
    /// The value of one of the route's parameters.
    pub fn parameter(&self, key: &str) -> Option<&str> {
        attribute(&self.parameters, key)
    }
}

impl Screen {
    /// The rows as lines: a row that goes on in the next one is joined with it.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = String::new();
        for row in &self.rows {
            line.push_str(&row.text);
            if !row.wrapped {
                lines.push(std::mem::take(&mut line));
            }
        }
        if !line.is_empty() {
            lines.push(line);
        }
        lines
    }

    /// The last line that is not blank.
    pub fn last_line(&self) -> String {
        self.lines().into_iter().rfind(|line| !line.trim().is_empty()).unwrap_or_default()
    }
}

impl Outcome {
    /// A place reached, with nothing more to say of it.
    pub fn reached(label: impl Into<String>) -> Step {
        Step::Done(Self { label: label.into(), attributes: Vec::new() })
    }
}

impl Failure {
    /// A failure with the rows that show why.
    pub fn step(code: &str, message: impl Into<String>, rows: Vec<String>) -> Step {
        Step::Fail(Self { code: code.to_owned(), message: message.into(), rows })
    }
}

/// Connects a [`Navigator`] to the generated exports; named by [`navigator!`](crate::navigator!) only.
#[doc(hidden)]
pub struct Export<N>(PhantomData<N>);

#[doc(hidden)]
pub struct Running<N: Navigator>(RefCell<N::Navigation>);

impl<N: Navigator> export::Guest for Export<N> {
    type Navigation = Running<N>;

    fn validate_config(config: String) -> Vec<ConfigDiagnostic> {
        hook::install();
        N::validate_config(&config)
    }

    fn recognise(config: String, screen: Screen) -> u8 {
        hook::install();
        N::recognise(&config, &screen).min(100)
    }

    fn begin(config: String, goal: Goal) -> Result<export::Navigation, PluginError> {
        hook::install();
        Ok(export::Navigation::new(Running::<N>(RefCell::new(N::begin(&config, goal)?))))
    }
}

impl<N: Navigator> export::GuestNavigation for Running<N> {
    fn next(&self, event: Event) -> Result<Step, PluginError> {
        self.0.borrow_mut().next(event)
    }
}

/// Makes the named type, which implements [`Navigator`](crate::navigator::Navigator), this
/// component's navigator.
#[macro_export]
macro_rules! navigator {
    ($navigator:ty) => {
        $crate::export_kind!(
            $crate::navigator::Export<$navigator>,
            navigator,
            $crate::navigator::Navigator,
            $navigator
        );
    };
}
