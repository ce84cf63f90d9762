//! `portcullis-lab`: the lab as a program of its own. See the library for what each part does.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand};
use lab::bastion::{self, BastionOptions, Faults, Front};
use lab::cmsm::login;
use lab::logs::{self, TreeOptions};
use lab::menus::{Language, MenuOptions, Review};
use lab::slow::{self, LineOptions};
use lab::{install, kubectl, network_cli};

/// A bastion to try things on: SSH server, menu, master shells, pods.
#[derive(Parser)]
#[command(name = "portcullis-lab")]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the bastion on loopback until interrupted
    Serve(Serve),
    /// Show the menu on this terminal, then become the master shell
    Cmsm {
        /// Directory of the lab: homes, pods, programs
        #[arg(long)]
        home: Option<PathBuf>,
        /// Print the known targets and exit
        #[arg(long)]
        list_targets: bool,
    },
    /// The lab's kubectl
    #[command(disable_help_flag = true)]
    Kubectl {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<std::ffi::OsString>,
    },
    /// Run a program on a terminal behind a bad line
    SlowTerminal(SlowTerminal),
    /// Write a tree of logs to search
    Logs {
        folder: PathBuf,
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Files with logs, at most twenty of each service
        #[arg(long, default_value_t = 400)]
        files: u64,
        /// All of them before compression
        #[arg(long, default_value_t = 2048)]
        mebibytes: u64,
        /// The newest line's time, in seconds since 1970
        #[arg(long, default_value_t = 1_795_600_000)]
        end_unix_s: i64,
    },
    /// Command line of a network device, on this terminal
    NetworkCli,
    /// Put the lab into a directory, and with --auto-start into the SSH login of this user
    Install {
        /// Directory to install into
        #[arg(long)]
        prefix: Option<PathBuf>,
        /// Let interactive SSH logins enter the menu
        #[arg(long)]
        auto_start: bool,
        /// Start-up file to change, instead of ~/.bashrc
        #[arg(long)]
        bashrc: Option<PathBuf>,
    },
    /// Undo an installation; homes and pods stay
    Uninstall {
        /// Directory that was installed into
        #[arg(long)]
        prefix: Option<PathBuf>,
        /// Start-up file that was changed, instead of ~/.bashrc
        #[arg(long)]
        bashrc: Option<PathBuf>,
    },
}

