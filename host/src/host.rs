//! The host: one value that owns sessions, plugins, gate and record.
//!
//! An MCP connection, a browser and an operator's command are clients of it; none of them holds
//! state of its own that matters here.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portcullis_sandbox::{Compiler, Sandbox, SandboxError, SandboxOptions};

use crate::approvals::Approvals;
use crate::attempts::Attempts;
use crate::audit::{Instance, InstanceError, Keeping};
use crate::causes;
use crate::config::Config;
use crate::desk::Desk;
use crate::gate::{Gate, InputLine};
use crate::metrics;
use crate::plugins::{Catalog, CatalogError, LivePlugins};
use crate::searches::Searches;
use crate::session::Sessions;

/// Why the host could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Instance(#[from] InstanceError),
    #[error("the plugin sandbox could not start")]
    Sandbox(#[source] SandboxError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

/// A cheap clone of one shared host.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    config: Config,
    instance: Instance,
    sessions: Arc<Sessions>,
    gate: Gate,
    input: InputLine,
    plugins: Arc<LivePlugins>,
    attempts: Arc<Attempts>,
    desk: Arc<Desk>,
    approvals: Arc<Approvals>,
    searches: Mutex<Searches>,
}

impl Host {
    /// Loads the plugins and makes the instance's folder. No connection is opened.
    ///
    /// # Errors
    /// When a plugin cannot be used or the state folder cannot be written: nothing runs with half
    /// of its policies or without its record.
    pub async fn start(config: Config, compiler: Compiler) -> Result<Self, StartError> {
        let plugins = LivePlugins::start(sandbox(&config, compiler)?, &config).await?;
        let instance = Instance::create(&config.state_directory, Keeping::of(&config)?)?;
        metrics::started(instance.announced().started_unix_ms);
        let gate = Gate::new(Arc::clone(&plugins));
        let sessions = Arc::new(Sessions::new(config.limits.closed_sessions));
        Ok(Self(Arc::new(Inner {
            config,
            instance,
            sessions,
            gate,
            input: InputLine::default(),
            plugins,
            attempts: Arc::default(),
            desk: Arc::default(),
            approvals: Arc::default(),
            searches: Mutex::default(),
        })))
    }

    pub fn config(&self) -> &Config {
        &self.0.config
    }

    pub fn instance(&self) -> &Instance {
        &self.0.instance
    }

    pub fn sessions(&self) -> &Arc<Sessions> {
        &self.0.sessions
    }

    pub fn gate(&self) -> &Gate {
        &self.0.gate
    }

    pub fn input(&self) -> &InputLine {
        &self.0.input
    }

    /// The plugins, which may be others at the next call.
    pub fn plugins(&self) -> &LivePlugins {
        &self.0.plugins
    }

    /// Sessions that are being opened.
    pub(crate) fn attempts(&self) -> &Arc<Attempts> {
        &self.0.attempts
    }

    /// Questions that wait for a person.
    pub fn desk(&self) -> &Arc<Desk> {
        &self.0.desk
    }

    /// Texts that wait for a person's consent.
    pub fn approvals(&self) -> &Arc<Approvals> {
        &self.0.approvals
    }

    /// What log searches have left to know.
    pub(crate) fn searches(&self) -> MutexGuard<'_, Searches> {
        self.0.searches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it can do its work: its record can be written.
    ///
    /// # Errors
    /// Says what is in the way.
    pub fn ready(&self) -> Result<(), String> {
        self.instance().announce(|_| {}).map_err(|error| causes::with_causes(&error))
    }

    /// Closes every session, so that each ending is on record.
    pub async fn stop(&self) {
        self.attempts().abort();
        let open = self.sessions().open();
        futures::future::join_all(open.iter().map(|session| session.close("the host has ended"))).await;
        self.instance().retire();
    }
}

/// Loads every plugin as a host would.
///
/// # Errors
/// When one of them cannot be used.
pub async fn load_plugins(config: &Config, compiler: Compiler) -> Result<Catalog, StartError> {
    Ok(Catalog::load(&sandbox(config, compiler)?, config).await?)
}

/// The sandbox a host's plugins run in, with its folder of compiled components.
pub(crate) fn sandbox(config: &Config, compiler: Compiler) -> Result<Sandbox, StartError> {
    let options = SandboxOptions { compiler, ..SandboxOptions::new(config.cache_directory.join("components")) };
    Sandbox::new(options).map_err(StartError::Sandbox)
}

/// Components are compiled by a child of this program, so that a hostile one cannot exhaust the
/// host's memory.
pub fn child_compiler(program: PathBuf) -> Compiler {
    Compiler::ChildProcess { program, arguments: vec!["compile-component".into()] }
}
