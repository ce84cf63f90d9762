//! A parser that misbehaves as its input says: `trap`, `loop`, `no json`, `no object`; it counts the
//! bytes of everything else.

use portcullis_plugin::PluginError;
use portcullis_plugin::parser::{Batch, Claim, OutputMeta, Parse, Parser, ParserInfo};

struct Misbehaving;
struct Counting(usize);

impl Parser for Misbehaving {
    type Parse = Counting;

    fn describe() -> Vec<ParserInfo> {
        vec![ParserInfo { schema: "count/1".into(), json_schema: r#"{"type":"object"}"#.into() }]
    }

    fn can_parse(_meta: &OutputMeta, head: &[u8]) -> Option<Claim> {
        let schema = if head.starts_with(b"foreign") { "other/1" } else { "count/1" };
        let score = if head.starts_with(b"sure") { 101 } else { 50 };
        (!head.is_empty()).then(|| Claim { score, schema: schema.into() })
    }

    fn begin(_meta: OutputMeta, _schema: &str) -> Result<Counting, PluginError> {
        Ok(Counting(0))
    }
}

impl Parse for Counting {
    fn push(&mut self, chunk: &[u8]) -> Result<Batch, PluginError> {
        let document = match chunk {
            b"trap" => panic!("bad input"),
            b"loop" => loop {
                std::hint::black_box(());
            },
            b"no json" => "{".to_owned(),
            b"no object" => "7".to_owned(),
            _ => {
                self.0 += chunk.len();
                return Ok(Batch::empty());
            }
        };
        Ok(Batch { documents: vec![document], unparsed: Vec::new() })
    }

    fn finish(&mut self, _exit_code: Option<i32>, _truncated: bool) -> Result<Batch, PluginError> {
        let mut batch = Batch { documents: vec![format!(r#"{{"bytes":{}}}"#, self.0)], unparsed: Vec::new() };
        batch.leave(1, "left\u{1b}[0m over");
        Ok(batch)
    }
}

portcullis_plugin::parser!(Misbehaving);
