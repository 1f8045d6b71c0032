//! Reading the arguments of a host function, with errors that name the argument.

use mlua::{Lua, Table, Value};

use crate::error::Fault;
use crate::suggest::hint;
use crate::value::{show, whole_number};

/// Which function wants which argument.
#[derive(Clone, Copy)]
pub(crate) struct Arg<'a> {
    pub(crate) function: &'static str,
    pub(crate) name: &'static str,
    pub(crate) value: &'a Value,
}

impl Arg<'_> {
    fn wrong(&self, expected: &str) -> Fault {
        Fault::new(format!(
            "{}: {} must be {expected}, got {}",
            self.function,
            self.name,
            show(self.value)
        ))
    }

    pub(crate) fn fault(&self, why: &str) -> Fault {
        Fault::new(format!("{}: {}: {why}", self.function, self.name))
    }

    /// UTF-8 text.
    pub(crate) fn text(&self) -> Result<String, Fault> {
        match self.value {
            Value::String(text) => text
                .to_str()
                .map(|text| text.as_ref().to_owned())
                .map_err(|_| self.fault("the text is not UTF-8")),
            _ => Err(self.wrong("a string")),
        }
    }

    pub(crate) fn optional_text(&self) -> Result<Option<String>, Fault> {
        if self.value.is_nil() {
            return Ok(None);
        }
        self.text().map(Some)
    }

    /// Words for people, or nothing: about as much of them as MQTT can carry, and U+FFFD for what is no text.
    pub(crate) fn words(&self) -> Result<Option<String>, Fault> {
        match self.value {
            Value::Nil => Ok(None),
            Value::String(text) => {
                let bytes = text.as_bytes();
                let start = bytes.get(..crate::range::MAX_TEXT).unwrap_or(&bytes);
                Ok(Some(String::from_utf8_lossy(start).into_owned()))
            }
            _ => Err(self.wrong("a string")),
        }
    }

    /// Text as long as MQTT can carry, or nothing.
    pub(crate) fn short_text(&self) -> Result<Option<String>, Fault> {
        let text = self.optional_text()?;
        if let Some(text) = &text {
            crate::range::check_plain(text).map_err(|why| self.fault(&why))?;
        }
        Ok(text)
    }

    /// Any bytes, from a string or a buffer.
    pub(crate) fn with_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> Result<R, Fault> {
        match self.value {
            Value::String(text) => Ok(read(&text.as_bytes())),
            Value::Buffer(buffer) => Ok(read(&buffer.to_vec())),
            _ => Err(self.wrong("a string or a buffer")),
        }
    }

    pub(crate) fn bytes(&self) -> Result<Vec<u8>, Fault> {
        self.with_bytes(<[u8]>::to_vec)
    }

    pub(crate) fn whole_number(&self) -> Result<i64, Fault> {
        whole_number(self.value).ok_or_else(|| self.wrong("a whole number"))
    }

    /// A number of seconds, not negative.
    pub(crate) fn seconds(&self) -> Result<std::time::Duration, Fault> {
        let seconds = match self.value {
            Value::Number(number) => Some(*number),
            Value::Integer(_) => whole_number(self.value).map(|number| {
                #[expect(clippy::cast_precision_loss, reason = "seconds need no such precision")]
                let number = number as f64;
                number
            }),
            _ => None,
        };
        seconds
            .and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok())
            .ok_or_else(|| self.wrong("a number of seconds, not negative"))
    }

    pub(crate) fn flag(&self) -> Result<bool, Fault> {
        match self.value {
            Value::Nil => Ok(false),
            Value::Boolean(truth) => Ok(*truth),
            _ => Err(self.wrong("a boolean")),
        }
    }

    pub(crate) fn table(&self) -> Result<&Table, Fault> {
        match self.value {
            Value::Table(table) => Ok(table),
            _ => Err(self.wrong("a table")),
        }
    }

    /// The entries of a table whose names are known, in the order of `known`; `nil` where one is absent.
    pub(crate) fn options<const N: usize>(
        &self,
        known: [&'static str; N],
    ) -> Result<[Value; N], Fault> {
        let mut values = [const { Value::Nil }; N];
        if self.value.is_nil() {
            return Ok(values);
        }
        for entry in self.table()?.pairs::<Value, Value>() {
            let (name, value) = entry?;
            let name = match &name {
                Value::String(name) => name.to_string_lossy(),
                other => show(other),
            };
            let slot = known
                .iter()
                .zip(values.iter_mut())
                .find(|(known, _)| **known == name)
                .ok_or_else(|| {
                    self.fault(&format!(
                        "there is no \"{name}\"{}; it can have {}",
                        hint(&name, known),
                        known.join(", ")
                    ))
                })?;
            *slot.1 = value;
        }
        Ok(values)
    }
}

/// A Lua string.
pub(crate) fn string(lua: &Lua, bytes: impl AsRef<[u8]>) -> Result<Value, Fault> {
    Ok(Value::String(lua.create_string(bytes)?))
}
