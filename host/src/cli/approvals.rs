//! `portcullis approvals`: what waits for a person's consent in the hosts that run now, and the answer to it.
//!
//! A client of the viewer's HTTP interface, with the token that each instance keeps for its owner. It decides
//! nothing below the host it would answer or below that host's client: there an agent's own shells run.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::audit::instances;
use crate::config;
use crate::operator::is_below;

/// The host is on this machine and answers at once.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Subcommand)]
pub(super) enum ApprovalsCommand {
    /// Everything that waits.
    List,
    /// Have it sent, exactly as it is listed.
    Allow {
        /// As the list names it.
        id: String,
        /// Also whatever the same rule asks about at the same place, until the session ends.
        #[arg(long)]
        rule_for_session: bool,
    },
    /// Have it refused.
    Deny {
        /// As the list names it.
        id: String,
        /// What the agent is told.
        #[arg(long, default_value = "")]
        reason: String,
    },
}

/// A running host, as its owner reaches it.
struct Running {
    instance: String,
    process: u32,
    client: u32,
    /// `127.0.0.1:PORT`
    address: String,
    token: String,
}

/// What waits there.
struct Waiting<'a> {
    host: &'a Running,
    approval: Value,
}

#[allow(clippy::print_stdout, reason = "the list is the answer")]
pub(super) fn run(path: Option<&Path>, command: Option<ApprovalsCommand>, as_json: bool) -> anyhow::Result<()> {
    let hosts = running(&config::load(path)?.state_directory)?;
    let waiting = all(&hosts)?;
    let (id, answer, done) = match command.unwrap_or(ApprovalsCommand::List) {
        ApprovalsCommand::List => {
            print!("{}", if as_json { listed_as_json(&waiting)? } else { listed(&waiting) });
            return Ok(());
        }
        ApprovalsCommand::Allow { id, rule_for_session: false } => {
            (id, json!({ "type": "allow_once" }), "allowed once")
        }
        ApprovalsCommand::Allow { id, rule_for_session: true } => {
            (id, json!({ "type": "allow_rule" }), "allowed, and its rule for the session")
        }
        ApprovalsCommand::Deny { id, reason } => (id, json!({ "type": "deny", "reason": reason }), "denied"),
    };
    let Waiting { host, approval } = chosen(&waiting, &id)?;
    if is_below(host.process, host.client, std::process::id()) {
        bail!(
            "this runs below the host that asks, or below its client, where an agent's own shells are, and an agent \
             may not answer for you; run it in another terminal, or answer in the viewer"
        );
    }
    host.decide(approval, answer)?;
    match as_json {
        true => println!("{}", json!({ "id": approval["id"], "done": done, "text": approval["text"] })),
        false => println!("{done}: {}", visible(text(approval, "text"))),
    }
    Ok(())
}

/// The hosts with a viewer whose process is alive.
fn running(state: &Path) -> anyhow::Result<Vec<Running>> {
    let mut hosts = Vec::new();
    for found in instances::running(state)? {
        let Some(server) = found.server else { continue };
        let Some(url) = server.viewer_url else { continue };
        let parts = url.strip_prefix("http://").and_then(|rest| rest.split_once("/#token="));
        let (address, token) = parts.ok_or_else(|| anyhow!("{} names no viewer", found.path.display()))?;
        hosts.push(Running {
            instance: found.id,
            process: server.process_id,
            client: server.client_process_id,
            address: address.to_owned(),
            token: token.to_owned(),
        });
    }
    if hosts.is_empty() {
        bail!("no host with a viewer runs; an MCP client starts one with `portcullis stdio`");
    }
    Ok(hosts)
}

fn all(hosts: &[Running]) -> anyhow::Result<Vec<Waiting<'_>>> {
    let mut waiting = Vec::new();
    for host in hosts {
        let approvals = host.approvals().with_context(|| format!("the host {} does not answer", host.instance))?;
        waiting.extend(approvals.into_iter().map(|approval| Waiting { host, approval }));
    }
    Ok(waiting)
}

