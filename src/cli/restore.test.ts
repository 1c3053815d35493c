import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packTar } from "modern-tar";
import { modelTexts } from "../models.ts";
import { restoreModels } from "./restore.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-cli-restore-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

/** A data folder and a file with these parts. */
async function given(parts: Iterable<readonly [string, string]>) {
  const data = join(folder, String(count++));
  mkdirSync(data);
  const entries = [...parts].map(([name, text]) => {
    const body = new TextEncoder().encode(text);
    return { header: { name, size: body.length }, body };
  });
  const path = join(data, "backup.tar");
  writeFileSync(path, await packTar(entries));
  return { data, path };
}

test("model files that are here already are left as they are", async () => {
  const builtIn = modelTexts(null).map(([name, text]) => [`models/${name}`, text] as const);
  const { data, path } = await given(builtIn);
  expect(await restoreModels({ data, modelsFolder: null }, path)).toBeNull();
  expect(readdirSync(data)).toEqual(["backup.tar"]);
});

test("others go into an empty folder of model files, else beside the data", async () => {
  const { data, path } = await given([
    ["models/sum.toml", "of the backup"],
    ["models/../../outside.toml", "nowhere"],
    ["models/deep/er.toml", "nowhere"],
    ["config.json", "{}"],
  ]);
  const empty = join(data, "empty");
  expect(await restoreModels({ data, modelsFolder: empty }, path)).toBe(empty);
  expect(readdirSync(empty)).toEqual(["sum.toml"]);
  expect(await restoreModels({ data, modelsFolder: empty }, path)).toBeNull();
  writeFileSync(join(empty, "sum.toml"), "of today");
  const beside = join(data, "models");
  expect(await restoreModels({ data, modelsFolder: empty }, path)).toBe(beside);
  expect(await restoreModels({ data, modelsFolder: null }, path)).toBe(beside);
  expect(readFileSync(join(empty, "sum.toml"), "utf8")).toBe("of today");
  expect(readFileSync(join(beside, "sum.toml"), "utf8")).toBe("of the backup");
  expect(readdirSync(folder).sort()).toEqual(["0", "1"]);
});
