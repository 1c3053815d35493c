/*
 * The only place that wires things together: config -> stores -> services -> server. It listens
 * before anything else, so that a prober gets an answer while the database still opens.
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { exchangeClock, systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { reasonOf } from "./errors.ts";
import { databasePath, lockPath, tokenPath } from "./folder.ts";
import { startServer } from "./http/server.ts";
import type { Log } from "./log.ts";
import { readModels } from "./models.ts";
import type { Services } from "./services.ts";
import type { Database } from "./store/database.ts";
import { takeLock } from "./store/lock.ts";
import { newToken } from "./store/token.ts";

export interface StartOptions {
  readonly config: Config;
  readonly log: Log;
  /** False: no scheduled runs, only what is asked for (commands). */
  readonly schedule: boolean;
  /** Told of long work: a key such as `btc collect`, a share from 0 to 1 (1 = done), a text. */
  readonly onProgress?: (key: string, share: number, text: string) => void;
}

export interface App {
  readonly url: string;
  readonly adminToken: string;
  /** Resolves when the services stand; rejects when the start failed. */
  readonly started: Promise<void>;
  /** Resolves when every model can answer for the first time. */
  readonly ready: Promise<void>;
  /** Resolves with the exit code when the app has stopped. */
  readonly stopped: Promise<number>;
  stop(): Promise<void>;
}

/** From the signal on, so that it is over within the ten seconds that supervisors give. */
const STOP_GRACE_MS = 8_000;
/** After a drain that took all of that. */
const LEAST_GRACE_MS = 2_000;
const READY_POLL_MS = 100;

/** Starts everything; resolves when it listens, with the services still opening behind it. */
export async function startApp(options: StartOptions): Promise<App> {
  const { config, log } = options;
  const models = readModels(config.modelsFolder);
  await mkdir(config.data, { recursive: true, mode: 0o700 });
  const lock = config.databaseUrl === null ? takeLock(lockPath(config)) : null;
  const adminToken = await adminTokenOf(config, log);
  const clock = config.clock === "exchange" ? exchangeClock() : systemClock();

  let services: Services | null = null;
  const server = startServer({
    config,
    log,
    services: () => services?.http ?? null,
    starting: () => "the database is opening",
  });
  lock?.announce(server.url);
  log.info("listening", { url: server.url });

  const { promise: stopped, resolve: exit } = Promise.withResolvers<number>();
  let stopping: Promise<void> | null = null;
  const hurry = Promise.withResolvers<void>();
  const stop = (code = 0, drainMs = 0): Promise<void> => {
    stopping ??= (async () => {
      // Who answers nothing has nobody to send elsewhere.
      const drains = services === null || config.role === "worker" ? 0 : drainMs;
      log.info("stopping", { drain_ms: drains });
      server.leave();
      // First no new requests and no new work, then what is under way, then what it stands on.
      const quiet = Promise.race([Bun.sleep(drains), hurry.promise]).then(() =>
        server.stop(Math.max(STOP_GRACE_MS - drains, LEAST_GRACE_MS)),
      );
      // A start under way is let come to its end: half-open stores could not be closed.
      await Promise.race([started.catch(() => {}), Bun.sleep(STOP_GRACE_MS)]);
      await services?.stop();
      await quiet;
      await services?.close();
      lock?.release();
      exit(code);
    })();
    return stopping;
  };

  const started = (async () => {
    // Only what listens is loaded before it listens: a health check should not wait for drivers.
    const opening = openDatabase(config);
    opening.catch(() => {});
    const { openServices } = await import("./services.ts");
    const database = await opening;
    const { migrate } = await import("./store/migrate.ts");
    const applied = await migrate(database);
    if (applied.length > 0) log.info("migrated", { applied });
    services = await openServices({ config, log, clock, models, database, adminToken });
    await services.start({
      schedule: options.schedule,
      // A worker a pipeline, and one for backfills: a run that waits for an exchange that is away
      // keeps nobody waiting. What takes cores, the trainings, has a bound of its own.
      concurrency: config.role === "web" ? 0 : models.size + 1,
      onProgress: options.onProgress ?? (() => {}),
    });
  })();
  started.catch((thrown) => {
    log.error("start_failed", { reason: reasonOf(thrown) });
    void stop(1);
  });

  const ready = whenReady(started, () => services, stopped, log);
  // Whoever does not wait for it need not be told that it will not come.
  ready.catch(() => {});

  const terminate = () => void stop(0, config.drainMs);
  // Who presses Ctrl-C waits for it.
  const interrupt = () => {
    hurry.resolve();
    void stop(0);
  };
  process.once("SIGTERM", terminate);
  process.once("SIGINT", interrupt);
  return {
    url: server.url,
    adminToken,
    started,
    ready,
    stopped,
    stop: async () => {
      process.off("SIGTERM", terminate);
      process.off("SIGINT", interrupt);
      await stop(0);
    },
  };
}

async function openDatabase(config: Config): Promise<Database> {
  const { databaseUrl } = config;
  const { openEmbedded, openPostgres } = await import("./store/database.ts");
  return databaseUrl === null ? openEmbedded(databasePath(config)) : openPostgres(databaseUrl);
}

/** The configured token, or the one in the data folder, made and shown once at first start. */
async function adminTokenOf(config: Config, log: Log): Promise<string> {
  if (config.adminToken !== null) return config.adminToken;
  const path = tokenPath(config);
  if (existsSync(path)) return (await readFile(path, "utf8")).trim();
  const token = newToken();
  await rm(`${path}.tmp`, { force: true });
  await writeFile(path, `${token}\n`, { mode: 0o600 });
  log.info("admin_token_made", { token, file: path, note: "shown once; kept in the file" });
  return token;
}

async function whenReady(
  started: Promise<void>,
  services: () => Services | null,
  stopped: Promise<number>,
  log: Log,
): Promise<void> {
  await started;
  let over = false;
  void stopped.then(() => {
    over = true;
  });
  while (!over) {
    if (services()?.isReady() === true) {
      log.info("ready");
      return;
    }
    await Bun.sleep(READY_POLL_MS);
  }
  throw new Error("The app stopped before it was ready.");
}
