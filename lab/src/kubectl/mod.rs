//! A `kubectl` that knows the lab's cluster: `get`, `logs`, `exec`.
//!
//! [`main`] is the whole program, so any binary can offer it behind a subcommand; the lab writes
//! a small script named `kubectl` that calls it. It finds the lab through the environment the
//! master shell set. Exit status 2 means the call was not understood.

mod arguments;
mod exec;
mod table;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use arguments::{Call, Resource};

use crate::pods::{NAMESPACE_AGE, NAMESPACES, PODS, PodName};
use crate::shell::HOME_VARIABLE;
use table::Table;

/// Exit status for a call that was not understood.
const USAGE_STATUS: u8 = 2;
/// Exit status for a call that failed.
const FAILURE_STATUS: u8 = 1;

const HELP: &str = "\
kubectl of the lab

Usage:
  kubectl get ns [--no-headers]
  kubectl get pods [-n NAMESPACE] [--no-headers]
  kubectl logs POD [-n NAMESPACE] [--tail N]
  kubectl exec [-i] [-t] POD [-n NAMESPACE] -- COMMAND [ARGUMENT...]
";

/// Runs one call, with the arguments behind the program's name, on the process's own standard
/// input, output and error. May be called inside or outside an async runtime; blocks until done.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let home = std::env::var_os(HOME_VARIABLE).map(PathBuf::from);
    let status = run(&arguments, home.as_deref(), &mut io::stdout().lock(), &mut io::stderr());
    // A reader that went away, such as `head`, is no reason to complain.
    ExitCode::from(status.unwrap_or(FAILURE_STATUS))
}

fn run(arguments: &[OsString], home: Option<&Path>, out: &mut impl Write, err: &mut impl Write) -> io::Result<u8> {
    let call = match arguments::parse(arguments) {
        Ok(call) => call,
        Err(complaint) => {
            writeln!(err, "error: {complaint}\nSee 'kubectl help' for what this kubectl knows.")?;
            return Ok(USAGE_STATUS);
        }
    };
    match call {
        Call::Help => out.write_all(HELP.as_bytes()).map(|()| 0),
        Call::Get { resource: Resource::Namespaces, headers } => namespaces().write(headers, out).map(|()| 0),
        Call::Get { resource: Resource::Pods { namespace }, headers } => get_pods(&namespace, headers, out, err),
        Call::Logs { pod, tail } => with_home(home, err, |home, err| logs(home, &pod, tail, out, err)),
        Call::Exec(request) => with_home(home, err, |home, err| exec::run(home, &request, err)),
    }
}

fn with_home<E: Write>(
    home: Option<&Path>,
    err: &mut E,
    call: impl FnOnce(&Path, &mut E) -> io::Result<u8>,
) -> io::Result<u8> {
    match home {
        Some(home) => call(home, err),
        None => {
            writeln!(err, "error: {HOME_VARIABLE} is not set; run kubectl in a master shell of the lab")?;
            Ok(FAILURE_STATUS)
        }
    }
}

fn namespaces() -> Table {
    let rows = NAMESPACES.map(|name| vec![name.to_owned(), "Active".to_owned(), NAMESPACE_AGE.to_owned()]);
    Table::new(&["NAME", "STATUS", "AGE"], rows.into())
}

fn get_pods(namespace: &str, headers: bool, out: &mut impl Write, err: &mut impl Write) -> io::Result<u8> {
    let rows: Vec<Vec<String>> = PODS
        .iter()
        .filter(|pod| pod.namespace == namespace)
        .map(|pod| [pod.name, pod.ready, pod.status, &pod.restarts.to_string(), pod.age].map(str::to_owned).to_vec())
        .collect();
    if rows.is_empty() {
        writeln!(err, "No resources found in {namespace} namespace.")?;
        return Ok(0);
    }
    Table::new(&["NAME", "READY", "STATUS", "RESTARTS", "AGE"], rows).write(headers, out)?;
    Ok(0)
}

