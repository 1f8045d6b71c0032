//! `export!` and what its expansion stands on.

use crate::answer::Answer;
use crate::catalogue::Hook;
use crate::error::PluginError;
use crate::event::Event;

use super::Create;

/// One hook of one plugin, as `export!` lists it. Not for hands.
pub trait Listener: 'static {
    /// The plugin.
    type Plugin: Create + Send + Sync + 'static;
    /// The hook.
    const HOOK: Hook;
    /// Numbers of the declared fields.
    const FIELDS: &'static [u32];
    /// See [`crate::abi::Listen::flags`].
    const FLAGS: u32;
    /// Calls the handler.
    ///
    /// # Errors
    /// Its own.
    fn call(plugin: &Self::Plugin, event: &dyn Event) -> Result<Answer, PluginError>;
}

/// Makes a plugin of a type: names the hooks that it answers, each with the fields that its handler reads.
///
/// ```
/// # use hookmq_plugin_api::sdk::*;
/// # #[derive(Default)]
/// # struct Gate;
/// # impl OnValidateConnection for Gate {
/// #     fn validate_connection(&self, event: ValidateConnection<'_>) -> ValidateConnectionAnswer {
/// #         ValidateConnectionAnswer::accept()
/// #     }
/// # }
/// # impl OnClientConnected for Gate {
/// #     fn client_connected(&self, event: ClientConnected<'_>) {}
/// # }
/// hookmq_plugin_api::export!(Gate:
///     validate_connection(username, password) may_block,
///     client_connected(client_id, endpoint),
/// );
/// ```
///
/// `may_block` says that the handler of a hook that may await can take its time (a dynamic library only): it is called on a thread of
/// its own, and only the client whose packet it is waits.
///
/// A field that the hook does not have does not compile:
///
/// ```compile_fail
/// # use hookmq_plugin_api::sdk::*;
/// # #[derive(Default)]
/// # struct Notes;
/// # impl OnClientConnected for Notes {
/// #     fn client_connected(&self, event: ClientConnected<'_>) {}
/// # }
/// hookmq_plugin_api::export!(Notes: client_connected(topic));
/// ```
///
/// A hook that there is not does not compile either, nor one that the type does not answer.
#[macro_export]
macro_rules! export {
    ($plugin:ty: $($hook:ident($($field:ident),* $(,)?) $($flag:ident)?),* $(,)?) => {
        const _: () = {
            $crate::__hookmq_carrier! {
                $plugin,
                [$({
                    enum This {}
                    impl $crate::sdk::export::Listener for This {
                        type Plugin = $plugin;
                        const HOOK: $crate::Hook = $crate::sdk::hooks::$hook::HOOK;
                        const FIELDS: &'static [u32] =
                            &[$($crate::sdk::hooks::$hook::fields::$field as u32),*];
                        const FLAGS: u32 = 0 $(| $crate::sdk::export::flags::$flag)?;
                        fn call(
                            plugin: &$plugin,
                            event: &dyn $crate::Event,
                        ) -> ::core::result::Result<$crate::Answer, $crate::PluginError> {
                            $crate::sdk::hooks::$hook::call(plugin, event)
                        }
                    }
                    $crate::sdk::edge::carrier::listen::<This>()
                }),*],
                [$($hook)*]
            }
        };
    };
}

/// The words behind a hook in `export!`.
#[expect(non_upper_case_globals, reason = "they are written so in `export!`")]
pub mod flags {
    /// See [`crate::abi::MAY_BLOCK`].
    pub const may_block: u32 = crate::abi::MAY_BLOCK;
}

#[doc(hidden)]
#[cfg(not(target_family = "wasm"))]
#[macro_export]
macro_rules! __hookmq_carrier {
    ($plugin:ty, [$($listen:expr),*], [$($hook:ident)*]) => {
        static LISTENS: $crate::sdk::edge::Static<&[$crate::abi::Listen]> =
            $crate::sdk::edge::Static(&[$($listen),*]);
        static PLUGIN: $crate::sdk::edge::Static<$crate::abi::Plugin> =
            $crate::sdk::edge::Static($crate::sdk::edge::carrier::plugin::<$plugin>(
                env!("CARGO_PKG_NAME"),
                env!("CARGO_PKG_VERSION"),
                LISTENS.0,
            ));

        #[unsafe(no_mangle)]
        extern "C" fn hookmq_plugin_v1() -> *const $crate::abi::Plugin {
            &PLUGIN.0
        }
    };
}

