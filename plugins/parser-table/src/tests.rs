//! Outputs as programs write them, and what must hold for any input.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use parser_kit::testing::{claim, holds, read, read_stored, shuffled, stored};
use proptest::prelude::*;
use serde_json::json;

use crate::Tables;

macro_rules! output {
    ($name:literal) => {
        include_str!(concat!("../tests/outputs/", $name, ".txt"))
    };
}

const PODS: &str = output!("kubectl-pods-wide");
const SEVERAL: &str = output!("kubectl-several");
const DESCRIBE: &str = output!("kubectl-describe");
const DOCKER_PS: &str = output!("docker-ps");
const UNITS: &str = output!("systemctl-list-units");
const LSBLK: &str = output!("lsblk");

#[test]
fn pods_of_all_namespaces() {
    let pods = read_stored::<Tables>(PODS);
    assert_eq!((pods.schema.as_str(), pods.documents.len(), pods.unparsed.len()), ("kubectl.get/1", 4, 0));
    assert_eq!(
        *pods.find("name", "worker-0"),
        json!({"resource": "pods", "namespace": "default", "name": "worker-0", "ready": "0/2", "ready_count": 0,
            "ready_total": 2, "status": "CrashLoopBackOff", "restarts": 132, "last_restart": "4m2s ago", "age": "2d",
            "ip": "10.42.1.9", "node": "node-2", "nominated_node": null, "readiness_gates": null})
    );
}

#[test]
fn several_resources_stand_below_headings_of_their_own() {
    let read = read_stored::<Tables>(SEVERAL);
    assert_eq!((read.documents.len(), read.unparsed.len()), (4, 0));
    let names: Vec<_> = read.documents.iter().map(|document| (&document["resource"], &document["name"])).collect();
    assert_eq!(names[1], (&json!("deployment.apps"), &json!("checkout")));
    assert_eq!(read.documents[0]["up_to_date"], 2);
    assert_eq!(read.documents[3]["ports"], "80:31380/TCP,443:31390/TCP");
    assert_eq!(read.documents[3]["external_ip"], "<pending>");
}

#[test]
fn usage_has_units() {
    let pods = read_stored::<Tables>(output!("kubectl-top-pods"));
    assert_eq!(pods.documents[1], json!({"name": "worker-0", "cpu_millicores": 1503, "memory_mib": 2048}));
    let nodes = read_stored::<Tables>(output!("kubectl-top-nodes"));
    assert_eq!(nodes.documents[0]["cpu_percent"], 12.0);
    assert_eq!(nodes.documents[1]["memory_mib_text"], "<unknown>");
    assert_eq!(nodes.unparsed, []);
}

#[test]
fn events_of_a_description() {
    let events = read_stored::<Tables>(DESCRIBE);
    assert_eq!((events.schema.as_str(), events.documents.len()), ("kubectl.events/1", 3));
    assert_eq!(events.documents[2]["object"], "worker-0");
    assert_eq!((&events.documents[2]["count"], &events.documents[2]["from"]), (&json!(47), &json!("kubelet")));
    assert_eq!(events.left(), [1, 2, 3, 4, 5, 6], "the rest of the description stays text");
    let listed = read_stored::<Tables>(output!("kubectl-events"));
    assert_eq!((listed.documents.len(), &listed.documents[1]["last_seen"]), (2, &json!("12s")));
}

#[test]
fn containers_and_images() {
    let containers = read_stored::<Tables>(DOCKER_PS);
    assert_eq!((containers.documents.len(), containers.unparsed.len()), (3, 0));
    let web = containers.find("container_id", "c1a5a0f6d2b1");
    assert_eq!(web["ports"], json!(["0.0.0.0:8080->80/tcp", "[::]:8080->80/tcp"]));
    assert_eq!((&web["command"], &web["names"]), (&json!("/docker-entrypoint.…"), &json!(["web"])));
    assert_eq!(containers.documents[1]["status"], "Exited (137) 11 hours ago");
    assert_eq!(containers.documents[1]["ports"], json!([]));
    let images = read_stored::<Tables>(output!("docker-images"));
    assert_eq!((images.documents.len(), images.unparsed.len()), (3, 0));
    assert_eq!((&images.documents[1]["tag"], &images.documents[1]["size"]), (&json!(null), &json!("1.24GB")));
    assert_eq!(images.documents[1]["image_id"], "3f57d9401f8d");
}

#[test]
fn units_with_their_marks_and_jobs() {
    let units = read_stored::<Tables>(UNITS);
    assert_eq!(units.documents.len(), 5);
    assert_eq!(units.left(), [8, 9, 10, 11, 13], "the legend stays text");
    let nginx = units.find("unit", "nginx.service");
    assert_eq!((&nginx["is_marked"], &nginx["active"]), (&json!(true), &json!("failed")));
    let utmp = units.find("unit", "systemd-update-utmp.service");
    assert_eq!((&utmp["job"], &utmp["description"]), (&json!("start"), &json!("Record System Boot/Shutdown in UTMP")));
    let failed = read_stored::<Tables>(output!("systemctl-failed"));
    assert_eq!((failed.documents.len(), failed.left().len()), (1, 4));
    let files = read_stored::<Tables>(output!("systemctl-list-unit-files"));
    assert_eq!((files.documents.len(), files.left()), (3, vec![6]));
    assert_eq!(files.documents[1], json!({"unit_file": "ssh.service", "state": "enabled", "preset": "enabled"}));
}

