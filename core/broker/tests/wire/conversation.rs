//! The fuzz target for conversations, driven by seeded random bytes for a bounded number of turns.

#[path = "../../../../tests/fuzz/src/conversation.rs"]
#[expect(
    unreachable_pub,
    reason = "public for the fuzz crate, which owns the file"
)]
mod target;

/// Conversations held; each takes some milliseconds.
const N_CONVERSATIONS: u64 = 120;

#[test]
fn random_conversations_end_well() {
    for seed in 0..N_CONVERSATIONS {
        let mut random = fastrand::Rng::with_seed(seed);
        let n_bytes = random.usize(100..5_000);
        let data: Vec<u8> = (0..n_bytes).map(|_| random.u8(..)).collect();
        let outcome = std::panic::catch_unwind(|| target::run(&data));
        assert!(
            outcome.is_ok(),
            "the conversation of seed {seed} ends badly"
        );
    }
}
