//! Where a process of this machine stands: below the host, below the host's client, or elsewhere.
//!
//! A guard against an agent that answers or types for a person through this program's own commands. Not a wall:
//! a process that leaves its parents behind is not recognised, and whoever owns the account can do more than this.

/// Whether `process` runs below `host`, or below `client`, which has started it (0 for nobody).
pub fn is_below(host: u32, client: u32, process: u32) -> bool {
    std::iter::successors(Some(process), |process| parent(*process))
        // Everything runs below the first process.
        .any(|it| it == host || (it == client && client > 1))
}

/// None where there is none, or the system does not tell in this way.
fn parent(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Behind the program's name, which may hold anything: the state, then the parent.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok().filter(|parent| *parent > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_below_itself_and_its_parents_and_not_below_others() {
        let (own, parent) = (std::process::id(), std::os::unix::process::parent_id());
        assert!(is_below(own, 0, own) && is_below(parent, 0, own));
        assert!(is_below(u32::MAX, parent, own) || parent == 1);
        assert!(!is_below(u32::MAX, 0, own) && !is_below(u32::MAX, 1, own));
    }
}
