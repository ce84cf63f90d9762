//! Outputs as programs write them, and what must hold for any input.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use parser_kit::testing::{Read, claim, holds, read, read_stored, shuffled, stored};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::System;

macro_rules! output {
    ($name:literal) => {
        include_str!(concat!("../tests/outputs/", $name, ".txt"))
    };
}

/// Reads a stored output of which every line fits.
fn whole(file: &str) -> Read {
    let read = read_stored::<System>(file);
    assert_eq!(read.unparsed, [], "{file}");
    read
}

#[test]
fn processes_in_every_format() {
    let aux = whole(output!("ps-aux"));
    assert_eq!(
        aux.documents[0],
        json!({"user": "root", "pid": 1, "cpu_percent": 0.0, "memory_percent": 0.0, "virtual_kib": 38236,
            "resident_kib": 10132, "tty": "?", "state": "S<Ll", "started": "Nov25", "cpu_time": "0:32",
            "cpu_seconds": 32.0, "command": "/sbin/init splash"})
    );
    assert_eq!(whole(output!("ps-ef")).documents[1]["command"], "[kthreadd]");
    assert_eq!(whole(output!("ps-lef")).documents[8]["tid"], 68);
    let custom = whole(output!("ps-custom"));
    assert_eq!(custom.documents[0]["started"], "Wed Nov 25 18:18:40 2026");
    assert_eq!((&custom.documents[0]["elapsed_seconds"], &custom.documents[0]["nice"]), (&json!(57488.0), &json!(-10)));
    assert_eq!(
        (&custom.documents[0]["command"], &custom.documents[0]["resident_kib"]),
        (&json!("systemd"), &json!(10132))
    );
    let two = whole(output!("ps-two-commands"));
    assert_eq!(two.documents[2]["command"], "pool_workqueue_");
    assert_eq!(two.documents[2]["command_column_2"], "[pool_workqueue_release]");
    let long = whole(output!("ps-l"));
    assert_eq!((&long.documents[0]["uid"], &long.documents[0]["size_pages"]), (&json!(0), &json!(9559)));
}

#[test]
fn headings_of_the_callers_own_have_fields_of_their_own() {
    let read = read::<System>("ps -o pid,nlwp=THREADS,comm", "  PID THREADS COMMAND\n   12 many tmux: server\n");
    assert_eq!(read.documents[0], json!({"pid": 12, "threads_shown": "many", "command": "tmux: server"}));
}

#[test]
fn processes_of_busybox() {
    assert_eq!(
        whole(output!("ps-busybox")).documents[0],
        json!({"pid": 1, "user": "root", "command": "/sbin/init splash"})
    );
    let old = whole(output!("ps-busybox-openwrt"));
    assert_eq!(old.documents[1]["command"], "/usr/sbin/ntpd -n -N");
    assert_eq!(
        (&old.documents[3]["virtual_text"], &old.documents[3]["command"]),
        (&json!("112m"), &json!("/usr/bin/find / -name x"))
    );
}

#[test]
fn a_summary_and_its_processes() {
    let top = whole(output!("top"));
    assert_eq!(top.documents[0]["uptime"]["load_5"], 2.98);
    assert_eq!(
        top.documents[0]["tasks"],
        json!({"total": 80, "running": 1, "sleeping": 79, "stopped": 0, "zombie": 0})
    );
    assert_eq!(top.documents[0]["cpu_percent"]["id"], 100.0);
    assert_eq!(top.documents[0]["swap_mib"]["avail_mem"], 23270.6);
    assert_eq!(top.documents[1]["resident_kib"], 10132);
    let german = whole(output!("top-german"));
    assert_eq!(german.documents[0]["cpu_1_percent"]["id"], 90.7);
    assert_eq!(german.documents[0]["memory_mib"]["buff_cache"], 15008.3);
    assert_eq!(
        (&german.documents[1]["resident_text"], &german.documents[1]["command"]),
        (&json!("1,0g"), &json!("Web Content"))
    );
    assert_eq!(german.documents[2]["priority_text"], "rt");
    let busybox = whole(output!("top-busybox"));
    assert_eq!(busybox.documents[0]["memory_kib"]["used"], 15_820_812);
    assert_eq!(busybox.documents[0]["load"]["last_pid"], 30121);
    assert_eq!(busybox.documents[3]["state"], "SN");
    let full = "  PID  PPID USER     STAT   VSZ %VSZ %CPU COMMAND\n 7910  3326 root     S     266g1067%  14% node x\n";
    let full = read::<System>("top -b", full);
    assert_eq!(
        (&full.documents[0]["virtual_text"], &full.documents[0]["virtual_percent"]),
        (&json!("266g"), &json!(1067.0))
    );
    let (_, once) = stored(output!("top"));
    let twice = read::<System>("top -b -n 2", &format!("{once}\n{once}"));
    assert_eq!(twice.documents.len(), 2 * top.documents.len());
}

