//! What a library says of itself, read once at load and judged against the catalogue.

use std::ffi::c_void;

use hookmq_plugin_api::abi::{self, ABI_VERSION, ENTRY, MAY_BLOCK};
use hookmq_plugin_api::catalogue::HOOKS;
use hookmq_plugin_api::{Field, FieldSet, Hook, HookSpec, Kind, Listen};
use parking_lot::Mutex;

use crate::take;
use crate::wire;

/// Most fields that one handler can declare: more than any hook has.
pub(crate) const MAX_FIELDS: usize = 32;

/// `create` of a library.
pub(crate) type Create =
    unsafe extern "C" fn(*const abi::Host, abi::Bytes, *mut *mut c_void) -> i32;
/// `destroy` of a library.
pub(crate) type Destroy = unsafe extern "C" fn(*mut c_void);
/// The function that a library exports.
pub(crate) type Entry = unsafe extern "C" fn() -> *const abi::Plugin;

/// One handler.
pub(crate) struct Handler {
    pub(crate) spec: &'static HookSpec,
    /// At most [`MAX_FIELDS`].
    pub(crate) fields: Box<[Field]>,
    /// Whether it is told a copy of the event, which has just the declared fields.
    pub(crate) is_apart: bool,
    /// Those that it asked for without having declared them, each told once.
    pub(crate) missed: Mutex<FieldSet>,
    pub(crate) call: abi::Handler,
}

/// A library that keeps to the contract as far as it can be seen.
pub(crate) struct Manifest {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) handlers: Vec<Handler>,
    pub(crate) listens: Vec<Listen>,
    pub(crate) create: Option<Create>,
    pub(crate) destroy: Option<Destroy>,
}

impl Manifest {
    /// Asks the library what it is.
    ///
    /// # Errors
    /// In words for its author.
    ///
    /// # Safety
    /// `entry` is a library's [`ENTRY`], and what it returns is readable as far as its sizes and counts say.
    pub(crate) unsafe fn ask(entry: Entry) -> Result<Self, String> {
        // SAFETY: the function takes nothing, and the caller says that it is the right one.
        let plugin = unsafe { entry() };
        let what = format!("what {ENTRY} returns");
        let version_end = std::mem::offset_of!(abi::Plugin, name);
        // SAFETY: readable as far as its size says.
        let head = unsafe { wire::copied(plugin, &what, version_end) }?;
        // The version comes before any other complaint, as with another version anything else may be different too.
        check_version(head.abi_version)?;
        let minimum = std::mem::offset_of!(abi::Plugin, create);
        // SAFETY: as above.
        let plugin = unsafe { wire::copied(plugin, &what, minimum) }?;
        // SAFETY: texts of the plugin are readable.
        let (name, version) = unsafe {
            (
                wire::text(plugin.name, "the plugin's name")?.to_owned(),
                wire::text(plugin.version, "the plugin's version")?.to_owned(),
            )
        };
        // SAFETY: the listens are readable.
        let handlers = unsafe { handlers(plugin.listens, plugin.listen_count) }?;
        let listens = handlers.iter().map(|(_, listen)| listen.clone()).collect();
        Ok(Self {
            name,
            version,
            handlers: handlers.into_iter().map(|(handler, _)| handler).collect(),
            listens,
            create: plugin.create,
            destroy: plugin.destroy,
        })
    }
}

fn check_version(version: u32) -> Result<(), String> {
    if version == ABI_VERSION {
        return Ok(());
    }
    Err(format!(
        "it is built for version {version} of the plugin ABI, and this broker has version {ABI_VERSION}: \
         build it with the broker's own header or SDK"
    ))
}

