//! Parsers: one instance per command's output, fed in chunks. Whether a parser can read an output is
//! asked of an instance that is kept for that, because it is asked of every parser for every command.

use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::Validator;
use serde_json::Value;
use wasmtime::component::ResourceAny;

use crate::bindings::parser as world;
use crate::bindings::parser::exports::portcullis::parser::output_parser as contract;
use crate::check::{Answer, Question, plugin_error};
use crate::component::ComponentFile;
use crate::error::{CallError, LoadError};
use crate::info::{PluginInfo, PluginKind};
use crate::instance::{Live, Loaded};
use crate::limits::Limits;
use crate::sandbox::{Lane, Offer, Sandbox, trial_error};

pub use contract::{Claim, OutputMeta, Unparsed};

/// The most of an output's beginning that [`ParserPlugin::can_parse`] looks at, in bytes.
pub const HEAD_BYTES: usize = 4 * 1024;

/// What a parser can give.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// As in [`Claim::schema`], e.g. `ls/1`.
    pub name: String,
    pub json_schema: Value,
}

impl Schema {
    /// The programs whose output it describes, by the schema's own annotation `x-programs`; none where it does not
    /// say.
    fn programs(&self) -> Option<Vec<String>> {
        let named = self.json_schema.get("x-programs")?.as_array()?;
        named.iter().map(|name| name.as_str().map(str::to_owned)).collect()
    }
}

/// What came of a chunk.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// JSON objects. The host checks them against the schema.
    pub documents: Vec<Value>,
    /// Lines that did not fit.
    pub unparsed: Vec<Unparsed>,
}

/// A loaded parser. Cheap to clone.
#[derive(Clone)]
pub struct ParserPlugin {
    plugin: Arc<Loaded<world::ParserPlugin>>,
    schemas: Arc<[Schema]>,
    /// In the order of `schemas`.
    validators: Arc<[Arc<Validator>]>,
    /// Of whose output its schemas are; none where one of them does not say.
    programs: Option<Arc<[String]>>,
    /// Answers [`ParserPlugin::can_parse`]; not here while it does, and gone after a failure.
    asked: Arc<Mutex<Option<Live<world::ParserPlugin>>>>,
}

/// One output being read.
pub struct Parse {
    plugin: Arc<Loaded<world::ParserPlugin>>,
    validator: Arc<Validator>,
    /// Taken out for each call, so that a failed or given-up call leaves none.
    live: Option<(Live<world::ParserPlugin>, ResourceAny)>,
}

impl Sandbox {
    /// Loads a parser; parsers have no settings.
    ///
    /// # Errors
    /// When any step of loading fails.
    pub async fn load_parser(
        &self,
        name: &str,
        component: impl Into<ComponentFile<'_>>,
        limits: Limits,
    ) -> Result<ParserPlugin, LoadError> {
        let offer = Offer::new(name, component.into(), "{}", limits, PluginKind::Parser)?;
        let (plugin, mut live) = self.load::<world::ParserPlugin>(offer, Lane::Others).await?;
        let guest = live.world.portcullis_parser_output_parser();
        let described = guest.call_describe(&mut live.store).await;
        let schemas = live.settle(described).and_then(|described| read_schemas(described, &plugin.limits));
        let read = schemas.and_then(|schemas| Ok((validators(&schemas)?, schemas)));
        let (validators, schemas) = read.map_err(|error| trial_error(name, "describing its schemas", error))?;
        let programs = programs(&schemas);
        let (schemas, validators) = (schemas.into(), validators.into());
        Ok(ParserPlugin { plugin, schemas, validators, programs, asked: Arc::default() })
    }
}

impl ParserPlugin {
    pub fn info(&self) -> PluginInfo {
        self.plugin.info()
    }

    /// What it can give; asked once, at load.
    pub fn schemas(&self) -> &[Schema] {
        &self.schemas
    }

    /// Whether it is worth asking about the output of a program, named without its folder. A parser all of whose
    /// schemas name their programs is asked about those only.
    pub fn is_about(&self, program: &str) -> bool {
        self.programs.as_ref().is_none_or(|programs| programs.iter().any(|named| named == program))
    }

