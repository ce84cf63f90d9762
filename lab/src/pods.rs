//! The cluster: namespaces, pods, and the directory each pod's shell starts in.
//!
//! Pod directories are made when they are first asked for and kept, so what someone writes there
//! stays. Any well-formed pod name is accepted, as the menu accepts any host.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::LabError;

/// The namespaces, in list order.
pub const NAMESPACES: [&str; 4] = ["default", "orders", "payments", "kube-system"];
/// Age of every namespace, as kubectl shows it.
pub const NAMESPACE_AGE: &str = "42d";

/// Longest namespace or pod name: a DNS label and a DNS name.
const NAMESPACE_MAX_BYTES: usize = 63;
const POD_MAX_BYTES: usize = 253;

/// A pod of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pod {
    /// Namespace it lives in.
    pub namespace: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Containers ready, of all.
    pub ready: &'static str,
    /// `Running` or `CrashLoopBackOff`.
    pub status: &'static str,
    /// Restarts so far.
    pub restarts: u32,
    /// Age, as kubectl shows it.
    pub age: &'static str,
}

const fn running(namespace: &'static str, name: &'static str, age: &'static str) -> Pod {
    Pod { namespace, name, ready: "1/1", status: "Running", restarts: 0, age }
}

/// The pods `kubectl get pods` shows.
pub const PODS: [Pod; 5] = [
    running("default", "demo-shell-7789f879df-7kq4m", "12d"),
    running("orders", "orders-api-7d9d65f8b4-2plxq", "3d4h"),
    running("orders", "orders-worker-6b7f4d6db9-x9zrt", "3d4h"),
    running("payments", "payments-api-6cc447f559-k8mvp", "8d"),
    Pod {
        namespace: "payments",
        name: "payments-worker-59cd87bf5f-vm2qs",
        ready: "0/1",
        status: "CrashLoopBackOff",
        restarts: 7,
        age: "26m",
    },
];

/// A pod that was asked for: both names are well-formed, so they are safe in a path and a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodName {
    namespace: String,
    name: String,
}

impl PodName {
    /// Checks both names against the rules Kubernetes has for them; `None` where one breaks them.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Option<Self> {
        let fine = is_dns_name(namespace, NAMESPACE_MAX_BYTES, false) && is_dns_name(name, POD_MAX_BYTES, true);
        fine.then(|| Self { namespace: namespace.to_owned(), name: name.to_owned() })
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The pod's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the pod runs: its name without the two generated endings.
    fn application(&self) -> &str {
        let mut parts = self.name.rsplitn(3, '-');
        let (_pod, _replica_set) = (parts.next(), parts.next());
        parts.next().unwrap_or(&self.name)
    }

    /// The pod's directory, made and filled when it is not there yet.
    ///
    /// # Errors
    /// [`LabError::File`] when it cannot be made.
    pub fn directory(&self, home: &Path) -> Result<PathBuf, LabError> {
        let directory = home.join("runtime/pods").join(&self.namespace).join(&self.name);
        for part in ["var/log/app", "etc/app"] {
            let part = directory.join(part);
            fs::create_dir_all(&part).map_err(LabError::file("create", &part))?;
        }
        for (path, text) in [
            ("var/log/app/app.log", self.application_log()),
            ("var/log/app/error.log", self.error_log()),
            ("etc/app/application.yaml", self.settings()),
        ] {
            let path = directory.join(path);
            write_once(&path, &text).map_err(LabError::file("write", &path))?;
        }
        Ok(directory)
    }

    fn application_log(&self) -> String {
        let application = self.application();
        [
            format!("2026-03-02 08:14:07.205 INFO  [main] {application} boot complete in 4.8 s, profile=prod"),
            format!("2026-03-02 08:14:08.931 INFO  [main] {application} db ready pool=10 latencyMs=12"),
            format!("2026-03-02 08:31:40.118 WARN  [http-7] {application} upstream timeout after 3000 ms service=inventory traceId=lab-timeout-001"),
            format!("2026-03-02 08:31:40.402 ERROR [http-7] {application} payment failed orderId=O-10086 reason=upstream-timeout traceId=lab-timeout-001"),
            format!("2026-03-02 08:31:43.677 INFO  [retry-1] {application} retry success orderId=O-10086 attempt=2"),
            format!("2026-03-02 08:47:12.050 ERROR [http-3] {application} java.lang.NullPointerException: order.customer is null"),
        ]
        .map(|line| line + "\n")
        .concat()
    }

