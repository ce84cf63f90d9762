//! Builds the plugins: `cargo build` for the wasm target in their own workspace, then a component
//! of each module.
//!
//! Used by the build script of the program, which embeds the result, and by the sandbox's tests
//! (both include this file). Nothing here prints; errors are texts for whoever runs the build.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use wit_component::{ComponentEncoder, DecodedWasm};

const TARGET: &str = "wasm32-unknown-unknown";

/// A finished plugin.
pub(crate) struct Built {
    /// Its package's name.
    pub(crate) name: String,
    pub(crate) component: Vec<u8>,
}

/// Names of the packages directly below `directory` that are built as components, sorted.
pub(crate) fn packages(directory: &Path) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(|error| unreadable(directory, &error))? {
        let manifest = entry.map_err(|error| unreadable(directory, &error))?.path().join("Cargo.toml");
        if manifest.is_file()
            && let Some(name) = component_name(&manifest)?
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Names of the misbehaving plugins that the tests load; they belong to the plugins' workspace and
/// stand in the lab. None where a source package leaves the lab out.
pub(crate) fn misbehaving(repository: &Path) -> Result<Vec<String>, String> {
    let directory = repository.join("lab/misbehaving");
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let own = component_name(&directory.join("Cargo.toml"))?;
    Ok(own.into_iter().chain(packages(&directory)?).collect())
}

/// The package's name, if the manifest asks for the library form that components are made of.
/// Manifests here keep one key per line, so that no TOML reader is needed.
fn component_name(manifest: &Path) -> Result<Option<String>, String> {
    let text = fs::read_to_string(manifest).map_err(|error| unreadable(manifest, &error))?;
    let value = |key: &str| {
        text.lines()
            .filter_map(|line| line.split_once('='))
            .find(|(name, _)| name.trim() == key)
            .map(|(_, value)| value)
    };
    if !value("crate-type").is_some_and(|types| types.contains("\"cdylib\"")) {
        return Ok(None);
    }
    match value("name") {
        Some(name) => Ok(Some(name.trim().trim_matches('"').to_owned())),
        None => Err(format!("{} has no package name", manifest.display())),
    }
}

/// Builds packages of the plugins' workspace and makes components of them.
///
/// `target_directory` is theirs alone: cargo holds a lock on the one it is running in.
pub(crate) fn build(workspace: &Path, target_directory: &Path, packages: &[String]) -> Result<Vec<Built>, String> {
    if packages.is_empty() {
        return Ok(Vec::new());
    }
    ensure_target()?;
    let mut cargo = Command::new(tool("CARGO", "cargo"));
    cargo.current_dir(workspace).args(["build", "--release", "--lib", "--quiet", "--target", TARGET, "--target-dir"]);
    cargo.arg(target_directory);
    for package in packages {
        cargo.args(["--package", package]);
    }
    forget_outer_build(&mut cargo);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", without_local_paths(workspace));
    run(&mut cargo, "the plugins do not build")?;

    let modules = target_directory.join(TARGET).join("release");
    packages.iter().map(|package| component(package, &modules)).collect()
}

fn component(package: &str, modules: &Path) -> Result<Built, String> {
    let path = modules.join(format!("{}.wasm", package.replace('-', "_")));
    let module = fs::read(&path).map_err(|error| unreadable(&path, &error))?;
    let component = encode(&module).map_err(|reason| format!("plugin {package}: {reason}"))?;
    check_kind(&component).map_err(|reason| format!("plugin {package}: {reason}"))?;
    Ok(Built { name: package.to_owned(), component })
}

/// Makes a component of a core module that carries its world.
pub(crate) fn encode(module: &[u8]) -> Result<Vec<u8>, String> {
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| format!("no component can be made of it: {error:#}"))
}

/// Whether a component is a plugin of any kind: a policy, a navigator, a parser or a log search.
pub(crate) fn check_kind(component: &[u8]) -> Result<(), String> {
    let decoded = wit_component::decode(component).map_err(|error| format!("it is no component: {error:#}"))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err("it is a WIT package, not a component".to_owned());
    };
    let exports: Vec<_> = resolve.worlds[world].exports.keys().map(|key| resolve.name_world_key(key)).collect();
    let kinds = ["policy", "navigator", "parser", "log-search"];
    if kinds.iter().any(|kind| exports.iter().any(|name| name.starts_with(&format!("portcullis:{kind}/")))) {
        return Ok(());
    }
    Err(format!("it exports {exports:?}, none of which is a plugin's interface"))
}

