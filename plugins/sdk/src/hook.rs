//! Puts a panic's place into the host's log before the instance traps; without it the host would
//! only see "unreachable executed".

/// Called on every entry that may be an instance's first; only the first call does anything.
#[cfg(target_arch = "wasm32")]
pub(crate) fn install() {
    use std::sync::atomic::{AtomicBool, Ordering};

    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if INSTALLED.swap(true, Ordering::Relaxed) {
        return;
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        let message = panic.payload_as_str().unwrap_or("no message");
        crate::log::error(&format!("panic at {place}: {message}"));
    }));
}

/// Natively the test harness reports panics.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn install() {}

/// Used by the macros of the kinds.
#[doc(hidden)]
#[macro_export]
macro_rules! export_kind {
    ($export:ty, $module:ident, $kind:path, $implementation:ty) => {
        // Checked on every target; exported on the one that has components.
        const _: () = {
            const fn implements<T: $kind>() {}
            implements::<$implementation>();
        };
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "the exports that wit-bindgen generates")]
        const _: () = {
            type Exported = $export;
    $crate::bindings::$module::export!(Exported with_types_in $crate::bindings::$module);
        };
    };
}
