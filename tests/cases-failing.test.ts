/*
 * A model that stops to answer while it serves: whoever asks is told so at once and is never left
 * to wait, the server says that it is not ready, and it serves again once the model answers what
 * it is tried with (case V5). Over real sockets, with the real runtime, which is broken by hand.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Server, startServer } from "../src/http/server.ts";
import { config, makeWorld, servicesOf, version } from "../src/http/testing.ts";
import { type Champions, makeChampions } from "../src/serve/champions.ts";
import { pointer, tableBytes } from "../src/serve/fixture.ts";
import { makePool, type Pool } from "../src/serve/pool.ts";
import { loadRuntime, type Runtime } from "../src/serve/runtime.ts";
import { makeServed } from "../src/serve/versions.ts";
import { column, tableModel } from "../src/table/fixture.ts";
import { stopwatch, until, WAIT_MS } from "../src/testing.ts";
import { asJson } from "./served.ts";

/** What the runtime does from now on, to every session. */
const state = { isBroken: false, opened: 0 };

/** The runtime, whose calls can be made to fail. */
function breakable(runtime: Runtime): Runtime {
  const create = async (bytes: Uint8Array, options: object) => {
    const session = await runtime.InferenceSession.create(bytes, options);
    state.opened++;
    const { inputNames, outputNames } = session;
    type Call = Parameters<typeof session.run>;
    const run = async (...call: Call) => {
      if (state.isBroken) throw new Error("the runtime is broken");
      return session.run(...call);
    };
    return { inputNames, outputNames, run, release: () => session.release() };
  };
  return { ...runtime, InferenceSession: { create } } as unknown as Runtime;
}

const PREDICT = "/v1/models/sum/predict";
const INFER = "/v2/models/sum/infer";
/** Not the champion. */
const VERSION = "/v2/models/sum/versions/2/infer";
const TENSOR = { inputs: [{ name: "x", datatype: "FP32", shape: [1, 1], data: [1] }] };

let folder: string;
let champions: Champions;
let pool: Pool;
let server: Server;
const lines: string[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-failing-"));
  const runtime = breakable(await loadRuntime(folder));
  const log = { info: () => {}, warn: () => {}, error: (event: string) => void lines.push(event) };
  const objects = { get: async (digest: string) => tableBytes(Number(digest)) };
  const pointers = async () => [pointer("sum", "champion", 1)];
  champions = makeChampions({ runtime, objects, log, promotion: { pointers }, pollMs: 50 });
  await champions.refresh();
  pool = makePool({ runtime, objects });
  const world = makeWorld();
  const columns = column("x", "number") + column("y", "number");
  const sum = tableModel(columns, '[table.target]\ncolumn = "y"\nkind = "regression"');
  world.models = new Map([["sum", { ...sum, name: "sum" }]]);
  world.versions = [1, 2].map((number) => ({ ...version, version: number, digest: `${number}` }));
  const fakes = servicesOf(world);
  const versions = { ...fakes.versions, isRegistered: async () => true };
  const served = makeServed({ models: world.models, champions, pool, versions });
  const services = { ...fakes, champions, served };
  server = startServer({ config, log, services: () => services, starting: () => "" });
});
afterAll(async () => {
  state.isBroken = false;
  await server.stop(0);
  await champions.stop();
  await pool.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Asked {
  readonly status: number;
  readonly retry: string | null;
  readonly ms: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely.
  readonly json: any;
}

const ask = async (path: string, body?: object): Promise<Asked> => {
  const begun = performance.now();
  const answer = await fetch(server.url + path, body === undefined ? {} : asJson(body));
  const json = await answer.json();
  const retry = answer.headers.get("retry-after");
  return { status: answer.status, retry, ms: performance.now() - begun, json };
};
const predict = (x = 1) => ask(PREDICT, { instances: [{ x }] });

/** The code of a problem, or of an error of the protocol, which ends with it. */
const codeOf = ({ json }: Asked): string =>
  json.code ?? /\((\w+)\)$/.exec(json.error ?? "")?.[1] ?? "";

describe("a champion whose session fails always (V5)", () => {
  test("those under way get 503 within a second, and the server is not ready", async () => {
    expect(await predict(4)).toMatchObject({ status: 200, json: { predictions: [{ value: 5 }] } });
    expect((await ask("/readyz")).status).toBe(200);
    const opened = state.opened;
    state.isBroken = true;
    const watch = stopwatch();
    const asked = Array.from({ length: 60 }, (_, i) =>
      i % 3 === 0 ? ask(INFER, TENSOR) : predict(i),
    );
    for (const answer of await Promise.all(asked)) {
      expect([answer.status, answer.retry]).toEqual([503, "1"]);
      expect(["model_failing", "artifact_unusable", "champion_not_loaded"]).toContain(
        codeOf(answer),
      );
      expect(answer.ms).toBeLessThan(watch.promised(1_000));
    }
    const ready = await ask("/readyz");
    expect([ready.status, ready.retry]).toEqual([503, "1"]);
    expect(ready.json.detail).toContain("the runtime is broken");
    expect((await ask("/healthz")).status).toBe(200);
    // It is tried again and again, one load at a time, however many ask.
    await until(() => state.opened > opened + 3, WAIT_MS, "it is loaded anew");
    expect((await predict()).status).toBe(503);
    expect(lines.filter((event) => event === "champion_failing")).toHaveLength(1);
  });

  test("it serves again once it answers what it is tried with, and is ready then", async () => {
    state.isBroken = false;
    await until(async () => (await ask("/readyz")).status === 200, WAIT_MS, "it is ready", 5);
    const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => predict(i)));
    expect(answers.map(({ json }) => json.predictions?.[0]?.value)).toEqual(
      Array.from({ length: 60 }, (_, i) => i + 1),
    );
    expect((await ask(INFER, TENSOR)).status).toBe(200);
  });

  test("a version asked for by its number is loaded by the next call", async () => {
    expect((await ask(VERSION, TENSOR)).status).toBe(200);
    state.isBroken = true;
    const failing = await ask(VERSION, TENSOR);
    expect([failing.status, codeOf(failing)]).toEqual([503, "model_failing"]);
    state.isBroken = false;
    expect((await ask(VERSION, TENSOR)).status).toBe(200);
    await until(async () => (await ask("/readyz")).status === 200, WAIT_MS, "it is ready", 5);
  });
});

test("a request that only it fails at keeps the model serving (V5)", async () => {
  const opened = state.opened;
  const shape = { inputs: [{ ...TENSOR.inputs[0], shape: [2, 1], data: [1] }] };
  for (let i = 0; i < 20; i++) {
    expect((await ask(INFER, shape)).status).toBe(400);
    expect((await ask(PREDICT, { instances: [{ x: "a" }] })).status).toBe(422);
  }
  expect((await predict()).status).toBe(200);
  expect(state.opened).toBe(opened);
});
