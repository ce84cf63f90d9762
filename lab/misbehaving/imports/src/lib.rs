//! A policy that wants a WASI clock. No host offers one, so it must fail at load, by that name.

use portcullis_plugin::PluginError;
use portcullis_plugin::policy::{Decision, Policy, Request, Verdict};

#[cfg(target_arch = "wasm32")]
mod clock {
    #![allow(unsafe_code, unreachable_pub, clippy::all, reason = "generated code")]
    #![allow(clippy::allow_attributes_without_reason, reason = "generated code")]

    wit_bindgen::generate!({
        inline: "package wasi:clocks@0.2.0;
            interface monotonic-clock { now: func() -> u64; }
            world wants { import monotonic-clock; }",
    });
}

fn now() -> u64 {
    #[cfg(target_arch = "wasm32")]
    return clock::wasi::clocks::monotonic_clock::now();
    #[cfg(not(target_arch = "wasm32"))]
    0
}

/// The policy.
pub struct Imports;

impl Policy for Imports {
    fn create(_config: &str) -> Result<Self, PluginError> {
        Ok(Self)
    }

    fn evaluate(&self, _request: &Request) -> Result<Vec<Decision>, PluginError> {
        let reason = now().to_string();
        Ok(vec![Decision::new(Verdict::Allow, "lab/clock", "lab", portcullis_plugin::Severity::Info, reason)])
    }
}

portcullis_plugin::policy!(Imports);