    /// Whether it can read this output. Of `head` at most the first [`HEAD_BYTES`] are shown to it.
    ///
    /// # Errors
    /// Any: the caller treats it as "no".
    pub async fn can_parse(&self, meta: &OutputMeta, head: &[u8]) -> Result<Option<Claim>, CallError> {
        let answer = self.ask_can_parse(meta, head).await;
        self.plugin.counted(answer)
    }

    async fn ask_can_parse(&self, meta: &OutputMeta, head: &[u8]) -> Result<Option<Claim>, CallError> {
        measure_meta(meta, &mut Question::new(&self.plugin.limits))?;
        let head = head.get(..HEAD_BYTES).unwrap_or(head);
        let turn = self.plugin.turn().await?;
        let kept = self.asked().take();
        let (mut live, keeps) = match kept {
            Some(mut live) => {
                live.refill();
                (live, Some(turn))
            }
            None => match Live::start_kept(&self.plugin).await {
                Some(live) => (live?, Some(turn)),
                None => (Live::start_at(&self.plugin, turn).await?, None),
            },
        };
        let guest = live.world.portcullis_parser_output_parser();
        let answer = guest.call_can_parse(&mut live.store, meta, head).await;
        let answer = live.settle(answer)?;
        if keeps.is_some() {
            *self.asked() = Some(live);
        }
        let Some(claim) = answer else { return Ok(None) };
        if claim.score > 100 {
            return Answer::refuse(format!("the score {} is above 100", claim.score));
        }
        self.validator(&claim.schema)?;
        Ok(Some(claim))
    }

    fn asked(&self) -> std::sync::MutexGuard<'_, Option<Live<world::ParserPlugin>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn validator(&self, schema: &str) -> Result<Arc<Validator>, CallError> {
        match self.schemas.iter().position(|known| known.name == schema) {
            Some(index) => Ok(Arc::clone(&self.validators[index])),
            None => {
                let schema = crate::check::quoted(schema);
                Answer::refuse(format!("it claims the schema `{schema}`, which it did not describe"))
            }
        }
    }

    /// Starts reading an output into documents of `schema`.
    ///
    /// # Errors
    /// Any: the output stays text.
    pub async fn begin(&self, meta: &OutputMeta, schema: &str) -> Result<Parse, CallError> {
        let answer = self.ask_begin(meta, schema).await;
        self.plugin.counted(answer)
    }

    async fn ask_begin(&self, meta: &OutputMeta, schema: &str) -> Result<Parse, CallError> {
        let mut question = Question::new(&self.plugin.limits);
        measure_meta(meta, &mut question)?;
        question.text("the schema's name", schema)?;
        let validator = self.validator(schema)?;
        let mut live = Live::start(&self.plugin).await?;
        let guest = live.world.portcullis_parser_output_parser();
        let answer = guest.call_begin(&mut live.store, meta, schema).await;
        let parse = live.settle(answer)?.map_err(plugin_error)?;
        Ok(Parse { plugin: Arc::clone(&self.plugin), validator, live: Some((live, parse)) })
    }
}

impl Parse {
    /// Hands over the next bytes of the output; they may end anywhere, and be at most
    /// [`Limits::max_string_bytes`] long.
    ///
    /// # Errors
    /// Any: the parse is over; calling again gives [`CallError::Ended`].
    pub async fn push(&mut self, chunk: &[u8]) -> Result<Batch, CallError> {
        let answer = self.ask_push(chunk).await;
        self.plugin.counted(answer)
    }

    async fn ask_push(&mut self, chunk: &[u8]) -> Result<Batch, CallError> {
        let (mut live, parse) = self.live.take().ok_or(CallError::Ended)?;
        Question::new(&self.plugin.limits).bytes("the chunk", chunk.len())?;
        live.refill();
        let guest = live.world.portcullis_parser_output_parser().parse();
        let answer = guest.call_push(&mut live.store, parse, chunk).await;
        let batch = live.settle(answer)?.map_err(plugin_error)?;
        let batch = read_batch(batch, &self.plugin.limits, &self.validator)?;
        self.live = Some((live, parse));
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
        let (mut live, parse) = self.live.take().ok_or(CallError::Ended)?;
        live.refill();
        let guest = live.world.portcullis_parser_output_parser().parse();
        let answer = guest.call_finish(&mut live.store, parse, exit_code, truncated).await;
        let batch = live.settle(answer)?.map_err(plugin_error)?;
        read_batch(batch, &self.plugin.limits, &self.validator)
    }
}

