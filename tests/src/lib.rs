//! Test kits shared by the integration tests: servers and programs that are not ours, started for one
//! test and ended with it; the program under test, driven as a client drives it.

pub mod agent;
pub mod disk;
pub mod home;
pub mod http;
pub mod lenses;
pub mod mcp;
pub mod relay;
pub mod scene;
pub mod sshd;
pub mod terminal;
pub mod viewer;
pub mod way;
