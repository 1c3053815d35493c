/*
 * The commands that stay: serve, worker, demo and up.
 */
import { systemClock } from "../clock.ts";
import { type Config, readConfig } from "../config.ts";
import { databasePath } from "../folder.ts";
import { type Log, makeLog } from "../log.ts";
import type { Io } from "./io.ts";
import { untilStarted } from "./own-app.ts";
import { makeProgress, type Progress } from "./progress.ts";

/** Serves until a signal or a fatal fault ends it; `role` overrides the configured one. */
export const serve = (io: Io, role?: Config["role"]): Promise<number> =>
  staying(io, async (configured, log, onProgress) => {
    const config = role === undefined ? configured : { ...configured, role };
    if (config.databaseUrl === null) {
      const { beginParts } = await import("../store/parts.ts");
      beginParts(databasePath(config));
    }
    const { startApp } = await import("../app.ts");
    const app = await startApp({ config, log, schedule: true, onProgress });
    await untilStarted(app);
    return app.stopped;
  });

/** The whole loop offline on a simulated exchange. */
export const demo = (io: Io): Promise<number> =>
  staying(io, async (...given) => (await import("../demo.ts")).runDemo(...given));

/** Live when the exchange can be reached, else the demo. */
export const up = (io: Io): Promise<number> =>
  staying(io, async (...given) => (await import("../demo.ts")).runUp(...given));

type Stay = (config: Config, log: Log, onProgress: Progress["update"]) => Promise<number>;

/** Gives what a server needs, and takes the progress line away at its end. */
async function staying(io: Io, stay: Stay): Promise<number> {
  const config = readConfig(io.environment, io.terminal);
  // No lines at quarters here: where there is no terminal, the log tells the story.
  const progress = makeProgress(io.errors);
  try {
    const log = beside(progress, makeLog(config.log, systemClock()));
    return await stay(config, log, progress.update);
  } finally {
    progress.done();
  }
}

/** A log on the terminal of a progress line: the line gives way to each of its lines. */
export function beside(progress: Pick<Progress, "beside">, log: Log): Log {
  return {
    info: (event, fields) => progress.beside(() => log.info(event, fields)),
    warn: (event, fields) => progress.beside(() => log.warn(event, fields)),
    error: (event, fields) => progress.beside(() => log.error(event, fields)),
  };
}
