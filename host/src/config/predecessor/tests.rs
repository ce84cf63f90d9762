//! Flags before variables before files, and what of them counts here.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use super::*;

fn given(predecessor: Predecessor, arguments: &[&str], variables: &'static [(&str, &str)]) -> Result<Given, String> {
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let look_up = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    Given::new(predecessor, &arguments, Box::new(look_up)).map_err(|error| error.to_string())
}

fn session(arguments: &[&str], variables: &'static [(&str, &str)]) -> Given {
    given(Predecessor::SshSessionMcp, arguments, variables).unwrap()
}

#[test]
fn a_flag_counts_before_its_variable_and_that_before_the_env_file() {
    let variables = &[("SSH_HOST", "of-variable"), ("SSH_USER", "ann"), ("SSH_PORT", "${SSH_PORT}")];
    let mut both = session(&["--host=of-flag", "--cols", "100"], variables);
    assert_eq!(both.value("host").as_deref(), Some("of-flag"));
    assert_eq!(both.variable("SSH_HOST").as_deref(), Some("of-flag"));
    assert_eq!(both.value("user").as_deref(), Some("ann"));
    assert_eq!(both.value("port"), None, "a template that nobody filled in");
    assert_eq!(both.number("cols").unwrap(), Some(100));
    both.env_file = foreign::env_pairs("SSH_USER=of-file\nSSH_PORT=2222\n");
    assert_eq!((both.value("user").as_deref(), both.value("port").as_deref()), (Some("ann"), Some("2222")));
}

#[test]
fn flags_are_known_in_each_spelling() {
    for arguments in [&["--viewerPort=auto"][..], &["--viewer-port", "auto"], &["--VIEWERPORT=auto"]] {
        assert_eq!(session(arguments, &[]).value("viewerPort").as_deref(), Some("auto"), "{arguments:?}");
        let other = given(Predecessor::SshMcp, arguments, &[]).unwrap();
        assert_eq!(other.value("viewer-port").as_deref(), Some("auto"), "{arguments:?}");
    }
    let bare = session(&["--debug", "--mode=full"], &[]);
    assert_eq!(bare.mode().unwrap(), Some(PolicyMode::Full));
    assert!(bare.notes.iter().any(|note| note.starts_with("--debug has no effect")), "{:?}", bare.notes);
}

#[test]
fn an_unknown_flag_is_refused_by_the_one_and_noted_by_the_other() {
    let refused = given(Predecessor::SshSessionMcp, &["--viewrPort=1"], &[]).err().unwrap();
    assert!(refused.contains("--viewrPort") && refused.contains("did you mean --viewerPort?"), "{refused}");
    let noted = given(Predecessor::SshMcp, &["--whatever", "1"], &[]).unwrap();
    assert!(noted.notes[0].contains("--whatever"), "{:?}", noted.notes);
    for (arguments, words) in
        [(&["stray"][..], "is no flag"), (&["--viewerPort=70000"], "up to 65535"), (&["--viewerPort=often"], "or auto")]
    {
        let refused = given(Predecessor::SshSessionMcp, arguments, &[]).err().unwrap();
        assert!(refused.contains(words), "{arguments:?}: {refused}");
    }
    assert!(session(&["--mode=fast"], &[]).mode().is_err());
    assert!(session(&["--timeout=soon"], &[]).number("timeout").is_err());
}

#[test]
fn what_is_not_honoured_is_told_with_what_to_do_instead_and_without_a_secret() {
    let given = session(
        &["--password=hunter2", "--viewerHost=0.0.0.0", "--logDir=/tmp"],
        &[("SSH_MCP_USE_MARKER", "false"), ("SSH_MCP_STATE_DIR", "${STATE}")],
    );
    let notes = given.notes.join("\n");
    for words in
        ["--password has no effect here", "SSH_PASSWORD", "0.0.0.0", "ssh -L", "--logDir", "SSH_MCP_USE_MARKER"]
    {
        assert!(notes.contains(words), "{words}: {notes}");
    }
    assert!(!notes.contains("hunter2") && !notes.contains("SSH_MCP_STATE_DIR"), "{notes}");
}

