//! Connecting step by step, to see which one fails.

use tokio::time::timeout;

use super::{Finding, State};
use crate::causes::with_causes;
use crate::config::Profile;
use crate::local;
use crate::ssh::{self, ConnectError, ConnectStep, PeerInfo};

/// In the order in which they happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Files,
    Name,
    Tcp,
    Banner,
    KeyExchange,
    HostKey,
    Authentication,
    Channel,
    Terminal,
    Shell,
}

const STEPS: &[(Step, &str)] = &[
    (Step::Files, "files and names"),
    (Step::Name, "name"),
    (Step::Tcp, "TCP"),
    (Step::Banner, "banner"),
    (Step::KeyExchange, "key exchange"),
    (Step::HostKey, "host key"),
    (Step::Authentication, "authentication"),
    (Step::Channel, "channel"),
    (Step::Terminal, "terminal"),
    (Step::Shell, "shell"),
];

/// Connects, logs in, opens a terminal and hangs up; one finding for each step.
pub async fn connect(profile: &Profile) -> Vec<Finding> {
    if let Some(shell) = &profile.local {
        return vec![match local::open_shell(profile, shell, &[]) {
            Ok(_hung_up_on) => Finding::good("shell", local::described(shell)),
            Err(error) => Finding::problem("shell", with_causes(&error)),
        }];
    }
    // Behind a hop, the hop finds the address.
    let resolved = match (profile.hops.as_slice(), &profile.proxy_command) {
        ([], None) => resolve(profile).await,
        ([], Some(_)) => Ok("found by its proxy_command".to_owned()),
        _ => Ok(route(profile)),
    };
    let addresses = match resolved {
        Ok(addresses) => addresses,
        Err(text) => {
            let help = "check `host` in the profile, and the machine's name resolution";
            return told(Some((Step::Name, Finding::problem("name", text).with_help(help))), |_| String::new());
        }
    };
    match ssh::open_shell(profile, &[]).await {
        Ok(link) => told(None, |step| detail(step, &addresses, Some(&link.peer))),
        Err(error) => {
            let step = failed_step(&error);
            let subject = STEPS.iter().find(|(known, _)| *known == step).map_or("connection", |(_, name)| name);
            // The error's own text says the next step.
            let finding = Finding::problem(subject, with_causes(&error));
            told(Some((step, finding)), |step| detail(step, &addresses, None))
        }
    }
}

fn route(profile: &Profile) -> String {
    let hops: Vec<&str> = profile.hops.iter().map(|hop| hop.name.as_str()).collect();
    format!("found by the last hop of {}", hops.join(", "))
}

async fn resolve(profile: &Profile) -> Result<String, String> {
    let lookup = tokio::net::lookup_host((profile.host.as_str(), profile.port));
    match timeout(profile.connect_timeout, lookup).await {
        Ok(Ok(found)) => {
            let all: Vec<String> = found.map(|address| address.ip().to_string()).collect();
            if all.is_empty() { Err(format!("{} has no address", profile.host)) } else { Ok(all.join(", ")) }
        }
        Ok(Err(error)) => Err(format!("{} cannot be resolved: {error}", profile.host)),
        Err(_elapsed) => {
            Err(format!("{} was not resolved within {} s", profile.host, profile.connect_timeout.as_secs()))
        }
    }
}

fn told(failure: Option<(Step, Finding)>, detail: impl Fn(Step) -> String) -> Vec<Finding> {
    let steps = STEPS.iter().map(|(step, name)| match &failure {
        Some((failed, finding)) if step == failed => finding.clone(),
        Some((failed, _)) if step > failed => Finding::new(State::NotReached, name, ""),
        _ => Finding::good(name, detail(*step)),
    });
    steps.collect()
}

fn detail(step: Step, addresses: &str, peer: Option<&PeerInfo>) -> String {
    match (step, peer) {
        (Step::Name, _) => addresses.to_owned(),
        (Step::Tcp, Some(peer)) => peer.address.clone(),
        (Step::Banner, Some(peer)) => peer.server_version.clone(),
        (Step::HostKey, Some(peer)) => peer.host_key.clone(),
        (Step::Authentication, Some(peer)) => format!("{} as {}", peer.auth_method, peer.user),
        _ => String::new(),
    }
}

fn failed_step(error: &ConnectError) -> Step {
    match error {
        ConnectError::Unreachable { .. }
        | ConnectError::ProxyNotStarted { .. }
        | ConnectError::ProxyEnded { .. }
        | ConnectError::TunnelRefused { .. } => Step::Tcp,
        // Its text names the hop.
        ConnectError::Hop { source, .. } => failed_step(source),
        ConnectError::Timeout { step, .. }
        | ConnectError::Disconnected { step, .. }
        | ConnectError::Protocol { step, .. } => match step {
            ConnectStep::Tcp | ConnectStep::Tunnel => Step::Tcp,
            ConnectStep::Identification => Step::Banner,
            ConnectStep::KeyExchange => Step::KeyExchange,
            ConnectStep::Authentication => Step::Authentication,
            ConnectStep::Channel => Step::Channel,
            ConnectStep::Terminal => Step::Terminal,
            ConnectStep::Shell => Step::Shell,
        },
        ConnectError::NoCommonAlgorithm { .. } | ConnectError::UnsafeTransport { .. } => Step::KeyExchange,
        ConnectError::HostKeyUnknown { .. }
        | ConnectError::HostKeyChanged { .. }
        | ConnectError::HostKeyRevoked { .. }
        | ConnectError::HostKeyNotRecorded { .. }
        | ConnectError::HostCertificate { .. } => Step::HostKey,
        ConnectError::NotAnswered { category: "host-key", .. } => Step::HostKey,
        ConnectError::AuthenticationFailed { .. }
        | ConnectError::AgentSilent { .. }
        | ConnectError::NotAnswered { .. } => Step::Authentication,
        ConnectError::ChannelRefused { .. } => Step::Channel,
        ConnectError::TerminalRefused { .. } => Step::Terminal,
        ConnectError::ShellRefused { .. } => Step::Shell,
        ConnectError::InvalidTarget { .. }
        | ConnectError::KnownHosts { .. }
        | ConnectError::Secret { .. }
        | ConnectError::NoAgent { .. }
        | ConnectError::KeyFile { .. } => Step::Files,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_the_failed_step_was_not_reached() {
        let failure = (Step::HostKey, Finding::problem("host key", "unknown"));
        let findings = told(Some(failure), |_| String::new());
        let states: Vec<State> = findings.iter().map(|finding| finding.state).collect();
        assert_eq!(states[..5], [State::Good; 5]);
        assert_eq!(states[5], State::Problem);
        assert_eq!(states[6..], [State::NotReached; 4]);
    }
}
