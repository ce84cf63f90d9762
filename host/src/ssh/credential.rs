//! What a profile logs in with, read before any connection is made: a wrong profile costs no network and
//! leaves nothing half open.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use russh::keys::{Certificate, PrivateKey, PublicKey, agent::AgentIdentity, decode_secret_key};
use zeroize::Zeroizing;

use super::{
    agent::{self, Agent, AgentPlace, Surroundings},
    certificate,
    error::{ConnectError, KeyFileError, Target},
    known_hosts,
    questions::Answer,
};
use crate::config::key_file;
use crate::config::profile::{AuthMethod, QuestionAnswer, Secret};

/// One thing to try, with its secret at hand.
pub(super) enum Credential {
    Password(Secret),
    Key {
        key: Arc<PrivateKey>,
        /// Type, fingerprint and file, for people.
        label: String,
    },
    Certificate {
        key: Arc<PrivateKey>,
        certificate: Box<Certificate>,
        label: String,
    },
    AgentKey {
        key: Box<AgentIdentity>,
        /// Which of [`Credentials::agents`] holds it.
        agent: usize,
        label: String,
    },
    /// Answers to what a server may ask.
    Answers(Vec<Answer>),
    /// An encrypted key file whose passphrase a person has to type.
    Locked {
        path: PathBuf,
        certificate: Option<PathBuf>,
        /// As far as it can be read without the passphrase.
        public: Option<Box<PublicKey>>,
        label: String,
    },
    /// A person types the password, or answers what the server asks.
    Ask,
    /// Something the profile names and that cannot be tried, with the reason.
    Unusable(String),
}

/// All a profile logs in with, in its order.
pub(super) struct Credentials {
    pub(super) list: Vec<Credential>,
    pub(super) agents: Vec<Agent>,
}

/// What [`read`] has of one method; agents are still to be asked.
pub(super) enum Prepared {
    Ready(Credential),
    Agent(agent::Request),
}

/// Reads all keys and secrets of a profile. Reads files and may compute for a moment (passphrases are
/// slow on purpose): call it where blocking is allowed. With `may_ask`, a passphrase that is not configured
/// is left to a person.
pub(super) fn read(target: &Target, methods: &[AuthMethod], may_ask: bool) -> Result<Vec<Prepared>, ConnectError> {
    let read = methods.iter().map(|method| match read_one(target, method, may_ask) {
        // Beside other ways to log in, a key that nobody can unlock is one that is not needed.
        Err(ConnectError::KeyFile { path, source: source @ KeyFileError::PassphraseMissing, .. })
            if methods.len() > 1 =>
        {
            let told = format!("key file {}: not used, {source}", path.display());
            Ok(vec![Prepared::Ready(Credential::Unusable(told))])
        }
        read => read,
    });
    let read: Vec<Vec<Prepared>> = read.collect::<Result<_, _>>()?;
    Ok(read.into_iter().flatten().collect())
}

fn read_one(target: &Target, method: &AuthMethod, may_ask: bool) -> Result<Vec<Prepared>, ConnectError> {
    let secret_error = |purpose: String| {
        let target = target.clone();
        move |source| ConnectError::Secret { target, purpose, source }
    };
    let key_error = |path: &Path| {
        let (target, path) = (target.clone(), path.to_owned());
        move |source| ConnectError::KeyFile { target, path, source }
    };
    Ok(match method {
        AuthMethod::Password(source) => {
            let secret = source.read().map_err(secret_error("password".to_owned()))?;
            vec![Prepared::Ready(Credential::Password(secret))]
        }
        AuthMethod::KeyFile { path, passphrase, certificate } => {
            let purpose = || format!("passphrase of key file {}", path.display());
            let passphrase =
                passphrase.as_ref().map(|source| source.read().map_err(secret_error(purpose()))).transpose()?;
            let key = match load_key(path, passphrase.as_ref()) {
                Err(KeyFileError::PassphraseMissing) if may_ask => {
                    return Ok(vec![Prepared::Ready(locked(path, certificate.as_deref()))]);
                }
                read => Arc::new(read.map_err(key_error(path))?),
            };
            let credentials =
                of_key(key, path, certificate.as_deref()).map_err(|(file, error)| key_error(&file)(error))?;
            credentials.into_iter().map(Prepared::Ready).collect()
        }
        AuthMethod::Ask => vec![Prepared::Ready(match may_ask {
            true => Credential::Ask,
            false => Credential::Unusable("a person: not asked, no viewer runs here".to_owned()),
        })],
        AuthMethod::KeyboardInteractive(questions) => {
            vec![Prepared::Ready(Credential::Answers(read_answers(target, questions)?))]
        }
        AuthMethod::Agent { socket, only } => {
            let only =
                only.iter().map(|path| load_public_key(path).map_err(key_error(path))).collect::<Result<_, _>>()?;
            vec![Prepared::Agent(agent::Request { socket: socket.clone(), only })]
        }
    })
}

