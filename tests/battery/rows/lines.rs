//! Rows 23 and 25 to 31: how lines are typed, by whom, how long they are, and odd prompts.

use crate::case::{Case, Row};
use crate::report::{Judged, Kind, check, wrong};
use crate::shells::Shell;
use crate::world::PATIENCE;

pub(crate) const ROWS: &[Row] = &[
    Row::new("23", "a long line on a narrow terminal", &[Shell::Ash, Shell::Bash, Shell::Zsh, Shell::Fish], narrow),
    Row::new("25", "a person's half line", Shell::ALL, half_line),
    Row::new("26", "a person types while the agent waits", Shell::ALL, person_beside_agent),
    Row::new("27", "the longest line of ash", &[Shell::Ash], longest_of_ash),
    Row::new("28", "the longest line of dash", &[Shell::Dash], longest_of_dash),
    Row::new("29", "20 kB in one line", Shell::PASTING, twenty_kilobytes),
    Row::new("30", "right prompt with a clock", &[Shell::Zsh, Shell::Fish], right_prompt),
    Row::new(
        "30",
        "prompt of two lines",
        &[Shell::Zsh, Shell::Fish, Shell::Bash, Shell::Dash, Shell::Ash, Shell::Mksh],
        two_line_prompt,
    ),
    Row::new("30", "transient prompt", &[Shell::Zsh], transient_prompt),
    Row::new("31", "vi mode, bind, set -x, set -v", &[Shell::Bash, Shell::Zsh], modes_and_traces),
];

fn narrow(case: &mut Case<'_>) -> Judged {
    case.settle()?;
    case.stage.resize(40, 24);
    let word = "abcdefghij".repeat(19);
    case.exact(&format!("echo {word}"), 0, &format!("{word}\n"))?;
    case.exact("echo short", 0, "short\n")?;
    // A person edits in the middle of the line.
    case.stage.person(format!("echo {word}xz\x1b[Dy\r").as_bytes());
    let Some(report) = case.stage.persons_report(PATIENCE) else {
        return wrong(Kind::Outcome, "the person's command was not told");
    };
    case.count(0, report.completed(0), &report)?;
    if case.is(Shell::Ash) {
        // ash draws such a line piece by piece, and what was typed cannot be told from what it drew:
        // a known limit, some of the echo stays in front of the output.
        let whole = report.text.ends_with(&format!("{word}xyz\n"));
        check(whole, Kind::Output, || format!("the output is not in {:?}", report.text))?;
    } else {
        report.text_is(&format!("{word}xyz\n"))?;
    }
    case.lives()
}

fn half_line(case: &mut Case<'_>) -> Judged {
    case.settle()?;
    case.stage.person(b"echo ha");
    case.shows("echo ha")?;
    match case.stage.submit("echo agent") {
        Ok(()) => return wrong(Kind::Submission, "the agent's line was typed into the person's"),
        Err(refused) => {
            check(refused.reason.contains("person"), Kind::Other, || format!("refused, but: {}", refused.reason))?
        }
    }
    case.stage.person(b"lf\r");
    let Some(report) = case.stage.persons_report(PATIENCE) else {
        return wrong(Kind::Outcome, "the person's command was not told");
    };
    case.count(0, report.completed(0), &report)?;
    report.text_is("half\n")?;
    case.lives()
}

/// What the person types ahead is the shell's next command, not the agent's output.
fn person_beside_agent(case: &mut Case<'_>) -> Judged {
    case.submit("sleep 2; echo agent")?;
    case.stage.person(b"echo person\r");
    let report = case.ends(0)?;
    let flagged = report.fields["human_input"] == true;
    check(flagged, Kind::Outcome, || format!("the person's keys are not mentioned: {}", report.fields))?;
    report.text_has("agent\n")?;
    report.text_lacks("person\nagent\nperson")?;
    let Some(report) = case.stage.persons_report(PATIENCE) else {
        return wrong(Kind::Outcome, "the person's command was not told");
    };
    case.count(0, report.completed(0), &report)?;
    report.text_is("person\n")?;
    case.lives()
}

/// The line that has `length` bytes before its Enter.
fn line_of(length: usize) -> (String, String) {
    let word = "x".repeat(length - "echo ".len());
    (format!("echo {word}"), format!("{word}\n"))
}

fn longest_of_ash(case: &mut Case<'_>) -> Judged {
    let (line, text) = line_of(1010);
    case.exact(&line, 0, &text)?;
    too_long(case, 1030)
}

