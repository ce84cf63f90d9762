//! Runs the cases in parallel and counts.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::case::{Case, Row, Score};
use crate::local::Local;
use crate::remote::{Desk, Remote};
use crate::report::{Judged, Kind, Wrong};
use crate::rows;
use crate::shells::{Shell, Transport};
use crate::stage::Stage;
use crate::world::World;

/// Cases that run at once: most of them wait most of the time.
const JOBS: usize = 12;

/// More wrong cases than this are no accident.
const MOST_SECOND_TRIES: usize = 12;

/// What is to be run.
#[derive(Debug)]
pub(crate) struct Plan {
    rows: Vec<String>,
    shells: Vec<String>,
    transports: Vec<String>,
    jobs: usize,
}

impl Plan {
    /// Reads `--row`, `--shell`, `--on` and `--jobs`, each with a list.
    ///
    /// # Errors
    /// Says how it is called.
    pub(crate) fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let usage = "battery [--row 1,14] [--shell bash,ash] [--on pty,sshd,slow] [--jobs N]";
        let mut plan = Self { rows: Vec::new(), shells: Vec::new(), transports: Vec::new(), jobs: JOBS };
        while let Some(option) = arguments.next() {
            let value = arguments.next().ok_or(usage)?;
            let list = || value.split(',').map(str::to_owned).collect();
            match option.as_str() {
                "--row" => plan.rows = list(),
                "--shell" => plan.shells = list(),
                "--on" => plan.transports = list(),
                "--jobs" => plan.jobs = value.parse().map_err(|_| usage)?,
                _ => return Err(usage.to_owned()),
            }
        }
        Ok(plan)
    }

    fn wants(list: &[String], name: &str) -> bool {
        list.is_empty() || list.iter().any(|wanted| wanted == name)
    }

    /// The slow ones first: they take longest.
    fn cases(&self) -> VecDeque<Job> {
        let mut cases = VecDeque::new();
        for transport in Transport::ALL.iter().rev() {
            for row in rows::all().filter(|row| row.on.contains(transport) && Self::wants(&self.rows, row.number)) {
                for shell in row.shells.iter().filter(|shell| Self::wants(&self.shells, shell.name())) {
                    if Self::wants(&self.transports, transport.name()) {
                        cases.push_back(Job { row, shell: *shell, transport: *transport });
                    }
                }
            }
        }
        cases
    }
}

#[derive(Clone, Copy)]
struct Job {
    row: &'static Row,
    shell: Shell,
    transport: Transport,
}

struct Done {
    job: Job,
    judged: Judged,
    score: Score,
}

/// Runs all cases of the plan; whether all are right.
pub(crate) fn run(plan: &Plan, world: &World) -> bool {
    // A row that meets something unexpected panics; its message is printed with the row.
    std::panic::set_hook(Box::new(|_| {}));
    let queue = Mutex::new(plan.cases());
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..plan.jobs.max(1) {
            scope.spawn(|| worker(world, &queue, &done));
        }
    });
    let mut done = done.into_inner().expect("workers are gone");
    let again = second_tries(world, &mut done);
    figures(&done, again)
}

/// A case that went wrong while the others ran may have been short of time: it is run once more,
/// alone, and counts as right when it is right then; how often that was is told. Calling something
/// ended that is not is never forgiven. How many were right the second time.
fn second_tries(world: &World, done: &mut [Done]) -> usize {
    let may_try = |done: &&mut Done| matches!(&done.judged, Err(wrong) if wrong.kind != Kind::FalseCompletion);
    let mut wrong: Vec<&mut Done> = done.iter_mut().filter(may_try).collect();
    if wrong.len() > MOST_SECOND_TRIES {
        return 0;
    }
    let mut right = 0;
    for done in &mut wrong {
        let queue = Mutex::new(VecDeque::from([done.job]));
        let alone = Mutex::new(Vec::new());
        worker(world, &queue, &alone);
        if let Some(second) = alone.into_inner().expect("no worker dies with the lock").pop() {
            right += usize::from(second.judged.is_ok());
            **done = second;
        }
    }
    right
}

