//! The tree of a line: what was written, nothing expanded yet.

use std::cell::OnceCell;
use std::rc::Rc;

use crate::plan::Span;

pub(crate) type Parts = Vec<Part>;

/// A word as written; `parts` in order.
#[derive(Debug, Clone)]
pub(crate) struct RawWord {
    pub(crate) parts: Parts,
    pub(crate) text: String,
    pub(crate) span: Span,
    /// `NAME=( … )`: the elements.
    pub(crate) array: Option<Vec<RawWord>>,
}

#[derive(Debug, Clone)]
pub(crate) enum Part {
    Literal {
        text: String,
        quoted: bool,
    },
    Parameter {
        parameter: Box<Parameter>,
        quoted: bool,
    },
    /// `$( )` and backticks.
    Substitution {
        script: Script,
        quoted: bool,
    },
    /// `<( )` and `>( )`.
    Process {
        script: Script,
        writes: bool,
    },
    /// `$(( ))` and `$[ ]`.
    Arithmetic {
        parts: Parts,
        quoted: bool,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) subscript: Option<Parts>,
    /// `${!name}`
    pub(crate) indirect: bool,
    /// `${#name}`
    pub(crate) length: bool,
    pub(crate) operator: Operator,
}

#[derive(Debug, Clone)]
pub(crate) enum Operator {
    None,
    /// `- = ? +`, with or without a colon.
    Default {
        colon: bool,
        kind: char,
        word: Parts,
    },
    /// `# ## % %%`
    Strip {
        suffix: bool,
        longest: bool,
        pattern: Parts,
    },
    /// `/ // /# /%`
    Replace {
        all: bool,
        anchor: Option<char>,
        pattern: Parts,
        replacement: Parts,
    },
    /// `:offset:length`
    Substring {
        offset: Parts,
        length: Option<Parts>,
    },
    /// `^ ^^ , ,,`
    Case {
        upper: bool,
        all: bool,
        pattern: Parts,
    },
    /// `@U` and the like.
    Transform(char),
    /// Not understood; the operand is still walked.
    Other(Parts),
}

/// Commands separated by `;`, `&` or newlines.
pub(crate) type Script = Vec<Item>;

#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// The first connector means nothing.
    pub(crate) chain: Vec<(Connector, Pipeline)>,
    pub(crate) background: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connector {
    And,
    Or,
}

#[derive(Debug, Clone)]
pub(crate) struct Pipeline {
    pub(crate) commands: Vec<Command>,
}

#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub(crate) kind: CommandKind,
    pub(crate) redirections: Vec<RawRedirection>,
    pub(crate) span: Span,
}

#[derive(Debug, Clone)]
pub(crate) enum CommandKind {
    Simple {
        assignments: Vec<RawAssignment>,
        words: Vec<RawWord>,
    },
    Group(Script),
    Subshell(Script),
    /// Conditions with their bodies, then `else`.
    If {
        branches: Vec<(Script, Script)>,
        otherwise: Option<Script>,
    },
    /// `while` and `until`.
    Loop {
        until: bool,
        condition: Script,
        body: Script,
    },
    /// `for` and `select` (which asks for each word); no words means the positional parameters.
    For {
        name: String,
        words: Option<Vec<RawWord>>,
        body: Script,
        asks: bool,
    },
    ArithmeticFor {
        parts: Parts,
        endless: bool,
        body: Script,
    },
    Case {
        word: RawWord,
        arms: Vec<(Vec<RawWord>, Script)>,
    },
    Function {
        name: String,
        body: Rc<Command>,
    },
    /// `[[ … ]]`
    Test(Vec<RawWord>),
    /// `(( … ))`
    Arithmetic(Parts),
    Coprocess(Box<Command>),
}

#[derive(Debug, Clone)]
pub(crate) struct RawAssignment {
    pub(crate) name: String,
    pub(crate) append: bool,
    /// `name[…]=`: only part of the variable is set.
    pub(crate) element: bool,
    pub(crate) value: Parts,
    pub(crate) array: Option<Vec<RawWord>>,
    pub(crate) span: Span,
}

#[derive(Debug, Clone)]
pub(crate) struct RawRedirection {
    pub(crate) descriptor: Option<u32>,
    pub(crate) operator: &'static str,
    pub(crate) target: RawWord,
    /// Filled when the parser reaches the lines after the command.
    pub(crate) body: Option<Rc<OnceCell<Parts>>>,
    pub(crate) span: Span,
}
