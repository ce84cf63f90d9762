//! What lines lower to, and the promises that hold for any text at all.

use portcullis_shell::{
    InvocationKind, MAX_INVOCATIONS, MAX_LINE_BYTES, MAX_WORDS, Plan, REDIRECTION_WORDS, StandardInput, UnknownKind,
    parse, quote,
};
use proptest::prelude::*;

/// The words of each command that would run; `?` for those only the run can tell.
fn commands(line: &str) -> Vec<String> {
    let plan = parse(line);
    plan.invocations
        .iter()
        .filter(|invocation| invocation.kind == InvocationKind::Command)
        .map(|invocation| {
            invocation.argv.iter().map(|word| word.value.as_deref().unwrap_or("?")).collect::<Vec<_>>().join(" ")
        })
        .collect()
}

fn unknowns(line: &str) -> Vec<UnknownKind> {
    parse(line).unknowns.into_iter().map(|unknown| unknown.kind).collect()
}

fn last(plan: &Plan) -> &portcullis_shell::Invocation {
    plan.invocations.last().expect("the plan has an invocation")
}

#[test]
fn words_are_what_the_shell_makes_of_them() {
    let table: &[(&str, &str)] = &[
        (r#"e"ch"o 'a b' c\ d"#, "echo a b c d"),
        ("$'\\x65cho' x", "echo x"),
        ("ec\\\nho x", "echo x"),
        ("echo {a,b}{1..3} x{c,d}", "echo a1 a2 a3 b1 b2 b3 xc xd"),
        ("echo {01..03} {c..a} {x} {a,}", "echo 01 02 03 c b a {x} a"),
        ("x=abc; echo $x ${x#a} ${x%c} ${x/b/-} ${x:1} ${x:1:1} ${x^^} ${#x}", "echo abc bc ab a-c bc b ABC 3"),
        ("x=a.b.c; echo ${x##*.} ${x%%.*} ${x//./-}", "echo c a a-b-c"),
        ("a=(x y z); echo ${a[1]} ${a[@]} ${#a[@]}", "echo y x y z 3"),
        ("IFS=,; v=a,b; echo $v", "echo a b"),
        ("set -- p q; echo $2 $# \"$@\"", "echo q 2 p q"),
        ("echo $((2*(3+4))) $(( 7/2 ))", "echo 14 3"),
        ("n=v; v=deep; echo ${!n}", "echo deep"),
        ("x=1; x+=2; echo $x", "echo 12"),
        ("echo ~/a $HOME", "echo ~/a ~"),
        ("echo $(printf '%s-%s' a b) `echo c`", "echo a-b c"),
        ("printf -v x '%s' hi; echo $x", "echo hi"),
        ("read x; echo $x", "echo ?"),
        ("echo $NOT_SET_HERE", "echo ?"),
    ];
    for (line, expected) in table {
        assert_eq!(commands(line).last().map(String::as_str), Some(*expected), "{line}");
    }
}

#[test]
fn wrappers_come_off() {
    let table: &[(&str, &[&str])] = &[
        ("sudo -u root -- true x", &["sudo"]),
        ("sudo A=1 --user=root true x", &["sudo"]),
        ("env -i -u Z B=2 nice -n 5 ionice -c3 timeout -k 1 5 true x", &["env", "nice", "ionice", "timeout"]),
        ("nohup setsid stdbuf -oL true x", &["nohup", "setsid", "stdbuf"]),
        ("command exec -a n true x", &["command", "exec"]),
        ("flock -n /tmp/l true x", &["flock"]),
        ("echo x | xargs true", &["xargs"]),
        ("busybox true x", &["busybox"]),
        ("sh -c 'true x'", &["sh -c"]),
        ("sudo bash -lc 'eval \"true x\"'", &["sudo", "bash -c", "eval"]),
        ("ssh -p 22 host -- true x", &["ssh"]),
        ("kubectl -n a exec pod -c c -- true x", &["kubectl exec"]),
        ("docker exec -e A=1 -it web true x", &["docker exec"]),
        ("docker compose -f a.yml exec -T web true x", &["docker exec"]),
        ("find x -type f -exec true {} +", &["find"]),
        ("watch -n 1 'true x'", &["watch"]),
        ("echo 'true x' | bash -s", &["bash"]),
    ];
    for (line, wrappers) in table {
        let plan = parse(line);
        let inner = last(&plan);
        assert_eq!(inner.program.as_deref(), Some("true"), "{line}");
        assert_eq!(inner.argv.get(1).and_then(|word| word.value.as_deref()), Some("x"), "{line}");
        assert_eq!(inner.wrappers, *wrappers, "{line}");
        assert!(plan.unknowns.is_empty(), "{line}: {:?}", plan.unknowns);
    }
}

#[test]
fn constants_are_decoded() {
    for line in [
        "echo dHJ1ZSB4 | base64 -d | sh",
        "base64 --decode <<< dHJ1ZSB4 | sh",
        "echo 747275652078 | xxd -r -p | sh",
        "echo 'x eurt' | rev | sh",
        "printf '\\164rue x' | sh",
        "echo -e '\\x74rue x' | sh",
        "tr a-z b-za <<< 'sqtd w' | sh",
        "cat <<E | sh\ntrue x\nE",
        "bash <(echo true x)",
        ". /dev/stdin <<< 'true x'",
        "eval \"$(echo true x)\"",
        "echo 'true x' | tee /tmp/f | sudo sh",
        "f() { \"$@\"; }; f true x",
        "for c in true; do $c x; done",
        "sh -c '\"$0\" \"$1\"' true x",
    ] {
        assert_eq!(commands(line).last().map(String::as_str), Some("true x"), "{line}");
    }
}

#[test]
fn everything_that_can_run_is_listed() {
    for line in [
        "a && b || rm x",
        "a | b | rm x",
        "(a; rm x)",
        "{ a; rm x; }",
        "if a; then b; elif c; then rm x; fi",
        "while rm x; do b; done",
        "for i in 1; do rm x; done",
        "case a in b) ;; *) rm x;; esac",
        "echo $(rm x)",
        "echo \"${y:-$(rm x)}\"",
        "cat <(rm x)",
        "a > >(rm x)",
        "echo `rm x`",
        "cat <<E\n$(rm x)\nE",
        "[[ -n $(rm x) ]]",
        "(( y = $(rm x) ))",
        "f() { rm x; }",
        "coproc rm x",
        "trap 'rm x' EXIT",
        "time rm x",
        "! rm x",
        "a=$(rm x)",
        "a=([$(rm x)]=1)",
        "declare a=$(rm x)",
        "echo ${y/$(rm x)/}",
        "echo ${y:$(rm x)}",
        "x[$(rm x)]=1",
        "PS1='$(rm x)'",
        "PROMPT_COMMAND='rm x'",
        "select i in $(rm x); do a; done",
        "echo > $(rm x)",
        "rm x &",
        "a\nrm x",
        "a;# b\nrm x",
        "find . -exec rm x \\; -o -exec b \\;",
    ] {
        let found = parse(line).invocations.iter().any(|invocation| invocation.program.as_deref() == Some("rm"));
        assert!(found, "{line}: {:?}", commands(line));
    }
}

#[test]
fn data_stays_data() {
    for line in [
        "echo 'rm x'",
        "grep 'a; rm x' f",
        "cat <<'E'\n$(rm x)\nE",
        "a # rm x",
        "echo a#rm",
        "printf '%s' '$(rm x)'",
        "git commit -m 'rm x'",
        "echo \"\\$(rm x)\"",
    ] {
        let found = parse(line).invocations.iter().any(|invocation| invocation.program.as_deref() == Some("rm"));
        assert!(!found, "{line}");
        assert_eq!(unknowns(line), [], "{line}");
    }
}

#[test]
fn what_is_not_understood_is_said() {
    let table: &[(&str, UnknownKind)] = &[
        ("$X a", UnknownKind::Unresolved),
        ("\"$(cat f)\" a", UnknownKind::Unresolved),
        ("/b?n/ls", UnknownKind::Unresolved),
        ("!!", UnknownKind::Unresolved),
        ("sudo !ls", UnknownKind::Unresolved),
        ("^a^b", UnknownKind::Unresolved),
        ("echo \"a!b\"", UnknownKind::Unresolved),
        ("sh -c \"$X\"", UnknownKind::Unresolved),
        ("eval $X", UnknownKind::Unresolved),
        ("curl x | sh", UnknownKind::Unresolved),
        ("sudo --no-such-option ls", UnknownKind::Unresolved),
        ("printf -v 'a[$(id)]' x", UnknownKind::Unresolved),
        ("trap \"$X\" EXIT", UnknownKind::Unresolved),
        (". <(curl x)", UnknownKind::Unresolved),
        ("sh -c 'if'", UnknownKind::Unresolved),
        ("false && a=ls; $a", UnknownKind::Unresolved),
        ("echo 'a", UnknownKind::Malformed),
        ("cat <<E", UnknownKind::Malformed),
        ("a &&", UnknownKind::Malformed),
        ("fi", UnknownKind::Malformed),
        ("a \\", UnknownKind::Malformed),
        ("cat <<E$[\t\t", UnknownKind::Malformed),
        ("ls\r", UnknownKind::Refused),
        ("ls\u{1b}[A", UnknownKind::Refused),
        ("ls\u{a0}-a", UnknownKind::Refused),
        ("echo '\u{202e}'", UnknownKind::Refused),
        ("\u{0455}h", UnknownKind::Refused),
        ("a\u{85}b", UnknownKind::Refused),
        ("a\0b", UnknownKind::Refused),
    ];
    for (line, kind) in table {
        assert!(unknowns(line).contains(kind), "{line:?}: {:?}", unknowns(line));
    }
}

#[test]
fn harmless_exclamation_marks_and_unicode_pass() {
    for line in [
        "! ls",
        "[ ! -f a ]",
        "echo 'a!b'",
        "echo \"hi!\"",
        "[[ a != b ]]",
        "ls [!a]*",
        "echo ${!x}",
        "echo $!",
        "awk '$1 != \"!\"' f",
        "echo größe",
        "grep '→' f",
        "echo '👩\u{200d}👧'",
    ] {
        assert_eq!(unknowns(line), [], "{line}");
    }
}

#[test]
fn context_is_kept() {
    let plan = parse("a | b 2>>log > out < in &");
    let invocation = last(&plan);
    assert_eq!((invocation.stage, invocation.stages, invocation.background), (1, 2, true));
    assert_eq!(invocation.standard_input, StandardInput::File);
    let redirections: Vec<_> = invocation
        .redirections
        .iter()
        .map(|item| (item.descriptor, item.operator.as_str(), item.target.value.as_deref()))
        .collect();
    assert_eq!(redirections, [(Some(2), ">>", Some("log")), (None, ">", Some("out")), (None, "<", Some("in"))]);
    let plan = parse("while true; do ls; done");
    assert!(last(&plan).in_loop);
    assert_eq!(last(&plan).wrappers, ["while true"]);
    let plan = parse("{ a; } > f");
    assert_eq!(plan.invocations[0].kind, InvocationKind::Redirection);
    let line = "echo  'x y'";
    let word = &parse(line).invocations[0].argv[1];
    assert_eq!(&line[word.span.start..word.span.end], "'x y'");
    let nested = "sudo sh -c 'rm y'";
    let plan = parse(nested);
    let span = last(&plan).span;
    assert_eq!(&nested[span.start..span.end], "'rm y'");
}

/// Repetitions that would exhaust a careless parser.
fn hostile() -> Vec<String> {
    let openings = [
        "(",
        "{ ",
        "$(",
        "`",
        "\\`",
        "${x:-",
        "$((",
        "((",
        "if true; then ",
        "case x in x) ",
        "\"$( \"",
        "[[ ( ",
        "<( ",
        "a[",
        "{a,",
        "{a",
        "<<E ",
        "\"${x:-\"",
        "$[",
        "f() { ",
        "while ",
        "coproc ",
        "! ",
        "time ",
        "eval ",
        "sudo ",
        "sh -c '",
        "x=(",
        "@(",
        "a|",
        "a&&",
        "a;",
        "<<<",
        "a=$a$a;",
        "\\",
        "'",
        "\"",
        "#",
        "*",
        "[",
        "!",
        "$",
        "~",
        "&",
        ">",
        "-",
        "{1..99999999}",
        "{a,b}",
        "x=${x//a/b};",
        "f(){ f;f; };f;",
        "for i in 1 2 3;do ",
        "echo $(echo ",
        "xargs ",
        "find . -exec ",
        "env -S '",
        "\"$(x)\"",
        "true;",
        "a\n",
        "\u{e9}",
    ];
    let mut lines = Vec::new();
    for opening in openings {
        for length in [10, 100, 1_000, MAX_LINE_BYTES, MAX_LINE_BYTES * 4] {
            let count = (length / opening.len()).max(1);
            lines.push(opening.repeat(count));
            lines.push(format!("{} rm -rf /", opening.repeat(count)));
        }
    }
    let doubling: String = (0..60).map(|_| "x=$x$x;").collect();
    lines.push(format!("x=aaaaaaaa;{doubling} $x"));
    let functions: String =
        (0..60).map(|index| format!("f{index}() {{ f{}; f{}; f{}; }};", index + 1, index + 1, index + 1)).collect();
    lines.push(format!("{functions} f0"));
    lines.push((0..200).fold("echo x".to_owned(), |inner, _| {
        format!(
            "sh -c \"{}\"",
            inner.replace('\\', "\\\\").replace('"', "\\\"").chars().take(4_000).collect::<String>()
        )
    }));
    let loops: String = (0..20).map(|index| format!("for a{index} in 1 2 3 4 5 6 7 8; do ")).collect();
    lines.push(format!("{loops} rm $a0 {}", "; done".repeat(20)));
    lines
}

#[test]
fn hostile_lines_end_soon_and_are_never_cut_silently() {
    for line in hostile() {
        // A reader that is not linear takes minutes here.
        let plan = parse(&line);
        let head: String = line.chars().take(30).collect();
        assert!(plan.invocations.len() <= MAX_INVOCATIONS, "{head}");
        if line.len() > MAX_LINE_BYTES || plan.invocations.len() == MAX_INVOCATIONS {
            assert!(!plan.unknowns.is_empty(), "{head}");
        }
    }
}

#[test]
fn a_line_that_goes_beyond_a_limit_says_so_and_what_stands_before_is_listed() {
    let beyond = |line: &str| {
        let plan = parse(line);
        plan.unknowns.iter().any(|unknown| unknown.kind == UnknownKind::Refused && unknown.what.contains("limit"))
    };
    assert!(!beyond(&"ls /a; ".repeat(MAX_INVOCATIONS)));
    assert!(beyond(&"ls /a; ".repeat(MAX_INVOCATIONS + 1)));
    assert!(!beyond(&format!("ls {}", "a ".repeat(MAX_WORDS - 1))));
    assert!(beyond(&format!("ls {}", "a ".repeat(MAX_WORDS))));
    assert!(!beyond(&format!("ls {}", ">a ".repeat(MAX_WORDS / REDIRECTION_WORDS - 1))));
    assert!(beyond(&format!("ls {}", ">a ".repeat(MAX_WORDS / REDIRECTION_WORDS))));
    assert!(beyond(&format!("{}ls", "sudo ".repeat(MAX_WORDS))));
}

#[test]
fn what_is_left_of_a_long_loop_is_walked_once_with_a_variable_that_is_not_known() {
    let words: Vec<String> = (0..32).map(|index| format!("w{index}")).collect();
    let line = format!("for i in {}; do {} rm $i; done", words.join(" "), "ls; ".repeat(20));
    let plan = parse(&line);
    assert_eq!(plan.unknowns, []);
    let removed: Vec<_> = plan
        .invocations
        .iter()
        .filter(|invocation| invocation.program.as_deref() == Some("rm"))
        .map(|invocation| invocation.argv[1].value.as_deref())
        .collect();
    let known = removed.iter().flatten().count();
    assert_eq!(removed[..known], words[..known].iter().map(|word| Some(word.as_str())).collect::<Vec<_>>());
    assert!((1..32).contains(&known));
    assert_eq!(removed[known..], [None]);
}

#[test]
fn patterns_are_held_against_values_within_a_budget_and_otherwise_the_value_is_not_known() {
    let value = |line: &str| parse(line).invocations.last().and_then(|last| last.argv[1].value.clone());
    for (expansion, expected) in [
        ("${a#*/}", "srv/app/x.tar.gz"),
        ("${a##*/}", "x.tar.gz"),
        ("${a%.*}", "/srv/app/x.tar"),
        ("${a%%.*}", "/srv/app/x"),
        ("${a/app/b}", "/srv/b/x.tar.gz"),
        ("${a//[a-p]/_}", "/srv/___/x.t_r._z"),
        (r"${a/#\/srv/}", "/app/x.tar.gz"),
        ("${a/%.*/}", "/srv/app/x"),
        ("${a//*/z}", "z"),
        ("${a#nothing}", "/srv/app/x.tar.gz"),
    ] {
        assert_eq!(value(&format!("a=/srv/app/x.tar.gz; ls {expansion}")).as_deref(), Some(expected), "{expansion}");
    }
    let long = format!("a={}; {} ls ${{a%x}}", "x".repeat(4000), ": ${a//*y*y/z}; ".repeat(100));
    assert_eq!(value(&long), None);
}

#[test]
fn fd_runs_its_command_below_its_roots() {
    let run = |line: &str| {
        let last = parse(line).invocations.pop().expect("a command");
        last.argv.into_iter().map(|word| word.value.unwrap_or_else(|| "?".to_owned())).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(run("fd conf /etc /opt -x rm -r"), "rm -r /etc /opt");
    assert_eq!(run("fd -e rs -t f . src -X wc -l {}"), "wc -l src");
    assert_eq!(run("fd conf --exec=ls"), "ls ?");
    assert_eq!(run("fd conf -xls -l \\;"), "ls -l ?");
    assert_eq!(run("fd --search-path /usr conf -x ls"), "ls /usr");
    assert_eq!(run("fd --base-directory=/usr conf -x ls {/}"), "ls /usr");
}

#[test]
fn quoting_refuses_what_a_terminal_would_act_upon() {
    assert!(quote(&[]).is_err());
    assert!(quote(&["ls", "a\nb"]).is_err());
    assert!(quote(&["ls", "a\0"]).is_err());
    assert!(quote(&["ls", "a\u{202e}b"]).is_err());
    assert_eq!(quote(&["grep", "-F", "it's $x", "/var/log/a.log"]).unwrap(), r#"grep -F 'it'\''s $x' /var/log/a.log"#);
    assert_eq!(quote(&["a=b", "c=d", "", "if"]).unwrap(), "'a=b' c=d '' 'if'");
}

fn text() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "rm",
        "-rf",
        "/",
        "a",
        "$",
        "$(",
        ")",
        "`",
        "'",
        "\"",
        "\\",
        "{",
        "}",
        ",",
        "..",
        "(",
        "|",
        "&",
        ";",
        "\n",
        "\t",
        " ",
        "<",
        ">",
        "<<E",
        "\nE\n",
        "<<<",
        "${",
        ":-",
        "#",
        "%",
        "@",
        "[",
        "]",
        "[[",
        "]]",
        "=",
        "x=",
        "!",
        "~",
        "*",
        "?",
        "if ",
        "then ",
        "fi",
        "for ",
        "in ",
        "do ",
        "done",
        "case ",
        "esac",
        ";;",
        "f()",
        "sh -c ",
        "eval ",
        "sudo ",
        "xargs ",
        "find ",
        "-exec ",
        "printf ",
        "echo ",
        "| sh",
        "base64 -d",
        "é",
        "\u{200b}",
        "\u{a0}",
        "\u{1}",
        "1",
        "$((",
        "))",
        "$'",
        "\\x",
        "IFS=",
    ]);
    prop::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_gives_a_plan(line in text()) {
        let plan = parse(&line);
        for invocation in &plan.invocations {
            prop_assert!(line.get(invocation.span.start..invocation.span.end).is_some(), "span {:?} of {line:?}", invocation.span);
        }
        for unknown in &plan.unknowns {
            prop_assert!(unknown.span.end <= line.len(), "{line:?}");
        }
    }

    #[test]
    fn any_unicode_gives_a_plan(line in "\\PC{0,60}") {
        let _ = parse(&line);
    }

    #[test]
    fn quoted_words_come_back(argv in prop::collection::vec("[ -~¡-¬®-ÿ]{0,12}", 1..6)) {
        let words: Vec<&str> = std::iter::once("prog").chain(argv.iter().map(String::as_str)).filter(|word| !word.chars().any(char::is_control)).collect();
        let line = quote(&words).unwrap();
        let plan = parse(&line);
        prop_assert!(plan.unknowns.is_empty(), "{line:?}: {:?}", plan.unknowns);
        prop_assert_eq!(plan.invocations.len(), 1);
        let read: Vec<&str> = plan.invocations[0].argv.iter().map(|word| word.value.as_deref().unwrap_or("?")).collect();
        prop_assert_eq!(read, words);
    }
}
