//! Builds what the program carries inside: the standard plugins and the viewer.
//!
//! `PORTCULLIS_PLUGINS_DIST` (a folder of finished `*.wasm` components) and `PORTCULLIS_VIEWER_DIST`
//! (a folder with the built page) let a packager hand in finished artefacts.

#[path = "build/components.rs"]
mod components;
#[path = "build/viewer.rs"]
mod viewer;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use components::Built;

fn main() {
    if let Err(reason) = embed() {
        for line in reason.lines() {
            println!("cargo::error={line}");
        }
    }
}

fn embed() -> Result<(), String> {
    let root = folder("CARGO_MANIFEST_DIR")?.join("..");
    let out = folder("OUT_DIR")?;
    // target/<profile>/build/<package>/out; everything built here is the same in every profile.
    let target = out.ancestors().nth(4).ok_or("the output folder is not inside a target folder")?.to_owned();
    println!("cargo::rerun-if-env-changed=PORTCULLIS_PLUGINS_DIST");
    println!("cargo::rerun-if-env-changed=PORTCULLIS_VIEWER_DIST");
    watch(&[root.join("wit"), root.join("host/build"), root.join("host/build.rs")]);
    let mut list = String::from("pub(crate) static COMPONENTS: &[(&str, &str, &[u8])] = &[\n");
    for built in plugins(&root, &target)? {
        let path = out.join(format!("{}.wasm", built.name));
        write_changed(&path, &built.component)?;
        let _ = writeln!(list, "    ({:?}, {:?}, include_bytes!({path:?})),", built.name, built.kind);
    }
    write_changed(&out.join("components.rs"), format!("{list}];\n").as_bytes())?;

    let sources = root.join("viewer");
    watch(&viewer::sources(&sources)?);
    let dist = viewer::dist(&sources, &target)?;
    let mut list = String::from("pub(crate) static VIEWER_ASSETS: &[(&str, &[u8])] = &[\n");
    for (name, path) in viewer::files(&dist)? {
        let path = path.canonicalize().map_err(|error| components::unreadable(&path, &error))?;
        let _ = writeln!(list, "    ({name:?}, include_bytes!({path:?})),");
    }
    write_changed(&out.join("viewer_assets.rs"), format!("{list}];\n").as_bytes())
}

fn plugins(root: &Path, target: &Path) -> Result<Vec<Built>, String> {
    if let Some(handed_in) = env::var_os("PORTCULLIS_PLUGINS_DIST").map(PathBuf::from) {
        return finished(&handed_in);
    }
    let workspace = root.join("plugins");
    for (name, path) in viewer::files(&workspace)? {
        let generated = name.split('/').any(|part| part == "target" || part == "node_modules");
        if !generated {
            watch(&[path]);
        }
    }
    components::build(&workspace, &target.join("plugins"), &components::packages(&workspace)?)
}

fn finished(folder: &Path) -> Result<Vec<Built>, String> {
    let mut all = Vec::new();
    for (name, path) in viewer::files(folder)? {
        let Some(name) = name.strip_suffix(".wasm") else { continue };
        let component = fs::read(&path).map_err(|error| components::unreadable(&path, &error))?;
        let kind = components::kind(&component).map_err(|reason| format!("{}: {reason}", path.display()))?;
        all.push(Built { name: name.to_owned(), kind, component });
    }
    Ok(all)
}

fn watch(paths: &[PathBuf]) {
    for path in paths {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}

fn folder(variable: &str) -> Result<PathBuf, String> {
    env::var_os(variable).map(PathBuf::from).ok_or_else(|| format!("cargo did not set {variable}"))
}

/// Leaves a file alone that has the content already, so that nothing depending on it is rebuilt.
fn write_changed(path: &Path, content: &[u8]) -> Result<(), String> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    fs::write(path, content).map_err(|error| format!("{} cannot be written: {error}", path.display()))
}
