//! Containers, clusters and clouds.

use crate::call::Call;
use crate::review::Review;
use crate::rule;

pub fn judge<'a>(review: &mut Review<'a>, call: &Call<'a>) {
    match call.program {
        "docker" | "podman" | "nerdctl" | "docker-compose" | "podman-compose" | "crictl" | "ctr" | "lxc" | "incus" => {
            container(review, call)
        }
        "kubectl" | "oc" | "k" => cluster(review, call),
        "helm" | "helmfile" => helm(review, call),
        "terraform" | "tofu" | "terragrunt" | "pulumi" | "cdk" => infrastructure_code(review, call),
        "aws" => aws(review, call),
        "gcloud" | "az" | "gsutil" | "doctl" | "hcloud" | "oci" | "ibmcloud" | "openstack" | "linode-cli"
        | "flyctl" | "fly" | "heroku" | "vercel" | "netlify" | "wrangler" | "firebase" | "cf" | "eksctl" | "kops"
        | "glab" | "gh" | "vault" | "consul" | "nomad" | "etcdctl" | "vagrant" | "virsh" | "qm" | "pct" | "argocd"
        | "flux" | "istioctl" | "calicoctl" | "scw" | "s3cmd" | "ceph" | "rbd" | "gluster" => {
            generic_cloud(review, call)
        }
        "ansible" | "ansible-playbook" | "ansible-pull" | "salt" | "puppet" | "chef-client" | "knife" => {
            configuration(review, call)
        }
        // What these send to many machines is judged as what it is.
        "pdsh" | "pssh" | "parallel-ssh" | "clush" | "dsh" if call.words.len() < 2 => review.add(&rule::INTERACTIVE),
        "packer" if matches!(call.verb(), "build") => review.add(&rule::CLOUD),
        "npm" | "yarn" | "pnpm" | "cargo" | "gem" | "poetry" | "twine"
            if matches!(call.verb(), "publish" | "upload" | "push") =>
        {
            review.add(&rule::SEND)
        }
        _ => {}
    }
}

const CONTAINER_VALUED: &[&str] = &[
    "-H",
    "--host",
    "-c",
    "--context",
    "--config",
    "-l",
    "--log-level",
    "-f",
    "--file",
    "-p",
    "--project-name",
    "--profile",
    "--env-file",
    "--project-directory",
    "--format",
    "--filter",
    "-n",
    "--tail",
    "--since",
    "--until",
];

fn container(review: &mut Review<'_>, call: &Call<'_>) {
    let operands = call.operands("", CONTAINER_VALUED);
    let word = |index: usize| operands.get(index).and_then(|word| word.value.as_deref()).unwrap_or("");
    let compose = word(0) == "compose" || call.program.ends_with("compose");
    let managed = matches!(
        word(0),
        "compose"
            | "container"
            | "volume"
            | "network"
            | "image"
            | "system"
            | "builder"
            | "buildx"
            | "swarm"
            | "service"
            | "stack"
            | "node"
            | "secret"
            | "config"
            | "context"
            | "plugin"
            | "trust"
            | "manifest"
            | "checkpoint"
            | "machine"
            | "pod"
    );
    let verb = if managed { word(1) } else { word(0) };
    let disrupts = matches!(
        verb,
        "rm" | "rmi"
            | "kill"
            | "stop"
            | "restart"
            | "start"
            | "pause"
            | "unpause"
            | "prune"
            | "down"
            | "remove"
            | "delete"
            | "leave"
            | "scale"
            | "update"
            | "rollback"
            | "rename"
            | "disconnect"
            | "connect"
            | "deploy"
            | "drain"
            | "demote"
            | "promote"
            | "init"
            | "join"
            | "uninstall"
            | "disable"
            | "reset"
            | "commit"
            | "rmp"
            | "stopp"
    );
    let reads = call.has("", &["--dry-run"]);
    if disrupts && !reads {
        review.add(&rule::CONTAINER);
    }
    if verb == "cp" {
        review.add(&rule::WRITE_PLAIN);
        if operands.last().and_then(|word| word.value.as_deref()).is_some_and(|target| target.contains(':')) {
            review.add(&rule::CONTAINER);
        }
    }
    if verb == "login" && !call.has("", &["--password-stdin"]) {
        review.add(&rule::INTERACTIVE);
    }
    if !reads {
        container_streams(review, call, verb, compose);
    }
    if matches!(verb, "run" | "create") || (verb == "exec" && !compose) {
        run_container(review, call, verb);
    }
}

