//! The plan: what a line of shell would run, as flat plain data.
//!
//! This is the shape the policy contract (`wit/policy-*`) carries, in Rust. It says nothing about
//! whether a line is allowed; that is a policy's business.

use serde::Serialize;

/// Bytes `start..end` of the line that was parsed. Text found inside a nested shell (`sh -c '…'`)
/// carries the span of the outer word it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

/// One word after the shell's expansions, as far as they can be known from the line alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Word {
    /// As written, quotes included.
    pub text: String,
    /// After quote removal and expansion of constants; `None` when only the run can tell.
    pub value: Option<String>,
    /// An unquoted `*`, `?` or `[` is left in `value`.
    pub glob: bool,
    pub span: Span,
}

/// `NAME=value` in front of a command or on its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Assignment {
    pub name: String,
    pub value: Option<String>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Redirection {
    pub descriptor: Option<u32>,
    /// The operator without its descriptor: `>`, `>>`, `<`, `<>`, `>|`, `&>`, `&>>`, `>&`, `<&`, `<<`, `<<-`, `<<<`.
    pub operator: String,
    pub target: Word,
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum InvocationKind {
    /// A program, builtin or function is run.
    Command,
    /// Only assignments: `PATH=/tmp`.
    Assignment,
    /// A function is defined (`program` is its name); its body follows as deeper invocations.
    FunctionDefinition,
    /// Only redirections: `> file`.
    Redirection,
}

/// Where an invocation's standard input comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum StandardInput {
    Inherited,
    Pipe,
    File,
    /// Here-document, here-string or constant producer before a pipe; `None` when not constant.
    Text(Option<String>),
}

/// One thing that would run, wrappers such as `sudo` or `timeout 5` taken off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Invocation {
    pub kind: InvocationKind,
    /// Base name of the program; `None` when it is computed at run time.
    pub program: Option<String>,
    /// The program as written is `argv[0]`; empty unless `kind` is `Command`.
    pub argv: Vec<Word>,
    /// Names of the wrappers taken off, outermost first.
    pub wrappers: Vec<String>,
    pub assignments: Vec<Assignment>,
    pub redirections: Vec<Redirection>,
    pub standard_input: StandardInput,
    /// Place in its pipeline from 0, and how many stages that has.
    pub stage: u16,
    pub stages: u16,
    /// Followed by `&`.
    pub background: bool,
    /// Inside the body of a loop.
    pub in_loop: bool,
    /// 0 on the line itself, +1 in each substitution, nested shell text or function body.
    pub depth: u8,
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum UnknownKind {
    /// What runs cannot be told from the text.
    Unresolved,
    /// Not complete or not valid shell.
    Malformed,
    /// Control, invisible or look-alike characters, or a limit of the parser exceeded.
    Refused,
}

/// A part of the line that is not understood; never silently skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unknown {
    pub kind: UnknownKind,
    pub what: String,
    pub span: Span,
}

/// Everything a line would run, in the order it stands there, and everything not understood.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Plan {
    pub invocations: Vec<Invocation>,
    pub unknowns: Vec<Unknown>,
}
