/*
 * Asking a champion, against a server that answers from a table.
 * The answers are held to the forms that the server itself promises.
 */
import { afterEach, describe, expect, test } from "bun:test";
import * as v from "valibot";
import * as forms from "../http/answers.ts";
import { stopwatch } from "../testing.ts";
import { commandRunner, problemAnswer } from "./fixtures.ts";

const { run, dispose } = commandRunner();
afterEach(dispose);

const made = { name: "btc", version: 12, digest: "ab".repeat(32) };
describe("predict", () => {
  const answer = v.parse(forms.predictAnswer, {
    model: made,
    predictions: [
      {
        id: "x-0",
        label: "up",
        probability: 0.51234,
        quantiles: { p10: -0.01, p50: 0, p90: 0.02 },
      },
    ],
  });
  const answers = { "POST /v1/models/btc/predict": answer };

  test.each([
    ["rows.json", '[{"a":1}]', "application/json", '{"instances":[{"a":1}]}'],
    ["rows.json", '{"a":1}', "application/json", '{"instances":[{"a":1}]}'],
    ["rows.JSON", '{"instances":[]}', "application/json", '{"instances":[]}'],
    ["rows", '\n [{"a":1}]', "application/json", '{"instances":\n [{"a":1}]}'],
    ["-", '{"a":1e999}', "application/json", '{"instances":[{"a":1e999}]}'],
    ["rows.csv", "a,b\n1,2\n", "text/csv", "a,b\n1,2\n"],
    ["-", "a,b\n1,2\n", "text/csv", "a,b\n1,2\n"],
    ["odd.csv", "[a],b\n1,2\n", "text/csv", "[a],b\n1,2\n"],
  ])("%s of %j is sent as %s", async (file, text, type, body) => {
    const result = await run(["predict", "btc", file], answers, { [file]: text });
    expect(result.code).toBe(0);
    expect(result.all[0]).toMatchObject({ type, body });
  });

  test("reads standard input when no file is named", async () => {
    const { all } = await run(["predict", "btc"], answers, { "-": "a\n1\n" });
    expect(all[0]?.body).toBe("a\n1\n");
  });

  test("prints a row a line", async () => {
    const { out } = await run(["predict", "btc"], answers, { "-": "a\n1\n" });
    expect(out).toMatch(/^btc version 12$/m);
    expect(out).toMatch(/^ +0 +up +0\.5123 +-0\.01 +0 +0\.02$/m);
  });

  test("tells what each column had to do with it, where it was asked to", async () => {
    const contributions = Object.fromEntries(
      Array.from({ length: 10 }, (_, i) => [`f${i}`, (i - 5) / 10]),
    );
    const [prediction] = answer.predictions;
    const explained = { ...answer, predictions: [{ ...prediction, base: 0.25, contributions }] };
    const { out, all } = await run(
      ["predict", "btc", "--explain"],
      { "POST /v1/models/btc/predict": explained },
      { "-": "a\n1\n" },
    );
    expect(all[0]?.path).toBe("/v1/models/btc/predict?explain=true");
    expect(out).toContain("row 0: base 0.25; f0 -0.5; f1 -0.4; f9 +0.4; f2 -0.3; f8 +0.3;");
    expect(out.trimEnd()).toEndWith("; f4 -0.1; 2 more +0.1");
  });

  test.each([
    ["none.csv", undefined, "cannot be read"],
    ["empty.csv", " \n", "is empty"],
    ["bad.json", "{", "is no JSON"],
  ])("%s is a usage error before any server is asked", async (file, text, said) => {
    const files: Record<string, string> = text === undefined ? {} : { [file]: text };
    const result = await run(["predict", "btc", file], answers, files);
    expect(result.code).toBe(2);
    expect(result.said).toContain(said);
    expect(result.asked).toEqual([]);
  });
});

describe("forecast", () => {
  const answer = {
    id: "f1",
    model: made,
    market: "KRW-BTC",
    made_at: "2025-01-01T00:00:06Z",
    last_closed: { start: "2024-12-31T20:00:00Z", close: 142_531_000 },
    target: { start: "2025-01-01T00:00:00Z", close: "2025-01-01T04:00:00Z" },
    up: 0.5321,
    quantiles: { p10: 140_000_123.4, p50: 142_600_000, p90: 144_000_000 },
    skill: { log_loss: 0.69012, baseline_log_loss: 0.6951, better: true },
    abstain: null,
  };
  const told = async (given: object) => {
    const body = v.parse(forms.forecastAnswer, { ...answer, ...given });
    return (await run(["forecast", "btc"], { "GET /v1/models/btc/forecast": body })).out;
  };

  test("tells the candle, the probability, the prices and whether to trust it", async () => {
    const out = await told({});
    expect(out).toMatch(/^candle +2025-01-01T00:00:00Z to 2025-01-01T04:00:00Z$/m);
    expect(out).toMatch(/^last +142,531,000 \(2024-12-31T20:00:00Z\)$/m);
    expect(out).toMatch(/^up +0\.5321$/m);
    expect(out).toMatch(/^close +p10 140,000,000 +p50 142,600,000 +p90 144,000,000$/m);
    expect(out).toMatch(/^skill +log loss 0\.6901, better than the baseline's 0\.6951$/m);
    expect(out).not.toContain("SIMULATED");
  });

  test("tells why, where it was asked to", async () => {
    const explained = { ...answer, base: 0.01, contributions: { a: 0.2, b: -0.3 } };
    const { out, all } = await run(["forecast", "btc", "--explain"], {
      "GET /v1/models/btc/forecast": v.parse(forms.forecastAnswer, explained),
    });
    expect(all[0]?.path).toBe("/v1/models/btc/forecast?explain=true");
    expect(out).toMatch(/^why +base 0\.01; b -0\.3; a \+0\.2$/m);
    expect(await told({ base: null, contributions: null })).not.toMatch(/^why/m);
  });

  test("says plainly when it is not better, abstains, or is simulated", async () => {
    const skill = { ...answer.skill, better: false };
    expect(await told({ skill })).toContain("NOT better than the baseline's");
    expect(await told({ simulated: true })).toContain("SIMULATED: no real prices");
    const abstain = { reason: "stale", detail: "No candle since Monday." };
    const out = await told({ abstain, up: null, quantiles: null, last_closed: null });
    expect(out).toMatch(/^up +abstains: No candle since Monday\.$/m);
    expect(out).toMatch(/^close +-$/m);
  });

  test("a model without a champion ends with 1, at once", async () => {
    const none = problemAnswer(
      503,
      { code: "not_ready", detail: "Model btc has no champion yet." },
      { "retry-after": "40" },
    );
    const watch = stopwatch();
    const { code, said } = await run(["forecast", "btc"], { "GET /v1/models/btc/forecast": none });
    expect(code).toBe(1);
    expect(said).toContain("has no champion yet");
    expect(watch.ms()).toBeLessThan(30_000);
  });
});
