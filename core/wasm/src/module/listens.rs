//! Reads from a module's memory what it listens to, as strictly as bytes from the network.

use hookmq_plugin_api::abi::{ABI_VERSION, MAY_BLOCK};
use hookmq_plugin_api::catalogue::HOOKS;
use hookmq_plugin_api::{Field, Listen};

use super::layout::size;
use super::reader::{Reader, field_of};
use super::{Handlers, NONE};
use crate::error::Fault;

/// The `Plugin` struct at this address.
pub(super) fn read(memory: &[u8], at: u32) -> Result<Handlers, String> {
    read_plugin(&mut Reader::new(memory), at).map_err(|fault| fault.message)
}

fn read_plugin(reader: &mut Reader<'_>, at: u32) -> Result<Handlers, Fault> {
    let what = hookmq_plugin_api::abi::ENTRY;
    reader.sized(what, at, size::PLUGIN)?;
    let version = reader.u32(what, at + 4)?;
    if version != ABI_VERSION {
        return Err(Fault::answer(format!(
            "it was built for version {version} of the plugin ABI, and this broker has {ABI_VERSION}; build it with the header or SDK of this version"
        )));
    }
    let (listens, count) = (reader.u32(what, at + 24)?, reader.u32(what, at + 28)?);
    if count == 0 {
        return Err(Fault::answer(
            "it listens to no hook; add one, as in HOOKMQ_LISTEN(intercept_publish, ...)",
        ));
    }
    if count as usize > HOOKS.len() {
        return Err(Fault::answer(format!(
            "it has {count} listens, and there are {} hooks",
            HOOKS.len()
        )));
    }
    let mut handlers = Handlers::none();
    let mut at = listens;
    for index in 0..count {
        let stride = read_listen(reader, at, index, &mut handlers)?;
        at = at.saturating_add(stride);
    }
    Ok(handlers)
}

/// One row; returns its size, which is the way to the next.
fn read_listen(
    reader: &mut Reader<'_>,
    at: u32,
    index: u32,
    handlers: &mut Handlers,
) -> Result<u32, Fault> {
    let what = format!("listen {}", index + 1);
    reader.sized(&what, at, size::LISTEN)?;
    let stride = reader.u32(&what, at)?;
    let number = reader.u32(&what, at + 4)?;
    let spec = HOOKS
        .get(number as usize)
        .ok_or_else(|| Fault::answer(format!("{what}: there is no hook {number}")))?;
    let flags = reader.u32(&what, at + 8)?;
    if flags & !MAY_BLOCK != 0 {
        return Err(Fault::answer(format!(
            "{what}: {} has flags {flags:#x}, and only {MAY_BLOCK:#x} is known",
            spec.name
        )));
    }
    let awaits = flags & MAY_BLOCK != 0;
    if awaits && !spec.awaits {
        return Err(Fault::answer(format!(
            "{what}: {} cannot wait, so its handler may not block",
            spec.name
        )));
    }
    let fields = read_fields(reader, &what, at, spec.name, spec.fields)?;
    let slot = handlers.of_hook.get_mut(number as usize);
    match (slot, u8::try_from(index)) {
        (Some(slot), Ok(index)) if *slot == NONE => *slot = index,
        _ => {
            return Err(Fault::answer(format!(
                "{what}: {} stands there twice",
                spec.name
            )));
        }
    }
    handlers.listens.push(Listen {
        hook: spec.hook,
        fields: fields.iter().copied().collect(),
        awaits,
    });
    handlers.fields.push(fields);
    Ok(stride)
}

fn read_fields(
    reader: &Reader<'_>,
    what: &str,
    at: u32,
    hook: &str,
    known: &[Field],
) -> Result<Box<[Field]>, Fault> {
    let (count, fields) = (reader.u32(what, at + 12)?, reader.u32(what, at + 16)?);
    if count as usize > known.len() {
        return Err(Fault::answer(format!(
            "{what}: {hook} has {} fields, and it declares {count}",
            known.len()
        )));
    }
    reader.slice(what, fields, count.saturating_mul(4))?;
    (0..count)
        .map(|index| {
            let field = field_of(what, reader.u32(what, fields + index * 4)?)?;
            if known.contains(&field) {
                return Ok(field);
            }
            let names: Vec<_> = known.iter().map(|field| field.name()).collect();
            Err(Fault::answer(format!(
                "{what}: {hook} has no field {}; it has {}",
                field.name(),
                names.join(", ")
            )))
        })
        .collect()
}
