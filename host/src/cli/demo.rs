//! `portcullis demo`: the main job, on an embedded bastion, through a real MCP client.
//!
//! It starts the bastion, writes a configuration that pins its host key, starts this program again
//! as `portcullis stdio`, and drives that as any MCP client would. Each step prints what was called
//! and what came back, and is checked; the demo fails when a step does.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use lab::bastion::{self, Bastion, BastionOptions};
use rmcp::ServiceExt;
use rmcp::model::{CallToolRequestParams, CallToolResult, JsonObject};
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::TokioChildProcess;
use serde_json::{Value, json};

use super::viewer;
use crate::random;

/// A variable of the child's environment; the password is in no file and no argument.
const PASSWORD_VARIABLE: &str = "PORTCULLIS_DEMO_PASSWORD";
const ROUTE: &str = "orders-api";
/// The child writes its address before it answers the first call.
const SERVER_FILE_WAIT: Duration = Duration::from_secs(20);

pub(super) async fn run(once: bool) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("portcullis-demo-").tempdir().context("no scratch folder")?;
    let scene = Scene::set(folder.path()).await?;
    let client = scene.client().await?;
    let viewer = scene.viewer_url().await?;
    say(&format!("viewer: {viewer}"));
    let outcome = main_job(&client).await;
    if outcome.is_ok() && !once {
        say("\nThe job is done. A fresh session stays open; watch it and type in the viewer:");
        say(&format!("  {viewer}"));
        call(&client, "ssh_open", json!({ "profile": "lab", "route": ROUTE })).await?;
        say("Press Ctrl-C to end.");
        tokio::signal::ctrl_c().await.context("no signal could be waited for")?;
    }
    // The child sees its input end and stops; how the client's own task ends is of no interest.
    let _ = client.cancel().await;
    outcome?;
    say("\ndemo: every step did what it should");
    Ok(())
}

struct Scene {
    folder: PathBuf,
    password: String,
    _bastion: Bastion,
}

