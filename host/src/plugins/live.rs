//! The plugins of a running host: the catalog everybody asks, and files that change under it.
//!
//! A component's file that has another content is loaded beside the old one, with every check, and
//! takes its place between two calls; navigations and readings under way end with the instance they
//! began with. A file that cannot be used changes nothing but a note in the list. The
//! configuration itself is not read again.
//!
//! Owns one task, which looks at the files every few seconds and ends with the value.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::{Duration, SystemTime};

use portcullis_sandbox::{PluginInfo, PolicyPlugin, Sandbox};
use serde::Serialize;

use super::RULES_POLICY;
use super::catalog::{Catalog, CatalogError, load_entry, load_rules, read_pinned, rules_limits};
use crate::causes::with_causes;
use crate::config::{Config, PluginEntry, PluginLimits};

/// Often enough for who builds and tries, and a handful of `stat` calls each time.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Sets of rules of sessions that are kept ready; the one that was asked longest ago makes room, and is loaded
/// anew when it is asked again.
const READY_SESSION_RULES: usize = 16;

/// One line of a plugin list.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    #[serde(flatten)]
    pub info: PluginInfo,
    /// The component's file; left out for one that is built in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// How often its file was taken anew since the host began.
    #[serde(skip_serializing_if = "is_zero")]
    pub reloads: u32,
    /// Why what lies at its path now is not used; the one that was loaded before goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Listed {
    /// What a person should know of how it fares; nothing of one that does well.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if !self.info.breaches.is_empty() {
            let met = self.info.breaches.named().map(|(limit, count)| format!("{limit} {count}"));
            remarks.push(format!("limits met: {}", met.collect::<Vec<_>>().join(", ")));
        }
        if let Some(last) = &self.info.last_failure {
            remarks.push(format!("last failure: {last}"));
        }
        if self.info.rests_for_s.is_some() {
            remarks.push("not asked for a while, because it keeps failing".to_owned());
        }
        if self.reloads > 0 {
            remarks.push(format!("taken anew {} times", self.reloads));
        }
        if let Some(problem) = &self.problem {
            remarks.push(format!("its new file is not used: {problem}"));
        }
        remarks
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// The catalog of this moment, and its files.
pub struct LivePlugins {
    current: RwLock<Arc<Catalog>>,
    sandbox: Sandbox,
    watched: Mutex<BTreeMap<String, Watched>>,
    rules_limits: PluginLimits,
    /// The component of rules with those of sessions, by their settings, the latest asked last.
    session_rules: Mutex<VecDeque<(Arc<str>, PolicyPlugin)>>,
}

/// A component in a file.
struct Watched {
    entry: PluginEntry,
    path: PathBuf,
    seen: Option<Look>,
    reloads: u32,
    problem: Option<String>,
}

/// What tells one content of a file from the next without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    modified: SystemTime,
    size_bytes: u64,
}

impl Look {
    fn at(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self { modified: metadata.modified().ok()?, size_bytes: metadata.len() })
    }
}

impl LivePlugins {
    /// Loads everything and begins to look at the files.
    ///
    /// # Errors
    /// When any plugin cannot be used: nothing starts with half of its policies.
    pub async fn start(sandbox: Sandbox, config: &Config) -> Result<Arc<Self>, CatalogError> {
        let files = config.plugins.iter().filter_map(|entry| entry.path.clone().map(|path| (entry.clone(), path)));
        // Looked at before they are read, so that a change in between is not missed.
        let watched = files.map(|(entry, path)| {
            (entry.name.clone(), Watched { entry, seen: Look::at(&path), path, reloads: 0, problem: None })
        });
        let watched: BTreeMap<_, _> = watched.collect();
        let catalog = Catalog::load(&sandbox, config).await?;
        let any = !watched.is_empty();
        let live = Arc::new(Self {
            current: RwLock::new(Arc::new(catalog)),
            sandbox,
            watched: Mutex::new(watched),
            rules_limits: rules_limits(config),
            session_rules: Mutex::default(),
        });
        if any {
            tokio::spawn(look_again(Arc::downgrade(&live)));
        }
        Ok(live)
    }

