//! A bastion with one of the lab's menus and a profile that leads through it.

use std::time::{Duration, Instant};

use e2e::mcp::{Answer, Client};
use e2e::scene::{PASSWORD, PASSWORD_VARIABLE, Scene, USER};
use lab::bastion::{BastionOptions, Front};
use lab::menus::{Language, MenuOptions};
use serde_json::{Value, json};

/// What stands behind one story.
pub(crate) struct World {
    pub(crate) scene: Scene,
    pub(crate) client: Client,
    /// Sessions opened so far; the last one is the one that is meant.
    opened: u32,
}

/// How a world is made.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) front: Front,
    pub(crate) navigator: &'static str,
    /// `[plugins.NAVIGATOR.settings]` and what follows.
    pub(crate) settings: String,
    /// Lines of the profile.
    pub(crate) profile: String,
    /// `name = { … }`, one line each.
    pub(crate) routes: String,
    pub(crate) menu: MenuOptions,
    pub(crate) slow: Option<Slow>,
    /// The connection is cut after this much output.
    pub(crate) cut_after_bytes: Option<u64>,
}

/// A line on which every byte comes alone and late.
#[derive(Clone, Copy)]
pub(crate) struct Slow {
    pub(crate) latency_us: u64,
    pub(crate) seed: Option<u64>,
    pub(crate) chunk_bytes: usize,
}

impl World {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self::with_secrets(plan, &[])
    }

    /// The same with further variables for the program.
    pub(crate) fn with_secrets(plan: &Plan, variables: &[(&str, &str)]) -> Self {
        let scene = Scene::with_bastion(|options| adjust(options, plan));
        let port = scene.bastion.as_ref().unwrap().address.port();
        scene.configure(&configuration(port, plan));
        let environment = [&[(PASSWORD_VARIABLE, PASSWORD)], variables].concat();
        let client = Client::start(&scene.path("portcullis.toml"), &environment);
        Self { scene, client, opened: 0 }
    }

    fn session(&self) -> String {
        format!("walk-{}", self.opened)
    }

    /// Follows a route in a session of its own.
    pub(crate) fn open(&mut self, route: &str) -> Answer {
        self.opened += 1;
        let arguments = json!({ "profile": "lab", "route": route, "new": true, "name": self.session() });
        self.client.call("ssh_open", arguments)
    }

    pub(crate) fn run(&mut self, command: &str) -> Answer {
        self.client.call("ssh_run", json!({ "session_id": self.session(), "command": command }))
    }

    /// The route leads to this place, and the host there says that it is this one.
    pub(crate) fn reaches(&mut self, route: &str, label: &str, host: &str) -> Value {
        let answer = self.open(route);
        assert_eq!(answer.structured["result_status"], "success", "{route}: {}", answer.text);
        let breadcrumb = answer.structured["navigation"]["breadcrumb"].as_array().unwrap();
        assert_eq!(breadcrumb.last().unwrap(), label, "{}", answer.text);
        self.is_on(host);
        answer.structured
    }

    /// What the shell that is reached says of itself.
    pub(crate) fn is_on(&mut self, host: &str) {
        let ran = self.run("echo $PORTCULLIS_LAB_TARGET_HOST");
        assert_eq!(ran.structured["text"], format!("{host}\n"), "{}", ran.text);
    }

    /// The route ends with this code, and nobody is left at a shell.
    pub(crate) fn fails(&mut self, route: &str, code: &str) -> String {
        let answer = self.open(route);
        assert!(answer.is_error, "{route} did not fail: {}", answer.text);
        assert!(answer.text.contains(&format!("[{code}]")), "{route} shall fail with {code}: {}", answer.text);
        self.is_at_no_shell();
        answer.text
    }

    pub(crate) fn is_at_no_shell(&mut self) {
        let ran = self.run("hostname");
        assert!(ran.is_error, "somebody was left at a shell: {}", ran.text);
    }

    /// The right host or an honest failure; whether it was reached.
    pub(crate) fn reaches_or_fails(&mut self, route: &str, host: &str) -> bool {
        let answer = self.open(route);
        match answer.structured["result_status"].as_str() {
            Some("success") => self.is_on(host),
            _ => {
                assert!(answer.is_error, "{route}: {}", answer.text);
                self.is_at_no_shell();
            }
        }
        !answer.is_error
    }
}

