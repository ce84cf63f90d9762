//! Walks a plan once and collects what the rules say of it.
//!
//! What depends on more than one invocation lives here: the working directory, files made on the
//! line, fork bombs, shells that talk to a peer. What one program does lives in `models`.

use portcullis_plugin::policy::{
    Invocation, InvocationKind, Mode, Plan, Redirection, Request, Span, StandardInput, Unknown, UnknownKind, Word,
};

use crate::call::Call;
use crate::models;
use crate::place::{self, Target};
use crate::reading;
use crate::rule::{self, Class, Rule};
use crate::settings::Settings;

/// A rule that a part of the line meets.
#[derive(Debug, Clone, Copy)]
pub struct Finding {
    pub rule: &'static Rule,
    pub span: Option<Span>,
}

impl Finding {
    pub fn whole(rule: &'static Rule) -> Self {
        Self { rule, span: None }
    }
}

/// How a file is touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touch {
    /// Its content is replaced, or it is created.
    Overwrite,
    /// Something is added at the end, or an attribute changes.
    Append,
    /// It is removed or moved away.
    Remove,
}

/// Programs that carry a shell's input and output to a peer.
const PEERS: &[&str] = &[
    "nc",
    "ncat",
    "netcat",
    "nc.openbsd",
    "nc.traditional",
    "socat",
    "telnet",
    "openssl",
    "cryptcat",
    "websocat",
    "pwncat",
];
const SHELLS: &[&str] = &["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "rbash", "fish", "csh", "tcsh"];

/// The state of one walk.
pub struct Review<'a> {
    plan: &'a Plan,
    findings: Vec<Finding>,
    /// Where relative paths start, while that is known.
    pub directory: Option<String>,
    previous_directory: Option<String>,
    /// Normalised paths of files that the line makes.
    made: Vec<String>,
    /// The line set IFS, so that words are not what they look like.
    splits: bool,
    /// An archive was unpacked; what is in it is not known.
    unpacked: bool,
    span: Span,
}

impl<'a> Review<'a> {
    /// Everything the rules say of `plan`.
    pub fn of(request: &'a Request, plan: &'a Plan, settings: &Settings) -> Vec<Finding> {
        let mut review = Review {
            plan,
            findings: Vec::new(),
            directory: request.cwd.clone().filter(|path| path.starts_with('/')),
            previous_directory: None,
            made: Vec::new(),
            splits: false,
            unpacked: false,
            span: Span { start: 0, end: 0 },
        };
        if request.raw.chars().any(|character| character.is_control() && !matches!(character, '\t' | '\n')) {
            review.findings.push(Finding::whole(&rule::CONTROL));
        }
        for unknown in &plan.unknowns {
            review.unknown(unknown);
        }
        // Denied in every mode, however much of it was followed.
        if review.findings.iter().any(|finding| std::ptr::eq(finding.rule, &rule::LIMIT)) {
            return review.findings;
        }
        for (index, invocation) in plan.invocations.iter().enumerate() {
            review.span = invocation.span;
            review.invocation(index, invocation);
            review.mode_rules(invocation, request.mode, settings);
        }
        review.shells_with_peers();
        review.findings
    }

    /// Notes that the invocation being looked at meets `rule`.
    pub fn add(&mut self, rule: &'static Rule) {
        let span = Some(self.span);
        if !self.findings.iter().any(|finding| {
            std::ptr::eq(finding.rule, rule) && finding.span.map(|span| span.start) == span.map(|span| span.start)
        }) {
            self.findings.push(Finding { rule, span });
        }
    }

    /// How much was found so far.
    pub fn count(&self) -> usize {
        self.findings.len()
    }

    /// Whether something extreme was found since `count`.
    pub fn is_extreme_since(&self, count: usize) -> bool {
        self.findings[count..].iter().any(|finding| finding.rule.class == Class::Extreme)
    }

    /// Takes back what was found since `count`.
    pub fn forget_since(&mut self, count: usize) {
        self.findings.truncate(count);
    }

    fn unknown(&mut self, unknown: &Unknown) {
        self.span = unknown.span;
        match unknown.kind {
            UnknownKind::Unresolved => self.add(&rule::UNRESOLVED),
            UnknownKind::Malformed => self.add(&rule::MALFORMED),
            UnknownKind::Refused if unknown.what.starts_with("misleading character") => self.add(&rule::UNICODE),
            UnknownKind::Refused if unknown.what.starts_with("control character") => self.add(&rule::CONTROL),
            UnknownKind::Refused => self.add(&rule::LIMIT),
        }
    }

