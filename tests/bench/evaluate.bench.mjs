// @ts-check
// What a batch costs with 10 to 10,000 segments defined, in native time, without storage or network.
import { must } from "../../tools/lib.mjs";

await must("cargo", ["run", "--locked", "--quiet", "--release", "-p", "msci-core", "--example", "evaluate"]);
