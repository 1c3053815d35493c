/*
 * The models that come with the program against three years of real candles, replayed with the
 * exchange's own manners and every fault it is known for. Only where the replay's data is.
 */
import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LONG_MS, stopwatch, until } from "../src/testing.ts";
import { iso, slotOf, UNIT_MS } from "../src/types.ts";
import { askCandles, askForecast, askForecasts, askModel, askPipelineRuns } from "./ask.ts";
import { type Served, serve } from "./served.ts";
import { only, stores } from "./stores.ts";
import type { CandleView } from "./story.ts";

const FILE = "replay.test.ts";
const shared = join(import.meta.dir, "..", "..", "shared");
const there = existsSync(join(shared, "tools", "upbit-replay.ts"));
stores();
if (!there) console.log(`skipped: no ../shared (1 story of ${FILE})`);

const MODELS = { btc: "KRW-BTC", eth: "KRW-ETH", ada: "KRW-ADA" } as const;
type Name = keyof typeof MODELS;
const names = Object.keys(MODELS) as Name[];
const BEGIN = Date.parse("2025-06-01T00:00:00Z");
const SINCE = "2022-01-01T00:00:00Z";
const FAULTS = [
  ...["429", "418", "500", "503-html", "empty-body", "truncated-json", "not-an-array", "reset"],
  ...["slow", "stall", "redirect", "drop", "duplicate", "revise", "high-below-low", "null-price"],
  ...["negative-volume", "off-grid", "wrong-market", "unsorted", "kst-mismatch"],
];

