//! Short texts that come again and again, such as Topic Names: made into Lua strings once and kept by the VM, because to make one and to
//! let it go costs as much as a small handler.

use std::cell::RefCell;
use std::rc::Rc;

use ahash::RandomState;
use mlua::{Lua, Value};

/// Texts kept by one VM, a power of two. Each has one place where it can lie, so that a lookup is one comparison.
const PLACES: usize = 256;

/// Bytes of a text that is kept at most; 32 KiB in all, which count as the script's memory.
const LONGEST: usize = 128;

/// The texts of one VM.
#[derive(Debug)]
pub(crate) struct Texts {
    random: RandomState,
    places: RefCell<Box<[Place]>>,
}

#[derive(Debug, Clone, Default)]
struct Place {
    /// Of the text seen last; one that comes again is kept, so that texts that never repeat cost no more than this.
    seen: u64,
    kept: Option<Kept>,
}

#[derive(Debug, Clone)]
struct Kept {
    text: Box<str>,
    value: Rc<Value>,
}

impl Default for Texts {
    fn default() -> Self {
        Self {
            random: RandomState::new(),
            places: RefCell::new(vec![Place::default(); PLACES].into()),
        }
    }
}

impl Texts {
    /// The text as a Lua string if it is kept; one that was here just before is kept from now on.
    ///
    /// # Errors
    /// [`mlua::Error::MemoryError`].
    pub(crate) fn get(&self, lua: &Lua, text: &str) -> mlua::Result<Option<Rc<Value>>> {
        if text.len() > LONGEST {
            return Ok(None);
        }
        let hash = self.random.hash_one(text);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the lowest bits choose the place"
        )]
        let at = hash as usize % PLACES;
        {
            let mut places = self.places.borrow_mut();
            let Some(place) = places.get_mut(at) else {
                return Ok(None);
            };
            if let Some(kept) = &place.kept
                && *kept.text == *text
            {
                return Ok(Some(Rc::clone(&kept.value)));
            }
            if place.seen != hash {
                place.seen = hash;
                return Ok(None);
            }
        }
        // Not under the borrow: making a string may collect garbage.
        let value = Rc::new(Value::String(lua.create_string(text)?));
        let kept = Kept {
            text: text.into(),
            value: Rc::clone(&value),
        };
        let before = self
            .places
            .borrow_mut()
            .get_mut(at)
            .and_then(|place| place.kept.replace(kept));
        drop(before);
        Ok(Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(texts: &Texts, lua: &Lua, text: &str) -> bool {
        let found = texts.get(lua, text).unwrap();
        if let Some(value) = &found {
            assert_eq!(value.as_string().unwrap().to_string_lossy(), text);
        }
        found.is_some()
    }

    #[test]
    fn a_text_is_kept_from_its_second_time_on() {
        let (lua, texts) = (Lua::new(), Texts::default());
        assert!(!kept(&texts, &lua, "a/b"));
        assert!(kept(&texts, &lua, "a/b"));
        assert!(kept(&texts, &lua, "a/b"));
        assert!(!kept(&texts, &lua, ""));
        assert!(kept(&texts, &lua, ""));
    }

    #[test]
    fn what_lies_at_the_same_place_is_told_apart() {
        let (lua, texts) = (Lua::new(), Texts::default());
        for round in 0..3 {
            for number in 0..10 * PLACES {
                kept(&texts, &lua, &format!("topic/{number}/{round}"));
                kept(&texts, &lua, &format!("topic/{number}/{round}"));
            }
        }
        let kept = texts.places.borrow();
        assert!(kept.iter().all(|place| place.kept.is_some()));
    }

    #[test]
    fn long_texts_are_not_kept() {
        let (lua, texts) = (Lua::new(), Texts::default());
        let (longest, long) = ("x".repeat(LONGEST), "x".repeat(LONGEST + 1));
        for _ in 0..3 {
            assert!(!kept(&texts, &lua, &long));
        }
        assert!(!kept(&texts, &lua, &longest));
        assert!(kept(&texts, &lua, &longest));
    }
}
