//! `ssh_write_file`: a whole file on the SSH server.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::super::reply::{Reply, Status};
use super::super::schema;
use super::super::tool::{self, Class, Tool};
use super::{named, notes};
use crate::host::Host;
use crate::ops::{self, WriteFileReport, WriteFileRequest};

/// Permission bits a new file may be given.
const MOST_MODE: u32 = 0o777;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    path: String,
    content: String,
    /// Default utf8.
    #[serde(default)]
    encoding: Option<Encoding>,
    /// As 0644; default: as it was.
    #[serde(default)]
    mode: Option<String>,
    /// Only over this content.
    #[serde(default)]
    if_sha256: Option<String>,
    /// Replace nothing.
    #[serde(default)]
    create_only: bool,
    /// Also while the terminal is elsewhere.
    #[serde(default)]
    on_ssh_server: bool,
    #[serde(default)]
    session_id: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    Utf8,
    Base64,
}

pub(super) fn tool() -> Tool {
    Tool {
        name: "ssh_write_file",
        title: "Write file",
        description: "Create or replace a whole file on the session's SSH server, over SFTP: all or nothing; owner and mode stay.",
        class: Class::WriteRemote,
        input: schema::of::<Parameters>,
        output: || json!({ "sha256": { "type": "string" } }),
        call: Box::new(|host, arguments| tool::typed(host, arguments, call)),
    }
}

async fn call(host: Host, parameters: Parameters) -> Reply {
    let request = match request(parameters) {
        Ok(request) => request,
        Err(problem) => return Reply::bad_arguments(problem),
    };
    match ops::write_file(&host, request).await {
        Ok(report) => render(&report),
        Err(error) => error.into(),
    }
}

fn request(parameters: Parameters) -> Result<WriteFileRequest, String> {
    let content = match parameters.encoding {
        Some(Encoding::Base64) => {
            let packed: String = parameters.content.split_ascii_whitespace().collect();
            let problem = |error| format!("`content` is not base64 ({error}); leave `encoding` out for text");
            STANDARD.decode(packed).map_err(problem)?
        }
        Some(Encoding::Utf8) | None => parameters.content.into_bytes(),
    };
    let mode = parameters.mode.as_deref().map(mode).transpose()?;
    let is_digest = |text: &String| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if parameters.if_sha256.as_ref().is_some_and(|text| !is_digest(text)) {
        return Err("`if_sha256` has 64 hexadecimal digits, as ssh_read_file gives them; for a file that must not be \
                    there yet give `create_only`"
            .to_owned());
    }
    if parameters.if_sha256.is_some() && parameters.create_only {
        return Err("give `if_sha256` for a file that is there, or `create_only` for one that is not".to_owned());
    }
    Ok(WriteFileRequest {
        session_id: parameters.session_id,
        path: parameters.path,
        content,
        mode,
        if_sha256: parameters.if_sha256,
        create_only: parameters.create_only,
        on_ssh_server: parameters.on_ssh_server,
    })
}

fn mode(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    let fits = (3..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let mode = u32::from_str_radix(digits, 8).ok().filter(|mode| fits && *mode <= MOST_MODE);
    mode.ok_or_else(|| "`mode` is octal, from \"000\" to \"0777\"".to_owned())
}

fn render(report: &WriteFileReport) -> Reply {
    let mode = report.mode.as_ref().map(|mode| format!(", mode {mode}")).unwrap_or_default();
    let summary = format!(
        "{} {}, {} bytes{mode}, sha256 {} · {} · session {}",
        report.result,
        report.path,
        report.bytes,
        report.sha256,
        report.server,
        named(&report.session)
    );
    let warned = report.warnings.iter().map(|it| format!("warning ({}): {}\n", it.rule_id, it.reason));
    let body = format!("{}{}", warned.collect::<String>(), notes(&report.notes));
    Reply::new(Status::Success, summary, body, report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_octal_and_give_no_other_rights() {
        assert_eq!((mode("0644"), mode("755"), mode("0o600")), (Ok(0o644), Ok(0o755), Ok(0o600)));
        for wrong in ["4755", "01777", "8", "", "rw", "+644", "0x1ff", "00644"] {
            assert!(mode(wrong).is_err(), "{wrong}");
        }
    }
}
