//! The same files, read by us and by `ssh -G`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis_ssh_config::{AgentSocket, Files, HostOptions, Query, aliases, resolve};

/// A home with a configuration, for both.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(".ssh")).unwrap();
        for (name, text) in files {
            let path = folder.path().join(".ssh").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text.replace("@HOME@", &folder.path().display().to_string())).unwrap();
        }
        Self { folder }
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join(".ssh/config")
    }

    fn files(&self) -> Files {
        Files::new(Some(self.config()), None)
    }

    fn ours(&self, host: &str) -> HostOptions {
        let user = local_user();
        let environment = |name: &str| std::env::var(name).ok();
        let query = self.query(host, &user, &environment);
        resolve(&self.files(), &query).unwrap()
    }

    fn query<'a>(&'a self, host: &'a str, user: &'a str, environment: &'a dyn Fn(&str) -> Option<String>) -> Query<'a> {
        Query {
            host,
            user: None,
            port: None,
            local_user: user,
            local_host: "here",
            home: self.folder.path(),
            environment,
        }
    }

    /// Keyword to values, as `ssh -G` prints them. `ssh` takes the home from the account, so paths
    /// in it are given in full by the test's files or compared with the account's.
    fn theirs(&self, host: &str) -> BTreeMap<String, Vec<String>> {
        let output = Command::new("ssh")
            .args(["-G", "-F"])
            .arg(self.config())
            .arg(host)
            .output()
            .expect("ssh is needed; install it: apt-get install -y openssh-client");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut values = BTreeMap::<String, Vec<String>>::new();
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
            values.entry(keyword.to_owned()).or_default().push(value.to_owned());
        }
        values
    }

    fn compare(&self, host: &str) {
        let (ours, theirs) = (self.ours(host), self.theirs(host));
        let one = |keyword: &str| theirs.get(keyword).and_then(|values| values.first()).cloned().unwrap_or_default();
        let many = |keyword: &str| theirs.get(keyword).cloned().unwrap_or_default();
        let yes = |flag: bool| if flag { "yes" } else { "no" }.to_owned();
        assert_eq!(ours.host_name, one("hostname"), "{host}: hostname");
        assert_eq!(ours.user, one("user"), "{host}: user");
        assert_eq!(ours.port.to_string(), one("port"), "{host}: port");
        assert_eq!(yes(ours.identities_only), one("identitiesonly"), "{host}: identitiesonly");
        assert_eq!(ours.server_alive_interval_s.to_string(), one("serveraliveinterval"), "{host}");
        assert_eq!(ours.server_alive_count_max.to_string(), one("serveralivecountmax"), "{host}");
        let timeout = ours.connect_timeout_s.map_or("none".to_owned(), |seconds| seconds.to_string());
        assert_eq!(timeout, one("connecttimeout"), "{host}: connecttimeout");
        assert_eq!(yes(ours.password_authentication), one("passwordauthentication"), "{host}");
        assert_eq!(ours.host_key_alias.clone().unwrap_or_default(), one("hostkeyalias"), "{host}: hostkeyalias");
        if !ours.identity_files.is_empty() {
            assert_eq!(
                texts(&ours.identity_files),
                expanded(many("identityfile"), self, &ours, host),
                "{host}: identityfile"
            );
        }
        assert_eq!(
            texts(&ours.certificate_files),
            expanded(many("certificatefile"), self, &ours, host),
            "{host}: certificatefile"
        );
        let set: Vec<String> = ours.set_env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(set, many("setenv"), "{host}: setenv");
        assert_eq!(jumps(&ours), one("proxyjump"), "{host}: proxyjump");
        assert_eq!(ours.proxy_command.clone().unwrap_or_default(), one("proxycommand"), "{host}: proxycommand");
        assert_eq!(yes(ours.proxy_use_fdpass), one("proxyusefdpass"), "{host}: proxyusefdpass");
        if let AgentSocket::Path(path) = &ours.identity_agent {
            assert_eq!(
                vec![path.display().to_string()],
                expanded(many("identityagent"), self, &ours, host),
                "{host}: identityagent"
            );
        }
        if many("userknownhostsfile").iter().all(|value| !value.contains("known_hosts2")) {
            let named = one("userknownhostsfile");
            assert_eq!(texts(&ours.user_known_hosts_files).join(" "), named, "{host}: userknownhostsfile");
        }
    }
}

fn texts(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|path| path.display().to_string()).collect()
}

/// `ssh -G` shows paths as they are written; what `ssh` puts for the tokens when it uses them is in
/// ssh_config(5).
fn expanded(values: Vec<String>, home: &Home, ours: &HostOptions, host: &str) -> Vec<String> {
    let expand = |value: String| {
        let value = match value.strip_prefix("~/") {
            Some(rest) => home.folder.path().join(rest).display().to_string(),
            None => value,
        };
        value.replace("%r", &ours.user).replace("%n", host).replace("%p", &ours.port.to_string())
    };
    values.into_iter().map(expand).collect()
}

