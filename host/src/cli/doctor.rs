//! `portcullis doctor`: what is wrong, and how to mend it.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use serde::Serialize;
use serde_json::json;

use crate::config::{Config, Sources};
use crate::diagnose::{self, Depth, Finding, State};
use crate::host::{self, child_compiler};

/// What is looked at.
pub(super) struct Wanted {
    /// Only this profile; all of them when left out.
    pub(super) profile: Option<String>,
    pub(super) connect: bool,
    pub(super) json: bool,
}

#[derive(Debug, Default, Serialize)]
struct Report {
    general: Vec<Finding>,
    profiles: Vec<ProfileReport>,
}

#[derive(Debug, Serialize)]
struct ProfileReport {
    profile: String,
    address: String,
    findings: Vec<Finding>,
    /// Only where a connection was tried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    connection: Vec<Finding>,
}

pub(super) async fn run(path: Option<&Path>, wanted: Wanted) -> anyhow::Result<()> {
    let mut report = Report::default();
    match Sources::read(path) {
        Ok(sources) => {
            let files = sources.files_with_reasons();
            report
                .general
                .extend(files.map(|(path, reason)| Finding::good("file", format!("{} ({reason})", path.display()))));
            match sources.resolve() {
                Ok(config) => look(&config, &wanted, &mut report).await?,
                Err(error) => report.general.push(Finding::problem("file", error.to_string())),
            }
        }
        Err(error) => report.general.push(Finding::problem("file", error.to_string())),
    }
    let problems = report.problems();
    let text = match wanted.json {
        true => {
            format!("{:#}\n", json!({ "problems": problems, "general": report.general, "profiles": report.profiles }))
        }
        false => report.text(),
    };
    // A reader that has seen enough is no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
    match problems {
        0 => Ok(()),
        1 => bail!("1 problem was found"),
        count => bail!("{count} problems were found"),
    }
}

async fn look(config: &Config, wanted: &Wanted, report: &mut Report) -> anyhow::Result<()> {
    if let Some(name) = &wanted.profile
        && !config.destinations.contains_key(name)
        && !config.unusable.contains_key(name)
    {
        let known = config.destinations.keys().cloned().collect::<Vec<_>>().join(", ");
        bail!("there is no profile `{name}`; there are: {known}");
    }
    let general = &mut report.general;
    if config.sources.is_empty() {
        let finding = Finding::note("file", "there is no configuration and no ssh_config, so there are no profiles");
        general.push(finding.with_help(
            "write a `Host` into ~/.ssh/config, or run: portcullis config profile set NAME host=HOST user=USER",
        ));
    }
    general.extend(config.notes.iter().map(|note| Finding::note("file", note)));
    general.push(diagnose::agent());
    general.push(diagnose::viewer_port(&config.viewer));
    general.extend(plugins(config).await?);
    let home = std::env::home_dir().context("HOME is not set")?;
    general.extend(diagnose::clients(&home, std::env::current_dir().ok().as_deref()));
    let is_wanted = |name: &String| wanted.profile.as_ref().is_none_or(|wanted| wanted == name);
    for (name, unusable) in config.unusable.iter().filter(|(name, _)| is_wanted(name)) {
        let finding = Finding::problem("profile", unusable.problem.clone());
        report.profiles.push(ProfileReport {
            profile: name.clone(),
            address: unusable.origin.clone(),
            findings: vec![finding],
            connection: Vec::new(),
        });
    }
    for (name, destination) in config.destinations.iter().filter(|(name, _)| is_wanted(name)) {
        let profile = &destination.profile;
        let connection = if wanted.connect { diagnose::connect(profile).await } else { Vec::new() };
        report.profiles.push(ProfileReport {
            profile: name.clone(),
            address: format!("{}@{}:{}", profile.user, profile.host, profile.port),
            findings: diagnose::profile(destination, Depth::Full),
            connection,
        });
    }
    Ok(())
}

/// The operator's files, then what really loads, as a server would load it.
async fn plugins(config: &Config) -> anyhow::Result<Vec<Finding>> {
    let mut findings = diagnose::plugin_files(&config.plugins);
    if findings.iter().any(|finding| finding.state == State::Problem) {
        return Ok(findings);
    }
    let program = std::env::current_exe().context("this program's own file cannot be found")?;
    match host::load_plugins(config, child_compiler(program)).await {
        Ok(catalog) => {
            let all = catalog
                .list()
                .into_iter()
                .map(|plugin| Finding::good("plugin", format!("{} {}", plugin.name, plugin.digest_sha256)));
            findings.extend(all);
        }
        Err(error) => {
            let text = anyhow::Error::from(error).chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
            findings.push(Finding::problem("plugin", text));
        }
    }
    Ok(findings)
}

impl Report {
    fn problems(&self) -> usize {
        let profiles = self.profiles.iter().flat_map(|profile| profile.findings.iter().chain(&profile.connection));
        self.general.iter().chain(profiles).filter(|finding| finding.state == State::Problem).count()
    }

    fn text(&self) -> String {
        let mut text = lines(&self.general);
        for profile in &self.profiles {
            text.push_str(&format!("\n{} ({})\n{}", profile.profile, profile.address, lines(&profile.findings)));
            if !profile.connection.is_empty() {
                text.push_str(&format!("  connecting:\n{}", lines(&profile.connection)));
            }
        }
        text
    }
}

fn lines(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let mark = match finding.state {
            State::Good => "ok     ",
            State::Note => "note   ",
            State::Problem => "PROBLEM",
            State::NotReached => "-      ",
        };
        text.push_str(format!("  {mark} {}: {}", finding.subject, finding.text).trim_end_matches([' ', ':']));
        text.push('\n');
        if let Some(help) = &finding.help {
            text.push_str(&format!("            -> {help}\n"));
        }
    }
    text
}
