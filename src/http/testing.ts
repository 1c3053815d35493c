/*
 * Services for tests of the routes: everything is in memory, nothing is there but what a test
 * puts in, and what was asked for is noted.
 */
import type { Config } from "../config.ts";
import { SluiceError } from "../errors.ts";
import type { ModelFile } from "../models.ts";
import type { Moved, Pointer } from "../registry/promotion.ts";
import type { WholeRun } from "../registry/run-list.ts";
import type { Version } from "../registry/version-rows.ts";
import type { View } from "../serve/aliases.ts";
import type { Champion } from "../serve/champions.ts";
import type { ForecastAnswer } from "../serve/forecast.ts";
import type { Pool } from "../serve/pool.ts";
import type { Remember } from "../serve/remember.ts";
import { makeServed } from "../serve/versions.ts";
import type { Hole, QuarantinedRow } from "../store/candles.ts";
import type { ForecastRow } from "../store/forecasts.ts";
import type { PipelineRun, Step } from "../store/pipeline-runs.ts";
import type { TableImport } from "../store/tables.ts";
import type { Scope } from "../store/token.ts";
import type { TokenInfo } from "../store/tokens.ts";
import { type Candle, UNIT_MS } from "../types.ts";
import { type App, type AppDeps, makeApp } from "./app.ts";
import * as fixture from "./fixture.ts";
import type { Check, HttpServices } from "./services.ts";

export * from "./fixture.ts";

const { ADMIN, config, DIGEST, moved, NOW, pipelineRun, SLOT, tokenOf } = fixture;

/** What the fakes hold; a test changes it as it likes. */
export interface World {
  models: Map<string, ModelFile>;
  imports: TableImport[];
  champion: Champion | null;
  /** Names of models that have a champion, where those are not the models themselves. */
  champions?: string[];
  pool: Pick<Pool, "use">;
  trouble: SluiceError | null;
  view: View;
  checks: Check[];
  forecast: () => Promise<ForecastAnswer>;
  remember: Remember | null;
  forecasts: ForecastRow[];
  candles: Candle[];
  holes: Hole[];
  quarantine: QuarantinedRow[];
  runs: WholeRun[];
  artifacts: Map<string, Uint8Array>;
  versions: Version[];
  /** Names that the registry knows, with a model file or without. */
  registered: string[];
  /** Where aliases point, as last read. */
  pointers: Pointer[];
  pipelineRuns: PipelineRun[];
  steps: Step[];
  paused: Set<string>;
  tokens: Map<string, TokenInfo>;
  /** How often a token was looked up. */
  lookups: number;
  /** What operations and control were asked for, in order. */
  asked: unknown[][];
  promote: () => Promise<Moved>;
}

/** A world with one model, one version that serves, and one finished run. */
export const makeWorld = (): World => ({
  models: new Map([["btc", fixture.btcModel]]),
  imports: [],
  champion: fixture.fakeChampion(),
  pool: { use: () => Promise.reject(refuse("object_missing", 500)) },
  trouble: null,
  view: { ageMs: 400, blind: null },
  checks: [{ name: "database", ok: true, detail: "answers" }],
  forecast: async () => fixture.forecastAnswer,
  remember: null,
  forecasts: [],
  candles: Array.from({ length: 6 }, (_, i) => fixture.candleAt(SLOT - (6 - i) * UNIT_MS, 100 + i)),
  holes: [],
  quarantine: [],
  runs: [fixture.run],
  artifacts: new Map([["plots/roc.svg", new TextEncoder().encode("<svg/>")]]),
  versions: [fixture.version],
  registered: [],
  pointers: [fixture.pointerTo(5, "challenger")],
  pipelineRuns: [pipelineRun],
  steps: [fixture.step],
  paused: new Set(),
  tokens: new Map(),
  lookups: 0,
  asked: [],
  promote: async () => moved,
});

/** Gives the world a live token of these scopes and returns it. */
export function grant(world: World, letter: string, scopes: readonly Scope[]): string {
  const name = `token-${letter}`;
  world.tokens.set(tokenOf(letter), { name, scopes, createdAt: NOW, revokedAt: null });
  return tokenOf(letter);
}

const refuse = (code: string, status: number): SluiceError =>
  new SluiceError({ code, status, detail: `${code} was thrown by the fake.` });

