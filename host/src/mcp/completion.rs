//! Values for the arguments of prompts and the variables of resource templates.

use rmcp::model::CompleteRequestParams;

use super::{prompts, resources};
use crate::host::Host;
use crate::ops;

/// What begins with what was typed, of what the request's client may use; empty for names that are not known.
pub(super) async fn values(host: &Host, request: &CompleteRequestParams) -> Vec<String> {
    let argument = &request.argument;
    let resolved = |name: &str| request.context.as_ref().and_then(|context| context.get_argument(name));
    let known: Vec<String> = match argument.name.as_str() {
        prompts::PROFILE => host.config().destinations.keys().cloned().collect(),
        prompts::ROUTE => {
            let profile = resolved(prompts::PROFILE);
            let destinations = host.config().destinations.iter();
            let meant = destinations.filter(|(name, _)| profile.is_none_or(|profile| profile == *name));
            meant.flat_map(|(_, destination)| destination.routes.keys().cloned()).collect()
        }
        resources::SESSION_ID => ops::visible_sessions(host).iter().map(|session| session.id().to_string()).collect(),
        resources::JOB_ID => match resolved(resources::SESSION_ID) {
            Some(session) => jobs(host, session).await,
            None => Vec::new(),
        },
        _ => Vec::new(),
    };
    let mut fitting: Vec<String> = known.into_iter().filter(|value| value.starts_with(&argument.value)).collect();
    fitting.sort();
    fitting.dedup();
    fitting
}

async fn jobs(host: &Host, session_id: &str) -> Vec<String> {
    // A session that is not there has no jobs.
    let report = ops::status(host, Some(session_id)).await.ok();
    let sessions = report.map(|report| report.sessions).unwrap_or_default();
    sessions.iter().flat_map(|line| &line.jobs).map(|job| job.command_id.to_string()).collect()
}