fn container_streams(review: &mut Review<'_>, call: &Call<'_>, verb: &str, compose: bool) {
    let limited = call.is_time_limited();
    let streams = match verb {
        "logs" => call.has("f", &["--follow"]),
        "stats" => !call.has("", &["--no-stream"]),
        "events" => !call.has("", &["--until"]),
        "up" if compose => !call.has("d", &["--detach", "--no-start", "--wait"]),
        "watch" if compose => true,
        "wait" => true,
        _ => false,
    };
    if streams && !limited {
        review.add(&rule::STREAM);
    }
    if compose && verb == "up" && call.has("d", &["--detach", "--wait"]) {
        review.add(&rule::CONTAINER);
        review.add(&rule::BACKGROUND);
    }
    if verb == "attach" {
        review.add(&rule::INTERACTIVE);
    }
}

fn run_container(review: &mut Review<'_>, call: &Call<'_>, verb: &str) {
    // Only the words before the image belong to the client; a missing `-t` there is what counts.
    let options: Vec<&str> =
        call.values().skip_while(|value| *value != verb).skip(1).take_while(|value| value.starts_with('-')).collect();
    let cluster = |letter: char| options.iter().any(|option| !option.starts_with("--") && option.contains(letter));
    if cluster('d') || options.contains(&"--detach") {
        review.add(&rule::BACKGROUND);
    }
    let tty = cluster('t') || options.contains(&"--tty");
    let interactive = cluster('i') || options.contains(&"--interactive");
    if verb == "run" && (tty || interactive) && call.reads_terminal() {
        let has_inner_program = call
            .operands(
                "",
                &["-v", "-e", "-p", "-u", "-w", "--name", "--network", "--volume", "--env", "--entrypoint", "--mount"],
            )
            .len()
            > 2;
        if !has_inner_program {
            review.add(&rule::INTERACTIVE);
        }
    }
    let risky = |value: &str| {
        matches!(
            value,
            "--privileged"
                | "--pid=host"
                | "--userns=host"
                | "--ipc=host"
                | "--cap-add=ALL"
                | "--cap-add=SYS_ADMIN"
                | "SYS_ADMIN"
        ) || value.contains("docker.sock")
            || ["/:", "/etc:", "/root:", "/boot:", "/dev:", "/proc:", "/sys:"].iter().any(|mount| {
                value.strip_prefix("-v").unwrap_or(value).trim_start_matches("--volume=").starts_with(mount)
            })
            || value.contains("source=/,")
            || value.contains("src=/,")
    };
    if call.values().any(risky) {
        review.add(&rule::PRIVILEGE);
    }
}

const CLUSTER_VALUED: &[&str] = &[
    "-n",
    "--namespace",
    "--context",
    "--cluster",
    "--kubeconfig",
    "-s",
    "--server",
    "--user",
    "--token",
    "--as",
    "-o",
    "--output",
    "-l",
    "--selector",
    "-c",
    "--container",
    "-f",
    "--filename",
    "--since",
    "--tail",
    "--field-selector",
    "--sort-by",
    "--request-timeout",
];