/// Adds the target where the toolchain was installed without it.
fn ensure_target() -> Result<(), String> {
    if has_target()? {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]);
    let added = rustup.output();
    if matches!(&added, Ok(output) if output.status.success()) && has_target()? {
        return Ok(());
    }
    let reason = match added {
        Ok(output) => last_lines(&output.stderr),
        Err(error) => format!("rustup cannot be started: {error}"),
    };
    Err(format!(
        "the plugins are built for {TARGET}, which this Rust toolchain does not have, and adding it failed:\n\
         {reason}\n\
         Run: rustup target add {TARGET}\n\
         (or hand in finished plugins: PORTCULLIS_PLUGINS_DIST=<directory of *.wasm components>)"
    ))
}

fn has_target() -> Result<bool, String> {
    let mut rustc = Command::new(tool("RUSTC", "rustc"));
    rustc.args(["--print", "target-libdir", "--target", TARGET]);
    let output = run(&mut rustc, "the Rust compiler cannot be asked for its targets")?;
    Ok(Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

/// The program cargo names in a build script's environment, or the one on the path.
fn tool(variable: &str, name: &str) -> OsString {
    env::var_os(variable).unwrap_or_else(|| name.into())
}

/// Settings of the outer build must not leak into the inner one: flags and wrappers meant for
/// another target, its target directory, its jobserver, the package variables. What says where
/// cargo finds its home, its registries and its network stays.
fn forget_outer_build(cargo: &mut Command) {
    const KEPT: [&str; 7] = [
        "CARGO_HOME",
        "CARGO_NET_",
        "CARGO_HTTP_",
        "CARGO_REGISTRY_",
        "CARGO_REGISTRIES_",
        "CARGO_SOURCE_",
        "CARGO_TERM_",
    ];
    const FORGOTTEN: [&str; 14] = [
        "RUSTFLAGS",
        "RUSTDOCFLAGS",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_LINKER",
        "CLIPPY_ARGS",
        "TARGET",
        "HOST",
        "NUM_JOBS",
        "OUT_DIR",
        "OPT_LEVEL",
        "DEBUG",
        "PROFILE",
        "MAKEFLAGS",
    ];
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let is_cargos = text.starts_with("CARGO") && !KEPT.iter().any(|kept| text.starts_with(kept));
        if is_cargos || FORGOTTEN.contains(&&*text) || text.starts_with("DEP_") {
            cargo.env_remove(&name);
        }
    }
}

/// Panic messages carry source paths; the same sources shall give the same component everywhere.
fn without_local_paths(workspace: &Path) -> OsString {
    let mut flags = OsString::new();
    let mut remap = |from: &OsStr, to: &str| {
        if !flags.is_empty() {
            flags.push("\u{1f}");
        }
        flags.push("--remap-path-prefix=");
        flags.push(from);
        flags.push("=");
        flags.push(to);
    };
    if let Some(home) = cargo_home() {
        remap(home.as_os_str(), "cargo");
        // Of several rules that fit, the last one counts. The folder is named after a registry's address.
        let registries = std::fs::read_dir(home.join("registry/src")).into_iter().flatten().flatten();
        let mut registries: Vec<PathBuf> = registries.map(|entry| entry.path()).collect();
        registries.sort();
        for registry in registries {
            remap(registry.as_os_str(), "crates");
        }
    }
    if let Some(repository) = workspace.parent() {
        remap(repository.as_os_str(), "portcullis");
    }
    flags
}

fn cargo_home() -> Option<PathBuf> {
    let set = env::var_os("CARGO_HOME").map(PathBuf::from);
    set.or_else(|| {
        env::var_os("HOME").or_else(|| env::var_os("USERPROFILE")).map(|home| Path::new(&home).join(".cargo"))
    })
}

/// Runs a tool to its end; the error holds the end of what it said.
pub(crate) fn run(command: &mut Command, what: &str) -> Result<Output, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{what}: `{program}` cannot be started: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = [last_lines(&output.stdout), last_lines(&output.stderr)].join("\n");
    Err(format!("{what}: `{program}` ended with {}\n{}", output.status, said.trim()))
}

fn last_lines(output: &[u8]) -> String {
    const LINES: usize = 60;
    let text = String::from_utf8_lossy(output);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!("{} cannot be read: {error}", path.display())
}
