/*
 * The log: one JSON object a line for machines, one readable line for a terminal.
 */
import pino from "pino";
import pretty from "pino-pretty";

type Fields = Readonly<Record<string, unknown>>;

/** `event` is a stable snake_case name; the fields tell the rest. */
export interface Log {
  info(event: string, fields?: Fields): void;
  warn(event: string, fields?: Fields): void;
  error(event: string, fields?: Fields): void;
}

/** A log on standard output (`json`) or standard error (`pretty`, beside a progress bar). */
export function makeLog(form: "pretty" | "json", clock: { now(): number }): Log {
  const options: pino.LoggerOptions = {
    base: null,
    timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
    messageKey: "event",
  };
  // Synchronous writes: a line that was logged is there even when the process is killed next.
  const logger =
    form === "json"
      ? pino(options, pino.destination({ dest: 1, sync: true }))
      : pino(options, pretty({ messageKey: "event", destination: 2, sync: true }));
  return {
    info: (event, fields = {}) => logger.info(fields, event),
    warn: (event, fields = {}) => logger.warn(fields, event),
    error: (event, fields = {}) => logger.error(fields, event),
  };
}

/** A log that says nothing, for tests and for commands that print an answer. */
export const silentLog: Log = { info: () => {}, warn: () => {}, error: () => {} };
