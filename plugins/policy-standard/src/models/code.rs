//! Interpreters, shells and programs that run another program because of an option.

use portcullis_plugin::policy::StandardInput;

use crate::call::Call;
use crate::place;
use crate::review::Review;
use crate::rule;

/// An interpreter: letters and options that give code, letters with values, and what asks for a prompt.
struct Interpreter {
    names: &'static [&'static str],
    code: &'static str,
    code_long: &'static [&'static str],
    valued: &'static str,
}

const INTERPRETERS: &[Interpreter] = &[
    Interpreter {
        names: &["python", "python2", "python3", "pypy", "pypy3", "ipython", "ipython3"],
        code: "c",
        code_long: &[],
        valued: "cmWXQ",
    },
    Interpreter { names: &["perl", "perl5"], code: "eE", code_long: &[], valued: "eEIMm" },
    Interpreter { names: &["ruby", "jruby"], code: "e", code_long: &[], valued: "eIrECFKT" },
    Interpreter { names: &["node", "nodejs"], code: "ep", code_long: &["--eval", "--print"], valued: "epr" },
    Interpreter { names: &["bun"], code: "ep", code_long: &["--eval", "--print"], valued: "ep" },
    Interpreter {
        names: &["php", "php7", "php8"],
        code: "rBRE",
        code_long: &["--run", "--process-code", "--process-begin", "--process-end"],
        valued: "rBREcdft",
    },
    Interpreter {
        names: &["lua", "luajit", "lua5.1", "lua5.2", "lua5.3", "lua5.4"],
        code: "e",
        code_long: &[],
        valued: "el",
    },
    Interpreter { names: &["Rscript", "R"], code: "e", code_long: &[], valued: "ef" },
    Interpreter { names: &["julia"], code: "eE", code_long: &["--eval", "--print"], valued: "eELJ" },
    Interpreter {
        names: &[
            "tclsh",
            "wish",
            "osascript",
            "pwsh",
            "powershell",
            "groovy",
            "scala",
            "elixir",
            "erl",
            "ghc",
            "runghc",
            "sbcl",
            "guile",
            "racket",
            "clj",
            "clojure",
            "swipl",
            "ocaml",
            "raku",
            "crystal",
            "escript",
            "jshell",
            "kotlinc",
        ],
        code: "ecrC",
        code_long: &["--eval", "-eval", "-Command", "-EncodedCommand", "-e", "-c"],
        valued: "ecrC",
    },
];

