//! What all rows share: a scratch folder with the shells' login scripts, users, servers.
//!
//! Everything lies below one scratch folder. Users with passwords exist only inside a private mount
//! namespace (see `namespace.rs`), so the machine's own accounts are never touched.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use e2e::mcp::program;
use e2e::sshd::{Server, Sshd, SshdOptions, free_port};

use crate::shells::{Shell, Transport};

/// Longest a row waits for something that should happen: generous, the machine may be loaded.
pub(crate) const PATIENCE: Duration = Duration::from_secs(45);

/// Users of the private namespace, all with [`PASSWORD`].
pub(crate) const USER: &str = "walker";
pub(crate) const OTHER_USER: &str = "second";
/// Its login shell is BusyBox ash, for Dropbear.
pub(crate) const ASH_USER: &str = "ashuser";
pub(crate) const PASSWORD: &str = "walk-the-Line-42";
pub(crate) const USER_ID: u32 = 4242;

/// A number nobody else in this process gets.
pub(crate) fn unique() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Spread, so that two nonces do not look alike.
    NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b1) ^ std::process::id()
}

pub(crate) struct World {
    pub(crate) folder: PathBuf,
    servers: OnceLock<Servers>,
    postgres: OnceLock<Result<PathBuf, String>>,
    /// Users with passwords exist.
    pub(crate) has_users: bool,
}

/// The SSH servers, started when the first remote row needs them.
pub(crate) struct Servers {
    pub(crate) openssh: Sshd,
    pub(crate) dropbear: Option<Sshd>,
    ports: Vec<(Shell, Transport, u16)>,
}

impl World {
    pub(crate) fn new(folder: PathBuf, has_users: bool) -> Self {
        let world = Self { folder, servers: OnceLock::new(), postgres: OnceLock::new(), has_users };
        for name in ["bin", "login", "skeleton", "files", "homes", "sockets"] {
            std::fs::create_dir_all(world.folder.join(name)).expect("a scratch folder can be written");
        }
        for name in ["", "files", "homes", "sockets"] {
            let mode = if name.is_empty() { 0o755 } else { 0o1777 };
            std::fs::set_permissions(world.folder.join(name), std::fs::Permissions::from_mode(mode))
                .expect("own folder");
        }
        // Without it fish reads all manual pages in the background, in each new home, and goes on after its end.
        std::fs::create_dir_all(world.folder.join("skeleton/.local/share/fish/generated_completions"))
            .expect("a scratch folder can be written");
        world.write_programs();
        for shell in Shell::ALL {
            world.write_login_script(*shell);
        }
        world
    }

    /// The lab's program, beside the one under test.
    pub(crate) fn lab(&self) -> PathBuf {
        let lab = program().with_file_name("portcullis-lab");
        assert!(lab.exists(), "{} is missing; build it: cargo build --release -p lab", lab.display());
        lab
    }

    fn write_programs(&self) {
        let lab = self.lab();
        self.script("bin/kubectl", &format!("#!/bin/sh\nexec {} kubectl \"$@\"\n", lab.display()));
        self.script("bin/lab", &format!("#!/bin/sh\nexec {} \"$@\"\n", lab.display()));
        let ash = self.folder.join("bin/ash");
        if !ash.exists() {
            std::os::unix::fs::symlink("/usr/bin/busybox", ash).expect("a link in the scratch folder");
        }
        // Without these files zsh asks a new user what to put into them, and bash shows Debian's prompt.
        for (name, content) in [(".zshrc", "# empty\n"), (".bashrc", "PS1='\\u@inner:\\w\\$ '\n")] {
            std::fs::write(self.folder.join("skeleton").join(name), content).expect("scratch");
        }
    }

