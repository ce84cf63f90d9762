//! Log searches: a query becomes a command, the command's output becomes matches.

use std::sync::Arc;

use wasmtime::component::ResourceAny;

use crate::bindings::log_search as world;
use crate::check::{Answer, Question, plugin_error};
use crate::component::ComponentFile;
use crate::error::{CallError, LoadError};
use crate::info::{PluginInfo, PluginKind};
use crate::instance::{Live, Loaded};
use crate::limits::Limits;
use crate::sandbox::{Lane, Offer, Sandbox, accept_settings, trial_error};

pub use crate::bindings::log_search::exports::portcullis::log_search::log_search::{
    Batch, LogLine, LogMatch, MatchMode, Plan, Query, Remote, Stage, Tool,
};

/// A longer pipeline is a program, not a search.
const MAX_STAGES: usize = 16;

/// A loaded log search. Cheap to clone.
#[derive(Clone)]
pub struct LogSearchPlugin {
    plugin: Arc<Loaded<world::LogSearchPlugin>>,
    wanted_tools: Arc<[String]>,
}

/// The output of one search being read.
pub struct Reader {
    plugin: Arc<Loaded<world::LogSearchPlugin>>,
    /// Taken out for each call, so that a failed or given-up call leaves none.
    live: Option<(Live<world::LogSearchPlugin>, ResourceAny)>,
}

impl Sandbox {
    /// Loads a log search with its settings, which are a JSON object as text.
    ///
    /// # Errors
    /// When any step of loading fails.
    pub async fn load_log_search(
        &self,
        name: &str,
        component: impl Into<ComponentFile<'_>>,
        settings: &str,
        limits: Limits,
    ) -> Result<LogSearchPlugin, LoadError> {
        let offer = Offer::new(name, component.into(), settings, limits, PluginKind::LogSearch)?;
        let (plugin, mut live) = self.load::<world::LogSearchPlugin>(offer, Lane::Others).await?;
        let guest = live.world.portcullis_log_search_log_search();
        let findings = guest.call_validate_config(&mut live.store, settings).await;
        let findings = live.settle(findings);
        accept_settings(name, &plugin.limits, findings)?;

        live.refill();
        let guest = live.world.portcullis_log_search_log_search();
        let tools = guest.call_wanted_tools(&mut live.store).await;
        let tools = live.settle(tools).and_then(|tools| {
            let answer = Answer::new(&plugin.limits);
            answer.items("the list of tools", tools.len())?;
            tools.iter().try_for_each(|tool| answer.name("a tool's name", tool))?;
            Ok(tools)
        });
        let tools = tools.map_err(|error| trial_error(name, "naming the tools it wants", error))?;
        Ok(LogSearchPlugin { plugin, wanted_tools: tools.into() })
    }
}

impl LogSearchPlugin {
    pub fn info(&self) -> PluginInfo {
        self.plugin.info()
    }

    /// Programs to look for on the far side; asked once, at load.
    pub fn wanted_tools(&self) -> &[String] {
        &self.wanted_tools
    }

    /// The command for a query, as argv stages: the host quotes them and has the policies judge
    /// the result.
    ///
    /// # Errors
    /// Any: nothing is searched.
    pub async fn make_plan(&self, query: &Query, remote: &Remote) -> Result<Plan, CallError> {
        let answer = self.ask_plan(query, remote).await;
        self.plugin.counted(answer)
    }

    async fn ask_plan(&self, query: &Query, remote: &Remote) -> Result<Plan, CallError> {
        let mut question = Question::new(&self.plugin.limits);
        measure_query(query, &mut question)?;
        question.endpoint(&remote.endpoint)?;
        question.items("the tools", remote.tools.len())?;
        for tool in &remote.tools {
            question.text("a tool's name", &tool.name)?;
            question.optional("a tool's version", tool.version.as_ref())?;
        }
        let mut live = Live::start(&self.plugin).await?;
        let guest = live.world.portcullis_log_search_log_search();
        let answer = guest.call_make_plan(&mut live.store, &self.plugin.settings, query, remote).await;
        let mut plan = live.settle(answer)?.map_err(plugin_error)?;
        clean_plan(&mut plan, &Answer::new(&self.plugin.limits))?;
        Ok(plan)
    }

    /// Starts reading the output of the plan's command.
    ///
    /// # Errors
    /// Any: the output stays text.
    pub async fn read(&self, query: &Query, plan: &Plan) -> Result<Reader, CallError> {
        let answer = self.ask_read(query, plan).await;
        self.plugin.counted(answer)
    }

