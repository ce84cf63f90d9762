//! The profiles as places that a session can be opened on, by name or by where they lead.

use std::path::PathBuf;
use std::time::Duration;

use super::OpError;
use super::open::usual_profile;
use crate::config::{AuthMethod, SecretSource, TerminalSize};
use crate::host::Host;

/// A profile, without anything secret.
#[derive(Debug, Clone)]
pub struct Device {
    pub profile: String,
    pub label: String,
    /// Host name or address.
    pub address: String,
    pub port: u16,
    pub user: String,
    pub tags: Vec<String>,
    /// Of its terminals, where somebody has said one.
    pub size: Option<TerminalSize>,
    /// After how long without anything happening its sessions are closed; zero keeps them open.
    pub idle_close: Duration,
    pub auth: DeviceAuth,
    /// Opened where none is named.
    pub is_default: bool,
}

/// The first way to log in there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceAuth {
    /// The name of the variable that holds the password.
    PasswordVariable(String),
    KeyFile(PathBuf),
    /// An agent, questions, a person.
    Other,
}

/// The profiles that can be used, by name.
pub fn devices(host: &Host) -> Vec<Device> {
    let usual = usual_profile(host);
    let device = |(name, destination): (&String, &std::sync::Arc<crate::config::Destination>)| {
        let profile = &destination.profile;
        Device {
            profile: name.clone(),
            label: profile.label.clone(),
            address: profile.host.clone(),
            port: profile.port,
            user: profile.user.clone(),
            tags: profile.tags.clone(),
            size: Some(profile.terminal).filter(|size| *size != TerminalSize::USUAL),
            idle_close: profile.idle_close,
            auth: profile.auth.first().map_or(DeviceAuth::Other, auth),
            is_default: usual.as_ref() == Some(name),
        }
    };
    host.config().destinations.iter().map(device).collect()
}

fn auth(method: &AuthMethod) -> DeviceAuth {
    match method {
        AuthMethod::Password(SecretSource::Environment(name)) => DeviceAuth::PasswordVariable(name.clone()),
        AuthMethod::KeyFile { path, .. } => DeviceAuth::KeyFile(path.clone()),
        _ => DeviceAuth::Other,
    }
}

/// The profile that leads to that host, port and user; those that are none fit every profile.
///
/// # Errors
/// When no profile fits, or several do.
pub fn device_at(host: &Host, address: Option<&str>, port: Option<u16>, user: Option<&str>) -> Result<String, OpError> {
    let mut fitting = devices(host);
    fitting.retain(|device| {
        address.is_none_or(|address| device.address == address)
            && port.is_none_or(|port| device.port == port)
            && user.is_none_or(|user| device.user == user)
    });
    let names: Vec<String> = fitting.into_iter().map(|device| device.profile).collect();
    match names.as_slice() {
        [only] => Ok(only.clone()),
        [] => {
            let port = port.map_or(String::new(), |port| format!(":{port}"));
            let wanted = format!("{}@{}{port}", user.unwrap_or("*"), address.unwrap_or("*"));
            let known = host.config().destinations.keys().cloned().collect();
            Err(OpError::UnknownProfile { profile: wanted, known })
        }
        several => Err(OpError::BadArgument(format!("several profiles fit, name one: {}", several.join(", ")))),
    }
}

/// The profile that is opened where none is named.
///
/// # Errors
/// When there are several and the operator chose none, or there is none at all.
pub fn default_device(host: &Host) -> Result<String, OpError> {
    super::open::default_profile(host)
}
