//! The real program over MCP against a real sshd, with a person at the viewer.
//!
//! A line that the standard policy refuses to agents in every mode (an open quote, say) is typed by
//! the person instead: what is tested here is how its outcome is told, not the policy.

use std::time::{Duration, Instant, SystemTime};

use e2e::mcp::{Answer, Client, wait_until};
use e2e::scene::Scene;
use e2e::viewer::{self, Page};
use serde_json::{Value, json};

use crate::report::Report;
use crate::shells::{Shell, Transport};
use crate::stage::{Refused, Stage};
use crate::world::{PATIENCE, World, profile_name, unique};

/// Most a call may wait.
const LONGEST_WAIT_S: u64 = 50;
const MOST_CHARS: u32 = 40_000;

/// One running program with its client; a worker's rows share it, each with sessions of its own.
pub(crate) struct Desk {
    scene: Scene,
    client: Client,
    address: String,
    token: String,
}

impl Desk {
    pub(crate) fn new(world: &World) -> Self {
        let scene = Scene::empty();
        scene.configure(&world.servers().profiles());
        let client = scene.client();
        let (address, token) = viewer::link(&scene.path("state"));
        Self { scene, client, address, token }
    }

    pub(crate) fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    pub(crate) fn page(&self, session_id: &str) -> Page {
        Page::open(&self.address, &self.token, session_id)
    }

    /// Runs the call, then another, over and over, until `done` is happy with an answer.
    fn poll(
        &mut self,
        within: Duration,
        tool: &str,
        arguments: &Value,
        done: impl Fn(&Value) -> bool,
    ) -> Option<Value> {
        wait_until(within, || {
            let answer = self.client.call(tool, arguments.clone()).structured;
            done(&answer).then_some(answer)
        })
    }
}

pub(crate) struct Remote<'a> {
    desk: &'a mut Desk,
    shell: Shell,
    transport: Transport,
    profile: String,
    name: String,
    pub(crate) session_id: String,
    page: Option<Page>,
    job: Option<String>,
    last: Option<Report>,
    told_jobs: Vec<String>,
    line: String,
}

impl<'a> Remote<'a> {
    /// Opens a session of its own on the shell's profile.
    pub(crate) fn open(desk: &'a mut Desk, shell: Shell, transport: Transport) -> Result<Self, String> {
        Self::open_profile(desk, shell, transport, &profile_name(shell, transport))
    }

    pub(crate) fn open_profile(
        desk: &'a mut Desk,
        shell: Shell,
        transport: Transport,
        profile: &str,
    ) -> Result<Self, String> {
        let name = format!("case-{:08x}", unique());
        let opened = desk.client.call("ssh_open", json!({ "profile": profile, "new": true, "name": name }));
        let session_id = opened.structured["session"]["session_id"].as_str().unwrap_or_default().to_owned();
        let mut stage = Self {
            desk,
            shell,
            transport,
            profile: profile.to_owned(),
            name,
            session_id,
            page: None,
            job: None,
            last: None,
            told_jobs: Vec::new(),
            line: String::new(),
        };
        if opened.structured["session"]["state"] == "at_prompt" {
            return Ok(stage);
        }
        let screen = if stage.session_id.is_empty() { String::new() } else { stage.screen() };
        Err(format!("no prompt of {}: {}\n{screen}", shell.name(), opened.text))
    }

    fn call(&mut self, tool: &str, mut arguments: Value) -> Answer {
        arguments["session_id"] = json!(self.session_id);
        self.desk.client.call(tool, arguments)
    }

    fn page(&mut self) -> &mut Page {
        let (desk, session_id) = (&*self.desk, self.session_id.as_str());
        self.page.get_or_insert_with(|| desk.page(session_id))
    }

    fn session(&mut self) -> Value {
        let status = self.call("ssh_status", json!({}));
        status.structured["sessions"][0].clone()
    }

