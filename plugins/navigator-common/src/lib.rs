//! What the navigators share: which words may be typed, how tables and prompts are read off a
//! screen, and the way from a host's shell into a pod.
//!
//! What it is not: a component, and no bastion's grammar. Everything read here is hostile text; a
//! table that cannot be read without doubt gives no row.

pub mod compare;
pub mod pods;
pub mod screen;
pub mod settings;
pub mod table;
pub mod words;
