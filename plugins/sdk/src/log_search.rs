//! Log searches: which remote command answers this query with the tools that place has, and how
//! is its output read?
//!
//! The plan is argv, never shell text: the host quotes it for the shell at hand and has the
//! policies judge the result like any other command.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::bindings::log_search::exports::portcullis::log_search::log_search as export;
pub use crate::bindings::log_search::exports::portcullis::log_search::log_search::{
    Batch, LogLine, LogMatch, MatchMode, Plan, Query, Remote, Stage, Tool,
};
use crate::{ConfigDiagnostic, PluginError, hook};

/// A way of searching logs.
pub trait LogSearch: Sized + 'static {
    /// The output of one search being read.
    type Reader: Reader;

    /// What is wrong with the settings (JSON text, `{}` when there are none); empty when nothing is.
    fn validate_config(config: &str) -> Vec<ConfigDiagnostic> {
        let _ = config;
        Vec::new()
    }

    /// Names of the programs it wants to know of.
    fn wanted_tools() -> Vec<String>;

    /// The command for a query.
    ///
    /// # Errors
    /// [`PluginError::InvalidInput`] for a query it will not search for,
    /// [`PluginError::Unsupported`] when that place lacks the tools.
    fn make_plan(config: &str, query: &Query, remote: &Remote) -> Result<Plan, PluginError>;

    /// Starts to read the output of that plan.
    ///
    /// # Errors
    /// When the plan is none of its own.
    fn read(query: Query, plan: Plan) -> Result<Self::Reader, PluginError>;
}

/// The output of one search being read.
pub trait Reader: 'static {
    /// Takes a chunk, which may end anywhere, and gives the matches it completes.
    ///
    /// # Errors
    /// When the output cannot be read any further.
    fn push(&mut self, chunk: &[u8]) -> Result<Batch, PluginError>;

    /// The output is over; `truncated` when its end is missing.
    ///
    /// # Errors
    /// When the rest cannot be read.
    fn finish(&mut self, exit_code: Option<i32>, truncated: bool) -> Result<Batch, PluginError>;
}

/// Connects a [`LogSearch`] to the generated exports; named by [`log_search!`](crate::log_search!) only.
#[doc(hidden)]
pub struct Export<L>(PhantomData<L>);

#[doc(hidden)]
pub struct Running<L: LogSearch>(RefCell<L::Reader>);

impl<L: LogSearch> export::Guest for Export<L> {
    type Reader = Running<L>;

    fn validate_config(config: String) -> Vec<ConfigDiagnostic> {
        hook::install();
        L::validate_config(&config)
    }

    fn wanted_tools() -> Vec<String> {
        hook::install();
        L::wanted_tools()
    }

    fn make_plan(config: String, query: Query, remote: Remote) -> Result<Plan, PluginError> {
        hook::install();
        L::make_plan(&config, &query, &remote)
    }

    fn read(query: Query, plan: Plan) -> Result<export::Reader, PluginError> {
        hook::install();
        Ok(export::Reader::new(Running::<L>(RefCell::new(L::read(query, plan)?))))
    }
}

impl<L: LogSearch> export::GuestReader for Running<L> {
    fn push(&self, chunk: Vec<u8>) -> Result<Batch, PluginError> {
        self.0.borrow_mut().push(&chunk)
    }

    fn finish(&self, exit_code: Option<i32>, truncated: bool) -> Result<Batch, PluginError> {
        self.0.borrow_mut().finish(exit_code, truncated)
    }
}

/// Makes the named type, which implements [`LogSearch`](crate::log_search::LogSearch), this
/// component's log search.
#[macro_export]
macro_rules! log_search {
    ($search:ty) => {
        $crate::export_kind!($crate::log_search::Export<$search>, log_search, $crate::log_search::LogSearch, $search);
    };
}
