//! What the bearer of each link may do, and the links' secrets.
//!
//! Pure. The router asks it on every request; the page is told its role only to leave out what would be
//! refused. Watching is open to everybody who is let in at all.

use serde::{Deserialize, Serialize};

use super::access::random_hex;

/// Random bytes in a token.
const TOKEN_BYTES: usize = 24;

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything: the owner's own link.
    Operator,
    /// Watches.
    Observer,
    /// Watches, types, takes the input over, stops and closes.
    Driver,
    /// Watches, and decides what connections and policies ask a person.
    Approver,
}

impl Role {
    /// In the order in which links are printed.
    pub const ALL: [Self; 4] = [Self::Operator, Self::Observer, Self::Driver, Self::Approver];

    /// As it is written in messages and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Observer => "observer",
            Self::Driver => "driver",
            Self::Approver => "approver",
        }
    }

    /// May type, take the input over, stop and close.
    #[must_use]
    pub fn may_drive(self) -> bool {
        matches!(self, Self::Operator | Self::Driver)
    }

    /// May answer for the person whom connections and policies ask.
    #[must_use]
    pub fn may_approve(self) -> bool {
        matches!(self, Self::Operator | Self::Approver)
    }

    /// Sees what other launches of the host have recorded.
    #[must_use]
    pub fn sees_other_launches(self) -> bool {
        self == Self::Operator
    }
}

/// The secrets of one launch, one for each role.
#[derive(Clone, PartialEq, Eq)]
pub struct Tokens([(Role, String); 4]);

impl Tokens {
    /// Fresh ones.
    ///
    /// # Errors
    /// When the operating system has no random numbers.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut tokens = Self(Role::ALL.map(|role| (role, String::new())));
        for (_, token) in &mut tokens.0 {
            *token = random_hex::<TOKEN_BYTES>()?;
        }
        Ok(tokens)
    }

    /// Each role with its token.
    pub fn iter(&self) -> impl Iterator<Item = (Role, &str)> {
        self.0.iter().map(|(role, token)| (*role, token.as_str()))
    }

    /// What the token of that role is.
    #[must_use]
    pub fn of(&self, role: Role) -> &str {
        self.iter().find(|(it, _)| *it == role).map_or("", |(_, token)| token)
    }

    #[cfg(test)]
    pub(super) fn made_of(text: &str) -> Self {
        Self(Role::ALL.map(|role| {
            (role, if role == Role::Operator { text.to_owned() } else { format!("{text}{}", role.name()) })
        }))
    }
}
