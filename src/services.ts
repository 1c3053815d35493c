/*
 * The services of a running Sluice, put together over an open database.
 */
import { availableParallelism } from "node:os";
import pLimit from "p-limit";
import { version } from "../package.json";
import type { Clock } from "./clock.ts";
import type { Config } from "./config.ts";
import { reasonOf } from "./errors.ts";
import {
  type Background,
  type BackgroundOptions,
  startBackground,
  stepNamesOf,
} from "./flow/background.ts";
import { makeControl } from "./flow/control.ts";
import { examine } from "./flow/doctor/examine.ts";
import { makeOperations } from "./flow/operations.ts";
import { makeRetentionJob } from "./flow/retention.ts";
import { rememberedSizes } from "./flow/sizes.ts";
import type { StepDeps } from "./flow/steps.ts";
import { makeTrainer, type TrainerDeps } from "./flow/trainer.ts";
import { makeTryOut } from "./flow/tryout.ts";
import { artifactsPath, backupPath, nativePath, objectsPath, workPath } from "./folder.ts";
import type { Check, HttpServices } from "./http/services.ts";
import type { Log } from "./log.ts";
import { makeClient } from "./market/client.ts";
import { makeCollector } from "./market/collect.ts";
import { makeLimiter } from "./market/limiter.ts";
import { verifyMarket } from "./market/verify.ts";
import { type ExchangeState, watchExchange } from "./market/watch.ts";
import { type ModelFile, marketModels, modelTexts } from "./models.ts";
import { publicConfig } from "./public-config.ts";
import { makeForeign } from "./registry/foreign.ts";
import { type Mlflow, makeMlflow } from "./registry/mlflow.ts";
import { namedArtifacts } from "./registry/named.ts";
import { makePromotion } from "./registry/promotion.ts";
import { makeSweep } from "./registry/sweep.ts";
import { makeTracking } from "./registry/tracking.ts";
import { makeTrainings } from "./registry/trainings.ts";
import { makeVersions } from "./registry/versions.ts";
import { type Champions, makeChampions } from "./serve/champions.ts";
import { makeForecaster } from "./serve/forecast.ts";
import { tryVersion } from "./serve/foreign.ts";
import { makePool } from "./serve/pool.ts";
import { makeRemember } from "./serve/remember.ts";
import { lazyRuntime } from "./serve/runtime.ts";
import { makeServed } from "./serve/versions.ts";
import { type RemovedFiles, removeAsides } from "./store/asides.ts";
import { takeBackup } from "./store/backup/take.ts";
import { type Cache, memoryCache, redisCache } from "./store/cache.ts";
import { makeCandleStore } from "./store/candles.ts";
import type { Database } from "./store/database.ts";
import { makeForecasts } from "./store/forecasts.ts";
import { localNotices, type Notices, postgresNotices, redisNotices } from "./store/notices.ts";
import { cachedObjects } from "./store/object-cache.ts";
import { folderObjects, s3Objects } from "./store/objects.ts";
import { makePipelineRuns } from "./store/pipeline-runs.ts";
import { makeRemovals } from "./store/retention.ts";
import { tableSizes } from "./store/sizes.ts";
import { makeTableStore } from "./store/tables.ts";
import { makeTokens } from "./store/tokens.ts";
import { makeImports } from "./table/import.ts";
import type { Instant } from "./types.ts";

export interface ServiceDeps {
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
  readonly models: ReadonlyMap<string, ModelFile>;
  readonly database: Database;
  readonly adminToken: string;
}

export interface Services {
  readonly http: HttpServices;
  /** Whether every model of a market can answer now. */
  isReady(): boolean;
  /** Starts schedule and workers; once. */
  start(options: BackgroundOptions): Promise<void>;
  /** Ends the background work and gives back what was under way. */
  stop(): Promise<void>;
  /** Closes the stores; no request may be under way. */
  close(): Promise<void>;
}

/** Whether the database answers, in its own words otherwise. */
const databaseCheck = (database: Database): Promise<Check> =>
  database.ping().then(
    () => ({ name: "database", ok: true, detail: `${database.kind} answers` }),
    (thrown) => ({ name: "database", ok: false, detail: reasonOf(thrown) }),
  );

