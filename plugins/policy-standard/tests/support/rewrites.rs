//! Ways to write a command so that it still runs, and ways to write it as data.

#![allow(dead_code, reason = "each test binary uses its part")]

/// A rewrite and its name.
pub(crate) type Rewrite = (&'static str, fn(&str) -> String);

fn single(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').filter(|word| !word.is_empty()).collect()
}

/// The first word replaced.
fn with_first(line: &str, change: impl Fn(&str) -> String) -> String {
    let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
    format!("{} {rest}", change(first))
}

fn each_word(line: &str, change: impl Fn(&str) -> String) -> String {
    words(line).into_iter().map(change).collect::<Vec<_>>().join(" ")
}

fn escapes(text: &str, escape: impl Fn(u8) -> String) -> String {
    text.bytes().map(escape).collect()
}

fn hexadecimal(text: &str) -> String {
    escapes(text, |byte| format!("{byte:02x}"))
}

pub(crate) fn base64(text: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place)) as usize & 63] as char;
            out.push(if place <= chunk.len() { letter } else { '=' });
        }
    }
    out
}

fn rotated(text: &str) -> String {
    let rotate = |first: u8, byte: u8| char::from((byte - first + 13) % 26 + first);
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' => rotate(b'a', byte),
            b'A'..=b'Z' => rotate(b'A', byte),
            other => char::from(other),
        })
        .collect()
}

/// A here-document whose end does not stand in `line`.
fn document(before: &str, after: &str, line: &str) -> String {
    let end = format!("QQ{}", line.len());
    format!("{before}'{end}'{after}\n{line}\n{end}")
}

/// Rewrites of one plain command: words of ASCII between single blanks.
pub(crate) const OF_WORDS: &[Rewrite] = &[
    ("single quotes", |line| each_word(line, single)),
    ("double quotes", |line| each_word(line, |word| format!("\"{word}\""))),
    ("quoted in part", |line| with_first(line, |word| format!("{}''{}\"\"", &word[..1], &word[1..]))),
    ("escaped", |line| each_word(line, |word| escapes(word, |byte| format!("\\{}", char::from(byte))))),
    ("hex", |line| each_word(line, |word| format!("$'{}'", escapes(word, |byte| format!("\\x{byte:02x}"))))),
    ("octal", |line| with_first(line, |word| format!("$'{}'", escapes(word, |byte| format!("\\{byte:03o}"))))),
    ("unicode", |line| with_first(line, |word| format!("$'{}'", escapes(word, |byte| format!("\\u{byte:04x}"))))),
    ("localised", |line| with_first(line, |word| format!("$\"{word}\""))),
    ("braces", |line| format!("{{{}}}", words(line).join(","))),
    ("variable", |line| with_first(line, |word| format!("x={word}; $x"))),
    ("two variables", |line| with_first(line, |word| format!("x={} y={}; \"$x$y\"", &word[..1], &word[1..]))),
    ("appended", |line| with_first(line, |word| format!("x={}; x+={}; $x", &word[..1], &word[1..]))),
    ("whole in a variable", |line| format!("x={}; $x", single(line))),
    ("array", |line| format!("a=({}); \"${{a[@]}}\"", each_word(line, single))),
    ("array by index", |line| with_first(line, |word| format!("a=(x {word}); ${{a[1]}}"))),
    ("array by name", |line| with_first(line, |word| format!("declare -A a=([k]={word}); ${{a[k]}}"))),
    ("positional", |line| format!("set -- {}; \"$@\"", each_word(line, single))),
    ("shifted", |line| format!("set -- x {}; shift; $*", each_word(line, single))),
    ("echoed", |line| with_first(line, |word| format!("$(echo {word})"))),
    ("printed", |line| with_first(line, |word| format!("`printf %s {word}`"))),
    ("decoded word", |line| with_first(line, |word| format!("$(base64 -d <<< {})", base64(word)))),
    ("printed into", |line| with_first(line, |word| format!("printf -v x %s {word}; $x"))),
    ("continued", |line| with_first(line, |word| format!("{}\\\n{}", &word[..1], &word[1..]))),
    ("prefix cut", |line| with_first(line, |word| format!("x=qq{word}; ${{x#qq}}"))),
    ("suffix cut", |line| with_first(line, |word| format!("x={word}.qq; ${{x%.*}}"))),
    ("replaced", |line| with_first(line, |word| format!("x={}@{}; ${{x/@/}}", &word[..1], &word[1..]))),
    ("cut out", |line| with_first(line, |word| format!("x=qq{word}qq; ${{x:2:{}}}", word.len()))),
    ("lower case", |line| with_first(line, |word| format!("x={}; ${{x,,}}", word.to_ascii_uppercase()))),
    ("default", |line| with_first(line, |word| format!("${{undefined_here:-{word}}}"))),
    ("indirect", |line| with_first(line, |word| format!("x={word} y=x; ${{!y}}"))),
    ("field separator", |line| format!("IFS=,; x={}; $x", words(line).join(","))),
    ("blanks", |line| format!("  {}\t", words(line).join(" \t  "))),
    ("redirected in front", |line| format!("2>/dev/null {line}")),
    ("assignment in front", |line| format!("A=1 B=2 {line}")),
    ("as arguments", |line| format!("xargs {line} < /dev/null")),
    ("as words", |line| {
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        format!("echo {} | xargs {first}", single(rest))
    }),
    ("by a shell's arguments", |line| format!("bash -c '\"$@\"' _ {}", each_word(line, single))),
    ("found", |line| format!("find . -maxdepth 0 -exec {line} \\;")),
    ("with privilege", |line| format!("sudo -E -u root -- {line}")),
    ("limited", |line| format!("timeout -k 5 --signal=KILL 10 nice -n 3 {line}")),
    ("with environment", |line| format!("/usr/bin/env -u HOME A=1 {line}")),
    ("split by env", |line| format!("env -S {}", single(line))),
    ("builtin command", |line| format!("command {line}")),
    ("multi-call", |line| format!("busybox {line}")),
    ("unlisted wrapper", |line| format!("qqwrap --fast {line}")),
];

