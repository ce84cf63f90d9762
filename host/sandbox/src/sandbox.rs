//! The sandbox value and the steps from a file's bytes to a usable plugin.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, Linker};

use crate::bindings;
use crate::cache::{Cache, Digest};
use crate::check::{self, Answer};
use crate::common::ConfigDiagnostic;
use crate::compiler::{CodeStore, Compiler};
use crate::component::ComponentFile;
use crate::engine::{self, KEPT_INSTANCES, LOADING_INSTANCES, POOL_MEMORY_BYTES};
use crate::error::{CallError, LoadError, SandboxError};
use crate::health::Health;
use crate::info::PluginKind;
use crate::inspect;
use crate::instance::{Live, Loaded, Turn, World};
use crate::limits::Limits;
use crate::state::PluginState;

const WASM_PAGE_BYTES: u64 = 64 * 1024;

/// How a [`Sandbox`] is set up.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// Where compiled plugins are kept. Made, and made private, if necessary.
    pub cache_directory: PathBuf,
    pub compiler: Compiler,
    /// Instances at work at the same time, at least 2. Half of them are for policies alone, so that
    /// navigations and long outputs never delay a verdict.
    pub max_concurrent_instances: u32,
}

impl SandboxOptions {
    /// Compiles in process, with 32 instances.
    pub fn new(cache_directory: impl Into<PathBuf>) -> Self {
        Self { cache_directory: cache_directory.into(), compiler: Compiler::InProcess, max_concurrent_instances: 32 }
    }
}

/// Loads plugins. Cheap to clone; plugins it loaded stay usable after it is dropped.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    engine: Engine,
    /// The log and the common types. Every kind imports the same, so one linker serves all.
    linker: Linker<PluginState>,
    code: Arc<CodeStore>,
    decisions: Arc<Semaphore>,
    others: Arc<Semaphore>,
    loading: Arc<Semaphore>,
    kept: Arc<Semaphore>,
}

/// A component that may become a plugin, after every check that needs no code of it.
pub(crate) struct Offer<'a> {
    name: &'a str,
    component: ComponentFile<'a>,
    settings: &'a str,
    limits: Limits,
    contract_version: String,
}

impl<'a> Offer<'a> {
    /// Checks name, size, settings, imports, kind and version.
    pub(crate) fn new(
        name: &'a str,
        component: ComponentFile<'a>,
        settings: &'a str,
        limits: Limits,
        kind: PluginKind,
    ) -> Result<Self, LoadError> {
        let bytes = component.bytes;
        check_name(name)?;
        let limit_bytes = limits.max_component_bytes;
        if bytes.len() > limit_bytes {
            return Err(LoadError::TooLarge { plugin: name.to_owned(), size_bytes: bytes.len(), limit_bytes });
        }
        check_settings(name, settings)?;
        let contract_version = inspect::inspect(name, bytes, kind)?;
        Ok(Self { name, component, settings, limits, contract_version })
    }

    /// Whether it was built for that contract, e.g. `0.1`.
    pub(crate) fn is_for(&self, version: &str) -> bool {
        inspect::speaks(&[version], &self.contract_version)
    }
}

/// Which instances a kind takes.
#[derive(Clone, Copy)]
pub(crate) enum Lane {
    Decisions,
    Others,
}

impl Sandbox {
    /// Sets up engine, ticker and cache directory.
    ///
    /// # Errors
    /// When the engine or its ticker cannot be started, or the cache directory cannot be made
    /// private.
    pub fn new(options: SandboxOptions) -> Result<Self, SandboxError> {
        let instances = options.max_concurrent_instances.clamp(2, 1_000);
        let engine = engine::start(instances)?;
        let cache = Cache::open(&options.cache_directory, &engine)
            .map_err(|source| SandboxError::CacheDirectory { directory: options.cache_directory, source })?;
        let mut linker = Linker::new(&engine);
        bindings::shared::Shared::add_to_linker::<_, HasSelf<PluginState>>(&mut linker, |state| state)
            .map_err(|error| SandboxError::Engine { reason: format!("{error:#}") })?;
        let code = Arc::new(CodeStore::new(engine.clone(), cache, options.compiler));
        let for_decisions = instances / 2;
        Ok(Self(Arc::new(Inner {
            engine,
            linker,
            code,
            decisions: semaphore(for_decisions),
            others: semaphore(instances - for_decisions),
            loading: semaphore(LOADING_INSTANCES),
            kept: semaphore(KEPT_INSTANCES),
        })))
    }

