//! Outputs as programs write them, and what must hold for any input.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use parser_kit::testing::{Read, claim, holds, read, read_stored, shuffled, stored};
use proptest::prelude::*;
use serde_json::json;

use crate::Network;

macro_rules! output {
    ($name:literal) => {
        include_str!(concat!("../tests/outputs/", $name, ".txt"))
    };
}

/// Reads a stored output of which every line fits.
fn whole(file: &str) -> Read {
    let read = read_stored::<Network>(file);
    assert_eq!(read.unparsed, [], "{file}");
    assert!(!read.documents.is_empty(), "{file}");
    read
}

#[test]
fn sockets_of_ss() {
    for file in [output!("ss-listening"), output!("ss-state"), output!("ss-tan")] {
        let sockets = whole(file);
        let socket = &sockets.documents[0];
        assert_eq!((&socket["local_address"], &socket["local_port"]), (&json!("0.0.0.0"), &json!(2024)), "{file}");
        assert_eq!(socket.get("peer_port"), None);
    }
    whole(output!("ss-all"));
    let rich = read_stored::<Network>(output!("ss-processes"));
    assert_eq!((rich.documents.len(), rich.left()), (4, vec![7]));
    let ssh = rich.find("state", "ESTAB");
    assert_eq!(ssh["processes"][1], json!({"name": "sshd", "pid": 4700, "descriptor": 4}));
    assert_eq!((&ssh["details"], &ssh["peer_port"]), (&json!("timer:(on,240ms,0)"), &json!(51234)));
    assert_eq!(ssh["further"], json!(["cubic wscale:7,7 rto:204 rtt:1.5/0.75 mss:1448"]));
    let web = rich.find("local_service", "http");
    assert_eq!((&web["local_address"], &web["send_queue"]), (&json!("::"), &json!(511)));
    let bus = rich.find("netid", "u_str");
    assert_eq!((&bus["local_address"], &bus["local_inode"]), (&json!("/run/dbus/system_bus_socket"), &json!(13579)));
}

#[test]
fn sockets_of_netstat() {
    assert_eq!(whole(output!("netstat")).documents[0]["local_port"], 2024);
    whole(output!("netstat-busybox"));
    assert_eq!(whole(output!("netstat-all")).documents[1]["inode"], 1134);
    let rich = whole(output!("netstat-programs"));
    assert_eq!(
        rich.documents[0],
        json!({"protocol": "tcp", "receive_queue": 0, "send_queue": 0, "local_address": "0.0.0.0", "local_port": 22,
            "peer_address": "0.0.0.0", "state": "LISTEN", "user": "0", "inode": 13579, "pid": 812, "program": "sshd: /usr/sbin"})
    );
    assert_eq!((&rich.documents[2].get("state"), &rich.documents[2]["pid"]), (&None, &json!(612)));
    assert_eq!(
        (&rich.documents[3]["flags"], &rich.documents[3]["path"]),
        (&json!(["ACC"]), &json!("/run/systemd/private"))
    );
    assert_eq!(rich.documents[4].get("state"), None);
}

#[test]
fn routes_of_the_kernel_table() {
    assert_eq!(whole(output!("netstat-routes")).documents[0]["gateway"], "192.0.2.1");
    assert_eq!(
        whole(output!("route")).documents[1],
        json!({"destination": "192.0.2.0", "gateway": "0.0.0.0", "netmask": "255.255.255.0", "flags": "U", "metric": 0,
            "references": 0, "uses": 0, "device": "eth0"})
    );
}

#[test]
fn interfaces_with_their_addresses() {
    for file in [output!("ip-addr"), output!("ip-addr-busybox")] {
        let read = whole(file);
        assert_eq!(read.documents.len(), 4, "{file}");
        let address = &read.find("name", "eth0")["addresses"][0];
        assert_eq!((&address["address"], &address["prefix_length"]), (&json!("192.0.2.2"), &json!(24)), "{file}");
        assert_eq!(address["valid_lifetime"], "forever");
    }
    let rich = whole(output!("ip-addr-rich"));
    let main = rich.find("name", "enp3s0");
    assert_eq!((&main["master"], &main["mtu"], &main["queue_length"]), (&json!("br0"), &json!(1500), &json!(1000)));
    assert_eq!(main["addresses"][0]["flags"], json!(["dynamic", "noprefixroute"]));
    assert_eq!(
        main["details"],
        json!(["link/ether 52:54:00:12:34:56 brd ff:ff:ff:ff:ff:ff link-netnsid 0", "altname eth-main"])
    );
    let tunnel = rich.find("name", "tun0");
    let address = &tunnel["addresses"][0];
    assert_eq!(
        (&address["address"], &address["peer"], &tunnel["parent"]),
        (&json!("10.8.0.2"), &json!("10.8.0.1/32"), &json!("NONE"))
    );
    assert_eq!(whole(output!("ip-oneline")).documents[0]["addresses"][0]["prefix_length"], 8);
    let brief = whole(output!("ip-brief"));
    assert_eq!(
        brief.find("name", "eth0")["addresses"][1],
        json!({"family": "inet6", "address": "fd00::2", "prefix_length": 64})
    );
    assert_eq!(whole(output!("ip-br-link")).find("name", "lo")["flags"], json!(["LOOPBACK", "UP", "LOWER_UP"]));
    whole(output!("ip-link"));
}

