// @ts-check
// Gzip, unpacked as far as somebody reads. The runtime's own pipe unpacks whatever arrives at once, read or not: half a
// megabyte of a bomb becomes half a gigabyte before the first byte of it is counted.

/** What comes of one step, in bytes, if it goes on as so far; and what a step is at least and at most. */
const [STEP, LEAST, MOST] = [4096, 16, 4096];

/** @param {ReadableStream<Uint8Array>} packed */
export function unpacked(packed) {
  const { readable, writable } = new DecompressionStream("gzip");
  const [from, to, out] = [packed.getReader(), writable.getWriter(), readable.getReader()];
  /** @type {Uint8Array<any>} */
  let piece = new Uint8Array();
  let whole = false;
  let [fed, got] = [0, 0];
  async function step() {
    if (piece.length === 0) {
      const { done, value } = await from.read();
      whole = done;
      if (done) return to.close();
      piece = value;
    }
    const now = piece.subarray(0, Math.min(MOST, Math.max(LEAST, (STEP * fed) / (got + STEP))));
    piece = piece.subarray(now.length);
    fed += now.length;
    return to.write(now);
  }
  /** @type {Promise<void> | undefined} one at a time; it may wait until what came of it is read */
  let stepping;
  return new ReadableStream(
    {
      async pull(controller) {
        let came = false;
        const next = out.read().finally(() => (came = true));
        // Told by the wait below.
        next.catch(() => {});
        while (!came && !whole) {
          stepping ??= step().finally(() => (stepping = undefined));
          stepping.catch(() => {});
          await Promise.race([next, stepping]);
        }
        const { done, value } = await next;
        if (done) return controller.close();
        got += value.length;
        controller.enqueue(value);
      },
      async cancel() {
        await Promise.allSettled([from.cancel(), to.abort(), out.cancel()]);
      },
    },
    { highWaterMark: 0 },
  );
}
