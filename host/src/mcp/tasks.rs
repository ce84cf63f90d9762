//! Calls as tasks (the protocol's extension `io.modelcontextprotocol/tasks`): a client that declares it gets a
//! handle for a call that takes long, asks how it stands and fetches its result when it is there.
//!
//! Which calls become tasks is decided here: those of [`AS_TASKS`] that are not over after a moment, where the caller
//! has not said how long it wants to wait. The job itself stays the session's; a task only waits for it, for longer
//! than one request may. Whatever asks for a person's consent on the way is put to the client as the task's input.
//!
//! The library keeps the state of tasks; here stands whose they are. One tokio task for each that is under way; all
//! end with the server.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use rmcp::model::{CallToolResponse, CallToolResult, CreateTaskResult, DetailedTask, ErrorData, JsonObject};
use rmcp::task_manager::{TaskContext, TaskExit, TaskManager, TaskOptions};
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::answer::Answer;
use super::elicitation;
use super::progress::{self, Step};
use super::reply::Reply;
use super::server::Shared;
use super::tools;
use crate::approvals::{self, Caller};
use crate::host::Host;
use crate::metrics;
use crate::ops::{self, StopRequest};

/// The tools whose calls may take longer than a client waits.
const AS_TASKS: [&str; 3] = ["ssh_navigate", "ssh_run", "ssh_search_logs"];
/// A call that is over by then is answered at once.
const TASK_AFTER: Duration = Duration::from_secs(1);
/// How long a task waits for its command. What goes on then is answered with its job, as without tasks: an agent that
/// waits for a command without an end has to get control back.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
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

    /// Whether such a call of a client that takes tasks may become one.
    pub(super) fn suits(&self, tool: &str, arguments: &JsonObject) -> bool {
        AS_TASKS.contains(&tool) && !arguments.contains_key("wait_s")
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

/// A call of a client that takes tasks.
pub(super) struct Work {
    pub(super) shared: Arc<Shared>,
    pub(super) host: Host,
    pub(super) caller: Caller,
    pub(super) tool: &'static str,
    pub(super) arguments: JsonObject,
    pub(super) span: tracing::Span,
}

/// What a call came to before it was made a task.
pub(super) enum Early {
    Answered(Box<Answer>),
    Task(Box<CallToolResponse>),
}

impl Work {
    /// Makes the call, and a task of it when it takes longer than a moment.
    pub(super) async fn begin(self, place: OwnedSemaphorePermit) -> Early {
        let patience = if self.shared.tasks.has_room() { Some(PATIENCE) } else { None };
        let (mut call, steps) = self.make(patience);
        let first = approvals::on_behalf(self.caller.clone(), &mut call);
        match patience {
            None => return Early::Answered(Box::new(first.await)),
            Some(_) => {
                if let Ok(answer) = tokio::time::timeout(TASK_AFTER, first).await {
                    return Early::Answered(Box::new(answer));
                }
            }
        }
        let options = TaskOptions::new()
            .with_ttl_ms(KEPT_MS)
            .with_poll_interval_ms(POLL_MS)
            .with_status_message(format!("{} is under way", self.tool));
        let (shared, owner) = (self.shared.clone(), self.caller.principal.clone());
        // Held while the task is made, so that nobody asks for one whose owner is not known yet.
        let mut owners = shared.tasks.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let task = shared.tasks.manager.spawn(options, move |context| {
            let following = Following::new(self, call, steps, place);
            following.until_the_end(context).boxed()
        });
        owners.insert(task.task_id.clone(), owner);
        Early::Task(Box::new(CallToolResponse::Task(CreateTaskResult::new(task))))
    }

    /// The call, with more patience than a client's own where it is for a task.
    fn make(&self, patience: Option<Duration>) -> (BoxFuture<'static, Answer>, UnboundedReceiver<Step>) {
        let tool = self.shared.tool(self.tool).map(|tool| (tool.call)(self.host.clone(), self.arguments.clone()));
        let call = async move {
            match tool {
                Some(call) => call.await,
                // The set of tools does not change while the program runs.
                None => Reply::stopping().into(),
            }
        };
        let (call, steps) = progress::heard(tools::with_patience(patience, call).instrument(self.span.clone()));
        (call.boxed(), steps)
    }
}

/// What the client's user was asked and has not answered: the approval, what names it with its digest, and the answer
/// to come.
type Asking<'a> = (String, String, BoxFuture<'a, Result<Value, TaskExit>>);

