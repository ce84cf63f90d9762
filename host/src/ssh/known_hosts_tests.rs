#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed step is a failed test")]

use super::*;

/// A key in wire format that only has to have a type and to differ from others.
fn key(key_type: &str, filling: u8) -> Vec<u8> {
    let mut wire = u32::try_from(key_type.len()).unwrap().to_be_bytes().to_vec();
    wire.extend_from_slice(key_type.as_bytes());
    wire.extend_from_slice(&[0, 0, 0, 4, filling, filling, filling, filling]);
    wire
}

fn ed(filling: u8) -> Vec<u8> {
    key("ssh-ed25519", filling)
}

fn text(wire: &[u8]) -> String {
    let key_type = std::str::from_utf8(wire_key_type(wire).unwrap()).unwrap();
    format!("{key_type} {}", BASE64.encode(wire))
}

fn files(contents: &[&str]) -> KnownHosts {
    let mut known = KnownHosts::default();
    for (index, content) in contents.iter().enumerate() {
        known.add(Path::new(&format!("file{index}")), content.as_bytes());
    }
    known
}

fn hashed(name: &str, salt: &[u8]) -> String {
    let digest = Hmac::<Sha1>::new_from_slice(salt).unwrap().chain_update(name.as_bytes()).finalize();
    format!("|1|{}|{}", BASE64.encode(salt), BASE64.encode(digest.into_bytes()))
}

fn word(verdict: &HostKeyVerdict) -> &'static str {
    match verdict {
        HostKeyVerdict::Known { .. } => "known",
        HostKeyVerdict::Unknown => "unknown",
        HostKeyVerdict::Changed { .. } => "changed",
        HostKeyVerdict::Revoked { .. } => "revoked",
    }
}

