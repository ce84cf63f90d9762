//! Logging in: the profile's methods in their order, each at most once; then a person, where one can be asked.
//!
//! A secret goes only to the server whose key was accepted, and only by a method that the server offers.
//! A person answers what nothing is configured for: questions, the passphrase of a key that the server would
//! take, and, where the profile says so, the password.

mod by_person;

use std::sync::Arc;

use russh::{
    AgentAuthError, MethodKind, MethodSet,
    client::{AuthResult, KeyboardInteractiveAuthResponse},
    keys::{Algorithm, Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg, agent::AgentIdentity},
};

use super::{
    agent::Agent,
    certificate::{self, KeySigner},
    credential::{Credential, Credentials},
    dial::{Connection, is_hang_up, protocol},
    error::{ConnectError, ConnectStep},
    handler::connection_gone,
    person::{Asker, NoAnswer},
    questions::Answers,
};
use crate::config::profile::Secret;

/// Rounds of questions answered in one keyboard-interactive login: a few factors, and those that servers
/// add without questions.
const QUESTION_ROUNDS: usize = 10;
/// How often a person may answer anew after the server refused, as with `ssh`. Configured answers go once.
const PERSON_ATTEMPTS: usize = 3;

/// Logs in and says by which method.
pub(super) async fn authenticate(
    connection: &mut Connection,
    user: &str,
    credentials: &mut Credentials,
    asker: &Asker<'_>,
) -> Result<String, ConnectError> {
    let limit = connection.step_limit;
    let step = ConnectStep::Authentication;
    let target = connection.target.clone();
    let Credentials { list, agents } = credentials;
    let list: &[Credential] = list;
    let answers = configured_answers(list);
    let mut login = Login {
        answers,
        question_attempts: 0,
        password_sent: false,
        connection,
        user,
        agents,
        asker,
        not_answered: None,
        tried: Vec::new(),
        offered: MethodSet::empty(),
        at_agent: None,
    };
    match asker.within(limit, login.run(list)).await {
        Some(Ok(Some(method))) => Ok(method),
        Some(Ok(None)) => Err(login.failure()),
        Some(Err(error)) if is_hang_up(&error) || matches!(error, russh::Error::NoAuthMethod) => {
            if let Some((asked, why)) = login.not_answered.take() {
                return Err(ConnectError::NotAnswered {
                    target,
                    asked: asked.to_owned(),
                    why,
                    category: "authentication",
                });
            }
            // Servers hang up after a number of failures; the failures are the news then.
            if login.tried.is_empty() {
                return Err(connection_gone(&target, step, &login.connection.observed));
            }
            Err(login.failure())
        }
        Some(Err(error)) => Err(protocol(&target, step, error)),
        None => Err(match login.at_agent.take() {
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
    /// A password goes out once, as itself or as an answer: a wrong one twice may lock an account.
    password_sent: bool,
    /// What questions are answered with before a person is asked.
    answers: Answers<'a>,
    /// Logins by questions so far.
    question_attempts: usize,
    asker: &'a Asker<'a>,
    /// What a person was asked for and did not answer, where that ended the login.
    not_answered: Option<(&'static str, NoAnswer)>,
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
        loop {
            let (label, accepted) = match untried.iter().position(|credential| self.is_usable(credential)) {
                Some(index) => self.try_one(untried.remove(index)).await?,
                None if self.asker.is_there() && self.may_answer() => {
                    self.try_questions("keyboard-interactive").await?
                }
                None => break,
            };
            if accepted {
                return Ok(Some(label));
            }
        }
        let (answered, password_sent) = (self.question_attempts > 0, self.password_sent);
        self.tried.extend(untried.into_iter().filter_map(|credential| match credential {
            Credential::Unusable(told) => Some(told.clone()),
            Credential::Answers(_) | Credential::Ask if answered => None,
            Credential::Password(_) if password_sent => None,
            other => Some(format!("{}: not sent, the server does not take {}", other.label(), kind_of(other))),
        }));
        Ok(None)
    }

    /// How the attempt is called, and whether it let us in.
    async fn try_one(&mut self, credential: &Credential) -> Result<(String, bool), russh::Error> {
        Ok(match credential {
            Credential::Key { key, label } => (label.clone(), self.try_key(key, label).await?),
            Credential::Certificate { key, certificate, label } => {
                (label.clone(), self.try_certificate(key, certificate, label).await?)
            }
            Credential::AgentKey { key, agent, label } => {
                (label.clone(), self.try_agent_key(key, *agent, label).await?)
            }
            Credential::Locked { path, certificate, public, label } => {
                let accepted = match (certificate, public) {
                    (None, Some(public)) => self.try_locked_key(path, public, label).await?,
                    _ => self.unlock_and_try(path, certificate.as_deref(), label).await?,
                };
                (format!("{label}, unlocked by a person"), accepted)
            }
            Credential::Password(secret) if self.is_offered(MethodKind::Password) => {
                ("password".to_owned(), self.try_password(secret).await?)
            }
            Credential::Password(_) => self.try_questions("keyboard-interactive (with the password)").await?,
            Credential::Answers(_) => self.try_questions("keyboard-interactive").await?,
            Credential::Ask if self.may_answer() => self.try_questions("keyboard-interactive").await?,
            Credential::Ask => ("password, from a person".to_owned(), self.try_asked_password().await?),
            Credential::Unusable(_) => (String::new(), false),
        })
    }

    fn is_usable(&self, credential: &Credential) -> bool {
        match credential {
            Credential::Key { .. }
            | Credential::Certificate { .. }
            | Credential::AgentKey { .. }
            | Credential::Locked { .. } => self.is_offered(MethodKind::PublicKey),
            Credential::Ask => self.is_offered(MethodKind::Password) || self.may_answer(),
            Credential::Password(_) => {
                !self.password_sent && (self.is_offered(MethodKind::Password) || self.may_answer())
            }
            Credential::Answers(_) => self.may_answer(),
            Credential::Unusable(_) => false,
        }
    }

    async fn try_key(&mut self, key: &Arc<PrivateKey>, label: &str) -> Result<bool, russh::Error> {
        let Some(hash) = self.hash_for(key.algorithm(), label).await? else { return Ok(false) };
        let key = PrivateKeyWithHashAlg::new(Arc::clone(key), hash);
        let answer = self.connection.handle.authenticate_publickey(self.user, key).await?;
        Ok(self.note(answer, label.to_owned()))
    }

    async fn try_certificate(
        &mut self,
        key: &Arc<PrivateKey>,
        certificate: &Certificate,
        label: &str,
    ) -> Result<bool, russh::Error> {
        let Some(hash) = self.hash_for(key.algorithm(), label).await? else { return Ok(false) };
        let mut signer = KeySigner(Arc::clone(key));
        let handle = &mut self.connection.handle;
        match handle.authenticate_certificate_with(self.user, certificate.clone(), hash, &mut signer).await {
            Ok(answer) => Ok(self.note_certificate(answer, label, certificate)),
            Err(AgentAuthError::Send(_)) => Err(russh::Error::SendError),
            Err(AgentAuthError::Key(error)) => {
                self.tried.push(format!("{label}: accepted, but its key does not sign ({error})"));
                Ok(false)
            }
        }
    }

    /// As [`Login::note`]; a refusal carries what the certificate says of itself.
    fn note_certificate(&mut self, answer: AuthResult, label: &str, certificate: &Certificate) -> bool {
        let refused = matches!(answer, AuthResult::Failure { partial_success: false, .. });
        let accepted = self.note(answer, label.to_owned());
        if let Some(told) = self.tried.last_mut().filter(|_| refused) {
            told.push_str("; ");
            told.push_str(&certificate::explain(certificate, self.user));
        }
        accepted
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
        match (outcome, key) {
            (Ok(answer), AgentIdentity::Certificate { certificate, .. }) => {
                Ok(self.note_certificate(answer, label, certificate))
            }
            (Ok(answer), AgentIdentity::PublicKey { .. }) => Ok(self.note(answer, label.to_owned())),
            (Err(AgentAuthError::Send(_)), _) => Err(russh::Error::SendError),
            // The server would have taken it; the next credential starts anew.
            (Err(AgentAuthError::Key(error)), _) => {
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
            // Only where the profile says so, and the server leaves no other choice or does not say.
            Some(None) | None if self.connection.legacy => Ok(Some(None)),
            Some(None) => {
                self.tried.push(format!("{label}: not sent, the server takes RSA only with SHA-1"));
                Ok(None)
            }
            // A server that does not say: every one since 2016 takes this.
            None => Ok(Some(Some(HashAlg::Sha256))),
        }
    }

    async fn try_password(&mut self, secret: &Secret) -> Result<bool, russh::Error> {
        self.password_sent = true;
        self.answers.forget_password();
        let answer = self.connection.handle.authenticate_password(self.user, secret.expose()).await?;
        Ok(self.note(answer, "password".to_owned()))
    }

    /// Many servers take passwords only as the answer to a question, and one-time codes in no other way.
    async fn try_questions(&mut self, label: &str) -> Result<(String, bool), russh::Error> {
        self.question_attempts += 1;
        let mut by_person = false;
        let decision = self.answer_questions(&mut by_person).await?;
        self.password_sent |= self.answers.without_password();
        let label = if by_person { "keyboard-interactive, answered by a person" } else { label };
        match decision {
            Ok(answer) => Ok((label.to_owned(), self.note(answer, label.to_owned()))),
            Err(why) => {
                // russh waits for answers now and hears nothing else, so this connection is of no further use.
                self.tried.push(format!("keyboard-interactive: {why}"));
                Err(russh::Error::NoAuthMethod)
            }
        }
    }

    /// The server's decision, or why the questions could not all be answered.
    async fn answer_questions(&mut self, by_person: &mut bool) -> Result<Result<AuthResult, String>, russh::Error> {
        use KeyboardInteractiveAuthResponse::{Failure, InfoRequest, Success};
        let mut response = self.connection.handle.authenticate_keyboard_interactive_start(self.user, None).await?;
        for _ in 0..QUESTION_ROUNDS {
            let reply = match response {
                Success => return Ok(Ok(AuthResult::Success)),
                Failure { remaining_methods, partial_success } => {
                    return Ok(Ok(AuthResult::Failure { remaining_methods, partial_success }));
                }
                InfoRequest { name, instructions, prompts } => {
                    match self.answer_round(&name, &instructions, &prompts, by_person).await {
                        Ok(reply) => reply,
                        Err(unanswered) => return Ok(Err(unanswered)),
                    }
                }
            };
            response = self.connection.handle.authenticate_keyboard_interactive_respond(reply).await?;
        }
        Ok(Err(format!("the server has not decided after {QUESTION_ROUNDS} rounds of questions")))
    }

    /// Whether the server asks questions that may still be answered.
    fn may_answer(&self) -> bool {
        let most = if self.asker.is_there() { PERSON_ATTEMPTS } else { 1 };
        self.is_offered(MethodKind::KeyboardInteractive) && self.question_attempts < most
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

/// The answers of all entries of a profile, and its password.
fn configured_answers(list: &[Credential]) -> Answers<'_> {
    let answers = list.iter().filter_map(|credential| match credential {
        Credential::Answers(answers) => Some(answers),
        _ => None,
    });
    let password = list.iter().find_map(|credential| match credential {
        Credential::Password(secret) => Some(secret),
        _ => None,
    });
    Answers::new(answers.flatten().collect(), password)
}

/// What a server does not take that does not take this.
fn kind_of(credential: &Credential) -> &'static str {
    match credential {
        Credential::Password(_) => "passwords",
        Credential::Ask => "a person's answers",
        Credential::Answers(_) => "answers to questions",
        _ => "keys",
    }
}
