//! One plugin of any kind, loaded as its kind is.

use portcullis_sandbox::{
    Limits, LoadError, LogSearchPlugin, NavigatorPlugin, ParserPlugin, PluginInfo, PluginKind, PolicyPlugin, Sandbox,
};

/// A loaded plugin.
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

/// What every plugin of a kind may use.
pub(crate) fn limits(kind: PluginKind) -> Limits {
    match kind {
        PluginKind::Policy => Limits::policy(),
        PluginKind::Navigator => Limits::navigator(),
        PluginKind::Parser => Limits::parser(),
        PluginKind::LogSearch => Limits::log_search(),
    }
}

/// Loads a component as a plugin of that kind. `settings` is a JSON object as text; a parser has none.
pub(crate) async fn load(
    sandbox: &Sandbox,
    name: &str,
    kind: PluginKind,
    bytes: &[u8],
    settings: &str,
) -> Result<Loaded, LoadError> {
    let limits = limits(kind);
    Ok(match kind {
        PluginKind::Policy => Loaded::Policy(sandbox.load_policy(name, bytes, settings, limits).await?),
        PluginKind::Navigator => Loaded::Navigator(sandbox.load_navigator(name, bytes, settings, limits).await?),
        PluginKind::Parser => Loaded::Parser(sandbox.load_parser(name, bytes, limits).await?),
        PluginKind::LogSearch => Loaded::LogSearch(sandbox.load_log_search(name, bytes, settings, limits).await?),
    })
}
