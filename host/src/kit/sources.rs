//! What a new project is given: the contract's WIT files, the SDK's sources, and templates, all part of
//! this program, so that an author needs no checkout of it.

use portcullis_sandbox::PluginKind;

use super::KitError;

macro_rules! files {
    ($base:literal: $($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../../../", $base, "/", $path)))),+]
    };
}

/// Path below `wit/`, and text.
pub(super) static CONTRACT: &[(&str, &str)] = files!("wit":
    "common-0.1.0/common.wit",
    "host-0.1.0/host.wit",
    "log-search-0.1.0/log-search.wit",
    "navigator-0.1.0/navigator.wit",
    "parser-0.1.0/parser.wit",
    "policy-0.1.0/policy.wit",
    "policy-0.2.0/policy.wit",
);

/// The newest version of a kind's package.
pub(super) fn newest(kind: &str) -> &'static str {
    let is_own = |path: &str| path.strip_suffix(".wit").and_then(|path| path.rsplit('/').next()) == Some(kind);
    // The list is sorted.
    CONTRACT.iter().rev().find(|(path, _)| is_own(path)).map_or("", |(_, text)| text)
}

/// Path below `plugins/sdk/`, and text.
pub(super) static SDK: &[(&str, &str)] = files!("plugins/sdk":
    "src/bindings.rs",
    "src/c_string.rs",
    "src/config.rs",
    "src/hook.rs",
    "src/lib.rs",
    "src/lines.rs",
    "src/log.rs",
    "src/log_search.rs",
    "src/navigator.rs",
    "src/parser.rs",
    "src/policy.rs",
);

const WORKSPACE: &str = include_str!("../../../plugins/Cargo.toml");
const SDK_MANIFEST: &str = include_str!("../../../plugins/sdk/Cargo.toml");
const LOCK: &str = include_str!("../../../plugins/Cargo.lock");

pub(super) const GITIGNORE: &str = include_str!("../../templates/gitignore");

/// The cases a new plugin of that kind passes, in every language.
pub(super) fn cases(kind: PluginKind) -> &'static str {
    match kind {
        PluginKind::Policy => include_str!("../../templates/cases/policy.toml"),
        PluginKind::Navigator => include_str!("../../templates/cases/navigator.toml"),
        PluginKind::Parser => include_str!("../../templates/cases/parser.toml"),
        PluginKind::LogSearch => include_str!("../../templates/cases/log-search.toml"),
    }
}

pub(super) const RUST_MANIFEST: &str = include_str!("../../templates/rust/Cargo.toml");

pub(super) fn rust(kind: PluginKind) -> &'static str {
    match kind {
        PluginKind::Policy => include_str!("../../templates/rust/policy/lib.rs"),
        PluginKind::Navigator => include_str!("../../templates/rust/navigator/lib.rs"),
        PluginKind::Parser => include_str!("../../templates/rust/parser/lib.rs"),
        PluginKind::LogSearch => include_str!("../../templates/rust/log-search/lib.rs"),
    }
}

/// Files of a JavaScript plugin.
pub(super) fn javascript(kind: PluginKind) -> Vec<(&'static str, &'static str)> {
    let plugin = match kind {
        PluginKind::Policy => include_str!("../../templates/js/policy.js"),
        PluginKind::Navigator => include_str!("../../templates/js/navigator.js"),
        PluginKind::Parser => include_str!("../../templates/js/parser.js"),
        PluginKind::LogSearch => include_str!("../../templates/js/log-search.js"),
    };
    vec![
        ("package.json", include_str!("../../templates/js/package.json")),
        ("build.mjs", include_str!("../../templates/js/build.mjs")),
        ("plugin.js", plugin),
    ]
}

/// Files of a Python plugin.
pub(super) fn python(kind: PluginKind) -> Vec<(&'static str, &'static str)> {
    let plugin = match kind {
        PluginKind::Policy => include_str!("../../templates/python/policy.py"),
        PluginKind::Navigator => include_str!("../../templates/python/navigator.py"),
        PluginKind::Parser => include_str!("../../templates/python/parser.py"),
        PluginKind::LogSearch => include_str!("../../templates/python/log-search.py"),
    };
    vec![("requirements.txt", include_str!("../../templates/python/requirements.txt")), ("plugin.py", plugin)]
}

/// The SDK's manifest for a package that stands by itself: what it inherits here is written out.
pub(super) fn sdk_manifest() -> Result<String, KitError> {
    let broken = |problem: &str| KitError::input(format!("the SDK in this program has {problem}"), "report this");
    let table = |text: &str| text.parse::<toml::Table>().map_err(|error| broken(&error.to_string()));
    let workspace = table(WORKSPACE)?;
    let mut manifest = table(SDK_MANIFEST)?;
    let inherited = |section: &str| workspace.get("workspace").and_then(|root| root.get(section)).cloned();
    for (section, source) in [("package", "package"), ("dependencies", "dependencies")] {
        let given = inherited(source).ok_or_else(|| broken("no workspace"))?;
        let own = manifest.get_mut(section).and_then(toml::Value::as_table_mut).ok_or_else(|| broken("no package"))?;
        for (key, value) in own.iter_mut() {
            if value.get("workspace").is_some() {
                *value = given.get(key).cloned().ok_or_else(|| broken("an unknown key"))?;
            }
        }
    }
    // Neither lints nor tests of the SDK are the author's business.
    manifest.remove("lints");
    manifest.remove("dev-dependencies");
    toml::to_string(&manifest).map_err(|error| broken(&error.to_string()))
}

/// The versions this program's own plugins are built with. Cargo adds the new package and leaves out
/// what it does not need.
pub(super) fn lock() -> String {
    let mut parts = LOCK.split("[[package]]\n");
    let head = parts.next().unwrap_or_default();
    // Packages of the workspace itself have no source.
    let kept = parts.filter(|package| package.lines().any(|line| line.starts_with("source = ")));
    kept.fold(head.to_owned(), |text, package| text + "[[package]]\n" + package)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::path::Path;

    use super::*;

    /// Paths below `folder` of the repository, with `/`.
    fn files(folder: &str, extension: &str) -> Vec<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(folder);
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|found| found == extension) {
                    found.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        found.sort();
        found
    }

    #[test]
    fn nothing_of_contract_and_sdk_is_left_out() {
        let names = |list: &[(&str, &str)]| list.iter().map(|(path, _)| (*path).to_owned()).collect::<Vec<_>>();
        assert_eq!(names(CONTRACT), files("wit", "wit"));
        assert_eq!(names(SDK), files("plugins/sdk", "rs"));
    }

    #[test]
    fn the_manifest_of_the_sdk_stands_by_itself() {
        let text = sdk_manifest().unwrap();
        let manifest: toml::Table = text.parse().unwrap();
        assert!(!text.contains("workspace"), "{text}");
        assert_eq!(manifest["package"]["name"].as_str(), Some("portcullis-plugin"));
        assert!(manifest["dependencies"]["wit-bindgen"]["version"].as_str().unwrap().starts_with("0.61"), "{text}");
    }

    #[test]
    fn the_lock_file_names_fetched_packages_only() {
        let lock = lock();
        assert!(lock.contains("name = \"wit-bindgen\"") && lock.starts_with("# This file"), "{lock}");
        assert!(!lock.contains("name = \"policy-standard\"") && !lock.contains("name = \"portcullis-plugin\""));
    }
}
