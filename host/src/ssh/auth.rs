//! Logging in: the profile's methods in their order, each at most once.
//!
//! [`prepare`] reads keys and secrets before any connection is made, so that a wrong profile costs no
//! network and leaves nothing half open. A secret goes only to the server whose key was accepted.

use std::{fs::File, io::Read, path::Path, sync::Arc};

use russh::{
    MethodKind, MethodSet,
    client::{AuthResult, KeyboardInteractiveAuthResponse, Prompt},
    keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, decode_secret_key, ssh_key},
};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::{
    dial::{Connection, is_hang_up, protocol},
    error::{ConnectError, ConnectStep, KeyFileError, Target},
    handler::connection_gone,
    known_hosts,
};
use crate::config::profile::{AuthMethod, Secret};

/// Far above a 16,384 bit RSA key with certificate; a larger file is a mistake.
const KEY_FILE_LIMIT_BYTES: u64 = 128 * 1024;
/// Rounds of questions answered in one keyboard-interactive login. One carries the password; servers add
/// one or two without questions.
const QUESTION_ROUNDS: usize = 4;

/// A method of the profile with its secret at hand.
pub(super) enum Credential {
    Password(Secret),
    Key {
        key: Arc<PrivateKey>,
        /// Type, fingerprint and file, for people.
        label: String,
    },
}

/// Reads all keys and secrets of a profile. Reads files and may compute for a moment (passphrases are
/// slow on purpose): call it where blocking is allowed.
pub(super) fn prepare(target: &Target, methods: &[AuthMethod]) -> Result<Vec<Credential>, ConnectError> {
    methods.iter().map(|method| prepare_one(target, method)).collect()
}

fn prepare_one(target: &Target, method: &AuthMethod) -> Result<Credential, ConnectError> {
    let secret_error = |purpose: String| {
        let target = target.clone();
        move |source| ConnectError::Secret { target, purpose, source }
    };
    match method {
        AuthMethod::Password(source) => {
            Ok(Credential::Password(source.read().map_err(secret_error("password".to_owned()))?))
        }
        AuthMethod::KeyFile { path, passphrase } => {
            let purpose = || format!("passphrase of key file {}", path.display());
            let passphrase =
                passphrase.as_ref().map(|source| source.read().map_err(secret_error(purpose()))).transpose()?;
            let key = load_key(path, passphrase.as_ref()).map_err(|source| ConnectError::KeyFile {
                target: target.clone(),
                path: path.clone(),
                source,
            })?;
            let label = key_label(&key, path);
            Ok(Credential::Key { key: Arc::new(key), label })
        }
    }
}

/// Type, fingerprint and file of a private key, without any connection.
pub(super) fn describe(path: &Path, passphrase: Option<&Secret>) -> Result<String, KeyFileError> {
    load_key(path, passphrase).map(|key| key_label(&key, path))
}

fn key_label(key: &PrivateKey, path: &Path) -> String {
    let fingerprint = key.public_key().to_bytes().map(|wire| known_hosts::fingerprint(&wire)).unwrap_or_default();
    format!("publickey ({} {fingerprint} from {})", key.algorithm().as_str(), path.display())
}

fn load_key(path: &Path, passphrase: Option<&Secret>) -> Result<PrivateKey, KeyFileError> {
    let text = read_key_file(path)?;
    if text.starts_with("ssh-") || text.starts_with("ecdsa-") || text.contains("BEGIN PUBLIC KEY") {
        return Err(KeyFileError::PublicKey);
    }
    // Decoders of foreign formats have panicked on files made to that end; that is one more bad file.
    let decoding = std::panic::catch_unwind(|| decode_secret_key(&text, passphrase.map(Secret::expose)));
    let decoded = decoding.map_err(|_| KeyFileError::NotUnderstood(None))?;
    decoded.map_err(|error| {
        let encrypted = matches!(error, russh::keys::Error::KeyIsEncrypted) || looks_encrypted(&text);
        match (encrypted, passphrase) {
            (true, None) => KeyFileError::PassphraseMissing,
            (true, Some(_)) => KeyFileError::PassphraseWrong,
            (false, _) => KeyFileError::NotUnderstood(Some(Box::new(error))),
        }
    })
}

