//! A policy that cannot be instantiated: its module traps as soon as it is made, before any
//! setting could tell it what to do. Its interface is as it should be, so only the attempt finds
//! it out.

use portcullis_plugin::PluginError;
use portcullis_plugin::policy::{Decision, Policy, Request};

/// The policy, which never comes to be.
pub struct Refuses;

impl Policy for Refuses {
    fn create(_config: &str) -> Result<Self, PluginError> {
        Ok(Self)
    }

    fn evaluate(&self, _request: &Request) -> Result<Vec<Decision>, PluginError> {
        Ok(Vec::new())
    }
}

/// Called while the component is instantiated.
#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "the name is what makes it run at that moment")]
#[unsafe(no_mangle)]
pub extern "C" fn _initialize() {
    std::process::abort();
}

portcullis_plugin::policy!(Refuses);
