// A filter in JavaScript: what is published below devices/ passes, commands are rewritten, all else is refused.

import { clientId, fail, payloadSlice, payloadSize } from "hookmq:plugin/event@1.0.0";
import { info } from "hookmq:plugin/log@1.0.0";

let prefix = "devices/";

export const setup = {
  create(config) {
    prefix = JSON.parse(config).prefix ?? prefix;
    if (typeof prefix !== "string") throw "prefix must be a text";
  },
};

// The broker is told why a handler failed before it fails.
const telling = (handler) => (...given) => {
  try {
    return handler(...given);
  } catch (error) {
    fail(`${error}`);
    throw error;
  }
};

// The engine has no TextEncoder; this is enough for ASCII. Numbers of 64 bits are plain ones, exact up to 2^53.
const text = (bytes) => String.fromCharCode(...bytes);
const bytes = (text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

const answer = (tag, val, changes = []) => ({ verdict: { tag, val }, changes });

export const interceptPublish = {
  interceptPublish: telling((topic) => {
    if (!topic.startsWith(prefix)) {
      const reasonString = `${clientId() ?? "nobody"} may only publish below ${prefix}`;
      return answer("deny", { reasonCode: 0x87, reasonString, userProperties: [["by", "filter.js"]] });
    }
    if (topic.endsWith("/command")) {
      return answer("pass", undefined, [
        { tag: "topic", val: topic.replace("/command", "/inbox") },
        { tag: "payload", val: bytes(`${text(payloadSlice(0, 4))} of ${payloadSize()}`) },
        { tag: "qos", val: 1 },
        { tag: "removed", val: "content-type" },
      ]);
    }
    if (topic.endsWith("/broken")) throw new Error("this handler is broken");
    return answer("pass");
  }),
};

export const clientConnected = {
  clientConnected: telling(() => info(`${clientId()} is here`)),
};
