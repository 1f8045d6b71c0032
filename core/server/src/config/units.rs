//! Durations and sizes as people write them: `"50ms"`, `"16MiB"`. Plain numbers are refused, because nobody knows their unit.

use std::time::Duration;

/// Nanoseconds per unit of time, largest first.
const TIMES: [(&str, u64); 6] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
];

/// Bytes per unit of size, largest first; what is shown has one of the first four.
const SIZES: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
];

/// A time with a unit, as in `50ms`, `1.5s`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    amount(text, &TIMES).map(Duration::from_nanos)
}

/// A number of bytes with a unit, as in `16MiB`.
pub(super) fn size(text: &str) -> Option<u64> {
    amount(text, &SIZES)
}

/// The shortest text that [`duration`] reads as the same time.
pub(super) fn show_duration(time: Duration) -> String {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    if nanos == 0 {
        "0s".to_owned()
    } else {
        show(nanos, &TIMES)
    }
}

/// The shortest text that [`size`] reads as the same number.
pub(super) fn show_size(bytes: u64) -> String {
    if bytes == 0 {
        "0B".to_owned()
    } else {
        show(bytes, &SIZES[..4])
    }
}

fn show(amount: u64, units: &[(&str, u64)]) -> String {
    let fitting = units
        .iter()
        .find(|(_, factor)| amount.is_multiple_of(*factor));
    // The smallest unit of sizes is 1; times below a microsecond are nowhere in the config.
    fitting
        .or(units.last())
        .map_or_else(String::new, |(unit, factor)| {
            format!("{}{unit}", amount / factor)
        })
}

fn amount(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start();
    let factor = units.iter().find(|(name, _)| *name == unit)?.1;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole = whole.parse::<u64>().ok()?.checked_mul(factor)?;
    if fraction.is_empty() {
        return if number.ends_with('.') {
            None
        } else {
            Some(whole)
        };
    }
    // In whole numbers, so that 0.1s is exactly 100ms.
    let scale = 10u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = u128::from(fraction.parse::<u64>().ok()?) * u128::from(factor) / u128::from(scale);
    whole.checked_add(u64::try_from(part).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read() {
        for (text, expected) in [
            ("50ms", Some(50_000_000)),
            ("0.1s", Some(100_000_000)),
            ("1.5 h", Some(5_400_000_000_000)),
            ("7d", Some(604_800_000_000_000)),
            ("0s", Some(0)),
            ("50", None),
            ("ms", None),
            ("5.ms", None),
            ("1.2.3s", None),
            ("-5s", None),
            ("5 parsecs", None),
            ("99999999999999999999s", None),
            ("999999999999d", None),
        ] {
            assert_eq!(duration(text), expected.map(Duration::from_nanos), "{text}");
        }
        for (text, expected) in [
            ("16MiB", Some(16 << 20)),
            ("1.5KiB", Some(1536)),
            ("2MB", Some(2_000_000)),
            ("0B", Some(0)),
            ("16", None),
            ("16mib", None),
        ] {
            assert_eq!(size(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_read_as_the_same() {
        for nanos in [0, 1_000, 50_000_000, 90_000_000_000, 604_800_000_000_000] {
            let time = Duration::from_nanos(nanos);
            assert_eq!(duration(&show_duration(time)), Some(time));
        }
        for bytes in [0, 1, 1_000, 1_536, 1 << 20, 3 << 30] {
            assert_eq!(size(&show_size(bytes)), Some(bytes));
        }
        assert_eq!(show_duration(Duration::from_secs(90)), "90s");
        assert_eq!(show_size(64 << 20), "64MiB");
    }
}
