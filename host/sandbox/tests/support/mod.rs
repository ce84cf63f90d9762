//! Real components and a sandbox for the tests.
#![allow(dead_code, reason = "each test binary and the benchmark use a part")]
#![allow(clippy::panic, reason = "a plugin that is not there fails the test that needs it")]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use portcullis_sandbox::common::{Actor, Endpoint};
use portcullis_sandbox::policy::{
    Delivery, Invocation, InvocationKind, Mode, Plan, Request, Span, StandardInput, TerminalState, Word,
};
use portcullis_sandbox::{Compiler, Sandbox, SandboxOptions};

#[path = "../../../build/components.rs"]
pub(crate) mod components;

use components::Built;

/// Settings of the package `misbehaving` with which the line says how it behaves.
pub(crate) const AS_TOLD: &str = r#"{"behaviour":"as_told"}"#;

/// One target directory for all nested builds, beside the outer one's profiles.
fn target_directory() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("plugins")
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// One of the lab's misbehaving plugins, by its package's name; all are built once per test run.
pub(crate) fn guest(name: &str) -> &'static [u8] {
    static GUESTS: OnceLock<Vec<Built>> = OnceLock::new();
    let guests = GUESTS.get_or_init(|| {
        let packages = components::misbehaving(&repository()).unwrap();
        components::build(&repository().join("plugins"), &target_directory(), &packages).unwrap()
    });
    let found = guests.iter().find(|guest| guest.name == name);
    &found.unwrap_or_else(|| panic!("lab/misbehaving has no package {name}")).component
}

/// One of the product's own plugins.
pub(crate) fn product(name: &str) -> Vec<u8> {
    let built = components::build(&repository().join("plugins"), &target_directory(), &[name.to_owned()]).unwrap();
    built.into_iter().next().unwrap().component
}

/// The core module a guest's component was made of.
pub(crate) fn core_module(name: &str) -> Vec<u8> {
    guest(name);
    let file = format!("{}.wasm", name.replace('-', "_"));
    std::fs::read(target_directory().join("wasm32-unknown-unknown/release").join(file)).unwrap()
}

/// A component whose every occurrence of a name is another of the same length.
pub(crate) fn renamed(component: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut renamed = component.to_vec();
    let mut found = 0;
    for start in 0..=renamed.len() - from.len() {
        if renamed[start..].starts_with(from.as_bytes()) {
            renamed[start..start + to.len()].copy_from_slice(to.as_bytes());
            found += 1;
        }
    }
    assert!(found > 0, "{from} does not occur");
    renamed
}

/// A sandbox with a cache directory of its own.
pub(crate) struct Lab {
    pub(crate) sandbox: Sandbox,
    pub(crate) home: tempfile::TempDir,
}

pub(crate) fn lab(max_concurrent_instances: u32) -> Lab {
    let home = tempfile::tempdir().unwrap();
    let sandbox = sandbox_at(home.path(), Compiler::InProcess, max_concurrent_instances);
    Lab { sandbox, home }
}

pub(crate) fn sandbox_at(directory: &Path, compiler: Compiler, max_concurrent_instances: u32) -> Sandbox {
    let mut options = SandboxOptions::new(directory);
    options.compiler = compiler;
    options.max_concurrent_instances = max_concurrent_instances;
    Sandbox::new(options).unwrap()
}

pub(crate) fn endpoint() -> Endpoint {
    Endpoint {
        profile: "lab".into(),
        user: "root".into(),
        tags: vec!["test".into()],
        levels: Vec::new(),
        attributes: Vec::new(),
    }
}

/// An agent's line at a shell prompt, without a plan.
pub(crate) fn request(raw: &str) -> Request {
    Request {
        request_id: "r-1".into(),
        raw: raw.into(),
        plan: None,
        delivery: Delivery::ShellLine,
        actor: Actor::Agent,
        mode: Mode::Safe,
        terminal: TerminalState::AtPrompt,
        session: "s-lab-1".into(),
        endpoint: endpoint(),
        cwd: None,
        intent: None,
        now_unix_ms: 1_790_000_000_000,
        earlier: Vec::new(),
        attributes: Vec::new(),
    }
}

/// The plan of one plain command whose words are joined by single spaces.
pub(crate) fn plan_of(argv: &[&str]) -> Plan {
    let mut start = 0;
    let argv: Vec<_> = argv
        .iter()
        .map(|text| {
            let end = start + text.len() as u32;
            let span = Span { start, end };
            start = end + 1;
            Word { text: (*text).into(), value: Some((*text).into()), glob: false, span }
        })
        .collect();
    let invocation = Invocation {
        kind: InvocationKind::Command,
        program: Some(argv[0].text.clone()),
        argv,
        wrappers: Vec::new(),
        assignments: Vec::new(),
        redirections: Vec::new(),
        standard_input: StandardInput::Inherited,
        stage: 0,
        stages: 1,
        background: false,
        in_loop: false,
        depth: 0,
        span: Span { start: 0, end: start - 1 },
    };
    Plan { invocations: vec![invocation], unknowns: Vec::new() }
}
