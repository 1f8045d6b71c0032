//! Reading an ordered map of topics by a filter with wildcards: match this key, or where to go on.
//!
//! Keys are topics with U+0000 for `/`, in byte order: the children of a level follow it at once, before any longer
//! level. So a key that does not match tells the smallest later key that could, and everything between is leapt over.

/// Below every other byte of a topic; stands for `/`.
const SEPARATOR: u8 = 0;

/// The smallest byte above the separator: behind a level it leads past everything below that level.
const PAST_CHILDREN: u8 = 1;

/// A filter, prepared for reading.
#[derive(Debug, Clone)]
pub(super) struct FilterWalk {
    /// Like a key, with U+0000 for `/`.
    filter: Box<[u8]>,
    /// How much of `filter` lies before the first level with a wildcard, without the separator between.
    n_literal: usize,
    leads_with_wildcard: bool,
}

/// What a key is to a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It matches; go on with the next key.
    Matches,
    /// It does not match, nor does any other before the goal.
    GoOnAtGoal,
    /// Neither this nor any later key matches.
    Over,
}

impl FilterWalk {
    /// `filter` is valid and has U+0000 for `/`.
    pub(super) fn new(filter: &[u8]) -> Self {
        let mut n_literal = 0;
        let mut leads_with_wildcard = false;
        let mut start = 0;
        for level in filter.split(|&byte| byte == SEPARATOR) {
            if is_wildcard(level) {
                leads_with_wildcard = start == 0;
                break;
            }
            n_literal = start + level.len();
            start = n_literal + 1;
        }
        Self {
            filter: filter.into(),
            n_literal,
            leads_with_wildcard,
        }
    }

    /// No key before this one matches.
    pub(super) fn first(&self) -> &[u8] {
        &self.filter[..self.n_literal]
    }

    /// Judges a key at or behind [`Self::first`]; writes the goal if there is one, which always lies behind the key.
    pub(super) fn judge(&self, key: &[u8], goal: &mut Vec<u8>) -> Verdict {
        if self.leads_with_wildcard && key.starts_with(b"$") {
            // `$` topics are out of reach of a leading wildcard [MQTT-4.7.2-1].
            goal.clear();
            goal.push(b'$' + 1);
            return Verdict::GoOnAtGoal;
        }
        // Where the level ends in the key that matched the last `+`: another one there is the next to try.
        let mut last_plus = None;
        let mut wanted = Levels::new(&self.filter);
        let mut present = Levels::new(key);
        loop {
            match (wanted.next(), present.next()) {
                (Some(b"#"), _) | (None, None) => return Verdict::Matches,
                (Some(b"+"), Some(_)) => last_plus = Some(present.end),
                (Some(level), Some(held)) => match level.cmp(held) {
                    std::cmp::Ordering::Equal => {}
                    std::cmp::Ordering::Greater => {
                        // It may come further on, among the same parent's children.
                        let parent = &key[..present.end - held.len()];
                        return aim(goal, parent, &self.filter[wanted.end - level.len()..]);
                    }
                    std::cmp::Ordering::Less => return self.try_another(key, last_plus, goal),
                },
                (Some(level), None) => {
                    // The key is a parent of what is wanted.
                    goal.clear();
                    goal.extend_from_slice(key);
                    goal.push(SEPARATOR);
                    let parent = std::mem::take(goal);
                    return aim(goal, &parent, &self.filter[wanted.end - level.len()..]);
                }
                (None, Some(_)) => return self.try_another(key, last_plus, goal),
            }
        }
    }

    /// Leaves out all that is below the level of the last `+`.
    fn try_another(&self, key: &[u8], last_plus: Option<usize>, goal: &mut Vec<u8>) -> Verdict {
        let Some(end) = last_plus else {
            return Verdict::Over;
        };
        goal.clear();
        goal.extend_from_slice(&key[..end]);
        goal.push(PAST_CHILDREN);
        Verdict::GoOnAtGoal
    }
}

/// Aims at `parent` followed by the beginning of `wanted` that has no wildcard.
fn aim(goal: &mut Vec<u8>, parent: &[u8], wanted: &[u8]) -> Verdict {
    goal.clear();
    goal.extend_from_slice(parent);
    let literal = FilterWalk::new(wanted);
    goal.extend_from_slice(literal.first());
    Verdict::GoOnAtGoal
}

fn is_wildcard(level: &[u8]) -> bool {
    matches!(level, b"+" | b"#")
}

/// Levels of a key or filter; `end` is where the last one given ends.
struct Levels<'a> {
    text: &'a [u8],
    end: usize,
    started: bool,
}

impl<'a> Levels<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            end: 0,
            started: false,
        }
    }

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = if self.started { self.end + 1 } else { 0 };
        self.started = true;
        let rest = self.text.get(start..)?;
        let n_bytes = rest
            .iter()
            .position(|&byte| byte == SEPARATOR)
            .unwrap_or(rest.len());
        self.end = start + n_bytes;
        rest.get(..n_bytes)
    }
}
