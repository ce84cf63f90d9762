//! `portcullis viewer`: the links to the viewers of the hosts that run now.
//!
//! They come from each instance's `server.json`, which only its owner can read.

use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::audit::{ServerFile, instances};
use crate::config;
use crate::web::roles::Role;

#[allow(clippy::print_stdout, reason = "the links are the answer")]
pub(super) fn run(path: Option<PathBuf>) -> anyhow::Result<()> {
    let state = config::load(path.as_deref())?.state_directory;
    let mut found = false;
    for server in servers(&state)? {
        for role in Role::ALL {
            let Some(link) = server.viewer_links.get(role.name()) else { continue };
            println!("{link}  ({})", what_for(role));
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

/// The operator's links of all hosts that run below the state folder.
pub(super) fn links(state: &Path) -> anyhow::Result<Vec<String>> {
    Ok(servers(state)?.filter_map(|server| server.viewer_url).collect())
}

/// What all hosts that run say of themselves.
fn servers(state: &Path) -> anyhow::Result<impl Iterator<Item = ServerFile>> {
    Ok(instances::running(state)?.into_iter().filter_map(|found| found.server))
}
