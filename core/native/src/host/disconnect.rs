//! `hookmq.disconnect.1`: ending clients' connections.

use hookmq_plugin_api::abi::host::DisconnectCalls;
use hookmq_plugin_api::abi::{Bytes, Host};

use super::{Refused, ask, text};
use crate::wire::size;

pub(super) static CALLS: DisconnectCalls = DisconnectCalls {
    size: size::<DisconnectCalls>(),
    reserved: 0,
    disconnect: Some(disconnect),
};

unsafe extern "C" fn disconnect(
    host: *const Host,
    client_id: Bytes,
    reason_code: u32,
    reason_string: Bytes,
) -> i32 {
    // SAFETY: the library passes on the host that it was given, and says where its texts are.
    unsafe {
        ask(host, |host| {
            let client_id = text(client_id, "client_id")?;
            let reason_string = text(reason_string, "reason_string")?;
            let reason_code = u8::try_from(reason_code).map_err(|_| {
                Refused::argument(format!("reason_code: must be 0 to 255, got {reason_code}"))
            })?;
            let reason_string = Some(reason_string).filter(|text| !text.is_empty());
            let was_there = host.disconnect(client_id, reason_code, reason_string)?;
            Ok(was_there.into())
        })
    }
}
