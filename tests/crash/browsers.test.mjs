// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { campaign } from "./browsers.mjs";

test("F24 a browser that is killed again and again loses and doubles nothing that its pages were told is safe", async () => {
  const seed = Date.now() % 1_000_000;
  const { lost, doubled, rejected, figures } = await campaign({ kills: 3, signals: 150, seed });
  assert.deepEqual({ lost, doubled, rejected }, { lost: [], doubled: [], rejected: [] }, `seed ${seed}`);
  assert.ok(figures["signals told safe"] >= 150 && figures.accepted > 0, "there was something to lose");
});