    /// The person types the line; its job is the next one of the session.
    fn type_as_person(&mut self, line: &str) -> Result<(), Refused> {
        let before = self.newest_job();
        let keys = if line.contains('\n') && Shell::PASTING.contains(&self.shell) {
            format!("\x1b[200~{}\x1b[201~\r", line.replace('\n', "\r"))
        } else {
            format!("{}\r", line.replace('\n', "\r"))
        };
        self.page().press(keys.as_bytes());
        let started = wait_until(PATIENCE, || self.newest_job().filter(|job| Some(job) != before.as_ref()));
        self.job = started;
        match self.job {
            Some(_) => Ok(()),
            None => Err(Refused { by_policy: true, reason: "the person's line did not start a command".to_owned() }),
        }
    }

    fn newest_job(&mut self) -> Option<String> {
        let session = self.session();
        let newest = session["jobs"].as_array()?.last()?;
        newest["command_id"].as_str().map(str::to_owned)
    }

    fn started(&mut self, line: &str, answer: Answer, within: Duration) -> Result<Report, Refused> {
        line.clone_into(&mut self.line);
        self.last = None;
        let fields = answer.structured;
        if fields["outcome"].is_string() {
            self.job = fields["job_id"].as_str().map(str::to_owned);
            let text = fields["text"].as_str().unwrap_or_default().to_owned();
            return Ok(Report { fields, text, at: SystemTime::now(), line: line.to_owned() });
        }
        let by_policy = fields["rule_id"].is_string();
        let refused = Refused { by_policy, reason: answer.text };
        if !by_policy {
            return Err(refused);
        }
        self.type_as_person(line)?;
        Ok(self.report(within))
    }

    fn read_job(&mut self, within: Duration) -> Report {
        let job = self.job.clone().unwrap_or_default();
        let asked = json!({ "job_id": job, "wait_s": seconds(within), "max_chars": MOST_CHARS });
        let answer = self.call("ssh_read", asked);
        let at = SystemTime::now();
        let text = answer.structured["text"].as_str().unwrap_or_default().to_owned();
        let known = answer.structured["job"]["completion"].clone();
        let fields = if known.is_object() { known } else { json!({ "outcome": "running", "confidence": "low" }) };
        Report { fields, text, at, line: self.line.clone() }
    }

    fn transcript(&self) -> Vec<Value> {
        self.desk.scene.transcript(&self.session_id)
    }
}

/// What `kind` lines of the transcript hold, joined; binary parts are left out.
fn contents(lines: &[Value], kind: &str) -> Vec<u8> {
    let wanted = lines.iter().filter(|line| line["kind"] == kind);
    wanted.filter_map(|line| line["text"].as_str()).flat_map(|text| text.bytes()).collect()
}

fn seconds(within: Duration) -> u64 {
    within.as_millis().div_ceil(1000).try_into().unwrap_or(LONGEST_WAIT_S).min(LONGEST_WAIT_S)
}