/** A champion can answer while the exchange is away, but not before its time is known. */
const exchangeCheck = (
  { ok, detail, since }: ExchangeState,
  now: Instant,
  isNeeded: boolean,
): Check => ({
  name: "exchange",
  ok: ok === true,
  detail,
  since,
  blocking: isNeeded && now === 0,
});

/** Told where there is a Redis; without it replicas learn of a promotion a second later. */
const redisCheck = (connected: boolean | null): Check[] =>
  connected === null
    ? []
    : [
        {
          name: "redis",
          ok: connected,
          detail: connected ? "answers" : "does not answer",
          blocking: false,
        },
      ];

const WATCH_EVERY_MS = 60_000;
/** The cache that is configured, if any. */
function cacheOf({ cache, redisUrl }: Config, log: Log): Cache | null {
  if (cache === null) return null;
  if (cache.kind === "redis" && redisUrl !== null) return redisCache(redisUrl, { ...cache, log });
  return memoryCache(cache);
}

/** How replicas tell each other of moves. */
function noticesOf({ redisUrl, databaseUrl }: Config, database: Database, log: Log): Notices {
  if (redisUrl !== null) return redisNotices(redisUrl, log);
  return databaseUrl === null ? localNotices() : postgresNotices(databaseUrl, database, log);
}

/** What was written aside and never renamed is nobody's any more after this. */
const ASIDE_MS = 60 * 60_000;

async function tidyFiles(config: Config, uploads: Mlflow["uploads"]): Promise<RemovedFiles> {
  const all = [
    await removeAsides(objectsPath(config), ASIDE_MS),
    await removeAsides(nativePath(config), ASIDE_MS),
    await uploads.removeAbandoned(),
  ];
  const sum = (of: (one: RemovedFiles) => number) => all.reduce((total, one) => total + of(one), 0);
  return { removed: sum((one) => one.removed), bytes: sum((one) => one.bytes) };
}

/** In exchange-clock mode looking is what moves the time. */
const FOLLOW_EVERY_MS = 1_000;
const TRAINING_MEMORY_BYTES = 2_000_000_000;
const TRAINING_SILENCE_MS = 120_000;
/** Beyond two or three at once they only take cores from each other and from serving. */
const TRAININGS = Math.min(3, Math.max(2, availableParallelism()));

