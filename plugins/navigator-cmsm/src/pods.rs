//! Reads the table of `kubectl get pods` and chooses from it.

use crate::goal::{NamePattern, is_kubernetes_name};

/// Why no pod was chosen, with the rows that were considered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoPod {
    /// No table was found in the output.
    Unreadable,
    NotFound(Vec<String>),
    NotRunning(Vec<String>),
    Ambiguous(Vec<String>),
}

struct Row {
    name: String,
    running: bool,
    line: String,
}

/// The one running pod whose name matches.
pub(crate) fn choose(output: &str, wanted: &NamePattern) -> Result<String, NoPod> {
    let rows = read(output).ok_or(NoPod::Unreadable)?;
    let lines = |rows: &[&Row]| rows.iter().map(|row| row.line.clone()).collect();
    let matching: Vec<&Row> = rows.iter().filter(|row| wanted.matches(&row.name)).collect();
    let running: Vec<&Row> = matching.iter().copied().filter(|row| row.running).collect();
    match (running.as_slice(), matching.as_slice()) {
        ([only], _) => Ok(only.name.clone()),
        ([], []) => Err(NoPod::NotFound(rows.into_iter().map(|row| row.line).collect())),
        ([], some) => Err(NoPod::NotRunning(lines(some))),
        (several, _) => Err(NoPod::Ambiguous(lines(several))),
    }
}

/// The rows under the header; none without one. A row with a name that Kubernetes would not allow
/// is left out, so it cannot be chosen.
fn read(output: &str) -> Option<Vec<Row>> {
    let mut lines = output.lines();
    let columns: Vec<&str> = loop {
        let line = lines.next()?;
        if line.starts_with("No resources found") {
            return Some(Vec::new());
        }
        if line.starts_with("NAME ") {
            break line.split_whitespace().collect();
        }
    };
    let status = columns.iter().position(|column| *column == "STATUS")?;
    let row = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let name = fields.first().filter(|name| is_kubernetes_name(name))?;
        let running = fields.get(status)? == &"Running";
        Some(Row { name: (*name).to_owned(), running, line: line.trim_end().to_owned() })
    };
    Some(lines.filter_map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "NAME                          READY   STATUS             RESTARTS       AGE\n\
        orders-api-7d9d65f8b4-2plxq   1/1     Running            0              3d4h\n\
        orders-api-old                0/1     Completed          0              9d\n\
        orders-worker-1               1/1     Running            3 (2m ago)     3d4h\n\
        orders-worker-2               1/1     Running            0              3d4h\n\
        orders-down                   0/1     CrashLoopBackOff   7              26m\n\
        $(reboot)                     1/1     Running            0              1m\n";

    fn exact(name: &str) -> NamePattern {
        NamePattern::Exact(name.to_owned())
    }

    fn prefix(name: &str) -> NamePattern {
        NamePattern::Prefix(name.to_owned())
    }

    #[test]
    fn one_running_match_is_chosen() {
        assert_eq!(choose(TABLE, &prefix("orders-api-")), Ok("orders-api-7d9d65f8b4-2plxq".to_owned()));
        assert_eq!(choose(TABLE, &exact("orders-worker-1")), Ok("orders-worker-1".to_owned()));
    }

    #[test]
    fn none_or_several_are_not_chosen() {
        assert!(matches!(choose(TABLE, &prefix("orders-worker-")), Err(NoPod::Ambiguous(rows)) if rows.len() == 2));
        assert!(matches!(choose(TABLE, &exact("orders-down")), Err(NoPod::NotRunning(rows)) if rows.len() == 1));
        assert!(matches!(choose(TABLE, &exact("orders")), Err(NoPod::NotFound(rows)) if rows.len() == 5));
        assert_eq!(choose("No resources found in x namespace.\n", &exact("a")), Err(NoPod::NotFound(vec![])));
    }

    #[test]
    fn other_output_is_not_a_table() {
        for output in ["", "error: no server", "NAME READY\na 1/1\n"] {
            assert_eq!(choose(output, &exact("a")), Err(NoPod::Unreadable), "{output:?}");
        }
    }

    #[test]
    fn a_name_that_could_run_is_never_chosen() {
        assert!(matches!(choose(TABLE, &prefix("$")), Err(NoPod::NotFound(_))));
    }
}
