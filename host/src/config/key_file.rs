//! What can be told of a private key's file without its passphrase. Nothing is decrypted here.

use base64::Engine;

/// Far above any key; a longer file is none.
pub(crate) const LIMIT_BYTES: u64 = 128 * 1024;
/// The beginning of an OpenSSH private key that is not encrypted: magic, then the cipher `none`.
const OPENSSH_PLAIN: &[u8] = b"openssh-key-v1\0\0\0\0\x04none";

/// Whether a private key's text says of itself that it needs a passphrase: OpenSSH's format (PROTOCOL.key),
/// PKCS#8 (RFC 5958) or PEM (RFC 1421). The text may be cut.
pub(crate) fn is_encrypted(key: &str) -> bool {
    if key.contains("BEGIN ENCRYPTED PRIVATE KEY") || key.contains("Proc-Type: 4,ENCRYPTED") {
        return true;
    }
    let Some((_, body)) = key.split_once("-----BEGIN OPENSSH PRIVATE KEY-----") else { return false };
    // The first characters say which cipher; a multiple of four of them can be decoded by itself.
    let head: String = body.chars().filter(|c| !c.is_whitespace()).take(48).collect();
    let decoded = base64::engine::general_purpose::STANDARD.decode(head).unwrap_or_default();
    !decoded.is_empty() && !decoded.starts_with(OPENSSH_PLAIN)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn an_encrypted_key_is_told_from_a_plain_one() {
        let encode = |cipher: &str| {
            let mut bytes = b"openssh-key-v1\0\0\0\0".to_vec();
            bytes.push(u8::try_from(cipher.len()).unwrap());
            bytes.extend(cipher.as_bytes());
            bytes.extend([0; 60]);
            let body = base64::engine::general_purpose::STANDARD.encode(bytes);
            format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n")
        };
        assert!(!is_encrypted(&encode("none")));
        assert!(is_encrypted(&encode("aes256-ctr")));
        assert!(is_encrypted("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
        assert!(!is_encrypted("no key at all"));
    }
}
