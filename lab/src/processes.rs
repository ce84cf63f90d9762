//! Finding and ending every process of a lab session, also those that left its process group,
//! its terminal or its parent.
//!
//! Every shell is started with a marker in its environment that its descendants inherit. On
//! Linux the marker is looked up in `/proc`; elsewhere only the shell's own process group is
//! reached. A process that cleared its environment is missed where it also left the group.

use std::fs;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::shell::SESSION_VARIABLE;

/// Sweeps before giving up on processes that fork faster than they are ended.
const SWEEPS_MAX: usize = 50;

/// A process has no environment to be seen while it becomes another program, so one look that finds nobody
/// does not mean that nobody is there.
const EXEC_TAKES: Duration = Duration::from_millis(5);

/// Ends all processes whose marker starts with `marker`, at once and for good.
pub(crate) fn end_all(marker: &str) {
    let wanted = format!("{SESSION_VARIABLE}={marker}").into_bytes();
    let mut found_none = false;
    for _sweep in 0..SWEEPS_MAX {
        let found = find(&wanted);
        if found.is_empty() {
            if found_none {
                return;
            }
            found_none = true;
            thread::sleep(EXEC_TAKES);
            continue;
        }
        found_none = false;
        for pid in found {
            // Gone in the meantime is as good.
            let _gone = kill_process(pid, Signal::KILL);
        }
    }
}

/// Ends a shell's process group; used beside [`end_all`] where there is no `/proc`.
pub(crate) fn end_group(leader: u32) {
    if let Some(pid) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
        let _gone = kill_process_group(pid, Signal::KILL);
    }
}

fn find(wanted: &[u8]) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| carries(*pid, wanted))
        .filter_map(Pid::from_raw)
        .collect()
}

/// Whether a process has an environment entry that starts with `wanted`. An ended process has an
/// empty environment, so one that waits to be reaped does not count.
fn carries(pid: i32, wanted: &[u8]) -> bool {
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|entry| entry.starts_with(wanted)))
}
