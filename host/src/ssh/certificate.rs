//! OpenSSH user certificates: read beside their key, used with it, and explained when a server refuses one.
//!
//! Whether a certificate is good is the server's decision, by its clock and its list of authorities. So
//! one that looks expired here is offered all the same; a refusal says what the certificate says.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use russh::{
    AgentAuthError, Signer,
    keys::{
        Certificate, HashAlg, PrivateKey,
        agent::AgentIdentity,
        signature,
        ssh_encoding::Encode,
        ssh_key::{Signature, certificate::CertType, private::KeypairData},
    },
};

use super::{error::KeyFileError, text::printable};

/// Longest name and most names shown of what a certificate says.
const NAME_LIMIT: usize = 64;
const NAMES_SHOWN: usize = 8;
const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// Where `ssh-keygen -s` puts the certificate of a key: `KEY-cert.pub`.
pub(super) fn beside(key_file: &Path) -> PathBuf {
    let mut name = key_file.as_os_str().to_owned();
    name.push("-cert.pub");
    name.into()
}

/// The certificate in a file's text, if it is one for users and for this key.
pub(super) fn parse(text: &str, key: &PrivateKey) -> Result<Certificate, KeyFileError> {
    let certificate =
        Certificate::from_openssh(text.trim()).map_err(|error| KeyFileError::NotACertificate(Box::new(error)))?;
    if certificate.cert_type() != CertType::User {
        return Err(KeyFileError::HostCertificate);
    }
    if certificate.public_key() != key.public_key().key_data() {
        return Err(KeyFileError::OtherKeysCertificate);
    }
    Ok(certificate)
}

/// What the certificate is called, for people.
pub(super) fn label(certificate: &Certificate, file: &Path) -> String {
    let id = printable(certificate.key_id(), NAME_LIMIT);
    format!("certificate (\"{id}\", serial {}, from {})", certificate.serial(), file.display())
}

/// Why a server may have refused the certificate, as far as it can be known here.
pub(super) fn explain(certificate: &Certificate, user: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    explain_at(certificate, user, now)
}

fn explain_at(certificate: &Certificate, user: &str, now: u64) -> String {
    let validity = validity(certificate.valid_after(), certificate.valid_before());
    if now >= certificate.valid_before() {
        return format!("it has expired ({validity}); get a new one");
    }
    if now < certificate.valid_after() {
        return format!("it is not valid yet ({validity}); wait, or set the clock of this machine");
    }
    let users = certificate.valid_principals();
    if !users.iter().any(|name| name == user) {
        let names: Vec<String> = users.iter().take(NAMES_SHOWN).map(|name| printable(name, NAME_LIMIT)).collect();
        let names = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
        return format!("it is issued for {names}, not for {user} ({validity}); get one that names the user");
    }
    let options: Vec<String> = certificate.critical_options().keys().map(|name| printable(name, NAME_LIMIT)).collect();
    let limits = if options.is_empty() { String::new() } else { format!(", limited by {}", options.join(", ")) };
    format!(
        "it is in order here ({validity}{limits}); the server may not know its authority {}",
        certificate.signature_key().fingerprint(HashAlg::Sha256)
    )
}

fn validity(after: u64, before: u64) -> String {
    match (after, before) {
        (0, u64::MAX) => "valid forever".to_owned(),
        (after, u64::MAX) => format!("valid from {}", utc(after)),
        (after, before) => format!("valid from {} to {}", utc(after), utc(before)),
    }
}

/// Seconds since 1970 as a date and time people read. The days of 400 years are always the same number,
/// and a year that begins in March has its leap day at its end.
fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / SECONDS_PER_DAY, seconds % SECONDS_PER_DAY);
    // From 1970-01-01 back to 0000-03-01.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Signs for a certificate with the key it is for. russh's own way signs RSA certificates with SHA-1.
pub(super) struct KeySigner(pub(super) Arc<PrivateKey>);

impl Signer for KeySigner {
    type Error = AgentAuthError;

    async fn auth_sign(
        &mut self,
        _identity: &AgentIdentity,
        hash: Option<HashAlg>,
        mut to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, AgentAuthError> {
        let failed = |error| AgentAuthError::Key(russh::keys::Error::SshKey(error));
        let signature: Signature = match self.0.key_data() {
            KeypairData::Rsa(pair) => signature::Signer::try_sign(&(pair, hash), &to_sign),
            other => signature::Signer::try_sign(other, &to_sign),
        }
        .map_err(|error| failed(error.into()))?;
        signature.encode_prefixed(&mut to_sign).map_err(|error| failed(error.into()))?;
        Ok(to_sign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let table = [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_709_251_199, "2024-02-29 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ];
        for (seconds, date) in table {
            assert_eq!(utc(seconds), date);
        }
        assert_eq!(validity(0, u64::MAX), "valid forever");
        assert_eq!(validity(0, 60), "valid from 1970-01-01 00:00:00 UTC to 1970-01-01 00:01:00 UTC");
    }
}
