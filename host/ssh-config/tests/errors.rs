//! What cannot be used says where and why.

use portcullis_ssh_config::{Files, HostOptions, Query, resolve};

fn read(text: &str) -> Result<HostOptions, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    std::fs::write(&path, text).unwrap();
    let environment = |_: &str| None;
    let query = Query {
        host: "web1",
        user: None,
        port: None,
        local_user: "ann",
        local_host: "here",
        home: folder.path(),
        environment: &environment,
    };
    let files = Files::new(Some(path.clone()), None);
    resolve(&files, &query).map_err(|error| error.to_string().replace(&path.display().to_string(), "config"))
}

#[test]
fn bad_lines_name_the_file_the_line_and_the_next_step() {
    let cases = [
        ("User ann\nPorrt 22\n", "config:2: `ssh` knows no option `porrt`; did you mean `port`?"),
        ("User \"ann\n", "config:1: a quote is not closed"),
        ("Host\n", "config:1: `Host` needs a pattern"),
        ("Match colour red\n", "config:1: there is no criterion `colour` for `Match`"),
        ("Match host\n", "config:1: `Match host` needs a value"),
        ("Port\n", "config:1: `port` needs a value"),
    ];
    for (text, told) in cases {
        assert_eq!(read(text).unwrap_err(), told, "{text:?}");
    }
    for text in ["Port many\n", "IdentitiesOnly maybe\n", "ProxyJump gw:x\n", "ConnectTimeout soon\n"] {
        assert!(read(text).is_err(), "{text:?}");
    }
    assert!(read("IdentityFile ${NOT_SET}/id\n").unwrap_err().contains("NOT_SET"));
}

#[test]
fn a_file_that_includes_itself_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("loop");
    std::fs::write(&path, format!("Include {}\n", path.display())).unwrap();
    assert!(read(&format!("Include {}\n", path.display())).unwrap_err().contains("16 files deep"));
}

#[test]
fn a_command_is_never_run_and_its_part_does_not_apply() {
    let folder = tempfile::tempdir().unwrap();
    let witness = folder.path().join("ran");
    let options = read(&format!("Match exec \"touch {}\"\n  Port 2222\n", witness.display())).unwrap();
    assert!(!witness.exists());
    assert_eq!((options.port, options.notes.len()), (22, 1));
}

#[test]
fn options_of_other_systems_can_be_named_to_be_ignored() {
    assert!(read("IgnoreUnknown Foo*,Bar\nFooBar yes\nUseKeychain yes\n").is_ok());
    assert!(read("FooBar yes\n").is_err());
}
