//! What is kept, for how long, and what takes it back.

use super::*;
use hookmq_plugin_api::{EventRecord, Hook, Keep};
use std::time::Duration;

const SMALL: KeptLimits = KeptLimits {
    n_entries: 4 * N_SHARDS,
    bytes: 64 << 10,
};
const NOTHING: KeptTally = KeptTally {
    hits: 0,
    misses: 0,
    entries: 0,
    bytes: 0,
};

fn kept_of(fields: &[Field], limits: KeptLimits) -> Kept {
    let tags = Arc::new(Tags::new());
    Kept::new(FieldSet::of(fields), tags, limits, NOTHING)
}

fn event(client_id: &str, topic: &str) -> EventRecord {
    EventRecord::new(Hook::AuthorizePublish)
        .with(Field::ClientId, client_id)
        .with(Field::Topic, topic)
        .with(Field::Qos, 1)
}

fn accept(seconds: u64, tags: &[&str]) -> Answer {
    let keep = Keep::lasting(Duration::from_secs(seconds));
    let keep = tags.iter().fold(keep, |keep, tag| keep.tagged(tag));
    Answer::from(Verdict::Accept).kept(keep)
}

fn keep(kept: &Kept, event: &EventRecord, answer: &Answer, now_ms: u64) {
    let moment = kept.moment();
    let keeping = kept.prepare(event, FieldSet::EMPTY, answer);
    kept.keep(keeping.expect("something to keep"), moment, now_ms);
}

fn knows(kept: &Kept, event: &EventRecord, now_ms: u64) -> bool {
    kept.recall(event, || now_ms).is_some()
}

#[test]
fn it_answers_for_events_that_are_the_same_in_every_declared_field() {
    let kept = kept_of(&[Field::ClientId, Field::Topic], SMALL);
    keep(&kept, &event("a", "t"), &accept(60, &[]), 1);
    assert!(knows(&kept, &event("a", "t"), 1));
    assert!(knows(&kept, &event("a", "t").with(Field::Qos, 2), 1));
    for other in [
        event("b", "t"),
        event("a", "t/u"),
        event("", "at"),
        EventRecord::new(Hook::AuthorizePublish).with(Field::Topic, "t"),
    ] {
        assert!(!knows(&kept, &other, 1), "{other:?}");
    }
}

#[test]
fn a_field_that_was_read_without_being_declared_counts_from_then_on() {
    let kept = kept_of(&[Field::Topic], SMALL);
    keep(&kept, &event("a", "t"), &accept(60, &[]), 1);
    assert!(knows(&kept, &event("b", "t"), 1));
    let read = FieldSet::of(&[Field::Topic, Field::ClientId]);
    let moment = kept.moment();
    let other = event("b", "u");
    let keeping = kept.prepare(&other, read, &accept(60, &[]));
    kept.keep(keeping.expect("something to keep"), moment, 1);
    assert!(knows(&kept, &other, 1));
    assert!(!knows(&kept, &event("a", "u"), 1));
    assert!(
        !knows(&kept, &event("b", "t"), 1),
        "its key has one field less"
    );
}

#[test]
fn it_holds_for_its_time_and_no_longer() {
    let kept = kept_of(&[Field::ClientId], SMALL);
    keep(&kept, &event("a", "t"), &accept(1, &[]), 5_000);
    assert!(knows(&kept, &event("a", "t"), 5_999));
    assert!(!knows(&kept, &event("a", "t"), 6_000));
    assert_eq!(kept.tally().entries, 0, "what was found too old is gone");
    keep(&kept, &event("a", "t"), &accept(u64::MAX, &[]), 6_000);
    assert!(knows(&kept, &event("a", "t"), u64::MAX - 1));
    assert!(
        kept.prepare(&event("a", "t"), FieldSet::EMPTY, &accept(0, &["t"]))
            .is_none()
    );
}

#[test]
fn nothing_is_looked_for_before_anything_was_kept() {
    let kept = kept_of(&[Field::ClientId], SMALL);
    let untouched = || -> u64 { panic!("the clock was read") };
    assert!(kept.recall(&event("a", "t"), untouched).is_none());
    assert_eq!(kept.tally(), NOTHING);
}

#[test]
fn entries_and_bytes_are_bounded_and_what_is_used_stays() {
    let kept = kept_of(&[Field::ClientId], SMALL);
    let used = event("used", "t");
    keep(&kept, &used, &accept(600, &["used"]), 1);
    for number in 0..5_000 {
        let other = event(&format!("client {number}"), "t");
        keep(&kept, &other, &accept(600, &["others"]), 1);
        assert!(knows(&kept, &used, 1), "after {number}");
    }
    let tally = kept.tally();
    let limit = SMALL.n_entries as u64;
    assert!(
        tally.entries > limit / 2 && tally.entries <= limit,
        "{tally:?}"
    );
    // Large ones fill the bytes before the entries.
    for number in 0..1_000 {
        let answer = Answer {
            verdict: Verdict::deny(0x87, &"x".repeat(1_500)),
            ..accept(600, &[])
        };
        keep(&kept, &event(&format!("large {number}"), "t"), &answer, 1);
        assert!(kept.tally().bytes <= SMALL.bytes as u64);
    }
    assert!(kept.tally().entries >= N_SHARDS as u64);
    let huge = Answer {
        verdict: Verdict::deny(0x87, &"x".repeat(60_000)),
        ..accept(600, &[])
    };
    let before = kept.tally().entries;
    keep(&kept, &event("huge", "t"), &huge, 1);
    assert_eq!(kept.tally().entries, before, "too large to be kept at all");
    // Nothing is left behind by what went.
    assert!(kept.forget("others", kept.tags.change("others")) <= before as usize);
    for shard in &kept.shards {
        let shard = shard.lock();
        let present = shard.entries.iter().flatten().count();
        assert_eq!(shard.table.len(), present);
        assert_eq!(shard.entries.len() - shard.free.len(), present);
        let tagged: usize = shard
            .entries
            .iter()
            .flatten()
            .map(|entry| entry.answer.tags.len())
            .sum();
        assert_eq!(shard.tagged.len(), tagged);
        let bytes: usize = shard
            .entries
            .iter()
            .flatten()
            .map(|entry| entry.bytes)
            .sum();
        assert_eq!(shard.bytes, bytes);
    }
}

