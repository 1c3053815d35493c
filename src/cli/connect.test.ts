import { afterEach, describe, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import type { App, StartOptions } from "../app.ts";
import { readConfig } from "../config.ts";
import { SluiceError } from "../errors.ts";
import { lockPath, tokenPath } from "../folder.ts";
import { silentLog } from "../log.ts";
import { takeLock } from "../store/lock.ts";
import { stopwatch, WAIT_MS } from "../testing.ts";
import { type ConnectOptions, connect } from "./connect.ts";
import {
  dataFolder,
  fakeServer,
  heldFolder,
  onceReleased,
  problemAnswer,
  TOKEN,
} from "./fixtures.ts";

const disposals: (() => unknown)[] = [];
afterEach(async () => {
  for (const dispose of disposals.splice(0).reverse()) await dispose();
});

const codeOf = async (work: Promise<unknown>): Promise<string> => {
  const thrown = await work.then(
    () => null,
    (t) => t,
  );
  return thrown instanceof SluiceError ? thrown.code : `no SluiceError: ${thrown}`;
};

function held(answers: Parameters<typeof heldFolder>[0]) {
  const folder = heldFolder(answers);
  disposals.push(folder.dispose);
  return folder;
}

function free() {
  const folder = dataFolder();
  disposals.push(folder.dispose);
  return folder;
}

/** Stands for src/app.ts: takes the lock as it does, and answers from a table. */
function fakeApp(
  answers: Parameters<typeof fakeServer>[0],
  started: Promise<void> = Promise.resolve(),
) {
  const starts: StartOptions[] = [];
  const running = { stops: 0, end: () => Promise.resolve() };
  const startApp = async (options: StartOptions): Promise<App> => {
    starts.push(options);
    const { databaseUrl } = options.config;
    const lock = databaseUrl === null ? onceReleased(takeLock(lockPath(options.config))) : null;
    const server = fakeServer(answers);
    lock?.announce(server.url);
    const { promise: stopped, resolve } = Promise.withResolvers<number>();
    const stop = async () => {
      running.stops += 1;
      await server.stop();
      lock?.release();
      resolve(0);
    };
    running.end = stop;
    disposals.push(() => server.stop());
    const ready = Promise.reject(new Error("never ready"));
    return { url: server.url, adminToken: "own", started, ready, stopped, stop };
  };
  return { startApp, starts, running };
}

const open = async (config: Parameters<typeof connect>[0], options: ConnectOptions = {}) => {
  const connection = await connect(config, silentLog, { waitMs: WAIT_MS, ...options });
  disposals.push(connection.close);
  return connection;
};

describe("while a server holds the folder", () => {
  test("talks to it, with the token of the folder", async () => {
    const { config, server } = held({ "GET /v1/models": { items: [] } });
    const app = fakeApp({});
    const { call } = await open(config, app);
    expect(await call<unknown>("GET", "/v1/models")).toEqual({ items: [] });
    expect(server.asked[0]?.token).toBe(`Bearer ${TOKEN}`);
    expect(app.starts).toEqual([]);
  });

  test("the token of the environment goes before that of the folder", async () => {
    const { environment, server } = held({ "GET /x": {} });
    const config = readConfig({ ...environment, SLUICE_ADMIN_TOKEN: "t".repeat(16) }, false);
    await (await open(config)).call("GET", "/x");
    expect(server.asked[0]?.token).toBe(`Bearer ${"t".repeat(16)}`);
  });

  test("says how to give the token when the folder has none", async () => {
    const { config } = held({});
    rmSync(tokenPath(config));
    const thrown = await connect(config, silentLog).catch((t) => t);
    expect(thrown.code).toBe("no_admin_token");
    expect(thrown.fix).toContain("SLUICE_ADMIN_TOKEN");
  });

  test("waits for one that has not said yet where it listens", async () => {
    const { config, lock, server } = held({ "GET /x": { ok: true } });
    // A holder that has just taken the lock.
    lock.announce("");
    writeFileSync(lockPath(config), JSON.stringify({ pid: process.pid, url: null }));
    const reasons: string[] = [];
    setTimeout(() => lock.announce(server.url), 250);
    const { call } = await open(config, { onWait: (reason) => reasons.push(reason) });
    expect(await call<unknown>("GET", "/x")).toEqual({ ok: true });
    expect(reasons[0]).toBe(`for process ${process.pid} to listen`);
  });

  test("one that never listens is named, with the code that ends with 3", async () => {
    const { config } = held({});
    writeFileSync(lockPath(config), JSON.stringify({ pid: 4_242, url: null }));
    const app = fakeApp({});
    const thrown = await connect(config, silentLog, { waitMs: 200, ...app }).catch((t) => t);
    expect(thrown.code).toBe("folder_locked");
    expect(thrown.message).toContain("process 4242");
    expect(app.starts).toEqual([]);
  });

  test("comes again when it is told that the server is starting", async () => {
    const starting = problemAnswer(
      503,
      { code: "starting", detail: "The database is opening." },
      { "retry-after": "0.05" },
    );
    const { config, server } = held({ "POST /x": [starting, starting, { ok: true }] });
    const reasons: string[] = [];
    const { call } = await open(config, { onWait: (reason) => reasons.push(reason) });
    expect(await call<unknown>("POST", "/x")).toEqual({ ok: true });
    expect(server.asked).toHaveLength(3);
    expect(reasons).toEqual(["The database is opening.", "The database is opening."]);
  });

  test("but not for ever, and not for a model that has no champion", async () => {
    const late = { "retry-after": "0.05" };
    const { config, server } = held({
      "GET /busy": problemAnswer(429, { code: "queue_full", detail: "Full." }, late),
      "GET /forecast": problemAnswer(503, { code: "not_ready", detail: "None." }, late),
    });
    const { call } = await open(config, { waitMs: 1_000 });
    expect(await codeOf(call("GET", "/busy"))).toBe("queue_full");
    expect(server.asked.length).toBeGreaterThan(1);
    expect(await codeOf(call("GET", "/forecast"))).toBe("not_ready");
    expect(server.asked.filter((a) => a.path === "/forecast")).toHaveLength(1);
  });

  test("other errors are not tried again", async () => {
    const { config, server } = held({});
    const { call } = await open(config);
    expect(await codeOf(call("GET", "/nowhere"))).toBe("not_found");
    expect(server.asked).toHaveLength(1);
  });
});

describe("when the server goes away", () => {
  test("finds it again after a restart, even of a POST that was refused", async () => {
    const { config, server, lock } = held({ "GET /x": {} });
    const app = fakeApp({});
    const { call } = await open(config, app);
    await call("GET", "/x");
    await server.stop();
    const next = fakeServer({ "POST /y": { ok: true } });
    disposals.push(next.stop);
    setTimeout(() => lock.announce(next.url), 200);
    expect(await call<unknown>("POST", "/y")).toEqual({ ok: true });
    expect(app.starts).toEqual([]);
  });

  test("leaves a folder to a server that restarts, and takes it when none comes", async () => {
    const { config, server, lock } = held({ "GET /x": {} });
    const app = fakeApp({ "GET /x": { own: true } });
    const { call } = await open(config, { waitMs: 600, ...app });
    await call("GET", "/x");
    await server.stop();
    lock.release();
    const begun = performance.now();
    expect(await call<unknown>("GET", "/x")).toEqual({ own: true });
    expect(performance.now() - begun).toBeGreaterThan(500);
  });

  test("takes the folder at once when the server had not answered anything yet", async () => {
    const { config, server, lock } = held({});
    const app = fakeApp({ "GET /x": { own: true } });
    const { call } = await open(config, { waitMs: 120_000, ...app });
    await server.stop();
    lock.release();
    const watch = stopwatch();
    expect(await call<unknown>("GET", "/x")).toEqual({ own: true });
    expect(watch.ms()).toBeLessThan(30_000);
  });
});

describe("while nobody holds the folder", () => {
  test("starts an app without a schedule, on a free port of loopback, and stops it", async () => {
    const { environment } = free();
    const config = readConfig(
      { ...environment, SLUICE_HOST: "0.0.0.0", SLUICE_PORT: "8400", SLUICE_ROLE: "worker" },
      false,
    );
    const app = fakeApp({ "GET /x": { own: true } });
    const connection = await open(config, app);
    expect(await connection.call<unknown>("GET", "/x")).toEqual({ own: true });
    expect(app.starts).toHaveLength(1);
    expect(app.starts[0]).toMatchObject({
      schedule: false,
      config: { host: "127.0.0.1", port: 0, role: "all", data: config.data },
    });
    await connection.close();
    expect(app.running.stops).toBe(1);
  });

  test("with DATABASE_URL the lock of the folder means nothing", async () => {
    const { environment } = held({});
    const databaseUrl = "postgres://u@127.0.0.1/none";
    const config = readConfig({ ...environment, DATABASE_URL: databaseUrl }, false);
    const app = fakeApp({ "GET /x": { own: true } });
    const { call } = await open(config, app);
    expect(await call<unknown>("GET", "/x")).toEqual({ own: true });
  });

  test("a start that fails is told as it was, and what had begun is stopped", async () => {
    const { config } = free();
    const failure = new SluiceError({ code: "database_unreachable", detail: "No answer." });
    const app = fakeApp({}, Promise.reject(failure));
    expect(await codeOf(connect(config, silentLog, app))).toBe("database_unreachable");
    expect(app.running.stops).toBe(1);
  });

  test("of two that start at once, one starts the app and the other talks to it", async () => {
    const { config } = free();
    const [one, two] = [fakeApp({ "GET /x": "one" }), fakeApp({ "GET /x": "two" })];
    writeFileSync(tokenPath(config), TOKEN);
    const connections = await Promise.all([open(config, one), open(config, two)]);
    const answers = await Promise.all(connections.map(({ call }) => call<string>("GET", "/x")));
    expect(new Set(answers).size).toBe(1);
  });

  test("a signal during the command is told, and no second app is started", async () => {
    const { config } = free();
    const app = fakeApp({ "GET /x": {} });
    const { call } = await open(config, app);
    await call("GET", "/x");
    await app.running.end();
    expect(await codeOf(call("GET", "/x"))).toBe("interrupted");
    expect(app.starts).toHaveLength(1);
  });
});
