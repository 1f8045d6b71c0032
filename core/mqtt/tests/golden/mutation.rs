//! The fuzz target for the decoder, driven by the golden rows with random damage, for a bounded number of turns.

#[path = "../../../../tests/fuzz/src/decode.rs"]
#[allow(
    unreachable_pub,
    reason = "public for the fuzz crate, which owns the file"
)]
mod decode;

use crate::rows::rows;
use fastrand::Rng;

const TURNS: usize = 100_000;

#[test]
fn damaged_rows_are_refused_or_read_and_written_alike() {
    let seeds: Vec<Vec<u8>> = rows().into_iter().map(|row| row.bytes).collect();
    seeds.iter().for_each(|seed| decode::run(seed));
    // The same damage on every run, so that a failure can be seen again.
    let mut random = Rng::with_seed(0x4d51_5454);
    for _ in 0..TURNS {
        let mut bytes = seeds[random.usize(..seeds.len())].clone();
        for _ in 0..random.usize(1..4) {
            damage(&mut bytes, &seeds, &mut random);
        }
        if random.bool() {
            tell_the_true_length(&mut bytes);
        }
        decode::run(&bytes);
    }
}

fn damage(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Rng) {
    if bytes.is_empty() {
        bytes.push(random.u8(..));
        return;
    }
    let at = random.usize(..bytes.len());
    match random.u8(..6) {
        0 => bytes[at] ^= 1 << random.u8(..8),
        1 => bytes[at] = [0x00, 0x01, 0x7f, 0x80, 0xff, b'#', b'+', b'$'][random.usize(..8)],
        2 => bytes.insert(at, random.u8(..)),
        3 => drop(bytes.remove(at)),
        4 => bytes.truncate(at),
        // The end of one packet behind the start of another.
        _ => {
            let other = &seeds[random.usize(..seeds.len())];
            bytes.truncate(at);
            bytes.extend_from_slice(&other[random.usize(..=other.len())..]);
        }
    }
}

/// Sets a remaining length of one byte to what follows, so that the damage reaches the fields.
fn tell_the_true_length(bytes: &mut [u8]) {
    let Some(len) = bytes
        .len()
        .checked_sub(2)
        .and_then(|len| u8::try_from(len).ok())
    else {
        return;
    };
    if len < 0x80 {
        bytes[1] = len;
    }
}
