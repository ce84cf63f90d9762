//! One call at a time and many: what misbehaviour costs, and whom.

use std::time::{Duration, Instant};

use portcullis_sandbox::policy::{Decision, Delivery, Verdict};
use portcullis_sandbox::{CallError, Limits, LoadError, PluginErrorKind, PolicyPlugin};

use crate::support::{AS_TOLD, guest, lab, product, request};

/// Behaves as the line says.
async fn policy(limits: Limits) -> PolicyPlugin {
    lab(8).sandbox.load_policy("p", guest("misbehaving"), AS_TOLD, limits).await.unwrap()
}

async fn ask(line: &str) -> Result<Vec<Decision>, CallError> {
    policy(Limits::policy()).await.evaluate(&request(line)).await
}

fn answer_error(result: Result<Vec<Decision>, CallError>) -> String {
    match result {
        Err(CallError::Answer { what }) => what,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_loop_ends_with_its_fuel() {
    let policy = policy(Limits::policy()).await;
    let fuel = Limits::policy().fuel;
    assert_eq!(policy.evaluate(&request("misbehave loop")).await, Err(CallError::OutOfFuel { fuel }));
    // The next decision is not affected.
    assert!(policy.evaluate(&request("id")).await.is_ok());
    let info = policy.info();
    assert_eq!((info.calls, info.failures), (2, 1));
}

#[tokio::test]
async fn a_loop_with_fuel_left_ends_at_its_deadline_and_lets_others_run() {
    let deadline = Duration::from_millis(200);
    let policy = policy(Limits { fuel: u64::MAX, deadline, ..Limits::policy() }).await;
    // One thread runs both tasks: the other only gets on if the plugin yields.
    let other = tokio::spawn(async {
        let mut turns = 0_u32;
        loop {
            turns += 1;
            if turns == 3 {
                return Instant::now();
            }
            tokio::task::yield_now().await;
        }
    });
    let result = policy.evaluate(&request("misbehave loop")).await;
    let ended = Instant::now();
    assert_eq!(result, Err(CallError::Deadline { deadline }));
    assert!(other.is_finished(), "the other task never ran");
    assert!(other.await.unwrap() < ended);
}

#[tokio::test]
async fn a_panic_is_told_with_its_message_and_place() {
    match ask("misbehave trap").await {
        Err(CallError::Trap { message }) => {
            assert!(message.contains("a trap was asked for") && message.contains("behaviour.rs"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn deep_recursion_is_a_trap() {
    // Which stack ends first, the guest's own or the machine's, is the compiler's choice.
    let result = ask("misbehave deep_recursion").await;
    assert!(matches!(&result, Err(CallError::Trap { .. })), "{result:?}");
}

#[tokio::test]
async fn memory_is_bounded() {
    let limit_bytes = Limits::policy().memory_bytes;
    match ask("misbehave allocate").await {
        Err(CallError::MemoryLimit { asked_bytes, limit_bytes: told }) => {
            assert!(asked_bytes > limit_bytes);
            assert_eq!(told, limit_bytes);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn log_lines_over_the_limit_harm_no_answer() {
    let decisions = ask("misbehave chatter").await.unwrap();
    assert_eq!(decisions[0].reason, "17 bytes, evaluation 1");
}

#[tokio::test]
async fn a_flooded_log_ends_the_call_long_before_its_deadline() {
    let limits = Limits { deadline: Duration::from_secs(600), ..Limits::policy() };
    let limit_lines = limits.max_log_lines;
    let policy = policy(limits).await;
    let begun = Instant::now();
    assert_eq!(policy.evaluate(&request("misbehave flood_log")).await, Err(CallError::LogFlood { limit_lines }));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    // Each call has its lines anew.
    assert!(policy.evaluate(&request("misbehave chatter")).await.is_ok());
}

#[tokio::test]
async fn answers_beyond_the_contract_are_refused() {
    let wrong = async |behaviour: &str| answer_error(ask(&format!("misbehave {behaviour}")).await);
    assert_eq!(wrong("many_decisions").await, "the list of decisions has 65 items, the limit is 64");
    assert_eq!(wrong("long_reason").await, "a reason is 70000 bytes long, the limit is 65536");
    assert!(wrong("flood_output").await.contains("too much data"));
    assert_eq!(wrong("nameless_rule").await, "a rule's id is empty");
    assert_eq!(wrong("escaped_rewrite").await, "a rewritten line contains the character U+000D");
    assert_eq!(wrong("outside_evidence").await, "evidence 3..1026 is no part of a line of 26 bytes");
    assert!(wrong("garbage_rule").await.starts_with("a rule's id contains the character U+001B"));
}

#[tokio::test]
async fn evidence_that_ends_inside_a_character_is_refused() {
    let policy = lab(8)
        .sandbox
        .load_policy("p", guest("misbehaving"), r#"{"behaviour":"split_evidence"}"#, Limits::policy())
        .await
        .unwrap();
    assert_eq!(policy.evaluate(&request("split a")).await.unwrap().len(), 1);
    assert!(answer_error(policy.evaluate(&request("split ä")).await).contains("0..7"));
}

#[tokio::test]
async fn text_for_people_is_cleaned() {
    assert_eq!(ask("misbehave escaped_reason").await.unwrap()[0].reason, "]0;titlesafe line");
    let message = "cannot say".to_owned();
    assert_eq!(ask("misbehave error").await, Err(CallError::Plugin { kind: PluginErrorKind::Unsupported, message }));
}

#[tokio::test]
async fn a_question_over_the_limits_is_not_asked() {
    let limits = Limits { max_string_bytes: 100, ..Limits::policy() };
    let policy = policy(limits).await;
    assert!(policy.evaluate(&request(&"x".repeat(100))).await.is_ok());
    match policy.evaluate(&request(&"x".repeat(101))).await {
        Err(CallError::Request { what }) => assert_eq!(what, "the line is 101 bytes long, the limit is 100"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_decision_leaves_no_trace_for_the_next() {
    let policy = policy(Limits::policy()).await;
    for _ in 0..3 {
        assert_eq!(policy.evaluate(&request("ls")).await.unwrap()[0].reason, "2 bytes, evaluation 1");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_decisions_at_once_wait_for_their_turn_and_all_are_right() {
    let policy = policy(Limits::policy()).await;
    let tasks: Vec<_> = (0..200)
        .map(|number| {
            let policy = policy.clone();
            tokio::spawn(async move {
                let line = if number % 20 == 7 { "misbehave trap".to_owned() } else { "x".repeat(number) };
                (number, policy.evaluate(&request(&line)).await)
            })
        })
        .collect();
    for task in tasks {
        let (number, result) = task.await.unwrap();
        if number % 20 == 7 {
            assert!(matches!(result, Err(CallError::Trap { .. })), "{number}: {result:?}");
        } else {
            assert_eq!(result.unwrap()[0].reason, format!("{number} bytes, evaluation 1"));
        }
    }
}

#[tokio::test]
async fn when_all_instances_are_taken_the_answer_is_busy() {
    // Two instances, one of them for policies: a loop holds it.
    let lab = lab(2);
    let bytes = guest("misbehaving");
    let endless = Limits { fuel: u64::MAX, deadline: Duration::from_secs(60), ..Limits::policy() };
    let hurried = Limits { deadline: Duration::from_millis(50), ..Limits::policy() };
    let holder = lab.sandbox.load_policy("holder", bytes, AS_TOLD, endless).await.unwrap();
    let waiting = lab.sandbox.load_policy("waiting", bytes, AS_TOLD, hurried).await.unwrap();
    let held = tokio::spawn(async move { holder.evaluate(&request("misbehave loop")).await });
    while !held.is_finished() {
        match waiting.evaluate(&request("id")).await {
            Err(CallError::Busy { .. }) => {
                // Giving up a call frees its place.
                held.abort();
                assert!(held.await.unwrap_err().is_cancelled());
                assert!(waiting.evaluate(&request("id")).await.is_ok());
                return;
            }
            // The holder has not been polled yet.
            _ => tokio::task::yield_now().await,
        }
    }
    panic!("the loop ended");
}

#[tokio::test]
async fn wherever_a_plugin_misbehaves_there_is_an_error_in_bounded_time() {
    let bytes = guest("misbehaving");
    let lab = lab(4);
    let load = async |behaviour: &str, place: &str| {
        let settings = format!(r#"{{"behaviour":"{behaviour}","where":"{place}"}}"#);
        lab.sandbox.load_policy("misbehaving", bytes, &settings, Limits::policy()).await
    };
    let bound = Limits::policy().deadline + Duration::from_secs(2);
    for behaviour in ["loop", "trap", "allocate", "flood_log", "deep_recursion"] {
        let loaded = load(behaviour, "validate").await;
        assert!(matches!(loaded, Err(LoadError::Trial { .. })), "{behaviour} is loaded");
        for place in ["create", "evaluate"] {
            let policy = load(behaviour, place).await.unwrap();
            let begun = Instant::now();
            let result = policy.evaluate(&request("id")).await;
            assert!(result.is_err(), "{behaviour} in {place}: {result:?}");
            assert!(begun.elapsed() < bound, "{behaviour} in {place} took {:?}", begun.elapsed());
        }
    }
    for behaviour in ["flood_output", "garbage_rule"] {
        let result = load(behaviour, "evaluate").await.unwrap().evaluate(&request("id")).await;
        assert!(matches!(result, Err(CallError::Answer { .. })), "{behaviour}: {result:?}");
    }
    assert_eq!(load("none", "evaluate").await.unwrap().evaluate(&request("id")).await, Ok(Vec::new()));
}

#[tokio::test]
async fn the_standard_policy_allows_reading_and_stops_what_it_cannot_read() {
    let bytes = product("policy-standard");
    let policy = lab(4).sandbox.load_policy("standard", &bytes, "{}", Limits::policy()).await.unwrap();
    // Without a plan the text may be anything; only a person may let that pass.
    let decisions = policy.evaluate(&request("rm -rf /")).await.unwrap();
    let strictest = decisions.iter().map(|decision| decision.verdict).max();
    assert!(strictest >= Some(Verdict::Ask), "{decisions:?}");
    let mut reading = request("uptime");
    reading.plan = Some(crate::support::plan_of(&["uptime"]));
    reading.delivery = Delivery::ShellLine;
    let decisions = policy.evaluate(&reading).await.unwrap();
    let strictest = decisions.iter().map(|decision| decision.verdict).max();
    assert!(strictest.unwrap_or(Verdict::Abstain) <= Verdict::Allow, "{decisions:?}");
    let mut removing = request("rm -rf /");
    removing.plan = Some(crate::support::plan_of(&["rm", "-rf", "/"]));
    let decisions = policy.evaluate(&removing).await.unwrap();
    assert_eq!(decisions.iter().map(|decision| decision.verdict).max(), Some(Verdict::Deny), "{decisions:?}");
}