pub fn judge<'a>(review: &mut Review<'a>, call: &Call<'a>) {
    let base = versionless(call.program);
    if let Some(interpreter) = INTERPRETERS
        .iter()
        .find(|interpreter| interpreter.names.contains(&call.program) || interpreter.names.contains(&base))
    {
        interpret(review, call, interpreter, base);
    }
    match call.program {
        "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh" | "mksh" | "rbash" | "fish" | "csh" | "tcsh" => {
            shell(review, call)
        }
        "source" | "." => script_operand(review, call.words.first().and_then(|word| word.value.as_deref())),
        "deno" => deno(review, call),
        "make" | "gmake" => make(review, call),
        "man"
            if call.has("PH", &["--pager", "--html"])
                && !matches!(call.option_text('P', &["--pager"]).as_deref(), Some("cat")) =>
        {
            review.add(&rule::FLAG_EXEC)
        }
        "sort" if call.values().any(|value| value.starts_with("--comp")) => review.add(&rule::FLAG_EXEC),
        "rg" if call.values().any(|value| {
            value.starts_with("--pre") && !value.starts_with("--pretty") && !value.starts_with("--pre-glob")
                || value.starts_with("--hostname-bin")
        }) =>
        {
            review.add(&rule::FLAG_EXEC)
        }
        "tcpdump" if call.has("z", &[]) => review.add(&rule::FLAG_EXEC),
        "nmap"
            if call
                .values()
                .any(|value| value.starts_with("--script") || value == "--interactive" || value == "-sC") =>
        {
            review.add(&rule::FLAG_EXEC)
        }
        "gdb" | "lldb" if runs_debugger_commands(call) => review.add(&rule::FLAG_EXEC),
        "strace" | "ltrace"
            if call.option_text('o', &["--output"]).is_some_and(|target| target.starts_with(['|', '!'])) =>
        {
            review.add(&rule::FLAG_EXEC)
        }
        "gcc" | "cc" | "g++" | "clang"
            if call.values().any(|value| {
                value.starts_with("-wrapper")
                    || value.starts_with("-fplugin")
                    || value.starts_with("-B")
                    || value.starts_with("-specs")
            }) =>
        {
            review.add(&rule::FLAG_EXEC)
        }
        "cmake" if call.option_text('P', &[]).is_some_and(|path| review.is_unreviewed(&path)) => {
            review.add(&rule::SCRATCH)
        }
        "dc" | "bc" if call.values().any(|value| value.contains('!')) && call.program == "dc" => {
            review.add(&rule::FLAG_EXEC)
        }
        "pip" | "pip3" if call.values().any(|value| value.starts_with("git+") || value.starts_with("http")) => {
            review.add(&rule::OPAQUE)
        }
        "npx" | "bunx" | "pnpx" | "uvx" | "pipx" => review.add(&rule::PROJECT),
        "npm" | "yarn" | "pnpm" | "pip" | "pip3" | "cargo" | "go" | "cmake" | "ninja" | "meson" | "mvn" | "gradle"
        | "rake" | "composer" | "bundle"
            if review.is_in_fetched_directory()
                || (call.program.starts_with("pip")
                    && call.verb() == "install"
                    && call.values().any(crate::place::is_scratch)) =>
        {
            review.add(&rule::SCRATCH)
        }
        "java" if call.option_text('\0', &["-jar"]).is_some_and(|path| review.is_unreviewed(&path)) => {
            review.add(&rule::SCRATCH)
        }
        "vim" | "vi" | "nvim" | "view" | "emacs" if call.has("cESs", &["--eval", "--cmd", "--batch"]) => {
            review.add(&rule::FLAG_EXEC)
        }
        _ => {}
    }
}

/// Commands for a debugger that do more than show the state.
fn runs_debugger_commands(call: &Call<'_>) -> bool {
    const SHOWING: &[&str] =
        &["bt", "backtrace", "where", "info", "thread", "p", "print", "list", "x", "quit", "q", "set", "frame"];
    if call.has_word(&["-x", "--command", "-ix", "-s"]) {
        return true;
    }
    let words: Vec<&str> = call.values().collect();
    words.windows(2).any(|pair| {
        let is_command = matches!(pair[0], "-ex" | "--eval-command" | "-iex" | "-o");
        is_command && !pair[1].split([' ', '/']).next().is_some_and(|verb| SHOWING.contains(&verb))
    })
}

/// `python3.11` is `python3`.
fn versionless(program: &str) -> &str {
    let stem = program.trim_end_matches(|character: char| character.is_ascii_digit() || character == '.');
    if program.len() > stem.len()
        && matches!(stem, "python" | "perl" | "ruby" | "lua" | "php" | "node" | "pypy" | "tclsh")
    {
        stem
    } else {
        program
    }
}

