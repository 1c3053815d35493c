import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findBreaches } from "./imports.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-imports-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Writes a small house and returns the breaches as `rule: from -> to`. */
async function breaches(house: Record<string, string>): Promise<string[]> {
  for (const [path, source] of Object.entries(house)) {
    await Bun.write(join(folder, "src", path), source);
  }
  const found = await findBreaches(folder);
  return found.map(({ rule, from, to }) => `${rule}: ${from} -> ${to}`).sort();
}

const value = "export const value = 1; export type Shape = { readonly a: number };";

/** A file that imports `path` and uses it, so that no parser may drop the import. */
const uses = (path: string) => `import { value } from "${path}"; export const twice = value;`;

test("a house in order has no breach", async () => {
  const house = {
    "types.ts": value,
    "errors.ts": value,
    "learn/trees.ts": value,
    "learn/math.ts": 'import { createHash } from "node:crypto"; export { createHash };',
    "feature/a.ts": `${uses("../types.ts")} export * from "../learn/trees.ts";`,
    "store/b.ts": 'import postgres from "postgres"; export { postgres };',
    "registry/c.ts": uses("../store/b.ts"),
    "flow/d.ts": `import boss from "pg-boss"; export * from "../registry/c.ts"; export { boss };`,
    "http/e.ts": uses("../flow/d.ts"),
    "app.ts": uses("./http/e.ts"),
    "main.ts": uses("./app.ts"),
    "feature/a.test.ts": 'import "bun:test"; import "node:fs"; import "../store/b.ts";',
    "feature/fixtures.ts": 'import "node:fs";',
  };
  expect(await breaches(house)).toEqual([]);
});

describe("pure-rooms", () => {
  const wrong: Record<string, string> = {
    "a disk": 'import { readFile } from "node:fs"; export { readFile };',
    "the program's environment": 'import process from "node:process"; export { process };',
    "Bun itself": 'import { dlopen } from "bun:ffi"; export { dlopen };',
    "a library that is not pure": 'import pino from "pino"; export { pino };',
    "a shared file with a clock": uses("../clock.ts"),
    "a type alone": 'import type { Shape } from "../clock.ts"; export type Mine = Shape;',
    "an import at run time": 'export const late = () => import("../clock.ts");',
  };
  for (const [what, source] of Object.entries(wrong)) {
    test(`refuses ${what}`, async () => {
      const found = await breaches({ "clock.ts": value, "learn/a.ts": source });
      expect(found).toHaveLength(1);
      expect(found[0]).toStartWith("pure-rooms: src/learn/a.ts -> ");
    });
  }
});

describe("the order of the rooms", () => {
  const upward: readonly [from: string, to: string, rule: string][] = [
    ["learn", "report", "feature-imports-upward"],
    ["store", "market", "store-imports-upward"],
    ["market", "registry", "market-imports-upward"],
    ["table", "serve", "market-imports-upward"],
    ["registry", "serve", "registry-imports-upward"],
    ["registry", "flow", "registry-imports-upward"],
    ["serve", "http", "flow-imports-upward"],
    ["flow", "web", "flow-imports-upward"],
  ];
  test("no room imports one above it", async () => {
    const house = upward.flatMap(([from, to]) => [
      [`${to}/b.ts`, value],
      [`${from}/to-${to}.ts`, uses(`../${to}/b.ts`)],
    ]);
    const expected = upward.map(
      ([from, to, rule]) => `${rule}: src/${from}/to-${to}.ts -> src/${to}/b.ts`,
    );
    expect(await breaches(Object.fromEntries(house))).toEqual(expected.sort());
  });

  test("a file directly in src knows no room but the pure ones", async () => {
    const house = {
      ...{ "log.ts": uses("./store/b.ts"), "store/b.ts": value, "learn/c.ts": value },
      "models/table.ts": uses("../store/b.ts"),
    };
    expect(await breaches({ ...house, "models.ts": uses("./learn/c.ts") })).toEqual([
      "shared-files-know-no-room: src/log.ts -> src/store/b.ts",
      "shared-files-know-no-room: src/models/table.ts -> src/store/b.ts",
    ]);
  });

  test("no room fetches from what wires the house", async () => {
    const wiring = ["app.ts", "services.ts", "demo.ts", "main.ts", "cli/train.ts"];
    const house = wiring.flatMap((file, at) => [
      [file, value],
      [`http/a${at}.ts`, uses(`../${file}`)],
    ]);
    house.push(["cli/demo.ts", uses("../app.ts")]);
    expect(await breaches(Object.fromEntries(house))).toEqual(
      wiring.map((file, at) => `only-app-wires: src/http/a${at}.ts -> src/${file}`),
    );
  });
});

test("files that import each other are a cycle", async () => {
  const found = await breaches({
    "flow/a.ts": `${uses("./b.ts")} export const value = 2;`,
    "flow/b.ts": `import type { Shape } from "./a.ts"; export type T = Shape; ${value}`,
  });
  expect(found.map((line) => line.split(":")[0])).toEqual(["no-cycle"]);
});

test("a library with a room is for no other", async () => {
  const strangers: Record<string, string> = {
    "serve/c.ts": "drizzle-orm/pg-core",
    "market/a.ts": "postgres",
    "serve/a.ts": "ioredis",
    "registry/b.ts": "minio",
    "flow/a.ts": "@electric-sql/pglite",
    "http/a.ts": "pg-boss",
    "http/b.ts": "csv-parse",
    "flow/b.ts": "onnxruntime-node",
    "serve/b.ts": "hono/cors",
  };
  const house = Object.entries(strangers).map(([file, library]) => {
    return [file, `import * as it from "${library}"; export { it };`];
  });
  const found = await breaches(Object.fromEntries(house));
  const files = found.filter((line) => line.includes("-has-a-room: "));
  expect(files.map((line) => line.split(" ")[1]?.slice("src/".length)).sort()).toEqual(
    Object.keys(strangers).sort(),
  );
});

test("source may not lean on tests or on their fixtures", async () => {
  const found = await breaches({
    "flow/a.ts": uses("./fixtures.ts"),
    "flow/fixtures.ts": value,
    "flow/b.ts": 'import fc from "fast-check"; export { fc };',
  });
  expect(found).toHaveLength(2);
  for (const line of found) expect(line).toStartWith("no-tests-in-source: ");
});

test("a breach carries what the rule wants", async () => {
  await Bun.write(join(folder, "src/learn/a.ts"), 'import "node:fs";');
  expect((await findBreaches(folder))[0]?.comment).toContain("arrays in, arrays out");
});