fn logs(home: &Path, pod: &PodName, tail: Option<usize>, out: &mut impl Write, err: &mut impl Write) -> io::Result<u8> {
    let text = pod
        .directory(home)
        .map_err(anyhow::Error::from)
        .and_then(|directory| Ok(std::fs::read(directory.join("var/log/app/app.log"))?));
    match text {
        Ok(text) => {
            let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
            let from = tail.map_or(0, |tail| lines.len().saturating_sub(tail));
            for line in lines.iter().skip(from) {
                out.write_all(line)?;
            }
            Ok(0)
        }
        Err(error) => {
            writeln!(err, "error: the log of pod {} cannot be read: {error:#}", pod.name())?;
            Ok(FAILURE_STATUS)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step in a test panics")]

    use super::*;

    fn call(home: Option<&Path>, line: &str) -> (u8, String, String) {
        let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let status = run(&arguments, home, &mut out, &mut err).unwrap();
        (status, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn pods_are_listed_as_kubectl_lists_them() {
        let (status, out, err) = call(None, "get pods -n payments");
        assert_eq!((status, err.as_str()), (0, ""));
        assert_eq!(
            out,
            "NAME                               READY   STATUS             RESTARTS   AGE\n\
             payments-api-6cc447f559-k8mvp      1/1     Running            0          8d\n\
             payments-worker-59cd87bf5f-vm2qs   0/1     CrashLoopBackOff   7          26m\n"
        );
    }

    #[test]
    fn calls_end_with_the_status_they_should() {
        for (line, status, out_has, err_has) in [
            ("", 0, "Usage:", ""),
            ("help", 0, "kubectl logs", ""),
            ("get ns", 0, "kube-system   Active   42d\n", ""),
            ("get namespaces --no-headers", 0, "default ", ""),
            ("get pods", 0, "demo-shell-", ""),
            ("get po --no-headers -n orders", 0, "orders-worker-", ""),
            ("-n orders get pods", 0, "orders-worker-", ""),
            ("get pods -n nowhere", 0, "", "No resources found in nowhere namespace."),
            ("get nodes", 2, "", "nodes"),
            ("get", 2, "", "get what"),
            ("apply x", 2, "", "apply"),
            ("get pods --watch", 2, "", "--watch"),
            ("get pods -n", 2, "", "-n"),
            ("logs", 2, "", "POD"),
            ("logs ../../etc", 2, "", "../../etc"),
            ("logs orders-api-1 --tail x", 2, "", "--tail"),
            ("exec -it orders-api-1", 2, "", "COMMAND"),
            ("logs orders-api-1", 1, "", "PORTCULLIS_LAB_HOME"),
        ] {
            let (got, out, err) = call(None, line);
            assert_eq!(got, status, "{line}: {err}");
            assert!(out.contains(out_has), "{line}: {out}");
            assert!(err.contains(err_has) && err.is_empty() == err_has.is_empty(), "{line}: {err}");
        }
        assert!(!call(None, "get ns --no-headers").1.contains("NAME"));
    }

    #[test]
    fn logs_end_with_the_newest_lines() {
        let home = tempfile::tempdir().unwrap();
        let lines = |line: &str| call(Some(home.path()), line).1.lines().count();
        assert_eq!(lines("logs orders-api-7d9d65f8b4-2plxq -n orders"), 6);
        assert_eq!(lines("logs orders-api-7d9d65f8b4-2plxq -n orders --tail=2"), 2);
        assert_eq!(lines("logs orders-api-7d9d65f8b4-2plxq -n orders --tail -1"), 6);
        assert_eq!(lines("logs orders-api-7d9d65f8b4-2plxq -n orders --tail 0"), 0);
        let last = call(Some(home.path()), "logs new-pod -n orders --tail 1").1;
        assert!(last.contains("NullPointerException"), "{last}");
    }
}
