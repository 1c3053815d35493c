/*
 * The data commands: collect and verify.
 */
import { backfillPipeline } from "../flow/control.ts";
import { type ModelFile, marketModels, readModels } from "../models.ts";
import { type Instant, iso } from "../types.ts";
import type { IdAnswer, PipelineRunAnswer, VerifyAnswer } from "./answers.ts";
import { assertSucceeded, followRun } from "./follow.ts";
import { numberText, renderTable, timeText } from "./format.ts";
import type { Io, JsonOption } from "./io.ts";
import { type Session, withSession } from "./session.ts";

export interface CollectOptions extends JsonOption {
  readonly market?: string;
  readonly since?: Instant;
}

export interface VerifyOptions extends JsonOption {
  readonly market?: string;
}

/** Collects every market of the models (or the one named) up to now and prints what came. */
export const collect = (io: Io, options: CollectOptions): Promise<number> =>
  withSession(io, async (session) => {
    const since = sinceOfMarkets(readModels(session.config.modelsFolder));
    // A market that no model names is asked for as it is: the server says what it knows.
    const markets = options.market === undefined ? [...since.keys()] : [options.market];
    const asked: { market: string; id: string }[] = [];
    for (const market of markets) {
      const from = options.since ?? since.get(market) ?? 0;
      asked.push({ market, id: await askBackfill(session, market, from) });
    }
    const runs: { market: string; run: PipelineRunAnswer }[] = [];
    for (const { market, id } of asked) {
      runs.push({ market, run: await followRun(session, backfillPipeline(market), id) });
    }
    const results = runs.map(({ market, run }) => ({
      market,
      status: run.status,
      ...run.steps.at(-1)?.result,
    }));
    await session.print(
      options.json ? JSON.stringify({ items: results }) : collectedTable(results),
    );
    // One market that failed does not hide what became of the others.
    for (const { run } of runs) assertSucceeded(run);
    return 0;
  });

/** The server ends it at the newest closed candle: only the exchange's clock knows which. */
const END_OF_TIME = "9999-12-31T00:00:00Z";

/** Asks for the candles of a market from `from` to now; the id of the run. */
async function askBackfill(session: Session, market: string, from: Instant): Promise<string> {
  const { id } = await session.call<IdAnswer>("POST", "/admin/backfill", {
    market,
    from: iso(from),
    to: END_OF_TIME,
  });
  return id;
}

/** The earliest instant that any model wants of each market. */
export function sinceOfMarkets(models: ReadonlyMap<string, ModelFile>): Map<string, Instant> {
  const since = new Map<string, Instant>();
  for (const { collect } of marketModels(models)) {
    for (const market of [collect.market, ...collect.others]) {
      since.set(market, Math.min(collect.since, since.get(market) ?? collect.since));
    }
  }
  return since;
}

function collectedTable(results: readonly Readonly<Record<string, unknown>>[]): string {
  const columns = ["stored", "revised", "quarantined", "requests"];
  return renderTable(
    [
      { title: "market" },
      { title: "status" },
      ...columns.map((title) => ({ title, align: "right" as const })),
    ],
    results.map((result) => [
      String(result["market"]),
      String(result["status"]),
      ...columns.map((name) => numberText(result[name] as number | null | undefined, 15)),
    ]),
    "Nothing was collected.",
  );
}

/** Prints the verdicts on what is stored; exit code 1 when one is `fail`. */
export const verify = (io: Io, { market, json }: VerifyOptions): Promise<number> =>
  withSession(io, async (session) => {
    const query = market === undefined ? "" : `?market=${encodeURIComponent(market)}`;
    const answer = await session.call<VerifyAnswer>("GET", `/admin/verify${query}`);
    await session.print(json ? JSON.stringify(answer) : verdictText(answer.items));
    return answer.items.some((report) => report.verdict === "fail") ? 1 : 0;
  });

function verdictText(reports: VerifyAnswer["items"]): string {
  const table = renderTable(
    [{ title: "market" }, { title: "verdict" }, { title: "from" }, { title: "to" }],
    reports.map((r) => [r.market, r.verdict, timeText(r.from), timeText(r.to)]),
    "Nothing is stored yet.",
  );
  const findings = reports.flatMap((report) =>
    report.checks
      .filter((check) => check.verdict !== "pass")
      .map((check) => [check.verdict, report.market, check.name, check.detail]),
  );
  if (findings.length === 0) return table;
  const columns = ["verdict", "market", "check", "found"].map((title) => ({ title }));
  return `${table}\n\n${renderTable(columns, findings)}`;
}
