// @ts-check
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { find } from "../../tools/lib.mjs";
import { campaign, discard, pause } from "./campaign.mjs";
import { atEnd } from "../support/at-end.mjs";

/**
 * From here on no file of this process can be written, as on a full disk; or again.
 * @param {number} pid
 * @param {"full" | "free"} disk
 */
const make = (pid, disk) => execFileSync("prlimit", ["--pid", String(pid), `--fsize=${disk === "full" ? 1 : "unlimited"}:unlimited`]);

const skip = find("prlimit") ? false : "there is no prlimit (util-linux), with which a disk is made full";

test("F16 a full disk is a 503 with a code, stores nothing by halves, and is forgotten once there is room", { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "msci-full-"));
  atEnd(t, () => discard(folder));
  // A write beyond the limit is an error only where its signal is ignored; a program inherits that.
  const runtime = join(folder, "runtime.sh");
  const { default: workerd } = createRequire(import.meta.url)("workerd");
  writeFileSync(runtime, `#!/bin/sh\ntrap '' XFSZ\nexec '${workerd}' "$@"\n`);
  chmodSync(runtime, 0o755);
  process.env.MINIFLARE_WORKERD_PATH = runtime;
  atEnd(t, () => delete process.env.MINIFLARE_WORKERD_PATH);

  const seed = Date.now() % 1_000_000;
  const done = await campaign({
    kills: 5,
    seed,
    clients: 8,
    state: join(folder, "state"),
    async trouble(msci) {
      make(msci.runtime(), "full");
      await pause(500);
      make(msci.runtime(), "free");
    },
  });
  assert.deepEqual(done.verify(), [], `seed ${seed}`);
  assert.match(done.figures.refusals, /^503 unavailable × \d+$/);
  assert.ok(done.figures.acknowledged > 100 && done.figures.merges > 0, "there was something to lose");
});