fn cluster(review: &mut Review<'_>, call: &Call<'_>) {
    let operands = call.operands("", CLUSTER_VALUED);
    let word = |index: usize| operands.get(index).and_then(|word| word.value.as_deref()).unwrap_or("");
    let limited = call.is_time_limited();
    let reads = match word(0) {
        "get" | "describe" | "logs" | "top" | "explain" | "version" | "api-resources" | "api-versions"
        | "cluster-info" | "diff" | "events" | "wait" | "exec" | "rsh" | "plugin" | "completion" | "options"
        | "kustomize" | "help" | "whoami" | "projects" | "status" | "" => true,
        "port-forward" | "proxy" => {
            review.add(&rule::TUNNEL);
            if !limited {
                review.add(&rule::STREAM);
            }
            true
        }
        "edit" | "attach" | "debug" => {
            review.add(&rule::INTERACTIVE);
            word(0) == "attach"
        }
        "adm" => matches!(word(1), "top" | "inspect" | "must-gather" | "node-logs"),
        "config" => matches!(word(1), "view" | "current-context" | "get-contexts" | "get-clusters" | "get-users"),
        "auth" => matches!(word(1), "can-i" | "whoami"),
        "rollout" => matches!(word(1), "status" | "history"),
        "certificate" | "set" => false,
        _ => false,
    };
    if !reads
        && !call
            .values()
            .any(|value| value.starts_with("--dry-run") && !value.ends_with("=none") && !value.ends_with("=false"))
    {
        review.add(&rule::CLUSTER);
    }
    let own: Vec<&str> = call.values().take_while(|value| *value != "--").collect();
    let follows = own.iter().any(|value| {
        matches!(*value, "--follow" | "--follow=true" | "--watch" | "--watch=true" | "--watch-only" | "-w" | "-fw")
    });
    let short_follow = word(0) == "logs"
        && own.iter().any(|value| value.starts_with('-') && !value.starts_with("--") && value.contains('f'));
    if (follows || short_follow) && !limited {
        review.add(&rule::STREAM);
    }
}

fn helm(review: &mut Review<'_>, call: &Call<'_>) {
    let operands = call.operands("n", &["--namespace", "--kube-context", "-f", "--values", "-o", "--output", "--set"]);
    let word = |index: usize| operands.get(index).and_then(|word| word.value.as_deref()).unwrap_or("");
    let reads = match word(0) {
        "list" | "ls" | "get" | "status" | "history" | "show" | "inspect" | "search" | "template" | "lint"
        | "version" | "env" | "pull" | "package" | "create" | "verify" | "diff" | "completion" | "help" | "" => true,
        "repo" => matches!(word(1), "list" | "ls" | "update" | "add" | "index"),
        "dependency" | "dep" | "plugin" => matches!(word(1), "list" | "ls" | "build" | "update"),
        _ => false,
    };
    if !reads && !call.values().any(|value| value.starts_with("--dry-run")) {
        review.add(&rule::CLUSTER);
    }
}

fn infrastructure_code(review: &mut Review<'_>, call: &Call<'_>) {
    let operands = call.operands("", &["--stack", "-s", "--cwd", "-C"]);
    let word = |index: usize| operands.get(index).and_then(|word| word.value.as_deref()).unwrap_or("");
    let reads = match word(0) {
        "plan" | "show" | "output" | "validate" | "fmt" | "version" | "providers" | "graph" | "init" | "get"
        | "preview" | "about" | "whoami" | "synth" | "diff" | "ls" | "list" | "metadata" | "doctor" | "" => true,
        "state" => matches!(word(1), "list" | "show" | "pull"),
        "workspace" => matches!(word(1), "list" | "show" | "select" | "new"),
        "stack" => matches!(word(1), "ls" | "output" | "history" | "graph" | "export" | ""),
        "config" => matches!(word(1), "get" | ""),
        "console" => {
            review.add(&rule::INTERACTIVE);
            true
        }
        _ => false,
    };
    if !reads {
        review.add(&rule::CLOUD);
    }
}

