//! `portcullis logs`: the log of a host that runs or has ended.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use super::OperateError;
use super::reach::is_called;
use crate::audit::instances::{self, Found};

/// How often it is looked for more.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

pub(super) async fn run(state: &Path, instance: Option<&str>, follow: bool, tail: usize) -> anyhow::Result<()> {
    let found = chosen(instances::find(state)?, instance)?;
    let file = found.open_log().with_context(|| format!("the host {} has no log that can be read", found.id))?;
    let mut reader = BufReader::new(file);
    let mut lines = VecDeque::new();
    while let Some(line) = next_line(&mut reader)? {
        lines.push_back(line);
        if lines.len() > tail {
            lines.pop_front();
        }
    }
    lines.iter().try_for_each(|line| print(line))?;
    if follow { follow_on(&found, reader).await } else { Ok(()) }
}

/// Prints what is added until the host ends, also where the log goes on in a new file.
async fn follow_on(found: &Found, mut reader: BufReader<File>) -> anyhow::Result<()> {
    loop {
        // Asked before the last look, so that nothing written up to the end is missed.
        let (runs, newest) = (found.still_runs(), found.open_log()?);
        while let Some(line) = next_line(&mut reader)? {
            print(&line)?;
        }
        if newest.metadata()?.ino() != reader.get_ref().metadata()?.ino() {
            reader = BufReader::new(newest);
            continue;
        }
        if !runs {
            return Ok(());
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// The one that is named, or the only one that runs.
fn chosen(all: Vec<Found>, name: Option<&str>) -> Result<Found, OperateError> {
    let mut meant: Vec<Found> = match name {
        Some(name) => all.into_iter().filter(|found| is_called(found, name)).collect(),
        None => all.into_iter().filter(|found| found.runs).collect(),
    };
    // A label may have been given again; the one that runs is meant.
    if meant.len() > 1 && meant.iter().filter(|found| found.runs).count() == 1 {
        meant.retain(|found| found.runs);
    }
    match (meant.pop(), meant.is_empty(), name) {
        (Some(one), true, _) => Ok(one),
        (None, _, Some(name)) => {
            Err(OperateError::NoneSuch(format!("there is no host `{name}`; see `portcullis status`")))
        }
        (None, _, None) => Err(OperateError::NoneSuch("no host runs; name an ended one by its id".to_owned())),
        (Some(last), false, _) => {
            meant.push(last);
            let ids: Vec<&str> = meant.iter().map(|found| found.id.as_str()).collect();
            Err(OperateError::Several(format!("several hosts are meant, name one: {}", ids.join(", "))))
        }
    }
}

fn next_line(reader: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let length = reader.read_until(b'\n', &mut line)?;
    Ok((length > 0).then_some(line))
}

/// Lines are ours; what they quote is written escaped by the log itself.
fn print(line: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let shown: Vec<u8> = line.iter().copied().filter(|byte| *byte >= b' ' || matches!(byte, b'\n' | b'\t')).collect();
    out.write_all(&shown)?;
    out.flush()
}