/** Opens everything over the database, which it closes again. */
export async function openServices(deps: ServiceDeps): Promise<Services> {
  const { config, log, clock, models, database } = deps;
  const runtime = lazyRuntime(config.data);
  const objects =
    config.s3 === null
      ? folderObjects(objectsPath(config))
      : s3Objects(config.s3, objectsPath(config));
  const notices = noticesOf(config, database, log);

  const cache = cacheOf(config, log);

  const markets = marketModels(models);
  const candles = makeCandleStore(database);
  const runs = makePipelineRuns(database, clock);
  const forecasts = makeForecasts(database, clock);
  const imports = makeImports({ store: makeTableStore(database), clock });
  const stores = { database, objects, clock };
  const tracking = makeTracking(stores);
  const check = (bytes: Uint8Array, name: string) => tryVersion(runtime, bytes, models.get(name));
  const versions = makeVersions({ ...stores, check: (bytes, _, name) => check(bytes, name) });
  const tryOut = makeTryOut({ workFolder: workPath(config), cacheFolder: config.data });
  /** Of a file from outside: what it does to a process is seen in another one first. */
  const checkForeign = async (bytes: Uint8Array, _: unknown, name: string) => {
    await tryOut(bytes);
    await check(bytes, name);
  };
  const onMoved = async (name: string) => {
    notices.publish(name);
    await champions.refresh(name);
  };
  const promotion = makePromotion({ database, clock, onMoved });
  const mlflow = makeMlflow({ ...stores, onMoved, check: checkForeign });
  const copies =
    config.s3 === null
      ? objects
      : cachedObjects(objects, {
          folder: artifactsPath(config),
          mostBytes: config.artifactsBytes,
          keep: () => champions.digests(),
          log,
        });
  const champions: Champions = makeChampions({ runtime, objects: copies, promotion, log });
  const pool = makePool({ runtime, objects: copies, mostBytes: config.loadedBytes });
  const served = makeServed({ models, champions, pool, versions });
  notices.onNotice((name) => void champions.refresh(name));
  await champions.refresh();

  const client = makeClient({
    url: config.upbitUrl,
    limiter: makeLimiter(),
    onDate: clock.observe,
  });
  const collector = makeCollector({ client, store: candles, clock, log });
  const forecaster = makeForecaster({ models, champions, served, candles, forecasts, clock });
  const trainer: TrainerDeps = {
    workFolder: workPath(config),
    cacheFolder: config.data,
    memoryLimitBytes: TRAINING_MEMORY_BYTES,
    silenceLimitMs: TRAINING_SILENCE_MS,
    turns: pLimit(TRAININGS),
  };
  const steps: StepDeps = {
    clock,
    collector,
    candles,
    verify: (model, now = clock.now()) =>
      Promise.all(
        [model.collect.market, ...model.collect.others].map((market) =>
          verifyMarket(candles, market, { since: model.collect.since, now }),
        ),
      ),
    train: makeTrainer(trainer),
    tracking,
    versions,
    promotion,
    champions,
    forecaster,
    forecasts,
    runs,
  };

  const registry = { tracking, versions, promotion, champions };
  const tableSteps = { clock, imports, trainer, objects, runs, ...registry };

  // In real time, whatever the program's clock says: it waits for rows of bytes stored just now.
  const sweep = makeSweep({ database, objects, clock: { now: Date.now } });
  const trainings = makeTrainings(database);
  const retention = makeRetentionJob({
    ...{ clock, versions, trainings, sweep, log },
    limits: config.retain,
    removals: makeRemovals(database),
    tidyFiles: () => tidyFiles(config, mlflow.uploads),
  });

  let background: Background | null = null;
  const wake = () => background?.wake();
  const watch = watchExchange({
    url: config.upbitUrl,
    serverTime: () => client.serverTime(),
    everyMs: config.clock === "exchange" ? FOLLOW_EVERY_MS : WATCH_EVERY_MS,
    log,
    onReachable: wake,
  });
  clock.onMove(wake);

  const isReady = () =>
    // A table waits for its import, which may never come.
    markets.length === 0 ||
    (clock.now() > 0 && markets.every(({ name }) => champions.state(name).champion !== null));

  return {
    http: {
      config,
      clock,
      log,
      models,
      champions,
      pool,
      served,
      remember: cache === null ? null : makeRemember(cache),
      forecaster,
      forecasts,
      candles,
      tracking,
      mlflow,
      versions,
      promotion,
      runs,
      imports,
      control: makeControl({
        ...{ models, clock, runs, stepNames: stepNamesOf, wake },
        assertImported: imports.assertImported,
      }),
      tokens: makeTokens(database, clock),
      operations: makeOperations({
        ...{ models, steps, tableSteps },
        register: makeForeign({
          ...{ database, tracking },
          versions: makeVersions({ ...stores, check: checkForeign }),
        }),
        tryVersion: async ({ name, digest }) => check(await objects.get(digest), name),
        makeServable: mlflow.servable.makeServable,
      }),
      retention,
      sizes: rememberedSizes(
        async () => ({
          tables: await tableSizes(database),
          artifacts: await trainings.artifactSizes(),
        }),
        () => performance.now(),
      ),
      doctor: () =>
        examine({
          ...{ config, models, database, objects },
          pointers: promotion.pointers,
          artifactSizes: trainings.artifactSizes,
          serverTime: () => client.serverTime(),
          holder: `process ${process.pid} holds it and serves`,
        }),
      backup: (options) =>
        takeBackup(
          {
            ...{ database, objects, version, named: namedArtifacts, now: Date.now },
            folder: backupPath(config),
            config: publicConfig(config),
            models: new Map(modelTexts(config.modelsFolder)),
          },
          options,
        ),
      adminToken: deps.adminToken,
      checks: async () => [
        await databaseCheck(database),
        exchangeCheck(watch.state(), clock.now(), markets.length > 0),
        ...redisCheck(notices.connected()),
      ],
    },
    isReady,
    start: async (options) => {
      background = await startBackground(
        {
          ...{ database, models, log, steps, tableSteps, collector, retention, isReady },
          workFolder: workPath(config),
        },
        options,
      );
    },
    stop: async () => {
      watch.stop();
      await background?.stop();
    },
    close: async () => {
      notices.close();
      cache?.close();
      await champions.stop();
      await pool.stop();
      await database.close();
    },
  };
}
