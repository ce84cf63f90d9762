//! How many files and sockets a host may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More than any number of sessions needs. Local shells inherit it, and some programs walk over every descriptor they
/// might have.
const ENOUGH: u64 = 65_536;

/// Raises this process's limit as far as the system lets it, and says so in the log: many systems begin with 1,024,
/// which some dozens of sessions with their hops, transcripts and viewers use up.
pub(super) fn raise_limit() {
    let was = getrlimit(Resource::Nofile);
    let Some(wanted) = raised(&was) else { return };
    let now = Rlimit { current: Some(wanted), maximum: was.maximum };
    match setrlimit(Resource::Nofile, now) {
        Ok(()) => tracing::info!(was = was.current, now = wanted, "the limit of open files was raised"),
        Err(error) => tracing::warn!(was = was.current, %error, "the limit of open files stays as it is"),
    }
}

/// What the limit becomes; none where it is high enough, or cannot be higher.
fn raised(limit: &Rlimit) -> Option<u64> {
    let wanted = limit.maximum.map_or(ENOUGH, |most| most.min(ENOUGH));
    limit.current.filter(|now| *now < wanted).map(|_| wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_raised_as_far_as_allowed_and_never_lowered() {
        let limit = |current, maximum| Rlimit { current, maximum };
        assert_eq!(raised(&limit(Some(1024), Some(4096))), Some(4096));
        assert_eq!(raised(&limit(Some(1024), Some(1 << 20))), Some(ENOUGH));
        assert_eq!(raised(&limit(Some(1024), None)), Some(ENOUGH));
        assert_eq!(raised(&limit(Some(4096), Some(4096))), None);
        assert_eq!(raised(&limit(Some(1 << 20), Some(1 << 20))), None);
        assert_eq!(raised(&limit(None, None)), None);
    }
}