#[doc(hidden)]
#[cfg(all(
    target_family = "wasm",
    not(any(target_env = "p2", feature = "component"))
))]
#[macro_export]
macro_rules! __hookmq_carrier {
    ($plugin:ty, [$($listen:expr),*], [$($hook:ident)*]) => {
        static LISTENS: $crate::sdk::edge::Static<&[$crate::abi::Listen]> =
            $crate::sdk::edge::Static(&[$($listen),*]);
        static PLUGIN: $crate::sdk::edge::Static<$crate::abi::Plugin> =
            $crate::sdk::edge::Static($crate::sdk::edge::carrier::plugin::<$plugin>(
                env!("CARGO_PKG_NAME"),
                env!("CARGO_PKG_VERSION"),
                LISTENS.0,
            ));

        #[unsafe(no_mangle)]
        extern "C" fn hookmq_plugin_v1() -> *const $crate::abi::Plugin {
            &PLUGIN.0
        }

        #[unsafe(no_mangle)]
        extern "C" fn hookmq_inbox(size: usize) -> *mut u8 {
            $crate::sdk::edge::carrier::inbox(size)
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn hookmq_create(config: *const u8, len: usize) -> i32 {
            // SAFETY: the broker's own words.
            unsafe { $crate::sdk::edge::carrier::create::<$plugin>(config, len) }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn hookmq_call(listen: usize, event: *const $crate::abi::Event) -> i32 {
            // SAFETY: the broker's own words.
            unsafe { $crate::sdk::edge::carrier::call(LISTENS.0, listen, event) }
        }
    };
}

#[doc(hidden)]
#[cfg(all(target_family = "wasm", any(target_env = "p2", feature = "component")))]
#[macro_export]
macro_rules! __hookmq_carrier {
    ($plugin:ty, [$($listen:expr),*], [$($hook:ident)*]) => {
        const _: &[()] = &[$($listen),*];
        $($crate::__hookmq_component_hook! { $hook $plugin })*

        #[unsafe(export_name = "hookmq:plugin/setup@1.0.0#create")]
        unsafe extern "C" fn create(
            config: *mut u8,
            len: usize,
        ) -> *const $crate::sdk::edge::carrier::Created {
            // SAFETY: as the canonical ABI calls it.
            unsafe { $crate::sdk::edge::carrier::create::<$plugin>(config, len) }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn cabi_realloc(
            old: *mut u8,
            old_size: usize,
            align: usize,
            size: usize,
        ) -> *mut u8 {
            // SAFETY: as the canonical ABI calls it.
            unsafe { $crate::sdk::edge::carrier::allocate(old, old_size, align, size) }
        }

        #[used]
        #[unsafe(link_section = "component-type:hookmq")]
        static IMPORTS: [u8; $crate::sdk::edge::carrier::IMPORTS.len()] =
            *$crate::sdk::edge::carrier::IMPORTS;
        #[used]
        #[unsafe(link_section = "component-type:hookmq-setup")]
        static SETUP: [u8; $crate::sdk::edge::carrier::SETUP.len()] =
            *$crate::sdk::edge::carrier::SETUP;
    };
}

#[doc(hidden)]
#[cfg(all(target_family = "wasm", any(target_env = "p2", feature = "component")))]
#[macro_export]
macro_rules! __hookmq_component_export {
    ($plugin:ty, $hook:ident, $section:ident, $shape:tt($($field:ident)?), $name:literal, $type:literal) => {
        const _: () = {
            $crate::__hookmq_component_function! { $plugin, $hook, $shape($($field)?), $name }

            #[used]
            #[unsafe(link_section = $type)]
            static TYPE: [u8; $crate::sdk::edge::carrier::$section.len()] =
                *$crate::sdk::edge::carrier::$section;
        };
    };
}

#[doc(hidden)]
#[cfg(all(target_family = "wasm", any(target_env = "p2", feature = "component")))]
#[macro_export]
macro_rules! __hookmq_component_function {
    ($plugin:ty, $hook:ident, answered($field:ident), $name:literal) => {
        #[unsafe(export_name = $name)]
        unsafe extern "C" fn export(data: *mut u8, len: usize) -> *const ::core::ffi::c_void {
            let parameter = ::core::option::Option::Some($crate::Field::$field);
            // SAFETY: as the canonical ABI calls it.
            unsafe {
                $crate::sdk::edge::carrier::answered::<$plugin>(
                    $crate::sdk::hooks::$hook::HOOK,
                    parameter,
                    data,
                    len,
                    |plugin, event| $crate::sdk::hooks::$hook::call(plugin, event),
                )
            }
        }
    };
    ($plugin:ty, $hook:ident, answered(), $name:literal) => {
        #[unsafe(export_name = $name)]
        unsafe extern "C" fn export() -> *const ::core::ffi::c_void {
            // SAFETY: as the canonical ABI calls it.
            unsafe {
                $crate::sdk::edge::carrier::answered::<$plugin>(
                    $crate::sdk::hooks::$hook::HOOK,
                    ::core::option::Option::None,
                    ::core::ptr::null_mut(),
                    0,
                    |plugin, event| $crate::sdk::hooks::$hook::call(plugin, event),
                )
            }
        }
    };
    ($plugin:ty, $hook:ident, told($field:ident), $name:literal) => {
        #[unsafe(export_name = $name)]
        unsafe extern "C" fn export(data: *mut u8, len: usize) {
            let parameter = ::core::option::Option::Some($crate::Field::$field);
            // SAFETY: as the canonical ABI calls it.
            unsafe {
                $crate::sdk::edge::carrier::told::<$plugin>(
                    $crate::sdk::hooks::$hook::HOOK,
                    parameter,
                    data,
                    len,
                    |plugin, event| $crate::sdk::hooks::$hook::call(plugin, event),
                );
            }
        }
    };
    ($plugin:ty, $hook:ident, told(), $name:literal) => {
        #[unsafe(export_name = $name)]
        unsafe extern "C" fn export() {
            // SAFETY: as the canonical ABI calls it.
            unsafe {
                $crate::sdk::edge::carrier::told::<$plugin>(
                    $crate::sdk::hooks::$hook::HOOK,
                    ::core::option::Option::None,
                    ::core::ptr::null_mut(),
                    0,
                    |plugin, event| $crate::sdk::hooks::$hook::call(plugin, event),
                );
            }
        }
    };
}
