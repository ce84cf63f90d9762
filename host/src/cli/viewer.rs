//! `portcullis viewer`: the links to the viewers of the hosts that run now.
//!
//! They come from each instance's `server.json`, which only its owner can read.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::config;
use crate::web::roles::Role;

#[allow(clippy::print_stdout, reason = "the links are the answer")]
pub(super) fn run(path: Option<PathBuf>) -> anyhow::Result<()> {
    let state = config::load(path.as_deref())?.state_directory;
    let instances = state.join("instances");
    let mut found = false;
    for instance in std::fs::read_dir(&instances).with_context(|| format!("{} cannot be read", instances.display()))? {
        let Some(server) = alive(&instance?.path()) else { continue };
        for (role, url) in links(&server) {
            println!("{url}  ({})", what_for(role));
            found = true;
        }
    }
    if !found {
        bail!("no host with a viewer runs; an MCP client starts one with `portcullis stdio`");
    }
    Ok(())
}

fn what_for(role: Role) -> &'static str {
    match role {
        Role::Operator => "everything: keep it to yourself",
        Role::Observer => "to watch",
        Role::Driver => "to watch and type",
        Role::Approver => "to watch and answer what is asked",
    }
}

/// Every role's link.
fn links(server: &Value) -> Vec<(Role, &str)> {
    let link = |role: Role| Some((role, server.get("viewer_links")?.get(role.name())?.as_str()?));
    Role::ALL.into_iter().filter_map(link).collect()
}

/// The operator's link of an instance whose process is alive.
pub(super) fn link(instance: &Path) -> Option<String> {
    running(instance).map(|(_, url)| url)
}

/// The process of an instance that is alive, and the operator's link to its viewer.
pub(super) fn running(instance: &Path) -> Option<(u32, String)> {
    let server = alive(instance)?;
    let url = server.get("viewer_url")?.as_str()?.to_owned();
    Some((process_id(&server)?, url))
}

/// What an instance whose process is alive says of itself.
fn alive(instance: &Path) -> Option<Value> {
    let text = std::fs::read_to_string(instance.join("server.json")).ok()?;
    let server: Value = serde_json::from_str(&text).ok()?;
    let process = process_id(&server)?;
    let alive = Path::new("/proc/self").exists() && Path::new(&format!("/proc/{process}")).exists();
    alive.then_some(server)
}

fn process_id(server: &Value) -> Option<u32> {
    u32::try_from(server.get("process_id")?.as_u64()?).ok()
}
