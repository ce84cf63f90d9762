//! The operator's commands: what runs on this machine, and ending it, without reading code.
//!
//! Clients of the operator's socket of each running host. They find hosts by the lock in each instance's folder
//! and ask all of them, so that nothing depends on which client started which host.
//!
//! Exit codes: 0 done, 1 anything else, 2 a mistake on the command line, 3 there is none such, 4 several are
//! meant, 5 a host does not answer, 6 the host refused.

mod launch;
mod logs;
mod manual;
mod print;
mod reach;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::attach;
use crate::audit::instances::{self, Found};
use crate::config::{self, Config};
use crate::operator::protocol::{Answer, Request};
use reach::Target;
pub(super) use reach::{Hosts, ask, conversation, refused, unexpected};

#[derive(Debug, Args)]
pub(super) struct Common {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// The configuration file instead of the one that is found.
    #[arg(long)]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum OperateCommand {
    /// Say which hosts run, for which clients, and what waits for you.
    Status {
        #[command(flatten)]
        common: Common,
    },
    /// List the sessions of all running hosts.
    Sessions {
        /// Closed ones too, as far as they can still be read.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        common: Common,
    },
    /// List the profiles, with their open sessions.
    Devices {
        #[command(flatten)]
        common: Common,
    },
    /// Close a session, or end a host with all its sessions.
    Kill {
        /// A session's id or name, INSTANCE/SESSION, or an instance's id, its beginning or its label.
        target: String,
        #[command(flatten)]
        common: Common,
    },
    /// Remove what hosts that have ended left behind; transcripts stay.
    Cleanup {
        #[command(flatten)]
        common: Common,
    },
    /// Print the log of a host.
    Logs {
        /// Id of the instance, its beginning or its label; the only one that runs when left out.
        instance: Option<String>,
        /// Go on with what is added, until the host ends.
        #[arg(long, short)]
        follow: bool,
        /// Begin with this many lines of what is there.
        #[arg(long, default_value_t = 40)]
        tail: usize,
        /// The configuration file instead of the one that is found.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Start a host of your own, open a session on a profile, and show it in the browser.
    Launch {
        /// The profile.
        profile: String,
        /// A route to follow from there.
        #[arg(long)]
        route: Option<String>,
        /// What to call the host.
        #[arg(long)]
        label: Option<String>,
        /// Show it in this terminal instead of the browser.
        #[arg(long)]
        attach: bool,
        /// Only print the link.
        #[arg(long)]
        no_browser: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Make this terminal the terminal of a session.
    Attach {
        /// The session's id or name, or INSTANCE/SESSION; the only open one when left out.
        session: Option<String>,
        /// Only look on: no key is sent and the session keeps its size.
        #[arg(long)]
        observe: bool,
        /// Leave the session's size as it is.
        #[arg(long)]
        keep_size: bool,
        /// No status line; the session gets the whole terminal.
        #[arg(long)]
        no_status: bool,
        /// The key that leaves the session as it is: `ctrl-]` or what the configuration says.
        #[arg(long)]
        detach_key: Option<String>,
        /// The configuration file instead of the one that is found.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Print the completions for a shell: bash, zsh, fish, elvish, powershell.
    Completions { shell: clap_complete::Shell },
    /// Print the manual page, or write a page for each command into a folder.
    Man {
        #[arg(long)]
        folder: Option<PathBuf>,
    },
    /// Run a host without a client; started by `launch`.
    #[command(hide = true)]
    Host {
        #[arg(long)]
        label: Option<String>,
        #[arg(long)]
        config: Option<PathBuf>,
    },
}

impl OperateCommand {
    /// It begins the log itself, once it knows the configuration.
    pub(super) fn logs_for_itself(&self) -> bool {
        matches!(self, Self::Host { .. })
    }
}

/// Why a command did not do what was asked; each has an exit code of its own.
#[derive(Debug, thiserror::Error)]
pub(super) enum OperateError {
    #[error("{0}")]
    NoneSuch(String),
    #[error("{0}")]
    Several(String),
    #[error("{0}")]
    NoAnswer(String),
    #[error("{0}")]
    Refused(String),
}

/// The exit code of an error.
pub(super) fn exit_code(error: &anyhow::Error) -> u8 {
    match error.downcast_ref() {
        Some(OperateError::NoneSuch(_)) => 3,
        Some(OperateError::Several(_)) => 4,
        Some(OperateError::NoAnswer(_)) => 5,
        Some(OperateError::Refused(_)) => 6,
        None => 1,
    }
}

pub(super) async fn run(command: OperateCommand) -> anyhow::Result<()> {
    match command {
        OperateCommand::Status { common } => status(&common).await,
        OperateCommand::Sessions { all, common } => sessions(&common, all).await,
        OperateCommand::Devices { common } => devices(&common).await,
        OperateCommand::Kill { target, common } => kill(&common, &target).await,
        OperateCommand::Cleanup { common } => cleanup(&common),
        OperateCommand::Logs { instance, follow, tail, config } => {
            let state = state_folder(config.as_deref())?;
            logs::run(&state, instance.as_deref(), follow, tail).await
        }
        OperateCommand::Launch { profile, route, label, attach, no_browser, common } => {
            let wanted = launch::Wanted { profile, route, label, attach, browser: !no_browser, json: common.json };
            launch::run(common.config, wanted).await
        }
        OperateCommand::Attach { session, observe, keep_size, no_status, detach_key, config } => {
            let config = config::load(config.as_deref())?;
            let options = attach::Options::new(&config, observe, keep_size, no_status, detach_key.as_deref())?;
            attach::run(&config.state_directory, session.as_deref(), options).await
        }
        OperateCommand::Completions { shell } => manual::completions(shell),
        OperateCommand::Man { folder } => manual::pages(folder.as_deref()),
        OperateCommand::Host { label, config } => launch::host(config.as_deref(), label).await,
    }
}

pub(super) fn state_folder(path: Option<&Path>) -> anyhow::Result<PathBuf> {
    Ok(config::load(path)?.state_directory)
}

async fn status(common: &Common) -> anyhow::Result<()> {
    let all = instances::find(&state_folder(common.config.as_deref())?)?;
    let ended = all.iter().filter(|found| !found.runs).count();
    let running: Vec<Found> = all.into_iter().filter(|found| found.runs).collect();
    let mut answered = Vec::new();
    let mut silent = Vec::new();
    for (found, answer) in reach::ask_all(&running, &Request::Status).await {
        match answer {
            Ok(Answer::Status(status)) => answered.push(*status),
            Ok(other) => silent.push((found, reach::unexpected(found, &other).to_string())),
            Err(error) => silent.push((found, error.to_string())),
        }
    }
    if common.json {
        let silent: Vec<Value> =
            silent.iter().map(|(found, why)| json!({ "instance_id": found.id, "problem": why })).collect();
        print::json(&json!({ "hosts": answered, "not_answering": silent, "ended": ended }))?;
    } else {
        print::status(&answered, &silent, ended);
    }
    match silent.first() {
        Some((_, why)) => Err(OperateError::NoAnswer(why.clone()).into()),
        None => Ok(()),
    }
}

async fn sessions(common: &Common, all: bool) -> anyhow::Result<()> {
    let hosts = Hosts::find(&state_folder(common.config.as_deref())?)?;
    let mut sessions = hosts.sessions().await?;
    sessions.retain(|session| all || session.is_open());
    if common.json {
        let list: Vec<Value> = sessions.iter().map(reach::Session::as_json).collect();
        return print::json(&json!({ "sessions": list }));
    }
    print::sessions(&sessions);
    Ok(())
}

async fn devices(common: &Common) -> anyhow::Result<()> {
    let config = config::load(common.config.as_deref())?;
    let open: Vec<reach::Session> =
        Hosts::find(&config.state_directory)?.sessions().await?.into_iter().filter(reach::Session::is_open).collect();
    let list = devices_of(&config, &open);
    if common.json {
        return print::json(&json!({ "devices": list, "default": config.default_profile }));
    }
    print::devices(&list, config.default_profile.as_deref());
    Ok(())
}

fn devices_of(config: &Config, open: &[reach::Session]) -> Vec<Value> {
    let usable = config.destinations.iter().map(|(name, destination)| {
        let profile = &destination.profile;
        let sessions: Vec<Value> = open
            .iter()
            .filter(|session| session.text("profile") == *name)
            .map(|session| json!({ "instance_id": session.instance_id, "session_id": session.id() }))
            .collect();
        json!({
            "profile": name,
            "label": profile.label,
            "address": format!("{}@{}:{}", profile.user, profile.host, profile.port),
            "tags": profile.tags,
            "policy_mode": destination.policy_mode.as_str(),
            "routes": destination.routes.keys().collect::<Vec<_>>(),
            "state": if sessions.is_empty() { "closed" } else { "open" },
            "sessions": sessions,
        })
    });
    let unusable = config.unusable.iter().map(
        |(name, unusable)| json!({ "profile": name, "state": "unusable", "problem": unusable.problem, "sessions": [] }),
    );
    usable.chain(unusable).collect()
}

async fn kill(common: &Common, target: &str) -> anyhow::Result<()> {
    let hosts = Hosts::find(&state_folder(common.config.as_deref())?)?;
    let done = match hosts.target(target).await? {
        Target::Session(found, session) => {
            reach::done(found, Request::Close { session: session.clone() }).await?;
            json!({ "closed": session, "instance_id": found.id })
        }
        Target::Host(found) => {
            reach::done(found, Request::Stop).await?;
            reach::until_ended(found).await?;
            json!({ "ended": found.id })
        }
    };
    if common.json {
        return print::json(&done);
    }
    match done["closed"].as_str() {
        Some(session) => print::line(&format!("closed session {session}")),
        None => print::line(&format!("ended host {}", done["ended"].as_str().unwrap_or_default())),
    }
    Ok(())
}

fn cleanup(common: &Common) -> anyhow::Result<()> {
    let cleaned = instances::clean(&state_folder(common.config.as_deref())?)?;
    if common.json {
        return print::json(&json!({ "cleaned": cleaned }));
    }
    for instance in &cleaned {
        let what = if instance.removed { "removed" } else { "cleaned, its transcripts stay" };
        print::line(&format!("{}: {what}", instance.instance_id));
    }
    if cleaned.is_empty() {
        print::line("nothing was left behind");
    }
    Ok(())
}