impl Stage for Remote<'_> {
    fn shell(&self) -> Shell {
        self.shell
    }

    fn transport(&self) -> Transport {
        self.transport
    }

    fn submit(&mut self, line: &str) -> Result<(), Refused> {
        self.run(line, Duration::ZERO).map(|_| ())
    }

    fn run(&mut self, line: &str, within: Duration) -> Result<Report, Refused> {
        let answer =
            self.call("ssh_run", json!({ "command": line, "wait_s": seconds(within), "max_chars": MOST_CHARS }));
        let report = self.started(line, answer, within)?;
        self.last = Some(report.clone());
        Ok(report)
    }

    fn report(&mut self, within: Duration) -> Report {
        // What is known already and was not told is the answer.
        let known = self.read_job(Duration::ZERO);
        let told = self.last.as_ref().is_some_and(|last| is_same(&last.fields, &known.fields));
        let report =
            if known.is_open() && (told || known.outcome() == "running") { self.read_job(within) } else { known };
        self.last = Some(report.clone());
        report
    }

    fn answer(&mut self, text: &str) -> Result<(), Refused> {
        let answer = self.call("ssh_send", json!({ "text": text, "enter": true, "wait_s": 0 }));
        sent(answer)
    }

    fn press(&mut self, keys: &[&str]) -> Result<(), Refused> {
        let answer = self.call("ssh_send", json!({ "keys": keys, "wait_s": 0 }));
        sent(answer)
    }

    fn person(&mut self, bytes: &[u8]) {
        self.page().press(bytes);
    }

    fn persons_report(&mut self, within: Duration) -> Option<Report> {
        let arguments = json!({ "session_id": self.session_id });
        let told = self.told_jobs.clone();
        let is_new = move |command: &&Value| {
            let open = matches!(
                command["completion"]["outcome"].as_str(),
                None | Some("awaiting_input" | "fullscreen" | "running")
            );
            let id = command["command_id"].as_str().unwrap_or_default();
            command["typist"] == "human" && !open && !told.iter().any(|job| job == id)
        };
        let newest = |answer: &Value| {
            answer["sessions"][0]["jobs"].as_array().and_then(|commands| commands.iter().find(&is_new).cloned())
        };
        let answer = self.desk.poll(within, "ssh_status", &arguments, |answer| newest(answer).is_some())?;
        let command = newest(&answer)?;
        let job = command["command_id"].as_str()?.to_owned();
        self.told_jobs.push(job.clone());
        let former = self.job.replace(job);
        let report = self.read_job(Duration::ZERO);
        self.job = former;
        Some(report)
    }

    fn resize(&mut self, columns: u16, rows: u16) {
        let arguments = json!({ "profile": self.profile, "name": self.name, "columns": columns, "rows": rows });
        self.desk.client.succeed("ssh_open", arguments);
    }

    fn screen(&mut self) -> String {
        self.call("ssh_read", json!({ "max_chars": MOST_CHARS })).structured["text"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    fn alternate_screen(&mut self) -> bool {
        self.call("ssh_read", json!({})).structured["cursor"]["alternate_screen"] == true
    }

    fn path(&mut self) -> Vec<String> {
        let session = self.session();
        let path = session["breadcrumb"].as_array().into_iter().flatten();
        path.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn state(&mut self) -> String {
        self.session()["state"].as_str().unwrap_or_default().to_owned()
    }

    fn raw_output(&mut self) -> Vec<u8> {
        contents(&self.transcript(), "output")
    }

    fn typed_by_host(&mut self) -> Vec<u8> {
        contents(&self.transcript(), "host_input")
    }

    fn cut(&mut self, parent: &str) {
        // The parent of a login shell is the server's process for this connection.
        let killed = std::process::Command::new("kill").args(["-KILL", parent]).status();
        assert!(killed.is_ok_and(|status| status.success()), "process {parent} cannot be ended");
    }

    fn until(&mut self, within: Duration, done: &mut dyn FnMut(&mut dyn Stage) -> bool) -> bool {
        let end = Instant::now() + within;
        loop {
            if done(self) {
                return true;
            }
            if Instant::now() >= end {
                return false;
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    fn remote(&mut self) -> Option<(&mut Desk, String)> {
        let session_id = self.session_id.clone();
        Some((self.desk, session_id))
    }
}

impl Drop for Remote<'_> {
    fn drop(&mut self) {
        self.page = None;
        if !self.session_id.is_empty() && !std::thread::panicking() {
            self.call("ssh_stop", json!({}));
        }
    }
}

fn sent(answer: Answer) -> Result<(), Refused> {
    if answer.is_error {
        let by_policy = answer.structured["rule_id"].is_string();
        return Err(Refused { by_policy, reason: answer.text });
    }
    Ok(())
}

/// Two reports tell the same: the same question again stands further on in the output.
fn is_same(one: &Value, other: &Value) -> bool {
    ["outcome", "kind", "prompt", "span"].iter().all(|name| one[*name] == other[*name])
}
