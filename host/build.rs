//! Builds what is embedded into the program: the plugins (as components) and the viewer.
//!
//! Leaves in `OUT_DIR` the files themselves with `components.rs` and `viewer_assets.rs`, which list
//! them. A packager hands in finished ones by `PORTCULLIS_PLUGINS_DIST` (a directory of components)
//! and `PORTCULLIS_VIEWER_DIST` (a directory with `index.html`). Tests find the misbehaving plugins
//! at `PORTCULLIS_MISBEHAVING_DIR`.
#![allow(clippy::print_stdout, reason = "how a build script talks to cargo")]

#[path = "build/components.rs"]
mod components;
#[path = "build/viewer.rs"]
mod viewer;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use components::{Built, unreadable};
use sha2::{Digest as _, Sha256};

fn main() {
    let built = Paths::read().and_then(|paths| {
        watch(&paths)?;
        embed_components(&paths)?;
        embed_viewer(&paths)
    });
    if let Err(reason) = built {
        for line in reason.lines() {
            println!("cargo::error={line}");
        }
    }
}

struct Paths {
    repository: PathBuf,
    output: PathBuf,
    /// The outer build's target directory.
    target: PathBuf,
}

impl Paths {
    fn read() -> Result<Self, String> {
        let variable = |name: &str| env::var_os(name).map(PathBuf::from).ok_or(format!("cargo did not set {name}"));
        let manifest = variable("CARGO_MANIFEST_DIR")?;
        let repository = manifest.parent().ok_or("the package stands in no repository")?.to_owned();
        let output = variable("OUT_DIR")?;
        // <target>/[<triple>/]<profile>/build/<package>/out
        let build = output.ancestors().find(|path| path.file_name().is_some_and(|name| name == "build"));
        let target = build.and_then(|build| build.ancestors().nth(2)).ok_or("OUT_DIR is in no target directory")?;
        Ok(Self { repository, target: target.to_owned(), output })
    }

    fn plugins(&self) -> PathBuf {
        self.repository.join("plugins")
    }

    fn viewer(&self) -> PathBuf {
        self.repository.join("viewer")
    }

    /// Empty when finished plugins are handed in.
    fn misbehaving(&self) -> PathBuf {
        self.output.join("misbehaving")
    }
}

/// Says what the results depend on; never on what the builds themselves write.
fn watch(paths: &Paths) -> Result<(), String> {
    for variable in ["PORTCULLIS_PLUGINS_DIST", "PORTCULLIS_VIEWER_DIST"] {
        println!("cargo::rerun-if-env-changed={variable}");
        if let Some(handed_in) = env::var_os(variable) {
            println!("cargo::rerun-if-changed={}", Path::new(&handed_in).display());
        }
    }
    let mut watched = vec![
        paths.repository.join("wit"),
        paths.repository.join("host/build"),
        paths.repository.join("host/build.rs"),
        paths.repository.join("host/shell/src"),
        paths.repository.join("host/shell/Cargo.toml"),
        paths.repository.join("lab/misbehaving"),
        paths.plugins().join("Cargo.toml"),
        paths.plugins().join("Cargo.lock"),
    ];
    for entry in fs::read_dir(paths.plugins()).map_err(|error| unreadable(&paths.plugins(), &error))? {
        let package = entry.map_err(|error| unreadable(&paths.plugins(), &error))?.path();
        if package.join("Cargo.toml").is_file() {
            // A package's tests are no part of its component.
            watched.extend(["Cargo.toml", "src", "schema.json"].map(|name| package.join(name)));
        }
    }
    if paths.viewer().is_dir() {
        watched.extend(viewer::sources(&paths.viewer())?);
    }
    for path in watched.iter().filter(|path| path.exists()) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    Ok(())
}

