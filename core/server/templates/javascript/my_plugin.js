// Lets clients publish below one topic only.

const BELOW = "devices/";

// An exported object per hook, with one function of its name. wit/world.wit lists which hooks there are, docs/hooks.md all that can be.
export const interceptPublish = {
  interceptPublish(topic) {
    if (topic.startsWith(BELOW)) {
      return { verdict: { tag: "pass" }, changes: [] };
    }
    const refusal = { reasonCode: 0x87, reasonString: `publish below ${BELOW}`, userProperties: [] };
    return { verdict: { tag: "deny", val: refusal }, changes: [] };
  },
};
