//! Whether a rule speaks of something: no, perhaps, yes.

/// From weakest to strongest: "or" is the larger one, "and" the smaller one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hit {
    No,
    /// It depends on what is known only when the line runs.
    Maybe,
    Yes,
}

impl From<bool> for Hit {
    fn from(hit: bool) -> Self {
        if hit { Self::Yes } else { Self::No }
    }
}

/// The strongest of them; `No` of none.
pub fn any(hits: impl IntoIterator<Item = Hit>) -> Hit {
    let mut strongest = Hit::No;
    for hit in hits {
        strongest = strongest.max(hit);
        if strongest == Hit::Yes {
            break;
        }
    }
    strongest
}
