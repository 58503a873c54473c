import assert from "node:assert/strict";
import { test } from "node:test";
import { UploadError } from "../src/postern.js";
import { TRANSITIONS, UploadItem, idOf } from "../src/upload-item.js";

/** @import { State } from "../src/upload-item.js" */

const file = new File(["hello"], "a.txt", { type: "text/plain", lastModified: 1 });
const receipt = { key: "k", location: "l", filename: "a.txt", type: "text/plain", size: 5 };
const remembered = { name: "b.txt", size: 10, type: "text/plain", lastModified: 1, loaded: 4, expires: 0 };

/** What brings an item to each state. @type {Record<State, (item: UploadItem) => void>} */
const STEPS = {
  waiting: (item) => item.wait(),
  uploading: (item) => item.start(),
  paused: (item) => item.pause(),
  unfinished: (item) => item.needFile(),
  done: (item) => item.complete(receipt),
  failed: (item) => item.fail(new UploadError("network")),
  cancelled: (item) => item.cancel(),
  removed: (item) => item.remove(),
};
const STATES = /** @type {State[]} */ (Object.keys(STEPS));

/** @param {State} state */
function inState(state) {
  const item = UploadItem.chosen(file);
  if (state === "waiting") return item;
  item.start();
  if (state !== "uploading") STEPS[state](item);
  return item;
}

for (const from of STATES) {
  for (const to of STATES) {
    const allowed = TRANSITIONS[from].includes(to);
    test(`${from} ${allowed ? "becomes" : "does not become"} ${to}`, () => {
      const item = inState(from);
      if (allowed) {
        STEPS[to](item);
        assert.equal(item.state, to);
      } else {
        assert.throws(() => STEPS[to](item), { message: `${from} does not become ${to}` });
        assert.equal(item.state, from, "it stays as it was");
      }
    });
  }
}

test("nothing comes after being removed, and only that after a receipt", () => {
  assert.deepEqual(TRANSITIONS.removed, []);
  assert.deepEqual(TRANSITIONS.done, ["removed"]);
});

test("each state says what it means for the list", () => {
  /** @param {(item: UploadItem) => unknown} property */
  const where = (property) => STATES.filter((state) => property(inState(state)));
  assert.deepEqual(where(({ busy }) => busy), ["waiting", "uploading", "paused", "unfinished"]);
  assert.deepEqual(where(({ active }) => active), ["waiting", "uploading"]);
  assert.deepEqual(where(({ replaceable }) => replaceable), ["unfinished", "failed", "cancelled"]);
  assert.deepEqual(where(({ endAction }) => endAction === "cancel"), ["waiting", "uploading", "paused", "unfinished"]);
});

test("each state offers one main action, if any", () => {
  const actions = STATES.map((state) => [state, inState(state).mainAction]).filter(([, action]) => action);
  // This failure is the browser's own, which trying again would repeat.
  assert.deepEqual(actions, [["paused", "resume"], ["unfinished", "choose"], ["cancelled", "retry"]]);
});

test("pausing is offered where it keeps what was sent", () => {
  const item = inState("uploading");
  item.progress({ loaded: 1, resumable: false });
  assert.equal(item.mainAction, "");
  item.progress({ loaded: 2, resumable: true });
  assert.equal(item.mainAction, "pause");
});