impl Scene {
    async fn set(folder: &Path) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program's own file cannot be found")?;
        let program = program.to_str().context("the path of this program is not UTF-8")?.to_owned();
        let password = random::hex(16)?;
        let mut options = BastionOptions::new(folder.join("lab"), "demo");
        options.password = Some(password.clone());
        options.kubectl_command = vec![program, "lab-kubectl".to_owned()];
        let bastion = bastion::start(options).await?;
        std::fs::write(folder.join("known_hosts"), bastion.known_hosts_line())?;
        std::fs::write(folder.join("portcullis.toml"), configuration(bastion.address.port()))?;
        say(&format!("bastion: {} (CMSM menu, host key pinned)", bastion.address));
        Ok(Self { folder: folder.to_owned(), password, _bastion: bastion })
    }

    async fn client(&self) -> anyhow::Result<RunningService<RoleClient, ()>> {
        let mut command = tokio::process::Command::new(std::env::current_exe()?);
        command.arg("stdio").arg("--config").arg(self.folder.join("portcullis.toml"));
        command.env(PASSWORD_VARIABLE, &self.password);
        let child = TokioChildProcess::new(command).context("the MCP server could not be started")?;
        ().serve(child).await.context("the MCP server did not answer")
    }

    /// Where the child says a person can watch.
    async fn viewer_url(&self) -> anyhow::Result<String> {
        let found = tokio::time::timeout(SERVER_FILE_WAIT, async {
            loop {
                if let Some(url) = viewer_url_below(&self.folder.join("state")) {
                    return url;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        found.await.context("the MCP server did not write its address")
    }
}

fn viewer_url_below(state: &Path) -> Option<String> {
    viewer::links(state).ok()?.pop()
}

fn configuration(port: u16) -> String {
    format!(
        r#"ssh_config = false
state_directory = "state"

[profiles.lab]
label = "Demo bastion"
tags = ["demo"]
host = "127.0.0.1"
port = {port}
user = "demo"
auth = [{{ password_env = "{PASSWORD_VARIABLE}" }}]
known_hosts = ["known_hosts"]
navigator = {{ plugin = "navigator-cmsm", menu_label = "bastion" }}
log_search = {{ sources = ["var/log"] }}

[profiles.lab.routes.{ROUTE}]
target = "10.66.12.21"
user = "root"
namespace = "orders"
pod = "orders-api-*"
"#
    )
}

async fn main_job(client: &RunningService<RoleClient, ()>) -> anyhow::Result<()> {
    let tools = client.list_all_tools().await?;
    say(&format!("tools: {}", tools.iter().map(|tool| tool.name.as_ref()).collect::<Vec<_>>().join(", ")));
    expect_success(call(client, "ssh_open", json!({ "profile": "lab" })).await?)?;
    let navigated = expect_success(call(client, "ssh_navigate", json!({ "route": ROUTE })).await?)?;
    let place = text_list(&navigated["breadcrumb"]);
    ensure!(place.len() == 3 && place[..2] == ["bastion", "master-a"], "unexpected place {place:?}");
    ensure!(place[2].starts_with("orders/orders-api-"), "unexpected pod {place:?}");

    let listed = expect_success(call(client, "ssh_run", json!({ "command": "ls -la var/log/app" })).await?)?;
    let names: Vec<&str> =
        listed["parsed"]["documents"].as_array().into_iter().flatten().filter_map(|d| d["name"].as_str()).collect();
    ensure!(names.contains(&"app.log"), "no app.log among the parsed entries {names:?}");

    search(client, "upstream timeout", "lab-timeout-001").await?;
    search(client, "payment failed", "O-10086").await?;
    refused(client).await?;

    let slept = expect_success(call(client, "ssh_run", json!({ "command": "sleep 3; echo done" })).await?)?;
    ensure!(slept["exit_code"] == 0 && slept["text"] == "done\n", "unexpected end {slept}");
    ensure!(slept["duration_ms"].as_u64().is_some_and(|ms| ms >= 3000), "it did not take 3 s");
    expect_success(call(client, "ssh_read", json!({})).await?)?;
    expect_success(call(client, "ssh_stop", json!({})).await?)?;
    Ok(())
}

async fn search(client: &RunningService<RoleClient, ()>, query: &str, wanted: &str) -> anyhow::Result<()> {
    let arguments = json!({ "query": query, "before_lines": 1, "after_lines": 1 });
    let found = expect_success(call(client, "ssh_search_logs", arguments).await?)?;
    let matches = found["matches"].as_array().context("no matches")?;
    let hit = matches
        .iter()
        .find(|found| found["text"].as_str().is_some_and(|text| text.contains(wanted)))
        .with_context(|| format!("`{wanted}` is not among the matches: {found}"))?;
    ensure!(hit["line"].is_u64() && hit["source"].is_string(), "no place in {hit}");
    ensure!(!hit["before"].as_array().is_none_or(Vec::is_empty), "no context in {hit}");
    Ok(())
}

async fn refused(client: &RunningService<RoleClient, ()>) -> anyhow::Result<()> {
    let answer = call(client, "ssh_run", json!({ "command": "rm -rf /" })).await?;
    let content = answer.structured_content.unwrap_or_default();
    ensure!(content["result_status"] == "blocked", "it was not refused: {content}");
    for field in ["rule_id", "reason", "suggestion"] {
        ensure!(content[field].is_string(), "the refusal has no {field}: {content}");
    }
    Ok(())
}

async fn call(
    client: &RunningService<RoleClient, ()>,
    tool: &'static str,
    arguments: Value,
) -> anyhow::Result<CallToolResult> {
    say(&format!("\n▶ {tool} {arguments}"));
    let arguments: JsonObject = arguments.as_object().cloned().unwrap_or_default();
    let result = client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await?;
    for block in &result.content {
        if let Some(text) = block.as_text() {
            text.text.lines().for_each(|line| say(&format!("  {line}")));
        }
    }
    Ok(result)
}

fn expect_success(result: CallToolResult) -> anyhow::Result<Value> {
    let content = result.structured_content.unwrap_or_default();
    if content["result_status"] != "success" {
        bail!("the step did not succeed: {}", content["summary"]);
    }
    Ok(content)
}

fn text_list(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[allow(clippy::print_stdout, reason = "what the demo prints is its purpose")]
fn say(line: &str) {
    println!("{line}");
}