#[test]
fn verdicts_by_table() {
    let (ours, other, ecdsa) = (ed(1), ed(2), key("ecdsa-sha2-nistp256", 3));
    let (our_text, other_text, ecdsa_text) = (text(&ours), text(&other), text(&ecdsa));
    let hash = hashed("host", b"twenty bytes of salt");
    let hash_port = hashed("[host]:2222", b"other salt");
    // What it shows, the file's lines, host, port, presented key, verdict.
    type Row<'a> = (&'a str, String, &'a str, u16, &'a [u8], &'a str);
    let table: &[Row<'_>] = &[
        ("same key", format!("host {our_text}"), "host", 22, &ours, "known"),
        ("no file content", String::new(), "host", 22, &ours, "unknown"),
        ("another host", format!("elsewhere {our_text}"), "host", 22, &ours, "unknown"),
        ("another key of the type", format!("host {other_text}"), "host", 22, &ours, "changed"),
        ("another type recorded", format!("host {our_text}"), "host", 22, &ecdsa, "changed"),
        ("unusable type recorded", format!("host {}", text(&key("ssh-new", 9))), "host", 22, &ours, "changed"),
        ("rotation, second key", format!("host {other_text}\nhost {our_text}"), "host", 22, &ours, "known"),
        ("several types", format!("host {ecdsa_text}\nhost {our_text}"), "host", 22, &ours, "known"),
        ("tabs", format!("host\t{}", our_text.replace(' ', "\t")), "host", 22, &ours, "known"),
        ("blanks around", format!("  host   {our_text}   a comment\r"), "host", 22, &ours, "known"),
        ("upper case in the file", format!("HOST {our_text}"), "host", 22, &ours, "known"),
        ("upper case asked for", format!("host {our_text}"), "HoSt", 22, &ours, "known"),
        ("comma list", format!("a,host,b {our_text}"), "host", 22, &ours, "known"),
        ("star", format!("*.example.com {our_text}"), "a.b.example.com", 22, &ours, "known"),
        ("star, changed", format!("*.example.com {other_text}"), "a.example.com", 22, &ours, "changed"),
        ("question mark", format!("host? {our_text}"), "host1", 22, &ours, "known"),
        ("question mark is one", format!("host? {our_text}"), "host", 22, &ours, "unknown"),
        ("negation wins", format!("*,!host {our_text}"), "host", 22, &ours, "unknown"),
        ("negation of another", format!("*,!other {our_text}"), "host", 22, &ours, "known"),
        ("only a negation", format!("!other {our_text}"), "host", 22, &ours, "unknown"),
        ("port form", format!("[host]:2222 {our_text}"), "host", 2222, &ours, "known"),
        ("port form, changed", format!("[host]:2222 {other_text}"), "host", 2222, &ours, "changed"),
        ("port form, other port", format!("[host]:2223 {our_text}"), "host", 2222, &ours, "unknown"),
        ("port form at 22", format!("[host]:2222 {our_text}"), "host", 22, &ours, "unknown"),
        ("IPv6 with port", format!("[::1]:2222 {our_text}"), "::1", 2222, &ours, "known"),
        ("usual port vouches", format!("host {our_text}"), "host", 2222, &ours, "known"),
        ("usual port, other key", format!("host {other_text}"), "host", 2222, &ours, "unknown"),
        ("hashed", format!("{hash} {our_text}"), "host", 22, &ours, "known"),
        ("hashed, upper case asked for", format!("{hash} {our_text}"), "HOST", 22, &ours, "known"),
        ("hashed, changed", format!("{hash} {other_text}"), "host", 22, &ours, "changed"),
        ("hashed, other host", format!("{hash} {our_text}"), "hosts", 22, &ours, "unknown"),
        ("hashed port form", format!("{hash_port} {our_text}"), "host", 2222, &ours, "known"),
        ("revoked", format!("@revoked host {our_text}"), "host", 22, &ours, "revoked"),
        ("revoked for all", format!("@revoked * {our_text}"), "host", 22, &ours, "revoked"),
        ("revoked after known", format!("host {our_text}\n@revoked * {our_text}"), "host", 22, &ours, "revoked"),
        ("revoked before known", format!("@revoked host {our_text}\nhost {our_text}"), "host", 22, &ours, "revoked"),
        ("revoked, asked with port", format!("@revoked host {our_text}"), "host", 2222, &ours, "revoked"),
        ("revoked elsewhere", format!("@revoked other {our_text}\nhost {our_text}"), "host", 22, &ours, "known"),
        ("another key revoked", format!("@revoked host {other_text}"), "host", 22, &ours, "unknown"),
        ("authority is no host key", format!("@cert-authority host {our_text}"), "host", 22, &ours, "unknown"),
        ("comment", format!("#host {our_text}"), "host", 22, &ours, "unknown"),
        ("comment with blank", format!("  # host {our_text}"), "host", 22, &ours, "unknown"),
        ("unknown marker", format!("@trusted host {our_text}"), "host", 22, &ours, "unknown"),
        ("broken base64", format!("host {}!", our_text), "host", 22, &ours, "unknown"),
        ("type lies", format!("host ssh-rsa {}", BASE64.encode(&ours)), "host", 22, &ours, "unknown"),
        ("broken line, then right", format!("host ssh-ed25519 %%%\nhost {our_text}"), "host", 22, &ours, "known"),
        ("broken line, then other", format!("host ssh-ed25519 %%%\nhost {other_text}"), "host", 22, &ours, "changed"),
        ("broken hash", format!("|1|%%%|abc {our_text}"), "host", 22, &ours, "unknown"),
        ("empty digest", format!("|1|c2FsdA==| {our_text}"), "host", 22, &ours, "unknown"),
        ("hash of another kind", format!("|2|c2FsdA==|c2FsdA== {our_text}"), "host", 22, &ours, "unknown"),
        ("NUL in a line", format!("ho\0st {our_text}\nhost {our_text}"), "host", 22, &ours, "known"),
        ("key without names", our_text.clone(), "host", 22, &ours, "unknown"),
    ];
    for (name, content, host, port, presented, expected) in table {
        assert_eq!(word(&files(&[content]).check(host, *port, presented)), *expected, "{name}: {content}");
    }
}

#[test]
fn a_hash_made_by_openssh_matches() {
    // Made by `ssh-keygen -H` for the name host.example with a throwaway key.
    let line = include_str!("known_hosts_hashed.txt");
    let known = files(&[line]);
    let wire = BASE64.decode(line.split_whitespace().nth(2).unwrap()).unwrap();
    assert_eq!(word(&known.check("host.example", 22, &wire)), "known");
    assert_eq!(word(&known.check("other.example", 22, &wire)), "unknown");
}

#[test]
fn all_files_count_and_places_are_told() {
    let (ours, other) = (ed(1), ed(2));
    let known = files(&[&format!("# head\nhost {}", text(&other)), &format!("\nhost {}\n", text(&ed(3)))]);
    let HostKeyVerdict::Changed { known: recorded } = known.check("host", 22, &ours) else {
        panic!("expected a change");
    };
    let shown: Vec<String> = recorded.iter().map(ToString::to_string).collect();
    assert_eq!(shown.len(), 2);
    assert!(shown[0].starts_with("ssh-ed25519 SHA256:") && shown[0].ends_with("(file0:2)"), "{shown:?}");
    assert!(shown[1].ends_with("(file1:2)"), "{shown:?}");

    let known = files(&[&format!("host {}", text(&ours)), &format!("@revoked host {}", text(&ours))]);
    let HostKeyVerdict::Revoked { location } = known.check("host", 22, &ours) else {
        panic!("expected a revocation");
    };
    assert_eq!(location.to_string(), "file1:1");
}