    fn error_log(&self) -> String {
        let application = self.application();
        [
            format!("2026-03-02 08:47:12.050 ERROR [http-3] {application} java.lang.NullPointerException: order.customer is null"),
            "\tat lab.orders.OrderMapper.toView(OrderMapper.java:58)".to_owned(),
            "\tat lab.orders.OrderController.show(OrderController.java:31)".to_owned(),
        ]
        .map(|line| line + "\n")
        .concat()
    }

    fn settings(&self) -> String {
        let Self { namespace, .. } = self;
        let application = self.application();
        format!(
            "application: {application}\nnamespace: {namespace}\nserver:\n  port: 8080\nupstream:\n  inventory:\n    url: http://inventory.{namespace}.svc:8080\n    timeout-ms: 3000\n"
        )
    }
}

/// Lower-case letters, digits and `-`, starting and ending with a letter or digit; `.` between
/// such labels where `dotted`.
fn is_dns_name(text: &str, max_bytes: usize, dotted: bool) -> bool {
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        bytes.first().is_some_and(plain)
            && bytes.last().is_some_and(plain)
            && bytes.iter().all(|byte| plain(byte) || *byte == b'-')
    };
    text.len() <= max_bytes && if dotted { text.split('.').all(is_label) } else { is_label(text) }
}

/// Writes a file unless it is there. It appears complete or not at all, as several `kubectl` may
/// start at once.
fn write_once(path: &Path, text: &str) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let draft = path.with_extension(format!("draft-{}", std::process::id()));
    let mut file = File::create(&draft)?;
    file.write_all(text.as_bytes())?;
    let placed = match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    };
    fs::remove_file(&draft)?;
    placed
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step in a test panics")]

    use super::*;

    #[test]
    fn names_that_could_leave_the_directory_or_run_in_a_prompt_are_refused() {
        for (namespace, name, fine) in [
            ("orders", "orders-api-7d9d65f8b4-2plxq", true),
            ("orders", "web.example", true),
            ("orders", "..", false),
            ("orders", "a/b", false),
            ("orders", "../../etc", false),
            ("..", "a", false),
            ("a.b", "a", false),
            ("orders", "$(id)", false),
            ("orders", "", false),
            ("orders", "-a", false),
            ("orders", "a-", false),
            ("orders", "A", false),
        ] {
            assert_eq!(PodName::new(namespace, name).is_some(), fine, "{namespace}/{name}");
        }
        assert!(PodName::new(&"n".repeat(64), "a").is_none());
    }

    #[test]
    fn a_pod_directory_is_filled_once_and_then_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let pod = PodName::new("orders", "orders-api-7d9d65f8b4-2plxq").unwrap();
        let directory = pod.directory(home.path()).unwrap();
        let log = directory.join("var/log/app/app.log");
        let text = fs::read_to_string(&log).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 6);
        for (line, part) in lines.iter().zip([
            "boot",
            "db ready",
            "upstream timeout",
            "payment failed",
            "retry success",
            "NullPointerException",
        ]) {
            assert!(line.contains(part) && line.contains(" orders-api "), "{line}");
        }
        assert!(lines[2].contains("traceId=lab-timeout-001") && lines[3].contains("orderId=O-10086"));
        assert_eq!(fs::read_to_string(directory.join("var/log/app/error.log")).unwrap().lines().count(), 3);

        fs::write(&log, "changed\n").unwrap();
        pod.directory(home.path()).unwrap();
        assert_eq!(fs::read_to_string(&log).unwrap(), "changed\n");
        assert_eq!(fs::read_dir(directory.join("var/log/app")).unwrap().count(), 2);
    }
}
