//! Which algorithms are offered to servers, best first; those for host keys are in `host_key`.

use std::borrow::Cow;

use russh::{Preferred, cipher, compression, kex, mac};

/// AES-GCM first: fast in hardware, and safe also with servers that lack the strict key exchange.
/// Counter mode before ChaCha20 for the same reason.
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_256_GCM,
    cipher::AES_128_GCM,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
    cipher::CHACHA20_POLY1305,
];
/// SHA-2 only.
const MACS: &[mac::Name] = &[mac::HMAC_SHA512_ETM, mac::HMAC_SHA256_ETM, mac::HMAC_SHA512, mac::HMAC_SHA256];
/// What `legacy_algorithms` adds: for network switches and servers of the years before 2013. SHA-1 in the key
/// exchange can be broken with great effort, and group 1 (1024 bits) by states; CBC leaks a little where an
/// attacker may try often. Still far better than telnet, which is why there is a switch and not a refusal.
/// `host_key` adds RSA with SHA-1. DSA, 3DES, RC4 and MD5 are not in this program at all.
const LEGACY_KEY_EXCHANGES: &[kex::Name] = &[
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_GEX_SHA1,
    kex::DH_G14_SHA1,
    kex::DH_G1_SHA1,
];
const LEGACY_CIPHERS: &[cipher::Name] = &[cipher::AES_256_CBC, cipher::AES_192_CBC, cipher::AES_128_CBC];
const LEGACY_MACS: &[mac::Name] = &[mac::HMAC_SHA1_ETM, mac::HMAC_SHA1];
/// Never compressed: a terminal gains little, and a decompressor is one more thing to attack.
const COMPRESSION: &[compression::Name] = &[compression::NONE];

/// All but the host keys' algorithms.
pub(super) fn preferred(legacy: bool) -> Preferred {
    // russh's key exchanges need no choice: post-quantum first, no SHA-1, strict, none below 2048 bits.
    let preferred = Preferred {
        cipher: Cow::Borrowed(CIPHERS),
        mac: Cow::Borrowed(MACS),
        compression: Cow::Borrowed(COMPRESSION),
        ..Preferred::DEFAULT
    };
    if !legacy {
        return preferred;
    }
    // Behind all others, so that a server that has a good one uses that.
    Preferred {
        kex: [&preferred.kex, LEGACY_KEY_EXCHANGES].concat().into(),
        cipher: [CIPHERS, LEGACY_CIPHERS].concat().into(),
        mac: [MACS, LEGACY_MACS].concat().into(),
        ..preferred
    }
}
