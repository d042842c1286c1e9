// @ts-check
// What others say of the read API: the published schema of $metadata, and client libraries, unchanged.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { FetchClient } from "@odata2ts/http-client-fetch";
import { OData } from "@odata/client";
import { build } from "esbuild";
import odatajs from "ts-odatajs";
import { validateXML } from "xmllint-wasm";
import { atEnd } from "../support/at-end.mjs";
import { CURRENT, LEGACY, shop } from "../support/odata.mjs";
import { system } from "../support/system.mjs";

const require = createRequire(import.meta.url);
const ROOT = new URL("../../", import.meta.url).pathname;

/** @type {Awaited<ReturnType<typeof system>>} */
let msci;
/** @type {Awaited<ReturnType<typeof shop>>} */
let at;
before(async () => {
  msci = await system();
  at = await shop(msci);
});
after(() => msci.stop());

test("$metadata is valid CSDL 4.0 by the schema of OASIS, in both dialects and with any columns", async () => {
  const schema = (/** @type {string} */ name) => ({ fileName: name, contents: readFileSync(require.resolve(`odata-csdl/schemas/${name}`), "utf8") });
  const validated = (/** @type {string} */ contents) =>
    validateXML({ xml: [{ fileName: "metadata.xml", contents }], schema: [schema("edmx.xsd")], preload: [schema("edm.xsd")] });
  await msci.admin("PUT", "/tables/Odd-Names", { primaryKey: "Key", columns: { "1st & only": "string", "<Größe>": "number", fullname: "string", "a b": "boolean" } });
  for (const root of [CURRENT, LEGACY]) {
    const { body, headers } = await at.ask("$metadata", { root, headers: { accept: "application/xml" } });
    assert.match(headers.get("content-type") ?? "", /^application\/xml/);
    const found = await validated(body);
    assert.deepEqual([found.valid, found.errors.map((error) => error.message)], [true, []]);
    for (const [right, wrong] of [['Type="Edm.Guid"', 'Type="Edm Guid"'], ["<Key>", "<Keys>"], ['Version="4.0"', ""]]) {
      assert.equal((await validated(body.replace(right, wrong))).valid, false, `${wrong} is noticed`);
    }
    // Every set of the service document is described, and so is every column of a row.
    for (const { name } of (await at.ask("", { root })).body.value) {
      const kind = new RegExp(`<EntitySet Name="${name}" EntityType="MSCI\\.(\\w+)"`).exec(body)?.[1];
      const described = new RegExp(`<EntityType Name="${kind}">([^]*?)</EntityType>`).exec(body)?.[1] ?? "";
      const properties = [...described.matchAll(/<Property Name="(\w+)"/g)].map((match) => match[1]);
      const [row] = (await at.ask(`${name}?$top=1`, { root })).body.value;
      assert.deepEqual(Object.keys(row).sort(), properties.sort(), name);
    }
  }
});

test("odata2ts makes a client of $metadata: list, filter, select, order, page, count, key, function, expand", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "msci-odata2ts-"));
  atEnd(t, () => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "metadata.xml"), (await at.ask("$metadata")).body);
  writeFileSync(join(folder, "tsconfig.json"), '{ "compilerOptions": { "target": "es2022", "module": "es2022" } }');
  const options = ["-s", "metadata.xml", "-o", "made", "-name", "Msci", "-m", "all", "-e", "js", "-t", "tsconfig.json"];
  execFileSync(process.execPath, [join(ROOT, "node_modules/@odata2ts/odata2ts/lib/run-cli.js"), ...options], { cwd: folder, stdio: "pipe" });
  const outfile = join(folder, "client.mjs");
  const banner = { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' };
  await build({ entryPoints: [join(folder, "made/MsciService.js")], bundle: true, platform: "node", format: "esm", outfile, banner, nodePaths: [join(ROOT, "node_modules")], logLevel: "error" });
  const { MsciService } = await import(pathToFileURL(outfile).href);
  const service = new MsciService(new FetchClient({ headers: { authorization: `Bearer ${msci.adminToken}` } }), msci.base + CURRENT.slice(0, -1));
  const gold = await service.msdynci_customerprofiles().query((/** @type {any} */ b, /** @type {any} */ q) =>
    b.filter(q.msdynci_tier.eq("Gold"), q.msdynci_spend.gt(1500)).select("msdynci_fullname", "msdynci_spend").orderBy(q.msdynci_spend.desc()).top(1).skip(1).count());
  assert.deepEqual([gold.data["@odata.count"], gold.data.value], [2, [{ msdynci_fullname: "Liam Silva", msdynci_spend: 1554 }]]);
  const views = await service.msdynci_unifiedactivities().query((/** @type {any} */ b, /** @type {any} */ q) => b.filter(q.msdynci_customerid.eq(at.known).and(q.msdynci_activitytype.eq("View"))));
  const [view] = views.data.value;
  assert.equal(view.msdynci_title, "Aurora");
  assert.equal((await service.msdynci_unifiedactivities(view.msdynci_activityid).query()).data.msdynci_title, "Aurora");
  assert.equal((await service.msdynci_customerprofiles(at.known).query()).data.msdynci_fullname, "Abbie Moss");
  const expanded = await service.msdynci_customerprofiles().query((/** @type {any} */ b, /** @type {any} */ q) => b.filter(q.msdynci_customerid.eq(at.known)).expand("msdynci_unifiedactivity"));
  assert.equal(expanded.data.value[0].msdynci_unifiedactivity.length, 3);
  assert.equal((await service.msdynci_p13nprofile({ cookieid: at.him.cookieId })).data.msdynci_customerid, at.unknown);
});