#[test]
fn any_aligned_table_has_typed_columns() {
    let hosts = read_stored::<Tables>(output!("column-cjk"));
    assert_eq!(hosts.schema, "table/1");
    let kinds: Vec<_> =
        hosts.documents[0]["columns"].as_array().unwrap().iter().map(|column| &column["type"]).collect();
    assert_eq!(kinds, ["text", "text", "number", "percent"]);
    assert_eq!(hosts.documents[2]["cells"], json!({"名前": "データ庫", "状態": "停止", "負荷": 0.25, "メモリ": 3.0}));
    let devices = read_stored::<Tables>(LSBLK);
    assert_eq!(devices.documents.len(), 3);
    assert_eq!(devices.documents[2]["cells"]["MOUNTPOINTS"], "/");
    assert_eq!(devices.documents[1]["cells"]["MOUNTPOINTS"], json!(null));
    assert_eq!(devices.documents[1]["cells"]["RM"], 0);
    let processors = read_stored::<Tables>(output!("lscpu"));
    assert_eq!(processors.documents[2]["cells"]["L1d:L1i:L2:L3"], "1:1:1:0");
    let timers = read_stored::<Tables>(output!("systemctl-list-timers"));
    assert_eq!(timers.documents[1]["cells"]["LEFT"], "7min left");
    assert_eq!(timers.documents[2]["cells"]["ACTIVATES"], "logrotate.service");
    assert_eq!(timers.left(), [5]);
}

#[test]
fn text_is_no_table() {
    for text in [
        "Hello world\nthis is a text\nand no table\n",
        "A LINE\n",
        "one two three\nfour five six\n",
        "total 3\n-rw-r--r-- 1 a b 4 Nov 21 04:15 x\n-rw-r--r-- 1 a b 4 Nov 21 04:15 y\n",
        "Usage: tool [OPTION]...\n  -a  all\n  -b  both\n",
        "1  2  3\n4  5  6\n",
        "Desktop    Music     Templates\nDocuments  Pictures  Videos\nDownloads  Public    Work\n",
        "",
    ] {
        assert_eq!(claim::<Tables>("tool x", text), None, "{text}");
    }
}

#[test]
fn rows_that_do_not_fit_are_left() {
    let text =
        "NAME   READY   AGE\nweb    1/1     5d\nError from server: something went wrong here\ndb     1/1     6d\n";
    let read = read::<Tables>("kubectl get pods", text);
    assert_eq!((read.documents.len(), read.left()), (2, vec![3]));
    let none = parser_kit::testing::read::<Tables>("kubectl get pods", "No resources found in default namespace.\n");
    assert_eq!((none.documents.len(), none.left()), (0, vec![1]));
}

#[test]
fn records_of_a_file() {
    let text =
        "id,name,note\n1,\"Müller, A.\",\"two\nlines\"\n2,b,\"say \"\"hi\"\"\"\n3,short\n4,,\n5,x,\"never closed\n";
    let read = read::<Tables>("cat /tmp/people.csv", text);
    assert_eq!(
        read.documents[0],
        json!({"line": 2, "values": {"id": "1", "name": "Müller, A.", "note": "two\nlines"}})
    );
    assert_eq!(read.documents[1]["values"]["note"], "say \"hi\"");
    assert_eq!((read.documents.len(), read.left()), (3, vec![5, 7]));
    let tabs = parser_kit::testing::read::<Tables>("cut -f1-3 x", "a\tb\tc\n1\t2\t3\n4\t5\t6\n");
    assert_eq!((tabs.schema.as_str(), &tabs.documents[1]["values"]["b"]), ("csv/1", &json!("5")));
    for prose in ["Hello, world, again\nfoo, bar, baz\nno, not, this\n", "a,b\nc,d\n", "x\n"] {
        assert_eq!(claim::<Tables>("cat letter", prose), None, "{prose}");
    }
}

#[test]
fn json_in_lines_and_whole() {
    let lines =
        read::<Tables>("cat app.jsonl", "{\"a\":1}\nnot json\n{\"a\":2} {\"a\":12345678901234567890123}\n{\"a\":\n");
    assert_eq!((lines.documents.len(), lines.left()), (3, vec![2, 4]));
    let text = "{\n  \"apiVersion\": \"v1\",\n  \"kind\": \"PodList\",\n  \"items\": [\n    {\"metadata\": {\"name\": \"a}\"}},\n    {\"metadata\": {\"name\": \"b\"}}\n  ]\n}\n";
    let pods = read::<Tables>("kubectl get pods -o json", text);
    assert_eq!((pods.schema.as_str(), pods.documents.len(), pods.unparsed.len()), ("json/1", 3, 0));
    assert_eq!(pods.documents[0]["value"], json!({"apiVersion": "v1", "kind": "PodList"}));
    assert_eq!(pods.documents[2], json!({"line": 1, "index": 1, "value": {"metadata": {"name": "b"}}}));
    let listed = read::<Tables>("docker inspect x", "[\n  {\"Id\": 1},\n  {\"Id\": 2}\n]\n");
    assert_eq!(listed.documents[1], json!({"line": 1, "index": 1, "value": {"Id": 2}}));
}

