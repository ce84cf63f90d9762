//! From the names in `jump` to the profiles a host is reached through.
//!
//! The first name's own `jump` counts too, as with OpenSSH's `ProxyJump`; that of a later one does not,
//! because it is reached through the one before.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Profile;

/// Far more than any network needs; each hop costs a login and memory for a connection.
const HOPS_LIMIT: usize = 8;

/// The hops of `name`, given every profile and every `jump` by name.
pub(super) fn hops(
    name: &str,
    profiles: &BTreeMap<String, Arc<Profile>>,
    jumps: &BTreeMap<String, Vec<String>>,
) -> Result<Vec<Arc<Profile>>, String> {
    let mut route: Vec<&str> = vec![name];
    // From the host outwards: what stands before the first hop known so far.
    let mut outermost = name;
    while let Some(before) = jumps.get(outermost).filter(|before| !before.is_empty()) {
        for (place, hop) in before.iter().enumerate() {
            if route.contains(&hop.as_str()) {
                let circle: Vec<&str> = std::iter::once(hop.as_str()).chain(route).collect();
                return Err(format!(
                    "`jump` leads in a circle: {}; take `{hop}` out of one of them",
                    circle.join(" → ")
                ));
            }
            route.insert(place, hop);
        }
        if route.len() > HOPS_LIMIT + 1 {
            return Err(format!("`jump` leads through more than {HOPS_LIMIT} hosts; leave some out"));
        }
        outermost = route[0];
    }
    route.pop();
    let known = |hop: &str| match profiles.get(hop) {
        Some(profile) if profile.local.is_some() => {
            Err(format!("`jump` names the profile `{hop}`, a shell of this machine, through which nothing is reached"))
        }
        Some(profile) => Ok(profile.clone()),
        None => Err(unknown(hop, profiles)),
    };
    route.into_iter().map(known).collect()
}

fn unknown(hop: &str, profiles: &BTreeMap<String, Arc<Profile>>) -> String {
    let names: Vec<&str> = profiles.keys().map(String::as_str).collect();
    format!("`jump` names the profile `{hop}`, which does not exist; there are: {}", names.join(", "))
}
