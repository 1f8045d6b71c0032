//! Typed views, typed answers and closure plugins: every hook with every field and every change. The modules per kind are
//! generated with the views themselves; what they compare with is the catalogue, in `sample`.

mod filter;
mod gate;
mod notice;
mod sample;
mod supply;

mod closures;