/** Services over a world. */
export function servicesOf(world: World): HttpServices {
  const { models } = world;
  const note = <T>(answer: T, ...what: unknown[]): T => {
    world.asked.push(what);
    return answer;
  };
  const champions: HttpServices["champions"] = {
    use: async (_, work) => {
      if (world.champion === null) throw refuse("not_ready", 503);
      return work(world.champion);
    },
    state: (model) => ({
      champion: models.has(model) ? world.champion : null,
      trouble: world.trouble,
    }),
    view: () => world.view,
    names: () => world.champions ?? (world.champion === null ? [] : [...models.keys()]),
  };
  const versions: HttpServices["versions"] = {
    version: async (_, number) => world.versions.find((v) => v.version === number) ?? null,
    versions: async (_, { limit }) => ({ items: world.versions.slice(0, limit), next: null }),
    names: async () => world.registered,
    isRegistered: async (name) => world.registered.includes(name),
  };
  return {
    config,
    clock: { now: () => NOW },
    log: { info: () => {}, warn: () => {}, error: () => {} },
    models,
    champions,
    served: makeServed({
      models,
      champions: {
        ...champions,
        pointer: (_, alias) => {
          const found = world.pointers.find((row) => row.alias === alias) ?? null;
          const digest = world.versions.find((v) => v.version === found?.version)?.digest;
          return found === null || digest === undefined ? found : { ...found, digest };
        },
        aliases: (model) => (models.has(model) ? world.pointers.map((row) => row.alias) : []),
      },
      pool: { use: (digest, work) => world.pool.use(digest, work) },
      versions,
    }),
    pool: { held: () => [], bytes: () => 0 },
    remember: world.remember,
    forecaster: {
      forecast: async (name, _, isExplained) => {
        if (!models.has(name)) throw refuse("unknown_model", 404);
        const explained = { base: 0, contributions: { ret_1: 0.2 } };
        return { ...(await world.forecast()), ...(isExplained ? explained : {}) };
      },
    },
    forecasts: {
      record: async () => ({
        ...{ n: 10, hit_rate: 0.6, log_loss: 0.68 },
        baselines: { base_rate: 0.5, last_direction: null },
      }),
      list: async (_, limit, before) =>
        world.forecasts
          .filter((row) => before === null || row.targetStart < before.targetStart)
          .slice(0, limit),
    },
    candles: {
      read: async (market, { from = 0, to = Number.POSITIVE_INFINITY, limit, ...rest } = {}) =>
        note(
          world.candles
            .filter((c) => c.market === market && c.start >= from && c.start < to)
            .slice(0, limit),
          "read",
          rest,
        ),
      holesOf: async (_, { from = 0, to = Number.POSITIVE_INFINITY } = {}, states = []) =>
        world.holes.filter((h) => h.start >= from && h.start < to && states.includes(h.state)),
      newest: async (market) => world.candles.findLast((c) => c.market === market)?.start ?? null,
      quarantined: async ({ limit = 100, before = Number.POSITIVE_INFINITY } = {}) =>
        world.quarantine.filter((row) => row.id < before).slice(0, limit),
    },
    tracking: {
      run: async (id) => world.runs.find((r) => r.runId === id) ?? null,
      runs: async ({ limit }) => ({ items: world.runs.slice(0, limit), next: null }),
      readPieces: async (_, path) => {
        const bytes = world.artifacts.get(path);
        if (bytes === undefined) throw refuse("unknown_artifact", 404);
        return (async function* () {
          yield bytes;
        })();
      },
    },
    // What speaks the protocol is tried over a database: mlflow/testing.ts.
    mlflow: null as unknown as HttpServices["mlflow"],
    versions,
    promotion: {
      champion: async () =>
        world.champion === null
          ? null
          : { version: world.champion.version, digest: DIGEST, since: NOW },
      aliases: async () => [{ name: "btc", alias: "challenger", version: 5, since: NOW }],
      history: async () =>
        [2, 1].map((id) => ({
          ...{ id, name: "btc", alias: "champion", fromVersion: id, toVersion: id + 1, at: NOW },
          ...{ actor: "admin", reason: "passed the gates", forced: false },
        })),
    },
    runs: {
      run: async (id) => world.pipelineRuns.find((r) => r.id === id) ?? null,
      list: async (pipeline, limit, before) =>
        world.pipelineRuns
          .filter((r) => r.pipeline === pipeline && (before === null || r.slot < before.slot))
          .slice(0, limit),
      stepsOf: async (id) => world.steps.filter((s) => s.runId === id),
      paused: async () => world.paused,
    },
    imports: {
      take: async ({ model, file, part, source }) => {
        const bytes = (await Array.fromAsync(source)).reduce((n, chunk) => n + chunk.length, 0);
        return note(
          {
            ...{ id: 1, model: model.name, file, part: part ?? "train", sha256: DIGEST },
            ...{ unchanged: false, replaced: null },
            report: {
              ...{ bytes, rows: 1, stored: 1, refused: 0, blank_lines: 0, comment_lines: 0 },
              ...{ refusals: [], columns: [] },
            },
          },
          "import",
          file,
          part,
          bytes,
        );
      },
      list: async (_, limit) => world.imports.slice(0, limit),
    },
    control: {
      run: async (...what) => note(pipelineRun, "run", ...what),
      retrain: async (...what) => note(pipelineRun, "retrain", ...what),
      backfill: async (...what) => note(pipelineRun, "backfill", ...what),
      pause: async (...what) => note(undefined, "pause", ...what),
      resume: async (...what) => note(undefined, "resume", ...what),
    },
    tokens: {
      create: async (...what) => note(tokenOf("n"), "create", ...what),
      list: async () => [...world.tokens.values()],
      revoke: async (name) => {
        const found = [...world.tokens].find(([, info]) => info.name === name);
        return found !== undefined && world.tokens.delete(found[0]);
      },
      find: async (token) => {
        world.lookups++;
        return world.tokens.get(token) ?? null;
      },
    },
    operations: {
      promote: async (...what) => note(world.promote(), "promote", ...what),
      register: async ({ name, bytes, actor }) =>
        note(
          { version: { ...fixture.version, name }, unchanged: false },
          ...["register", name, bytes.length, actor],
        ),
      rollback: async (...what) => note(moved, "rollback", ...what),
      verify: async (...what) =>
        note(
          [{ market: "KRW-BTC", verdict: "pass" as const, from: SLOT, to: SLOT, checks: [] }],
          "verify",
          ...what,
        ),
    },
    retention: {
      totals: () => ({
        removed: {
          ...{ pipeline_runs: 7, forecasts: 0, quarantine: 0 },
          ...{ versions: 2, trainings: 0, datasets: 0, objects: 0, files: 0 },
        },
        freedBytes: 4_096,
      }),
    },
    sizes: async () => ({
      tables: [{ table: "candles", bytes: 81_920 }],
      artifacts: { files: 3, bytes: 300 },
    }),
    doctor: async () => [{ check: "disk", state: "ok", found: "5 GB free", fix: null }],
    backup: async (options) => {
      const bytes = async function* () {
        yield new TextEncoder().encode("a backup");
      };
      return note({ name: "sluice.tar", bytes, discard: async () => {} }, "backup", options);
    },
    adminToken: ADMIN,
    checks: () => world.checks,
  };
}

