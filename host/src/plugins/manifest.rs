//! What a plugin says of itself beside its code: version, description, and what it would like to be given.
//!
//! The manifest is the project's `plugin.toml`. `plugin build` puts it into the component; where a
//! component has none, a file beside it counts (`rules.wasm`, `rules.plugin.toml`). It declares, and
//! gives nothing: a capability is used where it is declared here and granted in the configuration.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::CatalogError;

/// Name of the custom section at the end of a component.
const SECTION: &str = "portcullis:plugin";
/// Far above any manifest.
const MAX_BYTES: usize = 64 * 1024;

/// What a host reads of it; what else stands there is for others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `secret:NAME` for each secret it asks for by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
}

impl Manifest {
    /// That of a component, or of the file beside it; none where there is neither.
    ///
    /// # Errors
    /// When there is one and it cannot be read.
    pub(crate) fn of(plugin: &str, path: &Path, component: &[u8]) -> Result<Option<Self>, CatalogError> {
        let wrong =
            |place: String, problem: String| CatalogError::Manifest { plugin: plugin.to_owned(), place, problem };
        let inside = portcullis_sandbox::component_section(plugin, component, SECTION)
            .map_err(|source| CatalogError::Load { plugin: plugin.to_owned(), source })?;
        if let Some(bytes) = inside {
            return Self::read(&bytes).map(Some).map_err(|problem| wrong("in the component".to_owned(), problem));
        }
        let beside = beside(path);
        let place = || beside.display().to_string();
        match std::fs::read(&beside) {
            Ok(bytes) => Self::read(&bytes).map(Some).map_err(|problem| wrong(place(), problem)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(wrong(place(), error.to_string())),
        }
    }

    fn read(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > MAX_BYTES {
            return Err(format!("it is longer than {MAX_BYTES} bytes"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| "it is no UTF-8".to_owned())?;
        toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())
    }

    /// Whether it declares that it may ask for this secret.
    pub(crate) fn asks_for_secret(&self, name: &str) -> bool {
        self.capabilities.iter().any(|capability| capability.strip_prefix("secret:") == Some(name))
    }
}

/// The component with the manifest as its last section.
pub(crate) fn with_manifest(component: &[u8], text: &str) -> Vec<u8> {
    let mut content = Vec::new();
    put_length(&mut content, SECTION.len());
    content.extend(SECTION.as_bytes());
    content.extend(text.as_bytes());
    let mut all = component.to_vec();
    // Section 0 is a custom one (component binary format, as in core modules).
    all.push(0);
    put_length(&mut all, content.len());
    all.extend(content);
    all
}

/// Unsigned LEB128.
fn put_length(bytes: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
}

fn beside(component: &Path) -> PathBuf {
    component.with_extension("plugin.toml")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    /// An empty component.
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn it_is_read_from_the_component_before_the_file_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.wasm");
        assert_eq!(Manifest::of("rules", &path, COMPONENT).unwrap(), None);
        std::fs::write(folder.path().join("rules.plugin.toml"), "version = '1.0.0'\n").unwrap();
        let beside = Manifest::of("rules", &path, COMPONENT).unwrap().unwrap();
        assert_eq!(beside.version.as_deref(), Some("1.0.0"));
        let long = format!("version = '2.0.0'\ndescription = '{}'\ncapabilities = ['secret:otp']\n", "x".repeat(300));
        let inside = Manifest::of("rules", &path, &with_manifest(COMPONENT, &long)).unwrap().unwrap();
        assert_eq!(inside.version.as_deref(), Some("2.0.0"));
        assert!(inside.asks_for_secret("otp") && !inside.asks_for_secret("ot"));
    }

    #[test]
    fn one_that_cannot_be_read_is_an_error() {
        let error = Manifest::of("rules", Path::new("rules.wasm"), &with_manifest(COMPONENT, "version = 1"));
        assert!(error.unwrap_err().to_string().contains("in the component"));
    }
}
