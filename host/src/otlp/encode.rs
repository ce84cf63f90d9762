//! From OpenMetrics text, as this program writes it, to the JSON form of OTLP's metrics.
//!
//! Not a reader of anybody's metrics: names, labels and values are our own, and a line of another form is passed over.

use serde_json::{Map, Value, json};

/// OTLP's number for sums and histograms that count since the process started.
const CUMULATIVE: u8 = 2;

/// A family as its lines come.
#[derive(Default)]
struct Family {
    name: String,
    kind: String,
    help: String,
    unit: String,
    points: Vec<Point>,
}

/// One series: its labels, and its value or its parts.
struct Point {
    labels: Vec<(String, String)>,
    value: f64,
    count: f64,
    /// Upper bound and how many are at or below it, from the lowest; the last one has no bound.
    buckets: Vec<(Option<f64>, f64)>,
}

/// An `ExportMetricsServiceRequest`.
pub(super) fn request(text: &str, instance_id: &str, now_unix_ms: u64) -> Value {
    let families = families(text);
    let started = families.iter().find(|family| family.name == "portcullis_start_time_seconds");
    let started_ms = started.and_then(|family| family.points.first()).map_or(0.0, |point| point.value * 1000.0);
    let times = (nanos(started_ms as u64), nanos(now_unix_ms));
    let metrics: Vec<Value> = families.iter().filter_map(|family| metric(family, &times)).collect();
    let version = env!("CARGO_PKG_VERSION");
    let about = [("service.name", "portcullis"), ("service.version", version), ("service.instance.id", instance_id)];
    json!({ "resourceMetrics": [{
        "resource": { "attributes": about.map(|(key, value)| attribute(key, value)) },
        "scopeMetrics": [{ "scope": { "name": "portcullis", "version": version }, "metrics": metrics }]
    }] })
}

/// 64-bit numbers are strings in the JSON form.
fn nanos(unix_ms: u64) -> String {
    format!("{unix_ms}000000")
}

fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn metric(family: &Family, times: &(String, String)) -> Option<Value> {
    let points = |each: fn(&Point, &mut Map<String, Value>)| -> Vec<Value> {
        family.points.iter().map(|point| data_point(point, times, each)).collect()
    };
    let number: fn(&Point, &mut Map<String, Value>) = |point, fields| {
        fields.insert("asDouble".to_owned(), json!(point.value));
    };
    let (kind, data) = match family.kind.as_str() {
        "counter" => {
            ("sum", json!({ "aggregationTemporality": CUMULATIVE, "isMonotonic": true, "dataPoints": points(number) }))
        }
        "gauge" => ("gauge", json!({ "dataPoints": points(number) })),
        "histogram" => ("histogram", json!({ "aggregationTemporality": CUMULATIVE, "dataPoints": points(histogram) })),
        _ => return None,
    };
    Some(json!({ "name": family.name, "description": family.help, "unit": family.unit, kind: data }))
}

fn data_point(point: &Point, (started, now): &(String, String), each: fn(&Point, &mut Map<String, Value>)) -> Value {
    let attributes: Vec<Value> = point.labels.iter().map(|(key, value)| attribute(key, value)).collect();
    let mut fields = Map::new();
    fields.insert("attributes".to_owned(), json!(attributes));
    fields.insert("startTimeUnixNano".to_owned(), json!(started));
    fields.insert("timeUnixNano".to_owned(), json!(now));
    each(point, &mut fields);
    Value::Object(fields)
}

/// OTLP counts what lies between two bounds, OpenMetrics what lies below each.
fn histogram(point: &Point, fields: &mut Map<String, Value>) {
    let mut below = 0.0;
    let between = point.buckets.iter().map(|(_, upto)| (upto - std::mem::replace(&mut below, *upto)) as u64);
    let counts: Vec<String> = between.map(|count| count.to_string()).collect();
    let bounds: Vec<f64> = point.buckets.iter().filter_map(|(bound, _)| *bound).collect();
    fields.insert("count".to_owned(), json!((point.count as u64).to_string()));
    fields.insert("sum".to_owned(), json!(point.value));
    fields.insert("bucketCounts".to_owned(), json!(counts));
    fields.insert("explicitBounds".to_owned(), json!(bounds));
}

fn families(text: &str) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(what @ ("HELP" | "TYPE" | "UNIT")), Some(name), rest) => {
                if families.last().is_none_or(|last| last.name != name) {
                    families.push(Family { name: name.to_owned(), ..Family::default() });
                }
                let Some(family) = families.last_mut() else { continue };
                let rest = rest.unwrap_or_default();
                match what {
                    "HELP" => family.help = rest.trim_end_matches('.').to_owned(),
                    "TYPE" => family.kind = rest.to_owned(),
                    _ => family.unit = unit(rest).to_owned(),
                }
            }
            (Some("#"), ..) => {}
            _ => {
                if let (Some(family), Some((series, value))) = (families.last_mut(), line.rsplit_once(' ')) {
                    sample(family, series, value);
                }
            }
        }
    }
    families
}

