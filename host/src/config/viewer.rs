//! `[viewer]`: the browser's viewer, and the proxy in front of it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use axum::http::HeaderName;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretSource;
use super::file::{SecretFile, absolute};

const DEFAULT_PORT: u16 = 8765;

/// The browser's viewer.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ViewerFile {
    pub(super) enabled: Option<bool>,
    /// First port tried; the next free one above it is taken.
    pub(super) port: Option<u16>,
    pub(super) proxy: Option<ViewerProxyFile>,
}

/// A proxy in front of the viewer that has checked who a person is.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ViewerProxyFile {
    /// Address and port on which the viewer listens for the proxy, and for nobody else.
    pub(super) listen: String,
    /// Networks the proxy comes from, as `10.0.3.0/24`.
    pub(super) trusted: Vec<String>,
    /// What the proxy shows in `x-portcullis-proxy-secret`; needed where a trusted network is on this machine.
    pub(super) secret: Option<SecretFile>,
    /// Values of `Host` that are answered, as browsers send them.
    pub(super) hosts: Vec<String>,
    /// Origins of the page, as browsers write them; `https://` before each host where left out.
    #[serde(default)]
    pub(super) origins: Vec<String>,
    /// The header that names the person.
    pub(super) user_header: String,
    /// The header that names their groups, with commas between them.
    pub(super) groups_header: Option<String>,
    /// Roles of persons.
    #[serde(default)]
    pub(super) users: BTreeMap<String, ViewerRole>,
    /// Roles of groups.
    #[serde(default)]
    pub(super) groups: BTreeMap<String, ViewerRole>,
    /// Of everybody else the proxy names. Left out: nobody else comes in.
    pub(super) default_role: Option<ViewerRole>,
}

/// What a person may do in the viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ViewerRole {
    Operator,
    Observer,
    Driver,
    Approver,
}

/// The browser viewer.
#[derive(Debug, Clone)]
pub struct ViewerConfig {
    pub enabled: bool,
    /// The first port tried; the next free one above it is taken.
    pub first_port: u16,
    pub proxy: Option<ViewerProxy>,
}

/// The proxy in front of it.
#[derive(Debug, Clone)]
pub struct ViewerProxy {
    pub listen: SocketAddr,
    pub trusted: Vec<IpNet>,
    pub secret: Option<SecretSource>,
    pub hosts: Vec<String>,
    pub origins: Vec<String>,
    pub user_header: HeaderName,
    pub groups_header: Option<HeaderName>,
    pub users: BTreeMap<String, ViewerRole>,
    pub groups: BTreeMap<String, ViewerRole>,
    pub default_role: Option<ViewerRole>,
}

impl ViewerFile {
    pub(super) fn make_paths_absolute(&mut self, base: &Path) {
        let secret = self.proxy.as_mut().and_then(|proxy| proxy.secret.as_mut());
        if let Some(file) = secret.and_then(|secret| secret.file.as_mut()) {
            *file = absolute(base, file);
        }
    }

    /// As it is used, or what is wrong with it.
    pub(super) fn resolve(self) -> Result<ViewerConfig, String> {
        Ok(ViewerConfig {
            enabled: self.enabled.unwrap_or(true),
            first_port: self.port.unwrap_or(DEFAULT_PORT),
            proxy: self.proxy.map(ViewerProxyFile::resolve).transpose()?,
        })
    }
}

impl ViewerProxyFile {
    fn resolve(self) -> Result<ViewerProxy, String> {
        let listen = self.listen.parse().map_err(|_| {
            format!("`proxy.listen`: `{}` is no address with a port; write 127.0.0.1:8800", self.listen)
        })?;
        let trusted = self.trusted.iter().map(|text| network(text)).collect::<Result<Vec<_>, _>>()?;
        let secret = match self.secret {
            None => None,
            Some(SecretFile { env: Some(variable), file: None }) => Some(SecretSource::Environment(variable)),
            Some(SecretFile { env: None, file: Some(file) }) => Some(SecretSource::File(file)),
            Some(_) => return Err("`proxy.secret` needs one of `env`, `file`".to_owned()),
        };
        if trusted.is_empty() || self.hosts.is_empty() {
            return Err("`proxy.trusted` and `proxy.hosts` need an entry each".to_owned());
        }
        if secret.is_none() && trusted.iter().any(holds_this_machine) {
            return Err("`proxy.trusted` holds addresses of this machine, from which each of its programs can come; \
                        set `proxy.secret`, which only the proxy knows"
                .to_owned());
        }
        if self.users.is_empty() && self.groups.is_empty() && self.default_role.is_none() {
            return Err(
                "the proxy lets nobody in; set `proxy.users`, `proxy.groups` or `proxy.default_role`".to_owned()
            );
        }
        if self.groups.is_empty() != self.groups_header.is_none() {
            return Err("`proxy.groups` and `proxy.groups_header` go together".to_owned());
        }
        let origins = match self.origins.is_empty() {
            true => self.hosts.iter().map(|host| format!("https://{host}")).collect(),
            false => self.origins,
        };
        Ok(ViewerProxy {
            listen,
            trusted,
            secret,
            hosts: self.hosts,
            origins,
            user_header: header("user_header", &self.user_header)?,
            groups_header: self.groups_header.map(|name| header("groups_header", &name)).transpose()?,
            users: self.users,
            groups: self.groups,
            default_role: self.default_role,
        })
    }
}

