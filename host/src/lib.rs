//! Portcullis: SSH terminals shared live between an agent and the person watching it.
//!
//! The map. Dependencies point down only; `host/tests` checks it.
//!
//! | module | is | owns |
//! |---|---|---|
//! | [`cli`] | the program's commands | nothing |
//! | [`mcp`], [`web`], [`viewer`] | adapters: the agent's side, the browser's side | connections |
//! | [`operator`] | adapter: the operator's commands, over a private socket | connections |
//! | [`policy`] | what the policies say of lines that nobody types, and which rules there are | nothing |
//! | [`kit`] | a plugin tried, checked and tested by its author, without a server | nothing |
//! | [`ops`] | one function per operation, the whole story of each | nothing |
//! | [`gate`] | turns what somebody wants to type into what may be typed | lines held for an agent |
//! | `searches` | what log searches have left to know of a place, and to go on with | the same |
//! | [`desk`] | questions that wait for a person | the open questions |
//! | [`approvals`] | texts that wait for a person's consent | the open approvals, consent for a session |
//! | `attempts` | connections that are being made, for whoever asks for them | one task per attempt |
//! | [`plugins`] | which plugin is asked and what its failure means | loaded plugins |
//! | [`session`] | one task per session: channel, terminal, transcript | the sessions |
//! | [`audit`] | the record, the instance's folder | files |
//! | [`ssh`] | the russh client: from a profile to a shell | one task per connection |
//! | [`local`] | a shell of this machine in a terminal | one task per shell |
//! | `metrics` | the figures of the process, counted where things happen | the figures |
//! | `otlp` | the same figures sent to a collector | one task |
//! | [`diagnose`] | what is wrong with a profile, and how to mend it | nothing |
//! | `listen` | connections of HTTP clients, within limits | one task per connection |
//! | [`config`] | what the operator wrote, as values | nothing |
//!
//! Packages beside this one: `portcullis-term` (the terminal model, pure), `portcullis-shell` (what
//! a line would run, pure), `portcullis-sandbox` (WebAssembly).

pub mod approvals;
mod attempts;
pub mod audit;
mod causes;
pub mod cli;
mod clock;
pub mod config;
pub mod desk;
pub mod diagnose;
pub mod gate;
pub mod host;
pub mod kit;
mod listen;
pub mod local;
pub mod mcp;
mod metrics;
pub mod operator;
pub mod ops;
mod otlp;
pub mod plugins;
pub mod policy;
mod random;
mod searches;
pub mod session;
pub mod ssh;
pub mod viewer;
pub mod web;
