//! `ssh-device-list`: the configured devices, which are our profiles; and where they were read from.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::state::State;
use super::summary::{TERM, milliseconds};
use super::told::{Outcome, Told};
use super::{About, Call, NoParameters, tool};
use crate::mcp::tool::{Class, Tool};
use crate::ops::{self, Device, DeviceAuth};

pub(super) fn device_tool(state: &Arc<State>) -> Tool {
    let about = About {
        name: "ssh-device-list",
        title: "List devices",
        description: "The devices that a session can be opened on. Connects to nothing.",
        class: Class::ReadHere,
    };
    tool(state, about, list_devices)
}

impl Call {
    /// Where the configuration came from.
    pub(super) fn configuration(&self) -> Map<String, Value> {
        let origin = &self.state.settings.origin;
        let path = origin.explicit_path.clone().or_else(|| self.host.config().sources.first().cloned());
        let fields = json!({
            "configPath": path,
            "configPaths": {
                "explicitPath": origin.explicit_path,
                "workspacePath": origin.workspace_path,
                "globalPath": origin.global_path,
            },
            "configResolution": origin.resolution.name(),
        });
        fields.as_object().cloned().unwrap_or_default()
    }

    pub(super) fn source(&self) -> &'static str {
        self.state.settings.origin.resolution.source()
    }
}

async fn list_devices(call: Call, _: NoParameters) -> Outcome {
    let devices = ops::devices(&call.host);
    let default = devices.iter().find(|device| device.is_default).map(|device| device.profile.clone());
    let settings = &call.state.settings;
    let told = Told::success(format!("{} devices", devices.len()))
        .with("instanceId", call.instance())
        .with("source", call.source())
        .with_all(call.configuration())
        .with(
            "defaults",
            json!({ "mode": settings.mode.as_str(), "idleTimeoutMs": milliseconds(settings.idle_timeout) }),
        )
        .with("defaultDevice", json!(default))
        .with("devices", devices.iter().map(|it| device(it, settings.size())).collect::<Vec<_>>());
    Ok(told.next("Open one with ssh-quick-connect, device set to its id."))
}

fn device(device: &Device, usual: (u16, u16)) -> Value {
    let (cols, rows) = device.size.map_or(usual, |size| (size.columns, size.rows));
    let auth = match &device.auth {
        DeviceAuth::PasswordVariable(name) => json!({ "type": "passwordEnv", "passwordEnv": name }),
        DeviceAuth::KeyFile(path) => json!({ "type": "keyPath", "keyPath": path }),
        DeviceAuth::Other => json!({ "type": "none" }),
    };
    json!({
        "id": device.profile,
        "label": device.label,
        "host": device.address,
        "port": device.port,
        "user": device.user,
        "auth": auth,
        "tags": device.tags,
        "defaults": {
            "term": TERM,
            "cols": cols,
            "rows": rows,
            "idleTimeoutMs": milliseconds(device.idle_close),
        },
        "isDefault": device.is_default,
    })
}