/// Whether a key file says of itself that it needs a passphrase.
fn looks_encrypted(text: &str) -> bool {
    text.contains("BEGIN ENCRYPTED PRIVATE KEY")
        || text.contains("Proc-Type: 4,ENCRYPTED")
        || PrivateKey::from_openssh(text).is_ok_and(|key: ssh_key::PrivateKey| key.is_encrypted())
}

fn read_key_file(path: &Path) -> Result<Zeroizing<String>, KeyFileError> {
    // Looked at before opening: opening a named pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(KeyFileError::Unreadable)?.is_file() {
        return Err(KeyFileError::NotAFile);
    }
    let file = File::open(path).map_err(KeyFileError::Unreadable)?;
    refuse_open_permissions(&file)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(KEY_FILE_LIMIT_BYTES + 1).read_to_end(&mut bytes).map_err(KeyFileError::Unreadable)?;
    if bytes.len() as u64 > KEY_FILE_LIMIT_BYTES {
        return Err(KeyFileError::TooLarge { limit_bytes: KEY_FILE_LIMIT_BYTES });
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

/// Logs in and says by which method.
pub(super) async fn authenticate(
    connection: &mut Connection,
    user: &str,
    credentials: &[Credential],
) -> Result<String, ConnectError> {
    let limit = connection.step_limit;
    let step = ConnectStep::Authentication;
    let target = connection.target.clone();
    let mut login = Login { connection, user, tried: Vec::new(), offered: MethodSet::empty() };
    match timeout(limit, login.run(credentials)).await {
        Ok(Ok(Some(method))) => Ok(method),
        Ok(Ok(None)) => Err(login.failure()),
        Ok(Err(error)) if is_hang_up(&error) || matches!(error, russh::Error::NoAuthMethod) => {
            // Servers hang up after a number of failures; the failures are the news then.
            if login.tried.is_empty() {
                return Err(connection_gone(&target, step, &login.connection.observed));
            }
            Err(login.failure())
        }
        Ok(Err(error)) => Err(protocol(&target, step, error)),
        Err(_elapsed) => Err(ConnectError::Timeout { target, step, after: limit }),
    }
}

struct Login<'a> {
    connection: &'a mut Connection,
    user: &'a str,
    tried: Vec<String>,
    offered: MethodSet,
}