/// A tty in canonical mode takes 4,095 bytes; lines near that may be sent whole or refused, but
/// never cut.
fn longest_of_dash(case: &mut Case<'_>) -> Judged {
    let (line, text) = line_of(1000);
    case.exact(&line, 0, &text)?;
    let (line, text) = line_of(4080);
    case.settle()?;
    match case.stage.run(&line, PATIENCE) {
        Ok(report) => {
            case.count(0, report.completed(0), &report)?;
            report.text_is(&text)?;
        }
        Err(refused) => {
            let told = refused.reason.contains("4080");
            check(told, Kind::Other, || format!("the reason does not name the length: {}", refused.reason))?;
        }
    }
    too_long(case, 4100)
}

fn too_long(case: &mut Case<'_>, length: usize) -> Judged {
    case.settle()?;
    match case.stage.submit(&line_of(length).0) {
        Ok(()) => return wrong(Kind::Submission, format!("a line of {length} bytes was typed")),
        Err(refused) => {
            let told = refused.reason.contains(&length.to_string());
            check(told, Kind::Other, || format!("the reason does not name the length: {}", refused.reason))?;
        }
    }
    case.lives()
}

fn twenty_kilobytes(case: &mut Case<'_>) -> Judged {
    let word = "y".repeat(20_000);
    // Pasted, as its editor allows; typed key by key zsh takes longer than a case may.
    for _ in 0..3 {
        case.settle()?;
        match case.exact(&format!("echo {word} | wc -c"), 0, "20001\n") {
            Ok(_) => {}
            // fish without its configuration takes no paste; the refusal names the length.
            Err(wrong) if case.is(Shell::Fish) && wrong.kind == Kind::Submission => {
                check(wrong.message.contains("20013"), wrong.kind, || wrong.message.clone())?;
            }
            Err(wrong) => return Err(wrong),
        }
    }
    Ok(())
}

fn commands_go_on(case: &mut Case<'_>) -> Judged {
    case.exact("echo one", 0, "one\n")?;
    case.exact("sh -c 'exit 4'", 4, "")?;
    case.exact("printf noeol", 0, "noeol")?;
    case.exact("echo two", 0, "two\n").map(|_| ())
}

fn right_prompt(case: &mut Case<'_>) -> Judged {
    match case.shell() {
        Shell::Fish => case.completed("function fish_right_prompt; date +%H:%M:%S; end", 0)?,
        _ => case.completed("RPROMPT='%*'", 0)?,
    };
    commands_go_on(case)
}

fn two_line_prompt(case: &mut Case<'_>) -> Judged {
    match case.shell() {
        // The marks stand around the prompt; what was there before is kept.
        Shell::Fish => {
            case.completed("function __pc_old; echo 'upper line'; printf 'lower> '; end", 0)?;
        }
        Shell::Bash | Shell::Zsh => {
            case.completed("PS1='upper line\n'\"$PS1\"", 0)?;
        }
        shell => {
            // These carry the marks in the prompt itself, so it has to be there before they are.
            let file = case.world.file("prompt", b"PS1='upper line\nlower> '\n");
            let program = if shell == Shell::Ash { "busybox ash" } else { shell.name() };
            case.enter(&format!("ENV={file} {program} -i"), shell.name())?;
            commands_go_on(case)?;
            return case.leave("exit 3", 1, 3).map(|_| ());
        }
    }
    commands_go_on(case)
}

/// As themes do it: once Enter is pressed the prompt is drawn again, short.
fn transient_prompt(case: &mut Case<'_>) -> Judged {
    let setup = "zle-line-finish() { local full=$PS1; PS1='> '; zle reset-prompt; PS1=$full }; zle -N zle-line-finish";
    case.completed(setup, 0)?;
    commands_go_on(case)
}

fn modes_and_traces(case: &mut Case<'_>) -> Judged {
    if case.is(Shell::Bash) {
        case.completed("bind 'set show-mode-in-prompt off'", 0)?;
        case.completed("set -o vi", 0)?;
        case.exact("echo vi", 0, "vi\n")?;
        case.completed("set -o emacs", 0)?;
    } else {
        case.completed("bindkey -v", 0)?;
        case.exact("echo vi", 0, "vi\n")?;
        case.completed("bindkey -e", 0)?;
    }
    case.completed("set -x", 0)?;
    let report = case.completed("echo traced", 0)?;
    report.text_has("traced\n")?;
    report.text_lacks("__pc_")?;
    report.text_lacks("133;")?;
    case.completed("(exit 3)", 3)?;
    let report = case.completed("set +x", 0)?;
    report.text_lacks("__pc_")?;
    case.completed("set -v", 0)?;
    let report = case.completed("echo verbose", 0)?;
    report.text_has("verbose\n")?;
    report.text_lacks("__pc_")?;
    case.completed("set +v", 0)?;
    case.lives()
}
