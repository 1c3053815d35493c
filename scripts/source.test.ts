import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findLong, findUnrepeatable } from "./source.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-source-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const write = (file: string, text: string) => Bun.write(join(folder, file), text);

test("findLong lets 400 lines pass and names a file of 401", async () => {
  await write("src/flow/fine.ts", "//\n".repeat(400));
  await write("src/flow/long.ts", "//\n".repeat(401));
  expect(await findLong(folder)).toEqual([
    "src/flow/long.ts has 401 lines; the most is 400: split it by noun.",
  ]);
});

test("findUnrepeatable names every clock and every dice in a pure room", async () => {
  await write("src/learn/a.ts", "const a = 1;\nconst now = Date.now();\n");
  await write("src/feature/deep/b.ts", "const now = new Date();\n");
  await write("src/onnx/c.ts", "const dice = Math.random();\n");
  await write("src/report/d.ts", "const now = Date.now();\n");
  const found = await findUnrepeatable(folder);
  expect(found.map((line) => line.split(";")[0])).toEqual([
    "src/feature/deep/b.ts:1 uses new Date()",
    "src/learn/a.ts:2 uses Date.now",
    "src/onnx/c.ts:1 uses Math.random",
    "src/report/d.ts:1 uses Date.now",
  ]);
});

test("findUnrepeatable leaves calendars, comments, tests and other rooms alone", async () => {
  await write("src/learn/a.ts", "/*\n * Never Math.random().\n */\n// nor Date.now()\n");
  await write("src/learn/b.ts", "const day = new Date(start).getUTCDay();\n");
  await write("src/learn/c.test.ts", "const now = Date.now();\n");
  await write("src/learn/testing.ts", "const now = Date.now();\n");
  await write("src/flow/d.ts", "const now = Date.now();\n");
  expect(await findUnrepeatable(folder)).toEqual([]);
});