#[derive(clap::Args)]
struct Serve {
    /// Loopback address to listen on; port 0 takes any free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Scratch directory
    #[arg(long)]
    home: Option<PathBuf>,
    /// User who may log in
    #[arg(long, default_value = "agent")]
    user: String,
    /// Public key line that may log in; may be given several times
    #[arg(long)]
    authorized_key: Vec<String>,
    /// A shell at once, without the menu; the same as --front shell
    #[arg(long)]
    shell: bool,
    /// What a login meets
    #[arg(long, value_enum, default_value_t = FrontName::Cmsm)]
    front: FrontName,
    /// The menu is Chinese; of jumpserver and numbered
    #[arg(long)]
    chinese: bool,
    /// The menu writes and reads GBK; of all but cmsm
    #[arg(long)]
    gbk: bool,
    /// What is wrong with the menu; of all but cmsm, may be given several times
    #[arg(long, value_enum)]
    mishap: Vec<Mishap>,
    /// Wait before every piece of output
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Largest piece of output
    #[arg(long)]
    chunk_bytes: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FrontName {
    /// A menu for hosts and users, and a cluster behind it
    Cmsm,
    /// A shell at once
    Shell,
    /// A line menu in the manner of JumpServer's
    Jumpserver,
    /// A full-screen list in the manner of Warpgate's
    Picker,
    /// A plain numbered list
    Numbered,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Mishap {
    /// News between the menu's texts
    Noisy,
    /// Prompts and titles have other words
    Reworded,
    /// Rows move between listing and choice
    Reordered,
    /// Names and news that look like prompts
    Hostile,
    /// There is always one more page
    Endless,
    /// The choice leads to another host
    WrongHost,
    /// The login is forbidden
    Blocked,
    /// A reviewer has to agree, and does after a while
    Review,
}

#[derive(clap::Args)]
struct SlowTerminal {
    /// Mean delay of a byte in each direction
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Largest difference of a byte's delay from the mean
    #[arg(long, default_value_t = 0)]
    jitter_ms: u64,
    /// Bytes of output handed on at once
    #[arg(long, default_value_t = usize::MAX)]
    chunk_bytes: usize,
    /// Once this is typed the line is silent for good
    #[arg(long)]
    mute_at: Option<String>,
    /// Lose OSC, DCS and APC strings on the way
    #[arg(long)]
    without_control_strings: bool,
    /// Program and arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<std::ffi::OsString>,
}

/// Password of `serve`, unless the environment names another: the server is on loopback and a
/// scratch world, so this guards against mistakes, not against the machine's other users.
const DEFAULT_PASSWORD: &str = "lab";
const PASSWORD_VARIABLE: &str = "PORTCULLIS_LAB_PASSWORD";

/// About three seconds until the reviewer agrees.
const REVIEW_TURNS: u32 = 30;

fn main() -> ExitCode {
    let outcome = match Program::parse().command {
        Command::Kubectl { arguments } => return kubectl::main(arguments),
        Command::SlowTerminal(options) => return slow_terminal(&options),
        Command::Logs { folder, seed, files, mebibytes, end_unix_s } => {
            let options = TreeOptions { seed, files, bytes: mebibytes << 20, end_unix_s };
            logs::make(&folder, &options).map(drop).map_err(anyhow::Error::from)
        }
        Command::NetworkCli => network_cli::run().map_err(anyhow::Error::from),
        Command::Serve(options) => serve(options),
        Command::Cmsm { list_targets: true, .. } => print(&login::list_targets()),
        Command::Cmsm { home, .. } => directory(home).and_then(|home| Ok(login::run(&home)?)),
        Command::Install { prefix, auto_start, bashrc } => install(prefix, auto_start, bashrc),
        Command::Uninstall { prefix, bashrc } => uninstall(prefix, bashrc),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // With standard error gone there is nobody to tell.
            let _nobody = writeln!(io::stderr(), "portcullis-lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(options: Serve) -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(io::stderr)
        .init();
    let program = own_path()?;
    let password = std::env::var(PASSWORD_VARIABLE).unwrap_or_else(|_unset| DEFAULT_PASSWORD.to_owned());
    let home = directory(options.home.clone())?;
    let settings = BastionOptions {
        listen: options.listen,
        password: Some(password),
        authorized_keys: options.authorized_key.clone(),
        front: if options.shell { Front::Shell } else { options.front.into() },
        menu: menu_options(&options),
        faults: Faults {
            latency: Duration::from_millis(options.latency_ms),
            chunk_bytes: options.chunk_bytes,
            ..Faults::default()
        },
        kubectl_command: vec![program, "kubectl".to_owned()],
        ..BastionOptions::new(home, &options.user)
    };
    tokio::runtime::Runtime::new()?.block_on(async {
        let bastion = bastion::start(settings).await?;
        let (address, user) = (bastion.address, &options.user);
        print(&format!(
            "address      {address}\nuser         {user}\npassword     from {PASSWORD_VARIABLE}, else {DEFAULT_PASSWORD}\nknown_hosts  {}connect      ssh -p {} {user}@{}\n",
            bastion.known_hosts_line(),
            address.port(),
            address.ip(),
        ))?;
        Ok(tokio::signal::ctrl_c().await?)
    })
}

impl From<FrontName> for Front {
    fn from(name: FrontName) -> Self {
        match name {
            FrontName::Cmsm => Self::Cmsm,
            FrontName::Shell => Self::Shell,
            FrontName::Jumpserver => Self::Koko,
            FrontName::Picker => Self::Picker,
            FrontName::Numbered => Self::Numbered,
        }
    }
}

fn menu_options(options: &Serve) -> MenuOptions {
    let has = |mishap| options.mishap.contains(&mishap);
    MenuOptions {
        language: if options.chinese { Language::Chinese } else { Language::English },
        gbk: options.gbk,
        noisy: has(Mishap::Noisy),
        reworded: has(Mishap::Reworded),
        reordered: has(Mishap::Reordered),
        hostile: has(Mishap::Hostile),
        endless: has(Mishap::Endless),
        wrong_host: has(Mishap::WrongHost),
        blocked: has(Mishap::Blocked),
        review: has(Mishap::Review).then_some(Review::Approve(REVIEW_TURNS)),
        ..MenuOptions::default()
    }
}

fn slow_terminal(options: &SlowTerminal) -> ExitCode {
    let line = LineOptions {
        latency: Duration::from_millis(options.latency_ms),
        jitter: Duration::from_millis(options.jitter_ms),
        chunk_bytes: options.chunk_bytes,
        mute: options.mute_at.clone(),
        without_control_strings: options.without_control_strings,
    };
    match slow::run(&line, &options.command) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            // With standard error gone there is nobody to tell.
            let _nobody = writeln!(io::stderr(), "portcullis-lab: {error}");
            ExitCode::FAILURE
        }
    }
}

fn install(prefix: Option<PathBuf>, auto_start: bool, bashrc: Option<PathBuf>) -> anyhow::Result<()> {
    let prefix = std::path::absolute(directory(prefix)?)?;
    install::install_programs(own_path()?.as_ref(), &prefix)?;
    print(&format!("installed into {}\n", prefix.display()))?;
    if auto_start {
        let file = startup_file(bashrc)?;
        install::enable_auto_start(&file, &prefix)?;
        print(&format!("interactive SSH logins enter the menu, through {}\n", file.display()))?;
    }
    Ok(())
}

fn uninstall(prefix: Option<PathBuf>, bashrc: Option<PathBuf>) -> anyhow::Result<()> {
    // The block first: a login must never meet a menu that is gone.
    let file = startup_file(bashrc)?;
    install::disable_auto_start(&file)?;
    let prefix = std::path::absolute(directory(prefix)?)?;
    install::remove_programs(&prefix)?;
    print(&format!("removed from {} and {}\n", prefix.display(), file.display()))
}

fn own_path() -> anyhow::Result<String> {
    let path = std::env::current_exe().context("this program cannot find itself")?;
    path.into_os_string().into_string().ok().context("this program's path is not UTF-8; move it")
}

fn directory(given: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    given.map_or_else(|| Ok(user_home()?.join("portcullis-lab")), Ok)
}

fn startup_file(given: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    given.map_or_else(|| Ok(user_home()?.join(".bashrc")), Ok)
}

fn user_home() -> anyhow::Result<PathBuf> {
    std::env::home_dir().context("the home directory is not known; name the directory on the command line")
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut output = io::stdout();
    output.write_all(text.as_bytes())?;
    Ok(output.flush()?)
}
