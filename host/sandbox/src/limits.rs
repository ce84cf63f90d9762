//! The budget of a plugin.

use std::time::Duration;

use crate::engine::{POOL_MEMORY_BYTES, TABLE_ELEMENTS};

/// What one plugin may use. Everything is per call unless it says otherwise; the defaults per kind
/// are [`Limits::policy`], [`Limits::navigator`], [`Limits::parser`] and [`Limits::log_search`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Computing budget; about one unit per instruction, the same on every machine. Making an
    /// instance ahead of the question has a budget of its own.
    pub fuel: u64,
    /// Wall-clock backstop behind `fuel`. Generous, because a busy machine must not turn into
    /// denials. Also the longest wait for a free instance.
    pub deadline: Duration,
    /// All linear memories of an instance together, at any time.
    pub memory_bytes: usize,
    /// The longest single string or byte list in a question or an answer.
    pub max_string_bytes: usize,
    /// The longest list in a question or an answer.
    pub max_list_items: usize,
    /// All strings of a question together.
    pub max_request_bytes: usize,
    /// What an answer may make the host allocate.
    pub max_answer_bytes: usize,
    /// Elements of an instance's table of functions; each table for itself.
    pub max_table_elements: usize,
    /// Instances at work at the same time; a question beyond them waits up to `deadline`.
    pub max_instances: u32,
    /// The component file. Checked once, at load.
    pub max_component_bytes: usize,
    /// Log lines that are kept; further ones are counted and dropped.
    pub log_lines: u32,
    /// Log lines, kept or dropped, after which the call ends. A dropped line still costs the host
    /// its copy, which no fuel pays for.
    pub max_log_lines: u32,
    /// The longest log line; the rest is cut.
    pub log_line_bytes: usize,
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

impl Limits {
    /// The most that `memory_bytes` can be.
    pub const MOST_MEMORY_BYTES: usize = POOL_MEMORY_BYTES;
    /// The most that `max_table_elements` can be.
    pub const MOST_TABLE_ELEMENTS: usize = TABLE_ELEMENTS;

    /// A decision takes some ten thousand units in Rust and some ten million where a JavaScript or
    /// Python engine starts first; this is about 30 ms of a core.
    pub fn policy() -> Self {
        Self {
            fuel: 200_000_000,
            deadline: Duration::from_secs(2),
            memory_bytes: 64 * MIB,
            max_string_bytes: 64 * KIB,
            max_list_items: 4_096,
            max_request_bytes: MIB,
            max_answer_bytes: MIB,
            max_table_elements: TABLE_ELEMENTS,
            max_instances: 16,
            max_component_bytes: 32 * MIB,
            log_lines: 32,
            // Far more than a talkative plugin writes about one question; at the longest lines a
            // tenth of a second of copying.
            max_log_lines: 10_000,
            log_line_bytes: 2 * KIB,
        }
    }

    /// A step looks at one screen.
    pub fn navigator() -> Self {
        Self { fuel: 400_000_000, ..Self::policy() }
    }

    /// A push is at most [`max_string_bytes`](Self::max_string_bytes) of output and may give a
    /// document per line.
    pub fn parser() -> Self {
        Self {
            fuel: 2_000_000_000,
            deadline: Duration::from_secs(5),
            max_string_bytes: 256 * KIB,
            max_list_items: 65_536,
            max_request_bytes: MIB,
            max_answer_bytes: 16 * MIB,
            ..Self::policy()
        }
    }

    /// As a parser: it reads the output of its own command.
    pub fn log_search() -> Self {
        Self::parser()
    }
}
