// @ts-check
// Gzip is unpacked as far as it is read: a bomb costs what its reader takes.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { unpacked } from "../../edge-worker/js/unpack.js";
import { atEnd } from "../support/at-end.mjs";

/** @param {Uint8Array} bytes */
const stream = (bytes) => new Blob([/** @type {any} */ (bytes)]).stream();

/** As the runtime's own: of each byte come a thousand, at once, whether somebody reads them or not. */
function exploding(/** @type {import("node:test").TestContext} */ t) {
  const own = globalThis.DecompressionStream;
  const count = { bytes: 0 };
  atEnd(t, () => void (globalThis.DecompressionStream = own));
  globalThis.DecompressionStream = /** @type {any} */ (
    class {
      constructor() {
        const readable = new ReadableStream({ start: (controller) => void (this.out = controller) });
        const writable = new WritableStream({
          write: (chunk) => {
            count.bytes += chunk.length;
            for (let left = chunk.length * 1000; left > 0; left -= 4096) this.out.enqueue(new Uint8Array(Math.min(left, 4096)));
          },
        });
        Object.assign(this, { readable, writable });
      }
    }
  );
  return count;
}

test("whatever is packed comes out as it went in", async () => {
  for (const bytes of [Buffer.alloc(0), Buffer.from("{}"), Buffer.from('{"a":1},'.repeat(70_000)), randomBytes(300_000)]) {
    const whole = Buffer.from(await new Response(/** @type {any} */ (unpacked(stream(gzipSync(bytes))))).arrayBuffer());
    assert.deepEqual(whole.equals(bytes), true, `${bytes.length} bytes`);
  }
});

test("what is not gzip, or ends too early, is an error", async () => {
  const packed = gzipSync(randomBytes(100_000));
  for (const bytes of [Buffer.from("nope".repeat(1000)), packed.subarray(0, -1000)]) {
    await assert.rejects(new Response(/** @type {any} */ (unpacked(stream(bytes)))).arrayBuffer());
  }
});

test("G4 of a bomb hardly more is unpacked than its reader takes", async (t) => {
  const count = exploding(t);
  const reader = unpacked(stream(new Uint8Array(520_000))).getReader();
  let read = 0;
  while (read < 512 * 1024) read += (await reader.read()).value?.length ?? 0;
  await reader.cancel();
  assert.ok(count.bytes <= 2 * 16 * (read / 4096), `${count.bytes} bytes were unpacked for ${read}`);
});