export interface TestApp {
  readonly app: App;
  readonly world: World;
  /** Every line of the log: its level, event and fields. */
  readonly lines: [string, string, Record<string, unknown>][];
  /** One request to the app; as the administrator where a token is not told. */
  ask(method: string, path: string, init?: AskInit): Promise<TestAnswer>;
}

export interface AskInit {
  readonly body?: unknown;
  /** A body as it is, with its type. */
  readonly raw?: readonly [type: string, body: BodyOf];
  /** Null: none. */
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

type BodyOf = string | Uint8Array<ArrayBuffer>;

export interface TestAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed JSON, or undefined. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely.
  readonly json: any;
}

/** An app over a world of its own. */
export function makeTestApp(
  options: Partial<Omit<AppDeps, "config">> & { world?: World; config?: Partial<Config> } = {},
): TestApp {
  const { world = makeWorld(), ...rest } = options;
  const services = servicesOf(world);
  const lines: TestApp["lines"] = [];
  const level =
    (name: string) =>
    (event: string, fields: Readonly<Record<string, unknown>> = {}) => {
      lines.push([name, event, { ...fields }]);
    };
  const app = makeApp({
    log: { info: level("info"), warn: level("warn"), error: level("error") },
    services: () => services,
    starting: () => "the database is opening",
    ...rest,
    config: { ...config, ...options.config },
  });
  const ask: TestApp["ask"] = async (method, path, init = {}) => {
    const { body, raw, token = ADMIN, headers = {} } = init;
    const sent = new Headers(headers);
    if (token !== null) sent.set("authorization", `Bearer ${token}`);
    if (raw !== undefined) sent.set("content-type", raw[0]);
    if (body !== undefined) sent.set("content-type", "application/json");
    const content = raw?.[1] ?? (body === undefined ? undefined : JSON.stringify(body));
    const response = await app.fetch(
      new Request(`http://localhost${path}`, {
        method,
        headers: sent,
        ...(content === undefined ? {} : { body: content }),
      }),
    );
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: parsed(text) };
  };
  return { app, world, lines, ask };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
