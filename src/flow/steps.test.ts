import { expect, test } from "bun:test";
import type { MarketFile } from "../models.ts";
import { parseModel } from "../models.ts";
import { type Instant, iso, newestClosed, UNIT_MS } from "../types.ts";
import type { StepContext } from "./pipeline.ts";
import { type StepDeps, stepsOf } from "./steps.ts";

const SLOT = Date.parse("2025-07-01T00:00:00Z");
const btc = parseModel(
  "btc.toml",
  `name = "btc"
kind = "market"
[collect]
market = "KRW-BTC"
others = ["KRW-ETH"]
since = "2024-01-01"
[schedule]
cron = "0 0 */4 * * *"
[train]
trainers = ["logistic"]
[evaluate]
fold_candles = 126
min_train_candles = 300
candles = 500
[promote]
rule = "better"
`,
) as MarketFile;

/** The instant for which the step verifies, given what the step before says it brought. */
async function verifiedAt(collected: Record<string, unknown>, now: Instant): Promise<Instant> {
  const asked: Instant[] = [];
  const deps = {
    clock: { now: () => now },
    verify: async (_model: MarketFile, at: Instant) => {
      asked.push(at);
      return [];
    },
  } as unknown as StepDeps;
  const verify = stepsOf(btc, deps).find(({ name }) => name === "verify")!;
  const context = { results: { collect: collected }, say: async () => {} };
  await verify.run(context as unknown as StepContext);
  return asked[0]!;
}

test("a candle that closed after it was collected is not what a run is verified for", async () => {
  const last = SLOT - UNIT_MS;
  const collected = { "KRW-BTC": { to: last }, "KRW-ETH": { to: last + UNIT_MS } };
  // Two slots later: the run was slow, or was resumed.
  const at = await verifiedAt(collected, SLOT + 2 * UNIT_MS + 60_000);
  expect(iso(newestClosed(at))).toBe(iso(last));
});

test("where the step before does not tell what it brought, it is the clock's", async () => {
  const now = SLOT + 60_000;
  expect(await verifiedAt({}, now)).toBe(now);
  expect(await verifiedAt({ "KRW-BTC": { to: SLOT } }, now)).toBe(now);
});
