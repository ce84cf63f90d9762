//! One plugin of any kind, loaded as its kind is.

use std::time::Duration;

use portcullis_sandbox::{
    ComponentFile, Limits, LoadError, LogSearchPlugin, NavigatorPlugin, ParserPlugin, PluginInfo, PluginKind,
    PolicyPlugin, Sandbox,
};

use crate::config::PluginLimits;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// A loaded plugin; a cheap clone.
#[derive(Clone)]
pub(crate) enum Loaded {
    Policy(PolicyPlugin),
    Navigator(NavigatorPlugin),
    Parser(ParserPlugin),
    LogSearch(LogSearchPlugin),
}

impl Loaded {
    pub(crate) fn info(&self) -> PluginInfo {
        match self {
            Self::Policy(plugin) => plugin.info(),
            Self::Navigator(plugin) => plugin.info(),
            Self::Parser(plugin) => plugin.info(),
            Self::LogSearch(plugin) => plugin.info(),
        }
    }
}

/// What a plugin may use: as its kind has it, where the operator says nothing else.
fn limits(kind: PluginKind, chosen: &PluginLimits) -> Limits {
    let usual = match kind {
        PluginKind::Policy => Limits::policy(),
        PluginKind::Navigator => Limits::navigator(),
        PluginKind::Parser => Limits::parser(),
        PluginKind::LogSearch => Limits::log_search(),
    };
    // The configuration keeps each far below what a `usize` holds.
    let size = |count: Option<u64>, unit: usize, usual: usize| {
        count.and_then(|count| usize::try_from(count).ok()).map_or(usual, |count| count.saturating_mul(unit))
    };
    Limits {
        fuel: chosen.fuel.unwrap_or(usual.fuel),
        deadline: chosen.time_ms.map_or(usual.deadline, Duration::from_millis),
        memory_bytes: size(chosen.memory_mib, MIB, usual.memory_bytes),
        max_table_elements: size(chosen.table_elements, 1, usual.max_table_elements),
        max_answer_bytes: size(chosen.answer_kib, KIB, usual.max_answer_bytes),
        log_lines: chosen.log_lines.unwrap_or(usual.log_lines),
        max_instances: chosen.instances.unwrap_or(usual.max_instances),
        max_component_bytes: size(chosen.component_mib, MIB, usual.max_component_bytes),
        ..usual
    }
}

/// Loads a component as a plugin of that kind. `settings` is a JSON object as text; a parser has none.
pub(crate) async fn load(
    sandbox: &Sandbox,
    name: &str,
    kind: PluginKind,
    component: ComponentFile<'_>,
    settings: &str,
    chosen: &PluginLimits,
) -> Result<Loaded, LoadError> {
    let limits = limits(kind, chosen);
    Ok(match kind {
        PluginKind::Policy => Loaded::Policy(sandbox.load_policy(name, component, settings, limits).await?),
        PluginKind::Navigator => Loaded::Navigator(sandbox.load_navigator(name, component, settings, limits).await?),
        PluginKind::Parser => Loaded::Parser(sandbox.load_parser(name, component, limits).await?),
        PluginKind::LogSearch => Loaded::LogSearch(sandbox.load_log_search(name, component, settings, limits).await?),
    })
}
