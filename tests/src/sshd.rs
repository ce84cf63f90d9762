//! A real SSH server on loopback for one test: OpenSSH or Dropbear, with throwaway keys in a scratch
//! directory, ended when dropped.
//!
//! It runs as the present user and lets that user in with the generated key. Nothing outside the scratch
//! directory is written, except that sshd run by root insists on an empty `/run/sshd`, and that PAM looks for
//! its services in `/etc/pam.d`. Blocking; asynchronous
//! tests call it from where blocking is allowed, which at their start is anywhere.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a kit that cannot start its server fails the test that needs it, and says why"
)]

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::Duration,
};

use rustix::process::{Pid, kill_process};
use tempfile::TempDir;

pub use rustix::process::Signal;

/// Keys of this size are made in a moment and still accepted everywhere.
const RSA_BITS: &str = "2048";
const START_LIMIT: Duration = Duration::from_secs(10);
/// Another process may take the free port first; that is rare, so a few attempts are plenty.
const START_ATTEMPTS: usize = 5;

/// Which server program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Server {
    #[default]
    OpenSsh,
    /// Its user's home is a folder in the scratch directory, and the shell `/bin/sh`.
    Dropbear,
}

impl Server {
    /// What the server says once its port is open.
    fn listening_words(self) -> &'static str {
        match self {
            Self::OpenSsh => "Server listening on",
            Self::Dropbear => "Not backgrounding",
        }
    }
}

/// How a private key file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyFormat {
    #[default]
    OpenSsh,
    Pem,
    Pkcs8,
}

/// What the server and its one user look like.
#[derive(Debug, Clone)]
pub struct SshdOptions {
    pub server: Server,
    /// Types as `ssh-keygen -t` names them; one host key is made of each.
    pub host_key_types: Vec<&'static str>,
    /// Signs the host keys with an authority of its own and presents the certificates (OpenSSH only).
    pub host_certificate: Option<HostCertificate>,
    pub user_key_type: &'static str,
    pub user_key_format: KeyFormat,
    pub user_key_passphrase: Option<String>,
    /// Asks two questions through PAM, `Password: ` and `STRESS Password: `, one after the other; this is the
    /// answer to the first, and any will do for the second (OpenSSH on Linux, run by root only).
    pub pam_password: Option<String>,
    /// Further lines of `sshd_config` (OpenSSH only).
    pub config_lines: Vec<String>,
}

/// What a host certificate says, in the words of `ssh-keygen -n` and `-V`.
#[derive(Debug, Clone)]
pub struct HostCertificate {
    pub host_names: String,
    pub validity: String,
}

impl Default for SshdOptions {
    fn default() -> Self {
        Self {
            server: Server::OpenSsh,
            host_key_types: vec!["ed25519"],
            host_certificate: None,
            user_key_type: "ed25519",
            user_key_format: KeyFormat::OpenSsh,
            user_key_passphrase: None,
            pam_password: None,
            config_lines: Vec::new(),
        }
    }
}

/// A running server.
pub struct Sshd {
    child: Child,
    port: u16,
    user: String,
    options: SshdOptions,
    directory: TempDir,
    log: Log,
    _pam_service: Option<PamService>,
}

impl Sshd {
    /// Makes the keys and starts the server; returns once its port is open.
    ///
    /// # Panics
    /// When a program is missing or the server does not start; the message says what to install or what
    /// the server said.
    #[must_use]
    pub fn start(options: SshdOptions) -> Self {
        let directory = tempfile::tempdir().expect("a scratch directory");
        for key_type in &options.host_key_types {
            make_host_key(options.server, key_type, &host_key_file(directory.path(), key_type));
            if let Some(certificate) = &options.host_certificate {
                sign_host_key(directory.path(), key_type, certificate);
            }
        }
        let user_key = directory.path().join("user_key");
        make_key(options.user_key_type, &user_key, options.user_key_format, options.user_key_passphrase.as_deref());
        fs::copy(user_key.with_extension("pub"), directory.path().join("authorized_keys")).unwrap();
        let user = output_of(Command::new("id").arg("-un"));
        let pam_service = options.pam_password.as_deref().map(|password| PamService::write(directory.path(), password));
        for _ in 1..START_ATTEMPTS {
            if let Some((child, port, log)) = launch(&options, directory.path()) {
                return Self { child, port, user, options, directory, log, _pam_service: pam_service };
            }
        }
        panic!("no free port was found for an SSH server in {START_ATTEMPTS} attempts");
    }

    #[must_use]
    pub fn host(&self) -> &'static str {
        "127.0.0.1"
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The user that may log in: the one that runs the test.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The private key with which that user logs in.
    #[must_use]
    pub fn user_key(&self) -> PathBuf {
        self.directory.path().join("user_key")
    }

