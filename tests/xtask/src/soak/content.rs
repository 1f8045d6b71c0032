//! What message is the n-th of a publisher: its topic and every byte of its payload follow from its name, so that one that arrives can be
//! told from one that was never sent.

/// One message of so many goes to a topic that was never used before.
const ONE_IS_NEW: u64 = 8;
/// Topics of each publisher that are used again and again.
const SLOTS: u64 = 20;

/// Whether its topic was never used before.
pub(super) const fn is_new(number: u64) -> bool {
    number.is_multiple_of(ONE_IS_NEW)
}

/// The topic of a publisher's message.
pub(super) fn topic(publisher: usize, number: u64) -> String {
    if is_new(number) {
        format!("soak/{publisher}/new/{number}")
    } else {
        format!("soak/{publisher}/{}", number % SLOTS)
    }
}

/// Its payload: its name, and as many bytes as follow from it.
pub(super) fn payload(publisher: usize, number: u64) -> Vec<u8> {
    let mut payload = format!("{publisher} {number} ").into_bytes();
    let mixed = (number ^ (publisher as u64) << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let more = match mixed % 64 {
        0 => 4_000,
        1..8 => 700,
        _ => 20 + mixed % 100,
    };
    let filler = b'a' + (mixed % 26) as u8;
    payload.resize(payload.len() + more as usize, filler);
    payload
}

/// The name of what came, if it is whole and in its place.
pub(super) fn name(of_topic: &str, of_payload: &[u8]) -> Option<(usize, u64)> {
    let head = of_payload.get(..of_payload.len().min(40))?;
    let mut words = head.split(|byte| *byte == b' ');
    let mut word = || str::from_utf8(words.next()?).ok();
    let (publisher, number) = (word()?.parse().ok()?, word()?.parse().ok()?);
    (payload(publisher, number) == of_payload && topic(publisher, number) == of_topic)
        .then_some((publisher, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_by_its_bytes_and_its_topic() {
        for number in 0..200 {
            let (topic, mut payload) = (topic(3, number), payload(3, number));
            assert_eq!(name(&topic, &payload), Some((3, number)));
            assert_eq!(name("soak/2/9", &payload), None);
            payload.pop();
            assert_eq!(name(&topic, &payload), None);
        }
    }
}
