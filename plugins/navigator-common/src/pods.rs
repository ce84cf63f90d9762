//! From a host's shell into a pod: which pod is meant, the list of pods, and the line that opens it.
//!
//! The navigator that uses it runs the commands and enters the level; here is what they are and
//! what their answers mean. What goes back into a command is checked word by word.

use portcullis_plugin::navigator::{CommandResult, Failure, Goal, Step};
use portcullis_plugin::{Attribute, Level, LevelKind, PluginError, ShellDialect};

use crate::screen::{output_rows, shown};
use crate::words::{
    checked, dialect_of, is_kubernetes_name, is_kubernetes_name_start, is_program_path, optional, required,
};

/// The parameters of a route that name a pod.
pub const PARAMETERS: [&str; 4] = ["namespace", "pod", "pod_shell", "container"];

/// A pod on the host reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedPod {
    namespace: String,
    name: NamePattern,
    container: Option<String>,
    shell: String,
}

/// An exact name or, written with a `*` at its end, the beginning of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamePattern {
    /// This name and no other.
    Exact(String),
    /// Any name that begins so.
    Prefix(String),
}

impl NamePattern {
    /// Whether it means this name.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => name == exact,
            Self::Prefix(prefix) => name.starts_with(prefix.as_str()),
        }
    }

    /// As the route wrote it.
    pub fn written(&self) -> String {
        match self {
            Self::Exact(exact) => exact.clone(),
            Self::Prefix(prefix) => format!("{prefix}*"),
        }
    }
}

impl WantedPod {
    /// The pod a route names, none where it names none.
    ///
    /// # Errors
    /// When the namespace is missing or a word has characters that do not belong there.
    pub fn read(goal: &Goal, default_namespace: Option<&str>) -> Result<Option<Self>, PluginError> {
        let Some(pod) = goal.parameter("pod") else { return Ok(None) };
        let namespace = goal.parameter("namespace").or(default_namespace);
        let name = match pod.strip_suffix('*') {
            Some(prefix) => NamePattern::Prefix(checked("pod", prefix, is_kubernetes_name_start)?),
            None => NamePattern::Exact(checked("pod", pod, is_kubernetes_name)?),
        };
        let shell = goal.parameter("pod_shell").unwrap_or("/bin/bash");
        Ok(Some(Self {
            namespace: checked("namespace", required(namespace, "namespace")?, is_kubernetes_name)?,
            name,
            container: optional(goal, "container", is_kubernetes_name)?,
            shell: checked("pod_shell", shell, is_program_path)?,
        }))
    }

    /// Whether a level of this label is the pod.
    pub fn is_label(&self, label: &str) -> bool {
        label.split_once('/').is_some_and(|(namespace, name)| namespace == self.namespace && self.name.matches(name))
    }

    /// The command that lists the pods.
    pub fn listing(&self) -> String {
        format!("kubectl get pods -n {}", self.namespace)
    }

    /// What the list leads to: the line that opens the pod's shell and the level it opens.
    ///
    /// # Errors
    /// The step that ends the navigation, with the rows that show why.
    pub fn opening(&self, host: &str, listed: &CommandResult) -> Result<(String, Level), Box<Step>> {
        if !listed.completed || listed.exit_code.is_some_and(|code| code != 0) {
            let message = format!("the pods of {} could not be listed", self.namespace);
            return Err(Box::new(Failure::step("command-failed", message, output_rows(listed))));
        }
        match choose(&listed.output, &self.name) {
            Ok(name) => Ok(self.open(host, &name)),
            Err(no) => Err(Box::new(self.no_pod(no, listed))),
        }
    }

    fn open(&self, host: &str, name: &str) -> (String, Level) {
        let label = format!("{}/{name}", self.namespace);
        let container = self.container.as_ref().map(|container| format!(" -c {container}")).unwrap_or_default();
        let command = format!("kubectl exec -it {name} -n {}{container} -- {}", self.namespace, self.shell);
        let attributes = vec![
            Attribute::new("host", host),
            Attribute::new("namespace", &self.namespace),
            Attribute::new("pod", name),
        ];
        (command, Level { kind: LevelKind::PodShell, label, dialect: self.dialect(), attributes })
    }

    fn dialect(&self) -> ShellDialect {
        dialect_of(&self.shell)
    }

    fn no_pod(&self, no: NoPod, listed: &CommandResult) -> Step {
        let (wanted, namespace) = (self.name.written(), &self.namespace);
        let (code, message, rows) = match no {
            NoPod::Unreadable => {
                ("unreadable", "the answer of kubectl is no table of pods".to_owned(), output_rows(listed))
            }
            NoPod::NotFound(rows) => ("pod-not-found", format!("no pod in {namespace} is called {wanted}"), rows),
            NoPod::NotRunning(rows) => ("pod-not-running", format!("{wanted} in {namespace} is not running"), rows),
            NoPod::Ambiguous(rows) => ("ambiguous", format!("several running pods in {namespace} fit {wanted}"), rows),
        };
        Failure::step(code, message, shown(&rows))
    }
}

/// The end of a navigation whose `kubectl exec` ended without a shell.
pub fn not_opened(label: &str, result: &CommandResult) -> Step {
    let message = format!("kubectl exec ended without a shell in {label}");
    Failure::step("level-not-reached", message, output_rows(result))
}

/// Why no pod was chosen, with the rows that were considered.
#[derive(Debug, PartialEq, Eq)]
enum NoPod {
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
fn choose(output: &str, wanted: &NamePattern) -> Result<String, NoPod> {
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
