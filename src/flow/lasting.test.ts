import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { SluiceError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Database } from "../store/database.ts";
import { makePipelineRuns, type PipelineRuns } from "../store/pipeline-runs.ts";
import { testDatabases } from "../store/testing.ts";
import { lasting } from "./lasting.ts";
import { executeRun, type PipelineStep } from "./pipeline.ts";

const refused = () => Object.assign(new Error("connect"), { code: "ECONNREFUSED" });
const never = new AbortController().signal;

describe("lasting", () => {
  test("goes on when the database is back, and gives what came of it", async () => {
    let tries = 0;
    const work = async () => {
      if (++tries < 3) throw refused();
      return "done";
    };
    const from = performance.now();
    expect(await lasting(work, never)).toBe("done");
    expect(tries).toBe(3);
    expect(performance.now() - from).toBeGreaterThanOrEqual(700);
  });

  test("what is not the database's absence is thrown at once", async () => {
    const lost = new SluiceError({ code: "lease_lost", detail: "Lost." });
    let tries = 0;
    const work = lasting(async () => {
      tries++;
      throw lost;
    }, never);
    await expect(work).rejects.toBe(lost);
    expect(tries).toBe(1);
  });

  test("ends when the lease is lost or the process stops, saying what was away", async () => {
    const stopping = new AbortController();
    const work = lasting(() => Promise.reject(refused()), stopping.signal);
    stopping.abort();
    await expect(work).rejects.toMatchObject({ code: "database_unreachable" });
    const late = lasting(() => Promise.reject(refused()), stopping.signal);
    await expect(late).rejects.toMatchObject({ code: "database_unreachable" });
  });
});

describe("a run whose database goes away", () => {
  const logged: string[] = [];
  const note = (event: string) => void logged.push(event);
  const log: Log = { info: note, warn: note, error: note };
  const slot = Date.parse("2025-07-01T00:00:00Z");

  let database: Database;
  beforeAll(async () => {
    database = await testDatabases()[0]!.open();
  });
  afterAll(() => database.close());

  /** Runs in which each write fails at first; its first step throws what it is given. */
  async function setUp(pipeline: string, work: () => Promise<Record<string, unknown>>) {
    const runs = makePipelineRuns(database, { now: () => slot });
    const failedOnce = new Set<string>();
    const shaky = Object.fromEntries(
      Object.entries(runs).map(([name, call]) => [
        name,
        (...args: never[]) => {
          const writes = ["stepsOf", "startStep", "endStep", "finish"].includes(name);
          if (!writes || failedOnce.has(name)) return (call as (...a: never[]) => unknown)(...args);
          failedOnce.add(name);
          return Promise.reject(refused());
        },
      ]),
    ) as unknown as PipelineRuns;
    const { run } = await runs.request({ pipeline, slot, kind: "slot" }, ["one"]);
    const lease = (await runs.claim(run.id, "me"))!;
    const steps: PipelineStep[] = [{ name: "one", deadlineMs: 10_000, run: work }];
    const stopping = new AbortController();
    const deps = { runs: shaky, log, stopping: stopping.signal, onProgress: () => {} };
    return {
      ...{ stopping, failedOnce },
      execute: () => executeRun(run, lease, steps, deps),
      look: async () => ({ ...(await runs.run(run.id))!, steps: await runs.stepsOf(run.id) }),
    };
  }

  test("is worked on to its end by who holds it", async () => {
    const { execute, look, failedOnce } = await setUp("btc", async () => ({ done: 1 }));
    await execute();
    expect(failedOnce).toEqual(new Set(["stepsOf", "startStep", "endStep", "finish"]));
    expect(await look()).toMatchObject({
      ...{ status: "succeeded", attempts: 1 },
      steps: [{ status: "succeeded", attempts: 1, result: { done: 1 } }],
    });
  });

  test("in the midst of a step: it is tried again, not failed", async () => {
    logged.length = 0;
    const { execute, look, stopping } = await setUp("eth", () => Promise.reject(refused()));
    const working = execute();
    while (!logged.includes("step_retry")) await Bun.sleep(10);
    while ((await look()).steps[0]!.log.length === 0) await Bun.sleep(10);
    const { status, steps } = await look();
    expect(status).toBe("running");
    expect(steps[0]!.log[0]).toContain("The database does not answer: ECONNREFUSED. Tried again.");
    stopping.abort(new Error("the process is stopping"));
    await working;
    // Given back, for another to resume.
    expect(await look()).toMatchObject({ status: "queued", attempts: 0 });
  });
});
