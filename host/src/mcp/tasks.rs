//! Calls as tasks (the protocol's extension `io.modelcontextprotocol/tasks`): a client that declares it gets a
//! handle for a call that takes long, asks how it stands and fetches its result when it is there.
//!
//! Which calls become tasks is decided here: those of [`AS_TASKS`] that are not over after a moment, where the caller
//! has not said how long it wants to wait. The job itself stays the session's; a task only waits for it, for longer
//! than one request may. Whatever asks for a person's consent on the way is put to the client as the task's input.
//!
//! The library keeps the state of tasks; here stands whose they are. One tokio task for each that is under way; all
//! end with the server.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use rmcp::model::{CallToolResponse, CallToolResult, CreateTaskResult, DetailedTask, ErrorData, JsonObject};
use rmcp::task_manager::{TaskContext, TaskExit, TaskManager, TaskOptions};
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::elicitation;
use super::progress::Step;
use super::reply::Reply;
use super::server::Shared;
use super::under_way::{Came, Halt, Same, UnderWay};
use crate::approvals::{self, Asked};
use crate::metrics;
use crate::ops::{self, StopRequest};

/// The tools whose calls may take longer than a client waits.
const AS_TASKS: [&str; 3] = ["ssh_navigate", "ssh_run", "ssh_search_logs"];
/// A call that is over by then is answered at once.
const TASK_AFTER: Duration = Duration::from_secs(1);
/// How long a task waits for its command. What goes on then is answered with its job, as without tasks: an agent that
/// waits for a command without an end has to get control back.
pub(super) const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// A task is kept for so long, and again after its end. Longer than any call: the library ends a task that is not
/// over then.
const KEPT_MS: u64 = 30 * 60 * 1000;
/// How often a client should ask.
const POLL_MS: u64 = 1_000;
/// Tasks kept at once, of all clients; beyond them calls are answered as without tasks.
const MOST_TASKS: usize = 256;

/// Who a task belongs to; nobody in particular where clients are not told apart.
type Owner = Option<Arc<str>>;

/// The tasks of a server.
pub(super) struct Tasks {
    manager: TaskManager,
    owners: Mutex<HashMap<String, Owner>>,
    /// The server ends.
    shutdown: CancellationToken,
}

impl Tasks {
    pub(super) fn new(shutdown: CancellationToken) -> Self {
        Self { manager: TaskManager::new(), owners: Mutex::default(), shutdown }
    }

    /// Whether such a call of a client that takes tasks may become one; without room it is answered as without tasks.
    pub(super) fn suits(&self, tool: &str, arguments: &JsonObject) -> bool {
        AS_TASKS.contains(&tool) && !arguments.contains_key("wait_s") && self.has_room()
    }

    /// How the task stands.
    ///
    /// # Errors
    /// When the owner has no such task.
    pub(super) fn get(&self, task_id: &str, owner: &Owner) -> Result<DetailedTask, ErrorData> {
        self.own(task_id, owner)?;
        self.manager.get_task(task_id)
    }

    /// Hands over what the client's user has said.
    ///
    /// # Errors
    /// When the owner has no such task.
    pub(super) fn update(
        &self,
        task_id: &str,
        owner: &Owner,
        responses: impl IntoIterator<Item = (String, Value)>,
    ) -> Result<(), ErrorData> {
        self.own(task_id, owner)?;
        self.manager.update_task(task_id, responses)
    }

    /// Asks the task to end; its command is interrupted.
    ///
    /// # Errors
    /// When the owner has no such task.
    pub(super) fn cancel(&self, task_id: &str, owner: &Owner) -> Result<(), ErrorData> {
        self.own(task_id, owner)?;
        self.manager.cancel_task(task_id)
    }

    /// Somebody else's task looks like one that never was.
    fn own(&self, task_id: &str, owner: &Owner) -> Result<(), ErrorData> {
        let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        match owners.get(task_id) {
            Some(known) if known == owner => Ok(()),
            _ => Err(ErrorData::invalid_params(format!("there is no task `{task_id}`, or no longer"), None)),
        }
    }

    /// Whether there is room for another; forgets those that are no longer kept.
    fn has_room(&self) -> bool {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.retain(|task_id, _| self.manager.get_task(task_id).is_ok());
        owners.len() < MOST_TASKS
    }
}

/// What a call has come to when its request is answered, as a task or before it was made one.
pub(super) enum Early {
    Halt(Halt, UnderWay),
    Task(Box<CallToolResponse>),
}

/// Has the call go on, and makes a task of it when it takes longer than a moment.
pub(super) async fn begin(shared: &Arc<Shared>, mut call: UnderWay, same: &Same, place: OwnedSemaphorePermit) -> Early {
    let moment = Instant::now() + TASK_AFTER;
    let mut steps = Vec::new();
    while let Ok(came) = tokio::time::timeout_at(moment.into(), call.next()).await {
        match came {
            Came::Step(step) => steps.push(step),
            Came::Halt(halt) => return Early::Halt(halt, call),
        }
    }
    let options = TaskOptions::new()
        .with_ttl_ms(KEPT_MS)
        .with_poll_interval_ms(POLL_MS)
        .with_status_message(format!("{} is under way", same.tool));
    let owner = call.caller().principal.clone();
    // Held while the task is made, so that nobody asks for one whose owner is not known yet.
    let mut owners = shared.tasks.owners.lock().unwrap_or_else(PoisonError::into_inner);
    let following =
        Following { shared: shared.clone(), call, same: same.clone(), questions: 0, job: None, _place: place };
    let task = shared.tasks.manager.spawn(options, move |context| following.until_the_end(context, steps).boxed());
    owners.insert(task.task_id.clone(), owner);
    Early::Task(Box::new(CallToolResponse::Task(CreateTaskResult::new(task))))
}