#[test]
fn memory_with_its_unit() {
    let human = whole(output!("free"));
    assert_eq!(human.documents[0]["name"], "Mem");
    assert!(human.documents[0]["total_text"].is_string());
    let wide = whole(output!("free-wide"));
    assert_eq!((&wide.documents[0]["cache_mib"], &wide.documents[2]["name"]), (&json!(14733), &json!("Total")));
    assert_eq!(wide.documents[2].get("shared_mib"), None);
    assert!(whole(output!("free-busybox")).documents[0]["buffers_cache_kib"].is_u64());
    let old = whole(output!("free-old"));
    assert_eq!(old.documents[1], json!({"name": "-/+ buffers/cache", "used_kib": 2_851_864, "free_kib": 5_210_008}));
}

#[test]
fn disks_with_their_unit() {
    let plain = whole(output!("df"));
    assert_eq!(
        *plain.find("mounted_on", "/"),
        json!({"filesystem": "/dev/vda", "size_kib": 264_212_084_u64, "used_kib": 49_584_772, "available_kib": 45_701_116,
            "used_percent": 53.0, "mounted_on": "/"})
    );
    assert_eq!(whole(output!("df-types")).find("mounted_on", "/")["type"], "ext4");
    assert_eq!(whole(output!("df-inodes")).find("mounted_on", "/")["inodes"], 16_777_216);
    assert_eq!(whole(output!("df-busybox")).find("mounted_on", "/")["size_text"], "252.0G");
    assert_eq!(whole(output!("df-german")).find("mounted_on", "/")["available_kib"], 133_245_678);
    let wrapped = read_stored::<System>(output!("df-wrapped"));
    assert_eq!(wrapped.left(), [6]);
    assert_eq!(wrapped.find("mounted_on", "/")["filesystem"], "/dev/mapper/a-very-long-volume-group-root");
    assert_eq!(wrapped.find("mounted_on", "/mnt/my share")["filesystem"], "//server/my share");
    assert_eq!(wrapped.find("mounted_on", "/proc/x").get("used_percent"), None);
    let usage = whole(output!("du"));
    assert_eq!(usage.find("path", "/etc/apt")["size_kib"], 176);
    // What a terminal makes of the tab.
    let shown =
        read::<System>("du -sh my", "4,0K    my folder\n1.2G    b\ndu: cannot read directory 'x': Permission denied\n");
    assert_eq!((&shown.documents[0], shown.left()), (&json!({"size_text": "4,0K", "path": "my folder"}), vec![3]));
}

#[test]
fn who_someone_is() {
    assert_eq!(whole(output!("id")).documents[0]["groups"], json!([{"gid": 1, "name": "daemon"}]));
    let labelled = whole(output!("id-selinux"));
    assert_eq!(labelled.documents[0]["groups"][2], json!({"gid": 20513, "name": "domain users"}));
    assert_eq!(labelled.documents[0]["context"], "unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023");
}

