/*
 * The dashboard's script, run without a browser: its parts take answers of the routes and give
 * text, and its start is tried on a document of a few lines.
 */
import { describe, expect, test } from "bun:test";
import { dashboardPage } from "./dashboard.ts";
import { type Answers, expectWhole, openPage, scriptOf } from "./testing.ts";

const page = dashboardPage(false).text;
const script = scriptOf(page);
const browser = (answer: Answers) => openPage(script, answer);

type Part = (...given: unknown[]) => { text: string };
const NAMES = [
  "html",
  "modelCard",
  "forecastCard",
  "chart",
  "forecastTable",
  "runTable",
  "liveTable",
  "moveTable",
];

const parts = new Function(`${script}; return { ${NAMES.join(", ")} };`)() as Record<string, Part>;
const part = (name: string, ...given: unknown[]): string => parts[name]!(...given).text;

const EVIL = `<img src=x onerror="alert('1')">`;

const model = {
  name: "btc",
  market: "KRW-BTC",
  champion: { version: 3, digest: "d", since: "2025-01-01T04:00:10Z" },
  trouble: null,
  schedule: { cron: "x", next: "2025-01-01T08:00:00Z", paused: false },
  last_run: { id: "r", slot: "2025-01-01T04:00:00Z", status: "succeeded", reason: null },
  live: { n: 10, hit_rate: 0.6, log_loss: 0.68, baselines: { base_rate: 0.52, contrarian: null } },
};

const forecast = {
  model: { version: 3 },
  made_at: "2025-01-01T04:00:10Z",
  last_closed: { start: "2025-01-01T00:00:00Z", close: 100 },
  target: { start: "2025-01-01T04:00:00Z", close: "2025-01-01T08:00:00Z" },
  up: 0.553,
  quantiles: { p10: 98, p50: 100.1, p90: 102 },
  skill: { log_loss: 0.69, baseline_log_loss: 0.7, better: true },
  abstain: null,
};

const candle = (i: number) => ({
  start: new Date(Date.UTC(2025, 0, 1, 4 * i)).toISOString(),
  ...{ open: 100, high: 110 + i, low: 90, close: 100 + i },
});

describe("the page", () => {
  test("has everything in it", () => {
    expectWhole(page);
    expect(page).toContain("color-scheme: light dark");
  });

  test("says SIMULATED only where it is", () => {
    expect(dashboardPage(true).text).toContain("SIMULATED: an invented exchange");
    expect(dashboardPage(true).text).toContain("<title>Sluice (SIMULATED)");
    expect(page).not.toContain("SIMULATED");
  });
});