/// What a private key logs in with: its certificate, if there is one, and itself. An error names the
/// certificate's file.
pub(super) fn of_key(
    key: Arc<PrivateKey>,
    path: &Path,
    certificate: Option<&Path>,
) -> Result<Vec<Credential>, (PathBuf, KeyFileError)> {
    let certified = match certificate {
        Some(file) => Some(load_certificate(file, &key).map_err(|error| (file.to_owned(), error))?),
        None => certificate_beside(path, &key),
    };
    let label = key_label(key.public_key(), path);
    Ok(certified.into_iter().chain([Credential::Key { key, label }]).collect())
}

/// OpenSSH writes the public half in clear; of other forms only a file beside tells it.
fn locked(path: &Path, certificate: Option<&Path>) -> Credential {
    let inside = read_key_file(path, Kind::Private).ok().and_then(|text| PrivateKey::from_openssh(&*text).ok());
    let public = inside.map(|key| key.public_key().clone()).or_else(|| load_public_key(path).ok());
    let label = match &public {
        Some(public) => key_label(public, path),
        None => format!("publickey (encrypted, from {})", path.display()),
    };
    let beside = certificate::beside(path);
    let certificate = certificate.map(Path::to_owned).or_else(|| Some(beside).filter(|file| file.is_file()));
    Credential::Locked { path: path.to_owned(), certificate, public: public.map(Box::new), label }
}

/// Type, fingerprint and file of a private key, without any connection.
pub(super) fn describe(path: &Path, passphrase: Option<&Secret>) -> Result<String, KeyFileError> {
    load_key(path, passphrase).map(|key| key_label(key.public_key(), path))
}

fn read_answers(target: &Target, questions: &[QuestionAnswer]) -> Result<Vec<Answer>, ConnectError> {
    let read = |question: &QuestionAnswer| {
        let secret = question.answer.read().map_err(|source| ConnectError::Secret {
            target: target.clone(),
            purpose: format!("answer to \"{}\"", question.prompt),
            source,
        })?;
        Ok(Answer { prompt: question.prompt.clone(), secret })
    };
    questions.iter().map(read).collect()
}

fn load_certificate(file: &Path, key: &Arc<PrivateKey>) -> Result<Credential, KeyFileError> {
    let certificate = certificate::parse(&read_key_file(file, Kind::Public)?, key)?;
    let label = certificate::label(&certificate, file);
    Ok(Credential::Certificate { key: Arc::clone(key), certificate: Box::new(certificate), label })
}

/// The certificate that lies beside a key file. Nobody named it, so one that cannot be used is only told
/// when the login fails.
fn certificate_beside(key_file: &Path, key: &Arc<PrivateKey>) -> Option<Credential> {
    let file = certificate::beside(key_file);
    if !file.is_file() {
        return None;
    }
    let unusable = |error| Credential::Unusable(format!("certificate {}: not used, {error}", file.display()));
    Some(load_certificate(&file, key).unwrap_or_else(unusable))
}

/// Asks the agents for their keys. A profile that has nothing to log in with but an agent nobody finds
/// is told so; beside other methods a missing agent is only told when those fail.
pub(super) async fn complete(target: &Target, prepared: Vec<Prepared>) -> Result<Credentials, ConnectError> {
    let mut credentials = Credentials { list: Vec::new(), agents: Vec::new() };
    let mut places = Vec::new();
    for one in prepared {
        match one {
            Prepared::Ready(credential) => credentials.list.push(credential),
            Prepared::Agent(request) => match agent::find(&request, &Surroundings::of_this_process()).await {
                Ok(agent) => credentials.add_agent(agent),
                Err(useless) => {
                    credentials.list.push(Credential::Unusable(no_agent(&useless)));
                    places.extend(useless);
                }
            },
        }
    }
    let nothing = credentials.list.iter().all(|credential| matches!(credential, Credential::Unusable(_)));
    if nothing && !places.is_empty() {
        return Err(ConnectError::NoAgent { target: target.clone(), places });
    }
    Ok(credentials)
}

