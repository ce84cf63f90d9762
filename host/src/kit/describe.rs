//! What a plugin is: kind, contract, imports, digest, limits, and what it offers.

use std::path::Path;
use std::time::Duration;

use portcullis_sandbox::{Limits, PluginInfo, PluginKind, component_interfaces};
use serde::Serialize;
use serde_json::Value;

use super::workshop::origin;
use super::{KitError, Subject, Workshop};
use crate::plugins::{Catalog, Loaded, Manifest};

/// One line of the list.
#[derive(Debug, Serialize)]
pub struct ListedPlugin {
    pub name: String,
    pub kind: PluginKind,
    /// Package and version it was built for, e.g. `portcullis:policy@0.1.0`.
    pub contract: String,
    /// Lower-case hexadecimal.
    pub digest_sha256: String,
    /// `built in`, or the file's path.
    pub origin: String,
    pub size_bytes: usize,
    pub limits: ShownLimits,
}

/// A plugin's budget; everything is per call but the component's size.
#[derive(Debug, Serialize)]
pub struct ShownLimits {
    pub fuel: u64,
    pub deadline_ms: u64,
    pub memory_bytes: usize,
    pub max_request_bytes: usize,
    pub max_answer_bytes: usize,
    pub max_component_bytes: usize,
    pub max_log_lines: u32,
    pub max_table_elements: usize,
    pub max_instances: u32,
}

impl ShownLimits {
    fn of(limits: &Limits) -> Self {
        Self {
            fuel: limits.fuel,
            deadline_ms: u64::try_from(limits.deadline.as_millis()).unwrap_or(u64::MAX),
            memory_bytes: limits.memory_bytes,
            max_request_bytes: limits.max_request_bytes,
            max_answer_bytes: limits.max_answer_bytes,
            max_component_bytes: limits.max_component_bytes,
            max_log_lines: limits.max_log_lines,
            max_table_elements: limits.max_table_elements,
            max_instances: limits.max_instances,
        }
    }

    /// The wall-clock bound of a call.
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }
}

/// Everything a plugin tells of itself.
#[derive(Debug, Serialize)]
pub struct Description {
    #[serde(flatten)]
    pub plugin: ListedPlugin,
    /// What it says of itself, where it says anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Manifest>,
    /// Interfaces it exports, with versions.
    pub exports: Vec<String>,
    pub imports: Vec<String>,
    /// Of a policy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Of a parser.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schemas: Vec<Schema>,
    /// Of a log search: the programs it wants to know of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wanted_tools: Vec<String>,
}

/// A rule of a policy.
#[derive(Debug, Serialize)]
pub struct Rule {
    pub rule_id: String,
    pub title: String,
    pub category: String,
    pub severity: &'static str,
}

/// What a parser's documents look like.
#[derive(Debug, Serialize)]
pub struct Schema {
    pub name: String,
    pub json_schema: Value,
}

/// Loads every plugin a host with this configuration would load.
///
/// # Errors
/// When one of them cannot be used; a host would not start either.
pub async fn list(workshop: &Workshop) -> Result<Vec<ListedPlugin>, KitError> {
    let catalog = Catalog::load(&workshop.sandbox, &workshop.config).await?;
    let of = |name: &str| origin(workshop.config.plugins.iter().find(|entry| entry.name == name));
    Ok(catalog.list().into_iter().map(|info| listed(&info, of(&info.name))).collect())
}

/// Loads one plugin and asks it what it offers. `settings` stands for those of the configuration.
///
/// # Errors
/// When it cannot be loaded.
pub async fn describe(workshop: &Workshop, subject: &Subject, settings: Option<&str>) -> Result<Description, KitError> {
    let interfaces = component_interfaces(&subject.name, &subject.bytes)?;
    let loaded = workshop.load(subject, settings).await?;
    let mut described = Description {
        plugin: listed(&loaded.info(), subject.origin.clone()),
        manifest: Manifest::of(&subject.name, Path::new(&subject.origin), &subject.bytes)?,
        exports: interfaces.exports,
        imports: interfaces.imports,
        rules: Vec::new(),
        schemas: Vec::new(),
        wanted_tools: Vec::new(),
    };
    match loaded {
        Loaded::Policy(plugin) => described.rules = plugin.rules().iter().map(rule).collect(),
        Loaded::Parser(plugin) => described.schemas = plugin.schemas().iter().map(schema).collect(),
        Loaded::LogSearch(plugin) => described.wanted_tools = plugin.wanted_tools().to_vec(),
        Loaded::Navigator(_) => {}
    }
    Ok(described)
}

fn listed(info: &PluginInfo, origin: String) -> ListedPlugin {
    ListedPlugin {
        name: info.name.clone(),
        kind: info.kind,
        contract: format!("portcullis:{}@{}", info.kind, info.contract_version),
        digest_sha256: info.digest_sha256.clone(),
        origin,
        size_bytes: info.size_bytes,
        limits: ShownLimits::of(&info.limits),
    }
}

fn rule(rule: &portcullis_sandbox::policy::RuleInfo) -> Rule {
    Rule {
        rule_id: rule.rule_id.clone(),
        title: rule.title.clone(),
        category: rule.category.clone(),
        severity: rule.severity.as_str(),
    }
}

fn schema(schema: &portcullis_sandbox::parser::Schema) -> Schema {
    Schema { name: schema.name.clone(), json_schema: schema.json_schema.clone() }
}
