import assert from "node:assert";
import { test } from "node:test";

import { interceptPublish } from "./my_plugin.js";

const publish = (topic) => interceptPublish.interceptPublish(topic).verdict;

test("what is below the topic passes", () => {
  assert.equal(publish("devices/1").tag, "pass");
});

test("anything else is refused", () => {
  assert.equal(publish("").tag, "deny");
  assert.equal(publish("elsewhere").val.reasonString, "publish below devices/");
});