#[test]
fn secrets_are_marked_and_not_repeated() {
    let env = read_stored::<System>(output!("env"));
    let told = json!(env.documents).to_string() + &json!(env.unparsed).to_string();
    for secret in ["ghp_", "topsecret", "b3BlbnNz", "END OPENSSH"] {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
    assert_eq!(*env.find("name", "GITHUB_TOKEN"), json!({"name": "GITHUB_TOKEN", "is_secret": true}));
    assert_eq!(env.find("name", "SSH_PRIVATE_KEY")["hidden_lines"], 2);
    assert_eq!(*env.find("name", "PS1"), json!({"name": "PS1", "value": "first", "may_continue": true}));
    assert_eq!(env.find("name", "EMPTY")["value"], "");
    assert_eq!(env.left(), [9, 13, 14]);
}

#[test]
fn the_operating_system() {
    let release = whole(output!("os-release"));
    assert_eq!(release.documents.len(), 1);
    assert_eq!((&release.documents[0]["id"], &release.documents[0]["version_id"]), (&json!("debian"), &json!("12")));
    let text = "ID_LIKE=\"rhel fedora\"\nNAME='A b'\n# note\nX=\"a \\\"b\\\"\"\nY=$(x) z\n";
    let other = read::<System>("cat /usr/lib/os-release", text);
    assert_eq!(other.documents[0], json!({"id_like": ["rhel", "fedora"], "name": "A b", "x": "a \"b\""}));
    assert_eq!(other.left(), [3, 5]);
}

#[test]
fn load_in_every_writing() {
    let forms = whole(output!("uptime-forms"));
    let minutes: Vec<Value> = forms.documents.iter().map(|document| document["up_minutes"].clone()).collect();
    assert_eq!(minutes, [json!(958), json!(145_624), json!(5), json!(13_144), json!(17_460), json!(null)]);
    assert_eq!((&forms.documents[1]["load_1"], &forms.documents[1]["users"]), (&json!(0.08), &json!(1)));
    assert_eq!(forms.documents[4]["load_15"], 1.71);
    assert_eq!(whole(output!("uptime")).documents.len(), 1);
}

#[test]
fn units_with_their_journal() {
    let status = read_stored::<System>(output!("systemctl-status"));
    assert_eq!(status.left(), [21], "a warning is no entry");
    let nginx = status.find("unit", "nginx.service");
    for (field, value) in [
        ("load", json!("loaded")),
        ("enabled", json!("enabled")),
        ("active", json!("active")),
        ("sub", json!("running")),
        ("since", json!("Thu 2026-11-26 08:00:03 UTC")),
        ("main_pid", json!(816)),
        ("main_program", json!("nginx")),
        ("tasks", json!(3)),
        ("docs", json!(["man:nginx(8)", "https://nginx.org/en/docs/"])),
        ("cgroup", json!("/system.slice/nginx.service")),
        (
            "other",
            json!({"Drop-In": ["/etc/systemd/system/nginx.service.d", "└─limits.conf, override.conf"], "TriggeredBy": ["● nginx.socket"]}),
        ),
    ] {
        assert_eq!(nginx[field], value, "{field}");
    }
    assert_eq!(nginx["processes"][1], "817 \"nginx: worker process\"");
    assert_eq!(
        (nginx["journal"].as_array().unwrap().len(), nginx["ended_processes"].as_array().unwrap().len()),
        (2, 2)
    );
    let ssh = status.find("unit", "ssh.socket");
    assert_eq!(
        (&ssh["active"], &ssh["result"], &ssh["preset"]),
        (&json!("failed"), &json!("resources"), &json!("enabled"))
    );
    assert_eq!(claim::<System>("systemctl status x", "Unit x.service could not be found.\n"), None);
}

#[test]
fn entries_of_the_journal() {
    let short = read_stored::<System>(output!("journal-short"));
    assert_eq!(short.left(), [1, 8]);
    assert_eq!(
        short.documents[0],
        json!({"time": "Nov 26 09:58:01", "host": "web-1", "identifier": "sshd", "pid": 4711,
            "message": "Accepted publickey for joe from 192.0.2.7 port 51234 ssh2: ED25519 SHA256:abc"})
    );
    assert_eq!(
        short.documents[2]["message"],
        "Traceback (most recent call last):\nFile \"x.py\", line 1, in <module>\n  raise ValueError"
    );
    assert_eq!((&short.documents[3]["identifier"], &short.documents[4]["message"]), (&json!("kernel"), &json!("")));
    assert_eq!(whole(output!("journal-iso")).documents[1]["time"], "2026-11-26T09:58:02+00:00");
    assert_eq!(whole(output!("journal-full")).documents[1]["time"], "Do 2026-11-26 09:58:02 CET");
    assert_eq!(whole(output!("journal-monotonic")).documents[0]["time"], "[    5.123456]");
    assert_eq!(whole(output!("syslog")).documents[1]["identifier"], "rsyslogd");
    let json = whole(output!("journal-json"));
    assert_eq!(
        json.documents[0],
        json!({"time_unix_us": 1_795_687_081_000_000_u64, "host": "web-1", "identifier": "sshd", "pid": 4711, "priority": 6,
            "message": "Connection closed", "unit": "ssh.service", "fields": {"_UID": "0"}})
    );
    assert_eq!(json.documents[1]["fields"]["MESSAGE"], json!([104, 255]));
}

#[test]
fn rows_that_do_not_fit_are_left() {
    let text = "  PID TTY          TIME CMD\n   12 pts/0    00:00:00 bash\nxx pts/0 00:00:00 y\n  13 pts/0\n";
    let read = read::<System>("ps", text);
    assert_eq!((read.documents.len(), read.left()), (1, vec![3, 4]));
}

#[test]
fn other_output_is_not_claimed() {
    for (command, text) in [
        ("ps --no-headers", "1 ? 00:00:01 init\n"),
        ("top", "top - 10:16:49 up 1 day\n"),
        ("free -L", "SwapUse 0 CachUse 1 MemUse 1 MemFree 2\n"),
        ("df --output=source", "Filesystem\nudev\n"),
        ("du --time", "4\t2026-11-21 04:15\tx\n"),
        ("id -u", "0\n"),
        ("env A=b make", "a=b\n"),
        ("printenv PATH", "/usr/bin\n"),
        ("cat /etc/passwd", "root:x:0:0\n"),
        ("journalctl -o verbose", "Thu 2026-11-26 09:58:01 UTC [s=1]\n"),
        ("cat notes", "Nov 26 09:58:01 web-1 sshd[1]: x\n"),
    ] {
        assert_eq!(claim::<System>(command, text), None, "{command}");
    }
}

/// What the machine's own tools print now, and BusyBox's where there is one.
#[test]
fn the_machines_own_outputs_are_read() {
    for command in [
        "ps aux",
        "ps -ef",
        "ps -eo pid,user,lstart,args",
        "ps -eo pid,comm,rss,etime,args",
        "busybox ps",
        "busybox ps -o pid,ppid,stat,args",
        "top -b -n 1",
        "busybox top -b -n 1",
        "free",
        "free -m",
        "free -h",
        "busybox free",
        "uptime",
        "busybox uptime",
        "df",
        "df -hT",
        "df -i",
        "df -P",
        "busybox df",
        "busybox df -h",
        "du -d 0 /etc/init.d",
        "id",
        "busybox id",
        "cat /etc/os-release",
    ] {
        let words: Vec<&str> = command.split(' ').collect();
        let program = std::process::Command::new(words[0]).args(&words[1..]).env("LC_ALL", "C").output();
        let Ok(output) = program else { continue };
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() || text.trim().is_empty() {
            continue;
        }
        let read = read::<System>(command, &text);
        // Of processes any may have a name or a size that no column holds.
        let most_left = if command.contains("ps") || command.contains("top") { read.documents.len() / 10 } else { 0 };
        assert!(!read.documents.is_empty(), "{command}");
        assert!(read.unparsed.len() <= most_left, "{command}: {:?}", read.unparsed);
    }
}

fn is_heading(line: &str) -> bool {
    crate::process::Columns::read(line).is_some()
        || (line.starts_with(' ') && !line.contains(':'))
        || line.contains('%')
}

const PROCESSES: [(&str, &str); 2] = [("ps aux", "ps/1"), ("top -b", "top/1")];
const SYSTEM: [(&str, &str); 6] = [
    ("df", "df/1"),
    ("du", "du/1"),
    ("id", "id/1"),
    ("uptime", "uptime/1"),
    ("free", "free/1"),
    ("cat /etc/os-release", "os-release/1"),
];
const SERVICES: [(&str, &str); 2] = [("systemctl status", "systemctl.status/1"), ("journalctl", "journal/1")];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]
    #[test]
    fn processes_lose_nothing(text in shuffled(&[stored(output!("ps-aux")).1, stored(output!("ps-custom")).1, stored(output!("ps-two-commands")).1, stored(output!("top-german")).1]), size in 1usize..60) {
        for (command, schema) in PROCESSES {
            holds::<System>(command, schema, &text, size, |line| is_heading(line) || line.contains("average"));
        }
    }

    #[test]
    fn accounts_lose_nothing(text in shuffled(&[stored(output!("df-wrapped")).1, stored(output!("id-selinux")).1, stored(output!("uptime-forms")).1, stored(output!("free-old")).1, stored(output!("os-release")).1]), size in 1usize..60) {
        for (command, schema) in SYSTEM {
            // A label of the format is no word of the output.
            holds::<System>(command, schema, &text, size, |line| is_heading(line) || line.contains("groups") || line.contains("average") || line.contains("Gruppen") || line.contains("Capacity") || line.contains('%'));
        }
    }

    #[test]
    fn services_lose_nothing(text in shuffled(&[stored(output!("systemctl-status")).1, stored(output!("journal-short")).1, stored(output!("journal-json")).1, stored(output!("journal-full")).1]), size in 1usize..60) {
        for (command, schema) in SERVICES {
            holds::<System>(command, schema, &text, size, |line| line.contains("_HOSTNAME") || line.contains(": "));
        }
    }

    #[test]
    fn the_environment_loses_nothing_but_secrets(text in shuffled(&["LONGNAME=longvalue\nfurther words here\nOTHERNAME=x y\n"]), size in 1usize..60) {
        holds::<System>("env", "env/1", &text, size, |_| false);
    }
}