/// A task under way.
struct Following {
    work: Work,
    /// The call, whose caller is named at each poll.
    call: BoxFuture<'static, Answer>,
    steps: UnboundedReceiver<Step>,
    /// Who the call is made for once it is a task: it waits where it is for the consent it needs, and is not made
    /// again with the answer.
    caller: Caller,
    /// Consent is asked for as the task's input.
    asks: bool,
    /// Approvals that were asked about.
    asked: HashSet<String>,
    /// The session and number of the command that runs.
    job: Option<(String, String)>,
    /// Of a call under way; a task is one.
    _place: OwnedSemaphorePermit,
}

impl Following {
    fn new(
        work: Work,
        call: BoxFuture<'static, Answer>,
        steps: UnboundedReceiver<Step>,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let asks = work.caller.asks_between_calls;
        // A number of its own tells its questions from those of the client's other calls.
        let connection = if asks { elicitation::connection() } else { work.caller.connection };
        let caller = Caller { asks_between_calls: false, connection, ..work.caller.clone() };
        Self { work, call, steps, caller, asks, asked: HashSet::new(), job: None, _place: place }
    }

    async fn until_the_end(mut self, task: TaskContext) -> Result<CallToolResult, TaskExit> {
        let (began, shared) = (Instant::now(), self.work.shared.clone());
        let mut approvals = self.work.host.approvals().watch();
        let mut asking: Option<Asking<'_>> = None;
        loop {
            approvals.borrow_and_update();
            // What was decided elsewhere is no longer asked.
            asking = asking.filter(|(approval_id, ..)| self.is_open(approval_id)).or_else(|| self.next_question(&task));
            let answer = tokio::select! {
                biased;
                () = task.cancelled() => {
                    self.interrupt(&task).await;
                    return Err(TaskExit::Cancelled);
                }
                () = shared.tasks.shutdown.cancelled() => (shared.set.answer)(Reply::stopping()),
                Some(step) = self.steps.recv() => {
                    self.note(step, &task);
                    continue;
                }
                (state, response) = answered(&mut asking) => {
                    asking = None;
                    let responses = BTreeMap::from([(elicitation::DECISION.to_owned(), response?)]);
                    elicitation::take_answer(&self.work.host, &self.work.caller, &state, responses).await?;
                    continue;
                }
                Ok(()) = approvals.changed(), if self.asks => continue,
                answer = approvals::on_behalf(self.caller.clone(), &mut self.call) => answer,
            };
            if self.asks && answer.awaited_approval().is_some() {
                // It has given up waiting and the question is still open: made again it waits on.
                (self.call, self.steps) = self.work.make(Some(PATIENCE));
                continue;
            }
            metrics::called(self.work.tool, answer.status_name(), began.elapsed());
            return Ok(answer.or_again(self.work.tool, &self.work.arguments).into_result(shared.structured));
        }
    }

    fn is_open(&self, approval_id: &str) -> bool {
        let open = elicitation::open_questions(&self.work.host, self.caller.connection);
        open.iter().any(|asked| asked.id == approval_id)
    }

    /// The next thing that the call needs consent for, put to the client's user.
    fn next_question<'a>(&mut self, task: &'a TaskContext) -> Option<Asking<'a>> {
        let open = self.asks.then(|| elicitation::open_questions(&self.work.host, self.caller.connection));
        let next = open?.into_iter().find(|asked| !self.asked.contains(&asked.id))?;
        let (form, state) = elicitation::form_and_state(&next);
        let key = format!("approval-{}", self.asked.len() + 1);
        self.asked.insert(next.id.clone());
        Some((next.id, state, task.request_input(key, form).boxed()))
    }

    fn note(&mut self, step: Step, task: &TaskContext) {
        task.set_status_message(step.words());
        if let Step::Runs { session_id, job_id } = step {
            self.job = Some((session_id, job_id));
        }
    }

    /// Ends the waiting, and the command as ctrl-c does.
    async fn interrupt(&mut self, task: &TaskContext) {
        while let Ok(step) = self.steps.try_recv() {
            self.note(step, task);
        }
        self.call = std::future::ready(Answer::from(Reply::cancelled())).boxed();
        let Some((session_id, job_id)) = self.job.take() else { return };
        let request = StopRequest { session_id: Some(session_id.clone()), job_id: Some(job_id.clone()), force: false };
        let stopped = approvals::on_behalf(self.caller.clone(), ops::stop(&self.work.host, request)).await;
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
        Some((_, state, answer)) => (state.clone(), answer.await),
        None => std::future::pending().await,
    }
}