    fn invocation(&mut self, index: usize, invocation: &'a Invocation) {
        if invocation.background {
            self.add(&rule::BACKGROUND);
        }
        self.wrappers(invocation);
        models::environment::assignments(self, invocation);
        for redirection in &invocation.redirections {
            self.redirection(redirection);
        }
        match invocation.kind {
            InvocationKind::FunctionDefinition => self.function(index, invocation),
            InvocationKind::Redirection => self.bare_redirection(index, invocation),
            InvocationKind::Assignment => {
                self.splits |= invocation.assignments.iter().any(|assignment| assignment.name == "IFS");
            }
            InvocationKind::Command => {
                if self.splits && invocation.argv.first().is_some_and(|word| word.text.starts_with('$')) {
                    self.add(&rule::ENVIRONMENT);
                }
                if let Some(call) = Call::new(invocation) {
                    self.command(&call);
                }
            }
        }
    }

    fn command(&mut self, call: &Call<'a>) {
        let path = call.invocation.argv.first().and_then(|word| word.value.as_deref()).unwrap_or("");
        if path.contains('/') && self.is_unreviewed(path) {
            self.add(&rule::SCRATCH);
        }
        if call.asks_about_itself() {
            return;
        }
        self.change_directory(call);
        let known = self.findings.len();
        models::judge(self, call);
        self.silent_producer(call);
        models::unlisted::judge(self, call, known);
    }

    /// A script or program that nobody could have reviewed: in a scratch directory or just made.
    pub fn is_unreviewed(&self, path: &str) -> bool {
        let path = place::normalise(path, self.directory.as_deref());
        let is_made =
            |made: &String| path == *made || path.strip_prefix(made.as_str()).is_some_and(|rest| rest.starts_with('/'));
        place::is_scratch(&path) || self.made.iter().any(is_made) || (self.unpacked && !path.starts_with(['/', '~']))
    }

    /// Notes a directory the line fetches; without a name it may be any below the present one.
    pub fn fetches(&mut self, directory: Option<&str>) {
        match directory {
            Some(directory) => self.made.push(place::normalise(directory, self.directory.as_deref())),
            None => self.unpacked = true,
        }
    }

    /// Whether the present directory was fetched by this line.
    pub fn is_in_fetched_directory(&self) -> bool {
        self.directory.as_ref().is_some_and(|directory| {
            self.made.iter().any(|made| {
                directory == made || directory.strip_prefix(made.as_str()).is_some_and(|rest| rest.starts_with('/'))
            })
        })
    }

