//! The main walk, menu to pod and back, and what terminals have to do on the way.

use std::time::Duration;

use lab::bastion;

use crate::client::{Terminal, eventually, is_running, options};

const MASTER_PROMPT: &str = "[root@master-a ~]# ";
const POD_PROMPT: &str = "[pod:orders/orders-api-7d9d65f8b4-2plxq ~]$ ";
const EXEC: &str = "kubectl exec -it orders-api-7d9d65f8b4-2plxq -n orders -- /bin/bash\r";

async fn to_master(terminal: &mut Terminal) {
    terminal.expect("Target IP: ").await;
    terminal.type_keys("10.66.12.21\r").await;
    terminal.expect("User number: ").await;
    terminal.type_keys("2\r").await;
    terminal.expect("Logged in to master-a as root.").await;
    terminal.expect(MASTER_PROMPT).await;
}

#[tokio::test]
async fn from_the_menu_into_a_pod_and_back() {
    let home = tempfile::tempdir().unwrap();
    let bastion = bastion::start(options(&home)).await.unwrap();
    let mut terminal = Terminal::open(&bastion).await;
    to_master(&mut terminal).await;

    terminal.type_keys("kubectl get pods -n orders\r").await;
    let table = terminal.expect(MASTER_PROMPT).await;
    assert!(table.contains("orders-api-7d9d65f8b4-2plxq      1/1     Running   0          3d4h\r\n"), "{table}");

    terminal.type_keys("echo $PORTCULLIS_LAB_TARGET_IP,$PORTCULLIS_LAB_REMOTE_USER,$PAGER,$TERM\r").await;
    terminal.expect("10.66.12.21,root,cat,xterm-256color\r\n").await;

    terminal.type_keys(EXEC).await;
    terminal.expect("Connected to pod orders/orders-api-7d9d65f8b4-2plxq").await;
    terminal.expect(POD_PROMPT).await;
    terminal.type_keys("cat var/log/app/app.log\r").await;
    let log = terminal.expect(POD_PROMPT).await;
    assert!(log.contains("upstream timeout") && log.contains("traceId=lab-timeout-001\r\n"), "{log}");
    assert!(log.contains("payment failed orderId=O-10086"), "{log}");

    terminal.type_keys("exit\r").await;
    terminal.expect(MASTER_PROMPT).await;
    terminal.type_keys("echo back=$?\r").await;
    terminal.expect("back=0\r\n").await;
    terminal.type_keys("exit 3\r").await;
    assert_eq!(terminal.end().await, Some(3));
}

#[tokio::test]
async fn sizes_reach_the_shell_and_the_pod() {
    let home = tempfile::tempdir().unwrap();
    let bastion = bastion::start(options(&home)).await.unwrap();
    let mut terminal = Terminal::open(&bastion).await;
    to_master(&mut terminal).await;
    terminal.type_keys("stty size\r").await;
    terminal.expect("30 100\r\n").await;
    terminal.type_keys(EXEC).await;
    terminal.expect(POD_PROMPT).await;
    terminal.type_keys("stty size\r").await;
    terminal.expect("30 100\r\n").await;
    // The trap runs when the size has arrived, so nothing has to be guessed about timing.
    terminal.type_keys("trap 'echo now $(stty size)' WINCH; echo set-$((1+1))\r").await;
    terminal.expect("set-2\r\n").await;
    terminal.expect(POD_PROMPT).await;
    terminal.channel.window_change(132, 43, 0, 0).await.unwrap();
    // bash runs the trap once a key wakes its prompt, and a key may overtake the size on the way.
    for _ in 0..100 {
        terminal.type_keys("true\r").await;
        if terminal.shows_within("now 43 132", Duration::from_millis(200)).await {
            return;
        }
    }
    panic!("the size did not reach the pod: {:?}", terminal.seen);
}

#[tokio::test]
async fn a_pod_has_a_terminal_of_its_own() {
    let home = tempfile::tempdir().unwrap();
    let bastion = bastion::start(options(&home)).await.unwrap();
    let mut terminal = Terminal::open(&bastion).await;
    to_master(&mut terminal).await;
    terminal.type_keys("echo \"m=$(tty)\"\r").await;
    terminal.expect("m=/dev/").await;
    let outer = terminal.expect("\r\n").await;
    terminal.type_keys(EXEC).await;
    terminal.expect(POD_PROMPT).await;
    terminal.type_keys("echo \"p=$(tty)\"\r").await;
    terminal.expect("p=/dev/").await;
    assert_ne!(terminal.expect("\r\n").await, outer);
    // An interrupt ends the command in the pod, not the kubectl around it. The command itself
    // says that it runs: a bash interrupted while it still starts one may lose its terminal.
    terminal.type_keys("sh -c 'echo ready-$((2*3)); exec sleep 1000'\r").await;
    terminal.expect("ready-6\r\n").await;
    terminal.type_keys("\u{3}").await;
    terminal.expect(POD_PROMPT).await;
    terminal.type_keys("echo after=$?\r").await;
    terminal.expect("after=130\r\n").await;
}