fn interpret(review: &mut Review<'_>, call: &Call<'_>, interpreter: &Interpreter, name: &str) {
    let mut index = 0;
    let mut module = None;
    let mut is_inline = false;
    let mut asks_prompt = false;
    while let Some(value) = call.value(index) {
        if value == "-" || !value.starts_with('-') {
            break;
        }
        index += 1;
        if value == "--" {
            break;
        }
        if interpreter
            .code_long
            .iter()
            .any(|long| value == *long || value.strip_prefix(long).is_some_and(|rest| rest.starts_with('=')))
        {
            is_inline = true;
            break;
        }
        let preload = match value.split_once('=') {
            Some(("--require" | "--import" | "--loader" | "--experimental-loader", path)) => Some(path),
            None if matches!(value, "-r" | "--require" | "--import" | "--loader") && name.starts_with("node") => {
                call.value(index)
            }
            _ => None,
        };
        if preload.is_some_and(|path| review.is_unreviewed(path)) {
            review.add(&rule::SCRATCH);
        }
        if value.starts_with("--") {
            continue;
        }
        let letters = &value[1..];
        if name.starts_with("perl") && letters.starts_with(['i', 'p', 'n', 'l', 'a', '0', 'F']) && letters.contains('i')
        {
            review.add(&rule::IN_PLACE);
        }
        if name.starts_with("ruby") && letters.contains('i') {
            review.add(&rule::IN_PLACE);
        }
        let stop = letters.find(|letter| interpreter.valued.contains(letter));
        is_inline |= letters[..stop.map_or(letters.len(), |stop| stop + 1)]
            .chars()
            .any(|letter| interpreter.code.contains(letter));
        if is_inline {
            break;
        }
        if name.starts_with("python") && letters[..stop.map_or(letters.len(), |stop| stop + 1)].ends_with('m') {
            let attached = &letters[stop.map_or(0, |stop| stop + 1)..];
            module = if attached.is_empty() { call.value(index) } else { Some(attached) };
            index += 1;
            break;
        }
        asks_prompt |= (name.starts_with("python") && letters.contains('i'))
            || (name.starts_with("php") && letters.contains('a'))
            || letters == "i";
        if name.starts_with("php") && letters.starts_with('S') {
            review.add(&rule::STREAM);
        }
        if stop.is_some_and(|stop| letters[stop..].chars().count() == 1) {
            index += 1;
        }
    }
    if asks_prompt {
        review.add(&rule::INTERACTIVE);
    }
    if is_inline {
        inline(review, call);
    } else if let Some(module) = module {
        python_module(review, call, module);
    } else {
        program_text(review, call, index);
    }
}

/// Code on the line: a shell for a peer is said so, the rest is opaque.
fn inline(review: &mut Review<'_>, call: &Call<'_>) {
    review.add(&rule::INLINE);
    let code = call.values().collect::<Vec<_>>().join(" ").to_lowercase();
    connected_shell(review, &code);
}

fn connected_shell(review: &mut Review<'_>, code: &str) {
    let code = code.to_lowercase();
    let connects = [
        "socket",
        "fsockopen",
        "/inet/tcp",
        "/inet/udp",
        "net.connect",
        "createconnection",
        "tcpclient",
        "so.connect",
        "/dev/tcp",
    ]
    .iter()
    .any(|word| code.contains(word));
    let shell = [
        "/bin/sh",
        "/bin/bash",
        "pty.spawn",
        "\"sh\"",
        "'sh'",
        "'bash'",
        "\"bash\"",
        "sh -i",
        "exec",
        "popen",
        "subprocess",
        "dup2",
        "system(",
        "cmd.exe",
    ]
    .iter()
    .any(|word| code.contains(word));
    if connects && shell {
        review.add(&rule::REMOTE_SHELL);
    }
}

fn python_module(review: &mut Review<'_>, call: &Call<'_>, module: &str) {
    if call.has_word(&["--help"]) {
        return;
    }
    match module {
        "http.server" | "SimpleHTTPServer" | "smtpd" | "aiosmtpd" | "uvicorn" | "gunicorn"
            if !call.is_time_limited() =>
        {
            review.add(&rule::STREAM)
        }
        "http.server" | "SimpleHTTPServer" => review.add(&rule::TUNNEL),
        "timeit" | "profile" | "cProfile" | "trace" => review.add(&rule::INLINE),
        "asyncio" => review.add(&rule::INTERACTIVE),
        "pdb" | "code" | "idlelib" | "IPython" | "turtledemo" | "ptpython" | "bpython" => {
            review.add(&rule::INTERACTIVE)
        }
        "json.tool" if call.reads_terminal() && call.operands("m", &[]).is_empty() => review.add(&rule::INTERACTIVE),
        _ => review.add(&rule::PROJECT),
    }
}