    /// Every step but those that ask the plugin itself something.
    ///
    /// Returns the plugin and the trial instance, with a full budget.
    pub(crate) async fn load<W: World>(
        &self,
        offer: Offer<'_>,
        lane: Lane,
    ) -> Result<(Arc<Loaded<W>>, Live<W>), LoadError> {
        let Offer { name, component: ComponentFile { bytes, .. }, settings, limits, contract_version } = offer;
        let digest = offer.component.digest();
        let component = self.code(name, digest, bytes).await?;
        check_resources(name, &component, &limits)?;
        let pre = self.0.linker.instantiate_pre(&component).and_then(W::prepare);
        let pre = pre.map_err(|error| shape(name, &format!("{error:#}")))?;
        let own = semaphore(limits.max_instances);
        let loaded = Arc::new(Loaded {
            name: Arc::from(name),
            settings: settings.to_owned(),
            limits,
            digest,
            contract_version,
            size_bytes: bytes.len(),
            engine: self.0.engine.clone(),
            pre,
            lane: Arc::clone(match lane {
                Lane::Decisions => &self.0.decisions,
                Lane::Others => &self.0.others,
            }),
            kept: Arc::clone(&self.0.kept),
            own,
            health: Health::default(),
        });
        let live = self.trial(&loaded).await?;
        Ok((loaded, live))
    }

    /// Runnable code, made where there is none yet.
    async fn code(&self, name: &str, digest: Digest, bytes: &[u8]) -> Result<Component, LoadError> {
        let failed = |reason| LoadError::Compile { plugin: name.to_owned(), reason };
        if let Some(component) = self.0.code.cached(digest).await.map_err(failed)? {
            return Ok(component);
        }
        inspect::validate(name, bytes)?;
        self.0.code.compiled(name, digest, bytes).await.map_err(failed)
    }

    /// Only instantiation finds out that a record or variant has another shape.
    async fn trial<W: World>(&self, plugin: &Arc<Loaded<W>>) -> Result<Live<W>, LoadError> {
        let Ok(place) = Arc::clone(&self.0.loading).acquire_owned().await else {
            return Err(trial_error(&plugin.name, "being started", CallError::Ended));
        };
        Live::at_turn(plugin, Turn::aside(place)).await.map_err(|error| {
            if error.is_shape {
                shape(&plugin.name, &error.reason)
            } else {
                trial_error(&plugin.name, "being started", error.classified)
            }
        })
    }
}

fn semaphore(permits: u32) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(permits as usize))
}

/// The name goes into logs, records and results.
fn check_name(name: &str) -> Result<(), LoadError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if (1..=64).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(LoadError::Name { name: check::quoted(name) })
}

fn check_settings(name: &str, settings: &str) -> Result<(), LoadError> {
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(settings) {
        Ok(_) => Ok(()),
        Err(error) => Err(LoadError::SettingsNotJson { plugin: name.to_owned(), reason: error.to_string() }),
    }
}

/// What the pool has no room for is said before the first instance fails on it.
fn check_resources(name: &str, component: &Component, limits: &Limits) -> Result<(), LoadError> {
    let refuse = |needs: String, limit: String| Err(LoadError::Resources { plugin: name.to_owned(), needs, limit });
    let Some(needed) = component.resources_required() else {
        return refuse("core modules from outside".to_owned(), "none".to_owned());
    };
    if needed.num_memories > 1 {
        return refuse(format!("{} memories", needed.num_memories), "1".to_owned());
    }
    let initial_bytes = needed.max_initial_memory_size.unwrap_or(0).saturating_mul(WASM_PAGE_BYTES);
    let limit_bytes = limits.memory_bytes.min(POOL_MEMORY_BYTES) as u64;
    if initial_bytes > limit_bytes {
        return refuse(format!("{initial_bytes} bytes of memory to begin with"), format!("{limit_bytes} bytes"));
    }
    Ok(())
}

fn shape(plugin: &str, difference: &str) -> LoadError {
    LoadError::Shape { plugin: plugin.to_owned(), difference: check::quoted(difference) }
}

pub(crate) fn trial_error(plugin: &str, stage: &'static str, source: CallError) -> LoadError {
    LoadError::Trial { plugin: plugin.to_owned(), stage, source }
}

/// Turns a plugin's findings about its settings into a refusal, if there are any.
pub(crate) fn accept_settings(
    plugin: &str,
    limits: &Limits,
    diagnostics: Result<Vec<ConfigDiagnostic>, CallError>,
) -> Result<(), LoadError> {
    const STAGE: &str = "checking its settings";
    let mut diagnostics = diagnostics.map_err(|error| trial_error(plugin, STAGE, error))?;
    let answer = Answer::new(limits);
    let cleaned = answer.items("the list of findings", diagnostics.len()).and_then(|()| {
        diagnostics.iter_mut().try_for_each(|diagnostic| {
            answer.shown("a finding's path", &mut diagnostic.path)?;
            answer.shown("a finding's message", &mut diagnostic.message)
        })
    });
    cleaned.map_err(|error| trial_error(plugin, STAGE, error))?;
    if diagnostics.is_empty() {
        return Ok(());
    }
    Err(LoadError::Settings { plugin: plugin.to_owned(), diagnostics })
}
