//! Builds the viewer with Node.js, if its sources changed since its last build.

use std::env;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::components::{run, unreadable};

const NODE_MAJOR: u32 = 20;
/// What `npm` writes, and what only people and tests read; everything else in the folder is source.
const NO_SOURCE: [&str; 4] = ["node_modules", "dist", "test", "README.md"];

/// Files and folders of the viewer that its build reads.
pub(crate) fn sources(viewer: &Path) -> Result<Vec<PathBuf>, String> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(viewer).map_err(|error| unreadable(viewer, &error))? {
        let entry = entry.map_err(|error| unreadable(viewer, &error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && !NO_SOURCE.contains(&&*name) {
            sources.push(entry.path());
        }
    }
    sources.sort();
    Ok(sources)
}

/// Brings `viewer/dist` up to date and returns its path. `state_directory` is shared by all
/// profiles, as the viewer is the same in each.
pub(crate) fn build(viewer: &Path, state_directory: &Path) -> Result<PathBuf, String> {
    if !viewer.join("package.json").is_file() {
        return Err(format!("{} has no package.json: the viewer's sources are missing; {OTHERWISE}", viewer.display()));
    }
    fs::create_dir_all(state_directory).map_err(|error| unwritable(state_directory, &error))?;
    // Two profiles may be built at the same time.
    let lock_path = state_directory.join("viewer.lock");
    let lock = File::create(&lock_path).map_err(|error| unwritable(&lock_path, &error))?;
    lock.lock().map_err(|error| unwritable(&lock_path, &error))?;

    let dist = viewer.join("dist");
    let stamp_path = state_directory.join("viewer.stamp");
    let stamp = stamp(viewer)?;
    if dist.join("index.html").is_file() && fs::read_to_string(&stamp_path).is_ok_and(|built| built == stamp) {
        return Ok(dist);
    }
    ensure_node()?;
    if !are_modules_current(viewer) {
        run(npm(viewer).args(["ci", "--no-audit", "--no-fund"]), "the viewer's packages cannot be installed")?;
    }
    run(npm(viewer).args(["run", "build"]), "the viewer does not build")?;
    fs::write(&stamp_path, stamp).map_err(|error| unwritable(&stamp_path, &error))?;
    Ok(dist)
}

const OTHERWISE: &str = "or hand in a finished viewer: PORTCULLIS_VIEWER_DIST=<directory with index.html>";

fn npm(viewer: &Path) -> Command {
    let mut npm = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    npm.current_dir(viewer);
    npm
}

fn ensure_node() -> Result<(), String> {
    let needed = format!("The viewer is built with Node.js {NODE_MAJOR} or newer and its npm");
    let version = run(Command::new("node").arg("--version"), &needed).map_err(|reason| {
        format!("{reason}\nInstall Node.js from nodejs.org or your system's packages; {OTHERWISE}")
    })?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(major) if major >= NODE_MAJOR => Ok(()),
        _ => Err(format!("{needed}; this is {version}. Install a newer one; {OTHERWISE}")),
    }
}

/// npm keeps a copy of the lock file it installed from.
fn are_modules_current(viewer: &Path) -> bool {
    let changed = |path: PathBuf| fs::metadata(path).and_then(|metadata| metadata.modified());
    match (changed(viewer.join("package-lock.json")), changed(viewer.join("node_modules/.package-lock.json"))) {
        (Ok(wanted), Ok(installed)) => installed >= wanted,
        _ => false,
    }
}

/// Names and contents of all sources.
fn stamp(viewer: &Path) -> Result<String, String> {
    let mut hasher = DefaultHasher::new();
    for source in sources(viewer)? {
        for (name, path) in files(&source)? {
            name.hash(&mut hasher);
            fs::read(&path).map_err(|error| unreadable(&path, &error))?.hash(&mut hasher);
        }
    }
    Ok(format!("{:016x} {}", hasher.finish(), viewer.display()))
}

/// All files at or below `path` with their names relative to it, `/` between parts, sorted.
pub(crate) fn files(path: &Path) -> Result<Vec<(String, PathBuf)>, String> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), path.to_owned())];
    while let Some((name, path)) = open.pop() {
        if !path.is_dir() {
            found.push((name, path));
            continue;
        }
        for entry in fs::read_dir(&path).map_err(|error| unreadable(&path, &error))? {
            let entry = entry.map_err(|error| unreadable(&path, &error))?;
            let last = entry.file_name().to_string_lossy().into_owned();
            open.push((if name.is_empty() { last } else { format!("{name}/{last}") }, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// The finished viewer: built, or handed in by a packager.
pub(crate) fn dist(viewer: &Path, state_directory: &Path) -> Result<PathBuf, String> {
    let Some(handed_in) = env::var_os("PORTCULLIS_VIEWER_DIST").map(PathBuf::from) else {
        return build(viewer, state_directory);
    };
    if handed_in.join("index.html").is_file() {
        return Ok(handed_in);
    }
    Err(format!("PORTCULLIS_VIEWER_DIST is {}, which has no index.html", handed_in.display()))
}

fn unwritable(path: &Path, error: &std::io::Error) -> String {
    format!("{} cannot be written: {error}", path.display())
}
