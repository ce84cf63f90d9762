//! Encrypted key files whose passphrase a person types, when the server would take the key.
//!
//! The passphrase is used here and goes nowhere; a wrong one is told and asked for again.

use std::{path::Path, sync::Arc, time::Duration};

use russh::{
    AgentAuthError, SendError, Signer,
    keys::{HashAlg, PrivateKey, PublicKey, agent::AgentIdentity},
};

use super::{
    certificate::KeySigner,
    credential,
    error::KeyFileError,
    handler::Observed,
    person::{Asker, NoAnswer, Wanted},
};

/// How often a passphrase is asked for, as with `ssh`.
const ATTEMPTS: usize = 3;
/// How often it is looked at whether the server still waits.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// What it takes to unlock one key file.
pub(super) struct Unlocker<'a> {
    pub(super) asker: &'a Asker<'a>,
    pub(super) path: &'a Path,
    pub(super) label: &'a str,
    pub(super) tried: &'a [String],
    pub(super) observed: &'a Observed,
}

/// Why a key stays locked, or does not sign.
#[derive(Debug, thiserror::Error)]
pub(super) enum StaysLocked {
    #[error("it is encrypted, and {0}")]
    NoAnswer(NoAnswer),
    #[error("the passphrase was wrong {ATTEMPTS} times")]
    Wrong,
    #[error("{0}")]
    Useless(KeyFileError),
    #[error("its file holds another key than the .pub file beside it")]
    OtherKey,
    #[error("it does not sign ({0})")]
    Signature(AgentAuthError),
    /// The connection is gone.
    #[error("the connection ended")]
    Sending,
}

impl From<SendError> for StaysLocked {
    fn from(_: SendError) -> Self {
        Self::Sending
    }
}

impl Unlocker<'_> {
    /// Asks until the passphrase is right.
    pub(super) async fn unlock(&self) -> Result<PrivateKey, StaysLocked> {
        // Type, fingerprint and file, without what the method is called.
        let key = self.label.strip_prefix("publickey (").and_then(|label| label.strip_suffix(')'));
        for attempt in 0..ATTEMPTS {
            let wanted = Wanted::Passphrase { key: key.unwrap_or(self.label).to_owned(), again: attempt > 0 };
            let asked = self.asker.ask_for_login(wanted, self.tried, gone(self.observed)).await;
            let passphrase = asked.map_err(StaysLocked::NoAnswer)?.into_iter().next();
            let path = self.path.to_owned();
            // Slow on purpose, so not on the threads that serve sessions.
            let loading = tokio::task::spawn_blocking(move || credential::load_key(&path, passphrase.as_ref()));
            match loading.await.unwrap_or(Err(KeyFileError::NotUnderstood(None))) {
                Ok(key) => return Ok(key),
                // An empty one counts as none.
                Err(KeyFileError::PassphraseWrong | KeyFileError::PassphraseMissing) => {}
                Err(useless) => return Err(StaysLocked::Useless(useless)),
            }
        }
        Err(StaysLocked::Wrong)
    }
}

/// Signs with the key once the server has said that it would take it, and asks only then.
pub(super) struct AskingSigner<'a> {
    pub(super) unlocker: Unlocker<'a>,
    pub(super) public: &'a PublicKey,
}

impl Signer for AskingSigner<'_> {
    type Error = StaysLocked;

    async fn auth_sign(
        &mut self,
        identity: &AgentIdentity,
        hash: Option<HashAlg>,
        to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, StaysLocked> {
        let key = self.unlocker.unlock().await?;
        if key.public_key().key_data() != self.public.key_data() {
            return Err(StaysLocked::OtherKey);
        }
        KeySigner(Arc::new(key)).auth_sign(identity, hash, to_sign).await.map_err(StaysLocked::Signature)
    }
}

/// Resolves when the server has ended the connection, as far as that is seen: while russh itself waits for
/// the answers to questions or for a signature it does not read, and an answer that comes too late fails.
pub(super) async fn gone(observed: &Observed) {
    while observed.ended.get().is_none() {
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}
