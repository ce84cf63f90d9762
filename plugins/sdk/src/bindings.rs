//! What `wit-bindgen` makes of the contract: one module per kind of plugin, sharing one copy of
//! the common types.
//!
//! Plugin authors use the modules named after the kinds instead. The worlds stand side by side
//! because only the imports are described by this library; the exports of a kind are described
//! where its macro is used, so a component exports nothing it does not implement.
#![allow(unsafe_code, unreachable_pub, missing_docs, reason = "generated code")]
#![allow(clippy::all, clippy::allow_attributes_without_reason, reason = "generated code")]

/// Types and the log, used by every kind.
pub mod shared {
    wit_bindgen::generate!({
        inline: "package portcullis:sdk;
            world shared {
                import portcullis:common/types@0.1.0;
                import portcullis:host/log@0.1.0;
            }",
        path: ["../../wit/common-0.1.0", "../../wit/host-0.1.0"],
        world: "portcullis:sdk/shared",
        generate_all,
        generate_unused_types: true,
        additional_derives: [PartialEq, Eq],
    });
}

macro_rules! kind {
    ($module:ident, $world:literal, $directory:literal) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: ["../../wit/common-0.1.0", "../../wit/host-0.1.0", $directory],
                world: $world,
                with: {
                    "portcullis:common/types@0.1.0": crate::bindings::shared::portcullis::common::types,
                    "portcullis:host/log@0.1.0": crate::bindings::shared::portcullis::host::log,
                },
                additional_derives: [PartialEq, Eq],
                generate_unused_types: true,
                pub_export_macro: true,
                export_macro_name: "export",
            });
        }
    };
}
kind!(policy, "portcullis:policy/policy-plugin", "../../wit/policy-0.2.0");
kind!(navigator, "portcullis:navigator/navigator-plugin", "../../wit/navigator-0.1.0");
kind!(parser, "portcullis:parser/parser-plugin", "../../wit/parser-0.1.0");
kind!(log_search, "portcullis:log-search/log-search-plugin", "../../wit/log-search-0.1.0");