describe("its parts", () => {
  test("a template escapes whatever is not a template's", () => {
    const { text } = parts["html"]!(["<p>", "</p>"], EVIL);
    expect(text).not.toContain("<img");
    expect(text).toContain("&#60;img");
  });

  test("no text of an answer becomes markup", () => {
    const evil = {
      ...model,
      ...{ name: EVIL, market: EVIL, trouble: { code: EVIL, detail: EVIL } },
      last_run: { ...model.last_run, status: EVIL },
    };
    const run = { id: "r", slot: EVIL, kind: EVIL, status: EVIL, reason: EVIL, detail: EVIL };
    const steps = new Map([["r", [{ step: EVIL, status: EVIL, log: [EVIL] }]]]);
    const abstaining = { ...forecast, abstain: { reason: EVIL, detail: EVIL } };
    const texts = [
      part("modelCard", evil, true),
      part("forecastCard", null, EVIL),
      part("forecastCard", abstaining, null),
      part("runTable", [run], steps),
      part("moveTable", [{ at: "2025-01-01T04:00:10Z", alias: EVIL, to: 2, reason: EVIL }]),
      part("liveTable", { ...model.live, baselines: { [EVIL]: 0.5 } }),
      part("chart", [{ ...candle(0), start: EVIL }], null),
    ];
    for (const text of texts) expect(text).not.toContain("<img");
  });

  test("a model tells its champion, its record against the best baseline, and its trouble", () => {
    const text = part("modelCard", model, true);
    expect(text).toContain("version 3");
    expect(text).toContain("60.0 %");
    expect(text).toContain("base rate 52.0 %");
    expect(text).toContain('aria-pressed="true"');
    const bare = { ...model, champion: null, last_run: null, live: { ...model.live, n: 0 } };
    expect(part("modelCard", bare, false)).toContain("no champion");
  });

  test("a table has no market, no candles to be right about, and runs when asked", () => {
    const text = part("modelCard", { ...model, kind: "table", market: null, schedule: null }, true);
    expect(text).toContain("table");
    expect(text).toContain("runs when asked");
    expect(text).not.toContain("hit rate");
    expect(text).not.toContain("null");
  });

  test("a forecast tells its chance and range, or why it abstains", () => {
    const text = part("forecastCard", forecast, null);
    expect(text).toContain("55.3 % up");
    expect(text).toContain("p10 98.0, p50 100.1, p90 102.0");
    const abstain = { reason: "stale_candles", detail: "The candle is not collected yet." };
    expect(
      part("forecastCard", { ...forecast, up: null, quantiles: null, abstain }, null),
    ).toContain("The candle is not collected yet.");
    expect(part("forecastCard", null, "Model btc has no champion yet.")).toContain(
      "no champion yet",
    );
  });

  test("the chart draws each candle inside its frame", () => {
    const candles = Array.from({ length: 60 }, (_, i) => candle(i));
    const text = part("chart", candles, forecast);
    expect(text.match(/<g fill/g)?.length).toBe(60);
    expect(text).not.toContain("NaN");
    for (const [, y] of text.matchAll(/ y="([-\d.e]+)"/g)) {
      expect(Number(y)).toBeGreaterThanOrEqual(9.9);
      expect(Number(y)).toBeLessThanOrEqual(216);
    }
    const flat = { ...candle(0), open: 100, high: 100, low: 100, close: 100 };
    expect(part("chart", [flat], null)).not.toMatch(/NaN|Infinity/);
    expect(part("chart", [], null)).toContain("No candles");
  });

  test("past forecasts are marked by what came of them", () => {
    const came = (direction: string) => ({ direction, return: 0.012, at: null });
    const text = part("forecastTable", [
      { ...forecast, outcome: null },
      { ...forecast, outcome: came("up") },
      { ...forecast, outcome: came("down") },
      { ...forecast, outcome: came("no_candle") },
    ]);
    expect(text).toContain("open");
    expect(text).toContain("up ✓");
    expect(text).toContain("down ✗");
    expect(text).toContain("no candle");
    expect(text).toContain("1.20 %");
  });
});

describe("its start", () => {
  const answers = (path: string): unknown => {
    if (path === "/v1/models") return { items: [model] };
    if (path.includes("/forecasts")) return { items: [{ ...forecast, outcome: null }] };
    if (path.includes("/forecast")) return forecast;
    if (path.includes("/candles/")) return { items: [candle(0), candle(1)] };
    if (path.includes("/runs/"))
      return { steps: [{ step: "collect", status: "succeeded", log: [] }] };
    return { items: [{ ...model.last_run, kind: "slot", detail: null }] };
  };

  test("shows the first model with everything", async () => {
    const { element, asked } = browser((path) => [200, answers(path)]);
    await Bun.sleep(20);
    expect(String(element("models")["innerHTML"])).toContain("version 3");
    const detail = String(element("detail")["innerHTML"]);
    for (const text of ["55.3 % up", "<svg", "collect", "Recent forecasts"])
      expect(detail).toContain(text);
    expect(asked).toContain("/v1/candles/KRW-BTC?limit=100&from=2024-12-17T04%3A00%3A00.000Z");
  });

  test("asks for a token where one is needed, keeps it, and sends it", async () => {
    const { element, listeners } = browser((path, token) =>
      token === "Bearer secret"
        ? [200, answers(path)]
        : [401, { detail: "This route needs a token." }],
    );
    await Bun.sleep(10);
    expect(element("ask")["hidden"]).toBe(false);
    expect(element("why")["textContent"]).toBe("This route needs a token.");
    element("token")["value"] = " secret ";
    listeners.get("ask submit")!({ preventDefault: () => {} });
    await Bun.sleep(20);
    expect(element("ask")["hidden"]).toBe(true);
    expect(element("token")["value"]).toBe("");
    expect(String(element("models")["innerHTML"])).toContain("version 3");
  });

  test("a server that is starting is waited for", async () => {
    const { element } = browser(() => [503, { detail: "The server is starting." }]);
    await Bun.sleep(10);
    expect(element("said")["textContent"]).toBe("The server is starting.");
    expect(element("ask")["hidden"]).toBe(true);
  });

  test("what MLflow's clients tell as the address of a run leads to it", () => {
    const open = (hash: string) => openPage(script, () => [503, {}], hash).location.replaced;
    expect(open("#/experiments/1/runs/abc")).toBe("/runs#/experiments/1/runs/abc");
    expect(open("")).toBeNull();
  });
});