test("Olingo's client reads $metadata and makes of it what answers leave out: types, keys, addresses, times", async () => {
  /** @param {string} path @param {{ handler?: any, model?: any }} [how] @returns {Promise<any>} */
  const read = (path, { handler, model } = {}) => {
    const requestUri = new URL(path, msci.base + CURRENT).href;
    const request = { requestUri, headers: { authorization: `Bearer ${msci.adminToken}` }, recognizeDates: true };
    return new Promise((resolve, reject) => odatajs.oData.read(/** @type {any} */ (request), resolve, reject, handler, undefined, model));
  };
  const model = await read("$metadata", { handler: odatajs.oData.metadataHandler });
  const [{ entityContainer, entityType }] = model.dataServices.schema;
  const sets = entityContainer.entitySet.map((/** @type {any} */ set) => set.name).sort();
  assert.deepEqual(sets, (await read("")).value.map((/** @type {any} */ set) => set.name).sort());
  for (const set of sets) {
    const { value: [row] } = await read(`${set}?$top=1`, { model });
    const { property } = entityType.find((/** @type {any} */ type) => row["@odata.type"] === `#MSCI.${type.name}`);
    for (const { name, type } of property) {
      const time = type === "Edm.DateTimeOffset" && row[name] !== null;
      assert.ok(name in row && (!time || row[name] instanceof Date), `${set} has ${name}`);
    }
    // The address of a row, from the key that is described and the value that is in it.
    const one = await read(row["@odata.id"], { model });
    assert.deepEqual(property.map((/** @type {any} */ { name }) => one[name]), property.map((/** @type {any} */ { name }) => row[name]), row["@odata.id"]);
  }
  const people = await read("msdynci_customerprofiles?$filter=msdynci_lastname eq 'Rossi' and msdynci_spend ge 1400&$orderby=msdynci_spend desc&$select=msdynci_customerid,msdynci_fullname,msdynci_spend&$count=true", { model });
  assert.equal(people["@odata.count"], people.value.length);
  assert.deepEqual(people.value.map((/** @type {any} */ row) => row.msdynci_fullname), ["Kofi Rossi", "Ines Rossi", "Omar Rossi", "Zoë Rossi", "Liam Rossi"]);
  const { value: [her] } = await read(`msdynci_customerprofiles?$filter=msdynci_customerid eq '${at.known}'`, { model });
  assert.deepEqual([her.msdynci_fullname, her.msdynci_firstseen instanceof Date], ["Abbie Moss", true]);
  const profile = await read(`msdynci_p13nprofile(cookieid='${at.him.cookieId}')`, { model });
  assert.equal(profile.msdynci_customerid, at.unknown);
  await assert.rejects(read("msdynci_customerprofiles?$filter=nope eq 1", { model }), (/** @type {any} */ fault) => /position 0/.test(fault.response.body));
});

test("@odata/client, which does without $metadata, works on the service root: list, filter, select, order, page, count, key, function", async () => {
  const client = OData.New4({ serviceEndpoint: msci.base + CURRENT, commonHeaders: { authorization: `Bearer ${msci.adminToken}` } });
  const people = client.getEntitySet("msdynci_customerprofiles");
  const page = await people.query(client.newParam().select(["msdynci_fullname"]).filter(client.newFilter().field("msdynci_lastname").eq("Rossi")).orderby("msdynci_fullname", "asc").skip(1).top(2));
  assert.deepEqual(page, [{ msdynci_fullname: "Ines Rossi" }, { msdynci_fullname: "Kofi Rossi" }]);
  assert.equal(await people.count(client.newFilter().field("msdynci_lastname").eq("Rossi")), 10);
  const one = /** @type {any} */ (await people.retrieve(at.known));
  assert.equal(one.msdynci_fullname, "Abbie Moss");
  const activities = client.getEntitySet("msdynci_unifiedactivities");
  const [newest] = await activities.query(client.newParam().top(1));
  assert.equal((await activities.retrieve(newest.msdynci_activityid)).msdynci_activitytime, newest.msdynci_activitytime);
  const profile = /** @type {any} */ (await client.functionImport("msdynci_p13nprofile", { cookieid: at.her.cookieId }));
  assert.equal(profile.msdynci_fullname, "Abbie Moss");
  await assert.rejects(people.query(client.newParam().filter("nope eq 1")), /no field named nope at position 0/);
});
