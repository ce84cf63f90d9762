//! All loaded plugins, built in and added by the operator.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use portcullis_sandbox::{
    LoadError, LogSearchPlugin, NavigatorPlugin, ParserPlugin, PluginInfo, PluginKind, PolicyPlugin, Sandbox,
};
use sha2::{Digest, Sha256};

use super::{Loaded, ParserSet, PolicyChain, load};
use crate::config::{Config, PluginEntry};

include!(concat!(env!("OUT_DIR"), "/components.rs"));

/// The policy that always runs first.
const STANDARD_POLICY: &str = "policy-standard";

/// Why the plugins could not be made ready; a policy that is missing stops the start.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("plugin `{plugin}`: the file {} cannot be read; correct `path` in the configuration", path.display())]
    File {
        plugin: String,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("plugin `{plugin}`: {} has the SHA-256 {found}, the configuration pins {pinned}; if the new file is wanted, put its digest there", path.display())]
    Pin { plugin: String, path: PathBuf, found: String, pinned: String },
    #[error("plugin `{plugin}` could not be loaded")]
    Load {
        plugin: String,
        #[source]
        source: LoadError,
    },
    #[error("plugin `{plugin}`: {problem}")]
    Kind { plugin: String, problem: String },
    #[error("profile `{profile}` names the {kind} `{plugin}`, which is not loaded; loaded are: {known}")]
    Unknown { profile: String, kind: PluginKind, plugin: String, known: String },
}

/// One line of a plugin list.
pub type Listed = PluginInfo;

/// Everything that is loaded.
pub struct Catalog {
    standard: PolicyPlugin,
    policies: BTreeMap<String, PolicyPlugin>,
    navigators: BTreeMap<String, NavigatorPlugin>,
    parsers: BTreeMap<String, ParserPlugin>,
    log_searches: BTreeMap<String, LogSearchPlugin>,
}

impl Catalog {
    /// Loads the built-in components and those of the configuration.
    ///
    /// # Errors
    /// When any of them cannot be used: nothing starts with half of its policies.
    pub async fn load(sandbox: &Sandbox, config: &Config) -> Result<Self, CatalogError> {
        let mut loading = Loading::default();
        for (name, kind, bytes) in COMPONENTS {
            let entry = config.plugins.iter().find(|entry| entry.path.is_none() && entry.name == *name);
            let settings = entry.map_or("{}", |entry| entry.settings.as_str());
            loading.add(sandbox, name, kind_named(kind), bytes, settings).await?;
        }
        for entry in &config.plugins {
            let Some(path) = &entry.path else {
                must_be_built_in(entry)?;
                continue;
            };
            let bytes = read_pinned(entry, path)?;
            let kind = portcullis_sandbox::component_kind(&entry.name, &bytes)
                .map_err(|source| CatalogError::Load { plugin: entry.name.clone(), source })?;
            loading.add(sandbox, &entry.name, Some(kind), &bytes, &entry.settings).await?;
        }
        let catalog = loading.finish()?;
        catalog.check_names(config)?;
        Ok(catalog)
    }

    /// The policies in the form the gate asks them.
    pub fn policy_chain(&self) -> PolicyChain {
        PolicyChain::new(STANDARD_POLICY, self.standard.clone(), self.policies.clone())
    }

    /// The parsers in the form operations ask them.
    pub fn parser_set(&self) -> ParserSet {
        ParserSet::new(self.parsers.clone())
    }

    pub fn navigator(&self, name: &str) -> Option<NavigatorPlugin> {
        self.navigators.get(name).cloned()
    }

    pub fn log_search(&self, name: &str) -> Option<LogSearchPlugin> {
        self.log_searches.get(name).cloned()
    }

    /// What is loaded, with digests and how each has fared.
    pub fn list(&self) -> Vec<Listed> {
        let mut list = vec![self.standard.info()];
        list.extend(self.policies.values().map(|plugin| plugin.info()));
        list.extend(self.navigators.values().map(|plugin| plugin.info()));
        list.extend(self.parsers.values().map(|plugin| plugin.info()));
        list.extend(self.log_searches.values().map(|plugin| plugin.info()));
        list
    }

