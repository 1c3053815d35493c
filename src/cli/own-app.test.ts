import { describe, expect, test } from "bun:test";
import type { App } from "../app.ts";
import { readConfig } from "../config.ts";
import { silentLog } from "../log.ts";
import { ownApp, untilStarted } from "./own-app.ts";

/** An app whose start and end the test decides. */
function app(given: Partial<App>): App & { stops: number } {
  const made = {
    url: "http://127.0.0.1:1",
    adminToken: "t",
    started: Promise.resolve(),
    ready: new Promise<void>(() => {}),
    stopped: new Promise<number>(() => {}),
    stops: 0,
    stop: async () => {
      made.stops += 1;
    },
    ...given,
  };
  return made;
}

describe("untilStarted", () => {
  test("waits for the services to stand", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let done = false;
    const waiting = untilStarted(app({ started: promise })).then(() => {
      done = true;
    });
    await Bun.sleep(5);
    expect(done).toBe(false);
    resolve();
    await waiting;
  });

  test("a failed start is stopped and told as it was", async () => {
    const failed = app({ started: Promise.reject(new Error("no database")) });
    await expect(untilStarted(failed)).rejects.toThrow("no database");
    expect(failed.stops).toBe(1);
  });

  test("a signal before the start is told, and waits for nothing", async () => {
    const signalled = app({ started: new Promise(() => {}), stopped: Promise.resolve(0) });
    await expect(untilStarted(signalled)).rejects.toThrow("stopped (code 0) before it had started");
  });

  test("neither a late end nor a ready that never comes is an unhandled rejection", async () => {
    const ended = app({
      ready: Promise.reject(new Error("never")),
      stopped: Bun.sleep(5).then(() => 0),
    });
    await untilStarted(ended);
    await Bun.sleep(20);
    expect(ended.stops).toBe(0);
  });
});

describe("ownApp", () => {
  const config = readConfig({}, false);

  test("runs from its start on, and stops what it started", async () => {
    const made = app({});
    const own = ownApp(config, silentLog, { startApp: async () => made });
    expect(own.runs).toBe(false);
    await own.stop();
    expect(made.stops).toBe(0);
    expect(await own.start()).toEqual({ url: made.url, token: made.adminToken });
    expect(own.runs).toBe(true);
    await own.stop();
    expect(made.stops).toBe(1);
  });

  test("one that could not start does not run", async () => {
    const made = app({ started: Promise.reject(new Error("no")) });
    const own = ownApp(config, silentLog, { startApp: async () => made });
    await expect(own.start()).rejects.toThrow("no");
    expect(own.runs).toBe(false);
  });
});
