//! From rules to verdicts: the table of modes.

use portcullis_plugin::policy::{Mode, Verdict};

use crate::rule::Class;

/// What a rule of `class` means in `mode`.
pub fn verdict(class: Class, mode: Mode) -> Verdict {
    match (mode, class) {
        (_, Class::Extreme) => Verdict::Deny,
        (Mode::Full, Class::Guarded) => Verdict::Warn,
        (Mode::Safe | Mode::Restricted | Mode::Readonly, Class::Guarded) => Verdict::Deny,
        (Mode::Readonly, Class::Plain) => Verdict::Deny,
        (Mode::Safe | Mode::Full | Mode::Restricted, Class::Plain) => Verdict::Allow,
    }
}
