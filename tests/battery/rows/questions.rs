//! Rows 34 to 37, 57 and 58: questions, secret ones among them.
//!
//! Real: read, sudo, su, passwd, ssh, rm, ssh-keygen, the lab's menu. Printed by a script, because
//! running the real one would change the machine or needs what Debian does not have: mysql, apt,
//! dnf, terraform, koko, rz.

use crate::case::{Case, Row};
use crate::report::{Judged, Kind, Report, check};
use crate::shells::Shell;
use crate::world::{OTHER_USER, USER};

pub(crate) const ROWS: &[Row] = &[
    Row::new("34", "read -s", &[Shell::Bash, Shell::Zsh], read_secret),
    Row::new("34", "sudo", Shell::BASH, sudo),
    Row::new("34", "su", Shell::BASH, su),
    Row::new("34", "passwd", Shell::BASH, passwd),
    Row::new("34", "ssh with a password", Shell::BASH, ssh_password),
    Row::new("34", "mysql -p", Shell::BASH, mysql),
    Row::new("35", "ssh host key", Shell::BASH, host_key),
    Row::new("35", "rm -i", Shell::ALL, rm),
    Row::new("35", "read -p", Shell::BASH, read_confirm),
    Row::new("36", "the word Password in output", Shell::ALL, word_in_output),
    Row::new("37", "apt, dnf", Shell::BASH, package_managers),
    Row::new("37", "ssh-keygen", Shell::BASH, keygen),
    Row::new("37", "terraform", Shell::BASH, terraform),
    Row::new("57", "the lab's menu", Shell::BASH, lab_menu),
    Row::new("57", "koko's prompts", Shell::BASH, koko),
    Row::new("58", "rz", Shell::BASH, receive),
];

/// A script that prints the question, reads a line, and ends with 0 when it is `wanted`.
fn asking(case: &Case<'_>, question: &str, wanted: &str) -> String {
    let script = format!("#!/bin/sh\nprintf '{question}'\nread answer\ntest \"$answer\" = '{wanted}'\n");
    case.world.script(&format!("files/asking-{}", crate::world::unique()), &script).display().to_string()
}

fn is_secret(report: &Report) -> Judged {
    report.awaiting(&["password", "passphrase", "otp"])?;
    report.confident("high")
}

fn read_secret(case: &mut Case<'_>) -> Judged {
    let read = if case.is(Shell::Zsh) { "read -s 'x?Password: '" } else { "read -rsp 'Password: ' x" };
    let report = case.run(&format!("{read}; echo; test \"$x\" = hidden-words"))?;
    is_secret(&report)?;
    case.secret("hidden-words")?;
    case.ends(0)?.text_lacks("hidden-words")?;
    case.lives()
}

fn as_user(case: &mut Case<'_>) -> Judged {
    case.password()?;
    case.enter(&format!("su - {USER}"), USER).map(|_| ())
}

fn sudo(case: &mut Case<'_>) -> Judged {
    let password = case.password()?;
    as_user(case)?;
    is_secret(&case.run("sudo -k id -un")?)?;
    case.secret("wrong")?;
    // A person has typed since, so no more than medium confidence is claimed.
    case.next().awaiting(&["password"])?;
    case.secret(password)?;
    let report = case.ends(0)?;
    report.text_has("root\n")?;
    report.text_lacks(password)?;
    case.leave("exit 3", 1, 3)?;
    case.lives()
}

fn su(case: &mut Case<'_>) -> Judged {
    let password = case.password()?;
    as_user(case)?;
    is_secret(&case.run(&format!("su {OTHER_USER} -c 'id -un'"))?)?;
    case.secret(password)?;
    case.ends(0)?.text_has(OTHER_USER)?;
    // A shell behind the question: the level comes when it was answered.
    case.enter_behind_a_question(&format!("su - {OTHER_USER}"), OTHER_USER, password)?;
    case.exact("id -un", 0, &format!("{OTHER_USER}\n"))?;
    case.leave("exit 4", 2, 4)?;
    case.leave("exit 5", 1, 5)?;
    case.lives()
}

/// The wrong present password, so that the account stays as it is for the other rows.
fn passwd(case: &mut Case<'_>) -> Judged {
    as_user(case)?;
    is_secret(&case.run("passwd")?)?;
    case.secret("not-the-password")?;
    let report = case.next();
    case.count(10, report.completed(10), &report)?;
    case.leave("exit", 1, 10)?;
    case.lives()
}

fn ssh_options(case: &Case<'_>) -> String {
    let port = case.world.servers().openssh.port();
    format!("-p {port} -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR")
}

fn ssh_password(case: &mut Case<'_>) -> Judged {
    let password = case.password()?;
    let options = ssh_options(case);
    let line =
        format!("ssh {options} -o StrictHostKeyChecking=no -o PubkeyAuthentication=no {OTHER_USER}@127.0.0.1 id -un");
    is_secret(&case.run(&line)?)?;
    case.secret(password)?;
    case.ends(0)?.text_has(&format!("{OTHER_USER}\n"))?;
    case.lives()
}

fn mysql(case: &mut Case<'_>) -> Judged {
    let script =
        "#!/bin/sh\nstty -echo; printf 'Enter password: '; read answer; stty echo; echo\ntest \"$answer\" = hidden\n";
    let program = case.world.script(&format!("files/mysql-{}", crate::world::unique()), script);
    is_secret(&case.run(&format!("{} -p", program.display()))?)?;
    case.secret("hidden")?;
    case.ends(0)?;
    case.lives()
}

