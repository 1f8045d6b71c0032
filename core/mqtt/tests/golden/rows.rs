//! The rows of `tests/golden/packets.toml`.

use std::path::Path;

use hookmq_mqtt::ProtocolVersion;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    row: Vec<RawRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRow {
    name: String,
    version: String,
    bytes: String,
    packet: Option<String>,
    error: Option<ExpectedError>,
    #[serde(default = "yes")]
    reencode: bool,
    #[serde(default)]
    clauses: Vec<String>,
}

/// What is to be wrong with the bytes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpectedError {
    pub(crate) reason: String,
    pub(crate) offset: usize,
}

/// One row in one version.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) version: ProtocolVersion,
    pub(crate) bytes: Vec<u8>,
    pub(crate) expected: Result<String, ExpectedError>,
    pub(crate) reencode: bool,
    pub(crate) clauses: Vec<String>,
}

/// Every row, those for both versions twice.
pub(crate) fn rows() -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/packets.toml");
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let table: Table = toml::from_str(&text).expect("packets.toml is well formed");
    table.row.into_iter().flat_map(in_each_version).collect()
}

fn in_each_version(row: RawRow) -> Vec<Row> {
    let versions: &[ProtocolVersion] = match row.version.as_str() {
        "3.1.1" => &[ProtocolVersion::V311],
        "5.0" => &[ProtocolVersion::V5],
        "both" => &[ProtocolVersion::V311, ProtocolVersion::V5],
        other => panic!("{}: the version {other} is not known", row.name),
    };
    let expected = match (row.packet, row.error) {
        (Some(packet), None) => Ok(packet),
        (None, Some(error)) => Err(error),
        _ => panic!("{}: a row has either packet or error", row.name),
    };
    let bytes = bytes(&row.bytes).unwrap_or_else(|what| panic!("{}: {what}", row.name));
    let one = |version: &ProtocolVersion| Row {
        name: format!("{} ({version})", row.name),
        version: *version,
        bytes: bytes.clone(),
        expected: expected.clone(),
        reencode: row.reencode,
        clauses: row.clauses.clone(),
    };
    versions.iter().map(one).collect()
}

/// Hexadecimal digits and quoted ASCII text.
fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    // Every second piece stands between quotes.
    for (index, piece) in text.split('\'').enumerate() {
        if index % 2 == 1 {
            bytes.extend_from_slice(piece.as_bytes());
            continue;
        }
        let digits: Vec<u8> = piece.bytes().filter(|byte| *byte != b' ').collect();
        for pair in digits.chunks(2) {
            let pair = std::str::from_utf8(pair).map_err(|error| error.to_string())?;
            bytes.push(u8::from_str_radix(pair, 16).map_err(|_| format!("{pair:?} is no byte"))?);
        }
    }
    Ok(bytes)
}

fn yes() -> bool {
    true
}
