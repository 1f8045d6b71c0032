//! The typed views of every supply hook.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use hookmq_plugin_api::typed::*;
use hookmq_plugin_api::view::EventRef;
use hookmq_plugin_api::{Closures, Field, Hook};

use crate::sample::*;

#[test]
fn load_retained() {
    let plugin = Closures::new("test").on_load_retained(|view| {
        sees_load_retained(&view);
        answers_load_retained()
    });
    check(Hook::LoadRetained, plugin);
    let plugin = Closures::new("test").on_async_load_retained(|view| async move {
        sees_load_retained(&view);
        answers_load_retained()
    });
    check(Hook::LoadRetained, plugin);
}

fn sees_load_retained<E: EventRef>(view: &LoadRetained<'_, E>) {
    assert_eq!(view.n_messages(), number(Field::NMessages));
}

fn answers_load_retained() -> LoadRetainedAnswer {
    let answer = LoadRetainedAnswer::pass();
    answer.messages(entries(Field::Messages))
}
