import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { intOf, makeGraph } from "../onnx/graph.ts";
import { foreignBytes } from "../serve/fixture.ts";
import { makeTryOut, type TryOutDeps } from "./tryout.ts";

let root: string;
let folders: Pick<TryOutDeps, "workFolder" | "cacheFolder">;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sluice-tryout-"));
  folders = { workFolder: join(root, "work"), cacheFolder: join(root, "cache") };
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** A file of some hundred bytes that makes a tensor of so many gigabytes of itself. */
function bomb(gigabytes: number): Uint8Array {
  const graph = makeGraph("bomb");
  graph.input("x", "float32", ["N", 1]);
  const attributes = { to: intOf(7) };
  const size = graph.node("Cast", [graph.constant([gigabytes * 2.5e8], [1])], { attributes });
  const zeros = graph.node("ConstantOfShape", [size]);
  const most = graph.node("ReduceMax", [zeros], { attributes: { keepdims: intOf(0) } });
  graph.node("Add", ["x", most], { as: "y" });
  graph.output("y", "float32", ["N", 1]);
  return graph.encode({});
}

const refusal = (thrown: unknown) => ({ code: "onnx_refused", status: 422, message: thrown });

test("what loads and answers passes, and leaves nothing", async () => {
  await makeTryOut(folders)(foreignBytes(1));
  expect(await readdir(folders.workFolder)).toEqual([]);
}, 60_000);

test("what is no model is refused as the loading itself would", async () => {
  const tried = makeTryOut(folders)(Uint8Array.from([8, 1, 2, 3]));
  expect(tried).rejects.toMatchObject({ code: "artifact_corrupt", status: 422 });
  await tried.catch(() => {});
}, 60_000);

test("what takes more memory, or longer, than it may is refused", async () => {
  const small = makeTryOut({ ...folders, memoryBytes: 500_000_000 })(bomb(2));
  expect(small).rejects.toMatchObject(refusal(expect.stringContaining("500 MB of memory")));
  await small.catch(() => {});
  const quick = makeTryOut({ ...folders, tryMs: 1 })(bomb(2));
  expect(quick).rejects.toMatchObject(refusal(expect.stringContaining("longer than 0.001 s")));
  await quick.catch(() => {});
  expect(await readdir(folders.workFolder)).toEqual([]);
}, 60_000);