    /// Type and base64 of a host key, as in its `.pub` file, without the comment.
    #[must_use]
    pub fn host_public_key(&self, key_type: &str) -> String {
        let file = host_key_file(self.directory.path(), key_type).with_extension("pub");
        type_and_key(&fs::read_to_string(file).unwrap())
    }

    /// The line that records a host key of this server.
    #[must_use]
    pub fn known_hosts_line(&self, key_type: &str) -> String {
        format!("[{}]:{} {}", self.host(), self.port, self.host_public_key(key_type))
    }

    /// A file that records all host keys of this server.
    #[must_use]
    pub fn known_hosts(&self) -> PathBuf {
        let lines: Vec<String> =
            self.options.host_key_types.iter().map(|key_type| self.known_hosts_line(key_type)).collect();
        self.write_file("known_hosts", &(lines.join("\n") + "\n"))
    }

    /// Type and base64 of the authority that signed the host certificates.
    #[must_use]
    pub fn authority_public_key(&self) -> String {
        type_and_key(&fs::read_to_string(authority_file(self.directory.path()).with_extension("pub")).unwrap())
    }

    /// A further key that this server neither has nor accepts: its private file, and its public type and
    /// base64.
    #[must_use]
    pub fn foreign_key(&self, key_type: &str) -> (PathBuf, String) {
        let file = self.directory.path().join(format!("foreign_{key_type}"));
        if !file.exists() {
            make_key(key_type, &file, KeyFormat::OpenSsh, None);
        }
        let public = type_and_key(&fs::read_to_string(file.with_extension("pub")).unwrap());
        (file, public)
    }

    /// Writes a file for its owner only into the scratch directory.
    #[must_use]
    pub fn write_file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// Sends a signal to the processes that serve the open connections.
    ///
    /// # Panics
    /// When there is none.
    pub fn signal_connections(&self, signal: Signal) {
        let listener = self.child.id();
        let children = fs::read_to_string(format!("/proc/{listener}/task/{listener}/children")).unwrap();
        assert!(!children.trim().is_empty(), "no connection is open");
        for process in children.split_whitespace() {
            let process = Pid::from_raw(process.parse().unwrap()).unwrap();
            // An error means that it has ended in this moment.
            let _ = kill_process(process, signal);
        }
    }