test.skipIf(!there)(
  `three years of real candles, with every fault on the way ${only("embedded", "it is the exchange that is tried, and it takes minutes")}`,
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-story-"));
    const replay = await startReplay();
    const watch = stopwatch();
    try {
      const app = await serve({
        cwd: folder,
        env: { UPBIT_URL: replay.url, SLUICE_CLOCK: "exchange" },
      });
      const fed = feed(replay);
      await app.ready(600_000);
      expect(await fed).toBe(FAULTS.length);
      await settled(app, BEGIN);
      await expectForecasts(app, BEGIN);
      // What a fault spoiled is put right by the second look.
      await until(
        async () => {
          for (const name of names)
            expect(await storedOf(app, name, BEGIN)).toEqual(truth(name, BEGIN));
          return true;
        },
        600_000,
        "every candle is that of the data",
        500,
      );

      for (let i = 1; i <= 2; i++) {
        await replay.control({ advance: "4h" });
        const slot = BEGIN + i * UNIT_MS;
        await settled(app, slot);
        await expectForecasts(app, slot);
      }
      for (const name of names) {
        const rows = truth(name, BEGIN + 2 * UNIT_MS);
        expect(await storedOf(app, name, BEGIN + 2 * UNIT_MS)).toEqual(rows);
        const { items } = await askForecasts(app, name);
        const joined = items.filter((item) => item.outcome !== null);
        expect(new Set(joined.map((item) => item.target.start)).size).toBe(2);
        for (const { target, outcome } of joined) {
          const at = rows.findIndex((row) => row.start === target.start);
          const moved = Math.log(rows[at]!.close / rows[at - 1]!.close);
          expect(outcome?.return).toBeCloseTo(moved, 12);
        }
        expect((await askModel(app, name)).live.n).toBe(2);
        expect((await askPipelineRuns(app, name)).items).toHaveLength(3);
      }
      const stats = await replay.stats();
      // Counted where they arrive: those that waited for a busy machine come in one moment.
      expect(stats.peakPerSecond).toBeLessThanOrEqual(watch.promised(10));
      expect(stats.withOrigin).toBe(0);
      expect(stats.withAuthorization).toBe(0);
      expect(await app.stop()).toBe(0);
    } finally {
      await replay.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
  1_200_000,
);

interface Stats {
  readonly peakPerSecond: number;
  readonly withOrigin: number;
  readonly withAuthorization: number;
  readonly faultsLeft: number;
}

async function startReplay() {
  const now = iso(BEGIN + 5_000);
  const script = join(shared, "tools", "upbit-replay.ts");
  const child = Bun.spawn([process.execPath, script, "--port", "0", "--now", now], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  let text = "";
  for await (const chunk of child.stdout) {
    text += new TextDecoder().decode(chunk);
    if (text.includes("\n")) break;
  }
  const { url } = JSON.parse(text.split("\n")[0] ?? "") as { url: string };
  return {
    url,
    control: async (order: object) => {
      const init = { method: "POST", body: JSON.stringify(order) };
      expect((await fetch(`${url}/__control`, init)).ok).toBe(true);
    },
    stats: async () => (await (await fetch(`${url}/__stats`)).json()) as Stats,
    stop: async () => {
      child.kill();
      await child.exited;
    },
  };
}

/** Each fault once, one after the other, each in an answer of its own; how many were met. */
async function feed(replay: Awaited<ReturnType<typeof startReplay>>): Promise<number> {
  let met = 0;
  for (const kind of FAULTS) {
    await replay.control({ faults: [{ kind, ms: 1_000 }] });
    const gone = async () => (await replay.stats()).faultsLeft === 0;
    await until(gone, LONG_MS, `the fault ${kind} was met`, 20);
    met++;
  }
  return met;
}

async function settled(app: Served, slot: number): Promise<void> {
  const done = async (name: Name) => {
    const { items } = await askPipelineRuns(app, name);
    return items[0]?.slot === iso(slot) && items[0].status === "succeeded";
  };
  await until(
    async () => (await Promise.all(names.map(done))).every(Boolean),
    600_000,
    `every pipeline succeeded for ${iso(slot)}`,
  );
}

/** Each model tells of the candle that has just opened, from the last that closed. */
async function expectForecasts(app: Served, slot: number): Promise<void> {
  for (const name of names) {
    const forecast = await askForecast(app, name);
    expect(forecast.abstain).toBeNull();
    expect(forecast.target).toEqual({ start: iso(slot), close: iso(slot + UNIT_MS) });
    const last = truth(name, slot).at(-1)!;
    expect(forecast.last_closed).toEqual({ start: last.start, close: last.close });
    expect(forecast.up).toBeGreaterThan(0.2);
    expect(forecast.up).toBeLessThan(0.8);
    const { p10, p90 } = forecast.quantiles!;
    expect(p10).toBeLessThan(last.close);
    expect(p90).toBeGreaterThan(last.close);
  }
}

const files = new Map<Name, CandleView[]>();

/** The data's candles that start before `to`, as answers show them. */
function truth(name: Name, to: number): CandleView[] {
  const rows = files.get(name) ?? readFile(name);
  files.set(name, rows);
  return rows.filter((row) => Date.parse(row.start) < to);
}

function readFile(name: Name): CandleView[] {
  const file = join(shared, "data", "upbit", `${MODELS[name].toLowerCase()}-240m.csv.gz`);
  const text = Bun.gunzipSync(readFileSync(file));
  const [, ...lines] = new TextDecoder().decode(text).trim().split("\n");
  return lines
    .map((line) => {
      const [time = "", ...cells] = line.split(",");
      const [open = 0, high = 0, low = 0, close = 0, , volume = 0] = cells.map(Number);
      // The data has no turnover; the replay makes it of the others.
      const turnover = (volume * (open + high + low + close)) / 4;
      return { start: iso(Date.parse(`${time}Z`)), open, high, low, close, volume, turnover };
    })
    .filter((row) => row.start >= SINCE);
}

async function storedOf(app: Served, name: Name, to: number): Promise<CandleView[]> {
  const items: CandleView[] = [];
  for (let next: string | null = ""; next !== null; ) {
    const after: string = next === "" ? "" : `&after=${next}`;
    const page = await askCandles(app, MODELS[name], `to=${iso(slotOf(to))}${after}`);
    items.push(...page.items);
    next = page.next;
  }
  return items;
}
