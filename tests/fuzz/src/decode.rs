//! Any bytes, in both versions: the decoder refuses them or reads a packet that can be written and read again.

use bytes::BytesMut;
use hookmq_mqtt::{Frame, ProtocolVersion, codec};

/// The largest packet that [`codec::frame`] lets through here, in bytes.
const MAXIMUM_PACKET_SIZE: u32 = 1 << 20;

/// Reads `data` as one packet, and what its header says is a packet.
///
/// # Panics
/// If the decoder contradicts itself or the encoder.
pub fn run(data: &[u8]) {
    let whole = framed(data);
    for version in [ProtocolVersion::V311, ProtocolVersion::V5] {
        decoded(data, version);
        if let Some(whole) = whole
            && whole.len() < data.len()
        {
            decoded(whole, version);
        }
    }
}

/// The packet at the start of `data`, if its header says that it is whole.
fn framed(data: &[u8]) -> Option<&[u8]> {
    match codec::frame(data, MAXIMUM_PACKET_SIZE) {
        Ok(Frame::Complete(n_bytes)) => {
            let whole = data.get(..n_bytes).expect("a whole packet is there");
            for cut in 0..n_bytes.min(8) {
                let start = data.get(..cut).expect("shorter than the whole");
                match codec::frame(start, MAXIMUM_PACKET_SIZE) {
                    Ok(Frame::Incomplete(wanted)) => {
                        assert!(cut < wanted && wanted <= n_bytes, "{wanted} for {n_bytes}")
                    }
                    other => panic!("{other:?} after {cut} bytes of a packet of {n_bytes}"),
                }
            }
            Some(whole)
        }
        Ok(Frame::Incomplete(wanted)) => {
            assert!(wanted > data.len());
            None
        }
        Err(error) => {
            assert!(error.offset < data.len() && error.reason_code().is_error());
            None
        }
    }
}

fn decoded(data: &[u8], version: ProtocolVersion) {
    let packet = match codec::decode(data, version) {
        Ok(packet) => packet,
        Err(error) => {
            assert!(
                error.offset <= data.len() && error.reason_code().is_error(),
                "{error}"
            );
            return;
        }
    };
    let mut encoded = BytesMut::new();
    codec::encode(&packet, version, &mut encoded)
        .unwrap_or_else(|error| panic!("{packet}: {error}"));
    // Never longer than it came, since encoding takes the shortest form.
    assert!(
        encoded.len() <= data.len(),
        "{packet}: {} bytes became {}",
        data.len(),
        encoded.len()
    );
    assert_eq!(
        codec::packet_len(&packet, version),
        Ok(encoded.len()),
        "{packet}"
    );
    assert_eq!(codec::decode(&encoded, version).as_ref(), Ok(&packet));
    let mut again = BytesMut::new();
    codec::encode(&packet, version, &mut again).expect("it was encoded before");
    assert_eq!(encoded, again);
}
