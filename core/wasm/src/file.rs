//! A plugin's file: read once, and told by its first bytes.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::LoadError;

/// Largest file. A JavaScript engine has 12 MB, a Python one 18 MB.
const MAX_FILE: u64 = 128 * 1024 * 1024;

/// What a WASM file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A core module.
    Module,
    /// A component.
    Component,
}

/// A file that was read.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) hash: [u8; 32],
}

impl File {
    /// Reads a file and tells what it is.
    ///
    /// # Errors
    /// It cannot be read, is too large, or is no WASM; in words that say what to do.
    pub(crate) fn open(path: &Path) -> Result<(Self, Kind, Vec<u8>), LoadError> {
        let size = fs::metadata(path)
            .map_err(|error| LoadError::io(path, &error))?
            .len();
        if size > MAX_FILE {
            let words = format!("{size} bytes, and a plugin may have {MAX_FILE}");
            return Err(LoadError::new(path, words));
        }
        let bytes = fs::read(path).map_err(|error| LoadError::io(path, &error))?;
        let kind = kind_of(&bytes).map_err(|why| LoadError::new(path, why))?;
        let file = Self {
            path: path.to_owned(),
            hash: Sha256::digest(&bytes).into(),
        };
        Ok((file, kind, bytes))
    }

    /// Its name without folders, for errors and logs.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().map_or_else(
            || self.path.display().to_string(),
            |name| name.to_string_lossy().into_owned(),
        )
    }

    /// Whether the file on disk still has the bytes that were read.
    pub(crate) fn is_current(&self) -> bool {
        fs::read(&self.path)
            .is_ok_and(|bytes| <[u8; 32]>::from(Sha256::digest(&bytes)) == self.hash)
    }
}

/// By the magic number and the version behind it.
fn kind_of(bytes: &[u8]) -> Result<Kind, String> {
    let Some(rest) = bytes.strip_prefix(b"\0asm") else {
        return Err(no_wasm(bytes));
    };
    match rest {
        [1, 0, 0, 0, ..] => Ok(Kind::Module),
        [13, 0, 1, 0, ..] => Ok(Kind::Component),
        [a, b, 1, 0, ..] => Err(format!(
            "it is a component of format {}, and this broker takes 13; build it again with newer tools",
            u16::from_le_bytes([*a, *b])
        )),
        [_, _, _, _, ..] => Err("it is WASM of a version that this broker does not know".into()),
        _ => Err("it is cut off after its first bytes".into()),
    }
}

fn no_wasm(bytes: &[u8]) -> String {
    let text = bytes.trim_ascii_start();
    let is_any = |starts: &[&[u8]]| starts.iter().any(|start| bytes.starts_with(start));
    if bytes.is_empty() {
        "it is empty".into()
    } else if text.starts_with(b"(module")
        || text.starts_with(b"(component")
        || text.starts_with(b";;")
    {
        "it is WASM in text form; translate it with `wasm-tools parse in.wat -o out.wasm`".into()
    } else if is_any(&[b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"]) {
        "it is a native library; give its file the ending .so, .dylib or .dll".into()
    } else if is_any(&[b"\x1f\x8b", b"PK", b"\x28\xb5\x2f\xfd"]) {
        "it is compressed; unpack it".into()
    } else {
        "it is no WASM: that begins with the bytes 00 61 73 6d".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_their_first_bytes() {
        assert_eq!(kind_of(b"\0asm\x01\0\0\0rest"), Ok(Kind::Module));
        assert_eq!(kind_of(b"\0asm\x0d\0\x01\0"), Ok(Kind::Component));
        for (bytes, expected) in [
            (&b"\0asm\x0a\0\x01\0"[..], "component of format 10"),
            (b"\0asm\x02\0\0\0", "version"),
            (b"\0asm\x01", "cut off"),
            (b"", "empty"),
            (b"  (module)", "text form"),
            (b"\x7fELF\x02", "native library"),
            (b"\x1f\x8b\x08", "compressed"),
            (b"return {}", "no WASM"),
        ] {
            let why = kind_of(bytes).unwrap_err();
            assert!(why.contains(expected), "{why}");
        }
    }
}
