//! A policy that cannot be instantiated: its initialisation traps.

use portcullis_plugin::PluginError;
use portcullis_plugin::policy::{Decision, Policy, Request};

struct Refusing;

impl Policy for Refusing {
    fn create(_config: &str) -> Result<Self, PluginError> {
        Ok(Self)
    }

    fn evaluate(&self, _request: &Request) -> Result<Vec<Decision>, PluginError> {
        Ok(Vec::new())
    }
}

/// Run by the component model before anything else.
#[cfg(target_arch = "wasm32")]
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    core::arch::wasm32::unreachable()
}

portcullis_plugin::policy!(Refusing);
