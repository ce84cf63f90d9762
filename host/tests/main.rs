//! Integration tests of the host: one binary, one module per part.

mod contract;
mod directions;
mod plugins;
mod ssh;
