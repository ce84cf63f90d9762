//! A loaded plugin, and one live instance of it with its budget.
//!
//! An instance that failed is dropped: after a trap, or a call given up half-way, wasmtime
//! refuses to enter it again, and a plugin's own state could be torn.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::InstancePre;
use wasmtime::{Engine, PoolConcurrencyLimitError, Store, Trap, UpdateDeadline};

use crate::bindings;
use crate::cache::{Digest, hexadecimal};
use crate::check;
use crate::error::CallError;
use crate::health::Health;
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
world!(bindings::policy_0_1::PolicyPlugin, bindings::policy_0_1::PolicyPluginPre<PluginState>, PluginKind::Policy);
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
    /// Instances of this plugin that may still be made.
    pub(crate) own: Arc<Semaphore>,
    pub(crate) health: Health,
}

/// The right to one instance, given back when dropped.
pub(crate) struct Turn {
    _lane: OwnedSemaphorePermit,
    /// Instances that are kept ready or tried at load are not counted among the plugin's own.
    _own: Option<OwnedSemaphorePermit>,
}

impl Turn {
    /// For an instance that is not at work for anybody.
    pub(crate) fn aside(place: OwnedSemaphorePermit) -> Self {
        Self { _lane: place, _own: None }
    }
}

impl<W: World> Loaded<W> {
    pub(crate) fn info(&self) -> PluginInfo {
        let fared = self.health.fared();
        PluginInfo {
            name: self.name.to_string(),
            kind: W::KIND,
            digest_sha256: hexadecimal(&self.digest),
            contract_version: self.contract_version.clone(),
            size_bytes: self.size_bytes,
            limits: self.limits.clone(),
            calls: fared.calls,
            failures: fared.failures,
            breaches: fared.breaches,
            last_failure: fared.last_failure,
            rests_for_s: fared.rests_for.map(|left| left.as_secs() + 1),
        }
    }

    /// Counts a call by its result.
    pub(crate) fn counted<T>(&self, result: Result<T, CallError>) -> Result<T, CallError> {
        self.health.count(result.as_ref().err());
        if let Err(error) = &result {
            tracing::warn!(plugin = %self.name, kind = %W::KIND, %error, "a plugin call failed");
        }
        result
    }

    /// A place among those that answer; waits for it, unless the plugin rests.
    pub(crate) async fn turn(&self) -> Result<Turn, CallError> {
        self.health.ready()?;
        let waited = self.limits.deadline;
        let limit = self.limits.max_instances;
        let own = place(&self.own, waited).await.ok_or(CallError::Instances { limit, waited })?;
        let lane = place(&self.lane, waited).await.ok_or(CallError::Busy { waited })?;
        Ok(Turn { _lane: lane, _own: Some(own) })
    }
}

async fn place(places: &Arc<Semaphore>, longest: Duration) -> Option<OwnedSemaphorePermit> {
    if let Ok(permit) = Arc::clone(places).try_acquire_owned() {
        return Some(permit);
    }
    tokio::time::timeout(longest, Arc::clone(places).acquire_owned()).await.ok()?.ok()
}

/// One instance with a full budget.
pub(crate) struct Live<W: World> {
    pub(crate) store: Store<PluginState>,
    pub(crate) world: W,
    pub(crate) plugin: Arc<Loaded<W>>,
    _turn: Turn,
}

impl<W: World> Live<W> {
    /// Waits for a place and makes an instance.
    pub(crate) async fn start(plugin: &Arc<Loaded<W>>) -> Result<Self, CallError> {
        let turn = plugin.turn().await?;
        Self::start_at(plugin, turn).await
    }

    /// An instance to be kept ready; `None` when as many are kept as there may be.
    pub(crate) async fn start_kept(plugin: &Arc<Loaded<W>>) -> Option<Result<Self, CallError>> {
        let place = Arc::clone(&plugin.kept).try_acquire_owned().ok()?;
        Some(Self::start_at(plugin, Turn::aside(place)).await)
    }

    /// Makes an instance at a place already taken. Its shape was found right when it was loaded.
    pub(crate) async fn start_at(plugin: &Arc<Loaded<W>>, turn: Turn) -> Result<Self, CallError> {
        Self::at_turn(plugin, turn)
            .await
            .map_err(|error| if error.is_shape { CallError::Host { reason: error.reason } } else { error.classified })
    }

    /// As [`start`](Self::start), with a place already taken; tells a wrong shape from a failure.
    pub(crate) async fn at_turn(plugin: &Arc<Loaded<W>>, turn: Turn) -> Result<Self, StartError> {
        let mut store = new_store(plugin);
        match W::instantiate(&plugin.pre, &mut store).await {
            Ok(world) => Ok(Self { store, world, plugin: Arc::clone(plugin), _turn: turn }),
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
        return CallError::Busy { waited: Duration::ZERO };
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
