//! What a decision costs: a fresh instance, the policy's construction and its answer.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "benchmark")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use portcullis_sandbox::Limits;

fn verdict(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let lab = support::lab(8);
    let mut group = criterion.benchmark_group("verdict");
    let plan = support::plan_of(&["rm", "-rf", "/srv/app/releases/17"]);
    let mut request = support::request("rm -rf /srv/app/releases/17");
    request.plan = Some(plan);

    let policies = [
        ("trivial policy", support::guest("misbehaving").to_vec(), r#"{"behaviour":"count"}"#),
        ("standard policy", support::product("policy-standard"), "{}"),
    ];
    for (name, bytes, settings) in policies {
        let policy = runtime.block_on(lab.sandbox.load_policy("p", &bytes, settings, Limits::policy())).unwrap();
        group.bench_function(name, |bencher| {
            bencher.iter(|| runtime.block_on(policy.evaluate(&request)).unwrap());
        });
    }
    group.finish();
}

/// Criterion tells the mean; a person who waits for a verdict meets the slowest ones too.
fn percentiles(_: &mut Criterion) {
    const DECISIONS: usize = 20_000;
    /// Nobody asks again at once: the next instance is ready by then, as in a host.
    const PAUSE: Duration = Duration::from_micros(500);

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build().unwrap();
    let lab = support::lab(8);
    let standard = support::product("policy-standard");
    let policy = runtime.block_on(lab.sandbox.load_policy("p", &standard, "{}", Limits::policy())).unwrap();
    let mut request = support::request("rm -rf /srv/app/releases/17");
    request.plan = Some(support::plan_of(&["rm", "-rf", "/srv/app/releases/17"]));
    let mut times: Vec<Duration> = (0..DECISIONS)
        .map(|_| {
            std::thread::sleep(PAUSE);
            let began = Instant::now();
            runtime.block_on(policy.evaluate(&request)).unwrap();
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    let at = |percent: usize| times[DECISIONS * percent / 100];
    println!("standard policy, {DECISIONS} decisions: p50 {:?}, p90 {:?}, p99 {:?}", at(50), at(90), at(99));
}

criterion_group!(benches, verdict, percentiles);
criterion_main!(benches);
