#!/bin/sh
# Compares Mosquitto with hookmq: without a plugin, with a Lua check of a prefix on every message, with a Lua rewrite of
# every message. Interleaved rounds, each with a fresh broker; prints Markdown tables with medians and ratios to Mosquitto.
#
#   docs/bench.sh                       all scenarios, 3 rounds of 2 s
#   ROUNDS=5 SECONDS_EACH=3 docs/bench.sh p2p fan-out
#   docs/bench.sh runtimes              p2p without a plugin and with the same check in each runtime, ratios to no plugin;
#                                       the plugins are what `cargo xtask guests` makes (GUESTS=folder, else target/guests), and
#                                       `cargo build --release -p hookmq-guests --example prefix` (PREFIX=file)
#   docs/bench.sh storage               QoS 1 to sessions that stay, at each level of durability: full windows, then 64 publishers with one
#                                       message each under way; with the rate of fdatasync of the same disk, and the store on its own, by
#                                       `cargo build --release -p hookmq-store --example commit_rate` (COMMIT_RATE=file)
#
# Needs: hookmq (HOOKMQ=path, else target/release/hookmq), mosquitto (MOSQUITTO=path), taskset, two idle cores. The broker
# is pinned to core BROKER_CORE (0), the generator to SELF_CORE (1). Judge by CPU us/msg: it survives a noisy machine, msg/s
# does not. A figure with ~ differs by more than 15 % between rounds. More options of `hookmq bench` go into OPTIONS.
# Eight ports from PORT (18831) on must be free.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
hookmq=${HOOKMQ:-$root/target/release/hookmq}
mosquitto=${MOSQUITTO:-mosquitto}
port=${PORT:-18831}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM

# The limits are raised alike, so that no broker drops QoS 0 messages for its defaults.
cat > "$folder/mosquitto.conf" <<CONFIG
listener $port 127.0.0.1
allow_anonymous true
persistence false
max_queued_messages 100000
max_inflight_messages 1000
set_tcp_nodelay true
log_type none
CONFIG

cat > "$folder/prefix.lua" <<'LUA'
local M = {}
function M.intercept_publish(topic)
  if string.sub(topic, 1, 8) ~= "devices/" then
    return broker.deny("not_authorized", "only devices/ may be published to")
  end
end
return M
LUA

cat > "$folder/rewrite.lua" <<'LUA'
local M = {}
function M.intercept_publish(topic)
  return broker.pass { topic = "devices/" .. string.sub(topic, 9) }
end
return M
LUA

# config NAME PORT [SCRIPT]
config() {
    {
        printf '[log]\nlevel = "warn"\n\n[[listener]]\nbind = "127.0.0.1:%s"\nallow_anonymous = true\n' "$2"
        if [ $# -gt 2 ]; then
            printf '\n[[plugin]]\nname = "%s"\npath = "%s"\n' "$1" "$3"
        fi
    } > "$folder/$1.toml"
    "$hookmq" check --config "$folder/$1.toml" > "$folder/check.log" 2>&1 || { cat "$folder/check.log" >&2; exit 64; }
}
config plain $((port + 1))
config prefix $((port + 2)) "$folder/prefix.lua"
config rewrite $((port + 3)) "$folder/rewrite.lua"

[ $# -gt 0 ] || set -- p2p fan-in fan-out many latency subscriptions connect

# compare --peer NAME=PORT:COMMAND ...: $scenarios with these.
compare() {
    # shellcheck disable=SC2086 # SCENARIOS and OPTIONS are words.
    "$hookmq" bench $scenarios "$@" \
        --pin-broker "${BROKER_CORE:-0}" --pin-self "${SELF_CORE:-1}" \
        --rounds "${ROUNDS:-3}" --seconds "${SECONDS_EACH:-2}" ${OPTIONS:-}
}

"$hookmq" --version
scenarios=$*
if [ "$scenarios" = runtimes ]; then
    scenarios=p2p
    guests=$(cd "${GUESTS:-$root/target/guests}" && pwd)
    config c $((port + 4)) "$guests/native/libc_prefix.so"
    config rust $((port + 5)) "${PREFIX:-$root/target/release/examples/libprefix.so}"
    config module $((port + 6)) "$guests/module/prefix.wasm"
    config component $((port + 7)) "$guests/component/prefix.wasm"
    compare \
        --peer "no plugin=$((port + 1)):$hookmq run --config $folder/plain.toml" \
        --peer "native, C=$((port + 4)):$hookmq run --config $folder/c.toml" \
        --peer "native, Rust=$((port + 5)):$hookmq run --config $folder/rust.toml" \
        --peer "WASM module=$((port + 6)):$hookmq run --config $folder/module.toml" \
        --peer "WASM component=$((port + 7)):$hookmq run --config $folder/component.toml" \
        --peer "Lua=$((port + 2)):$hookmq run --config $folder/prefix.toml"
elif [ "$scenarios" = storage ]; then
    # A round leaves its store behind; the next one must not begin with it.
    for level in none os disk; do
        config $level $((port + 4))
        printf '\n[storage]\npath = "store-%s"\ndurability = "%s"\n' $level $level >> "$folder/$level.toml"
    done
    sed -i "s/:$((port + 4))/:$((port + 5))/" "$folder/os.toml"
    sed -i "s/:$((port + 4))/:$((port + 6))/" "$folder/disk.toml"
    levels() {
        compare \
            --peer "none=$((port + 4)):$hookmq run --config $folder/none.toml" \
            --peer "os=$((port + 5)):$hookmq run --config $folder/os.toml" \
            --peer "disk=$((port + 6)):$hookmq run --config $folder/disk.toml"
    }
    commit_rate=${COMMIT_RATE:-$root/target/release/examples/commit_rate}
    "$commit_rate" "$folder/rate" 2 raw
    scenarios=p2p
    OPTIONS="-q 1 --protocol 5 --persistent ${OPTIONS:-}" levels
    scenarios=many
    OPTIONS="-q 1 --protocol 5 --persistent --publishers 64 --window 1 ${OPTIONS:-}" levels
    "$commit_rate" "$folder/rate" 2
else
    "$mosquitto" -h 2>/dev/null | head -n 1 || true
    compare \
        --peer "mosquitto=$port:$mosquitto -c $folder/mosquitto.conf" \
        --peer "hookmq=$((port + 1)):$hookmq run --config $folder/plain.toml" \
        --peer "hookmq + Lua check=$((port + 2)):$hookmq run --config $folder/prefix.toml" \
        --peer "hookmq + Lua rewrite=$((port + 3)):$hookmq run --config $folder/rewrite.toml"
fi