fn jumps(options: &HostOptions) -> String {
    let hop = |hop: &portcullis_ssh_config::JumpHost| {
        let user = hop.user.as_ref().map_or(String::new(), |user| format!("{user}@"));
        let port = hop.port.map_or(String::new(), |port| format!(":{port}"));
        format!("{user}{}{port}", hop.host)
    };
    options.proxy_jump.iter().map(hop).collect::<Vec<_>>().join(",")
}

fn local_user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn the_first_value_wins_and_wildcards_add() {
    let home = Home::new(&[(
        "config",
        "# mine\nHost web1 web2\n  HostName %h.example.com\n  User deploy\n  Port=2222\n  IdentityFile @HOME@/.ssh/deploy\n\nHost *.internal !secret.internal\n  ProxyJump ann@gw:2200,second\n  ServerAliveInterval 1m\n\nHost *\n  User nobody\n  ServerAliveInterval 30\n  ServerAliveCountMax 5\n  ConnectTimeout 10\n  IdentityFile @HOME@/.ssh/id_ed25519\n  SetEnv A=1 B=\"x y\"\n  SetEnv C=3\n",
    )]);
    for host in ["web1", "web2", "a.internal", "secret.internal", "other", "WEB1", "10.0.0.1"] {
        home.compare(host);
    }
}

#[test]
fn match_looks_at_what_is_known_by_then() {
    let home = Home::new(&[(
        "config",
        "Host db\n  HostName db.example.com\n  User postgres\nMatch host *.example.com user postgres\n  Port 5522\nMatch originalhost db,cache !user root\n  IdentitiesOnly yes\nMatch host=cache\n  HostKeyAlias shared\nMatch all\n  PasswordAuthentication no\nMatch user root\n  ConnectTimeout 3\n",
    )]);
    for host in ["db", "cache", "x.example.com", "y"] {
        home.compare(host);
    }
}

#[test]
fn match_final_is_read_again_at_the_end() {
    let home = Home::new(&[(
        "config",
        "Match final host *.example.com\n  Port 2200\n  IdentityFile @HOME@/final\nHost short\n  HostName long.example.com\n  IdentityFile @HOME@/first\nHost *\n  User ann\n",
    )]);
    for host in ["short", "other"] {
        home.compare(host);
    }
}

#[test]
fn includes_are_read_where_they_stand() {
    let home = Home::new(&[
        (
            "config",
            "Include @HOME@/.ssh/conf.d/*.conf\nHost inner\n  Include @HOME@/.ssh/only-inner\nHost *\n  Port 22\n  User last\n",
        ),
        ("conf.d/10-first.conf", "Host a\n  User first\n  Port 1010\n"),
        ("conf.d/20-second.conf", "Host a b\n  User second\n  Port 2020\n"),
        ("only-inner", "User inside\nHost c\n  User never\n"),
    ]);
    for host in ["a", "b", "c", "inner"] {
        home.compare(host);
    }
}

#[test]
fn tokens_quotes_and_odd_spacing() {
    let home = Home::new(&[(
        "config",
        "host\tq\n\tuser = \"ann lee\"\n    identityfile \"@HOME@/my keys/%r@%n\"\n  certificatefile=@HOME@/cert-%p\n  IdentityAgent @HOME@/agent-%r.sock\n  userknownhostsfile @HOME@/kh1 @HOME@/kh2\n  PROXYCOMMAND nc -x proxy:1080 %h %p\nhost r # trailing\n  hostname R.Example.COM\n",
    )]);
    for host in ["q", "r"] {
        home.compare(host);
    }
}

#[test]
fn of_a_jump_and_a_command_the_first_counts() {
    let home = Home::new(&[(
        "config",
        "Host a\n  ProxyJump gate\nHost b\n  ProxyCommand nc %h %p # kept\n  ProxyUseFdpass yes\nHost c\n  ProxyCommand none\nHost d\n  ProxyJump none\nHost *\n  ProxyCommand other %%h\n  ProxyJump last\n",
    )]);
    for host in ["a", "b", "c", "d", "e"] {
        home.compare(host);
    }
}

#[test]
fn switched_off_is_off() {
    let home = Home::new(&[(
        "config",
        "Host direct\n  ProxyJump none\n  IdentityAgent none\nHost *\n  ProxyJump gw\n  IdentityAgent SSH_AUTH_SOCK\n",
    )]);
    for host in ["direct", "other"] {
        home.compare(host);
    }
    assert_eq!(home.ours("direct").identity_agent, AgentSocket::None);
    assert_eq!(home.ours("other").identity_agent, AgentSocket::Environment);
}

#[test]
fn a_person_s_names_for_hosts_are_listed() {
    let home = Home::new(&[("config", "Host web1 web2 *.internal\nHost !x y\nMatch all\nHost web1\n")]);
    let environment = |_: &str| None;
    let query = home.query("", "ann", &environment);
    assert_eq!(aliases(&home.files(), &query).unwrap(), ["web1", "web2", "y"]);
    assert!(Path::new(&home.config()).exists());
}
