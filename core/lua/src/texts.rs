//! Short texts that come again and again, such as Topic Names: made into Lua strings once and kept by the VM, because to make one and to
//! let it go costs as much as a small handler.

use std::cell::RefCell;
use std::hash::BuildHasher as _;
use std::rc::Rc;

use mlua::LuaString;
use rustc_hash::FxBuildHasher;

/// Texts kept by one VM, a power of two. Each has one place where it can lie, so that a lookup is one comparison.
const PLACES: usize = 256;

/// Bytes of a text that is kept at most; 32 KiB in all, which count as the script's memory.
const LONGEST: usize = 128;

/// The texts of one VM.
#[derive(Debug)]
pub(crate) struct Texts {
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
    made: Rc<LuaString>,
}

impl Default for Texts {
    fn default() -> Self {
        Self {
            places: RefCell::new(vec![Place::default(); PLACES].into()),
        }
    }
}

/// What is known of a text.
pub(crate) enum Found {
    /// Its Lua string.
    Kept(Rc<LuaString>),
    /// It was the last one at this place, and is worth to be kept there.
    Again(usize),
    /// Nothing.
    New,
}

impl Texts {
    /// Looks for a text, and remembers that it was here.
    pub(crate) fn find(&self, text: &str) -> Found {
        if text.len() > LONGEST {
            return Found::New;
        }
        // Not keyed, as whoever makes texts that fall on one place only makes them as slow as texts that are not kept.
        let hash = FxBuildHasher.hash_one(text);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the lowest bits choose the place"
        )]
        let at = hash as usize % PLACES;
        let mut places = self.places.borrow_mut();
        let Some(place) = places.get_mut(at) else {
            return Found::New;
        };
        match &place.kept {
            Some(kept) if *kept.text == *text => Found::Kept(Rc::clone(&kept.made)),
            _ if place.seen == hash => Found::Again(at),
            _ => {
                place.seen = hash;
                Found::New
            }
        }
    }

    /// Keeps a text's Lua string at the place that [`Texts::find`] told.
    pub(crate) fn keep(&self, at: usize, text: &str, made: &Rc<LuaString>) {
        let kept = Kept {
            text: text.into(),
            made: Rc::clone(made),
        };
        let before = self
            .places
            .borrow_mut()
            .get_mut(at)
            .and_then(|place| place.kept.replace(kept));
        // Not under the borrow: it ends in the engine.
        drop(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mlua::Lua;

    fn kept(texts: &Texts, lua: &Lua, text: &str) -> bool {
        let made = match texts.find(text) {
            Found::Kept(made) => made,
            Found::Again(at) => {
                let made = Rc::new(lua.create_string(text).unwrap());
                texts.keep(at, text, &made);
                made
            }
            Found::New => return false,
        };
        assert_eq!(made.to_string_lossy(), text);
        true
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
