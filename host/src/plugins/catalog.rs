//! All loaded plugins, built in and added by the operator.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use portcullis_sandbox::{
    ComponentFile, LoadError, LogSearchPlugin, NavigatorPlugin, PluginInfo, PluginKind, PolicyPlugin, Sandbox,
    component_kind,
};
use sha2::{Digest, Sha256};

use super::manifest::Manifest;
use super::policies::RULES_POLICY;
use super::{Loaded, ParserSet, PolicyChain, load};
use crate::config::{Config, PluginEntry, PluginLimits};

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
    #[error("the rules of the profile `{profile}` cannot be used")]
    Rules {
        profile: String,
        #[source]
        source: Box<CatalogError>,
    },
    #[error("plugin `{plugin}`: {problem}")]
    Kind { plugin: String, problem: String },
    #[error("plugin `{plugin}`: its manifest {place} cannot be read: {problem}")]
    Manifest { plugin: String, place: String, problem: String },
    #[error(
        "plugin `{plugin}` is granted the secret `{secret}` and does not declare that it asks for it; its author adds \
         capabilities = [\"secret:{secret}\"] to its plugin.toml, or take the grant out"
    )]
    Undeclared { plugin: String, secret: String },
    #[error("profile `{profile}` names the {kind} `{plugin}`, which is not loaded; loaded are: {known}")]
    Unknown { profile: String, kind: PluginKind, plugin: String, known: String },
}

/// Everything that is loaded, by name; one moment's state that never changes.
#[derive(Clone)]
pub struct Catalog {
    plugins: BTreeMap<String, Loaded>,
    /// The profiles' own rules, by the settings that hold them.
    rules: BTreeMap<String, PolicyPlugin>,
    policies: PolicyChain,
    parsers: ParserSet,
}

impl Catalog {
    /// Loads the built-in components and those of the configuration.
    ///
    /// # Errors
    /// When any of them cannot be used: nothing starts with half of its policies.
    pub async fn load(sandbox: &Sandbox, config: &Config) -> Result<Self, CatalogError> {
        let mut plugins = built_in_plugins(sandbox, config).await?;
        for entry in &config.plugins {
            let file;
            let component = match (&entry.path, entry.built_in_name()) {
                (Some(path), _) => {
                    file = read_pinned(entry, path)?;
                    file.component()
                }
                (None, Some(name)) if name == entry.name => {
                    component_named(entry, name)?;
                    continue;
                }
                (None, name) => component_named(entry, name.unwrap_or_default())?,
            };
            if plugins.contains_key(&entry.name) {
                let problem = "there is one of this name already; give yours another name".to_owned();
                return Err(CatalogError::Kind { plugin: entry.name.clone(), problem });
            }
            plugins.insert(entry.name.clone(), load_entry(sandbox, entry, component).await?);
        }
        let rules = rules_of_profiles(sandbox, config).await?;
        let catalog = Self::of(plugins, rules)?;
        catalog.check_names(config)?;
        Ok(catalog)
    }

    fn of(plugins: BTreeMap<String, Loaded>, rules: BTreeMap<String, PolicyPlugin>) -> Result<Self, CatalogError> {
        let mut policies = BTreeMap::new();
        let mut parsers = BTreeMap::new();
        for (name, loaded) in &plugins {
            match loaded {
                Loaded::Policy(plugin) => drop(policies.insert(name.clone(), plugin.clone())),
                Loaded::Parser(plugin) => drop(parsers.insert(name.clone(), plugin.clone())),
                Loaded::Navigator(_) | Loaded::LogSearch(_) => {}
            }
        }
        let standard = policies.remove(STANDARD_POLICY).ok_or_else(|| CatalogError::Kind {
            plugin: STANDARD_POLICY.to_owned(),
            problem: "it is missing from this build, and nothing may be typed without it".to_owned(),
        })?;
        Ok(Self {
            plugins,
            policies: PolicyChain::new(STANDARD_POLICY, standard, policies, rules.clone()),
            rules,
            parsers: ParserSet::new(parsers),
        })
    }

    /// The same with another component under one name.
    ///
    /// # Errors
    /// When it is of another kind: whoever asks for the name would find nothing.
    pub(super) fn with(&self, entry: &PluginEntry, loaded: Loaded) -> Result<Self, CatalogError> {
        let (now, before) = (loaded.info().kind, self.plugins.get(&entry.name).map(|plugin| plugin.info().kind));
        if before != Some(now) {
            let before = before.map_or("nothing", PluginKind::as_str);
            let problem = format!("its file holds a {now} plugin now, and was loaded as {before}; restart for that");
            return Err(CatalogError::Kind { plugin: entry.name.clone(), problem });
        }
        let mut plugins = self.plugins.clone();
        plugins.insert(entry.name.clone(), loaded);
        Self::of(plugins, self.rules.clone())
    }

    /// Whether exactly this component is loaded under the name.
    pub(super) fn has(&self, name: &str, file: &ReadComponent) -> bool {
        self.plugins.get(name).is_some_and(|plugin| plugin.info().digest_sha256 == hexadecimal(&file.sha256))
    }