#[tokio::test]
async fn exec_gives_the_status_of_its_command() {
    let home = tempfile::tempdir().unwrap();
    let bastion = bastion::start(options(&home)).await.unwrap();
    let mut terminal = Terminal::open(&bastion).await;
    to_master(&mut terminal).await;
    let exec = "kubectl exec orders-api-7d9d65f8b4-2plxq -n orders";
    for (flags, command, output, status) in [
        ("", "pwd", "/runtime/pods/orders/orders-api-7d9d65f8b4-2plxq\r\n", 0),
        ("", "sh -c 'exit 7'", "command terminated with exit code 7\r\n", 7),
        ("-it", "sh -c 'exit 8'", "command terminated with exit code 8\r\n", 8),
        ("-it", "grep -c orderId var/log/app/app.log", "2\r\n", 0),
        ("", "no-such-program", "command terminated with exit code 127\r\n", 127),
    ] {
        terminal.type_keys(&format!("{exec} {flags} -- {command}; echo status=$?.\r")).await;
        terminal.expect("$?.\r\n").await;
        let shown = terminal.expect(&format!("status={status}.\r\n")).await;
        assert!(shown.contains(output), "{command}: {shown}");
    }
    terminal.type_keys(&format!("echo typed | {exec} -i -- sed s/typed/piped/\r")).await;
    terminal.expect("piped\r\n").await;
}

#[tokio::test]
async fn keys_typed_ahead_of_the_shell_are_not_lost() {
    let home = tempfile::tempdir().unwrap();
    let bastion = bastion::start(options(&home)).await.unwrap();
    let mut terminal = Terminal::open(&bastion).await;
    terminal.type_keys("10.66.12.22\r3\recho early-$((40+2))\r").await;
    terminal.expect("Logged in to master-b as app.").await;
    terminal.expect("early-42\r\n").await;
}

#[tokio::test]
async fn dropping_the_bastion_leaves_no_process() {
    let home = tempfile::tempdir().unwrap();
    let bastion = bastion::start(options(&home)).await.unwrap();
    let mut terminal = Terminal::open(&bastion).await;
    to_master(&mut terminal).await;
    // Ignores the hang-up, leads a session of its own, and its parent is gone.
    terminal.type_keys("(nohup setsid sleep 1001 >/dev/null 2>&1 & echo \"pid=$!;\")\r").await;
    let mut pids = vec![pid(&mut terminal).await];
    terminal.type_keys("echo \"pid=$$;\"\r").await;
    pids.push(pid(&mut terminal).await);
    terminal.type_keys(EXEC).await;
    terminal.expect(POD_PROMPT).await;
    terminal.type_keys("echo \"pid=$$;\"\r").await;
    pids.push(pid(&mut terminal).await);
    terminal.type_keys("nohup sleep 1002 >/dev/null 2>&1 & echo \"pid=$!;\"\r").await;
    pids.push(pid(&mut terminal).await);
    for pid in &pids {
        assert!(is_running(pid), "{pid} of {pids:?}");
    }
    drop(bastion);
    for pid in &pids {
        eventually(&format!("process {pid} of {pids:?} is gone"), || !is_running(pid)).await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_processes_along() {
    let home = tempfile::tempdir().unwrap();
    let bastion = bastion::start(options(&home)).await.unwrap();
    let mut terminal = Terminal::open(&bastion).await;
    to_master(&mut terminal).await;
    terminal.type_keys("nohup sleep 1003 >/dev/null 2>&1 & echo \"pid=$!;\"\r").await;
    let left = pid(&mut terminal).await;
    assert!(is_running(&left));
    drop(terminal);
    eventually("the job is gone", || !is_running(&left)).await;
    eventually("the connection is gone", || bastion.connection_count() == 0).await;
}

/// Reads a process id that was printed as `pid=N;`. The typed line has no digit behind `pid=`.
async fn pid(terminal: &mut Terminal) -> String {
    loop {
        terminal.expect("pid=").await;
        let rest = terminal.expect(";").await;
        let digits = rest.trim_end_matches(';');
        if digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.is_empty() {
            return digits.to_owned();
        }
    }
}
