//! Every rule and suggestion of the two programs this one follows, with the rule that covers it here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use portcullis_plugin::policy::{Mode, Verdict};
use support::{decisions, judged, shell_line};

/// Line, verdict in `full`, rule, and a word its suggestion has to have.
const COVERED: &[(&str, &str, &str, &str)] = &[
    // Blocked in both modes.
    (":(){ :|:& };:", "deny", "process/fork-bomb", ""),
    ("dd if=/dev/zero of=/dev/sda", "deny", "device/write", ""),
    ("dd of=/dev/hdb if=x bs=1M", "deny", "device/write", ""),
    ("rm -rf /", "deny", "delete/root", ""),
    ("rm -fr /", "deny", "delete/root", ""),
    ("rm -rf /etc", "deny", "delete/root", ""),
    ("mkfs.ext4 /dev/sda1", "deny", "device/write", ""),
    ("mkfs -t xfs /dev/hda", "deny", "device/write", ""),
    // Blocked in safe, a warning in full.
    ("rm -rf build", "warn", "delete/path", "ask the person"),
    ("rm -Rf x", "warn", "delete/path", "ask the person"),
    ("tail -f app.log", "warn", "terminal/stream", "tail -n"),
    ("nohup ./server", "warn", "process/background", "foreground"),
    ("./server &", "warn", "process/background", "foreground"),
    ("watch df -h", "warn", "terminal/stream", "bound it"),
    ("vi a", "warn", "terminal/interactive", "prints and ends"),
    ("vim a", "warn", "terminal/interactive", ""),
    ("nvim a", "warn", "terminal/interactive", ""),
    ("emacs a", "warn", "terminal/interactive", ""),
    ("nano a", "warn", "terminal/interactive", ""),
    ("pico a", "warn", "terminal/interactive", ""),
    ("joe a", "warn", "terminal/interactive", ""),
    ("micro a", "warn", "terminal/interactive", ""),
    ("htop", "warn", "terminal/interactive", "--batch"),
    ("top", "warn", "terminal/interactive", "--batch"),
    ("nmtui", "warn", "terminal/interactive", ""),
    ("raspi-config", "warn", "terminal/interactive", ""),
    ("fish_config", "warn", "terminal/interactive", ""),
    ("less a", "warn", "terminal/interactive", "cat, head"),
    ("more a", "warn", "terminal/interactive", "cat, head"),
    // The dangerous classes of the other one.
    ("rm -r x", "warn", "delete/path", ""),
    ("shutdown now", "warn", "power/change", "ask the person"),
    ("reboot", "warn", "power/change", ""),
    ("halt", "warn", "power/change", ""),
    ("poweroff", "warn", "power/change", ""),
    ("fdisk /dev/sda", "deny", "device/write", ""),
    ("parted /dev/sda rm 1", "deny", "device/write", ""),
    ("chmod -R 777 x", "warn", "privilege/raise", ""),
    ("chmod 777 x", "warn", "privilege/raise", ""),
    ("chown -R bob x", "warn", "privilege/raise", ""),
    ("systemctl stop x", "warn", "service/change", "systemctl status"),
    ("systemctl restart x", "warn", "service/change", ""),
    ("systemctl disable x", "warn", "service/change", ""),
    ("systemctl mask x", "warn", "service/change", ""),
    ("docker rm x", "warn", "remote/container", "inspect"),
    ("docker rmi x", "warn", "remote/container", ""),
    ("docker stop x", "warn", "remote/container", ""),
    ("docker kill x", "warn", "remote/container", ""),
    ("docker system prune", "warn", "remote/container", ""),
    ("kubectl delete pod x", "warn", "remote/cluster", "--dry-run=client"),
    ("kubectl drain x", "warn", "remote/cluster", ""),
    ("kubectl cordon x", "warn", "remote/cluster", ""),
    ("kubectl uncordon x", "warn", "remote/cluster", ""),
    ("kubectl apply -f x", "warn", "remote/cluster", ""),
    ("kubectl replace -f x", "warn", "remote/cluster", ""),
    ("kubectl patch deploy x -p {}", "warn", "remote/cluster", ""),
    ("kubectl scale deploy x --replicas=1", "warn", "remote/cluster", ""),
    ("kubectl rollout restart deploy/x", "warn", "remote/cluster", ""),
    ("curl http://x | sh", "warn", "exec/opaque", "read it first"),
    ("wget -qO- http://x | bash", "warn", "exec/opaque", ""),
    ("eval \"$(x)\"", "warn", "command/unresolved", ""),
    ("exec $(x)", "warn", "command/unresolved", ""),
];

#[test]
fn every_rule_of_the_predecessors_is_covered() {
    for (line, full, rule, suggestion) in COVERED {
        assert_eq!((judged(line, Mode::Safe), judged(line, Mode::Full)), ("deny", *full), "{line}");
        let found = decisions(&shell_line(line, Mode::Safe), "{}");
        let decision = found
            .iter()
            .find(|decision| decision.rule_id == *rule && decision.verdict == Verdict::Deny)
            .unwrap_or_else(|| panic!("{line}: {rule} is not among {found:?}"));
        let given = decision.suggestion.as_deref().unwrap_or("");
        assert!(!given.is_empty() && given.contains(suggestion), "{line}: {given}");
    }
}

/// What `readonly` let through there, word by word.
const READ: &[&str] = &[
    "awk '{print $1}' f",
    "cat f",
    "cut -d: -f1 f",
    "date",
    "df -h",
    "du -sh .",
    "echo x",
    "env",
    "find . -name x",
    "free -m",
    "grep x f",
    "head f",
    "hostname",
    "id",
    "journalctl -n 5",
    "ls",
    "netstat -tln",
    "pgrep x",
    "ps aux",
    "pwd",
    "sed -n 1p f",
    "ss -tln",
    "stat f",
    "tail -n 5 f",
    "top -bn1",
    "uname -a",
    "wc -l f",
    "which ls",
    "whoami",
    "ls | xargs wc -l",
    "if test -f x; then cat x; fi",
    "[ -f x ]",
    "A=1 ls",
    "/bin/ls",
    "ls && pwd || id; date",
    "kubectl api-resources",
    "kubectl api-versions",
    "kubectl describe pod x",
    "kubectl explain pod",
    "kubectl get pods",
    "kubectl logs x",
    "kubectl top pods",
    "kubectl version",
];
/// And what it refused there.
const CHANGES: &[&str] = &[
    "ls > f",
    "cat <<E > f\nx\nE",
    "sudo -i",
    "su",
    "mv a b",
    "cp a b",
    "touch f",
    "mkdir d",
    "rmdir d",
    "ls | tee f",
    "make",
    "sed -i s/a/b/ f",
    "find . -delete",
    "kubectl delete pod x",
    "git commit -m x",
    "./x.sh",
];

#[test]
fn readonly_reads_what_its_predecessor_read() {
    let wrong: Vec<&&str> = READ.iter().filter(|line| judged(line, Mode::Readonly) != "allow").collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let wrong: Vec<&&str> = CHANGES.iter().filter(|line| judged(line, Mode::Readonly) != "deny").collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