/// The question offers these answers, and Enter alone takes `default`.
fn offers(report: &Report, options: &[&str], default: Option<&str>) -> Judged {
    let offered = report.fields["options"].as_array().into_iter().flatten();
    let offered: Vec<String> = offered.filter_map(|option| option.as_str()).map(str::to_lowercase).collect();
    let all = options.iter().all(|option| offered.iter().any(|one| one.contains(option)));
    let taken = report.fields["default"].as_str().map(str::to_lowercase);
    check(all && taken.as_deref() == default, Kind::Outcome, || {
        format!("expected the answers {options:?} with {default:?}, got {}", report.fields)
    })
}

fn host_key(case: &mut Case<'_>) -> Judged {
    let key = case.world.servers().openssh.user_key();
    let options = ssh_options(case);
    let line = format!("ssh {options} -o StrictHostKeyChecking=ask -i {} 127.0.0.1 true", key.display());
    let report = case.run(&line)?;
    report.awaiting(&["hostkey"])?;
    offers(&report, &["yes", "no", "fingerprint"], None)?;
    case.answer("no")?;
    case.ends(255)?;
    case.run(&line)?.awaiting(&["hostkey"])?;
    case.answer("yes")?;
    case.ends(0)?;
    case.lives()
}

fn rm(case: &mut Case<'_>) -> Judged {
    let file = case.world.file("precious", b"content");
    let report = case.run(&format!("rm -i {file}"))?;
    report.awaiting(&["confirm"])?;
    offers(&report, &["y", "n"], None)?;
    case.answer("n")?;
    case.ends(0)?;
    check(std::path::Path::new(&file).exists(), Kind::Other, || "the file is gone".to_owned())?;
    case.lives()
}

fn read_confirm(case: &mut Case<'_>) -> Judged {
    let report = case.run("read -p 'Go on? [y/N] ' answer; test \"$answer\" = y")?;
    report.awaiting(&["confirm"])?;
    report.confident("high")?;
    offers(&report, &["y", "n"], Some("n"))?;
    check(report.field("prompt").contains("Go on?"), Kind::Outcome, || format!("the question is {}", report.fields))?;
    case.answer("y")?;
    case.ends(0)?;
    case.lives()
}

fn word_in_output(case: &mut Case<'_>) -> Judged {
    let file = case.world.file("words", b"Password:\nsudo asks: Password: \nDo you want to continue? [Y/n]\n");
    case.exact(&format!("grep -h Password: {file}"), 0, "Password:\nsudo asks: Password: \n")?;
    case.exact("printf Password:", 0, "Password:")?;
    case.lives()
}

fn package_managers(case: &mut Case<'_>) -> Judged {
    for (question, answer, default) in [("Do you want to continue? [Y/n] ", "n", "y"), ("Is this ok [y/N]: ", "y", "n")]
    {
        let program = asking(case, question, answer);
        let report = case.run(&program)?;
        report.awaiting(&["confirm"])?;
        offers(&report, &["y", "n"], Some(default))?;
        case.answer(answer)?;
        case.ends(0)?;
    }
    case.lives()
}

fn keygen(case: &mut Case<'_>) -> Judged {
    let file = case.world.file("key", b"not a key\n");
    let report = case.run(&format!("ssh-keygen -q -t ed25519 -N '' -f {file}"))?;
    report.awaiting(&["confirm"])?;
    case.answer("n")?;
    case.ends(1)?;
    case.lives()
}

fn terraform(case: &mut Case<'_>) -> Judged {
    let program = asking(case, "var.region\\n  Where it is to run.\\n\\n  Enter a value: ", "north");
    case.run(&program)?.awaiting(&["text"])?;
    case.answer("north")?;
    case.ends(0)?;
    case.lives()
}

fn lab_menu(case: &mut Case<'_>) -> Judged {
    let report = case.run("lab cmsm")?;
    report.awaiting(&["menu", "choice"])?;
    check(report.field("prompt").contains("Target IP:"), Kind::Outcome, || {
        format!("the question is {}", report.fields)
    })?;
    case.answer("master-b")?;
    case.shows("User number:")?;
    case.next().awaiting(&["menu", "choice"])?;
    case.answer("q")?;
    case.ends(0)?;
    case.lives()
}

/// Prompts in the words of the menu (terminal.md §4.1 and §4.2), one after the other.
fn koko(case: &mut Case<'_>) -> Judged {
    let prompts: [(&str, &[&str]); 6] = [
        ("Opt> ", &["menu"]),
        ("[Host]> ", &["menu"]),
        ("ID> ", &["menu"]),
        ("[TOTP Code]: ", &["otp"]),
        ("The command requires review. Continue or not [Y/n]? ", &["confirm", "approval"]),
        ("需要审核，继续？(y/n):", &["confirm", "approval"]),
    ];
    for (prompt, kinds) in prompts {
        let program = asking(case, prompt, "");
        case.run(&program)?.awaiting(kinds)?;
        case.stage.person(b"\r");
        case.ends(0)?;
    }
    case.lives()
}

fn receive(case: &mut Case<'_>) -> Judged {
    let start = "#!/bin/sh\nprintf 'rz waiting to receive.**\\030B0100000023be50\\r\\n'\nsleep 60\n";
    let program = case.world.script(&format!("files/rz-{}", crate::world::unique()), start);
    case.run(&program.display().to_string())?.awaiting(&["filetransfer"])?;
    case.press(&["ctrl-c"])?;
    case.ends(130)?;
    case.lives()
}
