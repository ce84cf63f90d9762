//! `portcullis config`: what is configured, from where, and changing it.

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Subcommand;

use crate::config::{self, Config, Edit, Reason, Sources, Workspace};

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print the files that count, and where the user's file would be.
    Path,
    /// Print the configuration as used, with where each value comes from.
    Show {
        /// Only this profile.
        profile: Option<String>,
    },
    /// Say whether everything that is written can be used.
    Check,
    /// Print the JSON Schema of portcullis.toml.
    Schema,
    /// Let a workspace's file count, after you have looked at it.
    Allow {
        /// The file; the one found for the current folder when left out.
        file: Option<PathBuf>,
        /// Allow without asking when the file has this SHA-256.
        #[arg(long)]
        sha256: Option<String>,
    },
    /// List, print and change profiles.
    #[command(subcommand)]
    Profile(ProfileCommand),
    /// Take over profiles of ssh-mcp or ssh-session-mcp: their JSON files and .env files.
    Import {
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Put them in the place of profiles of the same name.
        #[arg(long)]
        replace: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ProfileCommand {
    /// List the profiles.
    List,
    /// Print a profile as used.
    Get { name: String },
    /// Set values, making the profile when it is not there.
    Set {
        name: String,
        /// E.g. host=web1 user=ann port=2222 'tags=["eu"]'; of `auth` also key_file=, password_env=,
        /// password_file=, passphrase_env=, passphrase_file=.
        #[arg(value_name = "KEY=VALUE")]
        values: Vec<String>,
        /// A key to take out.
        #[arg(long, value_name = "KEY")]
        unset: Vec<String>,
    },
    /// Remove a profile.
    Remove { name: String },
    /// Print, choose or forget the profile that is opened when none is named.
    Default {
        name: Option<String>,
        #[arg(long, conflicts_with = "name")]
        clear: bool,
    },
}

pub(super) fn run(path: Option<&Path>, command: ConfigCommand) -> anyhow::Result<()> {
    match command {
        ConfigCommand::Path => print_paths(path),
        ConfigCommand::Show { profile } => {
            print(&Sources::read(path)?.show(profile.as_deref())?);
            Ok(())
        }
        ConfigCommand::Check => check(path),
        ConfigCommand::Schema => {
            print(&format!("{:#}\n", config::schema()));
            Ok(())
        }
        ConfigCommand::Allow { file, sha256 } => allow(path, file, sha256.as_deref()),
        ConfigCommand::Profile(command) => profile(path, command),
        ConfigCommand::Import { files, replace } => import(path, &files, replace),
    }
}

fn print_paths(path: Option<&Path>) -> anyhow::Result<()> {
    let found = config::found(path);
    let user = config::user_file()?;
    match &found.main {
        Some((file, reason)) => {
            let state = if file.exists() { "" } else { " (does not exist)" };
            print(&format!("{}: {}{state}\n", reason.text(), file.display()));
        }
        None => print(&format!("the user's file: {} (not written yet)\n", user.display())),
    }
    if let Some(file) = &found.workspace {
        let state = if Workspace::is_allowed(file) { "allowed" } else { "not allowed, so it does not count" };
        print(&format!("the workspace's file: {} ({state})\n", file.display()));
    }
    Ok(())
}

fn check(path: Option<&Path>) -> anyhow::Result<()> {
    let config = config::load(path)?;
    for note in &config.notes {
        print(&format!("note: {note}\n"));
    }
    for (name, destination) in &config.destinations {
        for note in &destination.notes {
            print(&format!("note: profile `{name}`: {note}\n"));
        }
    }
    for (name, unusable) in &config.unusable {
        print(&format!("profile `{name}` ({}) cannot be opened: {}\n", unusable.origin, unusable.problem));
    }
    let counted = format!("{} profiles, from {}", config.destinations.len(), config.described_sources());
    // An alias that only `ssh` can use is no mistake in anybody's file.
    match config.unusable.values().filter(|unusable| !unusable.only_alias).count() {
        0 => print(&format!("{counted}\n")),
        count => bail!("{counted}; {count} cannot be opened"),
    }
    Ok(())
}

/// The file that is edited: the one that was named, else the user's.
pub(super) fn editable(path: Option<&Path>) -> anyhow::Result<PathBuf> {
    match config::found(path).main {
        Some((path, _)) => Ok(path),
        None => Ok(config::user_file()?),
    }
}

fn allow(path: Option<&Path>, file: Option<PathBuf>, sha256: Option<&str>) -> anyhow::Result<()> {
    let file = match file.or_else(|| config::found(path).workspace) {
        Some(file) => file,
        None => bail!("no workspace file was found here (.portcullis.toml or portcullis.toml)"),
    };
    let workspace = Workspace::read(&file)?;
    eprintln!("{} (SHA-256 {})", file.display(), workspace.digest);
    for line in workspace.summary() {
        // What stands there was written by whoever wrote the repository.
        eprintln!("  {}", line.escape_debug());
    }
    match sha256 {
        Some(expected) if expected.eq_ignore_ascii_case(&workspace.digest) => {}
        Some(expected) => bail!("the file is not {expected}; nothing was allowed"),
        None if !std::io::stdin().is_terminal() => {
            bail!("nobody can be asked here; look at the file and give its digest with --sha256")
        }
        None => {
            eprint!("Let exactly this content count, until it changes? [yes/no] ");
            let mut answer = String::new();
            std::io::stdin().lock().read_line(&mut answer)?;
            if answer.trim() != "yes" {
                bail!("nothing was allowed");
            }
        }
    }
    workspace.allow()?;
    eprintln!("allowed");
    Ok(())
}

fn profile(path: Option<&Path>, command: ProfileCommand) -> anyhow::Result<()> {
    match command {
        ProfileCommand::List => list(&config::load(path)?),
        ProfileCommand::Get { name } => print(&Sources::read(path)?.show(Some(&name))?),
        ProfileCommand::Set { name, values, unset } => {
            if values.is_empty() && unset.is_empty() {
                bail!("nothing to set; give KEY=VALUE, e.g. host=web1 user=ann");
            }
            let mut edit = Edit::open(&editable(path)?)?;
            edit.set(&name, &values)?;
            edit.unset(&name, &unset)?;
            save(edit)?;
        }
        ProfileCommand::Remove { name } => {
            let mut edit = Edit::open(&editable(path)?)?;
            if !edit.remove_profile(&name) {
                let file = edit.path().display();
                bail!("{file} has no profile `{name}`; one that comes from ssh_config is removed there");
            }
            if edit.default_profile() == Some(&name) {
                edit.set_default(None);
            }
            save(edit)?;
        }
        ProfileCommand::Default { name: None, clear: false } => {
            let default = config::load(path)?.default_profile;
            print(&format!("{}\n", default.as_deref().unwrap_or("none")));
        }
        ProfileCommand::Default { name, .. } => {
            if let Some(name) = &name
                && !config::load(path)?.destinations.contains_key(name)
            {
                bail!("there is no profile `{name}` that can be opened; `portcullis config profile list` shows them");
            }
            let mut edit = Edit::open(&editable(path)?)?;
            edit.set_default(name.as_deref());
            save(edit)?;
        }
    }
    Ok(())
}

pub(super) fn save(edit: Edit) -> anyhow::Result<()> {
    let path = edit.path().to_owned();
    edit.save()?;
    eprintln!("written to {}; running servers take it when they are restarted", path.display());
    Ok(())
}

fn list(config: &Config) {
    for (name, destination) in &config.destinations {
        let profile = &destination.profile;
        let default = if config.default_profile.as_ref() == Some(name) { ", default" } else { "" };
        print(&format!(
            "{name}\t{}@{}:{}\tmode {}\t{}{default}\n",
            profile.user,
            profile.host,
            profile.port,
            destination.policy_mode.as_str(),
            destination.origin
        ));
    }
    for (name, unusable) in &config.unusable {
        print(&format!("{name}\tcannot be opened: {}\t{}\n", unusable.problem, unusable.origin));
    }
}

fn import(path: Option<&Path>, files: &[PathBuf], replace: bool) -> anyhow::Result<()> {
    let into = match config::found(path).main {
        // That variable names what is taken over, not where it goes.
        Some((main, reason)) if reason != Reason::Variable("SSH_MCP_CONFIG") => main,
        _ => config::user_file()?,
    };
    let report = config::import(files, &into, replace).context("nothing was taken over")?;
    for name in &report.profiles {
        print(&format!("profile {name}\n"));
    }
    for file in &report.secret_files {
        print(&format!("secret moved to {}\n", file.display()));
    }
    for note in &report.notes {
        print(&format!("note: {note}\n"));
    }
    eprintln!("written to {}; the files read are unchanged, remove secrets from them", into.display());
    Ok(())
}

fn print(text: &str) {
    // A reader that has seen enough (`| head`) is no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
}