/// The script an interpreter runs: a file, its standard input, or a prompt.
fn program_text(review: &mut Review<'_>, call: &Call<'_>, index: usize) {
    match call.words.get(index) {
        Some(word) if word.value.as_deref() == Some("-") || word.value.as_deref() == Some("/dev/stdin") => {
            standard_input(review, call)
        }
        Some(word) => match word.value.as_deref() {
            Some(path) => script_operand(review, Some(path)),
            None => review.add(&rule::OPAQUE),
        },
        None if call.has_word(&["--test", "--check"]) => review.add(&rule::PROJECT),
        None => standard_input(review, call),
    }
}

fn standard_input(review: &mut Review<'_>, call: &Call<'_>) {
    match &call.invocation.standard_input {
        StandardInput::Inherited => review.add(&rule::INTERACTIVE),
        StandardInput::Text(Some(text)) => {
            review.add(&rule::INLINE);
            connected_shell(review, text);
        }
        StandardInput::Text(None) | StandardInput::Pipe => review.add(&rule::OPAQUE),
        StandardInput::File => {
            redirected_script(review, call);
            review.add(&rule::OPAQUE);
        }
    }
}

fn redirected_script(review: &mut Review<'_>, call: &Call<'_>) {
    let paths: Vec<String> = call
        .invocation
        .redirections
        .iter()
        .filter(|redirection| redirection.operator.starts_with('<'))
        .filter_map(|redirection| redirection.target.value.clone())
        .collect();
    for path in paths {
        script_operand(review, Some(&path));
    }
}

fn script_operand(review: &mut Review<'_>, path: Option<&str>) {
    match path {
        Some(path) if path.contains("://") || path.starts_with("/dev/") || path.starts_with("/proc/") => {
            review.add(&rule::OPAQUE)
        }
        Some(path) if review.is_unreviewed(path) => review.add(&rule::SCRATCH),
        Some(_) => review.add(&rule::PROJECT),
        None => review.add(&rule::OPAQUE),
    }
}

fn shell(review: &mut Review<'_>, call: &Call<'_>) {
    let operands = call.operands("oO", &["--rcfile", "--init-file"]);
    if call.has("", &["--rcfile", "--init-file"]) {
        review.add(&rule::ENVIRONMENT);
    }
    if call.values().any(|value| value.starts_with('-') && !value.starts_with("--") && value.contains('c')) {
        review.add(&rule::OPAQUE);
        return;
    }
    if let Some(word) = operands.first().filter(|_| !call.has("s", &[])) {
        script_operand(review, word.value.as_deref());
        return;
    }
    match &call.invocation.standard_input {
        StandardInput::Inherited => review.add(&rule::INTERACTIVE),
        StandardInput::File => {
            redirected_script(review, call);
            review.add(&rule::OPAQUE);
        }
        StandardInput::Pipe | StandardInput::Text(_) => review.add(&rule::OPAQUE),
    }
}

fn deno(review: &mut Review<'_>, call: &Call<'_>) {
    match call.verb() {
        "eval" => inline(review, call),
        "" | "repl" => review.add(&rule::INTERACTIVE),
        "run" | "serve" => {
            let script = call.operands("", &[]).get(1).and_then(|word| word.value.as_deref()).map(str::to_owned);
            script_operand(review, script.as_deref());
        }
        _ => {}
    }
}

fn make(review: &mut Review<'_>, call: &Call<'_>) {
    let replaced = call.values().any(|value| {
        value.split_once('=').is_some_and(|(name, _)| {
            matches!(name.trim_end_matches([':', '?', '+']), "SHELL" | "MAKEFLAGS" | "MAKE" | ".SHELLFLAGS" | "PATH")
        })
    });
    if replaced || call.has("E", &["--eval"]) {
        review.add(&rule::FLAG_EXEC);
    }
    if let Some(path) = call.option_text('f', &["--file", "--makefile"]) {
        if place::is_standard_input(&path) {
            review.add(&rule::OPAQUE);
        } else {
            script_operand(review, Some(&path));
        }
    }
    if review.is_in_fetched_directory()
        || call.option_text('C', &["--directory"]).is_some_and(|path| review.is_unreviewed(&path))
    {
        review.add(&rule::SCRATCH);
    }
}
