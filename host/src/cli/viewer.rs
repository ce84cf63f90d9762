//! `portcullis viewer`: the links to the viewers of the hosts that run now.
//!
//! They come from each instance's `server.json`, which only its owner can read.

use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::audit::instances;
use crate::config;

#[allow(clippy::print_stdout, reason = "the links are the answer")]
pub(super) fn run(path: Option<PathBuf>) -> anyhow::Result<()> {
    let links = links(&config::load(path.as_deref())?.state_directory)?;
    if links.is_empty() {
        bail!("no host with a viewer runs; an MCP client starts one with `portcullis stdio`");
    }
    links.iter().for_each(|link| println!("{link}"));
    Ok(())
}

/// The links of all hosts that run below the state folder.
pub(super) fn links(state: &Path) -> anyhow::Result<Vec<String>> {
    let running = instances::running(state)?.into_iter();
    Ok(running.filter_map(|found| found.server?.viewer_url).collect())
}