fn aws(review: &mut Review<'_>, call: &Call<'_>) {
    if call.has("", &["--dry-run", "--dryrun"]) {
        return;
    }
    let operands = call.operands("", &["--region", "--profile", "--output", "--query", "--endpoint-url"]);
    let word = |index: usize| operands.get(index).and_then(|word| word.value.as_deref()).unwrap_or("");
    let (service, verb) = (word(0), word(1));
    match (service, verb) {
        ("s3", "cp" | "mv" | "sync") => {
            let target = operands
                .iter()
                .rev()
                .filter_map(|word| word.value.as_deref())
                .find(|value| !value.starts_with('-'))
                .unwrap_or("");
            let last_path = operands.get(3).and_then(|word| word.value.as_deref()).unwrap_or(target);
            if last_path.starts_with("s3://") {
                review.add(&rule::SEND);
            }
            if verb == "mv" || call.has("", &["--delete"]) {
                review.add(&rule::CLOUD);
            }
            review.add(&rule::WRITE_PLAIN);
        }
        ("s3", "ls" | "presign")
        | ("configure", "list" | "get" | "list-profiles")
        | ("", _)
        | ("help", _)
        | (_, "help" | "wait") => {}
        ("logs", "tail") => {
            if call.has("", &["--follow"]) && !call.is_time_limited() {
                review.add(&rule::STREAM);
            }
        }
        ("ssm", "start-session") | ("configure" | "sso", _) => review.add(&rule::INTERACTIVE),
        _ => {
            let reads = [
                "describe-",
                "list-",
                "get-",
                "head-",
                "batch-get-",
                "lookup-",
                "search-",
                "select-",
                "view-",
                "validate-",
                "estimate-",
                "simulate-",
                "test-",
                "decode-",
                "scan",
                "query",
                "filter-",
                "preview-",
                "check-",
                "verify-",
                "start-query",
            ];
            if !reads.iter().any(|prefix| verb.starts_with(prefix)) {
                review.add(&rule::CLOUD);
            }
        }
    }
}

