//! A loaded plugin, and one live instance of it with its budget.
//!
//! An instance that failed is dropped: after a trap, or a call given up half-way, wasmtime
//! refuses to enter it again, and a plugin's own state could be torn.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::InstancePre;
use wasmtime::{Engine, PoolConcurrencyLimitError, Store, Trap, UpdateDeadline};

use crate::bindings;
use crate::cache::{Digest, hexadecimal};
use crate::check;
use crate::error::CallError;
use crate::info::{PluginInfo, PluginKind};
use crate::limits::Limits;
use crate::state::{LogLimitReached, MemoryLimitReached, PluginState};

/// Resource handles an instance may hold; a well-behaved one holds one.
const MAX_HANDLES: usize = 1_024;

/// Generated bindings of one kind, so that loading and running is written once.
pub(crate) trait World: Sized + Send + Sync + 'static {
    const KIND: PluginKind;
    /// A component with imports connected and exports found.
    type Pre: Send + Sync + 'static;

    fn prepare(pre: InstancePre<PluginState>) -> wasmtime::Result<Self::Pre>;
    fn instantiate(
        pre: &Self::Pre,
        store: &mut Store<PluginState>,
    ) -> impl Future<Output = wasmtime::Result<Self>> + Send;
}

macro_rules! world {
    ($world:ty, $pre:ty, $kind:expr) => {
        impl World for $world {
            const KIND: PluginKind = $kind;
            type Pre = $pre;

            fn prepare(pre: InstancePre<PluginState>) -> wasmtime::Result<Self::Pre> {
                <$pre>::new(pre)
            }

            async fn instantiate(pre: &Self::Pre, store: &mut Store<PluginState>) -> wasmtime::Result<Self> {
                pre.instantiate_async(store).await
            }
        }
    };
}
world!(bindings::policy::PolicyPlugin, bindings::policy::PolicyPluginPre<PluginState>, PluginKind::Policy);
world!(
    bindings::navigator::NavigatorPlugin,
    bindings::navigator::NavigatorPluginPre<PluginState>,
    PluginKind::Navigator
);
world!(bindings::parser::ParserPlugin, bindings::parser::ParserPluginPre<PluginState>, PluginKind::Parser);
world!(
    bindings::log_search::LogSearchPlugin,
    bindings::log_search::LogSearchPluginPre<PluginState>,
    PluginKind::LogSearch
);

/// A plugin that passed every check, ready for instances.
pub(crate) struct Loaded<W: World> {
    pub(crate) name: Arc<str>,
    pub(crate) settings: String,
    pub(crate) limits: Limits,
    pub(crate) digest: Digest,
    pub(crate) contract_version: String,
    pub(crate) size_bytes: usize,
    pub(crate) engine: Engine,
    pub(crate) pre: W::Pre,
    /// Instances of this plugin's lane that may still be made.
    pub(crate) lane: Arc<Semaphore>,
    /// Instances of any plugin that may still be kept ready.
    pub(crate) kept: Arc<Semaphore>,
    pub(crate) calls: AtomicU64,
    pub(crate) failures: AtomicU64,
}

impl<W: World> Loaded<W> {
    pub(crate) fn info(&self) -> PluginInfo {
        PluginInfo {
            name: self.name.to_string(),
            kind: W::KIND,
            digest_sha256: hexadecimal(&self.digest),
            contract_version: self.contract_version.clone(),
            size_bytes: self.size_bytes,
            calls: self.calls.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
        }
    }

    /// Counts a call by its result.
    pub(crate) fn counted<T>(&self, result: Result<T, CallError>) -> Result<T, CallError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = &result {
            self.failures.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(plugin = %self.name, kind = %W::KIND, %error, "a plugin call failed");
        }
        result
    }

    /// A place among those that answer; waits for it.
    pub(crate) async fn permit(&self) -> Result<OwnedSemaphorePermit, CallError> {
        if let Ok(permit) = Arc::clone(&self.lane).try_acquire_owned() {
            return Ok(permit);
        }
        let busy = CallError::Busy { waited: self.limits.deadline };
        match tokio::time::timeout(self.limits.deadline, Arc::clone(&self.lane).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(busy),
        }
    }
}

/// One instance with a full budget.
pub(crate) struct Live<W: World> {
    pub(crate) store: Store<PluginState>,
    pub(crate) world: W,
    pub(crate) plugin: Arc<Loaded<W>>,
    _permit: OwnedSemaphorePermit,
}

impl<W: World> Live<W> {
    /// Waits for a place and makes an instance.
    pub(crate) async fn start(plugin: &Arc<Loaded<W>>) -> Result<Self, CallError> {
        let permit = plugin.permit().await?;
        Self::start_at(plugin, permit).await
    }

    /// An instance to be kept ready; `None` when as many are kept as there may be.
    pub(crate) async fn start_kept(plugin: &Arc<Loaded<W>>) -> Option<Result<Self, CallError>> {
        let permit = Arc::clone(&plugin.kept).try_acquire_owned().ok()?;
        Some(Self::start_at(plugin, permit).await)
    }

