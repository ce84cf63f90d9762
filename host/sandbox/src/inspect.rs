//! What a component file says of itself, read without running or compiling it.

use wasmparser::{Chunk, Parser, Payload, Validator, WasmFeatures};

use crate::error::LoadError;
use crate::info::PluginKind;

const LOG: &str = "portcullis:host/log";
const COMMON: &str = "portcullis:common/types";

/// Versions of the shared packages, which every kind imports.
const SHARED_VERSIONS: &[&str] = &["0.1"];

/// Checks imports, kind and version.
///
/// Returns the version of the contract it was built for.
pub(crate) fn inspect(plugin: &str, bytes: &[u8], kind: PluginKind) -> Result<String, LoadError> {
    let interfaces = Interfaces::of(plugin, bytes)?;
    // The imports first: whoever built against WASI wants to read that, not what else is amiss.
    interfaces.check_imports(plugin)?;
    interfaces.check_exports(plugin.to_owned(), kind)
}

/// Checks the structure of every part. That takes as long as reading compiled code does, so it is asked
/// only of components that have none yet.
pub(crate) fn validate(plugin: &str, bytes: &[u8]) -> Result<(), LoadError> {
    Validator::new_with_features(WasmFeatures::default())
        .validate_all(bytes)
        .map(drop)
        .map_err(|error| LoadError::Invalid { plugin: plugin.to_owned(), reason: error.to_string() })
}

/// Whether `version` (`0.1.3`) is a patch version of one of these contracts (`0.1`).
pub(crate) fn speaks(versions: &[&str], version: &str) -> bool {
    versions.iter().any(|minor| version.strip_prefix(minor).is_some_and(|patch| patch.starts_with('.')))
}

/// The kind of plugin a component says it is; nothing else is checked.
///
/// # Errors
/// When the bytes are no component, or one of no kind this host knows.
pub fn component_kind(plugin: &str, bytes: &[u8]) -> Result<PluginKind, LoadError> {
    let interfaces = Interfaces::of(plugin, bytes)?;
    let wanted = PluginKind::Policy;
    PluginKind::ALL
        .into_iter()
        .find(|kind| interfaces.export_of(*kind).is_some())
        .ok_or_else(|| interfaces.of_no_kind(plugin.to_owned(), wanted))
}

/// What a component imports and exports by name; nothing is checked but that it is a component.
///
/// # Errors
/// When the bytes are no component.
pub fn component_interfaces(plugin: &str, bytes: &[u8]) -> Result<Interfaces, LoadError> {
    Interfaces::of(plugin, bytes)
}

/// A custom section of the component itself, the first of that name.
///
/// # Errors
/// When the bytes are no component.
pub fn component_section(plugin: &str, bytes: &[u8], name: &str) -> Result<Option<Vec<u8>>, LoadError> {
    Interfaces::of(plugin, bytes)?;
    let mut found = None;
    outermost(bytes, |payload| {
        if let Payload::CustomSection(section) = payload
            && found.is_none()
            && section.name() == name
        {
            found = Some(section.data().to_vec());
        }
        Ok(())
    })
    .map_err(|error| LoadError::Invalid { plugin: plugin.to_owned(), reason: error.to_string() })?;
    Ok(found)
}

/// Gives every part of the component itself; what is nested in it, which is nearly all of its bytes, is passed over.
fn outermost(bytes: &[u8], mut each: impl FnMut(&Payload<'_>) -> wasmparser::Result<()>) -> wasmparser::Result<()> {
    let mut parser = Parser::new(0);
    let mut at = 0;
    loop {
        let Some(rest) = bytes.get(at..) else {
            // A part says that it is longer than the file: a reader that enters it says where it ends.
            return Parser::new(0).parse_all(bytes).try_for_each(|payload| payload.map(drop));
        };
        let Chunk::Parsed { consumed, payload } = parser.parse(rest, true)? else { return Ok(()) };
        each(&payload)?;
        at += consumed;
        match payload {
            Payload::ModuleSection { unchecked_range: range, .. }
            | Payload::ComponentSection { unchecked_range: range, .. } => {
                at = range.end;
            }
            Payload::End(_) => return Ok(()),
            _ => {}
        }
    }
}

/// Names at the component's outermost level, with versions, as they stand in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interfaces {
    pub imports: Vec<String>,
    pub exports: Vec<String>,
}

