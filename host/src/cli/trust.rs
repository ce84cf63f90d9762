//! `portcullis trust HOST`: a person looks at a host key and stores it.
//!
//! A profile's name stands for its address and its first known_hosts file.

use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::{config, ssh};

const TIMEOUT: Duration = Duration::from_secs(15);

/// What the person has said already.
pub(super) struct Given {
    pub(super) fingerprint: Option<String>,
    pub(super) known_hosts: Option<PathBuf>,
    pub(super) alias: Option<String>,
}

pub(super) async fn run(
    path: Option<&Path>,
    host: String,
    Given { fingerprint, known_hosts, alias }: Given,
) -> anyhow::Result<()> {
    // A configuration with a mistake must not keep anybody from recording a key.
    let config = config::load(path).ok();
    let profile = config.as_ref().and_then(|config| config.destinations.get(&host)).map(|found| &found.profile);
    if profile.is_some_and(|profile| profile.local.is_some()) {
        bail!("{host} is a shell of this machine, and has no host key");
    }
    let (name, port) = match profile {
        Some(profile) => (profile.host.clone(), profile.port),
        None => split(&host)?,
    };
    let alias = alias.or_else(|| profile.and_then(|profile| profile.host_key_alias.clone()));
    if let Some(alias) = alias.as_deref().filter(|alias| !is_plain(alias)) {
        bail!("`{alias}` cannot be recorded: an alias has letters, digits, dots, dashes and underscores only");
    }
    if let Some(profile) = profile.filter(|profile| !profile.hops.is_empty()) {
        bail!(
            "{host} is reached through {}, and from here its key cannot be seen; ask the host's owner for it, or \
             open a session to the hop, run `ssh-keyscan {name}` there, compare, and add the line to known_hosts",
            profile.hops.iter().map(|hop| hop.name.as_str()).collect::<Vec<_>>().join(", ")
        );
    }
    let file = match known_hosts.or_else(|| profile.and_then(|profile| ssh::record_file(profile))) {
        Some(file) => file,
        None => std::env::home_dir().context("HOME is not set; give --known-hosts FILE")?.join(".ssh/known_hosts"),
    };
    let proxy_command = profile.and_then(|profile| profile.proxy_command.as_deref());
    let key = ssh::fetch_host_key(&name, port, proxy_command, TIMEOUT).await?;
    eprintln!("{host} ({name}, port {port}) presents this key:\n  {}", key.fingerprint);
    match fingerprint {
        Some(expected) if key.fingerprint.split_whitespace().any(|word| word == expected) => {}
        Some(expected) => bail!("that is not {expected}; nothing was stored"),
        None if !agreed(&file)? => bail!("nothing was stored"),
        None => {}
    }
    let line = alias.map_or_else(|| key.known_hosts_line.clone(), |alias| key.line_under(&alias));
    ssh::known_hosts::remember(&file, &line)?;
    eprintln!("stored in {}", file.display());
    Ok(())
}

fn agreed(file: &std::path::Path) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("nobody can be asked here; compare the fingerprint and give it with --fingerprint SHA256:…");
    }
    eprint!("Compare it with what the host's owner says. Store it in {}? [yes/no] ", file.display());
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

fn is_plain(alias: &str) -> bool {
    !alias.is_empty() && alias.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// HOST, HOST:PORT, [ADDRESS]:PORT, or a bare IPv6 address.
fn split(host: &str) -> anyhow::Result<(String, u16)> {
    let wrong = || format!("`{host}` is not HOST, HOST:PORT or [ADDRESS]:PORT");
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, rest)) => (name, rest.strip_prefix(':')),
        None if host.matches(':').count() == 1 => {
            host.split_once(':').map(|(name, port)| (name, Some(port))).with_context(wrong)?
        }
        None => (host, None),
    };
    let port = port.map_or(Ok(22), str::parse).with_context(wrong)?;
    if name.is_empty() {
        bail!(wrong());
    }
    Ok((name.to_owned(), port))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    #[test]
    fn hosts_are_split_as_errors_print_them() {
        let cases = [
            ("web1", ("web1", 22)),
            ("web1:2222", ("web1", 2222)),
            ("[::1]:2222", ("::1", 2222)),
            ("fe80::1", ("fe80::1", 22)),
        ];
        for (text, (name, port)) in cases {
            assert_eq!(super::split(text).unwrap(), (name.to_owned(), port));
        }
        assert!(super::split("web1:x").is_err());
        assert!(super::split(":22").is_err());
    }
}
