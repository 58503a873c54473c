import assert from "node:assert/strict";
import { test } from "node:test";
import { UploadError } from "../src/postern.js";
import { Speed, mainActionOf, totalOf } from "../src/summary.js";
import { UploadItem } from "../src/upload-item.js";

const receipt = { key: "k", location: "l", filename: "a.txt", type: "text/plain", size: 10 };
/** @param {string} name @param {((item: UploadItem) => void)[]} steps */
function item(name, ...steps) {
  const made = UploadItem.chosen(new File(["0123456789"], name));
  for (const step of steps) step(made);
  return made;
}
/** @param {UploadItem} it */
const start = (it) => it.start();
/** @param {UploadItem} it */
const pause = (it) => it.pause();

test("many files are added up, but for the bytes of what will not come", () => {
  const total = totalOf([
    item("a", start, (it) => it.complete(receipt)),
    item("b", start, (it) => it.progress({ loaded: 4, resumable: false })),
    item("c"),
    item("d", pause),
    item("e", start, (it) => it.fail(new UploadError("network", { from: "server" }))),
    item("f", (it) => it.cancel()),
  ]);
  assert.deepEqual(total, { files: 5, done: 1, failed: 1, loaded: 14, size: 40, active: 2, paused: 1, retriable: 2, busy: 3 });
});

test("what can be done with all goes by what most waits for", () => {
  /** @param {...UploadItem} items */
  const action = (...items) => mainActionOf(totalOf(items));
  assert.equal(action(item("a"), item("b", pause)), "pause_all");
  assert.equal(action(item("a", (it) => it.cancel()), item("b", pause)), "resume_all");
  assert.equal(action(item("a", (it) => it.cancel())), "retry_all");
  assert.equal(action(item("a", (it) => it.fail(new UploadError("size_too_large")))), "", "trying again cannot help");
});

test("a speed is the mean of the last seconds", () => {
  const speed = new Speed();
  assert.equal(speed.at(0, 0), 0);
  assert.equal(speed.at(900, 900), 0, "too early to say");
  assert.equal(speed.at(2000, 2000), 1000);
  assert.equal(speed.at(10_000, 10_000), 1000);
  assert.equal(speed.at(26_000, 18_000), 2000, "and forgets the earlier ones");
});

test("what was given up is no speed", () => {
  const speed = new Speed();
  speed.at(5000, 0);
  speed.at(7000, 1000);
  assert.equal(speed.at(1000, 2000), 0);
  assert.equal(speed.at(3000, 3000), 2000);
});
