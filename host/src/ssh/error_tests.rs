//! What a person reads when a host's key is not accepted, word for word.

use super::*;
use crate::ssh::AgentTrouble;

fn target(port: u16) -> Target {
    Target::new(Some("ann"), "web1", port)
}

fn recorded() -> RecordedKey {
    RecordedKey {
        location: Location { file: "/home/ann/.ssh/known_hosts".into(), line: 7 },
        key_type: "ssh-ed25519".into(),
        fingerprint: "SHA256:old".into(),
    }
}

#[test]
fn an_unknown_key_comes_with_the_command_that_records_it() {
    let error = ConnectError::HostKeyUnknown {
        target: Box::new(target(22)),
        key_type: "ssh-ed25519".into(),
        fingerprint: "SHA256:new".into(),
        known_hosts_line: "web1 ssh-ed25519 AAAA".into(),
        skipped: Box::new([]),
    };
    assert_eq!(
        error.to_string(),
        "ann@web1:22 presents a host key nobody has recorded: ssh-ed25519 SHA256:new. Compare it with the server's \
         (there: ssh-keygen -lf on the host key file); if it is the same, run `portcullis trust web1`, or open it while \
         the viewer runs and agree there, which records the line: web1 ssh-ed25519 AAAA"
    );
}

#[test]
fn a_changed_key_comes_with_both_fingerprints_and_the_way_out() {
    let error = ConnectError::HostKeyChanged {
        target: target(2222),
        key_type: "ssh-ed25519".into(),
        fingerprint: "SHA256:new".into(),
        known: vec![recorded()],
    };
    assert_eq!(
        error.to_string(),
        "ann@web1:2222 presents another host key than recorded, which happens after a reinstallation and in an \
         attack. Presented: ssh-ed25519 SHA256:new. Recorded: ssh-ed25519 SHA256:old \
         (/home/ann/.ssh/known_hosts:7). Nothing was sent. If the change is known to be right, remove the recorded \
         lines, then run `portcullis trust web1:2222`"
    );
}

#[test]
fn a_revoked_key_comes_with_the_line_that_revokes_it() {
    let location = recorded().location;
    let error = ConnectError::HostKeyRevoked { target: target(22), fingerprint: "SHA256:bad".into(), location };
    assert_eq!(
        error.to_string(),
        "ann@web1:22 presents the host key SHA256:bad, which /home/ann/.ssh/known_hosts:7 marks as revoked. Nothing \
         was sent; ask the people who run the server"
    );
}

#[test]
fn the_command_records_the_key_where_the_profile_looks_for_it() {
    let mut target = target(22);
    let (alias, file) = (Some("web".into()), Some("/etc/our hosts".into()));
    target.record = Some(Box::new(KeyRecord { alias, file }));
    assert_eq!(target.trust_command(), "portcullis trust web1 --alias web --known-hosts '/etc/our hosts'");
    assert_eq!(Target::new(None, "::1", 2222).trust_command(), "portcullis trust [::1]:2222");
}

#[test]
fn what_fails_at_a_hop_names_the_hop() {
    let source = Box::new(ConnectError::TunnelRefused { target: target(22), hop: target(2222), why: "it cannot" });
    let (name, address) = ("bastion-b".to_owned(), "10.0.0.2:22".to_owned());
    let error = ConnectError::Hop { number: 2, count: 3, name, address, source };
    assert_eq!(
        error.to_string(),
        "hop 2 of 3, bastion-b (10.0.0.2:22): ann@web1:22 cannot be reached through ann@web1:2222: it cannot"
    );
    assert_eq!(error.category(), "connection");
}

#[test]
fn every_place_an_agent_was_looked_for_is_named() {
    let place = |place: &str, trouble| AgentPlace { place: place.to_owned(), trouble };
    let places = vec![
        place("SSH_AUTH_SOCK", AgentTrouble::NotSet),
        place("/run/user/7/keyring/ssh", AgentTrouble::Missing),
        place("/tmp/agent", AgentTrouble::NoKeys),
    ];
    let error = ConnectError::NoAgent { target: target(22), places };
    assert_eq!(
        error.to_string(),
        "ann@web1:22: no ssh-agent with a usable key was found, so no connection was made. Looked at: SSH_AUTH_SOCK: \
         not set, /run/user/7/keyring/ssh: no such socket, /tmp/agent: the agent holds no key (ssh-add adds one). Start \
         an agent and add a key to it (ssh-add), or name its socket in the profile: auth = [{ agent = \"SOCKET\" }]"
    );
}

#[test]
fn what_a_person_did_not_answer_is_told_without_an_answer() {
    let error = |why| ConnectError::NotAnswered {
        target: target(22),
        asked: "answers to its questions".to_owned(),
        why,
        category: "authentication",
    };
    assert_eq!(
        error(NoAnswer::Unanswered { after: Duration::from_secs(110) }).to_string(),
        "ann@web1:22 needs answers to its questions from a person, and no person answered in the viewer within 110 s; \
         open it again to be asked again"
    );
    assert!(error(NoAnswer::Refused).to_string().contains("a person refused in the viewer; open it again"));
    assert_eq!(error(NoAnswer::Gone).category(), "authentication");
}
