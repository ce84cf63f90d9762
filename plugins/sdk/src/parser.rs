//! Parsers: what does this output mean, as data?
//!
//! The host gives a command's output in chunks and gets JSON documents back, which it checks
//! against the schema the parser describes. A failing parser costs a note, never the text.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::bindings::parser::exports::portcullis::parser::output_parser as export;
pub use crate::bindings::parser::exports::portcullis::parser::output_parser::{
    Batch, Claim, OutputMeta, ParserInfo, Unparsed,
};
use crate::{PluginError, hook};

/// A kind of output.
pub trait Parser: Sized + 'static {
    /// One output being read.
    type Parse: Parse;

    /// The schemas of the documents it can give.
    fn describe() -> Vec<ParserInfo>;

    /// How well it would read this output; `head` is at most its first 4 KiB.
    fn can_parse(meta: &OutputMeta, head: &[u8]) -> Option<Claim>;

    /// Starts on one output.
    ///
    /// # Errors
    /// [`PluginError::Unsupported`] when the schema is none of its own.
    fn begin(meta: OutputMeta, schema: &str) -> Result<Self::Parse, PluginError>;
}

/// One output being read.
pub trait Parse: 'static {
    /// Takes a chunk, which may end anywhere, and gives what it completes.
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

impl Batch {
    /// Nothing yet.
    pub fn empty() -> Self {
        Self { documents: Vec::new(), unparsed: Vec::new() }
    }

    /// Adds a line that did not fit.
    pub fn leave(&mut self, line: u32, text: &str) {
        self.unparsed.push(Unparsed { line, text: text.to_owned() });
    }
}

/// Connects a [`Parser`] to the generated exports; named by [`parser!`](crate::parser!) only.
#[doc(hidden)]
pub struct Export<P>(PhantomData<P>);

#[doc(hidden)]
pub struct Running<P: Parser>(RefCell<P::Parse>);

impl<P: Parser> export::Guest for Export<P> {
    type Parse = Running<P>;

    fn describe() -> Vec<ParserInfo> {
        hook::install();
        P::describe()
    }

    fn can_parse(meta: OutputMeta, head: Vec<u8>) -> Option<Claim> {
        hook::install();
        P::can_parse(&meta, &head)
    }

    fn begin(meta: OutputMeta, schema: String) -> Result<export::Parse, PluginError> {
        hook::install();
        Ok(export::Parse::new(Running::<P>(RefCell::new(P::begin(meta, &schema)?))))
    }
}

impl<P: Parser> export::GuestParse for Running<P> {
    fn push(&self, chunk: Vec<u8>) -> Result<Batch, PluginError> {
        self.0.borrow_mut().push(&chunk)
    }

    fn finish(&self, exit_code: Option<i32>, truncated: bool) -> Result<Batch, PluginError> {
        self.0.borrow_mut().finish(exit_code, truncated)
    }
}

/// Makes the named type, which implements [`Parser`](crate::parser::Parser), this component's parser.
#[macro_export]
macro_rules! parser {
    ($parser:ty) => {
        $crate::export_kind!($crate::parser::Export<$parser>, parser, $crate::parser::Parser, $parser);
    };
}
