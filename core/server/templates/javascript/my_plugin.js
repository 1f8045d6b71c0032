// Lets clients publish below one topic only, and no large messages.

// What the event carries is asked for by name: wit/deps/hookmq-plugin/event.wit lists it all. What is not asked for is not copied.
import { payloadSize } from "hookmq:plugin/event@1.0.0";

const BELOW = "devices/";
const MAX_BYTES = 65536;

const pass = () => ({ verdict: { tag: "pass" }, changes: [] });
const deny = (reasonCode, reasonString) => ({ verdict: { tag: "deny", val: { reasonCode, reasonString, userProperties: [] } }, changes: [] });

// An exported object per hook, with one function of its name. wit/world.wit lists which hooks there are, docs/hooks.md all that can be.
export const interceptPublish = {
  interceptPublish(topic) {
    if (!topic.startsWith(BELOW)) {
      return deny(0x87, `publish below ${BELOW}`);
    }
    return payloadSize() > MAX_BYTES ? deny(0x97, `more than ${MAX_BYTES} bytes`) : pass();
  },
};
