//! What plugins cost beside a single decision: loading from the cache, decisions of many sessions at the
//! same time, and output read in chunks.
#![allow(clippy::unwrap_used, reason = "benchmark")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use portcullis_sandbox::parser::OutputMeta;
use portcullis_sandbox::{ComponentFile, Limits, PluginKind, component_kind};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Runtime;

/// Sessions that ask at the same moment.
const SESSIONS: usize = 64;
/// As the host hands output over.
const CHUNK_BYTES: usize = 64 * 1024;

/// A folder with further components, such as those of the guide in JavaScript and Python; each is loaded too.
const FURTHER: &str = "PORTCULLIS_BENCH_COMPONENTS";

/// Longer than it takes until compiled code that does not change is no longer read through.
const SETTLED: Duration = Duration::from_secs(8);

/// As a host loads a component whose digest it has worked out: those that are built in, and pinned files.
fn loading(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let lab = support::lab(8);
    let mut group = criterion.benchmark_group("load from the cache");
    let mut further: Vec<(String, Vec<u8>)> = Vec::new();
    if let Some(folder) = std::env::var_os(FURTHER) {
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        further.extend(
            files
                .filter(|path| path.extension().is_some_and(|ending| ending == "wasm"))
                .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap())),
        );
    }
    let own = ["policy-standard", "navigator-cmsm", "parser-ls"].map(|name| (name.to_owned(), support::product(name)));
    for (name, bytes) in own.into_iter().chain(further) {
        let component = ComponentFile::with_digest(&bytes, Sha256::digest(&bytes).into());
        let kind = component_kind(&name, &bytes).unwrap();
        let load = async || match kind {
            PluginKind::Policy => {
                drop(lab.sandbox.load_policy(&name, component, "{}", Limits::policy()).await.unwrap());
            }
            PluginKind::Navigator => {
                drop(lab.sandbox.load_navigator(&name, component, "{}", Limits::navigator()).await.unwrap());
            }
            PluginKind::Parser => drop(lab.sandbox.load_parser(&name, component, Limits::parser()).await.unwrap()),
            PluginKind::LogSearch => {
                drop(lab.sandbox.load_log_search(&name, component, "{}", Limits::log_search()).await.unwrap());
            }
        };
        // Compiled, and a while ago: code that was written only just now is read through at each load.
        runtime.block_on(load());
        group.warm_up_time(SETTLED);
        group.bench_function(&name, |bencher| bencher.iter(|| runtime.block_on(load())));
    }
    group.finish();
}

/// One number of this is one decision of each of the sessions.
fn many_sessions(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let lab = support::lab(32);
    let bytes = support::product("policy-standard");
    let policy = runtime.block_on(lab.sandbox.load_policy("p", &bytes, "{}", Limits::policy())).unwrap();
    let mut request = support::request("rm -rf /srv/app/releases/17");
    request.plan = Some(support::plan_of(&["rm", "-rf", "/srv/app/releases/17"]));
    let request = Arc::new(request);
    criterion.bench_function("64 sessions ask the standard policy at once", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                let asked = (0..SESSIONS).map(|_| {
                    let (policy, request) = (policy.clone(), Arc::clone(&request));
                    tokio::spawn(async move { policy.evaluate(&request).await.unwrap().len() })
                });
                let asked: Vec<_> = asked.collect();
                for decision in asked {
                    assert!(decision.await.unwrap() > 0);
                }
            });
        });
    });
}

