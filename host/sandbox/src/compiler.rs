//! From a component's bytes to runnable code: out of the cache, or compiled here or in a child
//! process with limits.
//!
//! The child bounds what a hostile component can cost while compiling (memory, time). It is no
//! defence against a fault in the compiler: its output runs in this process.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::process::Command;
use tokio::task::spawn_blocking;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::cache::{Cache, Digest};
use crate::check;
use crate::engine;
use crate::error::SandboxError;

/// Where components are compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compiler {
    /// On a blocking thread of this process, without limits.
    InProcess,
    /// `program` with `arguments`, then the path of the component and the path to write to. It
    /// calls [`compile_child_main`] with those two.
    ChildProcess { program: PathBuf, arguments: Vec<String> },
}

/// Address space of the child. The largest plugin tried, a JavaScript engine, takes 400 MB.
const CHILD_MEMORY_BYTES: u64 = 4 << 30;
/// Processor time of the child; the largest plugin tried takes 10 s.
const CHILD_PROCESSOR_SECONDS: u64 = 120;
/// Wall clock, above the processor time because the machine may be busy.
const CHILD_DEADLINE: Duration = Duration::from_secs(300);

/// The first start takes seconds: whoever waits for it may want to see what it does.
pub const PROGRESS: &str = "portcullis::progress";

/// Cache and compiler together.
pub(crate) struct CodeStore {
    engine: Engine,
    cache: Cache,
    compiler: Compiler,
    /// One compilation at a time: it takes every core by itself, and two loads of the same
    /// component should not compile it twice.
    turn: tokio::sync::Mutex<()>,
    /// Components that are compiled or wait for it.
    waiting: AtomicUsize,
}

/// One of those that are compiled or wait for it, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn join(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }

    fn others(&self) -> usize {
        self.0.load(Ordering::Relaxed).saturating_sub(1)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl CodeStore {
    pub(crate) fn new(engine: Engine, cache: Cache, compiler: Compiler) -> Self {
        Self { engine, cache, compiler, turn: tokio::sync::Mutex::new(()), waiting: AtomicUsize::new(0) }
    }

    /// Runnable code of an earlier compilation. The error is a reason for people.
    pub(crate) async fn cached(self: &Arc<Self>, digest: Digest) -> Result<Option<Component>, String> {
        self.blocking(move |store| store.read(&digest)).await
    }

    /// Runnable code for a valid component. The error is a reason for people.
    pub(crate) async fn compiled(
        self: &Arc<Self>,
        name: &str,
        digest: Digest,
        bytes: &[u8],
    ) -> Result<Component, String> {
        let waiting = Waiting::join(&self.waiting);
        let _turn = self.turn.lock().await;
        // Another load of the same component may have had the turn before.
        if let Some(component) = self.cached(digest).await? {
            return Ok(component);
        }
        let began = Instant::now();
        tracing::info!(
            target: PROGRESS, plugin = name, size_kb = bytes.len() / 1_000, waiting = waiting.others(),
            "compiling a plugin for its first use"
        );
        let code = match &self.compiler {
            Compiler::InProcess => {
                let bytes = bytes.to_vec();
                self.blocking(move |store| store.compile_here(&bytes)).await??
            }
            Compiler::ChildProcess { program, arguments } => self.compile_in_child(program, arguments, bytes).await?,
        };
        let took_ms = began.elapsed().as_millis();
        tracing::debug!(target: PROGRESS, plugin = name, took_ms, "compiled a plugin");
        self.blocking(move |store| {
            if let Err(error) = store.cache.store(&digest, &code) {
                tracing::warn!(%error, "a compiled plugin cannot be kept; it will be compiled again next time");
            }
            deserialize(&store.engine, &code).map_err(|error| format!("{error:#}"))
        })
        .await?
    }

    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, String> {
        let store = Arc::clone(self);
        spawn_blocking(move || work(&store)).await.map_err(|error| format!("the compilation did not finish: {error}"))
    }

    fn read(&self, digest: &Digest) -> Option<Component> {
        let file = self.cache.find(digest)?;
        match map(&self.engine, &file) {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(error = %format!("{error:#}"), "a compiled plugin does not fit this engine; compiling again");
                None
            }
        }
    }

    fn compile_here(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        self.engine.precompile_component(bytes).map_err(|error| check::quoted(&format!("{error:#}")))
    }

    async fn compile_in_child(&self, program: &Path, arguments: &[String], bytes: &[u8]) -> Result<Vec<u8>, String> {
        let unusable = |error: io::Error| format!("the compilation directory cannot be used: {error}");
        let (input_name, input) = self.cache.temporary(".wasm").map_err(unusable)?;
        let (output_name, output) = self.cache.temporary(".code").map_err(unusable)?;
        let compiled = match self.cache.write_new(&input_name, &[bytes]) {
            Ok(()) => match run_child(program, arguments, &input, &output).await {
                Ok(()) => self.cache.read_whole(&output_name).map_err(unusable),
                Err(reason) => Err(reason),
            },
            Err(error) => Err(unusable(error)),
        };
        self.cache.remove(&input_name);
        self.cache.remove(&output_name);
        compiled
    }
}

