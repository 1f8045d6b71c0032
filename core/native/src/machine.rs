//! The header of a library's file: whether this machine can load it at all.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The beginning of an ELF file that says what it is for.
const HEADER: usize = 20;
const MAGIC: &[u8] = b"\x7fELF";

/// Why a file cannot be a library for this machine; `None` if its header is like this process's own, or nothing is known.
pub(crate) fn why_not_here(file: &Path) -> Option<String> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let own = header(&std::env::current_exe().ok()?)?;
    let given = header(file)?;
    if !given.starts_with(MAGIC) {
        return Some("it is not an ELF library".to_owned());
    }
    let (own, given) = (Machine::of(&own)?, Machine::of(&given));
    match given {
        None => Some("it is not an ELF library: it ends within its header".to_owned()),
        Some(given) if given != own => Some(format!(
            "it is not an ELF library for this machine: it is for {}, and this is {}",
            given.words(),
            own.words()
        )),
        Some(_) => None,
    }
}

/// What a file is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Machine {
    /// 1 is 32 bits, 2 is 64.
    class: u8,
    /// 1 is little-endian, 2 big-endian.
    order: u8,
    number: u16,
}

impl Machine {
    fn of(header: &[u8]) -> Option<Self> {
        let order = *header.get(5)?;
        let number = [*header.get(18)?, *header.get(19)?];
        Some(Self {
            class: *header.get(4)?,
            order,
            number: if order == 2 {
                u16::from_be_bytes(number)
            } else {
                u16::from_le_bytes(number)
            },
        })
    }

    fn words(self) -> String {
        let name = match self.number {
            3 => "x86",
            8 => "MIPS",
            20 => "PowerPC",
            21 => "PowerPC 64",
            22 => "S/390",
            40 => "ARM",
            62 => "x86-64",
            183 => "AArch64",
            243 => "RISC-V",
            258 => "LoongArch",
            other => return format!("machine {other}"),
        };
        let bits = if self.class == 1 { 32 } else { 64 };
        let order = if self.order == 2 { ", big-endian" } else { "" };
        format!("{name} ({bits} bits{order})")
    }
}

fn header(file: &Path) -> Option<Vec<u8>> {
    let mut header = Vec::with_capacity(HEADER);
    let file = File::open(file).ok()?;
    file.take(HEADER as u64).read_to_end(&mut header).ok()?;
    Some(header)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn another_machine_s_library_and_what_is_none_are_told_apart() {
        let own = std::env::current_exe().expect("a test runs from a file");
        assert_eq!(why_not_here(&own), None);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("a.so");
        let why = |bytes: &[u8]| {
            std::fs::write(&file, bytes).expect("a file can be written");
            why_not_here(&file).unwrap_or_default()
        };
        assert_eq!(why(b""), "it is not an ELF library");
        assert_eq!(why(b"hello, this is a text"), "it is not an ELF library");
        assert!(why(b"\x7fELF\x02\x01").contains("ends within its header"));
        // S/390 is no machine that this is tried on.
        let foreign = *b"\x7fELF\x02\x02\x01\0\0\0\0\0\0\0\0\0\0\x03\0\x16";
        let words = why(&foreign);
        assert!(
            words.starts_with(
                "it is not an ELF library for this machine: it is for S/390 (64 bits, big-endian), and this is "
            ),
            "{words}"
        );
    }
}