/// What the client's user was asked and has not answered.
struct Asking<'a> {
    approval_id: String,
    /// Names the question in the task.
    key: String,
    /// Names the approval with its digest.
    state: String,
    answer: BoxFuture<'a, Result<Value, TaskExit>>,
}

/// A task under way.
struct Following {
    shared: Arc<Shared>,
    call: UnderWay,
    same: Same,
    /// How many were put to its client's user.
    questions: usize,
    /// The session and number of the command that runs.
    job: Option<(String, String)>,
    /// Of a call under way; a task is one.
    _place: OwnedSemaphorePermit,
}

impl Following {
    /// `steps` have come already.
    async fn until_the_end(mut self, task: TaskContext, steps: Vec<Step>) -> Result<CallToolResult, TaskExit> {
        let (began, shared) = (Instant::now(), self.shared.clone());
        for step in steps {
            self.note(step, &task);
        }
        let mut approvals = self.call.host().approvals().watch();
        let mut asking: Option<Asking<'_>> = None;
        let answer = loop {
            approvals.borrow_and_update();
            if let Some(decided) = asking.take_if(|asking| !self.is_open(&asking.approval_id)) {
                self.take_back(decided, &task)?;
            }
            tokio::select! {
                biased;
                () = task.cancelled() => {
                    self.interrupt(&task).await;
                    return Err(TaskExit::Cancelled);
                }
                () = shared.tasks.shutdown.cancelled() => break (shared.set.answer)(Reply::stopping()),
                (state, response) = answered(&mut asking) => {
                    asking = None;
                    let responses = BTreeMap::from([(elicitation::DECISION.to_owned(), response?)]);
                    elicitation::take_answer(self.call.host(), self.call.caller(), &state, responses).await?;
                }
                Ok(()) = approvals.changed(), if asking.is_some() => {}
                came = self.call.next() => match came {
                    Came::Step(step) => self.note(step, &task),
                    Came::Halt(Halt::Asks(asked)) => asking = Some(self.ask(*asked, &task)),
                    Came::Halt(Halt::Answered(answer)) => break *answer,
                }
            }
        };
        metrics::called(self.same.tool, answer.status_name(), began.elapsed());
        Ok(answer.or_again(self.same.tool, &self.same.arguments).into_result(shared.structured))
    }

    fn is_open(&self, approval_id: &str) -> bool {
        self.call.questions().iter().any(|asked| asked.id == approval_id)
    }

    /// What was decided elsewhere is no longer asked: the task would wait for an answer that nobody needs. An answer
    /// that nobody hears takes it out.
    fn take_back(&self, decided: Asking<'_>, task: &TaskContext) -> Result<(), TaskExit> {
        let Asking { key, answer, .. } = decided;
        drop(answer);
        self.shared.tasks.manager.update_task(task.task_id(), [(key, Value::Null)]).map_err(TaskExit::Error)
    }

    /// Puts it to the client's user.
    fn ask<'a>(&mut self, asked: Asked, task: &'a TaskContext) -> Asking<'a> {
        let (form, state) = elicitation::form_and_state(&asked);
        self.questions += 1;
        let key = format!("approval-{}", self.questions);
        Asking { approval_id: asked.id, state, answer: task.request_input(key.clone(), form).boxed(), key }
    }

    fn note(&mut self, step: Step, task: &TaskContext) {
        task.set_status_message(step.words());
        if let Step::Runs { session_id, job_id } = step {
            self.job = Some((session_id, job_id));
        }
    }

    /// Ends the waiting, and the command as ctrl-c does.
    async fn interrupt(mut self, task: &TaskContext) {
        while let Some(step) = self.call.heard() {
            self.note(step, task);
        }
        let (host, caller, job) = (self.call.host().clone(), self.call.caller().clone(), self.job.take());
        // What it waits for is taken back.
        drop(self.call);
        let Some((session_id, job_id)) = job else { return };
        let request = StopRequest { session_id: Some(session_id.clone()), job_id: Some(job_id.clone()), force: false };
        let stopped = approvals::on_behalf(caller, ops::stop(&host, request)).await;
        task.set_status_message(match stopped {
            Ok(report) if report.ended => format!("job {job_id} in session {session_id} was interrupted and has ended"),
            Ok(_) => format!("job {job_id} in session {session_id} was interrupted; its end was not seen"),
            Err(error) => format!("job {job_id} in session {session_id} goes on: {error}"),
        });
    }
}

/// The answer to what is asked; never where nothing is.
async fn answered(asking: &mut Option<Asking<'_>>) -> (String, Result<Value, TaskExit>) {
    match asking {
        Some(asking) => (asking.state.clone(), (&mut asking.answer).await),
        None => std::future::pending().await,
    }
}
