//! `portcullis plugin run`: one input from the command line.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use super::{print, print_json, settings_of};
use crate::config::PolicyMode;
use crate::kit::{
    self, Answer, Ending, Input, NavigationInput, ParserInput, PlaceInput, PolicyInput, SearchInput, ShellName,
    Workshop,
};
use crate::ops::SearchMode;

#[derive(Debug, Args)]
pub(in crate::cli) struct RunArguments {
    /// A component's file, or the name of one that is loaded.
    #[arg(value_name = "NAME|FILE.wasm")]
    plugin: String,
    /// Policy: the line to judge.
    #[arg(long, group = "what")]
    line: Option<String>,
    /// Parser: the command that gave the output.
    #[arg(long, group = "what", requires = "output")]
    command: Option<String>,
    /// Navigator: a TOML file with the goal and the script of the terminal.
    #[arg(long, group = "what", value_name = "FILE.toml")]
    script: Option<PathBuf>,
    /// Log search: the text to look for.
    #[arg(long, group = "what")]
    query: Option<String>,
    /// Parser and log search: the command's output; `-` for standard input.
    #[arg(long, value_name = "FILE|-")]
    output: Option<PathBuf>,
    /// Parser and log search: how the command ended.
    #[arg(long, default_value_t = 0)]
    exit_code: i32,
    /// Policy: safe, full, readonly or restricted.
    #[arg(long, default_value = "safe", value_parser = kit::word::<PolicyMode>)]
    mode: PolicyMode,
    /// bash, zsh, fish, tcsh, posix or unknown.
    #[arg(long, default_value = "bash", value_parser = kit::word::<ShellName>)]
    shell: ShellName,
    /// A tag of the profile; several are given one by one.
    #[arg(long)]
    tag: Vec<String>,
    /// Log search: a file or folder; several are given one by one.
    #[arg(long)]
    source: Vec<String>,
    /// Log search: literal, regex or all_words.
    #[arg(long = "match", default_value = "literal", value_parser = kit::word::<SearchMode>)]
    match_mode: SearchMode,
    /// Log search: a program that is there; those it wants when none is given.
    #[arg(long)]
    tool: Vec<String>,
    /// A TOML file with the settings it is to be given.
    #[arg(long, value_name = "FILE.toml")]
    settings: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(workshop: &Workshop, arguments: RunArguments) -> anyhow::Result<()> {
    let subject = workshop.find(&arguments.plugin)?;
    let settings = settings_of(arguments.settings.as_deref())?;
    let line = arguments.line.clone().unwrap_or_default();
    let answer = kit::try_out(workshop, &subject, settings.as_deref(), input(&arguments)?).await?;
    if arguments.json {
        print_json(&answer)?;
    } else {
        print::answer(&answer, &line)?;
    }
    match answer {
        Answer::Navigation(walk) if !matches!(walk.ending, Ending::Done(_) | Ending::Failed { .. }) => {
            bail!("the navigation did not come to an end of its own")
        }
        _ => Ok(()),
    }
}

fn input(arguments: &RunArguments) -> anyhow::Result<Input> {
    let shell = arguments.shell;
    let place = PlaceInput { tags: arguments.tag.clone(), ..PlaceInput::default() };
    let exit_code = Some(arguments.exit_code);
    let output = arguments.output.as_deref().map(read_output).transpose()?;
    Ok(match (&arguments.line, &arguments.command, &arguments.script, &arguments.query) {
        (Some(line), ..) => {
            let (line, mode) = (line.clone(), arguments.mode);
            Input::Policy(PolicyInput { line, mode, shell, place, ..PolicyInput::default() })
        }
        (_, Some(command), ..) => Input::Output(ParserInput {
            command: command.clone(),
            output: output.unwrap_or_default(),
            exit_code,
            terminal: true,
            shell,
            place,
            now_unix_ms: None,
        }),
        (_, _, Some(script), _) => Input::Navigation(NavigationInput::read(script)?),
        (_, _, _, Some(query)) => Input::Search(SearchInput {
            query: query.clone(),
            mode: arguments.match_mode,
            ignore_case: false,
            sources: arguments.source.clone(),
            include: Vec::new(),
            max_matches: 100,
            before: 0,
            after: 0,
            tools: (!arguments.tool.is_empty()).then(|| arguments.tool.clone()),
            output,
            exit_code,
            shell,
            place,
            now_unix_ms: None,
        }),
        (None, None, None, None) => {
            bail!(
                "nothing to ask; give --line (policy), --command (parser), --script (navigator) or --query (log search)"
            )
        }
    })
}

fn read_output(path: &Path) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes).context("standard input cannot be read")?;
    } else {
        bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