fn worker(world: &World, queue: &Mutex<VecDeque<Job>>, done: &Mutex<Vec<Done>>) {
    let mut desk = None;
    loop {
        let next = queue.lock().expect("no worker dies with the lock").pop_front();
        let Some(job) = next else { return };
        let started = Instant::now();
        let mut score = Score::default();
        let judged =
            catch_unwind(AssertUnwindSafe(|| play(world, &mut desk, job, &mut score))).unwrap_or_else(|panic| {
                // What the program knows now is not certain; the next case gets a new one.
                desk = None;
                Err(Wrong { kind: Kind::Other, message: panic_text(panic.as_ref()) })
            });
        tell(job, &judged, started.elapsed());
        done.lock().expect("no worker dies with the lock").push(Done { job, judged, score });
    }
}

fn play(world: &World, desk: &mut Option<Desk>, job: Job, score: &mut Score) -> Judged {
    let failed = |message| Wrong { kind: Kind::Other, message };
    let stage: Box<dyn Stage + '_> = match job.transport {
        Transport::Pty => Box::new(Local::open(world, job.shell).map_err(failed)?),
        Transport::Sshd | Transport::Slow => {
            let desk = desk.get_or_insert_with(|| Desk::new(world));
            Box::new(Remote::open(desk, job.shell, job.transport).map_err(failed)?)
        }
    };
    let mut case = Case { stage, world, score: Score::default() };
    let judged = (job.row.run)(&mut case);
    *score = case.score;
    judged
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_else(|| "panic".to_owned())
}

fn tell(job: Job, judged: &Judged, took: Duration) {
    let what = format!(
        "{:>3} {} · {} · {} ({:.1} s)",
        job.row.number,
        job.row.name,
        job.shell.name(),
        job.transport.name(),
        took.as_secs_f64()
    );
    match judged {
        Ok(()) => println!("right {what}"),
        Err(wrong) => println!("WRONG {what}: {:?}: {}", wrong.kind, wrong.message),
    }
}

fn figures(done: &[Done], second_tries: usize) -> bool {
    println!();
    for transport in Transport::ALL {
        let of: Vec<&Done> = done.iter().filter(|done| done.job.transport == *transport).collect();
        if of.is_empty() {
            continue;
        }
        let mut rows: BTreeMap<&str, bool> = BTreeMap::new();
        for one in &of {
            *rows.entry(one.job.row.number).or_insert(true) &= one.judged.is_ok();
        }
        let cases_right = of.iter().filter(|done| done.judged.is_ok()).count();
        let checked: usize = of.iter().map(|done| done.score.codes_checked).sum();
        let codes: usize = of.iter().map(|done| done.score.codes_right).sum();
        println!(
            "{:<5} rows right {}/{} · cases right {cases_right}/{} · exit codes right {codes}/{checked} · \
             false completions {} · from true end to report {}",
            transport.name(),
            rows.values().filter(|right| **right).count(),
            rows.len(),
            of.len(),
            false_completions(&of),
            delays(&of)
        );
    }
    let all: Vec<&Done> = done.iter().collect();
    println!("false completions in all: {}; right only the second time: {second_tries}", false_completions(&all));
    !done.is_empty() && done.iter().all(|done| done.judged.is_ok())
}

fn false_completions(done: &[&Done]) -> usize {
    done.iter().filter(|done| matches!(&done.judged, Err(wrong) if wrong.kind == Kind::FalseCompletion)).count()
}

fn delays(done: &[&Done]) -> String {
    let mut all: Vec<Duration> = done.iter().flat_map(|done| done.score.delays.iter().copied()).collect();
    all.sort();
    let at = |share: f64| {
        let index = ((all.len() as f64 * share).ceil() as usize).clamp(1, all.len()) - 1;
        all[index].as_secs_f64() * 1000.0
    };
    if all.is_empty() {
        return "not measured".to_owned();
    }
    format!("p50 {:.1} ms, p95 {:.1} ms, of {}", at(0.5), at(0.95), all.len())
}
