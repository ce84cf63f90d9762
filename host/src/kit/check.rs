//! Whether a component can be loaded: every step a host takes, up to its settings.

use super::{Description, KitError, Subject, Workshop, describe};

/// What was found of a component that can be loaded.
#[derive(Debug)]
pub struct Checked {
    pub description: Description,
    /// One line per step, in order.
    pub passed: Vec<String>,
}

/// Takes every step of loading. `settings` is a JSON object as text.
///
/// # Errors
/// The first step that fails, by its cause and what to do.
pub async fn check(workshop: &Workshop, subject: &Subject, settings: Option<&str>) -> Result<Checked, KitError> {
    let description = describe(workshop, subject, settings).await?;
    let plugin = &description.plugin;
    let imports = match description.imports.as_slice() {
        [] => "imports nothing".to_owned(),
        some => format!("imports nothing but {}", some.join(", ")),
    };
    let mut passed = vec![
        format!("it is a component of {} bytes; the limit is {}", plugin.size_bytes, plugin.limits.max_component_bytes),
        imports,
        format!("it is a {} plugin, built for {}", plugin.kind, plugin.contract),
        "it compiles, and a trial instance has the shape of its contract".to_owned(),
    ];
    passed.push(match plugin.kind {
        portcullis_sandbox::PluginKind::Parser => format!("it describes {} schemas", description.schemas.len()),
        portcullis_sandbox::PluginKind::Policy => {
            format!("it takes its settings {}, and names {} rules", settings.unwrap_or("{}"), description.rules.len())
        }
        portcullis_sandbox::PluginKind::Navigator | portcullis_sandbox::PluginKind::LogSearch => {
            format!("it takes its settings {}", settings.unwrap_or("{}"))
        }
    });
    Ok(Checked { description, passed })
}
