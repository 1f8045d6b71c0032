//! What a closure plugin does beside calling its closures: panics, errors, refusals, absent fields.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hookmq_plugin_api::typed::{
    AuthorizePublishAnswer, InterceptPublish, InterceptPublishAnswer, LoadRetainedAnswer,
    MessageRecord, ValidateConnection, ValidateConnectionAnswer,
};
use hookmq_plugin_api::{
    Answer, Cause, Closures, EventRecord, Field, Hook, Owned, Plugin, PluginError, Refusal, Verdict,
};

use crate::sample::{BUDGET, event, ready};

fn answer_of(plugin: Closures, hook: Hook) -> Result<Answer, PluginError> {
    plugin.call(&event(hook), BUDGET)
}

#[test]
fn a_panic_is_an_error_that_names_plugin_hook_and_message() {
    let plugin = Closures::new("rules").on_client_connected(|view| {
        assert_eq!(view.client_id(), None, "no luck");
    });
    let error = answer_of(plugin, Hook::ClientConnected).expect_err("it panics");
    assert_eq!(error.cause, Cause::Panic);
    assert!(
        error
            .message
            .starts_with("rules: client_connected panicked: ")
    );
    assert!(error.message.contains("no luck"), "{error}");
}

#[test]
fn a_panic_before_or_during_an_await_is_an_error_too() {
    async fn luckless() -> InterceptPublishAnswer {
        std::future::ready(()).await;
        panic!("later")
    }
    let before = Closures::new("rules").on_async_intercept_publish(|view| {
        assert!(view.topic().is_empty(), "at once");
        luckless()
    });
    let during = Closures::new("rules").on_async_intercept_publish(|_| luckless());
    for (plugin, words) in [(before, "at once"), (during, "later")] {
        let event = Arc::new(event(Hook::InterceptPublish));
        let error = ready(Arc::new(plugin).call_awaiting(event, BUDGET)).expect_err("it panics");
        assert_eq!(error.cause, Cause::Panic);
        assert!(error.message.contains(words), "{error}");
    }
}

#[test]
fn an_error_of_a_closure_is_raised_with_its_words() {
    let plugin = Closures::new("rules").on_authorize_publish(|view| {
        let number: i32 = view.topic().parse()?;
        assert_eq!(number, 0, "the sample's topic is no number");
        Ok::<_, std::num::ParseIntError>(AuthorizePublishAnswer::accept())
    });
    assert_eq!(
        answer_of(plugin, Hook::AuthorizePublish),
        Err(PluginError::new(
            Cause::Raised,
            "invalid digit found in string"
        ))
    );
}

#[test]
fn returning_nothing_passes() {
    let plugin = Closures::new("rules").on_validate_connection(|_| {});
    assert_eq!(
        answer_of(plugin, Hook::ValidateConnection),
        Ok(Answer::PASS)
    );
}

#[test]
fn refusals_say_all_that_they_can() {
    let short = InterceptPublishAnswer::deny(0x87, "not here");
    assert_eq!(Answer::from(short).verdict, Verdict::deny(0x87, "not here"));
    let refusal = Refusal {
        server_reference: Some("other:1883".into()),
        ..Refusal::new(0x9C, "elsewhere")
    };
    let long = ValidateConnectionAnswer::disconnect_with(refusal.clone());
    assert_eq!(
        Answer::from(long).verdict,
        Verdict::Disconnect(Box::new(refusal))
    );
    let dropped = Answer::from(InterceptPublishAnswer::drop());
    assert_eq!(dropped.verdict, Verdict::Drop(None));
}

#[test]
fn the_last_change_of_a_field_counts_and_optional_fields_can_be_taken_away() {
    let answer = InterceptPublishAnswer::pass()
        .topic("a")
        .topic(String::from("b"))
        .payload(b"bytes")
        .user_properties([("name", "value")])
        .without_content_type();
    assert_eq!(
        Answer::from(answer).changes,
        [
            (Field::Topic, Owned::from("b")),
            (Field::Payload, Owned::from(&b"bytes"[..])),
            (
                Field::UserProperties,
                Owned::Pairs(vec![("name".into(), "value".into())])
            ),
            (Field::ContentType, Owned::Nil),
        ]
    );
}

#[test]
fn absent_fields_read_as_none_or_as_empty() {
    let event = EventRecord::new(Hook::InterceptPublish);
    let view = InterceptPublish::new(&event);
    assert_eq!(view.username(), None);
    assert_eq!(view.message_expiry_interval(), None);
    assert_eq!(view.topic(), "");
    assert_eq!(view.payload(), b"");
    assert_eq!(view.qos(), 0);
    assert!(!view.retain());
    assert_eq!(view.user_properties().first("name"), None);
}

#[test]
fn a_view_shows_its_fields_and_no_secret() {
    let event = event(Hook::ValidateConnection).with(Field::Password, "tr0ub4dor");
    let shown = format!("{:?}", ValidateConnection::new(&event));
    assert!(shown.starts_with("ValidateConnection {"), "{shown}");
    assert!(shown.contains("will_topic"), "{shown}");
    assert!(shown.contains("password: (not shown)"), "{shown}");
    assert!(!shown.contains("tr0ub4dor"), "{shown}");
}

#[test]
fn the_first_of_several_user_properties_is_found_by_name() {
    let event = event(Hook::InterceptPublish);
    let properties = InterceptPublish::new(&event)
        .user_properties()
        .first("user_properties");
    assert_eq!(properties.as_deref(), Some("first"));
}

#[test]
fn a_second_closure_for_a_hook_takes_the_place_of_the_first() {
    let first_ran = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&first_ran);
    let plugin = Closures::new("rules")
        .on_intercept_publish(move |_| seen.store(true, Ordering::SeqCst))
        .on_client_connected(|_| {})
        .on_intercept_publish(|_| InterceptPublishAnswer::consume());
    assert_eq!(plugin.listens().len(), 2);
    assert_eq!(
        answer_of(plugin, Hook::InterceptPublish),
        Ok(Verdict::Consume.into())
    );
    assert!(!first_ran.load(Ordering::SeqCst));
}

#[test]
fn an_inline_closure_answers_an_awaiting_call_and_not_the_other_way_round() {
    let inline = Closures::new("rules").on_load_retained(|_| {
        LoadRetainedAnswer::pass().messages([MessageRecord {
            topic: "lamp".into(),
            payload: b"on".to_vec(),
            retain: true,
            ..MessageRecord::default()
        }])
    });
    let event = Arc::new(event(Hook::LoadRetained));
    let answer = ready(Arc::new(inline).call_awaiting(event.clone(), BUDGET)).expect("an answer");
    assert_eq!(answer.changes.len(), 1);

    let awaiting = Closures::new("rules").on_async_load_retained(|_| async {});
    let error = awaiting
        .call(event.as_ref(), BUDGET)
        .expect_err("no await here");
    assert_eq!(error.cause, Cause::Unavailable);
    let other = awaiting.call(&EventRecord::new(Hook::BrokerStarted), BUDGET);
    assert_eq!(other.expect_err("nobody listens").cause, Cause::Unavailable);
}

#[test]
fn a_view_gives_the_event_behind_it() {
    let event = EventRecord::new(Hook::InterceptPublish);
    assert_eq!(
        InterceptPublish::new(&event).event().hook(),
        Hook::InterceptPublish
    );
}