impl Login<'_> {
    /// The method that was accepted, or `None` when all were refused.
    async fn run(&mut self, credentials: &[Credential]) -> Result<Option<String>, russh::Error> {
        // Asks which methods there are, so that no password goes to a server that does not want one.
        let answer = self.connection.handle.authenticate_none(self.user).await?;
        if self.note(answer, String::new()) {
            return Ok(Some("none".to_owned()));
        }
        // Always the first that the server takes at this moment: after one factor it may ask for another
        // that stands earlier in the profile.
        let mut untried: Vec<&Credential> = credentials.iter().collect();
        while let Some(index) = untried.iter().position(|credential| self.is_usable(credential)) {
            let (label, accepted) = match untried.remove(index) {
                Credential::Key { key, label } => (label.clone(), self.try_key(key, label).await?),
                Credential::Password(secret) => self.try_password(secret).await?,
            };
            if accepted {
                return Ok(Some(label));
            }
        }
        self.tried.extend(untried.into_iter().map(|credential| match credential {
            Credential::Key { label, .. } => {
                format!("{label}: not sent, the server does not take keys")
            }
            Credential::Password(_) => "password: not sent, the server does not take passwords".to_owned(),
        }));
        Ok(None)
    }

    fn is_usable(&self, credential: &Credential) -> bool {
        match credential {
            Credential::Key { .. } => self.is_offered(MethodKind::PublicKey),
            Credential::Password(_) => {
                self.is_offered(MethodKind::Password) || self.is_offered(MethodKind::KeyboardInteractive)
            }
        }
    }

    async fn try_key(&mut self, key: &Arc<PrivateKey>, label: &str) -> Result<bool, russh::Error> {
        let hash = if key.algorithm().is_rsa() {
            match self.connection.handle.best_supported_rsa_hash().await? {
                Some(Some(hash)) => Some(hash),
                Some(None) => {
                    self.tried.push(format!("{label}: not sent, the server takes RSA only with SHA-1"));
                    return Ok(false);
                }
                // A server that does not say: every one since 2016 takes this.
                None => Some(HashAlg::Sha256),
            }
        } else {
            None
        };
        let key = PrivateKeyWithHashAlg::new(Arc::clone(key), hash);
        let answer = self.connection.handle.authenticate_publickey(self.user, key).await?;
        Ok(self.note(answer, label.to_owned()))
    }

    async fn try_password(&mut self, secret: &Secret) -> Result<(String, bool), russh::Error> {
        if self.is_offered(MethodKind::Password) {
            let label = "password".to_owned();
            let answer = self.connection.handle.authenticate_password(self.user, secret.expose()).await?;
            return Ok((label.clone(), self.note(answer, label)));
        }
        let label = "keyboard-interactive (with the password)".to_owned();
        let answer = self.answer_questions(secret).await?;
        Ok((label.clone(), self.note(answer, label)))
    }

    /// Many servers take passwords only as the answer to a question. One hidden question is answered,
    /// once; anything else is for a person.
    async fn answer_questions(&mut self, secret: &Secret) -> Result<AuthResult, russh::Error> {
        use KeyboardInteractiveAuthResponse::{Failure, InfoRequest, Success};
        let handle = &mut self.connection.handle;
        let mut response = handle.authenticate_keyboard_interactive_start(self.user, None).await?;
        let mut password_sent = false;
        for _ in 0..QUESTION_ROUNDS {
            let answers = match response {
                Success => return Ok(AuthResult::Success),
                Failure { remaining_methods, partial_success } => {
                    return Ok(AuthResult::Failure { remaining_methods, partial_success });
                }
                InfoRequest { prompts, .. } => match prompts.as_slice() {
                    [] => Vec::new(),
                    [Prompt { echo: false, .. }] if !password_sent => {
                        password_sent = true;
                        vec![secret.expose().to_owned()]
                    }
                    _ => break,
                },
            };
            response = handle.authenticate_keyboard_interactive_respond(answers).await?;
        }
        // russh waits for answers now and hears nothing else, so this connection is of no further use.
        self.tried.push("keyboard-interactive: the server asks more than the profile's password answers".to_owned());
        Err(russh::Error::NoAuthMethod)
    }

    fn is_offered(&self, kind: MethodKind) -> bool {
        self.offered.contains(&kind)
    }

    /// Takes down an answer; true when it lets us in. An empty label means an attempt not worth telling.
    fn note(&mut self, answer: AuthResult, label: String) -> bool {
        let AuthResult::Failure { remaining_methods, partial_success } = answer else {
            return true;
        };
        self.offered = remaining_methods;
        if !label.is_empty() {
            let outcome = if partial_success { "accepted, but the server wants more" } else { "refused" };
            self.tried.push(format!("{label}: {outcome}"));
        }
        false
    }

    fn failure(&mut self) -> ConnectError {
        let observed = &self.connection.observed;
        ConnectError::AuthenticationFailed {
            target: self.connection.target.clone(),
            tried: std::mem::take(&mut self.tried),
            offered: self.offered.iter().map(String::from).collect(),
            server_message: observed.ended.get().and_then(|ended| ended.server_message.clone()),
        }
    }
}