fn no_agent(places: &[AgentPlace]) -> String {
    let places: Vec<String> = places.iter().map(ToString::to_string).collect();
    format!("agent: none found ({})", places.join("; "))
}

impl Credentials {
    fn add_agent(&mut self, mut agent: Agent) {
        let index = self.agents.len();
        for key in std::mem::take(&mut agent.keys) {
            let label = agent.label(&key);
            self.list.push(Credential::AgentKey { key: Box::new(key), agent: index, label });
        }
        if agent.left_out > 0 {
            self.list.push(Credential::Unusable(format!(
                "{} more keys of the agent at {}: not offered, because servers hang up after six failures; name the \
                 right ones in the profile with `only`",
                agent.left_out,
                agent.socket.display()
            )));
        }
        self.agents.push(agent);
    }
}

impl Credential {
    /// The name under which it is reported.
    pub(super) fn label(&self) -> &str {
        match self {
            Self::Password(_) => "password",
            Self::Answers(_) => "keyboard-interactive",
            Self::Ask => "a person",
            Self::Key { label, .. }
            | Self::Locked { label, .. }
            | Self::Certificate { label, .. }
            | Self::AgentKey { label, .. }
            | Self::Unusable(label) => label,
        }
    }
}

fn key_label(key: &PublicKey, path: &Path) -> String {
    let fingerprint = key.to_bytes().map(|wire| known_hosts::fingerprint(&wire)).unwrap_or_default();
    format!("publickey ({} {fingerprint} from {})", key.algorithm().as_str(), path.display())
}

pub(super) fn load_key(path: &Path, passphrase: Option<&Secret>) -> Result<PrivateKey, KeyFileError> {
    let text = read_key_file(path, Kind::Private)?;
    if text.starts_with("ssh-") || text.starts_with("ecdsa-") || text.contains("BEGIN PUBLIC KEY") {
        return Err(KeyFileError::PublicKey);
    }
    // Decoders of foreign formats have panicked on files made to that end; that is one more bad file.
    let decoding = std::panic::catch_unwind(|| decode_secret_key(&text, passphrase.map(Secret::expose)));
    let decoded = decoding.map_err(|_| KeyFileError::NotUnderstood(None))?;
    decoded.map_err(|error| {
        let encrypted = matches!(error, russh::keys::Error::KeyIsEncrypted) || key_file::is_encrypted(&text);
        match (encrypted, passphrase) {
            (true, None) => KeyFileError::PassphraseMissing,
            (true, Some(_)) => KeyFileError::PassphraseWrong,
            (false, _) => KeyFileError::NotUnderstood(Some(Box::new(error))),
        }
    })
}

/// The key in a public key file. A private key's name stands for the `.pub` file beside it, as
/// `ssh_config` allows.
fn load_public_key(path: &Path) -> Result<PublicKey, KeyFileError> {
    let mut text = read_key_file(path, Kind::Public)?;
    if text.contains("PRIVATE KEY-----") {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".pub");
        text = read_key_file(Path::new(&beside), Kind::Public)?;
    }
    PublicKey::from_openssh(text.trim()).map_err(|error| KeyFileError::NotPublic(Box::new(error)))
}

/// Whether others may read a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Private,
    Public,
}

fn read_key_file(path: &Path, kind: Kind) -> Result<Zeroizing<String>, KeyFileError> {
    // Looked at before opening: opening a named pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(KeyFileError::Unreadable)?.is_file() {
        return Err(KeyFileError::NotAFile);
    }
    let file = File::open(path).map_err(KeyFileError::Unreadable)?;
    if kind == Kind::Private {
        refuse_open_permissions(&file)?;
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(key_file::LIMIT_BYTES + 1).read_to_end(&mut bytes).map_err(KeyFileError::Unreadable)?;
    if bytes.len() as u64 > key_file::LIMIT_BYTES {
        return Err(KeyFileError::TooLarge { limit_bytes: key_file::LIMIT_BYTES });
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| KeyFileError::NotUnderstood(None))?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(unix)]
fn refuse_open_permissions(file: &File) -> Result<(), KeyFileError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata().map_err(KeyFileError::Unreadable)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::PermissionsTooOpen { mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_open_permissions(_file: &File) -> Result<(), KeyFileError> {
    Ok(())
}
