//! A parser: what `df -P` prints, one document per file system.

use portcullis_plugin::PluginError;
use portcullis_plugin::lines::{Line, Lines};
use portcullis_plugin::parser::{Batch, Claim, OutputMeta, Parse, Parser, ParserInfo};
use serde_json::json;

/// Name and version of the documents.
const SCHEMA: &str = "df/1";

struct DiskFree;

impl Parser for DiskFree {
    type Parse = Reading;

    fn describe() -> Vec<ParserInfo> {
        let number = json!({ "type": "integer", "minimum": 0 });
        let json_schema = json!({
            "title": SCHEMA,
            "description": "One file system.",
            "type": "object",
            "required": ["file_system", "blocks", "used_blocks", "available_blocks", "mounted_on"],
            "additionalProperties": false,
            "properties": {
                "file_system": { "type": "string" },
                "blocks": number,
                "used_blocks": number,
                "available_blocks": number,
                "used_percent": number,
                "mounted_on": { "type": "string" }
            }
        });
        vec![ParserInfo { schema: SCHEMA.to_owned(), json_schema: json_schema.to_string() }]
    }

    /// Only the portable form has one line per file system, always with the same columns.
    fn can_parse(meta: &OutputMeta, _head: &[u8]) -> Option<Claim> {
        let (program, options) = meta.argv.split_first()?;
        let is_portable = options.iter().any(|option| option == "-P" || option == "-kP" || option == "-Pk");
        (program == "df" && is_portable).then(|| Claim { score: 90, schema: SCHEMA.to_owned() })
    }

    fn begin(_meta: OutputMeta, schema: &str) -> Result<Reading, PluginError> {
        if schema == SCHEMA {
            return Ok(Reading { lines: Lines::default() });
        }
        Err(PluginError::Unsupported(format!("the schema {schema}")))
    }
}

struct Reading {
    lines: Lines,
}

impl Parse for Reading {
    fn push(&mut self, chunk: &[u8]) -> Result<Batch, PluginError> {
        let mut batch = Batch::empty();
        self.lines.push(chunk, |line| read(&line, &mut batch));
        Ok(batch)
    }

    fn finish(&mut self, _exit_code: Option<i32>, _truncated: bool) -> Result<Batch, PluginError> {
        let mut batch = Batch::empty();
        self.lines.finish(|line| read(&line, &mut batch));
        Ok(batch)
    }
}

/// A line becomes a document, or is left as it is: nothing is guessed.
fn read(line: &Line<'_>, batch: &mut Batch) {
    if line.number == 1 && line.text.starts_with("Filesystem") {
        return;
    }
    match document(&line.text) {
        Some(document) => batch.documents.push(document),
        None => batch.leave(line.number, &line.text),
    }
}

fn document(text: &str) -> Option<String> {
    let mut words = text.split_whitespace();
    let file_system = words.next()?;
    let mut number = || words.next()?.parse::<u64>().ok();
    let (blocks, used, available) = (number()?, number()?, number()?);
    let percent = words.next()?.strip_suffix('%')?.parse::<u64>().ok()?;
    let mounted_on = words.collect::<Vec<_>>().join(" ");
    if mounted_on.is_empty() {
        return None;
    }
    let document = json!({
        "file_system": file_system,
        "blocks": blocks,
        "used_blocks": used,
        "available_blocks": available,
        "used_percent": percent,
        "mounted_on": mounted_on,
    });
    Some(document.to_string())
}

portcullis_plugin::parser!(DiskFree);