impl Interfaces {
    fn of(plugin: &str, bytes: &[u8]) -> Result<Self, LoadError> {
        let plugin = plugin.to_owned();
        if Parser::is_core_wasm(bytes) {
            return Err(LoadError::CoreModule { plugin });
        }
        if !Parser::is_component(bytes) {
            return Err(LoadError::NotWebAssembly { plugin });
        }
        Self::read(bytes).map_err(|error| LoadError::Invalid { plugin, reason: error.to_string() })
    }

    fn export_of(&self, kind: PluginKind) -> Option<&String> {
        self.exports.iter().find(|export| split_version(export).0 == kind.interface())
    }

    fn of_no_kind(&self, plugin: String, wanted: PluginKind) -> LoadError {
        let found = listed(&self.exports.iter().map(String::as_str).collect::<Vec<_>>());
        let newest = wanted.versions().last().unwrap_or(&"");
        LoadError::NoKind { plugin, wanted, found, interface: format!("{}@{newest}.0", wanted.interface()) }
    }

    fn read(bytes: &[u8]) -> wasmparser::Result<Self> {
        let mut found = Self { imports: Vec::new(), exports: Vec::new() };
        outermost(bytes, |payload| {
            match payload {
                Payload::ComponentImportSection(section) => {
                    for import in section.clone() {
                        found.imports.push(import?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) => {
                    for export in section.clone() {
                        found.exports.push(export?.name.name.to_owned());
                    }
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn check_imports(&self, plugin: &str) -> Result<(), LoadError> {
        let mut forbidden = Vec::new();
        for import in &self.imports {
            let (interface, version) = split_version(import);
            if interface != LOG && interface != COMMON {
                forbidden.push(import.as_str());
            } else if !speaks(SHARED_VERSIONS, version) {
                return Err(wrong_version(plugin, import, SHARED_VERSIONS));
            }
        }
        if forbidden.is_empty() { Ok(()) } else { Err(forbidden_import(plugin, &forbidden)) }
    }

    fn check_exports(&self, plugin: String, wanted: PluginKind) -> Result<String, LoadError> {
        if let Some(export) = self.export_of(wanted) {
            let (_, version) = split_version(export);
            if speaks(wanted.versions(), version) {
                return Ok(version.to_owned());
            }
            return Err(wrong_version(&plugin, export, wanted.versions()));
        }
        if let Some(found) = PluginKind::ALL.into_iter().find(|kind| self.export_of(*kind).is_some()) {
            return Err(LoadError::WrongKind { plugin, wanted, found });
        }
        Err(self.of_no_kind(plugin, wanted))
    }
}

/// `portcullis:host/log@0.1.0` as `portcullis:host/log` and `0.1.0`.
fn split_version(name: &str) -> (&str, &str) {
    name.split_once('@').unwrap_or((name, ""))
}

fn wrong_version(plugin: &str, interface: &str, versions: &[&str]) -> LoadError {
    let (name, version) = split_version(interface);
    let package = name.split_once('/').map_or(name, |(package, _)| package);
    let supported = match versions {
        [first, .., last] => format!("{first} to {last}"),
        versions => versions.concat(),
    };
    LoadError::WrongVersion { plugin: plugin.to_owned(), found: format!("{package}@{version}"), supported }
}

fn forbidden_import(plugin: &str, imports: &[&str]) -> LoadError {
    LoadError::ForbiddenImport { plugin: plugin.to_owned(), imports: listed(imports) }
}

/// The first few names; a plugin built for WASI has more than a dozen.
fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 4;
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let mut text =
        names.iter().take(SHOWN).map(|name| format!("`{}`", crate::check::quoted(name))).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}
