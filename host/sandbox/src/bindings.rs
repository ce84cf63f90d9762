//! What wasmtime's `bindgen!` makes of the contract: one module per kind of plugin and version, all sharing
//! one copy of the common types and of the log import.
//!
//! Nothing outside this package sees these modules; the records the host fills in and reads are
//! re-exported by the modules named after the kinds. Where a kind has more than one version, the module without
//! a number is the newest.
#![allow(unreachable_pub, missing_docs, reason = "generated code")]
#![allow(clippy::all, clippy::allow_attributes_without_reason, reason = "generated code")]

/// The vocabulary of every kind and the only import.
pub mod shared {
    wasmtime::component::bindgen!({
        inline: "package portcullis:sandbox;
            world shared {
                import portcullis:common/types@0.1.0;
                import portcullis:host/log@0.1.0;
            }",
        path: ["../../wit/common-0.1.0", "../../wit/host-0.1.0"],
        world: "portcullis:sandbox/shared",
        imports: { default: trappable },
        additional_derives: [PartialEq],
    });
}

macro_rules! kind {
    ($module:ident, $world:literal, $directory:literal) => {
        pub mod $module {
            wasmtime::component::bindgen!({
                path: ["../../wit/common-0.1.0", "../../wit/host-0.1.0", $directory],
                world: $world,
                imports: { default: trappable },
                exports: { default: async },
                with: {
                    "portcullis:common/types": crate::bindings::shared::portcullis::common::types,
                    "portcullis:host/log": crate::bindings::shared::portcullis::host::log,
                },
                additional_derives: [PartialEq],
            });
        }
    };
}
kind!(policy, "portcullis:policy/policy-plugin", "../../wit/policy-0.2.0");
kind!(policy_0_1, "portcullis:policy/policy-plugin", "../../wit/policy-0.1.0");
kind!(navigator, "portcullis:navigator/navigator-plugin", "../../wit/navigator-0.1.0");
kind!(parser, "portcullis:parser/parser-plugin", "../../wit/parser-0.1.0");
kind!(log_search, "portcullis:log-search/log-search-plugin", "../../wit/log-search-0.1.0");