    /// The commands before `invocation` in its pipeline.
    pub fn earlier_stages(&self, invocation: &Invocation) -> Vec<Call<'a>> {
        let position = self.plan.invocations.iter().position(|other| std::ptr::eq(other, invocation)).unwrap_or(0);
        let before = self.plan.invocations[..position].iter().rev();
        before
            .take_while(|other| other.stages == invocation.stages && other.stages > 1)
            .filter(|other| other.stage < invocation.stage)
            .filter_map(Call::new)
            .collect()
    }

    /// The commands after `invocation` in its pipeline.
    pub fn later_stages(&self, invocation: &Invocation) -> Vec<Call<'a>> {
        let position = self.plan.invocations.iter().position(|other| std::ptr::eq(other, invocation)).unwrap_or(0);
        let after = self.plan.invocations.get(position + 1..).unwrap_or(&[]).iter();
        after
            .take_while(|other| other.stages == invocation.stages && other.stages > 1)
            .filter(|other| other.stage > invocation.stage)
            .filter_map(Call::new)
            .collect()
    }

    fn wrappers(&mut self, invocation: &Invocation) {
        let has = |names: &[&str]| invocation.wrappers.iter().any(|wrapper| names.contains(&wrapper.as_str()));
        let limited = has(&["timeout", "gtimeout"]);
        if has(&["nohup", "setsid", "daemonize", "at", "batch"]) {
            self.add(&rule::BACKGROUND);
        }
        if has(&["watch", "while true"]) && !limited {
            self.add(&rule::STREAM);
        }
        if has(&["chroot", "unshare", "nsenter", "pkexec", "su", "runuser"]) {
            self.add(&rule::PRIVILEGE);
        }
        if has(&["PROMPT_COMMAND", "PS0", "PS1", "PS2", "PS4"]) {
            self.add(&rule::ENVIRONMENT);
        }
        if has(&["script"]) && invocation.argv.is_empty() {
            self.add(&rule::INTERACTIVE);
        }
    }

    fn change_directory(&mut self, call: &Call<'a>) {
        if !matches!(call.program, "cd" | "pushd") {
            return;
        }
        let operands = call.operands("", &[]);
        let next = match operands.first() {
            None => Some("~".to_owned()),
            Some(word) => match word.value.as_deref() {
                Some("-") => self.previous_directory.clone(),
                Some(path) => Some(place::normalise(path, self.directory.as_deref())),
                None => None,
            },
        };
        self.previous_directory = std::mem::replace(&mut self.directory, next);
    }

    fn redirection(&mut self, redirection: &Redirection) {
        let target = redirection.target.value.as_deref();
        if let Some(path) = target
            && place::target(&place::normalise(path, None)) == Target::Peer
        {
            self.add(&rule::SEND);
            return;
        }
        let writes = redirection.operator.contains('>');
        if !writes
            || (redirection.operator.ends_with('&')
                && target
                    .is_some_and(|value| value.chars().all(|character| character.is_ascii_digit() || character == '-')))
        {
            return;
        }
        let touch = if redirection.operator.contains(">>") { Touch::Append } else { Touch::Overwrite };
        self.touch(&redirection.target, touch);
    }

    /// `> file` alone empties the file; on a group it belongs to what stands inside.
    fn bare_redirection(&mut self, index: usize, invocation: &Invocation) {
        let is_group = self.plan.invocations.get(index + 1).is_some_and(|next| {
            next.span.start >= invocation.span.start
                && next.span.end <= invocation.span.end
                && (next.span.start, next.span.end) != (invocation.span.start, invocation.span.end)
        });
        if !is_group {
            self.empties(invocation);
        }
    }

    /// A program that prints nothing, with its output in a file: the file is empty afterwards.
    fn silent_producer(&mut self, call: &Call<'_>) {
        let silent = match call.program {
            ":" | "true" => true,
            "cat" => call.values().any(|value| value == "/dev/null"),
            "printf" => call.value(0) == Some(""),
            "echo" => call.values().eq(["-n"]) || call.values().eq(["-n", ""]),
            _ => false,
        };
        if silent {
            self.empties(call.invocation);
        }
    }

    fn empties(&mut self, invocation: &Invocation) {
        for redirection in &invocation.redirections {
            let path = redirection.target.value.as_deref().unwrap_or("");
            let is_file = matches!(place::target(path), Target::Plain | Target::Protected | Target::Scratch)
                && !redirection.target.text.starts_with(">(");
            if matches!(redirection.operator.as_str(), ">" | ">|" | "&>") && is_file {
                self.add(&rule::TRUNCATE);
            }
        }
    }

    /// Notes a file that the line writes; programs made this way are not run unseen.
    pub fn touch(&mut self, word: &Word, touch: Touch) {
        if word.text.starts_with(">(") {
            // What reads the other end is a command of the line itself.
            return;
        }
        let Some(value) = word.value.as_deref() else {
            self.touch_unknown(word);
            return;
        };
        let path = place::normalise(value, self.directory.as_deref());
        self.touch_path(&path, touch);
    }

    pub fn touch_path(&mut self, path: &str, touch: Touch) {
        match place::target(path) {
            Target::Nowhere => return,
            Target::Peer => self.add(&rule::SEND),
            Target::BlockDevice => self.add(&rule::DEVICE_WRITE),
            Target::Emergency => self.add(&rule::CRITICAL_FILE),
            Target::Critical if touch != Touch::Append => self.add(&rule::CRITICAL_FILE),
            Target::Critical | Target::Protected => self.add(&rule::WRITE_PROTECTED),
            Target::Scratch | Target::Plain => self.add(&rule::WRITE_PLAIN),
        }
        self.made.push(path.to_owned());
    }

    /// A target with a variable in it: what is written out in front of it says where it goes.
    fn touch_unknown(&mut self, word: &Word) {
        let literal: String = word
            .text
            .chars()
            .take_while(|character| !matches!(character, '$' | '`' | '{'))
            .filter(|character| !matches!(character, '"' | '\''))
            .collect();
        match literal.rsplit_once('/') {
            Some((directory, _)) if !directory.is_empty() || !literal.starts_with('/') => {
                let path = place::normalise(&format!("{directory}/x"), self.directory.as_deref());
                self.touch_path(&path, Touch::Append);
            }
            _ => self.add(&rule::WRITE_UNKNOWN),
        }
    }

    fn function(&mut self, index: usize, invocation: &Invocation) {
        let Some(name) = invocation.program.as_deref() else { return };
        if (reading::is_ordinary_command(name) && name != ":") || name.starts_with("command_not_found_handle") {
            self.add(&rule::ENVIRONMENT);
        }
        let body = self.plan.invocations[index + 1..].iter().take_while(|inner| inner.depth > invocation.depth);
        let multiplies = body
            .clone()
            .filter(|inner| inner.program.as_deref() == Some(name))
            .any(|inner| inner.background || inner.stages > 1);
        let calls = body
            .filter(|inner| inner.program.as_deref() == Some(name) && inner.kind == InvocationKind::Command)
            .count();
        if multiplies || calls > 1 {
            self.add(&rule::FORK_BOMB);
        }
    }

    /// A shell joined to a network peer by a pipe or by /dev/tcp.
    fn shells_with_peers(&mut self) {
        let is_shell = |invocation: &Invocation| {
            invocation.program.as_deref().is_some_and(|program| SHELLS.contains(&program))
                || invocation.wrappers.iter().any(|wrapper| SHELLS.contains(&wrapper.as_str()))
        };
        let uses_peer_path = |invocation: &Invocation| {
            invocation.redirections.iter().any(|redirection| {
                redirection.target.value.as_deref().is_some_and(|path| place::target(path) == Target::Peer)
            })
        };
        let peer_path = self.plan.invocations.iter().any(uses_peer_path);
        let runs_unknown = self.plan.unknowns.iter().any(|unknown| unknown.kind == UnknownKind::Unresolved);
        for shell in &self.plan.invocations {
            let reads_shell_text = is_shell(shell) && !matches!(shell.standard_input, StandardInput::Text(Some(_)));
            let unresolved_program = shell.kind == InvocationKind::Command
                && (shell.program.is_none() || shell.program.as_deref() == Some("eval"));
            let joined_by_descriptors = reads_shell_text
                && shell.redirections.iter().any(|item| item.operator.ends_with('&') && item.target.value.is_none())
                && self.plan.invocations.iter().any(is_peer);
            let piped_to_peer = reads_shell_text
                && shell.stages > 1
                && self
                    .plan
                    .invocations
                    .iter()
                    .any(|peer| peer.stages > 1 && peer.stage != shell.stage && is_peer(peer));
            if piped_to_peer
                || joined_by_descriptors
                || (peer_path && (reads_shell_text || (unresolved_program && runs_unknown)))
            {
                self.span = shell.span;
                self.add(&rule::REMOTE_SHELL);
            }
        }
    }

    fn mode_rules(&mut self, invocation: &'a Invocation, mode: Mode, settings: &Settings) {
        if invocation.kind != InvocationKind::Command {
            return;
        }
        let call = Call::new(invocation);
        match mode {
            Mode::Readonly if !call.is_some_and(|call| reading::reads(&call)) => self.add(&rule::NOT_READING),
            Mode::Restricted => {
                let listed =
                    |name: &str| settings.allow.iter().any(|allowed| name.split(' ').next() == Some(allowed.as_str()));
                let all = invocation.program.as_deref().is_some_and(listed)
                    && invocation
                        .wrappers
                        .iter()
                        .filter(|wrapper| *wrapper != "while true")
                        .all(|wrapper| listed(wrapper));
                if !all {
                    self.add(&rule::NOT_LISTED);
                }
            }
            Mode::Readonly | Mode::Safe | Mode::Full => {}
        }
    }
}

/// A program that carries bytes to and from another machine as they come.
fn is_peer(invocation: &Invocation) -> bool {
    let connects = invocation.program.as_deref() != Some("openssl")
        || invocation.argv.iter().any(|word| word.value.as_deref() == Some("s_client"));
    connects && invocation.program.as_deref().is_some_and(|program| PEERS.contains(&program))
}
