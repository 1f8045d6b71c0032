//! `payload_buffer`: payloads in reused Luau buffers, one per size class, because making a string costs a hash of every byte.
//!
//! A buffer is as long as its class; `payload_size` says how much of it is the payload. What a longer payload left behind the end is
//! cleared, so that one client's bytes are never seen in another's call.

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Buffer, Lua, Value};

/// The smallest class is 2^6 bytes, the largest kept one 2^20; larger payloads get a buffer of their own.
const SMALLEST: u32 = 6;
const LARGEST: u32 = 20;
const CLASSES: usize = (LARGEST - SMALLEST + 1) as usize;

/// The buffers of one VM.
#[derive(Debug, Default)]
pub(crate) struct Buffers(RefCell<[Option<Used>; CLASSES]>);

#[derive(Debug)]
struct Used {
    buffer: Buffer,
    /// The same, as the argument of a call.
    value: Rc<Value>,
    /// Bytes that the last payload took.
    size: usize,
}

impl Buffers {
    /// A buffer that starts with the payload and is zero behind it; none for a payload that is too large. `before` is run before one is made.
    pub(crate) fn with(
        &self,
        lua: &Lua,
        payload: &[u8],
        before: impl FnOnce(),
    ) -> mlua::Result<Option<Rc<Value>>> {
        let class = payload
            .len()
            .next_power_of_two()
            .trailing_zeros()
            .saturating_sub(SMALLEST);
        let mut classes = self.0.borrow_mut();
        let Some(slot) = classes.get_mut(class as usize) else {
            return Ok(None);
        };
        let used = match slot {
            Some(used) => used,
            None => {
                before();
                let buffer = lua.create_buffer_with_capacity(1 << (class + SMALLEST))?;
                slot.insert(Used {
                    value: Rc::new(Value::Buffer(buffer.clone())),
                    buffer,
                    size: 0,
                })
            }
        };
        used.buffer.write_bytes(0, payload);
        clear(&used.buffer, payload.len(), used.size);
        used.size = payload.len();
        Ok(Some(Rc::clone(&used.value)))
    }
}

fn clear(buffer: &Buffer, mut from: usize, to: usize) {
    const ZEROS: [u8; 1024] = [0; 1024];
    while from < to {
        let part = ZEROS.get(..to - from).unwrap_or(&ZEROS);
        buffer.write_bytes(from, part);
        from += part.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(buffers: &Buffers, lua: &Lua, payload: &[u8]) -> Option<Buffer> {
        let value = buffers.with(lua, payload, || {}).unwrap()?;
        Some(value.as_buffer().unwrap().clone())
    }

    #[test]
    fn a_shorter_payload_leaves_nothing_of_the_longer_one() {
        let lua = Lua::new();
        let buffers = Buffers::default();
        let first = with(&buffers, &lua, &[b'x'; 3_000]).unwrap();
        let second = with(&buffers, &lua, &[b'y'; 2_049]).unwrap();
        assert_eq!(first, second, "the buffer is reused");
        let bytes = second.to_vec();
        assert_eq!(bytes.len(), 4_096);
        assert!(bytes[..2_049].iter().all(|byte| *byte == b'y'));
        assert!(bytes[2_049..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn an_empty_payload_has_a_buffer_and_a_huge_one_is_not_kept() {
        let lua = Lua::new();
        let buffers = Buffers::default();
        assert_eq!(with(&buffers, &lua, &[]).unwrap().len(), 64);
        assert_eq!(
            with(&buffers, &lua, &vec![1; 1 << 20]).unwrap().len(),
            1 << 20
        );
        assert!(with(&buffers, &lua, &vec![1; 2 << 20]).is_none());
    }
}
