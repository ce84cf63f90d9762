//! The program's commands.
//!
//! Standard output belongs to the command's answer; under `stdio` it carries nothing but MCP. Logs
//! go to standard error.

mod approvals;
mod attach;
mod config;
mod demo;
mod doctor;
mod install;
mod logging;
mod open_files;
mod operate;
mod plugin;
mod policy;
mod serve;
mod serving;
mod stdio;
mod toolset;
mod transcript;
mod trust;
mod viewer;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "portcullis", version, about = "SSH terminals for agents, shared live with a person")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve one MCP client on standard input and output.
    Stdio {
        /// The configuration file instead of the one that is found.
        #[arg(long)]
        config: Option<PathBuf>,
        /// What you call this host, in lists of what runs.
        #[arg(long)]
        label: Option<String>,
        #[command(flatten)]
        tools: toolset::Arguments,
    },
    /// What runs on this machine, and what to do about it.
    #[command(flatten)]
    Operate(operate::OperateCommand),
    /// Serve several MCP clients over HTTP, with bearer tokens.
    Serve {
        /// Address and port to listen on, e.g. 127.0.0.1:8780; the protocol is at /mcp.
        #[arg(long, value_name = "ADDRESS")]
        http: std::net::SocketAddr,
        /// The configuration file instead of the one that is found.
        #[arg(long)]
        config: Option<PathBuf>,
        /// What you call this host, in lists of what runs.
        #[arg(long)]
        label: Option<String>,
        #[command(flatten)]
        tools: toolset::Arguments,
    },
    /// Register this program with an MCP client.
    Install {
        /// Which client.
        #[arg(long)]
        client: install::Client,
        /// The server's name there.
        #[arg(long, default_value = "ssh")]
        name: String,
        /// The configuration file that the client's server uses instead of the one that is found.
        #[arg(long)]
        config: Option<PathBuf>,
        /// Which tools the client finds.
        #[arg(long, value_enum, default_value_t)]
        toolset: toolset::ToolsetName,
        /// Print what would be written instead.
        #[arg(long)]
        print: bool,
    },
    /// Take this program out of an MCP client's list again.
    Uninstall {
        /// Which client.
        #[arg(long)]
        client: install::Client,
        /// The server's name there.
        #[arg(long, default_value = "ssh")]
        name: String,
    },
    /// Run the main job on an embedded bastion and show each step.
    Demo {
        /// End after the job instead of staying with the viewer.
        #[arg(long)]
        once: bool,
    },
    /// Print the links to the viewers of the hosts that run now.
    Viewer {
        /// The configuration file instead of the one that is found.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// List what waits for your approval, allow it or deny it; without a command, list it.
    Approvals {
        /// Print JSON.
        #[arg(long, global = true)]
        json: bool,
        /// The configuration file instead of the one that is found.
        #[arg(long, global = true)]
        config: Option<PathBuf>,
        #[command(subcommand)]
        command: Option<approvals::ApprovalsCommand>,
    },
    /// Look at the configuration, check it and change it.
    Config {
        /// The configuration file instead of the one that is found.
        #[arg(long, global = true)]
        config: Option<PathBuf>,
        #[command(subcommand)]
        command: config::ConfigCommand,
    },
    /// Say what is wrong with the configuration and its profiles, and how to mend it.
    Doctor {
        /// Only this profile.
        profile: Option<String>,
        /// Connect as well, step by step, up to a shell.
        #[arg(long)]
        connect: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// The configuration file instead of the one that is found.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Show a host's key and store it after you agree.
    Trust {
        /// A profile, HOST, HOST:PORT or [ADDRESS]:PORT.
        host: String,
        /// The configuration file with the profile; the one that is found when left out.
        #[arg(long)]
        config: Option<PathBuf>,
        /// Store the key without asking when it has this fingerprint (SHA256:…).
        #[arg(long)]
        fingerprint: Option<String>,
        /// The known_hosts file; ~/.ssh/known_hosts when left out.
        #[arg(long)]
        known_hosts: Option<PathBuf>,
        /// Store the key under this name: the profile's `host_key_alias`.
        #[arg(long)]
        alias: Option<String>,
    },
    /// Begin, build, check, try and test plugins, and list those that are loaded.
    Plugin {
        /// The configuration file instead of the one that is found.
        #[arg(long, global = true)]
        config: Option<PathBuf>,
        #[command(subcommand)]
        command: plugin::PluginCommand,
    },
    /// Say what the policies make of a line, and which rules there are.
    Policy {
        /// The configuration file instead of the one that is found.
        #[arg(long, global = true)]
        config: Option<PathBuf>,
        #[command(subcommand)]
        command: policy::PolicyCommand,
    },
    /// Read, search, check and export what is on record.
    Transcript {
        /// The configuration file instead of the one that is found.
        #[arg(long, global = true)]
        config: Option<PathBuf>,
        #[command(subcommand)]
        command: transcript::TranscriptCommand,
    },
    /// Compile a component; started by the program itself, in a process of its own.
    #[command(hide = true)]
    CompileComponent { input: PathBuf, output: PathBuf },
    /// The embedded bastion's kubectl; started by its shells.
    #[command(hide = true, disable_help_flag = true)]
    LabKubectl {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

/// Runs the command line and says how it went.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Printing help or the mistake; nothing can be done when that fails.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let shown = match arguments.command {
        // What a plugin's failure comes to is the command's answer.
        Command::Plugin { .. } => "warn,portcullis_sandbox::instance=error",
        _ => "warn",
    };
    match &arguments.command {
        // They begin it with what their configuration says.
        Command::Stdio { .. } | Command::Serve { .. } => {}
        Command::Operate(command) if command.logs_for_itself() => {}
        _ => logging::start(&format!("{shown},{}=info", portcullis_sandbox::PROGRESS)),
    }
    match arguments.command {
        Command::CompileComponent { input, output } => {
            report(portcullis_sandbox::compile_child_main(&input, &output).map_err(anyhow::Error::from))
        }
        Command::LabKubectl { arguments } => lab::kubectl::main(arguments),
        Command::Stdio { config, label, tools } => {
            run(async move { stdio::run(tools.load(config.as_deref())?, label).await })
        }
        Command::Operate(command) => run(operate::run(command)),
        Command::Serve { http, config, label, tools } => {
            run(async move { serve::run(http, tools.load(config.as_deref())?, label).await })
        }
        Command::Install { client, name, config, toolset, print } => {
            report(install::install(install::Wanted { client, name, config, toolset, print }))
        }
        Command::Uninstall { client, name } => report(install::uninstall(client, &name)),
        Command::Demo { once } => run(demo::run(once)),
        Command::Viewer { config } => report(viewer::run(config)),
        Command::Approvals { json, config, command } => report(approvals::run(config.as_deref(), command, json)),
        Command::Config { config, command } => report(config::run(config.as_deref(), command)),
        Command::Doctor { profile, connect, json, config } => {
            run(async move { doctor::run(config.as_deref(), doctor::Wanted { profile, connect, json }).await })
        }
        Command::Plugin { config, command } => run(async move { plugin::run(config.as_deref(), command).await }),
        Command::Policy { config, command } => run(async move { policy::run(config.as_deref(), command).await }),
        Command::Transcript { config, command } => match transcript::run(config.as_deref(), command) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => report(Err(error)),
        },
        Command::Trust { host, config, fingerprint, known_hosts, alias } => {
            let given = trust::Given { fingerprint, known_hosts, alias };
            run(async move { trust::run(config.as_deref(), host, given).await })
        }
    }
}

fn run(command: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    // The other half of the machine is for what runs on it: shells, servers, the client. A task that
    // goes from one thread to another costs more than most of what is done here.
    let threads = std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(threads).build() {
        Ok(runtime) => runtime,
        Err(error) => return report(Err(error.into())),
    };
    let outcome = runtime.block_on(command);
    // Blocking reads of a terminal must not hold the program up.
    runtime.shutdown_background();
    report(outcome)
}

fn report(outcome: anyhow::Result<()>) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    let mut message = format!("portcullis: {error}");
    let mut last = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !last.contains(&cause) {
            message.push_str(&format!("\n  because: {cause}"));
        }
        last = cause;
    }
    eprintln!("{message}");
    ExitCode::from(operate::exit_code(&error))
}