fn adjust(options: &mut BastionOptions, plan: &Plan) {
    options.front = plan.front;
    options.menu = plan.menu.clone();
    options.faults.drop_after_bytes = plan.cut_after_bytes;
    if let Some(slow) = plan.slow {
        options.faults.latency = std::time::Duration::from_micros(slow.latency_us);
        options.faults.jitter_seed = slow.seed;
        options.faults.chunk_bytes = Some(slow.chunk_bytes);
    }
}

fn configuration(port: u16, plan: &Plan) -> String {
    let Plan { navigator, settings, profile, routes, .. } = plan;
    let bound = "secrets = { app-password = { env = \"STORIES_SUDO\" } }";
    let bound = if settings.contains("secret:app-password") { format!(", {bound}") } else { String::new() };
    let settings =
        if settings.is_empty() { String::new() } else { format!("[plugins.{navigator}.settings]\n{settings}\n") };
    format!(
        "{settings}\n[profiles.lab]\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"{USER}\"\n\
         auth = [{{ password_env = \"{PASSWORD_VARIABLE}\" }}]\nknown_hosts = [\"known_hosts\"]\n\
         navigator = {{ plugin = \"{navigator}\", menu_label = \"bastion\"{bound} }}\n{profile}\n\n[profiles.lab.routes]\n{routes}\n"
    )
}

/// A route, the label of the place it leads to, and what the host there calls itself.
pub(crate) type Goal = (&'static str, &'static str, &'static str);

/// `PORTCULLIS_NAVIGATION_RUNS` walks, each over a line with other delays; prints what became of them.
/// `goals` are those of each front, whose plan is made by its number.
#[allow(clippy::print_stdout, reason = "the figures are what it is run for")]
pub(crate) fn many_walks(name: &str, goals: &[&[Goal]], plan: impl Fn(usize, MenuOptions) -> Plan) {
    let runs = std::env::var("PORTCULLIS_NAVIGATION_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(5);
    let (mut slowest, started) = (Duration::ZERO, Instant::now());
    let mut random = Random(0x5eed);
    for run in 0..runs {
        let (slow, menu) = (random.line(), random.menu());
        let front = random.below_count(goals.len());
        let (route, label, host) = goals[front][random.below_count(goals[front].len())];
        let mut world = World::new(&Plan { slow: Some(slow), ..plan(front, menu) });
        let begun = Instant::now();
        println!("{name} {run}: {front} {route}, {} us, {} bytes", slow.latency_us, slow.chunk_bytes);
        world.reaches(route, label, host);
        slowest = slowest.max(begun.elapsed());
    }
    println!("{name}: {runs} walks, none astray, {:?} in all, the slowest {slowest:?}", started.elapsed());
}

/// xorshift64 (Marsaglia 2003), begun with a number that every run has.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn below_count(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap()
    }

    /// Small pieces come with small delays: a menu is some thousand bytes.
    fn line(&mut self) -> Slow {
        let (chunk_bytes, latency_us) = [(1, 1_500), (3, 3_000), (17, 10_000), (400, 80_000)][self.below_count(4)];
        Slow { latency_us: 1 + self.below(latency_us), seed: Some(self.below(u64::MAX)), chunk_bytes }
    }

    fn menu(&mut self) -> MenuOptions {
        let language = [Language::English, Language::Chinese][self.below_count(2)];
        MenuOptions { noisy: self.below(2) == 0, language, ..MenuOptions::default() }
    }
}
