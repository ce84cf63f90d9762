//! Judges the key or certificate a server presents, before anything else is said to it.
//!
//! Bridges russh's key types and the matcher in `known_hosts`. Called by the connection's handler during
//! the first key exchange; it asks nobody and records nothing.

use std::{
    borrow::Cow,
    time::{SystemTime, UNIX_EPOCH},
};

use russh::keys::{
    Algorithm, Certificate, EcdsaCurve, HashAlg, PublicKey, PublicKeyOrCertificate,
    ssh_key::{certificate::CertType, public::KeyData},
};

use super::{
    error::{ConnectError, Target},
    known_hosts::{self, HostKeyVerdict, KnownHosts, wildcard_match},
};

/// Host key types accepted, best first. RSA only with SHA-2, unless the profile allows old algorithms; DSA
/// not at all.
const KEY_ALGORITHMS: [Algorithm; 6] = [
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
];

/// A server key in the forms that messages and files need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PresentedKey {
    pub(super) key_type: Box<str>,
    pub(super) fingerprint: String,
    wire: Vec<u8>,
}

impl PresentedKey {
    /// `None` for a key that cannot be written in wire format, which a server cannot have sent.
    pub(super) fn new(key: &PublicKey) -> Option<Self> {
        let wire = key.to_bytes().ok()?;
        Some(Self {
            // The type in the key itself, such as `ssh-rsa`, not the signature algorithm negotiated.
            key_type: key.algorithm().as_str().into(),
            fingerprint: known_hosts::fingerprint(&wire),
            wire,
        })
    }

    pub(super) fn line_for(&self, target: &Target) -> String {
        let (host, port) = target.key_name();
        known_hosts::line_for(host, port, &self.key_type, &self.wire)
    }
}

/// Algorithms to ask the server for: those of recorded keys first, so that a server with several keys
/// presents the one that can be checked.
pub(super) fn algorithms_to_ask(known: &KnownHosts, target: &Target, legacy: bool) -> Cow<'static, [Algorithm]> {
    let (host, port) = target.key_name();
    let recorded = known.recorded_key_types(host, port);
    let rank = |algorithm: &Algorithm| {
        let key_type = plain_type(algorithm);
        recorded.iter().position(|recorded_type| *recorded_type == key_type).unwrap_or(usize::MAX)
    };
    let mut algorithms = KEY_ALGORITHMS.to_vec();
    algorithms.sort_by_key(rank);
    if legacy {
        // Last also where an RSA key is recorded: SHA-2 first, where the server has it.
        algorithms.push(Algorithm::Rsa { hash: None });
    }
    Cow::Owned(algorithms)
}

/// Certificate algorithms to ask for: none, unless an authority is recorded that could have signed one.
pub(super) fn certificates_to_ask(known: &KnownHosts, target: &Target) -> Cow<'static, [Algorithm]> {
    let (host, port) = target.key_name();
    if known.authorities(host, port).is_empty() {
        return Cow::Borrowed(&[]);
    }
    Cow::Owned(KEY_ALGORITHMS.to_vec())
}

fn plain_type(algorithm: &Algorithm) -> &str {
    match algorithm {
        Algorithm::Rsa { .. } => "ssh-rsa",
        other => other.as_str(),
    }
}

/// Accepts the key, or says why not.
pub(super) fn verify(
    known: &KnownHosts,
    target: &Target,
    presented: &PublicKeyOrCertificate,
) -> Result<PresentedKey, ConnectError> {
    let (host, port) = target.key_name();
    let key = PresentedKey::new(&presented.public_key())
        .ok_or(ConnectError::HostCertificate { target: target.clone(), why: "its key cannot be read" })?;
    if let Some(certificate) = presented.certificate()
        && signed_by_recorded_authority(known, target, certificate)?
    {
        return match known.revocation(host, port, &key.wire) {
            Some(location) => Err(revoked(target, &key, location)),
            None => Ok(key),
        };
    }
    // A certificate of an authority nobody recorded is worth as much as the key inside.
    match known.check(host, port, &key.wire) {
        HostKeyVerdict::Known { .. } => Ok(key),
        HostKeyVerdict::Revoked { location } => Err(revoked(target, &key, location)),
        HostKeyVerdict::Changed { known } => Err(ConnectError::HostKeyChanged {
            target: target.clone(),
            key_type: key.key_type,
            fingerprint: key.fingerprint,
            known,
        }),
        HostKeyVerdict::Unknown => Err(ConnectError::HostKeyUnknown {
            target: Box::new(target.clone()),
            known_hosts_line: key.line_for(target),
            key_type: key.key_type,
            fingerprint: key.fingerprint,
            skipped: known.skipped().into(),
        }),
    }
}

fn revoked(target: &Target, key: &PresentedKey, location: known_hosts::Location) -> ConnectError {
    ConnectError::HostKeyRevoked { target: target.clone(), fingerprint: key.fingerprint.clone(), location }
}

/// Whether a recorded authority vouches for this host with the certificate. A certificate of such an
/// authority that is not in order is refused, not ignored.
fn signed_by_recorded_authority(
    known: &KnownHosts,
    target: &Target,
    certificate: &Certificate,
) -> Result<bool, ConnectError> {
    let (host, port) = target.key_name();
    let refuse = |why| Err(ConnectError::HostCertificate { target: target.clone(), why });
    let Some(authority) = PresentedKey::new(&PublicKey::from(certificate.signature_key().clone())) else {
        return refuse("the key of its authority cannot be read");
    };
    if let Some(location) = known.revocation(host, port, &authority.wire) {
        return Err(revoked(target, &authority, location));
    }
    if !known.authorities(host, port).contains(&authority.wire.as_slice()) {
        return Ok(false);
    }
    if certificate.cert_type() != CertType::Host {
        return refuse("it is a certificate for users, not for hosts");
    }
    if matches!(certificate.signature_key(), KeyData::Dsa(_)) {
        return refuse("its authority signs with DSA");
    }
    // An empty list would be good for every host there is, which nobody should sign or accept.
    let host = host.to_ascii_lowercase();
    let names_host = |name: &String| wildcard_match(name.to_ascii_lowercase().as_bytes(), host.as_bytes());
    if !certificate.valid_principals().iter().any(names_host) {
        return refuse("it is not issued for this host name");
    }
    if certificate.critical_options().iter().next().is_some() {
        return refuse("it carries a critical option, and none is defined for hosts");
    }
    let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) else {
        return refuse("this machine's clock stands before 1970");
    };
    let authority_fingerprint = certificate.signature_key().fingerprint(HashAlg::Sha256);
    match certificate.validate_at(now.as_secs(), [&authority_fingerprint]) {
        Ok(()) => Ok(true),
        Err(_) => refuse("its signature is wrong, or it is expired or not valid yet"),
    }
}