/// By its id, with the instance in front where several hosts have the same one.
fn chosen<'a>(waiting: &'a [Waiting<'a>], id: &str) -> anyhow::Result<&'a Waiting<'a>> {
    let named = |it: &&Waiting<'_>| {
        let own = text(&it.approval, "id");
        id == own || id == format!("{}:{own}", it.host.instance)
    };
    let found: Vec<&Waiting<'_>> = waiting.iter().filter(named).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] if waiting.is_empty() => bail!("nothing waits for approval, so there is no `{id}`; its time may be over"),
        [] => bail!("no approval `{id}` waits; these do:\n{}", listed(waiting)),
        _ => bail!("several hosts have an approval `{id}`; name one as INSTANCE:{id}\n{}", listed(waiting)),
    }
}

fn listed(waiting: &[Waiting<'_>]) -> String {
    if waiting.is_empty() {
        return "nothing waits for approval\n".to_owned();
    }
    waiting.iter().map(|Waiting { host, approval }| block(&host.instance, approval)).collect()
}

fn block(instance: &str, approval: &Value) -> String {
    let list = |name: &str| approval[name].as_array().cloned().unwrap_or_default();
    let places: Vec<String> = list("breadcrumb").iter().filter_map(Value::as_str).map(visible).collect();
    let place = if places.is_empty() { visible(text(approval, "profile")) } else { places.join(" › ") };
    let session = text(approval, "session_id");
    let mut block = format!("{} · {place} · session {session} · host {instance}\n", text(approval, "id"));
    for line in text(approval, "text").split('\n') {
        block.push_str(&format!("    {}\n", visible(line)));
    }
    for cause in list("causes").iter().filter(|cause| cause["verdict"] == "ask") {
        block.push_str(&format!("  rule {}: {}\n", visible(text(cause, "rule_id")), visible(text(cause, "reason"))));
    }
    if let Some(purpose) = approval["purpose"].as_str() {
        block.push_str(&format!("  the agent says (not checked): {}\n", visible(purpose)));
    }
    block
}

fn listed_as_json(waiting: &[Waiting<'_>]) -> anyhow::Result<String> {
    let with_instance = |Waiting { host, approval }: &Waiting<'_>| {
        let mut approval = approval.clone();
        approval["instance"] = json!(host.instance);
        approval
    };
    let list: Vec<Value> = waiting.iter().map(with_instance).collect();
    Ok(format!("{}\n", serde_json::to_string_pretty(&list)?))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// Nothing of it acts on this terminal, and nothing hides.
pub(super) fn visible(text: &str) -> String {
    text.chars()
        .map(|c| if crate::ops::is_unseen(c) { c.escape_unicode().to_string() } else { c.to_string() })
        .collect()
}

impl Running {
    fn approvals(&self) -> anyhow::Result<Vec<Value>> {
        let (status, body) = self.exchange("GET", "/api/v1/approvals", "")?;
        if status != 200 {
            bail!("it answers with status {status}: {body}");
        }
        let list: Value = serde_json::from_str(&body).context("its answer is not understood")?;
        Ok(list["approvals"].as_array().cloned().unwrap_or_default())
    }

    fn decide(&self, approval: &Value, mut answer: Value) -> anyhow::Result<()> {
        answer["digest"] = approval["digest"].clone();
        answer["cli_user"] = json!(user());
        let id = text(approval, "id");
        let (status, body) = self.exchange("POST", &format!("/api/v1/approvals/{id}"), &answer.to_string())?;
        let problem: Value = serde_json::from_str(&body).unwrap_or_default();
        match status {
            204 => Ok(()),
            410 => bail!("{id} is no longer open: it was decided elsewhere, withdrawn, or its time was over"),
            _ => bail!("{id} was not decided ({status}): {}", text(&problem["error"], "message")),
        }
    }

    /// One request, as the viewer's page makes it.
    fn exchange(&self, method: &str, path: &str, body: &str) -> anyhow::Result<(u16, String)> {
        let Self { address, token, .. } = self;
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("its answer has no head")?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok((status.context("its answer has no status")?, body.to_owned()))
    }
}

/// Who answers, for the record.
fn user() -> String {
    std::env::var("USER").ok().filter(|user| !user.is_empty()).unwrap_or_else(|| "command line".to_owned())
}
