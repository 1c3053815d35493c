/*
 * Long work (train, collect) and verify, against a server that answers from a table.
 * The answers are held to the forms that the server itself promises.
 */
import { afterEach, describe, expect, test } from "bun:test";
import * as v from "valibot";
import * as forms from "../http/answers.ts";
import { commandRunner, pipelineRun, step } from "./fixtures.ts";

const { run, dispose } = commandRunner();
afterEach(dispose);

describe("train", () => {
  const asked = v.parse(forms.retrainAnswer, { run: "r1" });
  const ended = (given: Parameters<typeof pipelineRun>[0]) => ({
    "POST /admin/models/btc/retrain": asked,
    "GET /admin/pipelines/btc/runs/r1": v.parse(forms.pipelineRunAnswer, pipelineRun(given)),
  });
  const trained = step({ step: "train", status: "succeeded", result: { version: 12 } });

  test("follows the run and tells that its version is champion", async () => {
    const promoted = step({
      step: "promote",
      status: "succeeded",
      result: { promoted: true, champion: 12 },
      log: ["2025-01-01T00:00:00.000Z Version 12 is champion."],
    });
    const result = await run(["train", "btc"], ended({ steps: [trained, promoted] }));
    expect(result.code).toBe(0);
    expect(result.bodies[0]).toBeNull();
    expect(result.out).toBe("btc: version 12 is champion.");
    expect(result.said).toContain("promote   Version 12 is champion.");
  });

  test("gates that fail are no failure of the training", async () => {
    const kept = step({
      step: "promote",
      status: "succeeded",
      result: { promoted: false, champion: 11, failed: ["not_worse"] },
    });
    const { code, out } = await run(["train", "btc"], ended({ steps: [trained, kept] }));
    expect(code).toBe(0);
    expect(out).toBe(
      "btc: version 12 was not promoted (gates that failed: not_worse); version 11 stays champion.",
    );
  });

  test("a skipped run tells its reason", async () => {
    const skipped = { status: "skipped", reason: "single_class", detail: "All rose." } as const;
    const { code, out } = await run(["train", "btc"], ended(skipped));
    expect(code).toBe(0);
    expect(out).toBe("btc: skipped (single_class): All rose.");
  });

  test("a failed run ends with 1 and its reason", async () => {
    const failed = { status: "failed", reason: "training_died", detail: "It died." } as const;
    const { code, said } = await run(["train", "btc", "--json"], ended(failed));
    expect(code).toBe(1);
    expect(JSON.parse(said.trimEnd().split("\n").at(-1) ?? "").error).toMatchObject({
      code: "training_died",
      detail: "It died.",
    });
  });
});

describe("collect", () => {
  const backfilled = (market: string, given: Parameters<typeof pipelineRun>[0] = {}) =>
    v.parse(
      forms.pipelineRunAnswer,
      pipelineRun({
        pipeline: `backfill-${market.toLowerCase()}`,
        kind: "backfill",
        steps: [
          step({
            step: "backfill",
            status: "succeeded",
            result: { market, stored: 10_000, revised: 1, quarantined: 0, requests: 50 },
          }),
        ],
        ...given,
      }),
    );
  const id = v.parse(forms.idAnswer, { id: "b1" });
  const all = {
    "POST /admin/backfill": id,
    "GET /admin/pipelines/backfill-krw-btc/runs/b1": backfilled("KRW-BTC"),
    "GET /admin/pipelines/backfill-krw-eth/runs/b1": backfilled("KRW-ETH"),
    "GET /admin/pipelines/backfill-krw-ada/runs/b1": backfilled("KRW-ADA"),
  };

  test("asks for every market of the models, from where the models begin", async () => {
    const { code, out, bodies } = await run(["collect"], all);
    expect(code).toBe(0);
    const asked = bodies.flatMap((body) => (body === null ? [] : [JSON.parse(body)]));
    expect(asked.map(({ market }) => market).sort()).toEqual(["KRW-ADA", "KRW-BTC", "KRW-ETH"]);
    expect(new Set(asked.map(({ from }) => from))).toEqual(new Set(["2022-01-01T00:00:00Z"]));
    // Which candle is the newest is the server's to say: an exchange's clock may be ahead of ours.
    for (const { to } of asked) expect(Date.parse(to)).toBeGreaterThan(Date.now() + 1e12);
    expect(out).toMatch(/^KRW-ETH +succeeded +10,000 +1 +0 +50$/m);
  });

  test("of one market from one day", async () => {
    const args = ["collect", "--market", "KRW-ETH", "--since", "2024-06-01", "--json"];
    const { out, bodies } = await run(args, all);
    expect(JSON.parse(bodies[0] ?? "")).toMatchObject({
      market: "KRW-ETH",
      from: "2024-06-01T00:00:00Z",
    });
    expect(JSON.parse(out).items).toMatchObject([{ market: "KRW-ETH", stored: 10_000 }]);
  });

  test("one market that fails ends with 1 and hides nothing of the others", async () => {
    const failed = { status: "failed", reason: "upstream_down", detail: "Upbit is away." } as const;
    const { code, out, said } = await run(["collect"], {
      ...all,
      "GET /admin/pipelines/backfill-krw-eth/runs/b1": backfilled("KRW-ETH", failed),
    });
    expect(code).toBe(1);
    expect(out).toMatch(/^KRW-BTC +succeeded +10,000/m);
    expect(out).toMatch(/^KRW-ADA +succeeded +10,000/m);
    expect(out).toMatch(/^KRW-ETH +failed/m);
    expect(said).toContain("sluice: Upbit is away.");
  });
});

describe("verify", () => {
  const check = (verdict: string) => ({
    name: "jumps",
    verdict,
    detail: "3 closes jump by more than 28 %.",
    value: 3,
    accepted: "0",
  });
  const answer = (...verdicts: string[]) =>
    v.parse(forms.verifyAnswer, {
      items: verdicts.map((verdict) => ({
        market: "KRW-BTC",
        verdict,
        from: "2022-01-01T00:00:00Z",
        to: "2025-01-01T00:00:00Z",
        checks: [check(verdict)],
      })),
      next: null,
    });

  test.each([
    [["pass"], 0],
    [["pass", "warn"], 0],
    [["pass", "fail", "pass"], 1],
  ])("%j ends with %p", async (verdicts, exit) => {
    const { code } = await run(["verify"], { "GET /admin/verify": answer(...verdicts) });
    expect(code).toBe(exit);
  });

  test("prints verdicts and what was found, but no check that passed", async () => {
    const { out } = await run(["verify"], { "GET /admin/verify": answer("warn") });
    expect(out).toMatch(/^KRW-BTC +warn +2022-01-01T00:00:00Z +2025-01-01T00:00:00Z$/m);
    expect(out).toMatch(/^warn +KRW-BTC +jumps +3 closes jump/m);
    const passed = await run(["verify"], { "GET /admin/verify": answer("pass") });
    expect(passed.out).not.toContain("jumps");
  });

  test("of one market", async () => {
    const { asked } = await run(["verify", "--market", "KRW-BTC"], {
      "GET /admin/verify": answer("pass"),
    });
    expect(asked).toEqual(["GET /admin/verify?market=KRW-BTC"]);
  });
});
