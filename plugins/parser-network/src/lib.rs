//! Parser for the network of a machine: sockets (`ss`, `netstat`), interfaces and their addresses
//! (`ip addr`, `ip link`), routes (`ip route`, `route`, `netstat -r`).
//!
//! Each kind is a schema of its own. What does not fit is handed back as it is; headings, the titles
//! of sections and empty lines are structure. JSON (`ip -j`) is read by the parser of tables.

mod endpoint;
mod ip;
mod netstat;
mod route;
mod ss;
#[cfg(test)]
mod tests;

use parser_kit::{Family, Kind, Of};

/// The kinds of a machine's network.
pub struct Network;

macro_rules! kind {
    ($schema:literal, $file:literal, $claim:path, $begin:path) => {
        Kind { schema: $schema, json_schema: include_str!(concat!("schemas/", $file)), claim: $claim, begin: $begin }
    };
}

impl Family for Network {
    const KINDS: &'static [Kind] = &[
        kind!("ss/1", "ss.json", ss::claim, ss::begin),
        kind!("netstat/1", "netstat.json", netstat::claim_sockets, netstat::begin_sockets),
        kind!("route/1", "route.json", netstat::claim_routes, netstat::begin_routes),
        kind!("ip.address/1", "ip-address.json", ip::claim, ip::begin),
        kind!("ip.route/1", "ip-route.json", route::claim, route::begin),
    ];
}

portcullis_plugin::parser!(Of<Network>);