    /// Every plugin a profile names must be there: a policy that is missing would be a hole.
    fn check_names(&self, config: &Config) -> Result<(), CatalogError> {
        for (profile, destination) in &config.destinations {
            let unknown = |kind, plugin: &str, known: Vec<&String>| {
                let known = known.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                CatalogError::Unknown { profile: profile.clone(), kind, plugin: plugin.to_owned(), known }
            };
            if let Some(missing) = destination.policies.iter().find(|name| !self.policies.contains_key(*name)) {
                return Err(unknown(PluginKind::Policy, missing, self.policies.keys().collect()));
            }
            let navigator = destination.navigator.as_ref().map(|choice| &choice.plugin);
            if let Some(missing) = navigator.filter(|name| !self.navigators.contains_key(*name)) {
                return Err(unknown(PluginKind::Navigator, missing, self.navigators.keys().collect()));
            }
            let searcher = &destination.log_search.plugin;
            if !self.log_searches.contains_key(searcher) {
                return Err(unknown(PluginKind::LogSearch, searcher, self.log_searches.keys().collect()));
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Loading {
    policies: BTreeMap<String, PolicyPlugin>,
    navigators: BTreeMap<String, NavigatorPlugin>,
    parsers: BTreeMap<String, ParserPlugin>,
    log_searches: BTreeMap<String, LogSearchPlugin>,
}

impl Loading {
    async fn add(
        &mut self,
        sandbox: &Sandbox,
        name: &str,
        kind: Option<PluginKind>,
        bytes: &[u8],
        settings: &str,
    ) -> Result<(), CatalogError> {
        let failed = |source| CatalogError::Load { plugin: name.to_owned(), source };
        let taken = self.policies.contains_key(name)
            || self.navigators.contains_key(name)
            || self.parsers.contains_key(name)
            || self.log_searches.contains_key(name);
        if taken {
            let problem = "there is one of this name already; give yours another name".to_owned();
            return Err(CatalogError::Kind { plugin: name.to_owned(), problem });
        }
        let key = name.to_owned();
        let Some(kind) = kind else {
            let problem = "its kind is not known to this host".to_owned();
            return Err(CatalogError::Kind { plugin: key, problem });
        };
        match load(sandbox, name, kind, bytes, settings).await.map_err(failed)? {
            Loaded::Policy(plugin) => drop(self.policies.insert(key, plugin)),
            Loaded::Navigator(plugin) => drop(self.navigators.insert(key, plugin)),
            Loaded::Parser(plugin) => drop(self.parsers.insert(key, plugin)),
            Loaded::LogSearch(plugin) => drop(self.log_searches.insert(key, plugin)),
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Catalog, CatalogError> {
        let standard = self.policies.remove(STANDARD_POLICY).ok_or_else(|| CatalogError::Kind {
            plugin: STANDARD_POLICY.to_owned(),
            problem: "it is missing from this build, and nothing may be typed without it".to_owned(),
        })?;
        Ok(Catalog {
            standard,
            policies: self.policies,
            navigators: self.navigators,
            parsers: self.parsers,
            log_searches: self.log_searches,
        })
    }
}

fn kind_named(name: &str) -> Option<PluginKind> {
    PluginKind::ALL.into_iter().find(|kind| kind.as_str() == name)
}

/// Names of the components that are part of this program.
pub(crate) fn built_in_names() -> impl Iterator<Item = &'static str> {
    COMPONENTS.iter().map(|(name, ..)| *name)
}

/// A component that is part of this program.
pub(crate) fn built_in(name: &str) -> Option<&'static [u8]> {
    COMPONENTS.iter().find(|(known, ..)| *known == name).map(|(_, _, bytes)| *bytes)
}

/// A component of that kind that is part of this program.
pub(crate) fn built_in_of(kind: PluginKind) -> Option<&'static [u8]> {
    COMPONENTS.iter().find(|(_, known, _)| *known == kind.as_str()).map(|(_, _, bytes)| *bytes)
}

fn must_be_built_in(entry: &PluginEntry) -> Result<(), CatalogError> {
    if built_in(&entry.name).is_some() {
        return Ok(());
    }
    let known = built_in_names().collect::<Vec<_>>().join(", ");
    let problem = format!("it has no `path` and is not built in (those are {known}); give the path of its component");
    Err(CatalogError::Kind { plugin: entry.name.clone(), problem })
}

/// The file of a component the operator added, if it is the one that was pinned.
pub(crate) fn read_pinned(entry: &PluginEntry, path: &Path) -> Result<Vec<u8>, CatalogError> {
    let bytes = std::fs::read(path).map_err(|source| CatalogError::File {
        plugin: entry.name.clone(),
        path: path.to_owned(),
        source,
    })?;
    let Some(pinned) = &entry.sha256 else { return Ok(bytes) };
    let found: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if found.eq_ignore_ascii_case(pinned) {
        return Ok(bytes);
    }
    let (plugin, path, pinned) = (entry.name.clone(), path.to_owned(), pinned.clone());
    Err(CatalogError::Pin { plugin, path, found, pinned })
}
