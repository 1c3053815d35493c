import { describe, expect, test } from "bun:test";
import { readConfig } from "../config.ts";
import { SluiceError } from "../errors.ts";
import type { PipelineRunAnswer, StepAnswer } from "./answers.ts";
import type { Call } from "./client.ts";
import { pipelineRun, step } from "./fixtures.ts";
import { assertSucceeded, followRun } from "./follow.ts";
import type { Session } from "./session.ts";

/** A session that is told one state of the run after the other. */
function sessionOf(states: readonly PipelineRunAnswer[], isFine = false) {
  const notes: string[] = [];
  const updates: string[] = [];
  const paths: string[] = [];
  let next = 0;
  const call = (async (method: string, path: string) => {
    paths.push(`${method} ${path}`);
    return states[Math.min(next++, states.length - 1)];
  }) as Call;
  const session: Session = {
    config: readConfig({}, false),
    call,
    isFine,
    note: (text) => notes.push(text),
    print: async () => {},
    update: (key, share, text) => updates.push(`${key} ${share} ${text}`),
  };
  return { session, notes, updates, paths };
}

const states = (...steps: StepAnswer[][]): PipelineRunAnswer[] =>
  steps.map((these, i) =>
    pipelineRun({ status: i === steps.length - 1 ? "succeeded" : "running", steps: these }),
  );

describe("followRun", () => {
  test("asks until the run has ended, and gives it", async () => {
    const run = pipelineRun({ status: "succeeded" });
    const waiting = [pipelineRun({ status: "queued" }), pipelineRun({ status: "running" })];
    const { session, paths } = sessionOf([...waiting, run]);
    expect(await followRun(session, "btc", "run-1", 1)).toEqual(run);
    expect(paths).toEqual(Array(3).fill("GET /admin/pipelines/btc/runs/run-1"));
  });

  test("tells each line of a step once, without its time, and how long it took", async () => {
    const first = step({
      step: "collect",
      status: "running",
      log: ["2025-01-01T00:00:01.000Z one"],
    });
    const log = [...first.log, "2025-01-01T00:00:02.000Z two\u001b[2J"];
    const ended = step({ step: "collect", status: "succeeded", log, elapsed_ms: 12_340 });
    const { session, notes } = sessionOf(states([first], [first], [ended], [ended]));
    await followRun(session, "btc", "r", 1);
    expect(notes).toEqual(["collect   one", "collect   two [2J", "collect   succeeded in 12.3 s"]);
  });

  test("a step that is tried again ends once more", async () => {
    const failed = step({ step: "collect", status: "crashed" });
    const again = step({ step: "collect", status: "running" });
    const ended = step({ step: "collect", status: "succeeded" });
    const { session, notes } = sessionOf(states([failed], [again], [ended]));
    await followRun(session, "btc", "r", 1);
    expect(notes.map((note) => note.trim())).toEqual(["collect   crashed", "collect   succeeded"]);
  });

  test("the bar counts ended steps and names the one under way", async () => {
    const one = step({ step: "collect", status: "succeeded" });
    const two = step({ step: "verify", status: "running" });
    const { session, updates } = sessionOf(
      states([one, two], [one, { ...two, status: "succeeded" }]),
    );
    await followRun(session, "btc", "r", 1);
    expect(updates).toEqual(["btc 0.5 verify", "btc 1 succeeded"]);
  });

  test("where the work is told finely by this process, steps are not counted", async () => {
    const { session, updates } = sessionOf(states([], []), true);
    await followRun(session, "btc", "r", 1);
    expect(updates).toEqual(["btc 1 succeeded"]);
  });

  test.each(["failed", "crashed", "skipped"] as const)(
    "a run that %s is given too",
    async (status) => {
      const { session } = sessionOf([pipelineRun({ status })]);
      expect((await followRun(session, "btc", "r", 1)).status).toBe(status);
    },
  );

  test("names in the path cannot leave it", async () => {
    const { session, paths } = sessionOf([pipelineRun({ status: "succeeded" })]);
    await followRun(session, "../x?", "a/b", 1);
    expect(paths).toEqual(["GET /admin/pipelines/..%2Fx%3F/runs/a%2Fb"]);
  });
});

describe("assertSucceeded", () => {
  const failureOf = (run: PipelineRunAnswer) => {
    try {
      assertSucceeded(run);
    } catch (thrown) {
      return thrown as SluiceError;
    }
    return null;
  };

  test.each(["failed", "crashed"] as const)("a run that %s is thrown as its reason", (status) => {
    const reason = "verification_failed";
    const thrown = failureOf(pipelineRun({ status, reason, detail: "KRW-BTC: a gap." }));
    expect(thrown).toBeInstanceOf(SluiceError);
    expect(thrown).toMatchObject({ code: reason, message: "KRW-BTC: a gap." });
  });

  test("a failure without a reason still says which run it was", () => {
    const thrown = failureOf(pipelineRun({ status: "failed" }));
    expect(thrown?.code).toBe("pipeline_run_failed");
    expect(thrown?.message).toContain(pipelineRun({}).id);
  });

  test.each(["succeeded", "skipped"] as const)("a run that %s is no failure", (status) => {
    expect(failureOf(pipelineRun({ status, reason: "single_class" }))).toBeNull();
  });
});
