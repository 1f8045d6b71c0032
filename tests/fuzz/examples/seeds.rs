//! Writes the bytes of every row of `tests/golden/packets.toml` to `corpus/decode`, for the fuzzer to start from.

use std::path::Path;
use std::{fs, io};

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(folder.join("../golden/packets.toml"))?;
    let table: toml::Table = text.parse().map_err(io::Error::other)?;
    let rows = table
        .get("row")
        .and_then(toml::Value::as_array)
        .ok_or_else(|| io::Error::other("no rows"))?;
    let corpus = folder.join("corpus/decode");
    fs::create_dir_all(&corpus)?;
    for (index, row) in rows.iter().enumerate() {
        let bytes = row
            .get("bytes")
            .and_then(toml::Value::as_str)
            .ok_or_else(|| io::Error::other("no bytes"))?;
        fs::write(corpus.join(format!("row-{index:04}")), read_bytes(bytes)?)?;
    }
    println!("{} seeds in {}", rows.len(), corpus.display());
    Ok(())
}

/// Hexadecimal digits and quoted ASCII text, as the table explains.
fn read_bytes(text: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for (index, piece) in text.split('\'').enumerate() {
        if index % 2 == 1 {
            bytes.extend_from_slice(piece.as_bytes());
            continue;
        }
        let digits = piece.replace(' ', "");
        for start in (0..digits.len()).step_by(2) {
            let pair = digits.get(start..start + 2).unwrap_or_default();
            bytes.push(u8::from_str_radix(pair, 16).map_err(io::Error::other)?);
        }
    }
    Ok(bytes)
}