    /// The plugins as they are now; whoever goes on asking holds on to what it got.
    pub fn current(&self) -> Arc<Catalog> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is loaded, with digests and how each has fared.
    pub fn list(&self) -> Vec<Listed> {
        let watched = self.watched();
        let listed = |info: PluginInfo| match watched.get(&info.name) {
            Some(file) => {
                Listed { info, path: Some(file.path.clone()), reloads: file.reloads, problem: file.problem.clone() }
            }
            None => Listed { info, path: None, reloads: 0, problem: None },
        };
        let of_sessions: Vec<PluginInfo> = self.kept_rules().iter().map(|(_, plugin)| plugin.info()).collect();
        let whole = |info: PluginInfo| match info.name == RULES_POLICY {
            true => of_sessions.iter().cloned().fold(info, PluginInfo::and),
            false => info,
        };
        self.current().list().into_iter().map(whole).map(listed).collect()
    }

    /// The component of rules with those of a session, which are these settings.
    ///
    /// # Errors
    /// When it cannot be used with them; whoever judges denies then.
    pub async fn session_rules(&self, settings: &Arc<str>) -> Result<PolicyPlugin, CatalogError> {
        if let Some(ready) = self.ready_rules(settings) {
            return Ok(ready);
        }
        let loaded = load_rules(&self.sandbox, settings, &self.rules_limits).await?;
        let mut kept = self.kept_rules();
        // Two sessions may have waited for the same ones; either is as good.
        kept.retain(|(known, _)| known != settings);
        if kept.len() == READY_SESSION_RULES {
            drop(kept.pop_front());
        }
        kept.push_back((Arc::clone(settings), loaded.clone()));
        Ok(loaded)
    }

    fn ready_rules(&self, settings: &Arc<str>) -> Option<PolicyPlugin> {
        let mut kept = self.kept_rules();
        let place = kept.iter().position(|(known, _)| known == settings)?;
        let found = kept.remove(place)?;
        let plugin = found.1.clone();
        kept.push_back(found);
        Some(plugin)
    }

    fn kept_rules(&self) -> MutexGuard<'_, VecDeque<(Arc<str>, PolicyPlugin)>> {
        self.session_rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watched(&self) -> MutexGuard<'_, BTreeMap<String, Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what has changed.
    async fn refresh(&self) {
        let changed: Vec<PluginEntry> = {
            let mut watched = self.watched();
            let changed = watched.values_mut().filter_map(|file| {
                let now = Look::at(&file.path);
                // A file that is gone may be on its way back; what is loaded goes on.
                (now.is_some() && std::mem::replace(&mut file.seen, now) != now).then(|| file.entry.clone())
            });
            changed.collect()
        };
        for entry in changed {
            let taken = self.take(&entry).await;
            let mut watched = self.watched();
            let Some(file) = watched.get_mut(&entry.name) else { continue };
            match taken {
                Ok(is_new) => {
                    file.problem = None;
                    file.reloads += u32::from(is_new);
                    tracing::info!(plugin = entry.name, is_new, "a plugin's file was taken anew");
                }
                Err(error) => {
                    let problem = with_causes(&error);
                    tracing::warn!(
                        plugin = entry.name,
                        problem,
                        "a plugin's new file is not used; the old one goes on"
                    );
                    file.problem = Some(problem);
                }
            }
        }
    }

    /// Whether there was anything new in the file.
    async fn take(&self, entry: &PluginEntry) -> Result<bool, CatalogError> {
        let Some(path) = &entry.path else { return Ok(false) };
        let file = read_pinned(entry, path)?;
        let current = self.current();
        if current.has(&entry.name, &file) {
            return Ok(false);
        }
        let loaded = load_entry(&self.sandbox, entry, file.component()).await?;
        let replaced = current.with(entry, loaded)?;
        // This task alone replaces it, so nothing that came in between is lost.
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(replaced);
        Ok(true)
    }
}

async fn look_again(live: Weak<LivePlugins>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(live) = live.upgrade() else { return };
        live.refresh().await;
    }
}
