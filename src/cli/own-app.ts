/*
 * The app inside a command: the same house as `sluice serve`, without a schedule, on a free port
 * of loopback, for as long as the command takes.
 */
import type { App, StartOptions } from "../app.ts";
import type { Config } from "../config.ts";
import { SluiceError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Route } from "./client.ts";

export interface OwnApp {
  /** Starts it; rejects with what kept it from starting, such as `folder_locked`. */
  start(): Promise<Route>;
  readonly runs: boolean;
  /** Stops it; nothing to do when it was never started. */
  stop(): Promise<void>;
}

export interface OwnAppOptions {
  readonly onProgress?: StartOptions["onProgress"];
  /** How the app is started: by src/app.ts. */
  readonly startApp?: (options: StartOptions) => Promise<App>;
}

/** An app that is not started yet. */
export function ownApp(config: Config, log: Log, options: OwnAppOptions): OwnApp {
  const { onProgress } = options;
  let app: App | null = null;
  return {
    get runs() {
      return app !== null;
    },
    start: async () => {
      // Loaded only now: a command that talks to a server needs none of this.
      const startApp = options.startApp ?? (await import("../app.ts")).startApp;
      const starting = await startApp({
        log,
        schedule: false,
        // Every route is needed, whatever this machine's servers are for.
        config: { ...config, role: "all", host: "127.0.0.1", port: 0 },
        ...(onProgress === undefined ? {} : { onProgress }),
      });
      await untilStarted(starting);
      app = starting;
      return { url: app.url, token: app.adminToken };
    },
    stop: async () => {
      await app?.stop();
    },
  };
}

/** Resolves when the services of an app stand; stops it and rejects when they never will. */
export async function untilStarted(app: App): Promise<void> {
  // Neither is waited for where a command only needs the routes, and both may yet reject.
  app.ready.catch(() => {});
  const stoppedEarly = app.stopped.then((code) => {
    throw new SluiceError({
      code: "start_stopped",
      detail: `Sluice was stopped (code ${code}) before it had started.`,
      fix: "Start it again; the log tells more.",
    });
  });
  stoppedEarly.catch(() => {});
  try {
    await Promise.race([app.started, stoppedEarly]);
  } catch (thrown) {
    await app.stop();
    throw thrown;
  }
}