    /// The policies in the form the gate asks them.
    pub fn policies(&self) -> &PolicyChain {
        &self.policies
    }

    /// The parsers in the form operations ask them.
    pub fn parsers(&self) -> &ParserSet {
        &self.parsers
    }

    pub fn navigator(&self, name: &str) -> Option<NavigatorPlugin> {
        match self.plugins.get(name) {
            Some(Loaded::Navigator(plugin)) => Some(plugin.clone()),
            _ => None,
        }
    }

    pub fn log_search(&self, name: &str) -> Option<LogSearchPlugin> {
        match self.plugins.get(name) {
            Some(Loaded::LogSearch(plugin)) => Some(plugin.clone()),
            _ => None,
        }
    }

    /// What is loaded, with digests and how each has fared; policies first, the standard one before all.
    pub fn list(&self) -> Vec<PluginInfo> {
        let of_rules = || self.rules.values().map(PolicyPlugin::info);
        let whole =
            |info: PluginInfo| if info.name == RULES_POLICY { of_rules().fold(info, PluginInfo::and) } else { info };
        let mut list: Vec<PluginInfo> = self.plugins.values().map(Loaded::info).map(whole).collect();
        list.sort_by_key(|info| (info.kind, info.name != STANDARD_POLICY));
        list
    }

    /// Every plugin a profile names must be there: a policy that is missing would be a hole.
    fn check_names(&self, config: &Config) -> Result<(), CatalogError> {
        for (profile, destination) in &config.destinations {
            let policies = destination.policies.iter().chain(&destination.shadow_policies);
            let navigator = destination.navigator.as_ref().map(|choice| &choice.plugin);
            let named = policies.map(|name| (PluginKind::Policy, name));
            let named = named.chain(navigator.map(|name| (PluginKind::Navigator, name)));
            let named = named.chain([(PluginKind::LogSearch, &destination.log_search.plugin)]);
            for (kind, name) in named {
                // The standard policy is asked anyway; named again it would be on trial against itself.
                let known = self.names_of(kind);
                if !known.contains(&name.as_str()) {
                    let (profile, plugin, known) = (profile.clone(), name.clone(), known.join(", "));
                    return Err(CatalogError::Unknown { profile, kind, plugin, known });
                }
            }
        }
        Ok(())
    }

    fn names_of(&self, kind: PluginKind) -> Vec<&str> {
        let of_kind = |(name, plugin): &(&String, &Loaded)| plugin.info().kind == kind && *name != STANDARD_POLICY;
        self.plugins.iter().filter(of_kind).map(|(name, _)| name.as_str()).collect()
    }
}

/// All at the same time: on the first start each is compiled, which takes a second of a core.
async fn built_in_plugins(sandbox: &Sandbox, config: &Config) -> Result<BTreeMap<String, Loaded>, CatalogError> {
    let loading: Vec<_> = COMPONENTS
        .iter()
        .map(|(name, bytes, digest)| {
            let entry = config.plugins.iter().find(|entry| entry.path.is_none() && entry.name == *name);
            let settings = entry.map_or_else(|| "{}".to_owned(), |entry| entry.settings.clone());
            let limits = entry.map(|entry| entry.limits.clone()).unwrap_or_default();
            let sandbox = sandbox.clone();
            let component = ComponentFile::with_digest(bytes, *digest);
            let task = async move { load_component(&sandbox, name, component, &settings, &limits).await };
            (*name, tokio::spawn(task))
        })
        .collect();
    let mut plugins = BTreeMap::new();
    for (name, task) in loading {
        let loaded = task.await.map_err(|error| CatalogError::Kind {
            plugin: name.to_owned(),
            problem: format!("loading it was broken off: {error}; start again"),
        })?;
        plugins.insert(name.to_owned(), loaded?);
    }
    Ok(plugins)
}

/// The component of the operator's rules, once for each set of them that a profile has.
async fn rules_of_profiles(sandbox: &Sandbox, config: &Config) -> Result<BTreeMap<String, PolicyPlugin>, CatalogError> {
    let limits = rules_limits(config);
    let mut rules = BTreeMap::new();
    for (profile, destination) in &config.destinations {
        let Some(settings) = destination.rules.settings.as_ref().filter(|known| !rules.contains_key(*known)) else {
            continue;
        };
        let failed = |source| CatalogError::Rules { profile: profile.clone(), source: Box::new(source) };
        let plugin = load_rules(sandbox, settings, &limits).await.map_err(failed)?;
        rules.insert(settings.clone(), plugin);
    }
    Ok(rules)
}

/// What the operator lets the component of rules use.
pub(super) fn rules_limits(config: &Config) -> PluginLimits {
    let entry = config.plugins.iter().find(|entry| entry.path.is_none() && entry.name == RULES_POLICY);
    entry.map(|entry| entry.limits.clone()).unwrap_or_default()
}

