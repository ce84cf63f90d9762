//! The engine with its settings, and the thread without which its deadlines would never come.

use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::error::SandboxError;

/// How often a running plugin lets other tasks run and looks at its deadline.
const TICK: Duration = Duration::from_millis(10);

/// Stack of a plugin. Rust, JavaScript and Python plugins all fit.
const WASM_STACK_BYTES: usize = 512 * 1024;
/// The fiber a call runs on also carries host frames, so that a plugin's overflow is a trap.
const FIBER_STACK_BYTES: usize = 1024 * 1024;

/// Upper bound for any plugin's `memory_bytes`; only address space is reserved.
pub(crate) const POOL_MEMORY_BYTES: usize = 512 * 1024 * 1024;
/// Instances used for loading come on top of those that answer.
pub(crate) const LOADING_INSTANCES: u32 = 2;
/// So do those that are kept ready for the next question; a plugin that finds no room here makes
/// its instance when it is asked.
pub(crate) const KEPT_INSTANCES: u32 = 32;

/// A component made by wit-component has three to four core instances; one that carries a
/// language's engine has some dozens.
const CORE_INSTANCES_PER_COMPONENT: u32 = 80;
const TABLES_PER_COMPONENT: u32 = 40;
pub(crate) const TABLE_ELEMENTS: usize = 20_000;

/// Memory that is wiped instead of given back between two instances: what a small Rust plugin
/// touches, so that a decision does not pay for page faults.
const RESIDENT_MEMORY_BYTES: usize = 256 * 1024;

/// Settings that the compiled code depends on; the compilation child uses the same.
fn common_settings() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .consume_fuel(true)
        .concurrency_support(false)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(FIBER_STACK_BYTES)
        .wasm_backtrace_max_frames(NonZeroUsize::new(20));
    // Nothing a plugin of ours needs, and every one of these has had its share of advisories.
    config
        .wasm_threads(false)
        .wasm_gc(false)
        .wasm_exceptions(false)
        .wasm_function_references(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_wide_arithmetic(false)
        .wasm_stack_switching(false);
    config
}

fn pool(instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances * CORE_INSTANCES_PER_COMPONENT)
        .total_memories(instances)
        .total_tables(instances * TABLES_PER_COMPONENT)
        .total_stacks(instances)
        .total_gc_heaps(0)
        .max_memory_size(POOL_MEMORY_BYTES)
        .table_elements(TABLE_ELEMENTS)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(1)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .max_tables_per_module(4)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        // Wipes the pages that were touched, wherever they lie; without it (kernels before 6.7) the lowest ones.
        .pagemap_scan(Enabled::Auto)
        .linear_memory_keep_resident(RESIDENT_MEMORY_BYTES)
        .table_keep_resident(RESIDENT_MEMORY_BYTES)
        .max_unused_warm_slots(8);
    pool
}

/// An engine for running plugins, with its ticker. A pool of instances reserves some gigabytes of
/// address space each; where that is refused, instances are made on demand, at some 40 µs more.
pub(crate) fn start(instances: u32) -> Result<Engine, SandboxError> {
    let instances = instances.saturating_add(LOADING_INSTANCES).saturating_add(KEPT_INSTANCES);
    let mut pooled = common_settings();
    pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances)));
    let engine = match Engine::new(&pooled) {
        Ok(engine) => engine,
        Err(error) => {
            tracing::warn!(%error, instances, "no pool of plugin instances; they are made on demand, which is slower");
            without_pool()?
        }
    };
    start_ticker(&engine)?;
    Ok(engine)
}

/// An engine for compiling only. Its output runs on the one of [`start`].
pub(crate) fn without_pool() -> Result<Engine, SandboxError> {
    Engine::new(&common_settings()).map_err(|error| SandboxError::Engine { reason: format!("{error:#}") })
}

/// A plain thread, because a runtime that a plugin keeps busy would not tick. It holds the engine
/// weakly and ends with it.
fn start_ticker(engine: &Engine) -> Result<(), SandboxError> {
    let engine = engine.weak();
    thread::Builder::new()
        .name("plugin-ticker".to_owned())
        .spawn(move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                thread::sleep(TICK);
            }
        })
        .map(drop)
        .map_err(|source| SandboxError::Ticker { source })
}