#[test]
fn more_than_a_host_takes_at_once_stays_text() {
    let text = format!("[\n{}0]\n", "0,\n".repeat(60_000));
    let read = parser_kit::testing::read_chunks::<Tables>("cat x.json", "json/1", &[text.as_bytes()], false);
    assert_eq!(read.documents.len() + read.unparsed.len(), 60_002);
    // Not all in one piece: each push may give some sixty thousand.
    assert!(read.documents.is_empty());
}

#[test]
fn a_value_too_long_for_a_document_stays_text() {
    let text = format!("{{\"a\":\n\"{}\",\n\"b\":\"{0}\",\n\"c\":\"{0}\",\n\"d\":\"{0}\"}}\n", "x".repeat(60_000));
    let read = read::<Tables>("cat x.json", &text);
    assert_eq!((read.documents.len(), read.left()), (0, vec![1, 2, 3, 4, 5]));
}

#[test]
fn the_command_chooses_the_kind() {
    let table = "NAME   READY\nweb    1/1\n";
    for (command, schema) in [
        ("kubectl get pods", Some("kubectl.get/1")),
        ("kubectl -n shop get pods -o wide", Some("kubectl.get/1")),
        ("k3s kubectl get nodes", Some("kubectl.get/1")),
        ("oc get routes", Some("kubectl.get/1")),
        ("kubectl top node", Some("kubectl.top/1")),
        ("docker container ls -a", Some("docker.ps/1")),
        ("podman images", Some("docker.images/1")),
        ("docker compose ps", Some("docker.ps/1")),
        ("systemctl", Some("systemctl.list-units/1")),
        ("systemctl --user list-units --type service", Some("systemctl.list-units/1")),
        // Their columns are the caller's.
        ("kubectl get pods --no-headers", Some("table/1")),
        ("docker ps --format {{.Names}}", Some("table/1")),
        ("show", Some("table/1")),
    ] {
        assert_eq!(claim::<Tables>(command, table).map(|(_, schema)| schema).as_deref(), schema, "{command}");
    }
    assert_eq!(claim::<Tables>("kubectl get pods -o yaml", "apiVersion: v1\nkind: Pod\n"), None);
}

fn is_heading(line: &str) -> bool {
    crate::aligned::is_in_capitals(line)
        || line.trim().chars().all(|symbol| "-=+| ".contains(symbol))
        || line == "Events:"
        || line.starts_with("  Type ")
        || line.trim_start().starts_with("名前")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn aligned_tables_lose_nothing(text in shuffled(&[stored(PODS).1, stored(SEVERAL).1, stored(DOCKER_PS).1, "名前  状態\n\nデータ庫  停止中です\n"]), size in 1usize..60) {
        for (command, schema) in [("kubectl get pods", "kubectl.get/1"), ("kubectl top pods", "kubectl.top/1"), ("docker ps", "docker.ps/1")] {
            holds::<Tables>(command, schema, &text, size, is_heading);
        }
        holds::<Tables>("x", "table/1", &text, size, |line| is_heading(line) || !line.contains("  "));
    }

    #[test]
    fn units_and_events_lose_nothing(text in shuffled(&[stored(UNITS).1, stored(DESCRIBE).1, stored(output!("systemctl-list-unit-files")).1]), size in 1usize..60) {
        holds::<Tables>("systemctl", "systemctl.list-units/1", &text, size, is_heading);
        holds::<Tables>("systemctl list-unit-files", "systemctl.list-unit-files/1", &text, size, is_heading);
        holds::<Tables>("kubectl describe pod", "kubectl.events/1", &text, size, is_heading);
    }

    #[test]
    fn json_and_records_lose_nothing(text in shuffled(&["{\"longword\": [\n{\"otherword\": 1},\n{\"thirdword\": \"va\\u00e4lue\"}\n]}\n[[[\n]\n\"closing, quote\"\n", "header,second\nvalues,\"quoted\n\"\"ending\"\n"]), size in 1usize..60) {
        holds::<Tables>("cat x", "json/1", &text, size, |line| line.contains('\\'));
        holds::<Tables>("cat x.csv", "csv/1", &text, size, |_| false);
    }
}

#[test]
fn captured_unit_files_are_read_whole() {
    let units = read_stored::<Tables>(output!("systemctl-list-unit-files-captured"));
    assert_eq!((units.documents.len(), units.unparsed.len()), (39, 0));
}
