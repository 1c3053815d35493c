import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readAsset, unpackAssets } from "./assets.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sluice-assets-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const files = { pgliteWasm: "one.wasm" } as const;

test("an asset is read whole: the database's code is a WebAssembly module", async () => {
  const bytes = await readAsset("pgliteWasm");
  expect([...bytes.subarray(0, 4)]).toEqual([0, 0x61, 0x73, 0x6d]);
  expect(WebAssembly.validate(bytes)).toBe(true);
});

describe("unpacking", () => {
  test("gives a private folder with the file in it, the same one each time", async () => {
    const folder = await unpackAssets(join(root, "a"), files);
    expect(folder).toMatch(/\/a\/[0-9a-f]{16}$/);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    const path = join(folder, "one.wasm");
    const made = await stat(path);
    expect(made.size).toBe((await readAsset("pgliteWasm")).length);
    expect(await unpackAssets(join(root, "a"), files)).toBe(folder);
    expect((await stat(path)).mtimeMs).toBe(made.mtimeMs);
  });

  test("five at once leave one whole file and nothing beside it", async () => {
    const all = await Promise.all(
      Array.from({ length: 5 }, () => unpackAssets(join(root, "b"), files)),
    );
    expect(new Set(all).size).toBe(1);
    expect(await readdir(all[0]!)).toEqual(["one.wasm"]);
  });

  test("what a kill left half-written is not taken for the file", async () => {
    const folder = await unpackAssets(join(root, "c"), files);
    await rm(join(folder, "one.wasm"));
    await writeFile(join(folder, "one.wasm.999999"), "half");
    await unpackAssets(join(root, "c"), files);
    const { size } = await stat(join(folder, "one.wasm"));
    expect(size).toBe((await readAsset("pgliteWasm")).length);
  });
});
