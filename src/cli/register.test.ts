import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { registeredAnswer } from "../http/answers.ts";
import { commandRunner, problemAnswer } from "./fixtures.ts";

const { run, dispose } = commandRunner();
afterEach(dispose);

let folder: string;
let file: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-register-"));
  file = join(folder, "model.onnx");
  await writeFile(file, "onnx");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const answer = v.parse(registeredAnswer, {
  ...{ model: "iris", unchanged: false, version: 2, digest: "ab".repeat(32), size: 4 },
  ...{ signature: {}, run: "r1", created_at: "2025-01-01T00:00:00Z", aliases: [], gates: [] },
});
const ROUTE = "POST /admin/models/iris/versions";

test("sends the file and says which version it became, and how it is served", async () => {
  const { code, out, asked } = await run(["register", "iris", file], { [ROUTE]: answer });
  expect([code, asked]).toEqual([0, [ROUTE]]);
  expect(out).toContain("iris: version 2 is registered (sha256 abab");
  expect(out).toContain("sluice promote iris 2");
  const same = { ...answer, unchanged: true };
  const again = await run(["register", "iris", file], { [ROUTE]: same });
  expect(again.out).toContain("iris: version 2 has these bytes already");
});

test("--json prints what the server answered", async () => {
  const args = ["register", "iris", file, "--json"];
  const { out, said } = await run(args, { [ROUTE]: answer });
  expect([JSON.parse(out), said]).toEqual([answer, ""]);
});

test("a refusal is told with what to do", async () => {
  const refused = problemAnswer(422, { code: "onnx_refused", detail: "It has no input." });
  const { code, said } = await run(["register", "iris", file], { [ROUTE]: refused });
  expect([code, said.includes("It has no input")]).toEqual([1, true]);
});

test.each([
  ["that is not there", "gone.onnx"],
  ["that is a folder", "."],
])("a file %s is told before anybody is asked", async (_, path) => {
  const { code, said, asked } = await run(["register", "iris", join(folder, path)], {});
  expect([code, asked, said.includes("cannot be read")]).toEqual([2, [], true]);
});
