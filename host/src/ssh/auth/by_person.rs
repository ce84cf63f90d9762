//! The parts of a login that a person has a hand in.

use std::{path::Path, sync::Arc};

use russh::{
    MethodKind,
    client::{AuthResult, Prompt},
    keys::PublicKey,
};

use super::{
    super::{
        credential::{self, Credential},
        person::{NoAnswer, Wanted},
        questions::wanted,
        unlock::{AskingSigner, StaysLocked, Unlocker, gone},
    },
    Login, PERSON_ATTEMPTS,
};
use crate::config::profile::Secret;

impl Login<'_> {
    /// A key whose public half is known: a person is asked only when the server would take it.
    pub(super) async fn try_locked_key(
        &mut self,
        path: &Path,
        public: &PublicKey,
        label: &str,
    ) -> Result<bool, russh::Error> {
        let Some(hash) = self.hash_for(public.algorithm(), label).await? else { return Ok(false) };
        let observed = Arc::clone(&self.connection.observed);
        let unlocker = Unlocker { asker: self.asker, path, label, tried: &self.tried, observed: &observed };
        let mut signer = AskingSigner { unlocker, public };
        let handle = &mut self.connection.handle;
        match handle.authenticate_publickey_with(self.user, public.clone(), hash, &mut signer).await {
            Ok(answer) => Ok(self.note(answer, label.to_owned())),
            Err(error) => self.stays_locked(label, error),
        }
    }

    /// A key of which nothing is known without its passphrase, or one with a certificate.
    pub(super) async fn unlock_and_try(
        &mut self,
        path: &Path,
        certificate: Option<&Path>,
        label: &str,
    ) -> Result<bool, russh::Error> {
        let observed = Arc::clone(&self.connection.observed);
        let unlocker = Unlocker { asker: self.asker, path, label, tried: &self.tried, observed: &observed };
        let key = match unlocker.unlock().await {
            Ok(key) => Arc::new(key),
            Err(error) => return self.stays_locked(label, error),
        };
        let credentials = match credential::of_key(key, path, certificate) {
            Ok(credentials) => credentials,
            Err((file, error)) => {
                self.tried.push(format!("{}: not used, {error}", file.display()));
                return Ok(false);
            }
        };
        for credential in &credentials {
            let accepted = match credential {
                Credential::Key { key, label } => self.try_key(key, label).await?,
                Credential::Certificate { key, certificate, label } => {
                    self.try_certificate(key, certificate, label).await?
                }
                // A certificate beside the key that cannot be used.
                other => {
                    self.tried.push(other.label().to_owned());
                    false
                }
            };
            if accepted {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A locked key is one that is not used; the next credential may still be good.
    fn stays_locked(&mut self, label: &str, why: StaysLocked) -> Result<bool, russh::Error> {
        match why {
            StaysLocked::Sending => return Err(russh::Error::SendError),
            StaysLocked::NoAnswer(why @ NoAnswer::Gone) => {
                self.not_answered = Some(("the passphrase of a key", why));
                return Err(russh::Error::Disconnect);
            }
            why => self.tried.push(format!("{label}: not used, {why}")),
        }
        Ok(false)
    }

    /// For servers that take passwords and ask no questions.
    pub(super) async fn try_asked_password(&mut self) -> Result<bool, russh::Error> {
        for attempt in 0..PERSON_ATTEMPTS {
            let wanted = Wanted::Password { again: attempt > 0 };
            let secret = match self.ask(wanted).await {
                Ok(secrets) => secrets.into_iter().next(),
                Err(why) => {
                    self.not_answered = Some(("the password", why));
                    return Err(russh::Error::NoAuthMethod);
                }
            };
            let Some(secret) = secret else { return Ok(false) };
            let answer = self.connection.handle.authenticate_password(self.user, secret.expose()).await?;
            let partial = matches!(answer, AuthResult::Failure { partial_success: true, .. });
            if self.note(answer, "password, from a person".to_owned()) {
                return Ok(true);
            }
            if partial || !self.is_offered(MethodKind::Password) {
                break;
            }
        }
        Ok(false)
    }

    async fn ask(&mut self, wanted: Wanted) -> Result<Vec<Secret>, NoAnswer> {
        self.asker.ask_for_login(wanted, &self.tried, gone(&self.connection.observed)).await
    }

    /// Configured answers first; a person is asked for those that are not there.
    pub(super) async fn answer_round(
        &mut self,
        name: &str,
        instructions: &str,
        prompts: &[Prompt],
        by_person: &mut bool,
    ) -> Result<Vec<String>, String> {
        let known = self.answers.reply(prompts);
        let open: Vec<&Prompt> =
            prompts.iter().zip(&known).filter(|(_, known)| known.is_err()).map(|it| it.0).collect();
        if open.is_empty() || !self.asker.is_there() {
            return known.into_iter().collect::<Result<_, _>>().map_err(|unanswered| unanswered.to_string());
        }
        let count = open.len();
        let wanted =
            wanted(name, instructions, &open).ok_or_else(|| format!("the server asks {count} questions at once"))?;
        let given = self.ask(wanted).await.map_err(|why| {
            self.not_answered = Some(("answers to its questions", why));
            why.to_string()
        })?;
        *by_person = true;
        let mut given = given.into_iter();
        let mut next = || given.next().map_or_else(String::new, |secret| secret.expose().to_owned());
        Ok(known.into_iter().map(|known| known.unwrap_or_else(|_| next())).collect())
    }
}