fn embed_components(paths: &Paths) -> Result<(), String> {
    let directory = paths.output.join("components");
    fresh_directory(&paths.misbehaving())?;
    println!("cargo::rustc-env=PORTCULLIS_MISBEHAVING_DIR={}", paths.misbehaving().display());
    let built = match env::var_os("PORTCULLIS_PLUGINS_DIST") {
        Some(handed_in) => handed_in_components(Path::new(&handed_in))?,
        None => build_components(paths)?,
    };
    let list = write_all(&directory, &built)?;
    // The digests are worked out here, so that no start of the program has to.
    let mut source = String::from("static COMPONENTS: &[(&str, &[u8], [u8; 32])] = &[\n");
    for (plugin, path) in built.iter().zip(list) {
        let digest: [u8; 32] = Sha256::digest(&plugin.component).into();
        let _ = writeln!(source, "    ({:?}, include_bytes!({path:?}), {digest:?}),", plugin.name);
    }
    source.push_str("];\n");
    write(&paths.output.join("components.rs"), source.as_bytes())
}

/// Ours, and beside them those that the tests load to see the host withstand them.
fn build_components(paths: &Paths) -> Result<Vec<Built>, String> {
    let ours = components::packages(&paths.plugins())?;
    let misbehaving = components::misbehaving(&paths.repository)?;
    let all = [ours, misbehaving.clone()].concat();
    let built = components::build(&paths.plugins(), &paths.target.join("plugins"), &all)?;
    let (misbehaving, ours): (Vec<_>, Vec<_>) =
        built.into_iter().partition(|plugin| misbehaving.contains(&plugin.name));
    write_all(&paths.misbehaving(), &misbehaving)?;
    Ok(ours)
}

fn handed_in_components(directory: &Path) -> Result<Vec<Built>, String> {
    let mut built = Vec::new();
    for (name, path) in viewer::files(directory)? {
        let Some(name) = name.strip_suffix(".wasm") else { continue };
        let component = fs::read(&path).map_err(|error| unreadable(&path, &error))?;
        components::check_kind(&component).map_err(|reason| format!("{}: {reason}", path.display()))?;
        built.push(Built { name: name.to_owned(), component });
    }
    if built.is_empty() {
        return Err(format!("PORTCULLIS_PLUGINS_DIST is {}, which has no *.wasm component", directory.display()));
    }
    Ok(built)
}

/// Fills a fresh directory; returns the path of each.
fn write_all(directory: &Path, plugins: &[Built]) -> Result<Vec<PathBuf>, String> {
    fresh_directory(directory)?;
    let mut list = Vec::new();
    for plugin in plugins {
        let path = directory.join(format!("{}.wasm", plugin.name));
        write(&path, &plugin.component)?;
        list.push(path);
    }
    Ok(list)
}

fn embed_viewer(paths: &Paths) -> Result<(), String> {
    let dist = viewer::dist(&paths.viewer(), &paths.target.join("viewer"))?;
    let directory = paths.output.join("viewer");
    fresh_directory(&directory)?;
    let mut source = String::from("pub(crate) static VIEWER_ASSETS: &[(&str, &[u8])] = &[\n");
    for (name, path) in viewer::files(&dist)? {
        let copy = directory.join(&name);
        if let Some(parent) = copy.parent() {
            fs::create_dir_all(parent).map_err(|error| unwritable(parent, &error))?;
        }
        fs::copy(&path, &copy).map_err(|error| unwritable(&copy, &error))?;
        let _ = writeln!(source, "    ({name:?}, include_bytes!({copy:?})),");
    }
    source.push_str("];\n");
    write(&paths.output.join("viewer_assets.rs"), source.as_bytes())
}

fn fresh_directory(path: &Path) -> Result<(), String> {
    if path.exists() {
        fs::remove_dir_all(path).map_err(|error| unwritable(path, &error))?;
    }
    fs::create_dir_all(path).map_err(|error| unwritable(path, &error))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> String {
    format!("{} cannot be written: {error}", path.display())
}
