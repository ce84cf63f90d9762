//! `portcullis-lab cmsm` on a real terminal, as a login program.

use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::PATIENCE;

const PROGRAM: &str = env!("CARGO_BIN_EXE_portcullis-lab");

async fn expect(pty: &mut pty_process::Pty, seen: &mut String, text: &str) {
    let wait = async {
        let mut buffer = [0_u8; 4096];
        while !seen.contains(text) {
            let count = pty.read(&mut buffer).await.expect("the program is still there");
            seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "{text:?} did not come: {seen:?}");
    let at = seen.find(text).unwrap() + text.len();
    seen.drain(..at);
}

fn start(home: &tempfile::TempDir) -> (pty_process::Pty, tokio::process::Child) {
    let (pty, pts) = pty_process::open().unwrap();
    pty.resize(pty_process::Size::new(24, 80)).unwrap();
    let child = pty_process::Command::new(PROGRAM)
        .args(["cmsm", "--home"])
        .arg(home.path())
        .kill_on_drop(true)
        .spawn(pts)
        .unwrap();
    (pty, child)
}

#[tokio::test]
async fn the_menu_becomes_the_shell_and_keeps_keys_typed_ahead() {
    let home = tempfile::tempdir().unwrap();
    let (mut pty, mut child) = start(&home);
    let mut seen = String::new();
    expect(&mut pty, &mut seen, "Target IP: ").await;
    pty.write_all(b"master-a\r1\recho early-$((40+2)):$PORTCULLIS_LAB_CLUSTER\r").await.unwrap();
    expect(&mut pty, &mut seen, "Logged in to master-a as ruby.\r\n").await;
    expect(&mut pty, &mut seen, "[ruby@master-a ~]$ ").await;
    expect(&mut pty, &mut seen, "early-42:orders-prod\r\n").await;
    pty.write_all(b"exit 5\r").await.unwrap();
    let status = tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(5));
}

#[tokio::test]
async fn leaving_the_menu_gives_the_terminal_back() {
    let home = tempfile::tempdir().unwrap();
    for keys in ["q\r", "\u{3}", "\u{4}"] {
        let (mut pty, mut child) = start(&home);
        let mut seen = String::new();
        expect(&mut pty, &mut seen, "Target IP: ").await;
        pty.write_all(keys.as_bytes()).await.unwrap();
        expect(&mut pty, &mut seen, "Bye.\r\n").await;
        let status = tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
        assert!(status.success());
    }
}

#[test]
fn without_a_terminal_answers_come_from_a_pipe() {
    let home = tempfile::tempdir().unwrap();
    let script = "printf 'master-b\\nroot\\necho at $PORTCULLIS_LAB_TARGET_HOST\\nexit 6\\n'";
    let output = std::process::Command::new("sh")
        .args(["-c", &format!("{script} | '{PROGRAM}' cmsm --home \"$0\"")])
        .arg(home.path())
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("Logged in to master-b as root.") && text.contains("at master-b"), "{text}");
    assert_eq!(output.status.code(), Some(6));
}

#[test]
fn targets_can_be_listed() {
    let output = std::process::Command::new(PROGRAM).args(["cmsm", "--list-targets"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 2);
    assert!(text.contains("10.66.12.21") && text.contains("master-b"));
}

#[tokio::test]
async fn an_installed_block_leads_an_ssh_login_into_the_menu_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let prefix = home.path().join("lab's place");
    let file = home.path().join("startup");
    std::fs::write(&file, "PS1='plain> '\n").unwrap();
    let lab = |command: &[&str]| {
        let mut run = std::process::Command::new(PROGRAM);
        run.args(command).arg("--prefix").arg(&prefix).arg("--bashrc").arg(&file);
        assert!(run.stdout(Stdio::null()).status().unwrap().success());
    };
    lab(&["install", "--auto-start"]);
    lab(&["install", "--auto-start"]);
    for (ssh, inside, shown) in [(true, false, "Target IP: "), (false, false, "plain> "), (true, true, "plain> ")] {
        let (mut pty, pts) = pty_process::open().unwrap();
        let mut shell = pty_process::Command::new("bash").arg("--rcfile").arg(&file).arg("-i");
        shell = shell.env_remove("SSH_CONNECTION").env_remove("PORTCULLIS_LAB_INSIDE").kill_on_drop(true);
        if ssh {
            shell = shell.env("SSH_CONNECTION", "10.0.0.1 5000 10.0.0.2 22");
        }
        if inside {
            shell = shell.env("PORTCULLIS_LAB_INSIDE", "1");
        }
        let _child = shell.spawn(pts).unwrap();
        let mut seen = String::new();
        expect(&mut pty, &mut seen, shown).await;
        if shown == "Target IP: " {
            pty.write_all(b"1\r2\rkubectl get pods -n orders --no-headers | wc -l\r").await.unwrap();
            expect(&mut pty, &mut seen, "[root@master-a ~]# ").await;
            expect(&mut pty, &mut seen, "2\r\n").await;
        }
    }
    lab(&["uninstall"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "PS1='plain> '\n");
    assert!(!prefix.join("bin").exists());
}