    /// What the server has said so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Waits until the server's log contains `wanted`; false when it does not in time.
    #[must_use]
    pub fn log_contains_within(&self, wanted: &str, limit: Duration) -> bool {
        self.log.wait_for(limit, |log| log.text.contains(wanted))
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // Both errors mean that it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A PAM service of one server, taken out again when dropped. PAM looks for services in one folder of the
/// system only, and sshd calls its own after the name it was started by.
struct PamService(PathBuf);

impl PamService {
    fn write(directory: &Path, password: &str) -> Self {
        let check = directory.join("check_password");
        // PAM gives its programs no PATH, so only what the shell itself can do.
        let script = format!("#!/bin/sh\nread -r answer\n[ \"$answer\" = '{password}' ]\n");
        fs::write(&check, script).unwrap();
        fs::set_permissions(&check, fs::Permissions::from_mode(0o700)).unwrap();
        let program = pam_program(directory);
        std::os::unix::fs::symlink("/usr/sbin/sshd", &program).unwrap();
        let service = Self(Path::new("/etc/pam.d").join(program.file_name().unwrap()));
        let lines = format!(
            "auth requisite pam_exec.so expose_authtok quiet {}\nauth requisite pam_stress.so\n\
             account required pam_permit.so\nsession required pam_permit.so\n",
            check.display()
        );
        fs::write(&service.0, lines).expect("root may write a PAM service");
        service
    }
}

impl Drop for PamService {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Whether [`SshdOptions::pam_password`] can be used: only root can write a PAM service.
#[must_use]
pub fn may_ask_through_pam() -> bool {
    rustix::process::geteuid().is_root() && Path::new("/etc/pam.d").is_dir()
}

/// sshd under a name of its own, which is that of its PAM service.
fn pam_program(directory: &Path) -> PathBuf {
    // PAM knows services in lower case only.
    let unique = directory.file_name().unwrap().to_string_lossy().replace('.', "").to_lowercase();
    directory.join(format!("portcullis-{unique}"))
}

/// Makes a key pair `file` and `file.pub`.
///
/// # Panics
/// When `ssh-keygen` is missing or refuses.
pub fn make_key(key_type: &str, file: &Path, format: KeyFormat, passphrase: Option<&str>) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", key_type, "-C", "", "-N", passphrase.unwrap_or_default(), "-f"]).arg(file);
    if key_type == "rsa" {
        command.args(["-b", RSA_BITS]);
    }
    match format {
        KeyFormat::OpenSsh => {}
        KeyFormat::Pem => drop(command.args(["-m", "PEM"])),
        KeyFormat::Pkcs8 => drop(command.args(["-m", "PKCS8"])),
    }
    output_of(&mut command);
}

fn make_host_key(server: Server, key_type: &str, file: &Path) {
    match server {
        Server::OpenSsh => make_key(key_type, file, KeyFormat::OpenSsh, None),
        Server::Dropbear => {
            output_of(Command::new("dropbearkey").args(["-t", key_type, "-f"]).arg(file));
            let shown = output_of(Command::new("dropbearkey").arg("-y").arg("-f").arg(file));
            let public = shown.lines().find(|line| line.contains(" AAAA")).expect("dropbearkey shows the public key");
            fs::write(file.with_extension("pub"), public).unwrap();
        }
    }
}

/// Writes the certificate beside the key, as `host_TYPE-cert.pub`.
fn sign_host_key(directory: &Path, key_type: &str, certificate: &HostCertificate) {
    let authority = authority_file(directory);
    if !authority.exists() {
        make_key("ecdsa", &authority, KeyFormat::OpenSsh, None);
    }
    let mut command = Command::new("ssh-keygen");
    command.arg("-q").arg("-s").arg(authority).args(["-h", "-I", "test host"]);
    command.args(["-n", &certificate.host_names, "-V", &certificate.validity]);
    output_of(command.arg(host_key_file(directory, key_type).with_extension("pub")));
}

/// Certifies a user's key, as `KEY-cert.pub` beside it: for these users and this time, in the words of
/// `ssh-keygen -n` and `-V`.
///
/// # Panics
/// When `ssh-keygen` is missing or refuses.
pub fn certify_user_key(authority: &Path, key: &Path, users: &str, validity: &str) {
    let mut command = Command::new("ssh-keygen");
    command.arg("-q").arg("-s").arg(authority).args(["-I", "test user", "-n", users, "-V", validity]);
    let mut public = key.as_os_str().to_owned();
    public.push(".pub");
    output_of(command.arg(public));
}

fn authority_file(directory: &Path) -> PathBuf {
    directory.join("authority")
}

fn host_key_file(directory: &Path, key_type: &str) -> PathBuf {
    directory.join(format!("host_{key_type}"))
}

fn type_and_key(public: &str) -> String {
    public.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

/// `None` when the port was taken in the meantime.
fn launch(options: &SshdOptions, directory: &Path) -> Option<(Child, u16, Log)> {
    let port = free_port();
    let mut command = match options.server {
        Server::OpenSsh => openssh_command(options, directory, port),
        Server::Dropbear => dropbear_command(options, directory, port),
    };
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child =
        spawned.unwrap_or_else(|error| panic!("{:?} does not start: {error}; {INSTALL}", command.get_program()));
    let log = Log::follow(child.stderr.take().expect("stderr is piped"));
    let listening = |log: &LogState| log.ended || log.text.contains(options.server.listening_words());
    let waited = log.wait_for(START_LIMIT, listening);
    let said = log.text();
    if waited && said.contains(options.server.listening_words()) {
        return Some((child, port, log));
    }
    let _ = child.kill();
    let _ = child.wait();
    if said.contains("in use") {
        return None;
    }
    panic!("the SSH server did not start listening: {said}");
}

const INSTALL: &str = "run: apt-get install -y openssh-server dropbear-bin libnss-wrapper";

fn openssh_command(options: &SshdOptions, directory: &Path, port: u16) -> Command {
    let mut program = PathBuf::from("/usr/sbin/sshd");
    assert!(program.exists(), "{} is missing; run: apt-get install -y openssh-server", program.display());
    // sshd run by root wants this directory for its unprivileged part; for others it does not matter.
    let _ = fs::create_dir_all("/run/sshd");
    let home = directory.join("home");
    let _ = fs::create_dir(&home);
    let mut lines = vec![
        "ListenAddress 127.0.0.1".to_owned(),
        format!("Port {port}"),
        "PidFile none".to_owned(),
        "StrictModes no".to_owned(),
        "UsePAM no".to_owned(),
        "PasswordAuthentication no".to_owned(),
        "KbdInteractiveAuthentication no".to_owned(),
        "PermitRootLogin yes".to_owned(),
        "PrintMotd no".to_owned(),
        "PrintLastLog no".to_owned(),
        "LogLevel VERBOSE".to_owned(),
        format!("AuthorizedKeysFile {}", directory.join("authorized_keys").display()),
        // The user's start-up files may be slow, wait for a lock that a killed shell left behind, or print.
        format!("SetEnv HOME={}", home.display()),
    ];
    for key_type in &options.host_key_types {
        let file = host_key_file(directory, key_type);
        lines.push(format!("HostKey {}", file.display()));
        if options.host_certificate.is_some() {
            lines.push(format!("HostCertificate {}-cert.pub", file.display()));
        }
    }
    let mut asking = Vec::new();
    if options.pam_password.is_some() {
        program = pam_program(directory);
        asking =
            ["UsePAM yes", "KbdInteractiveAuthentication yes", "PubkeyAuthentication no"].map(str::to_owned).to_vec();
    }
    // The first of two values counts in sshd_config, so a test's own lines come first.
    let config: Vec<String> = options.config_lines.iter().cloned().chain(asking).chain(lines).collect();
    let file = directory.join("sshd_config");
    fs::write(&file, config.join("\n") + "\n").unwrap();
    let mut command = Command::new(program);
    command.args(["-D", "-e", "-f"]).arg(file);
    command
}

fn dropbear_command(options: &SshdOptions, directory: &Path, port: u16) -> Command {
    let program = Path::new("/usr/sbin/dropbear");
    assert!(program.exists(), "{} is missing; run: apt-get install -y dropbear-bin", program.display());
    let mut command = Command::new(program);
    command.args(["-F", "-E", "-s", "-P"]).arg(directory.join("pid"));
    home_for_dropbear(directory, &mut command);
    command.arg("-p").arg(format!("127.0.0.1:{port}"));
    for key_type in &options.host_key_types {
        command.arg("-r").arg(host_key_file(directory, key_type));
    }
    command
}

/// Dropbear reads authorized keys below the home that the system's list of accounts names, and nowhere else;
/// nss_wrapper gives it a list of its own.
fn home_for_dropbear(directory: &Path, command: &mut Command) {
    let home = directory.join("home");
    let keys = home.join(".ssh");
    fs::create_dir_all(&keys).unwrap();
    for folder in [&home, &keys] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    }
    fs::copy(directory.join("authorized_keys"), keys.join("authorized_keys")).unwrap();
    let [name, uid, gid] = ["-un", "-u", "-g"].map(|wanted| output_of(Command::new("id").arg(wanted)));
    let account = format!("{name}:x:{uid}:{gid}::{}:/bin/sh\n", home.display());
    let all = fs::read_to_string("/etc/passwd").unwrap();
    let others = all.lines().filter(|line| line.split(':').next() != Some(name.as_str()));
    fs::write(directory.join("passwd"), others.fold(account, |text, line| text + line + "\n")).unwrap();
    fs::copy("/etc/group", directory.join("group")).unwrap();
    command.env("LD_PRELOAD", "libnss_wrapper.so");
    command.env("NSS_WRAPPER_PASSWD", directory.join("passwd")).env("NSS_WRAPPER_GROUP", directory.join("group"));
}

/// A port that nothing listens on at this moment.
#[must_use]
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).expect("a free port").port()
}

fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{:?}: {error}; {INSTALL}", command.get_program()));
    assert!(
        output.status.success(),
        "{:?} ended with {}: {}",
        command,
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// What a program writes, collected by a thread that ends with the program's last writer.
struct Log {
    shared: Arc<(Mutex<LogState>, Condvar)>,
}

#[derive(Default)]
struct LogState {
    text: String,
    ended: bool,
}

impl Log {
    fn follow(source: impl std::io::Read + Send + 'static) -> Self {
        let shared = Arc::new((Mutex::new(LogState::default()), Condvar::new()));
        let for_thread = Arc::clone(&shared);
        thread::spawn(move || {
            let (state, changed) = &*for_thread;
            for line in BufReader::new(source).split(b'\n').map_while(Result::ok) {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                state.text.push_str(&String::from_utf8_lossy(&line));
                state.text.push('\n');
                changed.notify_all();
            }
            state.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
            changed.notify_all();
        });
        Self { shared }
    }

    fn text(&self) -> String {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner).text.clone()
    }

    fn wait_for(&self, limit: Duration, wanted: impl Fn(&LogState) -> bool) -> bool {
        let (state, changed) = &*self.shared;
        let guard = state.lock().unwrap_or_else(PoisonError::into_inner);
        let (_guard, outcome) =
            changed.wait_timeout_while(guard, limit, |state| !wanted(state)).unwrap_or_else(PoisonError::into_inner);
        !outcome.timed_out()
    }
}
