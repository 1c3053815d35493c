import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beginParts, takeParts } from "./parts.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-parts-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("what was begun is given once, for its folder only, and writes nothing", async () => {
  beginParts(folder);
  const other = takeParts(join(folder, "other"));
  beginParts(folder);
  const first = takeParts(folder);
  const second = takeParts(folder);
  expect(first.code).not.toBe(other.code);
  expect(second.code).not.toBe(first.code);
  expect(await first.code).toBeInstanceOf(WebAssembly.Module);
  expect((await first.files).size).toBeGreaterThan(1_000_000);
  expect(await readdir(folder)).toEqual([]);
});

test("the image is read where there is no database, and holds few files", async () => {
  const image = await takeParts(folder).image!;
  const files = [...(await new Bun.Archive(image).files()).keys()];
  expect(files).toContain("PG_VERSION");
  // No templates, no maps, and one segment of the log: each file costs a first start.
  expect(files.length).toBeLessThan(700);
  expect(files.filter((name) => /_(fsm|vm)$/.test(name) && name.startsWith("base/"))).toEqual([]);
  expect(files.filter((name) => name.startsWith("pg_wal/"))).toHaveLength(1);
  await writeFile(join(folder, "PG_VERSION"), "18");
  expect(takeParts(folder).image).toBeNull();
});
