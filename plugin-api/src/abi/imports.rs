//! What a WASM core module may import: the same offers as [the tables](super::host) of a dynamic library, as plain functions.
//!
//! Addresses and lengths are `i32`, in the module's own memory. Structs have the layout of [`super`] with 32-bit pointers. What is not
//! listed here is refused when the module is loaded.

/// A type of the WASM machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// 32 bits.
    I32,
    /// 64 bits.
    I64,
}

/// One function that a module may import.
#[derive(Debug, Clone, Copy)]
pub struct Import {
    /// The import's module.
    pub module: &'static str,
    /// The import's name.
    pub name: &'static str,
    /// Names and types of its parameters.
    pub params: &'static [(&'static str, Number)],
    /// What it returns.
    pub result: Option<Number>,
    /// What the plugin's section must grant, as the word in the config.
    pub grant: Option<&'static str>,
    /// What it does.
    pub doc: &'static str,
}

macro_rules! imports {
    ($($module:literal {
        $($name:ident($($param:ident: $kind:ident),*) $(-> $result:ident)?: $doc:literal;)*
    })*) => {
        /// Every function that a module may import.
        pub static IMPORTS: &[Import] = &[$($(Import {
            module: $module,
            name: stringify!($name),
            params: &[$((stringify!($param), Number::$kind)),*],
            result: result!($($result)?),
            grant: grant_of($module),
            doc: $doc,
        },)*)*];
    };
}

macro_rules! result {
    () => {
        None
    };
    ($kind:ident) => {
        Some(Number::$kind)
    };
}

/// The word behind the colon, if there is one.
const fn grant_of(module: &'static str) -> Option<&'static str> {
    if module.len() <= "hookmq:".len() {
        return None;
    }
    let (_, grant) = module.split_at("hookmq:".len());
    Some(grant)
}

imports! {
    "hookmq" {
        get(field: I32, buffer: I32, capacity: I32) -> I32:
            "Any field of the current event: a Value and behind it its data, if it fits; returns the length of all of it.";
        payload_slice(offset: I32, buffer: I32, len: I32) -> I32:
            "Copies a part of the payload, as much as there is; returns how many bytes.";
        payload_is_json() -> I32:
            "1 if the payload is one JSON text, else 0.";
        answer_refuse(refusal: I32):
            "Says why the handler refuses.";
        answer_change(field: I32, value: I32):
            "Changes a field; the last change of a field counts.";
        answer_keep(ttl_ms: I64, tags: I32, count: I32):
            "The broker may keep this accept or deny; tags is an array of Bytes.";
        answer_fail(message: I32, len: I32):
            "Why the handler or hookmq_create failed.";
        log(level: I32, place: I32, place_len: I32, message: I32, message_len: I32):
            "Writes a line to the broker's log.";
        error(buffer: I32, capacity: I32) -> I32:
            "The words of the last refused host call, if they fit; returns their length.";
    }
    "hookmq:publish" {
        publish(message: I32) -> I32:
            "Publishes; 0 or a status.";
        publish_to(client_id: I32, client_id_len: I32, message: I32) -> I32:
            "Delivers to one client's session; 1, 0 if there is none, or a status.";
    }
    "hookmq:disconnect" {
        disconnect(client_id: I32, client_id_len: I32, reason_code: I32, reason_string: I32, reason_string_len: I32) -> I32:
            "Ends a client's Network Connection; 1, 0 if it is not connected, or a status.";
    }
    "hookmq:query" {
        client(client_id: I32, client_id_len: I32, buffer: I32, capacity: I32) -> I32:
            "A connected client, as ClientInfo; its length, written if it fits, or a status.";
        session(client_id: I32, client_id_len: I32, buffer: I32, capacity: I32) -> I32:
            "A session, as SessionInfo; its length, written if it fits, or a status.";
        retained(topic_filter: I32, topic_filter_len: I32, limit: I32, buffer: I32, capacity: I32) -> I32:
            "Retained messages, as a List of RetainedInfo; its length, written if it fits, or a status.";
    }
    "hookmq:kv" {
        kv_get(key: I32, key_len: I32, buffer: I32, capacity: I32) -> I32:
            "Reads the shared map; the value's length, written if it fits, or a status.";
        kv_set(key: I32, key_len: I32, value: I32, value_len: I32, expires_ms: I64, condition: I32, expected: I32, expected_len: I32) -> I32:
            "Writes the shared map; 1, 0 if the condition did not hold, or a status.";
        kv_delete(key: I32, key_len: I32) -> I32:
            "Removes a key; 1, 0 if it was absent, or a status.";
        kv_add(key: I32, key_len: I32, amount: I64, expires_ms: I64, sum: I32) -> I32:
            "Adds to a whole number and writes the sum; 0 or a status.";
    }
    "hookmq:cache" {
        invalidate(tag: I32, tag_len: I32) -> I64:
            "Forgets the kept answers with this tag; how many, or a status.";
        reauthorize(tag: I32, tag_len: I32) -> I64:
            "The same, and asks again for what live clients hold; how many, or a status.";
    }
    "hookmq:clock" {
        now_ms() -> I64:
            "Milliseconds since 1970-01-01 UTC.";
        monotonic_ns() -> I64:
            "Nanoseconds of a clock that never goes back.";
    }
    "hookmq:random" {
        fill(buffer: I32, len: I32):
            "Fills the buffer with random bytes of the operating system.";
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Grant;

    #[test]
    fn a_grant_is_the_word_behind_the_colon() {
        for import in IMPORTS {
            let expected = import.module.strip_prefix("hookmq:");
            assert_eq!(import.grant, expected, "{}", import.name);
        }
        for grant in Grant::ALL {
            assert!(
                IMPORTS
                    .iter()
                    .any(|import| import.grant == Some(grant.name())),
                "nothing is imported by {}",
                grant.name()
            );
        }
    }

    #[test]
    fn no_import_stands_twice() {
        for (at, import) in IMPORTS.iter().enumerate() {
            let same = |other: &Import| (other.module, other.name) == (import.module, import.name);
            assert!(!IMPORTS[..at].iter().any(same), "{}", import.name);
        }
    }
}
