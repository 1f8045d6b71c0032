//! Texts of a plugin, and through it of the inputs, as a terminal may see them: nothing that moves its cursor, turns its direction or
//! floods it.

use std::fmt::{self, Write};

/// Characters of one word: whatever is longer came from an input.
const LONGEST_WORD: usize = 100;
/// Characters of one line.
const LONGEST_LINE: usize = 400;

/// A text on one line.
pub(crate) struct Line<'a>(pub(crate) &'a str);

/// A text of several lines; those after the first are indented.
pub(crate) struct Lines<'a>(pub(crate) &'a str);

/// A text of several lines, however long it is.
pub(crate) struct Whole<'a>(pub(crate) &'a str);

impl fmt::Display for Line<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut in_word, mut in_line) = (0, 0);
        for letter in self.0.chars() {
            in_word = if letter == ' ' { 0 } else { in_word + 1 };
            if in_word > LONGEST_WORD {
                if in_word == LONGEST_WORD + 1 {
                    out.write_str("...")?;
                }
                continue;
            }
            if in_line == LONGEST_LINE {
                return out.write_str("...");
            }
            in_line += 1;
            put(out, letter)?;
        }
        Ok(())
    }
}

impl fmt::Display for Whole<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            if matches!(letter, '\n' | '\t') {
                out.write_char(letter)?;
            } else {
                put(out, letter)?;
            }
        }
        Ok(())
    }
}

fn put(out: &mut fmt::Formatter<'_>, letter: char) -> fmt::Result {
    if is_plain(letter) {
        out.write_char(letter)
    } else {
        write!(out, "{}", letter.escape_unicode())
    }
}

impl fmt::Display for Lines<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, line) in self.0.lines().enumerate() {
            if at > 0 {
                out.write_str("\n      ")?;
            }
            write!(out, "{}", Line(line))?;
        }
        Ok(())
    }
}

/// Whether it is seen, and only seen.
const fn is_plain(letter: char) -> bool {
    !matches!(
        letter,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e000}'..='\u{f8ff}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{fffe}'..='\u{ffff}'
            | '\u{f0000}'..
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_but_what_can_be_seen() {
        let text = "a\u{1b}[31m\u{7}b\u{202e}c\nd\u{9f}é 【";
        assert_eq!(
            Line(text).to_string(),
            "a\\u{1b}[31m\\u{7}b\\u{202e}c\\u{a}d\\u{9f}é 【"
        );
        assert_eq!(Whole("a\n\tb\r").to_string(), "a\n\tb\\u{d}");
        assert_eq!(Lines("one\ntwo\r").to_string(), "one\n      two\\u{d}");
    }

    #[test]
    fn what_came_from_a_long_input_is_cut() {
        let text = format!("raised: {} is no topic", "x".repeat(4_096));
        let cut = format!("raised: {}... is no topic", "x".repeat(100));
        assert_eq!(Line(&text).to_string(), cut);
        assert_eq!(Line(&"a b ".repeat(999)).to_string().len(), 403);
        assert_eq!(Line(&"word ".repeat(79)).to_string(), "word ".repeat(79));
    }
}
