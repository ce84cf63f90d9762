//! Completions and manual pages, made of the same definitions that the command line is read by.

use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;

use super::super::Arguments;

const NAME: &str = "portcullis";

pub(super) fn completions(shell: clap_complete::Shell) -> anyhow::Result<()> {
    clap_complete::generate(shell, &mut Arguments::command(), NAME, &mut std::io::stdout());
    Ok(())
}

/// The page of the whole program, or one for each command in a folder.
pub(super) fn pages(folder: Option<&Path>) -> anyhow::Result<()> {
    match folder {
        None => {
            clap_mangen::Man::new(Arguments::command()).render(&mut std::io::stdout()).context("the page is not taken")
        }
        Some(folder) => clap_mangen::generate_to(Arguments::command(), folder)
            .with_context(|| format!("the pages cannot be written into {}", folder.display())),
    }
}