/// The error is a reason for people.
async fn run_child(program: &Path, arguments: &[String], input: &Path, output: &Path) -> Result<(), String> {
    let mut command = Command::new(program);
    command.args(arguments).arg(input).arg(output);
    // Standard output may belong to a protocol, and a compiler needs no environment.
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let child =
        command.spawn().map_err(|error| format!("the compiler {} cannot be started: {error}", program.display()))?;
    let ended = tokio::time::timeout(CHILD_DEADLINE, child.wait_with_output())
        .await
        .map_err(|_| format!("it took longer than {} s", CHILD_DEADLINE.as_secs()))?
        .map_err(|error| format!("the compiler cannot be watched: {error}"))?;
    if ended.status.success() {
        return Ok(());
    }
    let said = check::quoted(&String::from_utf8_lossy(&ended.stderr));
    Err(format!(
        "the compiler ended with {} (it may use {} MiB and {CHILD_PROCESSOR_SECONDS} s): {said}",
        ended.status,
        CHILD_MEMORY_BYTES >> 20
    ))
}

/// Code that was just compiled.
#[allow(unsafe_code, reason = "wasmtime cannot check that bytes are its own compiler's output")]
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` is what `Engine::precompile_component` returned, in this process or in the
    // child, which writes to the private cache directory. The bytes are copied. An engine of another
    // version or with other settings refuses them.
    unsafe { Component::deserialize(engine, code) }
}

/// Code of an earlier compilation. It is mapped: what is not called is never read, and hosts that run at the
/// same time share it.
#[allow(unsafe_code, reason = "wasmtime cannot check that a file is its own compiler's output")]
fn map(engine: &Engine, file: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file was written by `Cache::store` with what `Engine::precompile_component` returned, and
    // its checksum was right a moment ago. Nobody else may write to its directory, and we never write to a
    // file that has its name: a newer one replaces it, which leaves the mapped one as it is. An engine of
    // another version or with other settings refuses it.
    unsafe { Component::deserialize_file(engine, file) }
}

/// Body of the compilation child: limits itself, reads the component at `input` and writes
/// compiled code to the new file `output`.
///
/// # Errors
/// When the limits cannot be set, a file cannot be read or written, or the component does not compile.
pub fn compile_child_main(input: &Path, output: &Path) -> Result<(), SandboxError> {
    limit_this_process()?;
    let file_error = |path: &Path| {
        let path = path.to_owned();
        move |source| SandboxError::ChildFile { path, source }
    };
    let bytes = std::fs::read(input).map_err(file_error(input))?;
    let code = engine::without_pool()?
        .precompile_component(&bytes)
        .map_err(|error| SandboxError::ChildCompile { reason: check::quoted(&format!("{error:#}")) })?;
    write_private(output, &code).map_err(file_error(output))
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    io::Write::write_all(&mut options.open(path)?, bytes)
}

#[cfg(unix)]
fn limit_this_process() -> Result<(), SandboxError> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    for (resource, limit) in
        [(Resource::As, CHILD_MEMORY_BYTES), (Resource::Cpu, CHILD_PROCESSOR_SECONDS), (Resource::Core, 0)]
    {
        // An operator's stricter limit stays.
        let limit = getrlimit(resource).maximum.map_or(limit, |maximum| maximum.min(limit));
        let wanted = Rlimit { current: Some(limit), maximum: Some(limit) };
        setrlimit(resource, wanted).map_err(|error| SandboxError::ChildLimits { source: error.into() })?;
    }
    Ok(())
}

/// Elsewhere the parent's deadline is the only bound.
#[cfg(not(unix))]
fn limit_this_process() -> Result<(), SandboxError> {
    Ok(())
}
