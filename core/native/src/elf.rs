//! Whether a file is whole: a library that is still being written would crash the process when it is loaded.
//!
//! Linkers write the section headers last, so an ELF file that reaches as far as they do is complete. Other formats are left to the
//! loader of their system.

/// What is wrong with the file, if it is an ELF file that is cut off.
pub(crate) fn check_is_whole(file: &[u8]) -> Result<(), String> {
    if file.is_empty() {
        return Err("the file is empty".to_owned());
    }
    if !file.starts_with(b"\x7fELF") {
        return Ok(());
    }
    let end = end_of(file).ok_or("the file ends within its ELF header")?;
    let len = u64::try_from(file.len()).unwrap_or(u64::MAX);
    if end > len {
        return Err(format!(
            "the file is cut off: it has {len} bytes of {end}; write it elsewhere and move it here"
        ));
    }
    Ok(())
}

/// Where an ELF file ends by what its headers say; only for this machine's width and byte order, as any other is refused anyway.
fn end_of(file: &[u8]) -> Option<u64> {
    // 64 bits, little endian.
    if file.get(4..6)? != [2, 1] {
        return Some(0);
    }
    let sections = u64_at(file, 0x28)?;
    let size_of_each = u64::from(u16_at(file, 0x3A)?);
    let count = u64::from(u16_at(file, 0x3C)?);
    let mut end = sections.saturating_add(size_of_each.saturating_mul(count));
    let programs = u64_at(file, 0x20)?;
    let size_of_each = u64::from(u16_at(file, 0x36)?);
    let count = u64::from(u16_at(file, 0x38)?);
    for at in 0..count {
        let start = programs.saturating_add(at.saturating_mul(size_of_each));
        let start = usize::try_from(start).ok()?;
        let offset = u64_at(file, start.checked_add(0x08)?)?;
        let size = u64_at(file, start.checked_add(0x20)?)?;
        end = end.max(offset.saturating_add(size));
    }
    Some(end)
}

fn u16_at(file: &[u8], at: usize) -> Option<u16> {
    let bytes = file.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

fn u64_at(file: &[u8], at: usize) -> Option<u64> {
    let bytes = file.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_cut_anywhere_is_told_from_a_whole_one() {
        let file = std::fs::read(std::env::current_exe().expect("this test")).expect("its file");
        if !file.starts_with(b"\x7fELF") {
            return;
        }
        assert_eq!(check_is_whole(&file), Ok(()));
        for len in [0, 4, 5, 40, 63, 64, 100, file.len() / 2, file.len() - 1] {
            assert!(check_is_whole(&file[..len]).is_err(), "{len} bytes");
        }
        assert_eq!(check_is_whole(b"MZ..."), Ok(()));
    }
}
