//! What a tool is to the server.

use futures::FutureExt;
use futures::future::BoxFuture;
use rmcp::model::{JsonObject, Tool as Definition, ToolAnnotations};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::answer::Answer;
use super::reply::Reply;
use super::{arguments, schema};
use crate::host::Host;

/// Permission class: clients decide by it whether to ask a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Looks at what this host knows.
    ReadHere,
    /// Looks at a remote host without sending anything that changes it.
    ReadRemote,
    /// Sends something to a remote host that may change it.
    WriteRemote,
    /// Ends something; doing it twice is the same as once.
    End,
}

impl Class {
    fn annotations(self) -> ToolAnnotations {
        let read_only = matches!(self, Self::ReadHere | Self::ReadRemote);
        ToolAnnotations::new()
            .read_only(read_only)
            .destructive(!read_only)
            .idempotent(read_only || self == Self::End)
            .open_world(!matches!(self, Self::ReadHere))
    }
}

/// Reads the parameters strictly and runs the tool with them.
pub(super) fn typed<P, F, R>(host: Host, arguments: JsonObject, run: F) -> BoxFuture<'static, Answer>
where
    P: DeserializeOwned + JsonSchema + Send + 'static,
    F: FnOnce(Host, P) -> R + Send + 'static,
    R: Future<Output = Reply> + Send + 'static,
{
    async move {
        match arguments::read(arguments, schema::of::<P>) {
            Ok(parameters) => run(host, parameters).await.into(),
            Err(reply) => (*reply).into(),
        }
    }
    .boxed()
}

/// Owns what calls of a set have in common.
pub(super) type Call = Box<dyn Fn(Host, JsonObject) -> BoxFuture<'static, Answer> + Send + Sync>;

/// One tool.
pub(super) struct Tool {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// Carries its meaning in the first 160 characters: some clients show no more.
    pub(super) description: &'static str,
    pub(super) class: Class,
    pub(super) input: fn() -> JsonObject,
    /// Properties of its own in the result, those a program would look for; beside them every result has more.
    pub(super) output: fn() -> Value,
    pub(super) call: Call,
}

impl Tool {
    /// With the schema of its results where they are `structured`; `always` is there in each of them.
    pub(super) fn definition(&self, structured: bool, always: &[&str]) -> Definition {
        let mut input = (self.input)();
        schema::make_portable(&mut input);
        let definition = Definition::new(self.name, self.description, input)
            .with_title(self.title)
            .with_annotations(self.class.annotations());
        match structured {
            true => definition.with_raw_output_schema(std::sync::Arc::new(self.output_schema(always))),
            false => definition,
        }
    }

    /// What is there in every result is said once, in the server's instructions, and what only some results have
    /// is left out: the list of all tools has to stay short, and few clients show a model this part of it.
    fn output_schema(&self, always: &[&str]) -> JsonObject {
        let output = json!({
            "type": "object",
            "properties": (self.output)(),
            "required": always
        });
        output.as_object().cloned().unwrap_or_default()
    }
}
