//! Parser for what a machine says of itself: processes (`ps`, `top -b`), load and memory (`uptime`,
//! `free`), disks (`df`, `du`), users and the environment (`id`, `env`, `/etc/os-release`), services
//! and their journal (`systemctl status`, `journalctl`).
//!
//! Each kind is a schema of its own. What does not fit is handed back as it is; headings and empty
//! lines are structure. Numbers are given where the unit is certain, the text as shown elsewhere.

mod disk;
mod environment;
mod free;
mod identity;
mod journal;
mod load;
mod process;
mod ps;
mod service;
#[cfg(test)]
mod tests;
mod top;

use parser_kit::{Family, Kind, Of};

/// The kinds of a machine's own accounts.
pub struct System;

macro_rules! kind {
    ($schema:literal, $file:literal, $claim:path, $begin:path) => {
        Kind { schema: $schema, json_schema: include_str!(concat!("schemas/", $file)), claim: $claim, begin: $begin }
    };
}

impl Family for System {
    const KINDS: &'static [Kind] = &[
        kind!("ps/1", "ps.json", ps::claim, ps::begin),
        kind!("top/1", "top.json", top::claim, top::begin),
        kind!("uptime/1", "uptime.json", load::claim, load::begin),
        kind!("free/1", "free.json", free::claim, free::begin),
        kind!("df/1", "df.json", disk::claim_df, disk::begin_df),
        kind!("du/1", "du.json", disk::claim_du, disk::begin_du),
        kind!("id/1", "id.json", identity::claim, identity::begin),
        kind!("env/1", "env.json", environment::claim, environment::begin),
        kind!("os-release/1", "os-release.json", environment::claim_release, environment::begin_release),
        kind!("systemctl.status/1", "systemctl-status.json", service::claim, service::begin),
        kind!("journal/1", "journal.json", journal::claim, journal::begin),
    ];
}

portcullis_plugin::parser!(Of<System>);
