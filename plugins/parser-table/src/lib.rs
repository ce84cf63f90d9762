//! Parser for tables: `kubectl get`, `top` and the events of `describe`, `docker ps` and `images`,
//! `systemctl list-units` and `list-unit-files`; CSV, TSV and JSON; and any aligned table.
//!
//! Each kind is a schema of its own. What does not fit is handed back as it is; headings, empty
//! lines and drawn lines are structure. It is no reader of the tables of `ps`, `df` and the like:
//! those have their own parsers, which score higher.

mod aligned;
mod any;
mod csv;
mod docker;
mod json;
mod kubectl;
#[cfg(test)]
mod tests;
mod units;

use parser_kit::{Family, Kind, Of};

/// The kinds of tables.
pub struct Tables;

macro_rules! kind {
    ($schema:literal, $file:literal, $claim:path, $begin:path) => {
        Kind { schema: $schema, json_schema: include_str!(concat!("schemas/", $file)), claim: $claim, begin: $begin }
    };
}

impl Family for Tables {
    const KINDS: &'static [Kind] = &[
        kind!("kubectl.get/1", "kubectl-get.json", kubectl::claim_get, kubectl::begin_get),
        kind!("kubectl.top/1", "kubectl-top.json", kubectl::claim_top, kubectl::begin_top),
        kind!("kubectl.events/1", "kubectl-events.json", kubectl::claim_events, kubectl::begin_events),
        kind!("docker.ps/1", "docker-ps.json", docker::claim_ps, docker::begin),
        kind!("docker.images/1", "docker-images.json", docker::claim_images, docker::begin),
        kind!("systemctl.list-units/1", "systemctl-list-units.json", units::claim_units, units::begin_units),
        kind!("systemctl.list-unit-files/1", "systemctl-list-unit-files.json", units::claim_files, units::begin_files),
        kind!("csv/1", "csv.json", csv::claim, csv::begin),
        kind!("json/1", "json.json", json::claim, json::begin),
        kind!("table/1", "table.json", any::claim, any::begin),
    ];
}

portcullis_plugin::parser!(Of<Tables>);
