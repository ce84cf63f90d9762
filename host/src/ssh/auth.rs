//! Logging in: the profile's methods in their order, each at most once.
//!
//! A secret goes only to the server whose key was accepted, and only by a method that the server offers.

use std::sync::Arc;

use russh::{
    AgentAuthError, MethodKind, MethodSet,
    client::{AuthResult, KeyboardInteractiveAuthResponse, Prompt},
    keys::{Algorithm, HashAlg, PrivateKey, PrivateKeyWithHashAlg, agent::AgentIdentity},
};
use tokio::time::timeout;

use super::{
    agent::Agent,
    credential::{Credential, Credentials},
    dial::{Connection, is_hang_up, protocol},
    error::{ConnectError, ConnectStep},
    handler::connection_gone,
};
use crate::config::profile::Secret;

/// Rounds of questions answered in one keyboard-interactive login. One carries the password; servers add
/// one or two without questions.
const QUESTION_ROUNDS: usize = 4;

/// Logs in and says by which method.
pub(super) async fn authenticate(
    connection: &mut Connection,
    user: &str,
    credentials: &mut Credentials,
) -> Result<String, ConnectError> {
    let limit = connection.step_limit;
    let step = ConnectStep::Authentication;
    let target = connection.target.clone();
    let Credentials { list, agents } = credentials;
    let mut login = Login { connection, user, agents, tried: Vec::new(), offered: MethodSet::empty(), at_agent: None };
    match timeout(limit, login.run(list)).await {
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
        Err(_elapsed) => Err(match login.at_agent.take() {
            Some(key) => ConnectError::AgentSilent { target, key, after: limit },
            None => ConnectError::Timeout { target, step, after: limit },
        }),
    }
}

struct Login<'a> {
    connection: &'a mut Connection,
    user: &'a str,
    agents: &'a mut [Agent],
    tried: Vec<String>,
    offered: MethodSet,
    /// The key whose signature an agent was asked for and has not given yet.
    at_agent: Option<String>,
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
                Credential::AgentKey { key, agent, label } => {
                    (label.clone(), self.try_agent_key(key, *agent, label).await?)
                }
                Credential::Password(secret) => self.try_password(secret).await?,
                Credential::Unusable(_) => continue,
            };
            if accepted {
                return Ok(Some(label));
            }
        }
        self.tried.extend(untried.into_iter().map(|credential| match credential {
            Credential::Unusable(told) => told.clone(),
            other => format!("{}: not sent, the server does not take {}", other.label(), kind_of(other)),
        }));
        Ok(None)
    }

    fn is_usable(&self, credential: &Credential) -> bool {
        match credential {
            Credential::Key { .. } | Credential::AgentKey { .. } => self.is_offered(MethodKind::PublicKey),
            Credential::Password(_) => {
                self.is_offered(MethodKind::Password) || self.is_offered(MethodKind::KeyboardInteractive)
            }
            Credential::Unusable(_) => false,
        }
    }

    async fn try_key(&mut self, key: &Arc<PrivateKey>, label: &str) -> Result<bool, russh::Error> {
        let Some(hash) = self.hash_for(key.algorithm(), label).await? else { return Ok(false) };
        let key = PrivateKeyWithHashAlg::new(Arc::clone(key), hash);
        let answer = self.connection.handle.authenticate_publickey(self.user, key).await?;
        Ok(self.note(answer, label.to_owned()))
    }

    async fn try_agent_key(&mut self, key: &AgentIdentity, agent: usize, label: &str) -> Result<bool, russh::Error> {
        let Some(hash) = self.hash_for(key.public_key().algorithm(), label).await? else { return Ok(false) };
        let Some(agent) = self.agents.get_mut(agent) else { return Ok(false) };
        self.at_agent = Some(label.to_owned());
        let handle = &mut self.connection.handle;
        agent.bind(handle.agent_session_binding()).await;
        let client = &mut agent.client;
        let outcome = match key {
            AgentIdentity::PublicKey { key, .. } => {
                handle.authenticate_publickey_with(self.user, key.clone(), hash, client).await
            }
            AgentIdentity::Certificate { certificate, .. } => {
                handle.authenticate_certificate_with(self.user, certificate.clone(), hash, client).await
            }
        };
        self.at_agent = None;
        match outcome {
            Ok(answer) => Ok(self.note(answer, label.to_owned())),
            Err(AgentAuthError::Send(_)) => Err(russh::Error::SendError),
            // The server would have taken it; the next credential starts anew.
            Err(AgentAuthError::Key(error)) => {
                self.tried.push(format!("{label}: accepted, but the agent did not sign ({error})"));
                Ok(false)
            }
        }
    }

    /// The hash an RSA key signs with, none for other types; the outer `None` means that the server takes
    /// no safe one, which is noted.
    async fn hash_for(&mut self, algorithm: Algorithm, label: &str) -> Result<Option<Option<HashAlg>>, russh::Error> {
        if !algorithm.is_rsa() {
            return Ok(Some(None));
        }
        match self.connection.handle.best_supported_rsa_hash().await? {
            Some(Some(hash)) => Ok(Some(Some(hash))),
            Some(None) => {
                self.tried.push(format!("{label}: not sent, the server takes RSA only with SHA-1"));
                Ok(None)
            }
            // A server that does not say: every one since 2016 takes this.
            None => Ok(Some(Some(HashAlg::Sha256))),
        }
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

/// What a server does not take that does not take this.
fn kind_of(credential: &Credential) -> &'static str {
    match credential {
        Credential::Password(_) => "passwords",
        _ => "keys",
    }
}