fn parsing(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let lab = support::lab(8);
    let bytes = support::product("parser-ls");
    let parser = runtime.block_on(lab.sandbox.load_parser("l", &bytes, Limits::parser())).unwrap();
    let meta = OutputMeta {
        argv: vec!["ls".to_owned(), "-la".to_owned()],
        raw_command: "ls -la".to_owned(),
        endpoint: support::endpoint(),
        terminal: true,
        now_unix_ms: 1_790_000_000_000,
        attributes: Vec::new(),
    };
    let mut listing = String::from("total 4096\n");
    while listing.len() < 1 << 20 {
        let number = listing.len();
        let _ = writeln!(listing, "-rw-r--r-- 1 operator staff {number:>8} Jun  3 14:07 release-notes-{number}.txt");
    }
    let claim = runtime.block_on(parser.can_parse(&meta, listing.as_bytes())).unwrap().unwrap();
    let alone = alone::Parser::new(&bytes);
    let mut group = criterion.benchmark_group("a parser reads");
    group.throughput(Throughput::Bytes(listing.len() as u64)).sample_size(10);
    group.bench_function("one mebibyte of ls -la into checked documents", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                let mut parse = parser.begin(&meta, &claim.schema).await.unwrap();
                for chunk in listing.as_bytes().chunks(CHUNK_BYTES) {
                    parse.push(chunk).await.unwrap();
                }
                parse.finish(Some(0), false).await.unwrap();
            });
        });
    });
    group.bench_function("one mebibyte of ls -la, the component alone", |bencher| {
        bencher.iter(|| alone.read(listing.as_bytes()));
    });
    group.finish();
}

/// The parser's own share: the same engine settings and calls, without the host's reading and checking of
/// what it gives.
mod alone {
    use wasmtime::component::{Component, HasSelf, Linker};
    use wasmtime::{Config, Engine, Store};

    wasmtime::component::bindgen!({
        path: ["../../wit/common-0.1.0", "../../wit/host-0.1.0", "../../wit/parser-0.1.0"],
        world: "portcullis:parser/parser-plugin",
    });

    struct Silent;

    impl portcullis::host::log::Host for Silent {
        fn enabled(&mut self, _: portcullis::host::log::Level) -> bool {
            false
        }

        fn write(&mut self, _: portcullis::host::log::Level, _: String) {}
    }

    impl portcullis::common::types::Host for Silent {}

    pub(super) struct Parser {
        engine: Engine,
        pre: ParserPluginPre<Silent>,
    }

    impl Parser {
        pub(super) fn new(bytes: &[u8]) -> Self {
            let engine = Engine::new(Config::new().epoch_interruption(true).consume_fuel(true)).unwrap();
            let component = Component::new(&engine, bytes).unwrap();
            let mut linker = Linker::new(&engine);
            ParserPlugin::add_to_linker::<_, HasSelf<Silent>>(&mut linker, |state| state).unwrap();
            let pre = ParserPluginPre::new(linker.instantiate_pre(&component).unwrap()).unwrap();
            Self { engine, pre }
        }

        /// Gives the number of documents.
        pub(super) fn read(&self, listing: &[u8]) -> usize {
            use exports::portcullis::parser::output_parser::OutputMeta;

            let mut store = Store::new(&self.engine, Silent);
            store.set_epoch_deadline(1);
            store.set_fuel(u64::MAX).unwrap();
            let plugin = self.pre.instantiate(&mut store).unwrap();
            let endpoint = portcullis::common::types::Endpoint {
                profile: "lab".into(),
                user: "dev".into(),
                tags: Vec::new(),
                levels: Vec::new(),
                attributes: Vec::new(),
            };
            let meta = OutputMeta {
                argv: vec!["ls".to_owned(), "-la".to_owned()],
                raw_command: "ls -la".to_owned(),
                endpoint,
                terminal: true,
                now_unix_ms: 1_790_000_000_000,
                attributes: Vec::new(),
            };
            let guest = plugin.portcullis_parser_output_parser();
            let parse = guest.call_begin(&mut store, &meta, "ls/1").unwrap().unwrap();
            let chunks = listing.chunks(super::CHUNK_BYTES);
            chunks
                .map(|chunk| guest.parse().call_push(&mut store, parse, chunk).unwrap().unwrap().documents.len())
                .sum()
        }
    }
}

criterion_group!(benches, loading, many_sessions, parsing);
criterion_main!(benches);