    fn write_login_script(&self, shell: Shell) {
        let (file, package) = shell.package();
        assert!(Path::new(file).exists(), "{file} is missing; run: apt-get install -y {package}");
        let folder = self.folder.display();
        let text = format!(
            "#!/bin/sh\nhome=$(mktemp -d {folder}/homes/XXXXXXXX)\ncp -r {folder}/skeleton/. \"$home\"\n\
             export HOME=\"$home\" PATH={folder}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
             LC_ALL=C.UTF-8 PORTCULLIS_LAB_HOME={folder}/lab\nunset MAIL ENV\ncd \"$home\"\nexec {}\n",
            shell.command()
        );
        self.script(&format!("login/{}", shell.name()), &text);
        let slow = format!(
            "#!/bin/sh\nexec {} slow-terminal --latency-ms 300 --jitter-ms 200 --chunk-bytes 1 -- {folder}/login/{}\n",
            self.lab().display(),
            shell.name()
        );
        self.script(&format!("login/slow-{}", shell.name()), &slow);
    }

    /// A program in the scratch folder.
    pub(crate) fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        std::fs::write(&path, text).expect("scratch");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("own file");
        path
    }

    pub(crate) fn login_script(&self, shell: Shell) -> PathBuf {
        self.folder.join("login").join(shell.name())
    }

    /// A new file for one row, readable by all.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.folder.join("files").join(format!("{:08x}-{name}", unique()));
        std::fs::write(&path, content).expect("scratch");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).expect("own file");
        path.display().to_string()
    }

    /// A name in the scratch folder that no file has yet.
    pub(crate) fn new_path(&self, name: &str) -> String {
        self.folder.join("files").join(format!("{:08x}-{name}", unique())).display().to_string()
    }

    pub(crate) fn servers(&self) -> &Servers {
        self.servers.get_or_init(|| self.start_servers())
    }

    /// One sshd that listens once per shell and transport; its forced command looks at the port.
    fn start_servers(&self) -> Servers {
        let mut ports = Vec::new();
        let mut dispatch = String::from("#!/bin/sh\ncase ${SSH_CONNECTION##* } in\n");
        for shell in Shell::ALL {
            for (transport, prefix) in [(Transport::Sshd, ""), (Transport::Slow, "slow-")] {
                let port = free_port();
                dispatch.push_str(&format!(
                    "{port}) exec {}/login/{prefix}{};;\n",
                    self.folder.display(),
                    shell.name()
                ));
                ports.push((*shell, transport, port));
            }
        }
        // The server's first port is for rows that run ssh themselves: whatever they ask for, or a shell.
        dispatch.push_str("esac\nif [ -n \"$SSH_ORIGINAL_COMMAND\" ]; then exec sh -c \"$SSH_ORIGINAL_COMMAND\"; fi\n");
        dispatch.push_str(&format!("exec {}/login/bash\n", self.folder.display()));
        let forced = self.script("login/dispatch", &dispatch);
        let mut config_lines = vec![
            format!("ForceCommand {}", forced.display()),
            "MaxStartups 200".to_owned(),
            "PasswordAuthentication yes".to_owned(),
        ];
        config_lines.extend(ports.iter().map(|(_, _, port)| format!("ListenAddress 127.0.0.1:{port}")));
        let openssh = Sshd::start(SshdOptions { config_lines, ..SshdOptions::default() });
        Servers { openssh, dropbear: self.has_users.then(|| self.start_dropbear()), ports }
    }

    fn start_dropbear(&self) -> Sshd {
        let dropbear = Sshd::start(SshdOptions { server: Server::Dropbear, ..SshdOptions::default() });
        let home = self.folder.join("users").join(ASH_USER).join(".ssh");
        std::fs::create_dir_all(&home).expect("the user's home");
        std::fs::copy(dropbear.user_key().with_extension("pub"), home.join("authorized_keys"))
            .expect("the user's home");
        run(Command::new("chown").arg("-R").arg(ASH_USER).arg(self.folder.join("users").join(ASH_USER)));
        run(Command::new("chmod").arg("-R").arg("go-w").arg(self.folder.join("users").join(ASH_USER)));
        dropbear
    }

    /// A PostgreSQL server of this run; the folder of its socket.
    ///
    /// # Errors
    /// Says what is missing or what the server said.
    pub(crate) fn postgres(&self) -> Result<PathBuf, String> {
        self.postgres.get_or_init(|| self.start_postgres()).clone()
    }

    fn start_postgres(&self) -> Result<PathBuf, String> {
        let install = "run: apt-get install -y postgresql";
        let versions = std::fs::read_dir("/usr/lib/postgresql").map_err(|_| install.to_owned())?;
        let newest = versions.filter_map(Result::ok).map(|entry| entry.path().join("bin")).max().ok_or(install)?;
        let data = self.folder.join("users").join(USER).join("postgres");
        let sockets = self.folder.join("sockets");
        let as_user = |program: &str| {
            // PostgreSQL refuses to run as root.
            let mut command = Command::new("setpriv");
            command.args([format!("--reuid={USER_ID}"), format!("--regid={USER_ID}"), "--clear-groups".to_owned()]);
            command.arg("env").arg("LC_ALL=C.UTF-8").arg(newest.join(program)).arg("-D").arg(&data);
            command.current_dir("/");
            command
        };
        output(as_user("initdb").args(["-A", "trust", "-U", USER, "--no-sync"]))?;
        let options = format!("-k {} -c listen_addresses='' -c fsync=off", sockets.display());
        output(as_user("pg_ctl").args(["-w", "-l"]).arg(data.with_extension("log")).args(["-o", &options, "start"]))?;
        Ok(sockets)
    }

    /// Ends the servers that do not end by being dropped.
    pub(crate) fn close(&self) {
        let Some(Ok(_)) = self.postgres.get() else { return };
        let data = self.folder.join("users").join(USER).join("postgres");
        let Ok(text) = std::fs::read_to_string(data.join("postmaster.pid")) else { return };
        if let Some(pid) = text.lines().next() {
            run(Command::new("kill").args(["-QUIT", pid]));
        }
    }
}

