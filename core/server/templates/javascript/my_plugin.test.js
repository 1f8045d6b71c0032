import assert from "node:assert";
import { test } from "node:test";

import { broker } from "./hookmq.mock.js";
import { interceptPublish } from "./my_plugin.js";

const publish = (topic, payload) => {
  broker.event({ topic, payload });
  return interceptPublish.interceptPublish(topic).verdict;
};

test("what is below the topic passes", () => {
  assert.equal(publish("devices/1", "on").tag, "pass");
});

test("anything else is refused", () => {
  assert.equal(publish("", "on").tag, "deny");
  assert.equal(publish("elsewhere", "on").val.reasonString, "publish below devices/");
});

test("a large message is refused", () => {
  assert.equal(publish("devices/1", "x".repeat(65536)).tag, "pass");
  assert.equal(publish("devices/1", "x".repeat(65537)).val.reasonCode, 0x97);
});