#[test]
fn captured_journals_are_read_whole() {
    for file in [
        output!("journal-short-lines"),
        output!("journal-iso-lines"),
        output!("journal-iso-precise"),
        output!("journal-precise"),
        output!("journal-full-lines"),
        output!("journal-monotonic-lines"),
        output!("journal-unix"),
        output!("journal-with-unit"),
        output!("journal-json-lines"),
    ] {
        let journal = whole(file);
        assert_eq!(journal.documents.len(), 7, "{file}");
        let lines = journal.documents.iter().filter(|document| document.to_string().contains("second line"));
        assert_eq!(lines.count(), 1, "an entry of several lines is one: {file}");
    }
}

#[test]
fn captured_languages_are_read() {
    for (file, name, total) in [
        (output!("free-german"), "Speicher", "gesamt_mib"),
        (output!("free-french"), "Mem", "total_mib"),
        (output!("free-chinese"), "内存", "total_mib"),
    ] {
        let memory = whole(file);
        assert_eq!(memory.documents.len(), 2);
        assert_eq!(
            (&memory.documents[0]["name"], &memory.documents[0][total]),
            (&json!(name), &json!(24_105)),
            "{file}"
        );
    }
    for file in [output!("df-types-german"), output!("df-types-french"), output!("df-types-chinese")] {
        assert_eq!(whole(file).documents[0]["mounted_on"], "/", "{file}");
    }
    for file in [output!("top-german-captured"), output!("top-french-captured")] {
        let top = whole(file);
        let summary = &top.documents[0];
        assert!(summary["tasks"]["total"].is_u64() && summary["cpu_percent"].is_object(), "{summary}");
        assert!(summary["memory_mib"]["total"].is_number() && summary["swap_mib"]["total"].is_number(), "{summary}");
    }
    // Its heading has no name for the state, so that no row fits.
    let chinese = read_stored::<System>(output!("top-chinese"));
    assert_eq!((chinese.documents.len(), chinese.unparsed.len()), (1, 3));
    assert_eq!(chinese.documents[0]["tasks"]["total"], 98);
}