/// Rewrites of any line of shell.
pub(crate) const OF_LINES: &[Rewrite] = &[
    ("shell", |line| format!("sh -c {}", single(line))),
    ("login shell", |line| format!("bash --norc -lc {}", single(line))),
    ("eval", |line| format!("eval {}", single(line))),
    ("eval of hex", |line| format!("eval $'{}'", escapes(line, |byte| format!("\\x{byte:02x}")))),
    ("piped", |line| format!("echo {} | bash", single(line))),
    ("printed and piped", |line| format!("printf '%s\\n' {} | cat | sh", single(line))),
    ("printed hex", |line| format!("printf '{}' | sh", escapes(line, |byte| format!("\\x{byte:02x}")))),
    ("printed octal", |line| format!("printf '{}' | bash -s", escapes(line, |byte| format!("\\{byte:03o}")))),
    ("base64", |line| format!("echo {} | base64 -d | sh", base64(line))),
    ("base64 by substitution", |line| format!("bash -c \"$(base64 --decode <<< {})\"", base64(line))),
    ("hex dump", |line| format!("xxd -r -p <<< {} | sh", hexadecimal(line))),
    ("rotated", |line| format!("tr 'A-Za-z' 'N-ZA-Mn-za-m' <<< {} | sh", single(&rotated(line)))),
    ("here-string", |line| format!("bash <<< {}", single(line))),
    ("here-document", |line| document("bash <<", "", line)),
    ("here-document through cat", |line| document("cat <<", " | sh", line)),
    ("sourced", |line| format!("source <(echo {})", single(line))),
    ("process", |line| format!("cat <(\n{line}\n)")),
    ("substitution", |line| format!("echo \"$(\n{line}\n)\"")),
    ("in a default", |line| format!(": ${{undefined_here:-$(\n{line}\n)}}")),
    ("subshell", |line| format!("(\n{line}\n)")),
    ("group", |line| format!("{{\n{line}\n}}")),
    ("condition", |line| format!("if true; then\n{line}\nfi")),
    ("else", |line| format!("if false; then :; else\n{line}\nfi")),
    ("for", |line| format!("for i in 1; do\n{line}\ndone")),
    ("while", |line| format!("while :; do\n{line}\nbreak; done")),
    ("case", |line| format!("case x in *)\n{line}\n;; esac")),
    ("function", |line| format!("qqf() {{\n{line}\n}}; qqf")),
    ("trap", |line| format!("trap {} EXIT", single(line))),
    ("prompt", |line| format!("PROMPT_COMMAND={}", single(line))),
    ("alias", |line| format!("alias qqa={}", single(line))),
    ("after", |line| format!("true && {{\n{line}\n}}")),
    ("or", |line| format!("false || {{\n{line}\n}}")),
    ("in a pipeline", |line| format!("{{\n{line}\n}} | cat")),
    ("at the end of a pipeline", |line| format!("true | {{\n{line}\n}}")),
    ("comment before", |line| format!("true # harmless\n{line}")),
    ("negated", |line| format!("! {{\n{line}\n}}")),
    ("timed", |line| format!("time {{\n{line}\n}}")),
    ("background", |line| format!("{{\n{line}\n}} &")),
    ("found shell", |line| format!("find . -maxdepth 0 -exec sh -c {} \\;", single(line))),
    ("over ssh", |line| format!("ssh -p 2222 root@host {}", single(line))),
    ("watched", |line| format!("watch -n 1 {}", single(line))),
    ("locked", |line| format!("flock /tmp/qq.lock -c {}", single(line))),
    ("scripted", |line| format!("script -qc {} /dev/null", single(line))),
    ("switched", |line| format!("su -c {} root", single(line))),
    ("in a container", |line| format!("docker exec -i web sh -c {}", single(line))),
    ("in a pod", |line| format!("kubectl exec -n x pod -c app -- bash -c {}", single(line))),
    ("unlisted runner", |line| format!("qqrun --now bash -c {}", single(line))),
];

/// The line as text that somebody only reads or stores.
pub(crate) const AS_DATA: &[Rewrite] = &[
    ("echo", |line| format!("echo {}", single(line))),
    ("printf", |line| format!("printf '%s\\n' {}", single(line))),
    ("search", |line| format!("grep -rnF -e {} docs", single(line))),
    ("ripgrep", |line| format!("rg -n {} src | head", single(line))),
    ("commit message", |line| format!("git commit -m {}", single(line))),
    ("log search", |line| format!("git log --oneline --grep={}", single(line))),
    ("json", |line| format!("jq -n --arg c {} '{{cmd:$c}}'", single(line))),
    ("here-document", |line| document("cat <<", "", line)),
    ("here-document to a file", |line| document("cat > docs/danger.md <<", "", line)),
    ("comment", |line| format!("date # {}", line.replace('\n', " "))),
    ("file name", |line| format!("ls -l {}", single(&line.replace('/', "_")))),
    ("awk pattern", |line| format!("awk -v s={} '$0 == s' notes.txt", single(line))),
    ("variable", |line| format!("NOTE={}; echo \"$NOTE\"", single(line))),
    ("test", |line| format!("[ \"$1\" = {} ] && echo same", single(line))),
    ("counted", |line| format!("printf '%s' {} | wc -c", single(line))),
    ("here-string to grep", |line| format!("grep -c x <<< {}", single(line))),
    ("label", |line| format!("kubectl get pods -l {}", single(line))),
];
