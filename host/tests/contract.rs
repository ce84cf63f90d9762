//! The contract keeps its word: what is released stays as it is, a patch version takes what was built for
//! the one before, and components of released contracts run on the program of today.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use e2e::scene::Scene;
use sha2::{Digest, Sha256};
use wit_parser::{Resolve, WorldId};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn contract() -> PathBuf {
    repository().join("wit")
}

#[test]
fn what_is_released_is_not_edited() {
    let list = std::fs::read_to_string(contract().join("released.sha256")).unwrap();
    assert!(list.lines().count() >= 6, "{list}");
    for line in list.lines() {
        let (digest, file) = line.split_once("  ").unwrap();
        let bytes = std::fs::read(contract().join(file)).unwrap();
        let found: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(found, digest, "wit/{file} is released: a change belongs into a version of its own (wit/README.md)");
    }
}

/// Folders of the contract by package and by version, the oldest first.
fn packages() -> BTreeMap<String, Vec<([u32; 3], PathBuf)>> {
    let mut packages: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for entry in std::fs::read_dir(contract()).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_name().unwrap().to_str().unwrap().to_owned();
        let Some((package, version)) = name.rsplit_once('-').filter(|_| entry.is_dir()) else { continue };
        let numbers: Vec<u32> = version.split('.').map(|number| number.parse().unwrap()).collect();
        packages.entry(package.to_owned()).or_default().push((numbers.try_into().unwrap(), entry));
    }
    packages.values_mut().for_each(|versions| versions.sort());
    packages
}

#[test]
fn a_patch_version_takes_what_was_built_for_the_one_before() {
    for (package, versions) in packages() {
        for pair in versions.windows(2) {
            let [(old, old_folder), (new, new_folder)] = pair else { unreachable!() };
            if old[..2] == new[..2] {
                let read = |folder: &Path| std::fs::read_to_string(folder.join(format!("{package}.wit"))).unwrap();
                let problem = difference(&read(old_folder), &read(new_folder));
                assert_eq!(problem, None, "{package} {new:?} after {old:?}");
            }
        }
    }
}

#[test]
fn the_comparison_finds_what_breaks_a_plugin() {
    let version = |patch: u32, more: &str| {
        format!(
            "package test:test@0.1.{patch};\ninterface log {{ write: func(line: string); {} }}\n\
             interface plugin {{ record question {{ line: string{} }} ask: func(question: question) -> bool; }}\n\
             world test-plugin {{ import log; export plugin; }}\n",
            if more == "function" { "enabled: func() -> bool;" } else { "" },
            if more == "field" { ", actor: string" } else { "" },
        )
    };
    assert_eq!(difference(&version(0, ""), &version(1, "")), None);
    assert_eq!(difference(&version(0, ""), &version(1, "function")), None, "the host may offer more");
    assert!(difference(&version(0, ""), &version(1, "field")).is_some(), "a record has another shape");
}

/// What a component of `old` would stumble over at a host of `new`.
fn difference(old: &str, new: &str) -> Option<String> {
    let mut resolve = Resolve::default();
    let (old, new) = (world(&mut resolve, old), world(&mut resolve, new));
    wit_component::semver_check(resolve, old, new).err().map(|error| format!("{error:#}"))
}

fn world(resolve: &mut Resolve, text: &str) -> WorldId {
    let package = resolve.push_str("contract.wit", text).unwrap();
    *resolve.packages[package].worlds.values().next().unwrap()
}

#[test]
fn components_of_released_contracts_still_run() {
    let frozen = repository().join("host/tests/frozen");
    let scene = Scene::empty();
    scene.configure("");
    let mut ran = 0;
    for release in std::fs::read_dir(frozen).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        for cases in std::fs::read_dir(&release).unwrap().map(|entry| entry.unwrap().path()) {
            if cases.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            let output = Command::new(env!("CARGO_BIN_EXE_portcullis"))
                .args(["plugin", "test"])
                .arg(&cases)
                .arg("--config")
                .arg(scene.path("portcullis.toml"))
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            assert!(output.status.success() && said.contains(" 0 failed"), "{}: {said}", cases.display());
            ran += 1;
        }
    }
    assert!(ran >= 5, "{ran}");
}