for (const [what, error, final] of /** @type {[string, Error, boolean][]} */ ([
  ["a refusal of this page", new UploadError("type_not_allowed"), true],
  ["a size that the server refuses", new UploadError("size_too_large", { from: "server", status: 413 }), true],
  ["content that the server refuses", new UploadError("content_mismatch", { from: "server", status: 422 }), true],
  ["a session that has ended", new UploadError("unauthenticated", { from: "server", status: 401 }), false],
  ["a file in its place", new UploadError("object_conflict", { from: "server", status: 409, ended: true }), false],
  ["a refusal of the bucket", new UploadError("AccessDenied", { from: "bucket", status: 403 }), true],
  ["a bucket that is not there", new UploadError("NoSuchBucket", { from: "bucket", status: 404 }), true],
  ["a signature that is wrong", new UploadError("SignatureDoesNotMatch", { from: "bucket", status: 403 }), true],
  ["a grant that has expired", new UploadError("AccessDenied", { from: "bucket", status: 403, detail: "Request has expired" }), false],
  ["a key that is taken", new UploadError("PreconditionFailed", { from: "bucket", status: 412 }), false],
  ["a wrong clock", new UploadError("clock_wrong", { from: "bucket", status: 403, detail: "Request has expired" }), true],
  ["a policy of the page", new UploadError("blocked_by_policy"), true],
  ["a bucket that does not answer", new UploadError("bucket_unreachable", { from: "bucket" }), false],
  ["a file that another tab uploads", new UploadError("uploading_elsewhere"), false],
  ["a busy bucket", new UploadError("SlowDown", { from: "bucket", status: 503 }), false],
  ["a bucket that asks to wait", new UploadError("SlowDown", { from: "bucket", status: 429 }), false],
  ["a proxy before the bucket", new UploadError("unexpected", { from: "bucket", status: 407 }), false],
  ["code of the page", new Error("no token"), false],
])) {
  test(`${what} ${final ? "cannot" : "can"} be tried again`, () => {
    const item = inState("uploading");
    item.fail(error);
    assert.equal(item.final, final);
    assert.equal(item.mainAction, final ? "" : "retry");
    assert.equal(item.counted, !final);
  });
}

test("what is tried again is said until the state changes", () => {
  const item = inState("uploading");
  item.hold({ retrying: { code: "network", from: "bucket", at: 0, tries: 1 }, elsewhere: true });
  item.pause();
  assert.deepEqual([item.retrying, item.elsewhere], [null, false]);
});

test("what can be paused can be paused while it waits to go on", () => {
  const item = inState("paused");
  item.progress({ loaded: 2, resumable: true });
  item.wait();
  assert.equal(item.mainAction, "pause");
});

test("a name is shown as the server cleans it", () => {
  const item = UploadItem.chosen(new File([], "invoice\u202Efdp.exe"));
  assert.equal(item.name, "invoicefdp.exe");
  assert.equal(UploadItem.chosen(new File([], "\u202E")).name, "?");
});

test("trying again forgets the failure", () => {
  const item = inState("uploading");
  item.progress({ loaded: 3, resumable: true });
  item.fail(new UploadError("network", { from: "bucket" }));
  assert.equal(item.loaded, 0);
  item.wait();
  assert.equal(item.error, null);
});

test("a receipt is all of it", () => {
  const item = inState("uploading");
  item.progress({ loaded: 2, resumable: false });
  assert.equal(item.percent, 40);
  item.complete(receipt);
  assert.equal(item.percent, 100);
});

test("an empty file is at the beginning until it is done", () => {
  const item = UploadItem.chosen(new File([], "empty.txt"));
  assert.equal(item.fraction, 0);
});

test("what was cut off waits for its file, or to be completed", () => {
  const item = UploadItem.cutOff(remembered);
  assert.equal(item.state, "unfinished");
  assert.equal(item.percent, 40);
  assert.equal(item.leftOver, true);
  assert.equal(UploadItem.cutOff({ ...remembered, loaded: 10 }).state, "waiting");
  assert.equal(inState("waiting").leftOver, false);
});

test("what the form has kept is done, and no file is taken for it", () => {
  const item = UploadItem.stored(receipt);
  assert.equal(item.state, "done");
  assert.equal(item.percent, 100);
  assert.equal(item.counted, true);
  assert.notEqual(item.id, idOf(file));
});

test("a file that the browser has kept waits for a person, and may be chosen again all the same", () => {
  const item = UploadItem.cutOff(remembered, { copy: new Blob() });
  assert.equal(item.state, "paused");
  assert.equal(item.mainAction, "resume");
  assert.ok(item.leftOver && item.replaceable);
  item.needFile();
  assert.equal(item.mainAction, "choose");
  assert.equal(UploadItem.cutOff({ ...remembered, loaded: 10 }, { copy: new Blob() }).state, "waiting", "it needs no file");
});
