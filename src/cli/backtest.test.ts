import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { walk } from "../feature/fixtures.ts";
import { iso } from "../types.ts";
import { commandRunner } from "./fixtures.ts";

const { run, dispose } = commandRunner();
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-backtest-"));
});
afterEach(() => {
  dispose();
  rmSync(folder, { recursive: true, force: true });
});

const model = (name: string) => `name = "${name}"
kind = "market"
[collect]
market = "KRW-BTC"
others = ["KRW-ETH"]
since = "2025-07-01"
[schedule]
cron = "0 0 */4 * * *"
[train]
trainers = ["logistic"]
[evaluate]
fold_candles = 100
min_train_candles = 300
candles = 200
[promote]
`;

/** Answers as the server gives them: two pages of BTC, one of ETH. */
const pages = () => {
  const view = (market: string, seed: number) =>
    walk(800, seed, market).map(({ market: _, ...candle }) => ({
      ...candle,
      start: iso(candle.start),
    }));
  const btc = view("KRW-BTC", 3);
  return {
    "GET /v1/candles/KRW-BTC": [
      { market: "KRW-BTC", items: btc.slice(0, 500), holes: [], next: "page-2" },
      { market: "KRW-BTC", items: btc.slice(500), holes: [], next: null },
    ],
    "GET /v1/candles/KRW-ETH": {
      market: "KRW-ETH",
      items: view("KRW-ETH", 4),
      holes: [],
      next: null,
    },
  };
};

const ask = (...args: string[]) => {
  writeFileSync(join(folder, "small.toml"), model("small"));
  return run(["backtest", ...args, "--out", folder], pages(), {}, { SLUICE_MODELS: folder });
};

describe("backtest", () => {
  test("prints a table and a sentence, and leaves both reports", async () => {
    const { code, out, asked } = await ask("small");
    expect(code).toBe(0);
    expect(out).toMatch(/^month +candles +hit rate +log-loss/);
    expect(out).toMatch(/^all +200 /m);
    expect(out).toContain("trained every 100 candles");
    expect(out).toMatch(/(No skill shown|Worse than a baseline|Better than)[^\n]*$/);
    expect(asked[1]).toContain("after=page-2");
    const json = JSON.parse(readFileSync(join(folder, "backtest-small.json"), "utf8"));
    expect(json.answers.slots).toHaveLength(200);
    expect(readFileSync(join(folder, "backtest-small.html"), "utf8")).toContain("small");
  });

  test("--json prints what the file holds; span, cadence and cost are as asked", async () => {
    const span = ["--from", "2025-10-20", "--to", "2025-11-01T08:00:00Z"];
    const { out } = await ask("small", "--json", ...span, "--every", "7", "--cost", "0.002");
    const file = readFileSync(join(folder, "backtest-small.json"), "utf8");
    expect(JSON.parse(out)).toEqual(JSON.parse(file));
    expect(JSON.parse(out)).toMatchObject({
      from: "2025-10-20T00:00:00Z",
      to: "2025-11-01T04:00:00Z",
      retrained_every_candles: 7,
      cost: 0.002,
    });
  });

  test("an unknown model is refused with those there are", async () => {
    const { code, said } = await ask("smal");
    expect(code).toBe(1);
    expect(said).toContain('There is no model "smal".');
    expect(said).toContain("Give one of small.");
  });

  test("a folder that cannot be written is told as such", async () => {
    writeFileSync(join(folder, "small.toml"), model("small"));
    const gone = join(folder, "gone");
    const { code, said } = await run(
      ["backtest", "small", "--out", gone],
      pages(),
      {},
      {
        SLUICE_MODELS: folder,
      },
    );
    expect(code).toBe(1);
    expect(said).toContain(`cannot be written into ${gone}`);
  });

  test("a span before the history is told as such", async () => {
    const { code, said } = await ask("small", "--from", "2025-07-02", "--to", "2025-07-20");
    expect(code).toBe(1);
    expect(said).toContain("401 must come before the first");
  });
});
