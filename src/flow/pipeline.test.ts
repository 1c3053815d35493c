import { afterAll, beforeAll, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { sql } from "drizzle-orm";
import { SluiceError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Database } from "../store/database.ts";
import { type Lease, makePipelineRuns, type PipelineRuns } from "../store/pipeline-runs.ts";
import { testDatabases } from "../store/testing.ts";
import { stopwatch } from "../testing.ts";
import { executeRun, type PipelineStep, type StepContext, type StepOutcome } from "./pipeline.ts";

const SLOT = Date.parse("2025-07-01T00:00:00Z");
const NAMES = ["one", "two", "three"];

/** An error that may pass, to be tried again after so many seconds. */
const passing = (retryAfter: number) =>
  new SluiceError({ code: "exchange_unreachable", detail: "No answer.", retryAfter });

describe.each(testDatabases())("a pipeline run on $name", ({ open }) => {
  let database: Database;
  let runs: PipelineRuns;
  let stopping: AbortController;
  let logged: string[];
  let told: [number, string][];
  beforeAll(async () => {
    database = await open();
    runs = makePipelineRuns(database, { now: () => SLOT });
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    stopping = new AbortController();
    logged = [];
    told = [];
    await database.orm.execute(sql`truncate pipeline_runs, steps`);
  });

  const log: Log = {
    info: (event) => void logged.push(event),
    warn: (event) => void logged.push(event),
    error: (event) => void logged.push(event),
  };

  let worked: string[] = [];
  type Work = (context: StepContext) => Promise<StepOutcome> | StepOutcome;
  /** Three steps that note that they ran; some do something else. */
  function steps(change: Record<string, Work> = {}, deadlineMs = 10_000): PipelineStep[] {
    worked = [];
    return NAMES.map((name) => ({
      name,
      deadlineMs,
      run: async (context) => {
        worked.push(name);
        return (await change[name]?.(context)) ?? { done: name };
      },
    }));
  }

  async function request(): Promise<string> {
    const { run } = await runs.request({ pipeline: "btc", slot: SLOT, kind: "retrain" }, NAMES);
    return run.id;
  }
  async function claim(id: string): Promise<Lease> {
    return (await runs.claim(id, "me"))!;
  }
  const execute = async (id: string, lease: Lease, list: readonly PipelineStep[]) =>
    executeRun((await runs.run(id))!, lease, list, {
      runs,
      log,
      stopping: stopping.signal,
      onProgress: (share, text) => void told.push([share, text]),
    });
  async function run(list: readonly PipelineStep[]): Promise<string> {
    const id = await request();
    await execute(id, await claim(id), list);
    return id;
  }
  const states = async (id: string) =>
    (await runs.stepsOf(id)).map((s) => `${s.step} ${s.status} ${s.attempts}`);
  const ending = async (id: string) => {
    const { status, reason, detail } = (await runs.run(id))!;
    return { status, reason, detail };
  };

  test("goes through its steps in order, each knowing what those before gave", async () => {
    const seen: unknown[] = [];
    const id = await run(
      steps({
        one: () => ({ stored: 30 }),
        three: ({ results }) => {
          seen.push(structuredClone(results));
          return {};
        },
      }),
    );
    expect(worked).toEqual(NAMES);
    expect(seen).toEqual([{ one: { stored: 30 }, two: { done: "two" } }]);
    expect(await ending(id)).toEqual({ status: "succeeded", reason: null, detail: null });
    expect(await states(id)).toEqual(NAMES.map((name) => `${name} succeeded 1`));
    expect((await runs.stepsOf(id)).map((s) => s.result)).toEqual([
      { stored: 30 },
      { done: "two" },
      {},
    ]);
  });

  test("keeps what a step says, and passes on how far it is", async () => {
    const id = await run(
      steps({
        two: async ({ say, progress }) => {
          await say("half of it");
          progress(0.5, "candles");
          return {};
        },
      }),
    );
    const [, two] = await runs.stepsOf(id);
    expect(two?.log).toEqual(["2025-07-01T00:00:00.000Z half of it"]);
    expect(told).toEqual([[0.5, "two candles"]]);
    expect(two?.elapsedMs).toBeGreaterThanOrEqual(0);
  });

  test("resumes at the first step that did not succeed, with the results of those that did", async () => {
    const id = await request();
    const first = await claim(id);
    await runs.startStep(first, "one");
    await runs.endStep(first, "one", "succeeded", { stored: 30 }, 5);
    await runs.startStep(first, "two");
    await runs.freeLost(() => true);
    let given: unknown;
    const list = steps({
      two: ({ results }) => {
        given = structuredClone(results);
        return {};
      },
    });
    await execute(id, await claim(id), list);
    expect(worked).toEqual(["two", "three"]);
    expect(given).toEqual({ one: { stored: 30 } });
    expect(await states(id)).toEqual(["one succeeded 1", "two succeeded 2", "three succeeded 1"]);
    expect((await ending(id)).status).toBe("succeeded");
  });

  test("that was killed between its last step and its end only ends", async () => {
    const id = await request();
    const first = await claim(id);
    for (const name of NAMES) {
      await runs.startStep(first, name);
      await runs.endStep(first, name, "succeeded", {}, 1);
    }
    await runs.freeLost(() => true);
    await execute(id, await claim(id), steps());
    expect(worked).toEqual([]);
    expect((await ending(id)).status).toBe("succeeded");
  });

  describe("an error", () => {
    test("that may pass is tried again within the run, and the log says so", async () => {
      let tries = 0;
      const id = await run(
        steps({
          two: () => {
            if (++tries < 3) throw passing(0.01);
            return { tries };
          },
        }),
      );
      expect(worked).toEqual(["one", "two", "two", "two", "three"]);
      expect((await ending(id)).status).toBe("succeeded");
      const [, two] = await runs.stepsOf(id);
      expect(two).toMatchObject({ status: "succeeded", attempts: 3, result: { tries: 3 } });
      expect(two?.log).toHaveLength(2);
      expect(two?.log[0]).toContain("No answer.");
    });

    test("that does not pass ends the run after five tries, each waiting longer", async () => {
      const times: number[] = [];
      const id = await run(
        steps({
          two: () => {
            times.push(performance.now());
            throw passing(0.02);
          },
        }),
      );
      expect(times).toHaveLength(5);
      for (const [i, wait] of [20, 40, 80, 160].entries()) {
        expect(times[i + 1]! - times[i]!).toBeGreaterThanOrEqual(wait - 2);
      }
      expect(await ending(id)).toEqual({
        status: "failed",
        reason: "exchange_unreachable",
        detail: "No answer.",
      });
      expect(await states(id)).toEqual(["one succeeded 1", "two failed 5", "three waiting 0"]);
    });

    test("that cannot pass ends the run at once, under its own name, at its own step", async () => {
      const id = await run(
        steps({
          two: () => {
            throw new SluiceError({ code: "verification_failed", detail: "KRW-BTC: a gap." });
          },
        }),
      );
      expect(worked).toEqual(["one", "two"]);
      expect(await ending(id)).toEqual({
        status: "failed",
        reason: "verification_failed",
        detail: "KRW-BTC: a gap.",
      });
      expect(await states(id)).toEqual(["one succeeded 1", "two failed 1", "three waiting 0"]);
      const [, two] = await runs.stepsOf(id);
      expect(two?.result).toEqual({ reason: "verification_failed", detail: "KRW-BTC: a gap." });
      expect(two?.elapsedMs).toBeGreaterThanOrEqual(0);
      expect(logged).toContain("pipeline_run_failed");
    });

    test("that nobody foresaw is told as one of the program's own", async () => {
      const id = await run(
        steps({
          one: () => {
            throw new TypeError("x is not a function");
          },
        }),
      );
      expect(await ending(id)).toEqual({
        status: "failed",
        reason: "internal_error",
        detail: "x is not a function",
      });
    });
  });

  describe("a deadline", () => {
    test("that passes tells the step, and the run ends with a name for it", async () => {
      const list = steps(
        {
          two: ({ signal }) =>
            new Promise((_, reject) => {
              signal.addEventListener("abort", () => reject(signal.reason));
            }),
        },
        40,
      );
      const id = await run(list);
      const { status, reason, detail } = await ending(id);
      expect(status).toBe("failed");
      expect((await states(id))[1]).toBe("two failed 1");
      expect(reason).not.toBe("internal_error");
      expect(detail).toContain("two");
    });

    test("ends a run also when the step does not listen", async () => {
      const id = await request();
      const lease = await claim(id);
      const over = execute(id, lease, steps({ two: () => new Promise(() => {}) }, 40));
      await over;
      expect((await ending(id)).status).toBe("failed");
    });
  });

  test("a step that has nothing to do ends the run as skipped, with the reason", async () => {
    const skip = { reason: "single_class", detail: "All 500 candles went up." };
    const id = await run(steps({ two: () => ({ skip }) }));
    expect(worked).toEqual(["one", "two"]);
    expect(await ending(id)).toEqual({ status: "skipped", ...skip });
    expect(await states(id)).toEqual(["one succeeded 1", "two skipped 1", "three waiting 0"]);
  });

  describe("a lease that is lost in the middle", () => {
    test("changes nothing of what the other worker does", async () => {
      const id = await request();
      let taken: Lease | null = null;
      const list = steps({
        two: async () => {
          await runs.freeLost(() => true);
          taken = await claim(id);
          await runs.startStep(taken, "two");
          return { from: "the one that lost it" };
        },
      });
      await execute(id, await claim(id), list);
      expect(worked).toEqual(["one", "two"]);
      expect((await ending(id)).status).toBe("running");
      const [, two, three] = await runs.stepsOf(id);
      expect(two).toMatchObject({ status: "running", result: null });
      expect(three?.status).toBe("waiting");
      // The other one ends it as if nothing had been.
      await runs.endStep(taken!, "two", "succeeded", { from: "the other" }, 1);
      await runs.finish(taken!, "succeeded");
      expect((await ending(id)).status).toBe("succeeded");
    });

    test("nor does a failure afterwards", async () => {
      const id = await request();
      const list = steps({
        one: async () => {
          await runs.freeLost(() => true);
          await claim(id);
          throw new Error("too late");
        },
      });
      await execute(id, await claim(id), list);
      expect((await ending(id)).status).toBe("running");
      expect((await runs.stepsOf(id))[0]?.status).toBe("waiting");
    });
  });

  describe("stopping", () => {
    test("gives the run back at the step under way; another resumes there", async () => {
      const id = await request();
      const list = steps({
        two: ({ signal }) =>
          new Promise((_, reject) => {
            signal.addEventListener("abort", () => reject(signal.reason));
            stopping.abort(new Error("the process is stopping"));
          }),
      });
      await execute(id, await claim(id), list);
      expect(await runs.run(id)).toMatchObject({ status: "queued", attempts: 0, leaseToken: null });
      expect(await states(id)).toEqual(["one succeeded 1", "two waiting 1", "three waiting 0"]);
      stopping = new AbortController();
      await execute(id, await claim(id), steps());
      expect(worked).toEqual(["two", "three"]);
      expect((await ending(id)).status).toBe("succeeded");
    });

    test("does not wait for the pause before another try", async () => {
      const id = await request();
      const list = steps({
        one: () => {
          setTimeout(() => stopping.abort(new Error("the process is stopping")), 20);
          throw passing(60);
        },
      });
      const watch = stopwatch();
      await execute(id, await claim(id), list);
      // The pause is of a minute.
      expect(watch.ms()).toBeLessThan(30_000);
      expect((await ending(id)).status).toBe("queued");
    });

    test("between two steps keeps the one that is done", async () => {
      const id = await request();
      const list = steps({
        one: () => {
          stopping.abort(new Error("the process is stopping"));
          return { stored: 30 };
        },
      });
      await execute(id, await claim(id), list);
      expect(worked).toEqual(["one"]);
      expect((await ending(id)).status).toBe("queued");
      expect((await states(id))[0]).toBe("one succeeded 1");
    });
  });

  test("the heartbeat ends with the run, however that ends", async () => {
    const begun: unknown[] = [];
    const ended: unknown[] = [];
    const begin = spyOn(globalThis, "setInterval");
    const end = spyOn(globalThis, "clearInterval");
    try {
      await run(steps());
      await run(steps({ one: () => Promise.reject(new Error("no")) }));
      begun.push(...begin.mock.results.map((result) => result.value));
      ended.push(...end.mock.calls.map(([timer]) => timer));
    } finally {
      begin.mockRestore();
      end.mockRestore();
    }
    expect(begun.length).toBeGreaterThanOrEqual(2);
    for (const timer of begun) expect(ended).toContain(timer);
  });
});