    async fn ask_read(&self, query: &Query, plan: &Plan) -> Result<Reader, CallError> {
        let mut question = Question::new(&self.plugin.limits);
        measure_query(query, &mut question)?;
        question.items("the pipeline", plan.pipeline.len())?;
        plan.pipeline.iter().try_for_each(|stage| question.texts("a stage's words", &stage.argv))?;
        question.items("the exit codes", plan.empty_exit_codes.len())?;
        question.attributes(&plan.attributes)?;
        let mut live = Live::start(&self.plugin).await?;
        let guest = live.world.portcullis_log_search_log_search();
        let answer = guest.call_read(&mut live.store, query, plan).await;
        let reader = live.settle(answer)?.map_err(plugin_error)?;
        Ok(Reader { plugin: Arc::clone(&self.plugin), live: Some((live, reader)) })
    }
}

impl Reader {
    /// Hands over the next bytes of the output; they may end anywhere, and be at most
    /// [`Limits::max_string_bytes`] long. `stop` in the answer means that enough was found.
    ///
    /// # Errors
    /// Any: the reading is over; calling again gives [`CallError::Ended`].
    pub async fn push(&mut self, chunk: &[u8]) -> Result<Batch, CallError> {
        let answer = self.ask_push(chunk).await;
        self.plugin.counted(answer)
    }

    async fn ask_push(&mut self, chunk: &[u8]) -> Result<Batch, CallError> {
        let (mut live, reader) = self.live.take().ok_or(CallError::Ended)?;
        Question::new(&self.plugin.limits).bytes("the chunk", chunk.len())?;
        live.refill();
        let guest = live.world.portcullis_log_search_log_search().reader();
        let answer = guest.call_push(&mut live.store, reader, chunk).await;
        let mut batch = live.settle(answer)?.map_err(plugin_error)?;
        clean_batch(&mut batch, &Answer::new(&self.plugin.limits))?;
        self.live = Some((live, reader));
        Ok(batch)
    }

    /// The output has ended; `truncated` when its end is missing.
    ///
    /// # Errors
    /// Any: what earlier pushes gave stays valid.
    pub async fn finish(mut self, exit_code: Option<i32>, truncated: bool) -> Result<Batch, CallError> {
        let answer = self.ask_finish(exit_code, truncated).await;
        self.plugin.counted(answer)
    }

    async fn ask_finish(&mut self, exit_code: Option<i32>, truncated: bool) -> Result<Batch, CallError> {
        let (mut live, reader) = self.live.take().ok_or(CallError::Ended)?;
        live.refill();
        let guest = live.world.portcullis_log_search_log_search().reader();
        let answer = guest.call_finish(&mut live.store, reader, exit_code, truncated).await;
        let mut batch = live.settle(answer)?.map_err(plugin_error)?;
        clean_batch(&mut batch, &Answer::new(&self.plugin.limits))?;
        Ok(batch)
    }
}

fn measure_query(query: &Query, question: &mut Question<'_>) -> Result<(), CallError> {
    question.text("the text searched for", &query.text)?;
    question.texts("the sources", &query.sources)?;
    question.texts("the patterns to take", &query.include)?;
    question.texts("the patterns to leave out", &query.exclude)
}

fn clean_plan(plan: &mut Plan, answer: &Answer<'_>) -> Result<(), CallError> {
    if plan.pipeline.is_empty() {
        return Answer::refuse("the plan has no command");
    }
    answer.at_most("the pipeline", plan.pipeline.len(), MAX_STAGES)?;
    for stage in &plan.pipeline {
        answer.items("a stage's words", stage.argv.len())?;
        let program = stage.argv.first().map_or("", String::as_str);
        answer.name("a stage's program", program)?;
        stage.argv.iter().try_for_each(|word| answer.exact("a stage's word", word))?;
    }
    answer.items("the exit codes", plan.empty_exit_codes.len())?;
    answer.attributes(&mut plan.attributes)
}

fn clean_batch(batch: &mut Batch, answer: &Answer<'_>) -> Result<(), CallError> {
    answer.items("the list of matches", batch.matches.len())?;
    for found in &mut batch.matches {
        for text in [&mut found.source, &mut found.level].into_iter().flatten() {
            answer.shown("a match's source or level", text)?;
        }
        answer.shown("a match's text", &mut found.text)?;
        for lines in [&mut found.before, &mut found.after] {
            answer.items("the lines around a match", lines.len())?;
            lines.iter_mut().try_for_each(|line| answer.shown("a line around a match", &mut line.text))?;
        }
        answer.attributes(&mut found.fields)?;
    }
    Ok(())
}
