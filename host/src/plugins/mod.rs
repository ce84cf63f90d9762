//! Plugins: which there are, what each is asked, and what a failure means.
//!
//! A policy's failure denies; a parser's costs a note; a navigator's or a log search's is an error
//! that names it. Values are copied in and out: a plugin never sees a session, a channel or a
//! secret. The sandbox limits each call.

mod catalog;
mod live;
mod loaded;
mod manifest;
mod parsers;
mod policies;

pub use catalog::{Catalog, CatalogError};
pub(crate) use catalog::{built_in, built_in_names, read_pinned};
pub use live::{Listed, LivePlugins};
pub(crate) use loaded::{Loaded, load};
pub use manifest::Manifest;
pub(crate) use manifest::with_manifest;
pub(crate) use parsers::CHUNK_BYTES;
pub use parsers::{Parsed, ParserSet};
pub use policies::{POLICY_FAILED, PolicyChain, RULES_POLICY, SESSION_RULES_POLICY};
