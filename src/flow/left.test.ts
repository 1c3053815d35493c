import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PipelineRun } from "../store/pipeline-runs.ts";
import { removeLeftWork } from "./left.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-left-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("folders of runs that have ended go, of files that are tried when they are old", async () => {
  const states: Readonly<Record<string, string>> = {
    ...{ waits: "queued", works: "running", done: "succeeded", lost: "crashed" },
  };
  const runs = {
    run: async (id: string) => (id in states ? ({ status: states[id] } as PipelineRun) : null),
  };
  for (const name of [...Object.keys(states), "nobody's", "try-1"]) {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, "job.json"), "{}");
  }
  await removeLeftWork(folder, runs);
  expect((await readdir(folder)).toSorted()).toEqual(["try-1", "waits", "works"]);
  await removeLeftWork(folder, runs, Date.now() + 61 * 60_000);
  expect((await readdir(folder)).toSorted()).toEqual(["waits", "works"]);
  await removeLeftWork(join(folder, "none"), runs);
});