/// # Safety
/// `first` points to `count` structs, each as long as its size says.
unsafe fn handlers(
    first: *const abi::Listen,
    count: usize,
) -> Result<Vec<(Handler, Listen)>, String> {
    if count == 0 {
        return Err("it listens to no hook; name its handlers in HOOKMQ_PLUGIN(...)".to_owned());
    }
    if count > HOOKS.len() {
        return Err(format!(
            "it listens to {count} hooks, and there are {}",
            HOOKS.len()
        ));
    }
    wire::check_pointer(first, "the list of its listens")?;
    let mut handlers: Vec<(Handler, Listen)> = Vec::with_capacity(count);
    // Another age's struct has another length, so the first one says how far they lie apart.
    // SAFETY: not null and aligned; the caller says that it is there.
    let stride = unsafe { first.cast::<u32>().read() } as usize;
    if !stride.is_multiple_of(align_of::<abi::Listen>()) {
        return Err(format!(
            "its first listen is {stride} bytes long by its own size, which cannot be"
        ));
    }
    for at in 0..count {
        let what = format!("listen {at}");
        // SAFETY: the caller says that so many lie there, one behind the other.
        let listen = unsafe {
            let place = first.byte_add(stride * at);
            wire::copied(place, &what, size_of::<abi::Listen>())
        }?;
        if listen.size as usize != stride {
            return Err(format!(
                "{what} has the size {}, and the first one {stride}",
                listen.size
            ));
        }
        // SAFETY: as above.
        let pair = unsafe { handler(&listen) }.map_err(|why| format!("{what}: {why}"))?;
        if handlers
            .iter()
            .any(|(known, _)| known.spec.hook == pair.0.spec.hook)
        {
            return Err(format!(
                "{what}: {} has a handler already; one per hook",
                pair.0.spec.name
            ));
        }
        handlers.push(pair);
    }
    Ok(handlers)
}

/// # Safety
/// Its fields are readable.
unsafe fn handler(listen: &abi::Listen) -> Result<(Handler, Listen), String> {
    let spec = HOOKS.get(listen.hook as usize).ok_or_else(|| {
        format!(
            "there is no hook with the number {}; this broker has 0 to {}, so it may be too old for the plugin",
            listen.hook,
            HOOKS.len() - 1
        )
    })?;
    let hook = spec.name;
    let call = listen
        .call
        .ok_or_else(|| format!("{hook} has a null pointer as its handler"))?;
    if listen.flags & !MAY_BLOCK != 0 {
        return Err(format!(
            "{hook} has the flags {:#x}; this broker knows {MAY_BLOCK:#x} (may block) alone",
            listen.flags
        ));
    }
    let awaits = listen.flags & MAY_BLOCK != 0;
    if awaits && !spec.awaits {
        return Err(format!(
            "{hook} cannot wait, so its handler may not block: leave that flag away"
        ));
    }
    // SAFETY: the caller says that they are there.
    let numbers = unsafe {
        wire::items(
            listen.fields,
            listen.count as usize,
            "its list of fields",
            MAX_FIELDS,
        )
    }
    .map_err(|why| format!("{hook}: {why}"))?;
    let mut fields: Vec<Field> = Vec::with_capacity(numbers.len());
    for &number in numbers {
        let field = field(spec, number)?;
        if fields.contains(&field) {
            return Err(format!("{hook} declares {} twice", field.name()));
        }
        fields.push(field);
    }
    let listen = Listen {
        hook: spec.hook,
        fields: fields.iter().copied().collect(),
        awaits,
    };
    let handler = Handler {
        spec,
        fields: fields.into(),
        is_apart: awaits || spec.kind == Kind::Notice,
        missed: Mutex::default(),
        call,
    };
    Ok((handler, listen))
}

fn field(spec: &HookSpec, number: u32) -> Result<Field, String> {
    let field = take::field(number)
        .ok_or_else(|| format!("{}: field {}", spec.name, take::field_in_words(number)))?;
    if spec.fields.contains(&field) {
        return Ok(field);
    }
    let known: Vec<_> = spec.fields.iter().map(|field| field.name()).collect();
    Err(format!(
        "{} has no field {}; it has {}",
        spec.name,
        field.name(),
        known.join(", ")
    ))
}

/// Each handler at its hook's number.
pub(crate) fn by_hook(handlers: Vec<Handler>) -> [Option<Handler>; Hook::COUNT] {
    let mut table = [const { None }; Hook::COUNT];
    for handler in handlers {
        if let Some(place) = table.get_mut(handler.spec.hook as usize) {
            *place = Some(handler);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_hook_has_more_fields_than_a_handler_can_declare() {
        for spec in HOOKS {
            assert!(spec.fields.len() <= MAX_FIELDS, "{}", spec.name);
        }
    }
}
