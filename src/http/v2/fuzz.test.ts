/*
 * Bodies that are almost right, and bodies that are not: whatever comes, the answer is an
 * inference or one text that says what was wrong, and never a fault of the server.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { makePool, type Pool } from "../../serve/pool.ts";
import { loadRuntime } from "../../serve/runtime.ts";
import { makeTestApp, makeWorld, type TestApp } from "../testing.ts";
import { DATATYPES } from "./datatypes.ts";
import { echoModel } from "./fixture.ts";

let folder: string;
let pool: Pool;
let app: TestApp;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-v2-"));
  const get = async () => echoModel(["FP32", "BYTES", "INT64"], ["N", 2]);
  pool = makePool({ runtime: await loadRuntime(folder), objects: { get } });
  const world = makeWorld();
  world.pool = pool;
  world.champion = null;
  app = makeTestApp({ world });
});
afterAll(async () => {
  await pool.stop();
  await rm(folder, { recursive: true, force: true });
});

const element = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.string(),
  fc.boolean(),
  fc.constantFrom(null, 2 ** 60, 1e300, {}, [], [[1, 2]], "\ud800", "a\0"),
);
const name = fc.constantFrom("x_FP32", "x_BYTES", "x_INT64", "y_FP32", "__proto__", "");
const odd = fc.oneof(element, fc.jsonValue({ maxDepth: 2 }));
/** Mostly what it should be, sometimes anything. */
const mostly = <T>(usual: fc.Arbitrary<T>) =>
  fc.oneof(
    { weight: 24, arbitrary: usual },
    { weight: 1, arbitrary: odd as fc.Arbitrary<unknown> },
  );
const parameters = fc.dictionary(
  fc.constantFrom("binary_data_size", "binary_data", "binary_data_output", "sequence_id", "a"),
  mostly(fc.oneof(fc.boolean(), fc.nat(20))),
  { maxKeys: 2 },
);
const tensor = fc.record(
  {
    name: mostly(name),
    datatype: mostly(fc.constantFrom(...DATATYPES)),
    shape: mostly(fc.array(mostly(fc.integer({ min: -1, max: 3 })), { maxLength: 3 })),
    data: mostly(fc.array(element, { maxLength: 6 })),
    parameters: mostly(parameters),
  },
  { requiredKeys: [] },
);
const fitting = (name: "FP32" | "BYTES" | "INT64", data: fc.Arbitrary<unknown>) =>
  fc.array(data, { minLength: 2, maxLength: 2 }).map((cells) => ({
    ...{ name: `x_${name}`, datatype: name, shape: [1, 2], data: cells },
  }));
/** Every input once, in the right form, but for what `mostly` puts in the place of one. */
const whole = fc
  .tuple(
    mostly(fitting("FP32", mostly(fc.float({ noNaN: true, noDefaultInfinity: true })))),
    mostly(fitting("BYTES", mostly(fc.string()))),
    mostly(fitting("INT64", mostly(fc.integer()))),
  )
  .map((inputs) => [...inputs]);
const request = fc.record(
  {
    id: mostly(fc.string()),
    inputs: mostly(fc.oneof(whole, fc.array(tensor, { maxLength: 4 }))),
    outputs: mostly(
      fc.array(fc.record({ name: mostly(name), parameters }, { requiredKeys: ["name"] }), {
        maxLength: 2,
      }),
    ),
    parameters: mostly(parameters),
  },
  { requiredKeys: ["inputs"] },
);

const statuses = new Map<number, number>();
const ask = async (body: Uint8Array, headers: Readonly<Record<string, string>>) => {
  const answer = await app.app.fetch(
    new Request("http://localhost/v2/models/btc/versions/3/infer", {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: new Uint8Array(body),
    }),
  );
  statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
  const text = await answer.text();
  expect([200, 400, 413]).toContain(answer.status);
  if (answer.status === 200) return;
  expect(Object.keys(JSON.parse(text))).toEqual(["error"]);
  // What gets as far as this model fits it.
  expect(text).not.toContain("inference_refused");
};

test("bodies that are almost right", async () => {
  await fc.assert(
    fc.asyncProperty(request, fc.uint8Array({ maxLength: 20 }), async (body, bytes) => {
      const head = Buffer.from(JSON.stringify(body));
      await ask(head, {});
      await ask(Buffer.concat([head, bytes]), {
        "inference-header-content-length": String(head.length),
      });
    }),
    { numRuns: 400 },
  );
  // Or nothing was tried but the first check.
  expect(statuses.get(200) ?? 0).toBeGreaterThan(10);
  expect(statuses.get(400) ?? 0).toBeGreaterThan(100);
});

test("bytes of any kind, with a header of any kind", async () => {
  const header = fc.oneof(fc.nat(40).map(String), fc.constantFrom("", "-1", "1e3", "0x10", "٣"));
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), header, async (bytes, size) => {
      const sent = encodeURIComponent(size) === size ? size : "x";
      await ask(bytes, { "inference-header-content-length": sent });
    }),
    { numRuns: 200 },
  );
});

test("a body nested beyond reason", async () => {
  const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  const body = `{"inputs":[{"name":"x_FP32","datatype":"FP32","shape":[1,2],"data":${deep}}]}`;
  await ask(Buffer.from(body), {});
});