impl Servers {
    /// The product's profiles, one per shell and transport.
    pub(crate) fn profiles(&self) -> String {
        let sshd = &self.openssh;
        let key = sshd.host_public_key("ed25519");
        let lines: Vec<String> = self.ports.iter().map(|(_, _, port)| format!("[127.0.0.1]:{port} {key}\n")).collect();
        let known_hosts = sshd.write_file("known_hosts_of_all", &lines.concat());
        let mut text = String::from("\n[defaults]\npolicy_mode = \"full\"\n");
        for (shell, transport, port) in &self.ports {
            let name = profile_name(*shell, *transport);
            text.push_str(&profile(&name, *port, sshd.user(), sshd, &known_hosts));
        }
        // One channel, two encodings: what the host itself writes, and what a pod behind it writes.
        if let Some((.., port)) = self.ports.iter().find(|(of, over, _)| (*of, *over) == (Shell::Bash, Transport::Sshd))
        {
            text.push_str(&profile("gbk", *port, sshd.user(), sshd, &known_hosts));
            text.push_str("encoding = \"gbk\"\n");
        }
        if let Some(dropbear) = &self.dropbear {
            text.push_str(&profile("dropbear", dropbear.port(), ASH_USER, dropbear, &dropbear.known_hosts()));
        }
        text
    }
}

pub(crate) fn profile_name(shell: Shell, transport: Transport) -> String {
    format!("{}-{}", transport.name(), shell.name())
}

fn profile(name: &str, port: u16, user: &str, server: &Sshd, known_hosts: &Path) -> String {
    format!(
        "\n[profiles.{name}]\nhost = \"127.0.0.1\"\nport = {port}\nuser = {user:?}\nauth = [{{ key_file = {:?} }}]\nknown_hosts = [{:?}]\n",
        server.user_key().display().to_string(),
        known_hosts.display().to_string()
    )
}

fn run(command: &mut Command) {
    if let Err(problem) = output(command) {
        panic!("{problem}");
    }
}

/// What the program printed.
///
/// # Errors
/// When it is missing or fails.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{:?}: {error}", command.get_program()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{command:?} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr)))
}
