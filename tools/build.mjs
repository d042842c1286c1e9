// @ts-check
// `npm run build` and `npm run size`: what is missing is set up, then tools/build does the work.
import { must, script } from "./lib.mjs";
import { packages, toolchain } from "./setup.mjs";

await script(async () => {
  await packages();
  await toolchain();
  await must("cargo", ["run", "-q", "--locked", "-p", "msci-build", "--", "all"]);
  if (process.argv[2] === "size") await must("cargo", ["run", "-q", "--locked", "-p", "msci-build", "--", "size"]);
  return 0;
});
