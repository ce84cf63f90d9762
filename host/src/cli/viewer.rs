//! `portcullis viewer`: the links to the viewers of the hosts that run now.
//!
//! They come from each instance's `server.json`, which only its owner can read.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::config;

#[allow(clippy::print_stdout, reason = "the links are the answer")]
pub(super) fn run(path: Option<PathBuf>) -> anyhow::Result<()> {
    let state = config::load(path.as_deref())?.state_directory;
    let instances = state.join("instances");
    let mut found = false;
    for instance in std::fs::read_dir(&instances).with_context(|| format!("{} cannot be read", instances.display()))? {
        if let Some(url) = link(&instance?.path()) {
            println!("{url}");
            found = true;
        }
    }
    if !found {
        bail!("no host with a viewer runs; an MCP client starts one with `portcullis stdio`");
    }
    Ok(())
}

/// The link of an instance whose process is alive.
pub(super) fn link(instance: &Path) -> Option<String> {
    running(instance).map(|(_, url)| url)
}

/// The process of an instance that is alive, and the link to its viewer.
pub(super) fn running(instance: &Path) -> Option<(u32, String)> {
    let text = std::fs::read_to_string(instance.join("server.json")).ok()?;
    let server: Value = serde_json::from_str(&text).ok()?;
    let process = u32::try_from(server.get("process_id")?.as_u64()?).ok()?;
    let alive = Path::new("/proc/self").exists() && Path::new(&format!("/proc/{process}")).exists();
    let url = server.get("viewer_url")?.as_str()?.to_owned();
    alive.then_some((process, url))
}