#[test]
fn skipped_lines_are_told_and_limited() {
    let known = files(&["host\nhost ssh-ed25519\n@revoked\n"]);
    let reasons: Vec<&str> = known.skipped().iter().map(|line| line.reason).collect();
    assert_eq!(
        reasons,
        [
            "no key type stands behind the host names",
            "no key stands behind the key type",
            "no host name stands behind the marker"
        ]
    );
    assert_eq!(files(&[&"junk\n".repeat(1000)]).skipped().len(), SKIPPED_LINES_KEPT);
}

#[test]
fn recorded_types_come_in_order_and_once() {
    let lines = [key("ssh-rsa", 1), ed(1), key("ssh-rsa", 2)].map(|wire| format!("[host]:2222 {}\n", text(&wire)));
    let known = files(&[&lines.concat(), &format!("host {}", text(&key("ecdsa-sha2-nistp256", 1)))]);
    assert_eq!(known.recorded_key_types("host", 2222), ["ssh-rsa", "ssh-ed25519", "ecdsa-sha2-nistp256"]);
    assert!(known.recorded_key_types("other", 22).is_empty());
}

#[test]
fn authorities_are_found_by_name_and_can_be_revoked() {
    let authority = ed(7);
    let known = files(&[&format!("@cert-authority *.example.com {}", text(&authority))]);
    assert_eq!(known.authorities("a.example.com", 22), [authority.as_slice()]);
    assert!(known.authorities("example.org", 22).is_empty());
    assert!(known.revocation("a.example.com", 22, &authority).is_none());
    let known = files(&[&format!("@revoked * {}", text(&authority))]);
    assert!(known.revocation("a.example.com", 22, &authority).is_some());
}

#[test]
fn wildcards_do_not_explode() {
    let pattern = "*a".repeat(200) + "b";
    let name = "a".repeat(5000);
    let started = std::time::Instant::now();
    assert!(!wildcard_match(pattern.as_bytes(), name.as_bytes()));
    assert!(started.elapsed() < std::time::Duration::from_secs(2));
}

#[test]
fn arbitrary_bytes_neither_panic_nor_match() {
    // Every prefix and every single changed byte of a line that revokes: none of them may turn into a
    // line that vouches for the key.
    let ours = ed(1);
    let line = format!("@revoked host,[host]:22,|1|a|b {}", text(&ours)).into_bytes();
    for cut in 0..line.len() {
        let mut known = KnownHosts::default();
        known.add(Path::new("cut"), &line[..cut]);
        let verdict = word(&known.check("host", 22, &ours));
        assert!(verdict == "unknown" || verdict == "revoked", "{cut}");
    }
    for place in 0..line.len() {
        for byte in [0, b' ', b'@', b'|', b'*', 0xff] {
            let mut changed = line.clone();
            changed[place] = byte;
            let mut known = KnownHosts::default();
            known.add(Path::new("changed"), &changed);
            assert_ne!(word(&known.check("host", 22, &ours)), "known", "{place} {byte}");
        }
    }
}

#[test]
fn missing_files_record_nothing_and_unreadable_ones_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    assert_eq!(word(&KnownHosts::load(&[missing]).unwrap().check("host", 22, &ed(1))), "unknown");
    let error = KnownHosts::load(&[directory.path().to_owned()]).unwrap_err();
    assert!(matches!(error, KnownHostsError::NotAFile { .. }), "{error}");
    // A file in the place of a directory: exists, and cannot be read as what it should be.
    let file = directory.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = KnownHosts::load(&[file.join("known_hosts")]).unwrap_err();
    assert!(matches!(error, KnownHostsError::Unreadable { .. }), "{error}");
    let huge = directory.path().join("huge");
    File::create(&huge).unwrap().set_len(FILE_LIMIT_BYTES + 1).unwrap();
    assert!(matches!(KnownHosts::load(&[huge]).unwrap_err(), KnownHostsError::TooLarge { .. }));
}

#[test]
fn a_remembered_key_is_known_and_remembered_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new").join("known_hosts");
    let ours = ed(1);
    let line = line_for("Host", 2222, "ssh-ed25519", &ours);
    remember(&path, &line).unwrap();
    remember(&path, &line).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{line}\n"));
    assert_eq!(word(&KnownHosts::load(std::slice::from_ref(&path)).unwrap().check("host", 2222, &ours)), "known");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }
    // A file whose last line has no end must not swallow the new one.
    std::fs::write(&path, "# last").unwrap();
    remember(&path, &line).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("# last\n{line}\n"));
}
