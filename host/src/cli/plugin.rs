//! `portcullis plugin`: looking at plugins, trying and testing them, writing new ones.
//!
//! Translates arguments to the kit's values and prints what comes back.

mod print;
mod run;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Subcommand;
use portcullis_sandbox::PluginKind;
use serde::Serialize;

use super::config::{editable, save};
use crate::config::{self, Edit};
use crate::host::child_compiler;
use crate::kit::{self, CaseFile, KindName, Language, Project, Subject, Workshop};

#[derive(Debug, Subcommand)]
pub(super) enum PluginCommand {
    /// List every component that is loaded, built in and configured.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print what a plugin is: kind, contract, imports, digest, limits, and its rules or schemas.
    Info {
        /// A component's file, or the name of one that is loaded.
        #[arg(value_name = "NAME|FILE.wasm")]
        plugin: String,
        /// A TOML file with the settings it is to be given.
        #[arg(long, value_name = "FILE.toml")]
        settings: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say whether a component can be loaded, and why not.
    Check {
        #[arg(value_name = "FILE.wasm")]
        file: PathBuf,
        /// A TOML file with the settings it is to be given.
        #[arg(long, value_name = "FILE.toml")]
        settings: Option<PathBuf>,
    },
    /// Add a component to the configuration, pinned to its content, after every check.
    Add {
        /// The name it is to have.
        name: String,
        #[arg(value_name = "FILE.wasm")]
        file: PathBuf,
        /// A TOML file with its settings.
        #[arg(long, value_name = "FILE.toml")]
        settings: Option<PathBuf>,
    },
    /// Take a plugin out of the configuration; its file stays.
    Remove { name: String },
    /// Give a plugin one input and print what it makes of it.
    Run(run::RunArguments),
    /// Begin a plugin: a small working one, with its cases.
    New {
        /// policy, navigator, parser or log-search.
        #[arg(value_parser = kit::word::<KindName>)]
        kind: KindName,
        name: String,
        /// rust, js or python.
        #[arg(long = "lang", default_value = "rust", value_parser = kit::word::<Language>)]
        language: Language,
        /// The folder to write; one of the plugin's name when left out.
        #[arg(long, value_name = "DIR")]
        path: Option<PathBuf>,
    },
    /// Build the component of a plugin begun with `new`.
    Build {
        /// The plugin's folder.
        #[arg(value_name = "DIR", default_value = ".")]
        folder: PathBuf,
    },
    /// Run the cases of a plugin.
    Test {
        /// Files of cases, or folders with tests.toml or tests/*.toml; the current one when left out.
        #[arg(value_name = "DIR|FILE.toml")]
        paths: Vec<PathBuf>,
        /// The component to test instead of the one the cases name.
        #[arg(long, value_name = "FILE.wasm")]
        component: Option<PathBuf>,
    },
}

pub(super) async fn run(config: Option<&Path>, command: PluginCommand) -> anyhow::Result<()> {
    match command {
        PluginCommand::List { json } => {
            let list = kit::list(&workshop(config)?).await?;
            if json { print_json(&list) } else { print::list(&list) }
        }
        PluginCommand::Info { plugin, settings, json } => {
            let workshop = workshop(config)?;
            let settings = settings_of(settings.as_deref())?;
            let described = kit::describe(&workshop, &workshop.find(&plugin)?, settings.as_deref()).await?;
            if json { print_json(&described) } else { print::description(&described) }
        }
        PluginCommand::Check { file, settings } => {
            let settings = settings_of(settings.as_deref())?;
            let checked = kit::check(&workshop(config)?, &Subject::file(&file)?, settings.as_deref()).await?;
            print::checked(&checked)
        }
        PluginCommand::Add { name, file, settings } => add(config, &name, &file, settings.as_deref()).await,
        PluginCommand::Remove { name } => remove(config, &name),
        PluginCommand::Run(arguments) => run::run(&workshop(config)?, arguments).await,
        PluginCommand::New { kind, name, language, path } => new(Project::new(name, kind, language), path),
        PluginCommand::Build { folder } => {
            let component = kit::build(&folder)?;
            print::say(&format!("built {}", component.display()));
            Ok(())
        }
        PluginCommand::Test { paths, component } => test(config, &paths, component.as_deref()).await,
    }
}

async fn add(config: Option<&Path>, name: &str, file: &Path, settings: Option<&Path>) -> anyhow::Result<()> {
    let subject = Subject { name: name.to_owned(), ..Subject::file(file)? };
    let checked = kit::check(&workshop(config)?, &subject, settings_of(settings)?.as_deref()).await?;
    print::checked(&checked)?;
    let plugin = &checked.description.plugin;
    let text = settings.map(std::fs::read_to_string).transpose().context("the settings cannot be read")?;
    let path = std::path::absolute(file).context("the component's path")?;
    let mut edit = Edit::open(&editable(config)?)?;
    edit.put_plugin(name, &path, &plugin.digest_sha256, text.as_deref().unwrap_or_default())?;
    save(edit)?;
    match plugin.kind {
        PluginKind::Policy => print::say(&format!("a profile asks it with: policies = [\"{name}\"]")),
        PluginKind::Navigator => print::say(&format!("a profile uses it with: navigator = {{ plugin = \"{name}\" }}")),
        PluginKind::LogSearch => print::say(&format!("a profile uses it with: log_search = {{ plugin = \"{name}\" }}")),
        PluginKind::Parser => print::say("parsers are asked in every profile"),
    }
    Ok(())
}

fn remove(config: Option<&Path>, name: &str) -> anyhow::Result<()> {
    let loaded = config::load(config)?;
    // Of a built-in component only its settings go.
    let stays = loaded.plugins.iter().any(|entry| entry.name == name && entry.built_in_name() == Some(name));
    let users = loaded.destinations.iter().filter(|(_, destination)| destination.names_plugin(name));
    let users: Vec<&str> = users.map(|(profile, _)| profile.as_str()).collect();
    if !stays && !users.is_empty() {
        bail!("`{name}` is named by the profiles {}; take it out there first", users.join(", "));
    }
    let mut edit = Edit::open(&editable(config)?)?;
    if !edit.remove_plugin(name) {
        bail!("{} has no plugin `{name}`; `portcullis plugin list` shows them", edit.path().display());
    }
    save(edit)
}

fn new(project: Project, path: Option<PathBuf>) -> anyhow::Result<()> {
    let folder = path.unwrap_or_else(|| PathBuf::from(&project.name));
    let files = project.create(&folder)?;
    let shown = folder.display();
    print::say(&format!("{} files written to {shown}; the next steps:", files.len()));
    print::say(&format!("  portcullis plugin build {shown}"));
    print::say(&format!("  portcullis plugin test {shown}"));
    Ok(())
}

async fn test(config: Option<&Path>, paths: &[PathBuf], component: Option<&Path>) -> anyhow::Result<()> {
    let here = [PathBuf::from(".")];
    let paths = if paths.is_empty() { &here } else { paths };
    let workshop = workshop(config)?;
    let (mut passed, mut failed) = (0, 0);
    for path in paths {
        for file in kit::find_case_files(path)? {
            let report = CaseFile::read(&file)?.run(&workshop, component).await?;
            failed += report.failed();
            passed += report.results.len() - report.failed();
            print::file_report(&report);
        }
    }
    print::say(&format!("{passed} passed, {failed} failed"));
    if failed > 0 {
        bail!("{failed} of {} cases failed", passed + failed);
    }
    Ok(())
}

fn workshop(config: Option<&Path>) -> anyhow::Result<Workshop> {
    let program = std::env::current_exe().context("this program's own file cannot be found")?;
    Ok(Workshop::open(config, child_compiler(program))?)
}

/// Settings in a TOML file as the JSON text that plugins take.
fn settings_of(path: Option<&Path>) -> anyhow::Result<Option<String>> {
    let Some(path) = path else { return Ok(None) };
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let table: toml::Table = toml::from_str(&text).with_context(|| format!("{} is no TOML", path.display()))?;
    Ok(Some(serde_json::to_string(&table).context("the settings are no JSON")?))
}

fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print::say(&serde_json::to_string_pretty(value)?);
    Ok(())
}
