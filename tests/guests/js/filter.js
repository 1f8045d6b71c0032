// A filter in JavaScript: what is published below devices/ passes, commands are rewritten, all else is refused.

import { clientId, payloadSlice, payloadSize } from "hookmq:plugin/event@1.0.0";
import { info } from "hookmq:plugin/log@1.0.0";

let prefix = "devices/";

export const setup = {
  create(config) {
    prefix = JSON.parse(config).prefix ?? prefix;
    if (typeof prefix !== "string") throw "prefix must be a text";
  },
};

const answer = (tag, val, changes = []) => ({ verdict: { tag, val }, changes });

export const interceptPublish = {
  interceptPublish(topic) {
    if (!topic.startsWith(prefix)) {
      const reasonString = `${clientId() ?? "nobody"} may only publish below ${prefix}`;
      return answer("deny", { reasonCode: 0x87, reasonString, userProperties: [["by", "filter.js"]] });
    }
    if (topic.endsWith("/command")) {
      const first = new TextDecoder().decode(payloadSlice(0n, 4n));
      return answer("pass", undefined, [
        { tag: "topic", val: topic.replace("/command", "/inbox") },
        { tag: "payload", val: new TextEncoder().encode(`${first} of ${payloadSize()}`) },
        { tag: "qos", val: 1 },
        { tag: "removed", val: "content-type" },
      ]);
    }
    if (topic.endsWith("/broken")) throw new Error("this handler is broken");
    return answer("pass");
  },
};

export const clientConnected = {
  clientConnected() {
    info(`${clientId()} is here`);
  },
};
