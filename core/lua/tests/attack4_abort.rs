//! throw-away
#![allow(clippy::all, clippy::unwrap_used, reason = "throw-away")]
mod common;
use std::sync::Arc;
use std::time::Duration;
use common::{event, load_with, settings};
use hookmq_plugin_api::{Field, Hook, Plugin};

fn go(code: &str, limit: usize, n: usize) {
    let mut s = settings();
    s.memory_limit = limit;
    s.awaiting_timeout = Duration::from_millis(300);
    let script = load_with(code, s);
    let rt = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for i in 0..n {
        let e = Arc::new(event(Hook::ValidateConnection).with(Field::ClientId, "abc"));
        let r = rt.block_on(script.plugin.clone().call_awaiting(e, Duration::from_secs(2)));
        eprintln!("{i}: {:?}", r.map_err(|e| format!("{:?} {}", e.cause, e.message)));
    }
}

const FILL: &str = "
local keep = {}
local function fill()
  for _, n in {40, 45, 50, 36, 60, 64, 20, 10, 4, 1} do
    local last = nil
    while pcall(function() local t = table.create(n, 0); t[1] = last; last = t end) do end
    keep[n] = last
  end
end
local function deep(n, f) if n == 0 then f() return 0 end return 1 + deep(n - 1, f) end
";

#[test]
fn error_deep() {
    go(&format!("{FILL} return {{ validate_connection = function(client_id)
        keep[40]=0 keep[45]=0 keep[50]=0 keep[36]=0 keep[60]=0 keep[64]=0 keep[20]=0 keep[10]=0 keep[4]=0 keep[1]=0
        broker.sleep(0.001)
        deep(500, function() fill() error('x') end)
    end }}"), 1 << 20, 3);
}
#[test]
fn sleep_deep() {
    go(&format!("{FILL} return {{ validate_connection = function(client_id)
        keep[40]=0 keep[45]=0 keep[50]=0 keep[36]=0 keep[60]=0 keep[64]=0 keep[20]=0 keep[10]=0 keep[4]=0 keep[1]=0
        deep(100, function() fill() keep[40]=nil broker.sleep(100) end)
    end }}"), 1 << 20, 3);
}
