#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

use portcullis_term::Typist;

use super::*;

const LIMIT: Duration = Duration::from_secs(120);

fn cause(verdict: &'static str, rule_id: &str) -> Cause {
    Cause {
        policy: "team".to_owned(),
        verdict,
        rule_id: rule_id.to_owned(),
        category: "team".to_owned(),
        reason: "somebody has to look".to_owned(),
        suggestion: None,
        evidence: Some((0, 4)),
    }
}

fn matter(text: &str) -> Matter {
    Matter {
        session_id: "s-web-1".to_owned(),
        profile: "web".to_owned(),
        actor: Typist::Agent,
        delivery: "shell_line",
        text: text.to_owned(),
        place: vec!["web".to_owned()],
        path: vec!["Shell web".to_owned()],
        reader: "prompt".to_owned(),
        causes: vec![cause("ask", "team/deploy"), cause("warn", "team/late")],
        purpose: Some("ship it".to_owned()),
    }
}

fn allow(scope: Scope) -> Answer {
    Answer { decision: Decision::Allow(scope), channel: Channel::Viewer, by: None }
}

fn joined(approvals: &Arc<Approvals>, matter: Matter) -> Waiter {
    match approvals.join(matter, None, LIMIT) {
        Joined::Waiting { waiter, .. } => waiter,
        Joined::Busy(other) => panic!("{other:?} waits already"),
        Joined::Refused(denial) => panic!("{denial:?}"),
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn answer(approvals: &Arc<Approvals>, asked: &Asked, answer: Answer) -> Result<(), AnswerError> {
    approvals.claim(&asked.id, &asked.digest).map(|claim| claim.answer(answer))
}

async fn allowed(waiter: Waiter) -> Leave {
    match waiter.wait(soon()).await {
        Waited::Settled(Outcome::Allowed(leave)) => leave,
        Waited::Settled(Outcome::Denied(denial)) => panic!("{denial:?}"),
        Waited::StillOpen(asked) => panic!("{asked:?} is open"),
    }
}

async fn denied(waiter: Waiter) -> Denial {
    match waiter.wait(soon()).await {
        Waited::Settled(Outcome::Denied(denial)) => denial,
        Waited::Settled(Outcome::Allowed(leave)) => panic!("{leave:?}"),
        Waited::StillOpen(asked) => panic!("{asked:?} is open"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_counts_once_and_only_for_the_text_that_was_shown() {
    let approvals = Arc::new(Approvals::default());
    let waiter = joined(&approvals, matter("make deploy"));
    let asked = waiter.asked().clone();
    assert_eq!(approvals.open(), std::slice::from_ref(&asked));
    let other = matter("make destroy").digest();
    assert_eq!(approvals.claim(&asked.id, &other).err(), Some(AnswerError::OtherText));
    assert_eq!(approvals.claim("a-9", &asked.digest).err(), Some(AnswerError::NotOpen));
    // While one answer is put on record there is no other, and one that could not be recorded is none.
    let claim = approvals.claim(&asked.id, &asked.digest).unwrap();
    assert_eq!(approvals.claim(&asked.id, &asked.digest).err(), Some(AnswerError::NotOpen));
    drop(claim);
    assert_eq!(answer(&approvals, &asked, allow(Scope::Once)), Ok(()));
    let no = Answer { decision: Decision::Deny { reason: None }, ..allow(Scope::Once) };
    assert_eq!(answer(&approvals, &asked, no), Err(AnswerError::NotOpen));
    let leave = allowed(waiter).await;
    assert_eq!(leave.covers(&matter("make deploy")).unwrap().scope, Scope::Once);
    assert!(approvals.open().is_empty() && approvals.standing_leave("s-web-1").0.is_empty());
}

#[test]
fn consent_for_once_is_for_nothing_that_differs() {
    let approvals = Arc::new(Approvals::default());
    let waiter = joined(&approvals, matter("make deploy"));
    let claim = approvals.claim(&waiter.asked().id, &waiter.asked().digest).unwrap();
    let consent = |scope| Consent { approval_id: "a-1".to_owned(), scope, channel: Channel::Cli, by: None };
    let once = Leave(vec![claim.granted(consent(Scope::Once))]);
    let same = matter("make deploy");
    assert!(once.covers(&same).is_some());
    let others = [
        Matter { text: "make  deploy".to_owned(), ..same.clone() },
        Matter { session_id: "s-web-2".to_owned(), ..same.clone() },
        Matter { path: vec!["Shell web".to_owned(), "PodShell web".to_owned()], ..same.clone() },
        Matter { path: vec!["PodShell web".to_owned()], ..same.clone() },
        Matter { reader: "menu Opt>".to_owned(), ..same.clone() },
        Matter { delivery: "menu_input", ..same.clone() },
        Matter { actor: Typist::Automation, ..same.clone() },
        // A rule that has come meanwhile.
        Matter { causes: vec![cause("ask", "team/deploy"), cause("ask", "team/freeze")], ..same.clone() },
        // The same name of another policy's rule.
        Matter { causes: vec![Cause { policy: "other".to_owned(), ..cause("ask", "team/deploy") }], ..same.clone() },
        // Consent is looked for where a rule asks; a text that none asks about is not passed by it.
        Matter { causes: vec![cause("deny", "team/deploy")], ..same.clone() },
    ];
    for other in &others {
        assert!(once.covers(other).is_none(), "{other:?}");
    }
    assert!(Leave::default().covers(&same).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_rule_allowed_for_the_session_covers_that_rule_on_that_path_until_the_session_ends() {
    let approvals = Arc::new(Approvals::default());
    let waiter = joined(&approvals, matter("make deploy"));
    let asked = waiter.asked().clone();
    answer(&approvals, &asked, allow(Scope::RuleForSession)).unwrap();
    assert!(allowed(waiter).await.covers(&matter("make deploy")).is_some());
    let standing = approvals.standing_leave("s-web-1");
    let other_text = Matter { reader: "running c3 > ".to_owned(), ..matter("make deploy-all") };
    assert_eq!(standing.covers(&other_text).unwrap().approval_id, asked.id);
    let other_rule = Matter { causes: vec![cause("ask", "team/freeze")], ..matter("make deploy") };
    let both = Matter { causes: vec![cause("ask", "team/deploy"), cause("ask", "team/freeze")], ..other_rule.clone() };
    let elsewhere = Matter { path: vec!["Shell web".to_owned(), "PodShell api".to_owned()], ..matter("make deploy") };
    for not_covered in [&other_rule, &both, &elsewhere] {
        assert!(standing.covers(not_covered).is_none(), "{not_covered:?}");
    }
    assert!(approvals.standing_leave("s-web-2").covers(&matter("make deploy")).is_none());
    approvals.forget_all_but(|session_id| session_id == "s-web-2");
    assert!(approvals.standing_leave("s-web-1").covers(&matter("make deploy")).is_none());
}

#[tokio::test(start_paused = true)]
async fn the_next_call_of_the_same_text_takes_it_up_and_another_is_told_that_it_waits() {
    let approvals = Arc::new(Approvals::default());
    let waiter = joined(&approvals, matter("make deploy"));
    // A second call of the same while the first waits, and one of another text.
    for text in ["make deploy", "ls"] {
        let second = approvals.join(matter(text), None, LIMIT);
        assert!(matches!(second, Joined::Busy(other) if other.id == "a-1"), "{text}");
    }
    assert!(matches!(waiter.wait(Instant::now()).await, Waited::StillOpen(asked) if asked.id == "a-1"));
    assert_eq!(approvals.open_in("s-web-1").unwrap().id, "a-1");
    let again = joined(&approvals, matter("make deploy"));
    let asked = again.asked().clone();
    assert_eq!(asked.id, "a-1");
    assert!(matches!(again.wait(Instant::now()).await, Waited::StillOpen(_)));
    // Answered while nobody waits: the next call has it, once.
    answer(&approvals, &asked, allow(Scope::Once)).unwrap();
    allowed(joined(&approvals, matter("make deploy"))).await;
    let new = joined(&approvals, matter("make deploy"));
    assert_eq!(new.asked().id, "a-2");
    // Another session has its own.
    let other = Matter { session_id: "s-web-2".to_owned(), ..matter("make deploy") };
    assert_eq!(joined(&approvals, other).asked().id, "a-3");
}

#[tokio::test(start_paused = true)]
async fn an_answer_nobody_comes_back_for_is_forgotten() {
    let approvals = Arc::new(Approvals::default());
    let waiter = joined(&approvals, matter("make deploy"));
    let asked = waiter.asked().clone();
    drop(waiter.wait(Instant::now()).await);
    answer(&approvals, &asked, allow(Scope::Once)).unwrap();
    tokio::time::advance(ANSWER_KEPT).await;
    assert_eq!(joined(&approvals, matter("make deploy")).asked().id, "a-2");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_gone_takes_its_question_back() {
    let approvals = Arc::new(Approvals::default());
    let waiter = joined(&approvals, matter("make deploy"));
    let asked = waiter.asked().clone();
    let task = tokio::spawn(waiter.wait(soon()));
    tokio::task::yield_now().await;
    task.abort();
    assert!(task.await.is_err());
    assert!(approvals.open().is_empty());
    assert_eq!(answer(&approvals, &asked, allow(Scope::Once)), Err(AnswerError::NotOpen));
    assert_eq!(approvals.fate(&asked.id).await, Fate::Withdrawn);
    // It is asked anew, and the old answer is of no use.
    assert_eq!(joined(&approvals, matter("make deploy")).asked().id, "a-2");
}

#[tokio::test(start_paused = true)]
async fn no_answer_in_time_is_a_no() {
    let approvals = Arc::new(Approvals::default());
    let waiter = joined(&approvals, matter("make deploy"));
    let asked = waiter.asked().clone();
    tokio::time::advance(LIMIT).await;
    // Also before anybody has noticed that its time is over.
    assert_eq!(answer(&approvals, &asked, allow(Scope::Once)), Err(AnswerError::NotOpen));
    approvals.claim_end(&asked.id).unwrap().lapse(Why::Expired { after: LIMIT });
    assert!(approvals.claim_end(&asked.id).is_none());
    let denial = denied(waiter).await;
    assert_eq!(denial.words(), "nobody answered within 120 s, which counts as no");
}

#[tokio::test(start_paused = true)]
async fn a_denial_brings_the_persons_reason() {
    let approvals = Arc::new(Approvals::default());
    let waiter = joined(&approvals, matter("make deploy"));
    let asked = waiter.asked().clone();
    let reason = Some("not on a Friday".to_owned());
    let no = Answer { decision: Decision::Deny { reason }, channel: Channel::Elicitation, by: Some("Ann".to_owned()) };
    answer(&approvals, &asked, no).unwrap();
    let denial = denied(waiter).await;
    assert_eq!((denial.reason(), denial.approval_id.as_deref()), (Some("not on a Friday"), Some("a-1")));
    assert!(approvals.standing_leave("s-web-1").0.is_empty());
}

#[tokio::test(start_paused = true)]
async fn there_is_a_limit_to_what_waits_and_a_caller_is_known() {
    let approvals = Arc::new(Approvals::default());
    let of = |number: usize| Matter { session_id: format!("s-web-{number}"), ..matter("ls") };
    let waiters: Vec<Waiter> = (0..MOST_OPEN).map(|number| joined(&approvals, of(number))).collect();
    assert!(
        matches!(approvals.join(of(MOST_OPEN), None, LIMIT), Joined::Refused(denial) if denial.why == Why::TooMany)
    );
    drop(waiters);
    assert!(approvals.open().is_empty());
    assert_eq!(caller(), None);
    let client =
        Caller { connection: 1, name: "client".to_owned(), elicits: false, is_patient: false, principal: None };
    assert_eq!(on_behalf(client.clone(), async { caller() }).await, Some(client));
}