    /// Makes an instance at a place already taken. Its shape was found right when it was loaded.
    pub(crate) async fn start_at(plugin: &Arc<Loaded<W>>, permit: OwnedSemaphorePermit) -> Result<Self, CallError> {
        Self::with_permit(plugin, permit)
            .await
            .map_err(|error| if error.is_shape { CallError::Host { reason: error.reason } } else { error.classified })
    }

    /// As [`start`](Self::start), with a place already taken; tells a wrong shape from a failure.
    pub(crate) async fn with_permit(plugin: &Arc<Loaded<W>>, permit: OwnedSemaphorePermit) -> Result<Self, StartError> {
        let mut store = new_store(plugin);
        match W::instantiate(&plugin.pre, &mut store).await {
            Ok(world) => Ok(Self { store, world, plugin: Arc::clone(plugin), _permit: permit }),
            Err(error) => {
                let is_shape = !is_failure(&error);
                let reason = check::quoted(&format!("{error:#}"));
                Err(StartError { is_shape, reason, classified: classify(error, &mut store, &plugin.limits) })
            }
        }
    }

    /// Gives the next call of a long-lived instance a full budget.
    pub(crate) fn refill(&mut self) {
        let limits = &self.plugin.limits;
        self.store.data_mut().begin_call(limits);
        fill(&mut self.store, limits);
    }

    /// A call's result, with wasmtime's error told apart. After an error the instance is unusable.
    pub(crate) fn settle<T>(&mut self, result: wasmtime::Result<T>) -> Result<T, CallError> {
        result.map_err(|error| classify(error, &mut self.store, &self.plugin.limits))
    }
}

/// Why no instance came to be.
pub(crate) struct StartError {
    /// The component's types are not those of the contract.
    pub(crate) is_shape: bool,
    pub(crate) reason: String,
    pub(crate) classified: CallError,
}

fn new_store<W: World>(plugin: &Loaded<W>) -> Store<PluginState> {
    let limits = &plugin.limits;
    let mut store = Store::new(&plugin.engine, PluginState::new(Arc::clone(&plugin.name), limits));
    store.limiter(|state| state);
    store.set_hostcall_fuel(limits.max_answer_bytes);
    store.set_max_component_handles(MAX_HANDLES);
    store.epoch_deadline_callback(|context| {
        if std::time::Instant::now() >= context.data().deadline {
            return Ok(UpdateDeadline::Interrupt);
        }
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
    fill(&mut store, limits);
    store
}

fn fill(store: &mut Store<PluginState>, limits: &Limits) {
    store.set_epoch_deadline(1);
    if let Err(error) = store.set_fuel(limits.fuel) {
        // Only when the engine does not count fuel; ours does. Without fuel the call ends at once.
        tracing::error!(%error, "a plugin's budget cannot be set");
    }
}

/// Something happened while running, as opposed to types that do not match.
fn is_failure(error: &wasmtime::Error) -> bool {
    error.downcast_ref::<Trap>().is_some()
        || error.downcast_ref::<MemoryLimitReached>().is_some()
        || error.downcast_ref::<LogLimitReached>().is_some()
        || error.downcast_ref::<PoolConcurrencyLimitError>().is_some()
        || is_of_the_machine(error)
}

/// The system refused memory or address space.
fn is_of_the_machine(error: &wasmtime::Error) -> bool {
    error.chain().any(|cause| cause.is::<std::io::Error>() || cause.is::<rustix::io::Errno>())
}

fn classify(error: wasmtime::Error, store: &mut Store<PluginState>, limits: &Limits) -> CallError {
    if let Some(reached) = error.downcast_ref::<MemoryLimitReached>() {
        return CallError::MemoryLimit { asked_bytes: reached.asked_bytes, limit_bytes: reached.limit_bytes };
    }
    if let Some(reached) = error.downcast_ref::<LogLimitReached>() {
        return CallError::LogFlood { limit_lines: reached.limit_lines };
    }
    if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
        return CallError::Busy { waited: std::time::Duration::ZERO };
    }
    if is_of_the_machine(&error) {
        return CallError::Host { reason: check::quoted(&format!("{error:#}")) };
    }
    tracing::debug!(error = %check::shown_line(&format!("{error:?}"), 4_096), "a plugin call failed inside");
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => CallError::OutOfFuel { fuel: limits.fuel },
        Some(Trap::Interrupt) => CallError::Deadline { deadline: limits.deadline },
        Some(trap) => CallError::Trap { message: trap_message(*trap, store.data_mut().take_last_error()) },
        // What remains is an answer that could not be lifted: too large, bad text, bad pointers.
        None => CallError::Answer { what: check::quoted(&error.root_cause().to_string()) },
    }
}

/// A panic ends in `unreachable`, which says nothing; what the plugin logged just before does.
fn trap_message(trap: Trap, last_error: Option<String>) -> String {
    match last_error {
        Some(line) if matches!(trap, Trap::UnreachableCodeReached) => check::quoted(&line),
        Some(line) => check::quoted(&format!("{trap}; it last said: {line}")),
        None => trap.to_string(),
    }
}