/// The component of rules with one set of them.
pub(super) async fn load_rules(
    sandbox: &Sandbox,
    settings: &str,
    limits: &PluginLimits,
) -> Result<PolicyPlugin, CatalogError> {
    let missing = || CatalogError::Kind {
        plugin: RULES_POLICY.to_owned(),
        problem: "it is missing from this build, and there are rules; take those out or use a whole build".to_owned(),
    };
    let component = built_in_component(RULES_POLICY).ok_or_else(missing)?;
    match load_component(sandbox, RULES_POLICY, component, settings, limits).await? {
        Loaded::Policy(plugin) => Ok(plugin),
        Loaded::Navigator(_) | Loaded::Parser(_) | Loaded::LogSearch(_) => Err(missing()),
    }
}

/// Loads the component of an entry.
pub(super) async fn load_entry(
    sandbox: &Sandbox,
    entry: &PluginEntry,
    component: ComponentFile<'_>,
) -> Result<Loaded, CatalogError> {
    load_component(sandbox, &entry.name, component, &entry.settings, &entry.limits).await
}

async fn load_component(
    sandbox: &Sandbox,
    name: &str,
    component: ComponentFile<'_>,
    settings: &str,
    limits: &PluginLimits,
) -> Result<Loaded, CatalogError> {
    let failed = |source| CatalogError::Load { plugin: name.to_owned(), source };
    let kind = component_kind(name, component.bytes()).map_err(failed)?;
    load(sandbox, name, kind, component, settings, limits).await.map_err(failed)
}

/// Names of the components that are part of this program.
pub(crate) fn built_in_names() -> impl Iterator<Item = &'static str> {
    COMPONENTS.iter().map(|(name, ..)| *name)
}

/// A component that is part of this program.
pub(crate) fn built_in(name: &str) -> Option<&'static [u8]> {
    COMPONENTS.iter().find(|(known, ..)| *known == name).map(|(_, bytes, _)| *bytes)
}

/// The same with its digest, to be loaded.
fn built_in_component(name: &str) -> Option<ComponentFile<'static>> {
    let (_, bytes, digest) = COMPONENTS.iter().find(|(known, ..)| *known == name)?;
    Some(ComponentFile::with_digest(bytes, *digest))
}

/// The component that is built in under the name, which the entry means.
fn component_named(entry: &PluginEntry, name: &str) -> Result<ComponentFile<'static>, CatalogError> {
    built_in_component(name).ok_or_else(|| {
        let known = built_in_names().collect::<Vec<_>>().join(", ");
        let means = match &entry.builtin {
            Some(_) => format!("its `builtin` is `{name}`, which is not built in"),
            None => "it has no `path` and is not built in".to_owned(),
        };
        let problem = format!("{means} (those are {known}); give the path of its component");
        CatalogError::Kind { plugin: entry.name.clone(), problem }
    })
}

/// The content of a component's file.
pub(crate) struct ReadComponent {
    pub(crate) bytes: Vec<u8>,
    sha256: [u8; 32],
}

impl ReadComponent {
    pub(super) fn component(&self) -> ComponentFile<'_> {
        ComponentFile::with_digest(&self.bytes, self.sha256)
    }
}

/// The file of a component the operator added, if it is the one that was pinned.
pub(crate) fn read_pinned(entry: &PluginEntry, path: &Path) -> Result<ReadComponent, CatalogError> {
    let bytes = std::fs::read(path).map_err(|source| CatalogError::File {
        plugin: entry.name.clone(),
        path: path.to_owned(),
        source,
    })?;
    let read = ReadComponent { sha256: Sha256::digest(&bytes).into(), bytes };
    let Some(pinned) = &entry.sha256 else { return Ok(read) };
    check_grants(entry, path, &read.bytes)?;
    let found = hexadecimal(&read.sha256);
    if found.eq_ignore_ascii_case(pinned) {
        return Ok(read);
    }
    let (plugin, path, pinned) = (entry.name.clone(), path.to_owned(), pinned.clone());
    Err(CatalogError::Pin { plugin, path, found, pinned })
}

/// A grant counts where the plugin has declared that it wants it: both are needed.
fn check_grants(entry: &PluginEntry, path: &Path, component: &[u8]) -> Result<(), CatalogError> {
    if entry.granted_secrets.is_empty() {
        return Ok(());
    }
    let manifest = Manifest::of(&entry.name, path, component)?.unwrap_or_default();
    match entry.granted_secrets.iter().find(|secret| !manifest.asks_for_secret(secret)) {
        Some(secret) => Err(CatalogError::Undeclared { plugin: entry.name.clone(), secret: secret.clone() }),
        None => Ok(()),
    }
}

/// In lower-case digits.
fn hexadecimal(digest: &[u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digests_of_built_in_components_are_theirs() {
        assert!(!COMPONENTS.is_empty());
        for (name, bytes, digest) in COMPONENTS {
            assert_eq!(&<[u8; 32]>::from(Sha256::digest(bytes)), digest, "{name}");
        }
    }
}
