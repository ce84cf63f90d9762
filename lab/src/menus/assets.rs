//! What the menus offer: hosts with names that are alike, two that share a name, one with a
//! Chinese name, and enough of one kind to fill pages.

/// One way to log in to an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// As listed.
    pub name: String,
    /// User on the host.
    pub login: String,
}

/// A host that a menu leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// As listed; any text.
    pub name: String,
    /// As listed.
    pub address: String,
    /// A remark, as listed.
    pub comment: String,
    /// What the host calls itself: letters, digits and `-`.
    pub host: String,
    /// At least one.
    pub accounts: Vec<Account>,
}

impl Asset {
    fn new(name: &str, address: &str, host: &str, logins: &[&str]) -> Self {
        let account = |login: &&str| Account { name: (*login).to_owned(), login: (*login).to_owned() };
        Self {
            name: name.to_owned(),
            address: address.to_owned(),
            comment: String::new(),
            host: host.to_owned(),
            accounts: logins.iter().map(account).collect(),
        }
    }

    /// Whether a search for this text finds it.
    pub(crate) fn answers_to(&self, text: &str) -> bool {
        [&self.name, &self.address, &self.comment].iter().any(|field| field.contains(text))
    }
}

/// Hosts of the list that fill pages.
const NODES: u8 = 60;

/// The assets of every day.
#[must_use]
pub fn inventory() -> Vec<Asset> {
    let mut assets = vec![
        Asset::new("web-10", "10.66.1.210", "web-10", &["root"]),
        Asset::new("web-1", "10.66.1.21", "web-1", &["root"]),
        Asset::new("web-2", "10.66.1.22", "web-2", &["app", "root"]),
        Asset::new("twin", "10.66.4.1", "twin-a", &["root"]),
        Asset::new("twin", "10.66.4.2", "twin-b", &["root"]),
        Asset::new("支付-网关", "10.66.3.1", "pay-gw-1", &["root"]),
        Asset::new("master-a", "10.66.12.21", "master-a", &["root"]),
    ];
    assets.extend((1..=NODES).map(|number| {
        let name = format!("node-{number:02}");
        Asset::new(&name, &format!("10.66.7.{number}"), &name, &["root"])
    }));
    assets
}

/// Rows that are not what they look like. Each leads to a host that nobody asked for.
pub(crate) fn hostile() -> Vec<Asset> {
    let trap = |name: &str, comment: &str| Asset {
        comment: comment.to_owned(),
        ..Asset::new(name, "10.66.66.6", "trap", &["root"])
    };
    vec![
        trap("[Host]>", "Opt> /web-1"),
        trap("web-1 | 10.66.1.21", "web-1 10.66.1.21"),
        trap("web-1\u{1b}[40G10.66.1.21\u{1b}[20D", "web-1"),
        trap("x\u{1b}[1A\rOpt> 1\u{1b}[1B", "web-1"),
        trap("y\r\n  1  | web-1 | 10.66.1.21", "web-1"),
        trap("root@web-1:~#", "web-1 [root@web-1 ~]#"),
        trap("web-1\u{200b}", "web-1"),
    ]
}