/// What all of them name together; none where one does not say.
fn programs(schemas: &[Schema]) -> Option<Arc<[String]>> {
    let named = schemas.iter().map(Schema::programs).collect::<Option<Vec<_>>>()?;
    Some(named.into_iter().flatten().collect())
}

fn measure_meta(meta: &OutputMeta, question: &mut Question<'_>) -> Result<(), CallError> {
    question.texts("the command's words", &meta.argv)?;
    question.text("the command", &meta.raw_command)?;
    question.endpoint(&meta.endpoint)?;
    question.attributes(&meta.attributes)
}

fn read_schemas(described: Vec<contract::ParserInfo>, limits: &Limits) -> Result<Vec<Schema>, CallError> {
    let answer = Answer::new(limits);
    answer.items("the list of schemas", described.len())?;
    let read = |info: contract::ParserInfo| {
        answer.name("a schema's name", &info.schema)?;
        let json_schema = object("the JSON Schema", &info.json_schema)?;
        Ok(Schema { name: info.schema, json_schema })
    };
    described.into_iter().map(read).collect()
}

/// One validator per schema, in their order. A schema that refers to anything outside itself is
/// refused: nothing is fetched for a plugin.
fn validators(schemas: &[Schema]) -> Result<Vec<Arc<Validator>>, CallError> {
    let compile = |schema: &Schema| match jsonschema::draft202012::new(&schema.json_schema) {
        Ok(validator) => Ok(Arc::new(validator)),
        Err(error) => Answer::refuse(format!("the JSON Schema of `{}` cannot be used: {error}", schema.name)),
    };
    schemas.iter().map(compile).collect()
}

fn read_batch(batch: contract::Batch, limits: &Limits, validator: &Validator) -> Result<Batch, CallError> {
    let answer = Answer::new(limits);
    answer.items("the list of documents", batch.documents.len())?;
    answer.items("the list of unparsed lines", batch.unparsed.len())?;
    let read = |document: &String| {
        let document = object("a document", document)?;
        match validator.validate(&document) {
            Ok(()) => Ok(document),
            Err(error) => {
                let place = error.instance_path().to_string();
                Answer::refuse(format!("a document does not fit its own schema at `{}`", crate::check::quoted(&place)))
            }
        }
    };
    let documents = batch.documents.iter().map(read).collect::<Result<_, _>>()?;
    let mut unparsed = batch.unparsed;
    unparsed.iter_mut().try_for_each(|line| answer.shown("an unparsed line", &mut line.text))?;
    Ok(Batch { documents, unparsed })
}

/// serde_json refuses what nests deeper than 128.
fn object(what: &str, json: &str) -> Result<Value, CallError> {
    match serde_json::from_str::<Value>(json) {
        Ok(value) if value.is_object() => Ok(value),
        Ok(_) => Answer::refuse(format!("{what} is not a JSON object")),
        Err(error) => Answer::refuse(format!("{what} is not JSON: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_parser_is_about_programs_only_where_all_its_schemas_say_so() {
        let schema = |json_schema| Schema { name: "x/1".to_owned(), json_schema };
        let (ls, git) = (schema(json!({ "x-programs": ["ls", "dir"] })), schema(json!({ "x-programs": ["git"] })));
        assert_eq!(programs(&[ls.clone(), git]).as_deref(), Some(["ls", "dir", "git"].map(str::to_owned).as_slice()));
        for silent in [json!({}), json!({ "x-programs": "ls" }), json!({ "x-programs": ["ls", 1] })] {
            assert_eq!(programs(&[ls.clone(), schema(silent.clone())]), None, "{silent}");
        }
    }
}
