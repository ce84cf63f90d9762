//! `portcullis install` and `uninstall`: this program in the list of servers of an MCP client.
//!
//! The client's file keeps what others wrote in it: one entry is set or taken out, and the file is replaced
//! whole or not at all. A receipt in the state folder says what was made for it, so that all of it goes again.

mod clients;
mod jsonc;
mod toml;

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use serde::{Deserialize, Serialize};

pub(super) use self::clients::Client;
use self::clients::Launch;
use super::toolset::ToolsetName;
use crate::config;

/// What was made for an entry.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Receipt {
    file_made: bool,
    container_made: bool,
}

/// The one place that reads the environment, for what clients strip from it and where they keep their files.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// What the command line says of the entry.
pub(super) struct Wanted {
    pub(super) client: Client,
    pub(super) name: String,
    pub(super) config: Option<PathBuf>,
    pub(super) toolset: ToolsetName,
    pub(super) print: bool,
}

pub(super) fn install(wanted: Wanted) -> anyhow::Result<()> {
    let Wanted { client, name, config, toolset, print } = wanted;
    check_name(&name)?;
    let launch = launch(config, toolset)?;
    let file = client.file(&home()?);
    if print {
        let (text, _) = set("", client, &name, &launch)?;
        eprintln!("for {} ({}):", client.title(), file.display());
        return print_out(&text);
    }
    let before = read(&file)?;
    if let Some(program) = program(before.as_deref().unwrap_or_default(), client, &name)
        .with_context(|| file.display().to_string())?
        .filter(|program| !is_ours(program))
    {
        bail!(
            "{} has a server `{name}` already, which starts `{program}`; nothing was changed. Give another name with --name",
            file.display()
        );
    }
    let (after, container_made) = set(before.as_deref().unwrap_or_default(), client, &name, &launch)
        .with_context(|| file.display().to_string())?;
    let earlier = receipt(client, &name).unwrap_or_default();
    let made = Receipt {
        file_made: before.is_none() || earlier.file_made,
        container_made: container_made || earlier.container_made,
    };
    write(&receipt_path(client, &name)?, &serde_json::to_string(&made)?)?;
    write(&file, &after)?;
    eprintln!("registered as `{name}` with {}: {}", client.title(), file.display());
    eprintln!("restart {}; `portcullis uninstall --client {}` takes it back", client.title(), client.name());
    Ok(())
}

pub(super) fn uninstall(client: Client, name: &str) -> anyhow::Result<()> {
    check_name(name)?;
    let file = client.file(&home()?);
    let before = read(&file)?.unwrap_or_default();
    let program = program(&before, client, name).with_context(|| file.display().to_string())?;
    match program {
        None => bail!("{} has no server `{name}`; nothing was changed", file.display()),
        Some(program) if !is_ours(&program) => {
            bail!(
                "the server `{name}` in {} starts `{program}`, which is not this program; nothing was changed",
                file.display()
            )
        }
        Some(_) => {}
    }
    let made = receipt(client, name).unwrap_or_default();
    let after = match client {
        Client::Codex => toml::remove(&before, client.container(), name, made.container_made)?,
        _ => jsonc::remove(&before, client.container(), name, made.container_made)?,
    };
    let is_empty = matches!(after.trim(), "" | "{}");
    match made.file_made && is_empty {
        true => std::fs::remove_file(&file).with_context(|| format!("{} cannot be removed", file.display()))?,
        false => write(&file, &after)?,
    }
    // Without its entry it says nothing; a second try would not need it.
    let _ = std::fs::remove_file(receipt_path(client, name)?);
    eprintln!("taken out of {}", file.display());
    Ok(())
}

fn set(before: &str, client: Client, name: &str, launch: &Launch) -> anyhow::Result<(String, bool)> {
    Ok(match client {
        Client::Codex => toml::set(before, client.container(), name, launch)?,
        _ => jsonc::set(before, client.container(), name, &client.json(launch))?,
    })
}

/// What the entry of this name starts; empty where it does not say.
fn program(text: &str, client: Client, name: &str) -> anyhow::Result<Option<String>> {
    if client == Client::Codex {
        return Ok(toml::program(text, client.container(), name)?);
    }
    let entry = jsonc::get(text, client.container(), name)?;
    let command = |entry: &str| {
        // With comments in it, it is nobody's that this program has written.
        let entry: serde_json::Value = serde_json::from_str(entry).unwrap_or_default();
        entry["command"].as_str().unwrap_or_default().to_owned()
    };
    Ok(entry.map(command))
}

fn is_ours(program: &str) -> bool {
    Path::new(program).file_stem().is_some_and(|name| name == "portcullis")
}

fn check_name(name: &str) -> anyhow::Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    match (1..=20).contains(&name.len()) && name.chars().all(fits) {
        true => Ok(()),
        // Some clients join it with `_` to the names of tools, which they cut at 60 characters.
        false => Err(anyhow!("`{name}` cannot name a server everywhere; take at most 20 letters, digits and `-`")),
    }
}

fn launch(config: Option<PathBuf>, toolset: ToolsetName) -> anyhow::Result<Launch> {
    let program = std::env::current_exe().context("this program's own file cannot be found")?;
    let mut arguments = vec!["stdio".to_owned()];
    if let Some(path) = config {
        let path = path.canonicalize().with_context(|| format!("there is no {}", path.display()))?;
        arguments.extend(["--config".to_owned(), path.display().to_string()]);
    }
    // Behind it stands what belongs to the set, so it is the last of ours.
    if toolset != ToolsetName::default() {
        arguments.extend(["--toolset".to_owned(), toolset.name().to_owned()]);
    }
    Ok(Launch { program, arguments })
}

fn home() -> anyhow::Result<PathBuf> {
    std::env::home_dir().context("HOME is not set, so the client's file cannot be found")
}

fn receipt_path(client: Client, name: &str) -> anyhow::Result<PathBuf> {
    let state = variable("XDG_STATE_HOME")
        .map_or_else(|| home().map(|home| home.join(".local/state")), |path| Ok(path.into()))?;
    Ok(state.join("portcullis/installed").join(format!("{}-{name}.json", client.name())))
}

fn receipt(client: Client, name: &str) -> Option<Receipt> {
    let text = std::fs::read_to_string(receipt_path(client, name).ok()?).ok()?;
    serde_json::from_str(&text).ok()
}

/// None where there is no file.
fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

/// Whole or not at all; a link stays one, and the file keeps its mode.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mode = std::fs::metadata(&path).ok().map(|found| found.permissions());
    let failed = || format!("{} cannot be written, so nothing was changed", path.display());
    config::replace_file(&path, text).with_context(failed)?;
    match mode {
        Some(mode) => std::fs::set_permissions(&path, mode).with_context(|| format!("the mode of {}", path.display())),
        None => Ok(()),
    }
}

#[allow(clippy::print_stdout, reason = "it is the command's answer")]
fn print_out(text: &str) -> anyhow::Result<()> {
    println!("{}", text.trim_end());
    Ok(())
}