#[test]
fn what_has_expired_goes_by_itself() {
    let kept = kept_of(&[Field::ClientId], KeptLimits::default());
    for number in 0..2_000 {
        keep(
            &kept,
            &event(&number.to_string(), "t"),
            &accept(1, &["t"]),
            1,
        );
    }
    keep(&kept, &event("late", "t"), &accept(60, &["t"]), 1);
    assert_eq!(kept.tally().entries, 2_001);
    kept.sweep(2_000);
    assert_eq!(kept.tally().entries, 1);
    assert!(knows(&kept, &event("late", "t"), 2_000));
}

#[test]
fn a_tag_takes_back_all_that_carry_it_and_nothing_else() {
    let kept = kept_of(&[Field::ClientId], KeptLimits::default());
    for number in 0..3_000 {
        let tags: &[&str] = match number % 3 {
            0 => &["third", "all"],
            1 => &["all"],
            _ => &[],
        };
        keep(
            &kept,
            &event(&number.to_string(), "t"),
            &accept(60, tags),
            1,
        );
    }
    let forget = |tag| kept.forget(tag, kept.tags.change(tag));
    assert_eq!(forget("nobody"), 0);
    assert_eq!(forget("third"), 1_000);
    assert_eq!(forget("third"), 0);
    assert!(!knows(&kept, &event("0", "t"), 1) && knows(&kept, &event("1", "t"), 1));
    assert_eq!(forget("all"), 1_000);
    assert!(!knows(&kept, &event("1", "t"), 1) && knows(&kept, &event("2", "t"), 1));
}

#[test]
fn a_decision_under_way_while_its_tag_is_taken_back_is_not_kept() {
    let kept = kept_of(&[Field::ClientId], SMALL);
    let (one, other) = (event("one", "t"), event("other", "t"));
    let moment = kept.moment();
    let with_tag = kept.prepare(&one, FieldSet::EMPTY, &accept(60, &["a", "b"]));
    let without = kept.prepare(&other, FieldSet::EMPTY, &accept(60, &[]));
    assert_eq!(kept.forget("b", kept.tags.change("b")), 0);
    kept.keep(with_tag.expect("something to keep"), moment, 1);
    kept.keep(without.expect("something to keep"), moment, 1);
    assert!(!knows(&kept, &one, 1), "it was decided before");
    assert!(knows(&kept, &other, 1));
    keep(&kept, &one, &accept(60, &["a", "b"]), 1);
    assert!(knows(&kept, &one, 1), "it was decided after");
    // An answer that is newer than the moment stays.
    let earlier = kept.tags.change("unrelated");
    keep(&kept, &one, &accept(60, &["a", "b"]), 1);
    assert_eq!(kept.forget("a", earlier), 0);
    assert!(knows(&kept, &one, 1));
}

/// Deciders read a number and keep answers made from it; another thread changes the number, takes the tag back, and from then on
/// no earlier number may be recalled.
#[test]
fn nothing_that_was_taken_back_is_recalled_whoever_is_faster() {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
    let kept = kept_of(&[Field::ClientId], SMALL);
    let (truth, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let same = event("same", "t");
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                while !done.load(SeqCst) {
                    let moment = kept.moment();
                    let decided = truth.load(SeqCst);
                    std::thread::yield_now();
                    let answer = Answer {
                        changes: vec![(Field::Qos, Owned::Integer(decided as i64))],
                        ..accept(60, &["truth"])
                    };
                    let keeping = kept.prepare(&same, FieldSet::EMPTY, &answer);
                    kept.keep(keeping.expect("something to keep"), moment, 1);
                }
            });
        }
        let (mut n_recalled, mut wrong) = (0, Vec::new());
        let patience = std::time::Instant::now() + Duration::from_secs(60);
        let mut now = 0;
        // Longer where the deciders have to wait for a processor.
        while now < 3_000 || (n_recalled == 0 && std::time::Instant::now() < patience) {
            now += 1;
            truth.store(now, SeqCst);
            kept.forget("truth", kept.tags.change("truth"));
            for _ in 0..3 {
                if let Some(answer) = kept.recall(&same, || 1) {
                    n_recalled += 1;
                    if answer.changes != [(Field::Qos, Owned::Integer(now as i64))] {
                        wrong.push((now, answer));
                    }
                }
                std::thread::yield_now();
            }
        }
        // The deciders end before anything is judged.
        done.store(true, SeqCst);
        assert_eq!(wrong, []);
        assert!(n_recalled > 0, "the deciders were never heard");
    });
}

#[test]
fn it_counts_what_it_was_good_for() {
    let kept = kept_of(&[Field::ClientId], SMALL);
    keep(&kept, &event("a", "t"), &accept(60, &[]), 1);
    for _ in 0..3 {
        assert!(knows(&kept, &event("a", "t"), 1));
    }
    assert!(!knows(&kept, &event("b", "t"), 1));
    let tally = kept.tally();
    assert_eq!((tally.hits, tally.misses, tally.entries), (3, 1, 1));
    assert!(tally.bytes > OVERHEAD as u64);
}
