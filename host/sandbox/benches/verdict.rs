//! What a decision costs: a fresh instance, the policy's construction and its answer.
#![allow(clippy::unwrap_used, reason = "benchmark")]

#[path = "../tests/support/mod.rs"]
mod support;

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

criterion_group!(benches, verdict);
criterion_main!(benches);
