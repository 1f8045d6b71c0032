// Stands in for the broker in tests: what a plugin imports from "hookmq:plugin/..." is made here, from the contract under wit/deps.
// `npm test` loads it first (node --import ./hookmq.mock.js --test).

import { readFileSync } from "node:fs";
import { register } from "node:module";
import { isMainThread } from "node:worker_threads";

const camelCase = (name) => name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());

// The functions of each interface that a plugin may import: how many arguments they take, and what they give.
const interfaces = {};
for (const file of ["event", "host"]) {
  const text = readFileSync(new URL(`./wit/deps/hookmq-plugin/${file}.wit`, import.meta.url), "utf8");
  let functions;
  for (const line of text.split("\n")) {
    const begins = line.match(/^interface ([a-z-]+)/);
    if (begins) functions = interfaces[begins[1]] = {};
    const found = line.match(/^ +([a-z-]+): func\((.*?)\)(?: -> (.*))?;/);
    if (found) functions[camelCase(found[1])] = { takes: (found[2].match(/[a-z-]+: /g) ?? []).length, gives: found[3] ?? "" };
  }
}

// What stands for a value that no test has set.
const nothing = (type) => {
  if (type.startsWith("result<")) return nothing(type.slice("result<".length));
  if (type.startsWith("list<u8>")) return new Uint8Array();
  if (type.startsWith("list<")) return [];
  if (type.startsWith("string")) return "";
  if (type.startsWith("bool")) return false;
  return /^[us]\d/.test(type) ? 0 : type === "" || type.startsWith("_") ? undefined : null;
};

let fields = {};

/** The broker of a test. */
export const broker = {
  /** What `kv` holds: bytes by key. Nothing expires. */
  kv: new Map(),
  /** Every call of the plugin, except those of `event` and `kv`: `["log", "info", "text"]`. */
  calls: [],
  /** Begins anew: an event with these fields, by the names that `event` has for them. Texts become bytes where bytes are expected. */
  event(given = {}) {
    for (const name of Object.keys(given)) {
      if (!interfaces.event[name]) throw new TypeError(`no event has ${name}`);
    }
    fields = given;
  },
  /** Forgets everything. */
  reset() {
    fields = {};
    this.kv.clear();
    this.calls.length = 0;
  },
};

const bytes = (value) => (typeof value === "string" ? new TextEncoder().encode(value) : Uint8Array.from(value));
const number = (value) => (value === undefined ? 0 : Number(new TextDecoder().decode(value)));

const event = {
  payload: () => bytes(fields.payload ?? ""),
  payloadSize: () => fields.payloadSize ?? event.payload().length,
  payloadSlice: (offset, length) => event.payload().slice(offset, offset + length),
  payloadJsonValid() {
    try {
      JSON.parse(new TextDecoder().decode(event.payload()));
      return true;
    } catch {
      return false;
    }
  },
  userProperty: (name) => (fields.userProperties ?? []).find(([key]) => key === name)?.[1] ?? null,
  get(field) {
    const val = call("event", camelCase(field), []);
    const tags = { string: "text", number: "integer", boolean: "boolean" };
    return val === null ? { tag: "nil" } : { tag: tags[typeof val] ?? (val instanceof Uint8Array ? "bytes" : "pairs"), val };
  },
  fail(message) {
    throw new Error(message);
  },
};

const kv = {
  get: (key) => broker.kv.get(key) ?? null,
  set(key, value, _expires, condition) {
    const old = broker.kv.get(key);
    const isEqual = () => old !== undefined && Buffer.compare(old, bytes(condition.val)) === 0;
    if ((condition.tag === "absent" && old !== undefined) || (condition.tag === "equals" && !isEqual())) return false;
    broker.kv.set(key, bytes(value));
    return true;
  },
  delete: (key) => broker.kv.delete(key),
  add(key, amount) {
    const sum = number(broker.kv.get(key)) + amount;
    broker.kv.set(key, bytes(String(sum)));
    return sum;
  },
};

/** One call of a plugin; the modules that are made below come here. */
export function call(of, name, given) {
  const { takes, gives } = interfaces[of][name];
  // The engine refuses the one, and ends at the other.
  if (given.length < takes) throw new TypeError(`${name} requires ${takes} arguments`);
  if (given.some((value) => typeof value === "bigint")) throw new TypeError(`${name} takes numbers, not BigInt`);
  const made = { event, kv }[of]?.[name];
  if (made) return made(...given);
  if (of === "event") {
    const value = fields[name] ?? nothing(gives);
    return gives.includes("list<u8>") && typeof value === "string" ? bytes(value) : value;
  }
  broker.calls.push([of, name, ...given]);
  return nothing(gives);
}

// Node's hooks for modules, which it runs in a thread of their own.
if (isMainThread) register(import.meta.url);

export const resolve = (specifier, context, next) =>
  specifier.startsWith("hookmq:") ? { url: specifier, format: "module", shortCircuit: true } : next(specifier, context);

export function load(url, context, next) {
  const of = url.match(/^hookmq:plugin\/([a-z-]+)@/)?.[1];
  if (!of) return next(url, context);
  const names = Object.keys(interfaces[of] ?? {});
  if (names.length === 0) throw new Error(`${url}: there is no such interface`);
  const lines = names.map((name) => `const _${name} = (...given) => call("${of}", "${name}", given);\nexport { _${name} as ${name} };`);
  const source = `import { call } from "${import.meta.url.split("?")[0]}";\n${lines.join("\n")}\n`;
  return { format: "module", source, shortCircuit: true };
}
