//! Things to test against and to show: a bastion with a menu, its master shells, its pods.
//!
//! What it is: a small world that behaves like the road an operator walks every day. An SSH
//! server on loopback ([`bastion`]) shows a menu ([`cmsm`]), the menu leads to a real shell on a
//! real PTY ([`shell`]), and a `kubectl` there ([`kubectl`]) opens real shells in pod directories
//! ([`pods`]). The same menu can be the login program of a real sshd ([`install`]).
//!
//! Other bastions' menus ([`menus`]) can stand in front of the same shells.
//!
//! Beside that world stand things to be put between a terminal and a program: a bad line
//! ([`slow`]), the command line of a network device ([`network_cli`]), and logs to search ([`logs`]).
//!
//! What it is not: a sandbox. The shells are real and run as the user who started the lab; the
//! server therefore listens on loopback only and every login needs a password or a key.
//!
//! Who calls it: the product's `demo`, the tests, the benchmarks and the `portcullis-lab`
//! program. It knows nothing of the product, so that nothing here can be fitted to it.
//!
//! Tasks: [`bastion`] owns one accept task, and one task per connection and per channel. All
//! else is plain functions.

pub mod bastion;
pub mod cmsm;
mod error;
pub mod install;
pub mod kubectl;
pub mod logs;
pub mod menus;
pub mod network_cli;
pub mod pods;
mod processes;
pub mod shell;
pub mod slow;
mod tty;

pub use error::LabError;