/// As the standard for units in OpenTelemetry has it (UCUM).
fn unit(word: &str) -> &str {
    match word {
        "seconds" => "s",
        "bytes" => "By",
        other => other,
    }
}

fn sample(family: &mut Family, series: &str, value: &str) {
    let Ok(value) = value.parse::<f64>() else { return };
    let (name, written) = series.split_once('{').unwrap_or((series, ""));
    let mut labels = labels(written.trim_end_matches('}'));
    let bound = labels.iter().position(|(key, _)| key == "le").map(|at| labels.remove(at).1);
    let known = family.points.iter().position(|point| point.labels == labels);
    let at = known.unwrap_or(family.points.len());
    if known.is_none() {
        family.points.push(Point { labels, value: 0.0, count: 0.0, buckets: Vec::new() });
    }
    let point = &mut family.points[at];
    match (name.strip_prefix(family.name.as_str()), bound) {
        // The last bucket, `+Inf`, has no bound.
        (Some("_bucket"), Some(bound)) => {
            point.buckets.push((bound.parse().ok().filter(|bound: &f64| bound.is_finite()), value));
        }
        (Some("_count"), _) => point.count = value,
        _ => point.value = value,
    }
}

/// Label values have neither quotes nor commas in quotes: they come from fixed lists, or are made plain.
fn labels(written: &str) -> Vec<(String, String)> {
    let pair = |text: &str| {
        let (key, value) = text.split_once("=\"")?;
        Some((key.to_owned(), value.trim_end_matches('"').to_owned()))
    };
    written.split("\",").filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

    use super::*;

    const TEXT: &str = "# HELP portcullis_calls Tool calls.\n# TYPE portcullis_calls counter\n\
        portcullis_calls_total{tool=\"ssh_run\",status=\"success\"} 3\nportcullis_calls_total{tool=\"ssh_open\",status=\"failure\"} 1\n\
        # HELP portcullis_call_seconds Time.\n# TYPE portcullis_call_seconds histogram\n# UNIT portcullis_call_seconds seconds\n\
        portcullis_call_seconds_sum{tool=\"ssh_run\"} 2.5\nportcullis_call_seconds_count{tool=\"ssh_run\"} 3\n\
        portcullis_call_seconds_bucket{le=\"0.1\",tool=\"ssh_run\"} 1\nportcullis_call_seconds_bucket{le=\"1.0\",tool=\"ssh_run\"} 1\n\
        portcullis_call_seconds_bucket{le=\"+Inf\",tool=\"ssh_run\"} 3\n# HELP portcullis_viewers V.\n# TYPE portcullis_viewers gauge\n\
        portcullis_viewers 2\n# TYPE portcullis_start_time_seconds gauge\nportcullis_start_time_seconds 1000.5\n# EOF\n";

    #[test]
    fn every_kind_of_figure_has_its_form() {
        let made = request(TEXT, "i-1", 2_000_000);
        let resource = &made["resourceMetrics"][0];
        assert_eq!(resource["resource"]["attributes"][2]["value"]["stringValue"], "i-1");
        let metrics = resource["scopeMetrics"][0]["metrics"].as_array().unwrap();
        let names: Vec<&str> = metrics.iter().map(|metric| metric["name"].as_str().unwrap()).collect();
        let wanted =
            ["portcullis_calls", "portcullis_call_seconds", "portcullis_viewers", "portcullis_start_time_seconds"];
        assert_eq!(names, wanted);
        let sum = &metrics[0]["sum"];
        assert_eq!((&sum["isMonotonic"], &sum["aggregationTemporality"]), (&json!(true), &json!(2)));
        let point = &sum["dataPoints"][0];
        assert_eq!(point["attributes"], json!([attribute("tool", "ssh_run"), attribute("status", "success")]));
        assert_eq!((&point["asDouble"], &point["timeUnixNano"]), (&json!(3.0), &json!("2000000000000")));
        assert_eq!(point["startTimeUnixNano"], "1000500000000");
        assert_eq!(sum["dataPoints"].as_array().unwrap().len(), 2);
        let point = &metrics[1]["histogram"]["dataPoints"][0];
        assert_eq!(metrics[1]["unit"], "s");
        assert_eq!((&point["count"], &point["sum"]), (&json!("3"), &json!(2.5)));
        assert_eq!((&point["bucketCounts"], &point["explicitBounds"]), (&json!(["1", "0", "2"]), &json!([0.1, 1.0])));
        assert_eq!(metrics[2]["gauge"]["dataPoints"][0]["asDouble"], 2.0);
    }

    /// What is sent is all that is shown.
    #[test]
    fn each_of_our_own_families_is_sent() {
        crate::metrics::called("a_tool_of_this_test", "success", std::time::Duration::from_millis(1));
        let text = crate::metrics::render();
        let made = request(&text, "i-1", 1);
        let sent = made["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().unwrap().len();
        assert_eq!(sent, text.lines().filter(|line| line.starts_with("# TYPE ")).count());
        assert!(made.to_string().contains("a_tool_of_this_test"));
    }
}