#[test]
fn a_device_of_flags_and_variables_is_the_default_and_names_its_secret() {
    let given = session(
        &["--host=board", "--user=root", "--port=2200", "--key=/keys/id"],
        &[("SSH_PASSWORD", "hunter2"), ("SSH_MCP_MODE", "full")],
    );
    let mut sources = Sources::default();
    assert!(add_device(&mut sources, &given).unwrap());
    assert_eq!(sources.top.default_profile.as_deref(), Some("default"));
    let profile = sources.profiles["default"].merged();
    assert_eq!((profile.host.as_deref(), profile.port), (Some("board"), Some(2200)));
    assert_eq!(profile.policy_mode, Some(PolicyMode::Full));
    let auth = profile.auth.unwrap();
    assert_eq!(auth[0].key_file.as_deref(), Some(Path::new("/keys/id")));
    assert_eq!(auth[1].password_env.as_deref(), Some("SSH_PASSWORD"));
    assert!(add_device(&mut Sources::default(), &session(&["--host=board"], &[])).is_err(), "there is no user");
    assert!(!add_device(&mut Sources::default(), &session(&[], &[])).unwrap());
}

#[test]
fn no_secret_goes_to_a_host_that_an_env_file_names() {
    let mut given = session(&[], &[("SSH_PASSWORD", "hunter2"), ("SSH_PASSWORD_FILE", "/secret")]);
    given.env_file = foreign::env_pairs("SSH_HOST=theirs\nSSH_USER=root\nSSH_KEY=/keys/id\n");
    let mut sources = Sources::default();
    assert!(add_device(&mut sources, &given).unwrap());
    let auth = sources.profiles["default"].merged().auth.unwrap();
    assert_eq!(auth.len(), 1, "{auth:?}");
    assert!(auth[0].key_file.is_some());
}

#[test]
fn their_profiles_come_below_ours_and_change_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let theirs = folder.path().join("profiles.json");
    let text = r#"{ "defaults": { "mode": "full" }, "devices": [
        { "id": "shared", "host": "theirs", "user": "root" }, { "id": "only", "host": "o", "user": "root" } ] }"#;
    std::fs::write(&theirs, text).unwrap();
    let mut sources = Sources::default();
    let ours = "[profiles.shared]\nhost = 'ours'\nuser = 'ann'\n[profiles.mine]\nhost = 'm'\nuser = 'ann'\n";
    sources.add_main(ours, &folder.path().join("portcullis.toml"), find::Reason::User).unwrap();
    add_file(&mut sources, &session(&[], &[]), &theirs, "named").unwrap();
    let shared = sources.profiles["shared"].merged();
    assert_eq!((shared.host.as_deref(), shared.policy_mode), (Some("ours"), None));
    assert_eq!(sources.profiles["only"].merged().policy_mode, Some(PolicyMode::Full));
    assert_eq!(sources.profiles["mine"].merged().policy_mode, None, "their mode is not ours");
    assert_eq!(sources.top.defaults.policy_mode, None);
}

#[test]
fn the_viewer_listens_where_flag_or_variable_say_and_then_where_files_do() {
    let listens = |arguments: &[&str]| {
        let mut top = ConfigFile::default();
        top.viewer.port = Some(9000);
        set_viewer(&mut top, &session(arguments, &[]));
        (top.viewer.port, top.viewer.enabled)
    };
    assert_eq!(listens(&[]), (Some(9000), None));
    assert_eq!(listens(&["--viewerPort=8793"]), (Some(8793), Some(true)));
    assert_eq!(listens(&["--viewerPort=0"]), (Some(9000), Some(false)));
    assert_eq!(listens(&["--viewerPort=auto"]), (Some(9000), Some(true)));
}
