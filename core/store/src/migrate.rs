//! From the format of an older store to this one's.
//!
//! The format is a number in `meta`. It changes when something is kept elsewhere or under other keys; a new field in a record does not
//! change it but the record's version. A step leads from one format to the next, may be run again if it was interrupted, and is written
//! here together with a test that opens a store as the older format left it. Steps stay as long as a released version has written
//! what they read. A newer format is refused: what this version does not know it would destroy.

use crate::engine::Engine;

/// What this version reads and writes.
pub(crate) const FORMAT: u32 = 1;

/// From `from` to the format after it.
pub(crate) struct Step {
    pub(crate) from: u32,
    /// For the log.
    pub(crate) what: &'static str,
    pub(crate) run: fn(&Engine) -> Result<(), String>,
}

/// All steps, in order. Format 1 is the first that there was.
pub(crate) const STEPS: &[Step] = &[];

/// The steps from a store's format to the one of this version, in order.
///
/// # Errors
/// No steps lead there; says what to do.
pub(crate) fn plan(found: u32, format: u32, steps: &[Step]) -> Result<&[Step], String> {
    if found > format {
        return Err(format!(
            "its format is {found} and this version of HookMQ knows formats up to {format}: it was written by a newer version, start that one"
        ));
    }
    let first = steps.iter().position(|step| step.from == found);
    let first = match first {
        Some(first) => first,
        None if found == format => steps.len(),
        None => {
            return Err(format!(
                "its format is {found}, which no released version of HookMQ has written"
            ));
        }
    };
    Ok(steps.get(first..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn step(from: u32) -> Step {
        Step {
            from,
            what: "",
            run: |_| Ok(()),
        }
    }

    #[test]
    fn every_older_format_goes_through_the_steps_that_are_left() {
        let steps = [step(1), step(2), step(3)];
        for (found, expected) in [(1, &[1, 2, 3][..]), (3, &[3]), (4, &[])] {
            let plan = plan(found, 4, &steps).expect("known");
            let froms = plan.iter().map(|step| step.from).collect::<Vec<_>>();
            assert_eq!(froms, expected);
        }
    }

    #[test]
    fn formats_that_are_not_known_are_refused_by_number() {
        let why = plan(2, 1, STEPS).err().expect("newer");
        assert!(why.contains("its format is 2"), "{why}");
        let why = plan(0, 1, STEPS).err().expect("never was");
        assert!(why.contains("its format is 0"), "{why}");
    }

    /// A step for each format that was, so that the chain has no gap.
    #[test]
    fn the_steps_lead_from_the_first_format_to_this_one() {
        let froms = STEPS.iter().map(|step| step.from).collect::<Vec<_>>();
        assert_eq!(froms, (1..FORMAT).collect::<Vec<_>>());
    }
}
