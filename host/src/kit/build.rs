//! From a project to its component, with the tools of its language.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::project::{Language, Project};
use super::{KitError, Subject};
use crate::plugins::with_manifest;

// What the program's own plugins are built with.
#[allow(dead_code, reason = "the build script uses more of it")]
#[path = "../../build/components.rs"]
mod components;

/// Builds the project in `folder`; returns the component's path. Of what comes of it only the kind is
/// looked at: `plugin check` does the rest. Tools of JavaScript and Python are fetched into the folder
/// by the first build.
///
/// # Errors
/// When a tool is missing or fails, with the end of what it said, or what comes of it is no plugin.
pub fn build(folder: &Path) -> Result<PathBuf, KitError> {
    let project = Project::read(folder)?;
    let folder = std::path::absolute(folder).map_err(|source| KitError::Read { path: folder.to_owned(), source })?;
    let target = project.component(&folder);
    let done = match project.language {
        Language::Rust => rust(&folder, &project, &target),
        Language::Js => javascript(&folder),
        Language::Python => python(&folder, &project, &target),
    };
    done.map_err(|problem| KitError::Build { problem })?;
    add_manifest(&folder, &target)?;
    let built = Subject::file(&target)?.kind()?;
    if built != project.kind.into() {
        return Err(KitError::input(
            format!("what was built is a {built} plugin, and plugin.toml says something else"),
            "correct one of the two",
        ));
    }
    Ok(target)
}

/// Puts `plugin.toml` into the component, which then says what it is wherever it goes.
fn add_manifest(folder: &Path, target: &Path) -> Result<(), KitError> {
    let manifest = Project::file(folder);
    let read = |path: &Path| fs::read(path).map_err(|source| KitError::Read { path: path.to_owned(), source });
    let text = String::from_utf8_lossy(&read(&manifest)?).into_owned();
    let component = with_manifest(&read(target)?, &text);
    fs::write(target, component).map_err(|source| KitError::Write { path: target.to_owned(), source })
}

/// Problems are texts for people, as those of the program's own build.
type Done = Result<(), String>;

fn rust(folder: &Path, project: &Project, target: &Path) -> Done {
    let built = components::build(folder, &folder.join("target"), std::slice::from_ref(&project.name))?;
    let component = built.into_iter().next().ok_or("cargo built nothing")?.component;
    fs::write(target, component).map_err(|error| format!("{} cannot be written: {error}", target.display()))
}

fn javascript(folder: &Path) -> Done {
    let npm = |arguments: &[&str], what: &str| {
        let mut command = Command::new("npm");
        command.current_dir(folder).args(arguments);
        let ran = components::run(&mut command, what);
        ran.map(drop).map_err(|error| format!("{error}\n(npm comes with Node.js 20 or later)"))
    };
    if !folder.join("node_modules").is_dir() {
        let install = if folder.join("package-lock.json").is_file() { "ci" } else { "install" };
        npm(&[install, "--no-audit", "--no-fund"], "the tools in package.json cannot be fetched")?;
    }
    npm(&["run", "build"], "plugin.js cannot be made a component")
}

fn python(folder: &Path, project: &Project, target: &Path) -> Done {
    let programs = folder.join(".venv").join(if cfg!(windows) { "Scripts" } else { "bin" });
    let componentize = programs.join("componentize-py");
    if !componentize.exists() {
        let mut environment = Command::new("python3");
        environment.current_dir(folder).args(["-m", "venv", ".venv"]);
        components::run(&mut environment, "a virtual environment cannot be made")
            .map_err(|error| format!("{error}\n(on Debian: apt-get install python3-venv)"))?;
        let mut install = Command::new(programs.join("pip"));
        install.current_dir(folder).args(["install", "--quiet", "--requirement", "requirements.txt"]);
        components::run(&mut install, "the tools in requirements.txt cannot be fetched")?;
    }
    let mut command = Command::new(componentize);
    let world = format!("{}-plugin", portcullis_sandbox::PluginKind::from(project.kind));
    command.current_dir(folder).args(["--quiet", "--wit-path", "wit", "--world", &world]);
    // Without WASI: a plugin has no files, no clock and no random numbers.
    command.args(["componentize", "--stub-wasi", "plugin", "--output"]).arg(target);
    components::run(&mut command, "plugin.py cannot be made a component").map(drop)
}
