#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

use std::time::Duration;

use zeroize::Zeroizing;

use super::*;
use crate::config::Secret;
use crate::ssh::Prompt;

const LIMIT: Duration = Duration::from_secs(110);

fn desk() -> Arc<Desk> {
    let desk = Arc::new(Desk::default());
    desk.set_viewer(Some("http://127.0.0.1:8765/".to_owned()));
    desk
}

fn question(wanted: Wanted) -> Question {
    Question { target: "ann@web1:22".to_owned(), hop: None, wanted, tried: Vec::new(), limit: LIMIT }
}

fn two_prompts() -> Question {
    let prompt = |text: &str, echo| Prompt { text: text.to_owned(), echo };
    let prompts = vec![prompt("Password:", false), prompt("Code:", true)];
    question(Wanted::Answers { name: String::new(), instructions: String::new(), prompts })
}

fn host_key() -> Question {
    question(Wanted::HostKey {
        key_type: "ssh-ed25519".to_owned(),
        fingerprint: "SHA256:right".to_owned(),
        file: "/home/ann/.ssh/known_hosts".into(),
        skipped: Vec::new(),
    })
}

fn secrets(texts: &[&str]) -> Answer {
    Answer::Secrets(texts.iter().map(|text| Secret::new(Zeroizing::new((*text).to_owned()))).collect())
}

/// Asks in a task of its own and waits until the question lies on the desk.
async fn asked(desk: &Arc<Desk>, question: Question) -> (Asked, tokio::task::JoinHandle<(Answer, Vec<Said>)>) {
    let person = AtDesk::new(desk, Some(7), "web1").unwrap();
    let task = tokio::spawn(async move {
        let answer = person.ask(question).await;
        (answer, person.into_said())
    });
    let mut changes = desk.watch();
    while desk.open().is_empty() {
        changes.changed().await.unwrap();
    }
    (desk.of_attempt(7).unwrap(), task)
}

#[tokio::test(start_paused = true)]
async fn answers_reach_the_one_who_asked_and_are_not_on_record() {
    let desk = desk();
    let (asked, task) = asked(&desk, two_prompts()).await;
    assert_eq!(desk.answer("q-99", Answer::Refused), Err(AnswerError::NotOpen));
    assert_eq!(desk.answer(&asked.id, secrets(&["one"])), Err(AnswerError::NotFitting));
    assert_eq!(desk.answer(&asked.id, Answer::Trusted), Err(AnswerError::NotFitting));
    let long = "x".repeat(LONGEST_ANSWER_BYTES + 1);
    assert_eq!(desk.answer(&asked.id, secrets(&["one", &long])), Err(AnswerError::TooLong));
    // None of these has closed it.
    assert_eq!(desk.answer(&asked.id, secrets(&["hunter2", "123456"])), Ok(()));
    assert_eq!(desk.answer(&asked.id, secrets(&["again", "again"])), Err(AnswerError::NotOpen));
    let (answer, said) = task.await.unwrap();
    let Answer::Secrets(given) = answer else { panic!("{answer:?}") };
    assert_eq!(given.iter().map(Secret::expose).collect::<Vec<_>>(), ["hunter2", "123456"]);
    assert!(!format!("{said:?}{given:?}").contains("hunter2"));
    let prompts = vec!["Password:".to_owned(), "Code:".to_owned()];
    assert_eq!(said, [Said::Answered { target: "ann@web1:22".to_owned(), what: "questions", prompts }]);
    assert!(desk.open().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_host_key_is_trusted_only_by_the_fingerprint_that_was_shown() {
    let desk = desk();
    let (asked, task) = asked(&desk, host_key()).await;
    assert_eq!(desk.trust(&asked.id, "SHA256:other"), Err(AnswerError::NotFitting));
    assert_eq!(desk.answer(&asked.id, secrets(&["yes"])), Err(AnswerError::NotFitting));
    assert_eq!(desk.trust(&asked.id, "SHA256:right"), Ok(()));
    let (answer, said) = task.await.unwrap();
    assert!(matches!(answer, Answer::Trusted));
    let fingerprint = "ssh-ed25519 SHA256:right".to_owned();
    let file = "/home/ann/.ssh/known_hosts".into();
    assert_eq!(said, [Said::Trusted { target: "ann@web1:22".to_owned(), fingerprint, file }]);
}

#[tokio::test(start_paused = true)]
async fn a_question_expires_and_one_that_is_withdrawn_is_gone() {
    let desk = desk();
    let mut changes = desk.watch();
    let started = tokio::time::Instant::now();
    let (_, task) = asked(&desk, two_prompts()).await;
    changes.borrow_and_update();
    let (answer, said) = task.await.unwrap();
    assert!(matches!(answer, Answer::Unanswered) && said.is_empty());
    assert_eq!(started.elapsed(), LIMIT);
    assert!(desk.open().is_empty() && changes.has_changed().unwrap());

    let (left, task) = asked(&desk, two_prompts()).await;
    changes.borrow_and_update();
    task.abort();
    assert!(task.await.is_err());
    assert!(desk.open().is_empty() && changes.has_changed().unwrap());
    assert_eq!(desk.answer(&left.id, secrets(&["a", "b"])), Err(AnswerError::NotOpen));
}

#[tokio::test(start_paused = true)]
async fn the_desk_is_bounded_and_closed_without_a_viewer() {
    let desk = desk();
    let person = AtDesk::new(&desk, Some(1), "web1").unwrap();
    let open = futures::future::join_all((0..MOST_QUESTIONS).map(|_| person.ask(two_prompts())));
    let beyond = async {
        while desk.open().len() < MOST_QUESTIONS {
            tokio::task::yield_now().await;
        }
        let answer = person.ask(two_prompts()).await;
        assert!(matches!(answer, Answer::NotAsked));
    };
    tokio::select! {
        _ = open => panic!("nobody answers"),
        () = beyond => {}
    }
    assert!(desk.open().is_empty());
    desk.set_viewer(None);
    assert!(AtDesk::new(&desk, Some(1), "web1").is_none());
    assert!(matches!(person.ask(host_key()).await, Answer::NotAsked));
}

#[tokio::test(start_paused = true)]
async fn it_is_known_whether_a_page_is_open() {
    let desk = desk();
    assert!(!desk.is_watched());
    let page = desk.watch();
    assert!(desk.is_watched());
    drop(page);
    assert!(!desk.is_watched());
}
