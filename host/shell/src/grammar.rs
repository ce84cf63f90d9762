//! Commands, lists, compound commands and redirections, by recursive descent.

use std::cell::OnceCell;
use std::rc::Rc;

use crate::syntax::{
    Command, CommandKind, Connector, Item, Part, Parts, Pipeline, RawAssignment, RawRedirection, RawWord, Script,
};
use crate::words::{Parser, Pending, Read, WordEnd, arithmetic_length, is_name};

/// What ends a list of commands.
#[derive(Debug, Clone, Copy)]
enum End {
    Input,
    Parenthesis,
    Words(&'static [&'static str]),
    CaseArm,
}

const RESERVED: &[&str] = &[
    "!", "[[", "]]", "{", "}", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if",
    "in", "select", "then", "time", "until", "while",
];

pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&word)
}

/// Builtins whose operands may be arrays.
const DECLARATIONS: &[&str] = &["declare", "typeset", "local", "export", "readonly", "alias", "eval", "let"];

const OPERATORS: &[&str] = &["&>>", "<<<", "<<-", "&>", ">>", ">|", ">&", "<>", "<&", "<<", ">", "<"];

impl Parser<'_> {
    /// Everything up to the end of the text.
    pub(crate) fn whole_script(&mut self) -> Read<Script> {
        let script = self.nested(|parser| parser.script(End::Input))?;
        if !self.pending.is_empty() {
            return self.malformed("a here-document has no body");
        }
        Ok(script)
    }

    /// After `(`: up to and with `)`; may be empty.
    pub(crate) fn parenthesised_script(&mut self) -> Read<Script> {
        let script = self.script(End::Parenthesis)?;
        self.position += 1;
        Ok(script)
    }

    fn script(&mut self, end: End) -> Read<Script> {
        let mut script = Script::new();
        loop {
            self.linebreak()?;
            if self.at_end(end)? {
                return Ok(script);
            }
            let chain = self.and_or()?;
            self.blanks();
            let mut background = false;
            match (self.peek(), self.peek_at(1)) {
                (Some(b';'), Some(b';' | b'&')) if matches!(end, End::CaseArm) => {}
                (Some(b';'), Some(b';' | b'&')) => return self.malformed("`;;` outside of `case`"),
                (Some(b';'), _) => self.position += 1,
                (Some(b'&'), _) => {
                    background = true;
                    self.position += 1;
                }
                (None | Some(b'\n' | b'#'), _) => {}
                _ if self.at_end(end)? => {}
                _ => return self.malformed("an operator or word stands where it cannot"),
            }
            script.push(Item { chain, background });
        }
    }

    fn at_end(&self, end: End) -> Read<bool> {
        let here = match end {
            End::Input => return Ok(self.peek().is_none()),
            End::Parenthesis => self.peek() == Some(b')'),
            End::Words(words) => self.reserved().is_some_and(|word| words.contains(&word)),
            End::CaseArm => {
                self.rest().starts_with(";;") || self.rest().starts_with(";&") || self.reserved() == Some("esac")
            }
        };
        if !here && self.peek().is_none() {
            return self.malformed("the command is not finished");
        }
        Ok(here)
    }

    /// The reserved word at the cursor, if one stands there unquoted and complete.
    fn reserved(&self) -> Option<&'static str> {
        let length = self.rest().bytes().take_while(|byte| !b" \t\n;&|()<>".contains(byte)).count();
        let word = &self.rest()[..length];
        RESERVED.iter().copied().find(|candidate| *candidate == word)
    }

    fn expect(&mut self, word: &'static str) -> Read<()> {
        self.blanks();
        if self.reserved() != Some(word) {
            return self.malformed(format!("`{word}` is missing"));
        }
        self.position += word.len();
        Ok(())
    }

    /// Blanks, comments and newlines; here-document bodies are read where their line ends.
    pub(crate) fn linebreak(&mut self) -> Read<()> {
        loop {
            self.blanks();
            match self.peek() {
                Some(b'\n') => {
                    self.position += 1;
                    self.here_documents()?;
                }
                Some(b'#') => self.position += self.rest().find('\n').unwrap_or(self.rest().len()),
                _ => return Ok(()),
            }
        }
    }

    fn here_documents(&mut self) -> Read<()> {
        for pending in std::mem::take(&mut self.pending) {
            let start = self.position;
            let mut content = String::new();
            loop {
                if self.position >= self.text.len() {
                    return self.malformed("a here-document is not closed");
                }
                let line = self.rest().split('\n').next().unwrap_or("");
                self.position = (self.position + line.len() + 1).min(self.text.len());
                let line = if pending.strip_tabs { line.trim_start_matches('\t') } else { line };
                if line == pending.delimiter {
                    break;
                }
                content.push_str(line);
                content.push('\n');
            }
            let parts = if pending.quoted {
                vec![Part::Literal { text: content, quoted: true }]
            } else {
                let base = Some(self.span(start));
                self.nested(|parser| {
                    let mut inner = Parser::new(&content, parser.depth, base, false);
                    let parts = inner.here_document()?;
                    parser.unknowns.append(&mut inner.unknowns);
                    Ok(parts)
                })?
            };
            // Set once only: each pending entry owns its cell.
            let _ = pending.body.set(parts);
        }
        Ok(())
    }

    fn and_or(&mut self) -> Read<Vec<(Connector, Pipeline)>> {
        let mut chain = vec![(Connector::And, self.pipeline()?)];
        loop {
            self.blanks();
            let connector = match (self.peek(), self.peek_at(1)) {
                (Some(b'&'), Some(b'&')) => Connector::And,
                (Some(b'|'), Some(b'|')) => Connector::Or,
                _ => return Ok(chain),
            };
            self.position += 2;
            self.linebreak()?;
            chain.push((connector, self.pipeline()?));
        }
    }

    fn pipeline(&mut self) -> Read<Pipeline> {
        let mut prefixed = false;
        loop {
            self.blanks();
            match self.reserved() {
                Some("!") => self.position += 1,
                Some("time") => {
                    self.position += 4;
                    self.blanks();
                    for option in ["-p", "--"] {
                        if self
                            .rest()
                            .strip_prefix(option)
                            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\n', ';']))
                        {
                            self.position += 2;
                            self.blanks();
                        }
                    }
                }
                _ => break,
            }
            prefixed = true;
        }
        let mut commands = Vec::new();
        if prefixed && matches!(self.peek(), None | Some(b'\n' | b';' | b'#')) {
            return Ok(Pipeline { commands });
        }
        loop {
            let command = self.nested(Self::command)?;
            commands.push(command);
            self.blanks();
            if self.peek() != Some(b'|') || self.peek_at(1) == Some(b'|') {
                return Ok(Pipeline { commands });
            }
            self.position += 1 + usize::from(self.peek_at(1) == Some(b'&'));
            self.linebreak()?;
        }
    }

    fn command(&mut self) -> Read<Command> {
        self.blanks();
        let start = self.position;
        let kind = match self.compound()? {
            Some(kind) => kind,
            None => return self.simple(),
        };
        let redirections = self.redirections()?;
        Ok(Command { kind, redirections, span: self.span(start) })
    }

    fn redirections(&mut self) -> Read<Vec<RawRedirection>> {
        let mut redirections = Vec::new();
        loop {
            self.blanks();
            match self.redirection()? {
                Some(redirection) => redirections.push(redirection),
                None => return Ok(redirections),
            }
        }
    }

    /// A compound command, or none when a simple one stands here.
    fn compound(&mut self) -> Read<Option<CommandKind>> {
        if self.peek() == Some(b'(') {
            return self.parenthesis_command().map(Some);
        }
        let Some(word) = self.reserved() else { return Ok(None) };
        self.position += word.len();
        Ok(Some(match word {
            "{" => {
                let script = self.body(&["}"])?;
                self.expect("}")?;
                CommandKind::Group(script)
            }
            "if" => self.if_command()?,
            "while" | "until" => {
                let condition = self.body(&["do"])?;
                let body = self.do_group()?;
                CommandKind::Loop { until: word == "until", condition, body }
            }
            "for" | "select" => self.for_command(word == "select")?,
            "case" => self.case_command()?,
            "function" => self.function_command()?,
            "[[" => self.test_command()?,
            "coproc" => self.coprocess()?,
            // Reserved only where a pipeline begins, which has taken it there; behind `|` it is the
            // program of that name (bash, `time_command_acceptable`).
            "time" => {
                self.position -= word.len();
                return Ok(None);
            }
            _ => return self.malformed(format!("`{word}` stands where a command should")),
        }))
    }

    fn body(&mut self, words: &'static [&'static str]) -> Read<Script> {
        let script = self.script(End::Words(words))?;
        if script.is_empty() {
            return self.malformed("a command is missing");
        }
        Ok(script)
    }

    fn do_group(&mut self) -> Read<Script> {
        self.linebreak()?;
        if self.reserved() == Some("{") {
            self.position += 1;
            let body = self.body(&["}"])?;
            self.expect("}")?;
            return Ok(body);
        }
        self.expect("do")?;
        let body = self.body(&["done"])?;
        self.expect("done")?;
        Ok(body)
    }

    fn parenthesis_command(&mut self) -> Read<CommandKind> {
        if self.peek_at(1) == Some(b'(')
            && let Some(length) = arithmetic_length(&self.rest()[2..])
        {
            self.position += 2;
            let parts = self.quoted_until(self.position + length)?;
            self.position += 2;
            return Ok(CommandKind::Arithmetic(parts));
        }
        self.position += 1;
        let script = self.parenthesised_script()?;
        if script.is_empty() {
            return self.malformed("the parentheses hold no command");
        }
        Ok(CommandKind::Subshell(script))
    }

    fn if_command(&mut self) -> Read<CommandKind> {
        let mut branches = Vec::new();
        loop {
            let condition = self.body(&["then"])?;
            self.expect("then")?;
            let body = self.body(&["elif", "else", "fi"])?;
            branches.push((condition, body));
            match self.reserved() {
                Some("elif") => self.position += 4,
                Some("else") => {
                    self.position += 4;
                    let otherwise = Some(self.body(&["fi"])?);
                    self.expect("fi")?;
                    return Ok(CommandKind::If { branches, otherwise });
                }
                _ => {
                    self.expect("fi")?;
                    return Ok(CommandKind::If { branches, otherwise: None });
                }
            }
        }
    }

    fn for_command(&mut self, asks: bool) -> Read<CommandKind> {
        self.blanks();
        if self.rest().starts_with("((") {
            let Some(length) = arithmetic_length(&self.rest()[2..]) else {
                return self.malformed("`for ((` is not closed");
            };
            self.position += 2;
            let header = &self.text[self.position..self.position + length];
            if header.matches(';').count() != 2 {
                return self.malformed("`for ((` needs three expressions");
            }
            let condition = header.split(';').nth(1).unwrap_or("").trim();
            let endless = condition.is_empty() || condition == "1";
            let parts = self.quoted_until(self.position + length)?;
            self.position += 2;
            self.separator()?;
            let body = self.do_group()?;
            return Ok(CommandKind::ArithmeticFor { parts, endless, body });
        }
        let name = match self.word(WordEnd::Command)? {
            Some(word) if is_name(&word.text) => word.text,
            _ => return self.malformed("`for` needs a variable's name"),
        };
        self.linebreak()?;
        let mut words = None;
        if self.reserved() == Some("in") {
            self.position += 2;
            let mut list = Vec::new();
            loop {
                self.blanks();
                match self.word(WordEnd::Command)? {
                    Some(word) => list.push(word),
                    None => break,
                }
            }
            words = Some(list);
            if !matches!(self.peek(), Some(b';' | b'\n' | b'#')) {
                return self.malformed("`for` needs `;` or a new line before `do`");
            }
        }
        self.separator()?;
        let body = self.do_group()?;
        Ok(CommandKind::For { name, words, body, asks })
    }

    /// An optional `;`, then newlines.
    fn separator(&mut self) -> Read<()> {
        self.blanks();
        if self.peek() == Some(b';') {
            self.position += 1;
        }
        self.linebreak()
    }

    fn case_command(&mut self) -> Read<CommandKind> {
        self.blanks();
        let Some(word) = self.word(WordEnd::Command)? else { return self.malformed("`case` needs a word") };
        self.linebreak()?;
        self.expect("in")?;
        let mut arms = Vec::new();
        loop {
            self.linebreak()?;
            if self.reserved() == Some("esac") {
                self.position += 4;
                return Ok(CommandKind::Case { word, arms });
            }
            if self.peek() == Some(b'(') {
                self.position += 1;
            }
            let patterns = self.case_patterns()?;
            let script = self.nested(|parser| parser.script(End::CaseArm))?;
            for end in [";;&", ";;", ";&"] {
                if self.rest().starts_with(end) {
                    self.position += end.len();
                    break;
                }
            }
            arms.push((patterns, script));
        }
    }

    fn case_patterns(&mut self) -> Read<Vec<RawWord>> {
        let mut patterns = Vec::new();
        loop {
            self.blanks();
            match self.word(WordEnd::Command)? {
                Some(pattern) => patterns.push(pattern),
                None => return self.malformed("`case` needs a pattern"),
            }
            self.blanks();
            match self.peek() {
                Some(b'|') => self.position += 1,
                Some(b')') => {
                    self.position += 1;
                    return Ok(patterns);
                }
                _ => return self.malformed("a pattern of `case` is not closed"),
            }
        }
    }

    fn function_command(&mut self) -> Read<CommandKind> {
        self.blanks();
        let Some(name) = self.word(WordEnd::Command)? else { return self.malformed("a function needs a name") };
        self.blanks();
        if self.peek() == Some(b'(') {
            self.empty_parentheses()?;
        }
        self.function_body(name)
    }

    fn empty_parentheses(&mut self) -> Read<()> {
        self.position += 1;
        self.blanks();
        if self.peek() != Some(b')') {
            return self.malformed("an unexpected parenthesis");
        }
        self.position += 1;
        Ok(())
    }

    fn function_body(&mut self, name: RawWord) -> Read<CommandKind> {
        self.linebreak()?;
        let body = self.nested(Self::command)?;
        if matches!(body.kind, CommandKind::Simple { .. } | CommandKind::Function { .. } | CommandKind::Coprocess(_)) {
            return self.malformed("a function needs a body in braces");
        }
        Ok(CommandKind::Function { name: name.text, body: Rc::new(body) })
    }

    fn coprocess(&mut self) -> Read<CommandKind> {
        self.blanks();
        let start = self.position;
        let named = match self.word(WordEnd::Command)? {
            Some(word) if is_name(&word.text) => {
                self.blanks();
                self.peek() == Some(b'(') || self.reserved().is_some()
            }
            _ => false,
        };
        if !named {
            self.position = start;
        }
        let command = self.nested(Self::command)?;
        Ok(CommandKind::Coprocess(Box::new(command)))
    }

    fn simple(&mut self) -> Read<Command> {
        let start = self.position;
        let mut assignments = Vec::new();
        let mut words: Vec<RawWord> = Vec::new();
        let mut redirections = Vec::new();
        let mut span = self.span(start);
        loop {
            self.blanks();
            if let Some(redirection) = self.redirection()? {
                redirections.push(redirection);
                span = self.span(start);
                continue;
            }
            if self.peek() == Some(b'#') {
                break;
            }
            if self.peek() == Some(b'(') {
                if words.len() != 1 || !assignments.is_empty() || !redirections.is_empty() {
                    return self.malformed("an unexpected parenthesis");
                }
                self.empty_parentheses()?;
                let kind = self.function_body(words.remove(0))?;
                return Ok(Command { kind, redirections, span: self.span(start) });
            }
            let assignable = words.first().is_none_or(|first| DECLARATIONS.contains(&first.text.as_str()));
            let Some(word) = self.word(if assignable { WordEnd::Assignable } else { WordEnd::Command })? else { break };
            match words.is_empty().then(|| split_assignment(&word)).flatten() {
                Some(assignment) => assignments.push(assignment),
                None => words.push(word),
            }
            span = self.span(start);
        }
        if assignments.is_empty() && words.is_empty() && redirections.is_empty() {
            return self.malformed("a command is missing");
        }
        Ok(Command { kind: CommandKind::Simple { assignments, words }, redirections, span })
    }

    fn redirection(&mut self) -> Read<Option<RawRedirection>> {
        let start = self.position;
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let mut prefix = digits;
        if let Some(inner) = self.rest().strip_prefix('{')
            && let Some(end) = inner.find('}')
            && is_name(&inner[..end])
        {
            prefix = end + 2;
        }
        let after = &self.rest()[prefix..];
        let Some(operator) = OPERATORS.iter().copied().find(|operator| after.starts_with(operator)) else {
            return Ok(None);
        };
        let is_process = matches!(operator, "<" | ">") && after[1..].starts_with('(');
        if is_process || (prefix > 0 && operator.starts_with('&')) {
            return Ok(None);
        }
        let descriptor = self.rest()[..digits].parse().ok();
        self.position += prefix + operator.len();
        self.blanks();
        let digits_after = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let is_descriptor = digits_after > 0 && matches!(self.peek_at(digits_after), Some(b'<' | b'>'));
        let word = if self.peek() == Some(b'#') || is_descriptor { None } else { self.word(WordEnd::Command)? };
        let Some(target) = word else { return self.malformed("a redirection needs a target") };
        let body = operator.starts_with("<<").then(|| self.here_redirection(operator, &target)).flatten();
        Ok(Some(RawRedirection { descriptor, operator, target, body, span: self.span(start) }))
    }

    fn here_redirection(&mut self, operator: &str, target: &RawWord) -> Option<Rc<OnceCell<Parts>>> {
        if operator == "<<<" {
            return None;
        }
        let body = Rc::new(OnceCell::new());
        let (delimiter, quoted) = delimiter(target);
        self.pending.push(Pending { delimiter, quoted, strip_tabs: operator == "<<-", body: Rc::clone(&body) });
        Some(body)
    }

    fn test_command(&mut self) -> Read<CommandKind> {
        let mut words = Vec::new();
        self.nested(|parser| parser.test_or(&mut words))?;
        self.linebreak()?;
        if self.reserved() != Some("]]") {
            return self.malformed("`[[` is not closed");
        }
        self.position += 2;
        Ok(CommandKind::Test(words))
    }

    fn test_or(&mut self, words: &mut Vec<RawWord>) -> Read<()> {
        loop {
            self.test_primary(words)?;
            self.linebreak()?;
            if !(self.rest().starts_with("&&") || self.rest().starts_with("||")) {
                return Ok(());
            }
            self.position += 2;
        }
    }

    fn test_primary(&mut self, words: &mut Vec<RawWord>) -> Read<()> {
        self.linebreak()?;
        while self.reserved() == Some("!") {
            self.position += 1;
            self.linebreak()?;
        }
        if self.peek() == Some(b'(') {
            self.position += 1;
            self.nested(|parser| parser.test_or(words))?;
            if self.peek() != Some(b')') {
                return self.malformed("a parenthesis is not closed");
            }
            self.position += 1;
            return Ok(());
        }
        let first = self.test_word(WordEnd::Command)?;
        let unary = first.text.len() == 2 && first.text.starts_with('-');
        words.push(first);
        self.linebreak()?;
        if self.test_ends() {
            return if unary { self.malformed("a test has no operand") } else { Ok(()) };
        }
        if unary {
            words.push(self.test_word(WordEnd::Command)?);
            return Ok(());
        }
        let regex = match self.peek() {
            Some(b'<' | b'>') => {
                self.position += 1;
                false
            }
            _ => {
                let operator = self.test_word(WordEnd::Command)?;
                let known =
                    matches!(operator.text.as_str(), "=" | "==" | "!=" | "=~") || operator.text.starts_with('-');
                if !known {
                    return self.malformed("a test has an unknown operator");
                }
                let regex = operator.text == "=~";
                words.push(operator);
                regex
            }
        };
        self.blanks();
        words.push(self.test_word(if regex { WordEnd::Regex } else { WordEnd::Command })?);
        Ok(())
    }

    fn test_ends(&self) -> bool {
        let rest = self.rest();
        rest.is_empty()
            || rest.starts_with(')')
            || rest.starts_with("&&")
            || rest.starts_with("||")
            || self.reserved() == Some("]]")
    }

    fn test_word(&mut self, end: WordEnd) -> Read<RawWord> {
        if self.reserved() == Some("]]") {
            return self.malformed("a test has no operand");
        }
        match self.word(end)? {
            Some(word) => Ok(word),
            None => self.malformed("a test has no operand"),
        }
    }
}

