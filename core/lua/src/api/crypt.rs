//! `broker.base64`, `broker.hash`, `broker.password`; and `broker.sleep`, which waits as a password check does.

use std::future::Future;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::thread::available_parallelism;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use mlua::{Lua, Value};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;

use super::{Args, Raw, settle};
use crate::args::{Arg, string};
use crate::context::Context;
use crate::error::Fault;
use crate::password;

/// Most bytes that one call of base64 or a hash takes; some milliseconds.
const MAX_BYTES: usize = 4 * 1024 * 1024;

pub(super) fn find(name: &str) -> Option<Raw> {
    Some(match name {
        "base64.encode" => encode,
        "base64.decode" => decode,
        "hash.sha256" => sha256,
        "hash.hmac_sha256" => hmac_sha256,
        "hash.equal" => equal,
        "password.verify" => |_, context, _| Err(not_here(context, "password.verify")),
        "sleep" => |_, context, _| Err(not_here(context, "sleep")),
        _ => return None,
    })
}

fn arg<'a>(function: &'static str, name: &'static str, value: &'a Value) -> Arg<'a> {
    Arg {
        function,
        name,
        value,
    }
}

/// The bytes of an argument, if they are not too many for one call.
fn bounded<R>(arg: Arg<'_>, read: impl FnOnce(&[u8]) -> R) -> Result<R, Fault> {
    arg.with_bytes(|bytes| (bytes.len() <= MAX_BYTES).then(|| read(bytes)))?
        .ok_or_else(|| arg.fault(&format!("more than {MAX_BYTES} bytes")))
}

fn encode(lua: &Lua, _: &Context, [bytes, ..]: &Args) -> Result<Value, Fault> {
    let text = bounded(arg("broker.base64.encode", "bytes", bytes), |bytes| {
        STANDARD.encode(bytes)
    })?;
    string(lua, text)
}

fn decode(lua: &Lua, _: &Context, [text, ..]: &Args) -> Result<Value, Fault> {
    match bounded(arg("broker.base64.decode", "text", text), |text| {
        STANDARD.decode(text)
    })? {
        Ok(bytes) => string(lua, bytes),
        Err(_) => Ok(Value::Nil),
    }
}

fn sha256(lua: &Lua, _: &Context, [bytes, ..]: &Args) -> Result<Value, Fault> {
    let digest = bounded(arg("broker.hash.sha256", "bytes", bytes), |bytes| {
        Sha256::digest(bytes)
    })?;
    string(lua, hex(&digest))
}

fn hmac_sha256(lua: &Lua, _: &Context, [key, bytes, ..]: &Args) -> Result<Value, Fault> {
    let function = "broker.hash.hmac_sha256";
    let key_arg = arg(function, "key", key);
    let mut mac = bounded(key_arg, Hmac::<Sha256>::new_from_slice)?
        .map_err(|_| key_arg.fault("not a key"))?;
    bounded(arg(function, "bytes", bytes), |bytes| mac.update(bytes))?;
    string(lua, hex(&mac.finalize().into_bytes()))
}

fn equal(_: &Lua, _: &Context, [left, right, ..]: &Args) -> Result<Value, Fault> {
    let left = arg("broker.hash.equal", "left", left).bytes()?;
    let right = arg("broker.hash.equal", "right", right).bytes()?;
    Ok(Value::Boolean(left.ct_eq(&right).into()))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| DIGITS.get(usize::from(digit)))
        .map(|digit| char::from(*digit))
        .collect()
}

/// Where a waiting function was called by a handler that cannot wait.
fn not_here(context: &Context, function: &str) -> Fault {
    let awaiting = |hot| {
        let names: Vec<_> = hookmq_plugin_api::catalogue::HOOKS
            .iter()
            .filter(|spec| spec.awaits && spec.hot == hot)
            .map(|spec| spec.name)
            .collect();
        names.join(", ")
    };
    let here = match context.calling.get().hook {
        Some(hook) => hook.name(),
        None => "the body of a script",
    };
    Fault::new(format!(
        "broker.{function} waits, and {here} cannot wait here; hooks that can: {}; and, if listed in M.awaits: {}",
        awaiting(false),
        awaiting(true)
    ))
}

/// The form of a waiting function for the lane, where it yields to the other handlers.
pub(super) fn create_awaiting(
    lua: &Lua,
    context: &Rc<Context>,
    name: &'static str,
) -> mlua::Result<mlua::Function> {
    match name {
        "sleep" => awaiting(lua, context, name, sleep),
        _ => awaiting(lua, context, name, verify),
    }
}

fn awaiting<F>(
    lua: &Lua,
    context: &Rc<Context>,
    name: &'static str,
    start: impl Fn(Args) -> F + Copy + 'static,
) -> mlua::Result<mlua::Function>
where
    F: Future<Output = Result<Value, Fault>>,
{
    let context = Rc::clone(context);
    lua.create_async_function(move |lua, (a, b, c, d): (Value, Value, Value, Value)| {
        let context = Rc::clone(&context);
        // Whoever resumes a script's own coroutine is the script, which has nothing to wait with.
        let is_own = lua.current_thread().to_pointer().addr() != context.main_thread;
        async move {
            let result = if is_own {
                let words = format!("broker.{name}: cannot wait inside a coroutine of the script");
                Err(Fault::new(words))
            } else {
                start([a, b, c, d]).await
            };
            settle(&lua, &context, result)
        }
    })
}

async fn sleep([seconds, ..]: Args) -> Result<Value, Fault> {
    let time = arg("broker.sleep", "seconds", &seconds).seconds()?;
    tokio::time::sleep(time).await;
    Ok(Value::Nil)
}

async fn verify([password, hash, ..]: Args) -> Result<Value, Fault> {
    let hash_arg = arg("broker.password.verify", "hash", &hash);
    let hash = hash_arg.text()?;
    // No password fits no hash, and says so without an error: a client that sent none is an everyday thing.
    if password.is_nil() {
        return Ok(Value::Boolean(false));
    }
    let password = arg("broker.password.verify", "password", &password).bytes()?;
    let unavailable = |_| Fault::new("broker.password.verify: the broker is stopping");
    // Hashing is made to be expensive; half the cores stay for messages.
    let permit = hashers()
        .acquire_owned()
        .await
        .map_err(|_| Fault::new("broker.password.verify: the broker is stopping"))?;
    let result = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        password::verify(&password, &hash)
    })
    .await
    .map_err(unavailable)?;
    match result {
        Ok(fits) => Ok(Value::Boolean(fits)),
        Err(why) => Err(Fault::new(format!("broker.password.verify: hash: {why}"))),
    }
}

fn hashers() -> Arc<Semaphore> {
    static HASHERS: OnceLock<Arc<Semaphore>> = OnceLock::new();
    let hashers = HASHERS.get_or_init(|| {
        let cores = available_parallelism().map_or(1, usize::from);
        Arc::new(Semaphore::new((cores / 2).max(1)))
    });
    Arc::clone(hashers)
}