#[test]
fn routes_with_their_next_hops() {
    for file in [output!("ip-route"), output!("ip-route-all"), output!("ip-route6"), output!("ip-route-busybox")] {
        for document in whole(file).documents {
            assert_eq!(document.get("rest"), None, "{document}");
        }
    }
    let rich = read_stored::<Network>(output!("ip-route-rich"));
    assert_eq!((rich.documents.len(), rich.left()), (5, vec![8]));
    assert_eq!(
        rich.documents[0]["next_hops"][1],
        json!({"via": "192.0.2.9", "device": "eth1", "weight": 2, "flags": ["onlink"]})
    );
    assert_eq!((&rich.documents[1]["type"], &rich.documents[1]["error"]), (&json!("unreachable"), &json!("-113")));
    assert_eq!(rich.documents[2]["flags"], json!(["linkdown"]));
    assert_eq!(
        (&rich.documents[3]["expires"], &rich.documents[3]["rest"]),
        (&json!("1795sec"), &json!("hoplimit 64 pref medium"))
    );
    assert_eq!(rich.documents[4]["via_kind"], "inet6");
}

#[test]
fn other_output_is_not_claimed() {
    for command in
        ["ip -j addr", "ip addr add 192.0.2.5 dev eth0", "ip neigh", "netstat -s", "netstat -i", "ss -s", "ping x"]
    {
        assert_eq!(claim::<Network>(command, "Total: 1\n"), None, "{command}");
    }
}

/// What the machine's own tools print now, and BusyBox's where there is one.
#[test]
fn the_machines_own_outputs_are_read() {
    for command in [
        "ss -tulpn",
        "ss -tan",
        "netstat -an",
        "netstat -rn",
        "ip addr",
        "ip -s -d link",
        "ip -br addr",
        "ip route",
        "ip -6 route",
        "busybox netstat -an",
        "busybox ip addr",
        "busybox ip route",
        "busybox route -n",
    ] {
        let words: Vec<&str> = command.split(' ').collect();
        let program = std::process::Command::new(words[0]).args(&words[1..]).env("LC_ALL", "C").output();
        let Ok(output) = program else { continue };
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() || text.trim().is_empty() {
            continue;
        }
        assert_eq!(read::<Network>(command, &text).unparsed, [], "{command}");
    }
}

fn is_structure(line: &str) -> bool {
    ["Local", "Active", "Destination", "Kernel", "RefCnt"].iter().any(|word| line.contains(word))
        // Keys of the format, whose values are told.
        || ["metric", "expires", "nexthop", "users:", "valid_lft"].iter().any(|word| line.contains(word))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]
    #[test]
    fn nothing_is_lost(text in shuffled(&[stored(output!("ss-processes")).1, stored(output!("netstat-programs")).1, stored(output!("ip-addr-rich")).1, stored(output!("ip-route-rich")).1, stored(output!("route")).1, stored(output!("ip-brief")).1]), size in 1usize..60) {
        for (command, schema) in [("ss", "ss/1"), ("netstat", "netstat/1"), ("route", "route/1"), ("ip a", "ip.address/1"), ("ip -br a", "ip.address/1"), ("ip r", "ip.route/1")] {
            holds::<Network>(command, schema, &text, size, is_structure);
        }
    }
}

#[test]
fn captured_outputs_are_read_whole() {
    for (file, documents) in [
        (output!("ip-addr-bridge"), 4),
        (output!("ip-addr-bridge-busybox"), 4),
        (output!("ip-details"), 4),
        (output!("ip-statistics"), 4),
        (output!("ip-brief-peer"), 4),
        (output!("ip-oneline-peer"), 10),
        (output!("ip-route-kinds"), 8),
        (output!("ip-route-kinds-busybox"), 8),
        (output!("ip-route-tables"), 27),
        (output!("ip-route6-default"), 5),
        (output!("ss-tulpni"), 3),
        (output!("ss-tanp"), 7),
        (output!("ss-timers"), 7),
        (output!("ss-internals"), 7),
        (output!("ss-all-processes"), 18),
        (output!("netstat-anpe"), 9),
        (output!("netstat-an-busybox"), 9),
        (output!("netstat-tulpn"), 3),
        (output!("netstat-timers"), 9),
        (output!("netstat-routes6"), 11),
        (output!("netstat-french"), 1),
        (output!("netstat-german"), 1),
        (output!("netstat-japanese"), 1),
        (output!("route-n"), 8),
        (output!("route-n-busybox"), 8),
    ] {
        assert_eq!(whole(file).documents.len(), documents, "{file}");
    }
    let brief = whole(output!("ip-brief-peer"));
    let peer = &brief.find("name", "veth1")["addresses"][0];
    assert_eq!((&peer["address"], &peer["peer"]), (&json!("10.9.0.1"), &json!("10.9.0.2/32")));
    let french = whole(output!("netstat-french"));
    assert_eq!((&french.documents[0]["local_port"], &french.documents[0]["state"]), (&json!(2024), &json!("LISTEN")));
}