/// The text a here-document ends at, and whether any of it was quoted.
fn delimiter(word: &RawWord) -> (String, bool) {
    let mut text = String::new();
    let mut any_quoted = false;
    for part in &word.parts {
        match part {
            Part::Literal { text: literal, quoted } => {
                text.push_str(literal);
                any_quoted |= quoted;
            }
            // Expansions are not performed in delimiters; such a word can only end at its own text.
            _ => return (word.text.clone(), false),
        }
    }
    (text, any_quoted)
}

/// `NAME=…`, `NAME+=…` or `NAME[…]=…`.
pub(crate) fn split_assignment(word: &RawWord) -> Option<RawAssignment> {
    let Some(Part::Literal { text, quoted: false }) = word.parts.first() else { return None };
    let name_length = text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    let name = &text[..name_length];
    if !is_name(name) {
        return None;
    }
    let rest = &text[name_length..];
    let mut element = false;
    let (append, value) = if let Some(value) = rest.strip_prefix("+=") {
        (true, value)
    } else if let Some(value) = rest.strip_prefix('=') {
        (false, value)
    } else if rest.starts_with('[') && element_assignment(&word.text[name_length..]) {
        element = true;
        (false, rest)
    } else {
        return None;
    };
    let mut parts = word.parts.clone();
    parts[0] = Part::Literal { text: value.to_owned(), quoted: false };
    Some(RawAssignment {
        name: name.to_owned(),
        append,
        element,
        value: parts,
        array: word.array.clone(),
        span: word.span,
    })
}

fn element_assignment(subscript: &str) -> bool {
    subscript.find("]=").or_else(|| subscript.find("]+=")).is_some()
}
