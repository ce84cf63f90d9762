//! The menu a person meets after logging in to the bastion: choose a host, choose a user.
//!
//! [`menu`] is the dialogue as a state machine without any input or output of its own, so the
//! SSH server and the login program show exactly the same thing. [`login`] runs it on a real
//! terminal. Texts are fixed on purpose: navigators are tested against them.

pub mod line_editor;
pub mod login;
pub mod menu;

/// The users every target offers, in the order of the list.
pub const USERS: [&str; 4] = ["ruby", "root", "app", "readonly"];

/// What a custom target, one the menu does not know, is said to belong to.
const CUSTOM_CLUSTER: &str = "custom-lab";

/// Longest host name made of typed text; a DNS label has no more.
const HOST_NAME_MAX_CHARS: usize = 63;

/// A host the menu can lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Address as shown; for a custom target the text that was typed.
    pub address: String,
    /// Host name, as it stands in the prompt of the master shell.
    pub name: String,
    /// Cluster the host belongs to.
    pub cluster: String,
    /// `online` for every target of this lab.
    pub status: String,
}

impl Target {
    fn new(address: &str, name: &str, cluster: &str) -> Self {
        Self {
            address: address.to_owned(),
            name: name.to_owned(),
            cluster: cluster.to_owned(),
            status: "online".to_owned(),
        }
    }

    /// A target for text that names none of the known ones.
    ///
    /// The host name goes into a shell prompt, which bash expands: whatever is not a plain letter
    /// or digit becomes `-`, so that typed text never runs there.
    fn custom(text: &str) -> Self {
        let suffix: String = text
            .chars()
            .map(|symbol| if symbol.is_ascii_alphanumeric() || symbol == '_' { symbol } else { '-' })
            .take(HOST_NAME_MAX_CHARS - "master-".len())
            .collect();
        Self::new(text, &format!("master-{suffix}"), CUSTOM_CLUSTER)
    }

    /// One row of a list: `index ip name cluster status`.
    #[must_use]
    pub fn row(&self, index: usize) -> String {
        format!("  {index:<3} {:<15} {:<12} {:<14} {}", self.address, self.name, self.cluster, self.status)
    }
}

/// The targets the menu knows, in list order.
#[must_use]
pub fn known_targets() -> Vec<Target> {
    vec![Target::new("10.66.12.21", "master-a", "orders-prod"), Target::new("10.66.12.22", "master-b", "payments-prod")]
}

/// Finds the target a typed text means and its row number: an address, a name or a list index;
/// anything else is a custom target in row 1.
fn find_target(text: &str) -> (usize, Target) {
    let wanted_index: Option<usize> = text.parse().ok();
    for (position, target) in known_targets().into_iter().enumerate() {
        let index = position + 1;
        if target.address == text || target.name == text || wanted_index == Some(index) {
            return (index, target);
        }
    }
    (1, Target::custom(text))
}

/// Finds the user a typed text means: a number of the list or a name.
fn find_user(text: &str) -> Option<&'static str> {
    let by_number = text.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    match by_number {
        Some(index) => USERS.get(index).copied(),
        None => USERS.iter().copied().find(|user| *user == text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_found_by_address_name_or_index() {
        for (text, index, name) in [
            ("10.66.12.21", 1, "master-a"),
            ("10.66.12.22", 2, "master-b"),
            ("master-b", 2, "master-b"),
            ("1", 1, "master-a"),
            ("2", 2, "master-b"),
        ] {
            let (found_index, target) = find_target(text);
            assert_eq!((found_index, target.name.as_str()), (index, name), "{text}");
        }
    }

    #[test]
    fn other_text_becomes_a_custom_target_whose_name_cannot_run() {
        for (text, name) in [
            ("10.1.2.3", "master-10-1-2-3"),
            ("fe80::1", "master-fe80--1"),
            ("3", "master-3"),
            ("0", "master-0"),
            ("$(id)`x`\\u", "master---id--x--u"),
        ] {
            let (index, target) = find_target(text);
            assert_eq!(index, 1, "{text}");
            assert_eq!(target.name, name, "{text}");
            assert_eq!(target.address, text);
            assert_eq!(target.cluster, "custom-lab");
        }
        assert_eq!(find_target(&"a".repeat(300)).1.name.len(), HOST_NAME_MAX_CHARS);
    }

    #[test]
    fn users_are_found_by_number_or_name() {
        for (text, user) in [
            ("1", Some("ruby")),
            ("2", Some("root")),
            ("4", Some("readonly")),
            ("app", Some("app")),
            ("0", None),
            ("5", None),
            ("Root", None),
            ("", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(find_user(text), user, "{text:?}");
        }
    }
}