fn generic_cloud(review: &mut Review<'_>, call: &Call<'_>) {
    const CHANGING: &[&str] = &[
        "delete",
        "destroy",
        "remove",
        "rm",
        "rb",
        "rmdir",
        "purge",
        "reset",
        "stop",
        "restart",
        "reboot",
        "terminate",
        "deallocate",
        "drop",
        "revoke",
        "detach",
        "disable",
        "drain",
        "suspend",
        "resize",
        "scale",
        "rollback",
        "rollover",
        "shutdown",
        "undefine",
        "unset",
        "cancel",
        "close",
        "merge",
        "archive",
        "put",
        "del",
        "seal",
        "halt",
        "abandon",
        "failover",
        "promote-replica",
        "restore",
        "update",
        "set",
        "patch",
        "create",
        "deploy",
        "apply",
        "start",
        "up",
        "down",
        "mv",
        "cp",
        "rsync",
        "edit",
        "rename",
        "transfer",
        "sync",
        "add-iam-policy-binding",
        "remove-iam-policy-binding",
        "pg:reset",
        "apps:destroy",
        "ps:scale",
        "ps:restart",
        "config:set",
        "config:unset",
        "ps:stop",
        "import",
        "rerun",
        "lock",
        "unlock",
        "disable-protection",
        "uninstall",
        "release",
        "leave",
        "force-leave",
        "stop-instances",
        "wipe",
        "erase",
        "migrate",
        "write",
        "ssh",
        "secret",
    ];
    let operands = call.operands(
        "",
        &[
            "--project",
            "--zone",
            "--region",
            "--resource-group",
            "-g",
            "-n",
            "--name",
            "-R",
            "--repo",
            "--subscription",
            "-c",
            "--format",
            "--output",
            "-o",
            "--filter",
            "-p",
            "--search",
            "--query",
            "--json",
            "--jq",
            "-q",
            "-t",
            "--app",
            "-a",
        ],
    );
    // Fetching from a bucket changes nothing there.
    let fetches = matches!(call.program, "gsutil" | "gcloud" | "s3cmd" | "az")
        && operands.iter().any(|word| matches!(word.value.as_deref(), Some("cp" | "get" | "rsync")))
        && operands.last().and_then(|word| word.value.as_deref()).is_some_and(|target| !target.contains("://"))
        && !call.has("d", &["--delete-unmatched-destination-objects"]);
    if fetches {
        review.add(&rule::WRITE_PLAIN);
        return;
    }
    if call.program == "az" && call.has_word(&["upload", "upload-batch"]) {
        review.add(&rule::SEND);
    }
    if call.program == "vagrant" && call.verb() == "ssh" && call.has("c", &["--command"]) {
        return;
    }
    let changes = operands.iter().take(4).filter_map(|word| word.value.as_deref()).any(|word| CHANGING.contains(&word));
    let reads = call.has("", &["--dry-run", "--dryrun", "--validate-only"])
        || operands.iter().take(3).any(|word| {
            matches!(
                word.value.as_deref(),
                Some("list" | "ls" | "describe" | "show" | "get" | "view" | "status" | "diff" | "checks")
            )
        });
    let destroys = operands
        .iter()
        .take(4)
        .filter_map(|word| word.value.as_deref())
        .any(|word| matches!(word, "delete" | "destroy" | "purge" | "terminate"));
    if (changes && !reads) || (destroys && !call.has("", &["--dry-run"])) {
        review.add(&rule::CLOUD);
    }
    match call.program {
        "gh" | "glab" => {
            let method = call.option_text('X', &["--method"]).is_some_and(|method| !method.eq_ignore_ascii_case("GET"));
            let fields = call.verb() == "api"
                && call.has("fF", &["--field", "--raw-field", "--input"])
                && call.option_text('X', &["--method"]).is_none();
            if method || fields {
                review.add(&rule::CLOUD);
            }
            if call.verb() == "workflow" && call.has_word(&["run", "enable"]) {
                review.add(&rule::CLOUD);
            }
            if call.has_word(&["watch"]) && !call.is_time_limited() {
                review.add(&rule::STREAM);
            }
            if call.verb() == "auth" && call.has_word(&["login"]) {
                review.add(&rule::INTERACTIVE);
            }
        }
        "virsh" if call.has_word(&["console", "edit"]) => review.add(&rule::INTERACTIVE),
        _ => {}
    }
    if call.has_word(&["tail", "logs", "monitor"]) && call.has("ft", &["--follow", "--tail"]) && !call.is_time_limited()
    {
        review.add(&rule::STREAM);
    }
}

fn configuration(review: &mut Review<'_>, call: &Call<'_>) {
    let reads = match call.program {
        "ansible-playbook" => {
            call.has("C", &["--check", "--syntax-check", "--list-hosts", "--list-tasks", "--list-tags"])
        }
        "ansible"
            if call.has("a", &["--args"])
                && call
                    .option_text('m', &["--module-name"])
                    .is_none_or(|module| matches!(module.rsplit('.').next(), Some("command" | "shell" | "raw"))) =>
        {
            true
        }
        "ansible" => {
            call.option_text('m', &["--module-name"])
                .is_some_and(|module| matches!(module.rsplit('.').next(), Some("ping" | "setup" | "debug" | "stat")))
                || call.has("C", &["--check", "--list-hosts"])
        }
        "puppet" => call.has("", &["--noop"]) || call.has_word(&["facts", "resource", "parser", "lookup"]),
        "knife" => call.has_word(&["list", "show", "status", "search"]),
        "salt" => {
            call.has_word(&["test.ping", "cmd.run"])
                || call.values().any(|value| value.starts_with("grains.") || value == "test=True")
        }
        _ => call.has("", &["--why-run", "--check"]),
    };
    if !reads {
        review.add(&rule::OPAQUE);
    }
}
