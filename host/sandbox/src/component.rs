//! A component as it is handed over to be loaded.

use crate::cache::{self, Digest};

/// The bytes of a component, and their SHA-256 where it has been worked out before.
#[derive(Clone, Copy)]
pub struct ComponentFile<'a> {
    pub(crate) bytes: &'a [u8],
    digest: Option<Digest>,
}

impl<'a> ComponentFile<'a> {
    /// With the SHA-256 of exactly these bytes. The caller answers for it: code that was compiled of a component
    /// is found by this digest and by nothing else.
    pub fn with_digest(bytes: &'a [u8], sha256: [u8; 32]) -> Self {
        Self { bytes, digest: Some(sha256) }
    }

    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) fn digest(&self) -> Digest {
        self.digest.unwrap_or_else(|| cache::digest(self.bytes))
    }
}

impl<'a> From<&'a [u8]> for ComponentFile<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { bytes, digest: None }
    }
}

impl<'a> From<&'a Vec<u8>> for ComponentFile<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::from(bytes.as_slice())
    }
}
