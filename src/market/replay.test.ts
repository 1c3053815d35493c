/*
 * The story of a back-fill over a year of real candles, with everything going wrong on the way.
 * It needs the replay of the exchange and its data beside the repository.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { iso } from "../types.ts";
import { makeClient } from "./client.ts";
import { makeCollector } from "./collect.ts";
import { memoryStore } from "./fixture.ts";
import { makeLimiter } from "./limiter.ts";
import { verifyMarket } from "./verify.ts";

const SHARED = new URL("../../../shared/", import.meta.url).pathname;
const REPLAY = `${SHARED}tools/upbit-replay.ts`;
const NOW = Date.parse("2023-12-20T00:00:05Z");
const SINCE = Date.parse("2022-12-01T00:00:00Z");
const MARKETS = ["KRW-BTC", "KRW-ETH", "KRW-ADA"];
const [BTC, ETH, ADA] = MARKETS as [string, string, string];

const present = existsSync(REPLAY);
if (!present) console.log("2 tests skipped: no ../shared");

type Values = [open: number, high: number, low: number, close: number, volume: number];

/** What the exchange really had, by start. */
function truthOf(market: string): Map<number, Values> {
  const file = readFileSync(`${SHARED}data/upbit/${market.toLowerCase()}-240m.csv.gz`);
  const lines = gunzipSync(file).toString().trim().split("\n").slice(1);
  const rows = lines.map((line): [number, Values] => {
    const [time, o, h, l, c, , volume] = line.split(",");
    return [Date.parse(`${time}Z`), [o, h, l, c, volume].map(Number) as Values];
  });
  return new Map(rows.filter(([start]) => start + 4 * 3_600_000 < NOW));
}

describe.skipIf(!present)("the replay", () => {
  let url = "";
  let child: Bun.Subprocess<"ignore", "pipe", "ignore">;
  let memory: Awaited<ReturnType<typeof memoryStore>>;
  beforeAll(async () => {
    child = Bun.spawn([process.execPath, REPLAY, "--port", "0", "--now", iso(NOW)], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
    });
    const { value } = await child.stdout.getReader().read();
    url = (JSON.parse(new TextDecoder().decode(value)) as { url: string }).url;
    memory = await memoryStore();
  });
  afterAll(async () => {
    child.kill();
    await memory.close();
  });

  const control = (order: object) =>
    fetch(`${url}/__control`, { method: "POST", body: JSON.stringify(order) });
  const stats = async () =>
    (await (await fetch(`${url}/__stats`)).json()) as Record<string, number>;

  function rig() {
    const client = makeClient({ url, limiter: makeLimiter(), timeoutMs: 2_000 });
    const { store } = memory;
    const collector = makeCollector({ client, store, clock: { now: () => NOW } });
    const collectAll = () =>
      Promise.allSettled(MARKETS.map((m) => collector.collect(m, { since: SINCE })));
    return { client, store, collector, collectAll };
  }

  test("three markets under every fault end as they really were", async () => {
    const { store, collector, collectAll } = rig();
    const wire = ["429", "500", "503-html", "empty-body", "truncated-json", "not-an-array"];
    const lasting = [
      { kind: "drop", market: BTC, at: "2023-05-01T00:00:00" },
      { kind: "drop", market: BTC, at: "2023-12-19T16:00:00" },
      { kind: "revise", market: BTC, at: "2023-06-01T00:00:00" },
      { kind: "duplicate", market: BTC, at: "2023-06-02T00:00:00" },
      { kind: "high-below-low", market: ETH, at: "2023-06-03T00:00:00" },
      { kind: "null-price", market: ETH, at: "2023-06-04T00:00:00" },
      { kind: "negative-volume", market: ETH, at: "2023-06-05T00:00:00" },
      { kind: "off-grid", market: ADA, at: "2023-06-06T00:00:00" },
      { kind: "kst-mismatch", market: ADA, at: "2023-06-07T00:00:00" },
    ];
    await control({
      faults: [
        ...wire.map((kind) => ({ kind })),
        { kind: "418", ms: 1_000 },
        ...[{ kind: "reset" }, { kind: "slow", ms: 300 }],
        ...lasting.map((fault) => ({ ...fault, times: -1 })),
      ],
    });
    const first = await collectAll();
    expect(first.map((r) => r.status)).toEqual(MARKETS.map(() => "fulfilled"));
    await control({ faults: [] });
    // One answer each: a page of another market, and pages the wrong way round.
    await control({ faults: ["unsorted", "wrong-market"].map((kind) => ({ kind, market: ADA })) });
    await control({ faults: [{ kind: "unsorted", market: BTC }] });

    await collectAll();
    for (const market of MARKETS) {
      while (!(await collector.audit(market)).done);
    }
    for (const market of MARKETS) {
      const candles = await store.read(market);
      const values = candles.map((c) => [c.start, [c.open, c.high, c.low, c.close, c.volume]]);
      expect(values).toEqual([...truthOf(market)] as never);
      const gap = await store.holesOf(market, {}, ["unknown", "confirmed_empty"]);
      expect(gap.map((h) => `${iso(h.start)} ${h.state}`)).toEqual([
        "2023-12-03T16:00:00Z confirmed_empty",
      ]);
      expect((await store.stateOf(market)).firstStart).toBe(candles[0]?.start as number);
      const report = await verifyMarket(store, market, { since: SINCE, now: NOW });
      expect(report.verdict).not.toBe("fail");
    }

    const revised = Date.parse("2023-06-01T00:00:00Z");
    const versions = await store.revisionsOf(BTC);
    expect(versions.map((v) => v.candle.start)).toEqual([revised]);
    expect(versions[0]?.candle.close).not.toBe(truthOf(BTC).get(revised)?.[3] as number);
    const reasons = async (market: string) =>
      new Set((await store.quarantined({ market, limit: 1_000 })).map((row) => row.reason));
    expect(await reasons(ETH)).toEqual(new Set(["bad_range", "wrong_shape", "bad_amount"]));
    expect([...(await reasons(ADA))].sort()).toEqual(["kst_mismatch", "off_grid", "wrong_market"]);
    expect(await reasons(BTC)).toEqual(new Set());
    const { peakPerSecond, withOrigin, withAuthorization } = await stats();
    expect(peakPerSecond).toBeLessThanOrEqual(10);
    expect({ withOrigin, withAuthorization }).toEqual({ withOrigin: 0, withAuthorization: 0 });
  }, 60_000);

  test("a market that is not there, and the time", async () => {
    const { client, store, collector } = rig();
    const gone = collector.collect("KRW-NOPE", { since: SINCE });
    await expect(gone).rejects.toMatchObject({ code: "upstream_rejected", status: 404 });
    expect((await store.stateOf("KRW-NOPE")).trouble).toContain("Code not found");
    expect(await client.serverTime()).toBe(NOW);
  });
});
