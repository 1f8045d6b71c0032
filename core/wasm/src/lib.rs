//! WASM plugins: components and core modules that answer the hooks.