/// One address is a network, too.
fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let wrong = || format!("`proxy.trusted`: `{text}` is no network; write 10.0.3.0/24, or one address");
    text.parse::<IpNet>().ok().or_else(address).ok_or_else(wrong)
}

fn holds_this_machine(network: &IpNet) -> bool {
    let loopback = match network {
        IpNet::V4(_) => IpNet::new(Ipv4Addr::LOCALHOST.into(), 8),
        IpNet::V6(_) => IpNet::new(Ipv6Addr::LOCALHOST.into(), 128),
    };
    loopback.is_ok_and(|loopback| network.contains(&loopback) || loopback.contains(network))
}

/// A header that browsers or the viewer itself give a meaning to would be taken for a name.
fn header(key: &str, name: &str) -> Result<HeaderName, String> {
    const TAKEN: [&str; 6] = ["host", "origin", "cookie", "authorization", "x-portcullis-proxy-secret", "upgrade"];
    let found = HeaderName::try_from(name).ok().filter(|name| !TAKEN.contains(&name.as_str()));
    found.ok_or_else(|| format!("`proxy.{key}`: `{name}` is no header the proxy can use for it"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

    use super::*;

    const WHOLE: &str = "listen = '10.0.3.1:8800'\ntrusted = ['10.0.3.0/24', 'fd00::7']\nhosts = ['ssh.example.org']\n\
                         user_header = 'X-Forwarded-User'\ndefault_role = 'observer'\n";

    fn read(text: &str) -> Result<ViewerProxy, String> {
        toml::from_str::<ViewerProxyFile>(text).map_err(|error| error.to_string())?.resolve()
    }

    #[test]
    fn a_proxy_is_trusted_as_far_as_it_is_written() {
        let proxy = read(WHOLE).unwrap();
        assert_eq!(proxy.trusted, ["10.0.3.0/24".parse().unwrap(), "fd00::7/128".parse::<IpNet>().unwrap()]);
        assert_eq!(
            (proxy.origins.as_slice(), proxy.user_header.as_str()),
            (&["https://ssh.example.org".to_owned()][..], "x-forwarded-user")
        );
        for (was, is) in [
            ("'10.0.3.1:8800'", "'10.0.3.1'"),
            ("'10.0.3.0/24'", "'10.0.3.0/33'"),
            ("'10.0.3.0/24', 'fd00::7'", ""),
            ("'ssh.example.org'", ""),
            ("'X-Forwarded-User'", "'x forwarded'"),
            ("'X-Forwarded-User'", "'Cookie'"),
            ("default_role = 'observer'", ""),
            ("'observer'", "'root'"),
            ("user_header", "groups_header"),
            ("default_role", "groups_header = 'x-groups'\ndefault_role"),
            ("default_role", "groups = { ops = 'driver' }\ndefault_role"),
            ("default_role", "secret = { }\ndefault_role"),
        ] {
            assert!(WHOLE.contains(was) && read(&WHOLE.replace(was, is)).is_err(), "{was} → {is}");
        }
    }

    #[test]
    fn on_this_machine_the_proxy_has_a_secret() {
        for here in ["127.0.0.1", "127.0.0.0/8", "0.0.0.0/0", "::1", "::/0"] {
            let text = WHOLE.replace("10.0.3.0/24", here);
            assert!(read(&text).unwrap_err().contains("proxy.secret"), "{here}");
            let with_secret = read(&format!("{text}secret = {{ env = 'PROXY_SECRET' }}\n")).unwrap();
            assert_eq!(with_secret.secret, Some(SecretSource::Environment("PROXY_SECRET".to_owned())));
        }
    }

    #[test]
    fn what_the_guide_shows_is_configuration() {
        let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/viewer.md");
        let guide = std::fs::read_to_string(guide).unwrap();
        let pieces: Vec<&str> =
            guide.split("```toml\n").skip(1).filter_map(|piece| piece.split("```").next()).collect();
        assert_eq!(pieces.len(), 2);
        for piece in pieces {
            let file: super::super::file::ConfigFile = toml::from_str(piece).unwrap();
            file.viewer.resolve().unwrap();
        }
    }
}
