/*
 * Starting and stopping: truthful from the first moment, refused where it must be, patient with an
 * exchange that is away, and gone without dropping anybody.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LONG_MS, stopwatch, until } from "../src/testing.ts";
import { askReady, columnsOf, openSlot, refusal, settled } from "./ask.ts";
import { ADMIN_TOKEN, type Served, served } from "./served.ts";
import { only, type StoreName, stores } from "./stores.ts";
import { MODELS, openExchange, openStory, type Story } from "./story.ts";

const told = stores();
/** No place for temporary files, and no home. */
const NOWHERE = { TMPDIR: "/dev/null/none", BUN_TMPDIR: "/dev/null/none", HOME: "/dev/null/none" };

/** A story that is closed however it ends. */
const story = (store: StoreName, tale: (story: Story) => Promise<void>) => async () => {
  const mine = await openStory(store);
  try {
    await tale(mine);
  } finally {
    await mine.close();
  }
};

describe.each([...told])("on %s", (store) => {
  test(
    "not ready until it is, ready from then on, and stopped without dropping a request",
    story(store, async (mine) => {
      for (const begin of ["an empty folder", "a full one"]) {
        const launched = mine.launch({ env: NOWHERE });
        const url = await launched.listening;
        const seen = probe(url);
        const app = await served(launched);
        await app.ready();
        await settled(app, openSlot(mine));
        await until(() => seen.ready() > 20, LONG_MS, "ready for some time");
        await seen.end();
        // A first training takes its time.
        if (begin === "an empty folder") expect(seen.notReady()).toBeGreaterThan(20);
        await stopUnderLoad(app, begin === "a full one");
      }
    }),
    900_000,
  );

  test(
    "without an exchange it stays up and says so, and goes on when there is one",
    story(store, async (mine) => {
      const port = Number(new URL(mine.exchange.url).port);
      await mine.exchange.stop();
      const app = await mine.serve();
      const lines = (event: string) => app.log.filter((line) => line["event"] === event);
      await until(() => lines("exchange_unreachable").length > 0, LONG_MS, "the line in the log");
      expect(lines("exchange_unreachable")[0]).toMatchObject({
        level: "warn",
        url: mine.exchange.url,
      });
      const refused = await app.fetch("/readyz");
      expect(refused.status).toBe(503);
      expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
      const { checks } = (await refused.json()) as { checks: { name: string; ok: boolean }[] };
      expect(checks.find((check) => check.name === "exchange")?.ok).toBe(false);
      const run = await refusal(app, "/admin/models/btc/retrain");
      expect(run).toMatchObject({ status: 503, code: "exchange_unreachable" });
      // It looks every second; what it finds is told once.
      await Bun.sleep(2_500);
      expect(lines("exchange_unreachable")).toHaveLength(1);

      const exchange = await reopened(port);
      try {
        await app.ready();
        await settled(app, openSlot(mine));
        expect(lines("exchange_reachable")).toHaveLength(1);
        await exchange.stop();
        // What is there can be answered without it.
        await until(() => lines("exchange_unreachable").length > 1, LONG_MS, "the second line");
        const check = (await askReady(app)).checks.find(({ name }) => name === "exchange");
        expect(check).toMatchObject({ ok: false, blocking: false });
        for (const model of MODELS) await app.get(`/v1/models/${model}/forecast`);
      } finally {
        await exchange.stop();
      }
      expect(app.errors()).toBe("");
      expect(await app.stop()).toBe(0);
    }),
    900_000,
  );
});

/** The exchange on its port again, which another process may have been lent meanwhile. */
async function reopened(port: number): Promise<Story["exchange"]> {
  let exchange: Story["exchange"] | undefined;
  const open = () => {
    exchange = openExchange(undefined, port);
    return true;
  };
  await until(open, LONG_MS, `port ${port} is free`);
  return exchange!;
}

describe(`a folder ${only("embedded", "servers are shared by many")}`, () => {
  test(
    "keeps the token that was made at the first start and told once",
    story("embedded", async (mine) => {
      const env = { SLUICE_ADMIN_TOKEN: "" };
      const first = await mine.serve({ env });
      const made = first.log.find((line) => line["event"] === "admin_token_made");
      const token = String(made?.["token"]);
      const file = join(mine.env["SLUICE_DATA"]!, "admin.token");
      expect(readFileSync(file, "utf8").trim()).toBe(token);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      // Also on loopback a write needs it.
      const path = "/admin/schedules/btc/pause";
      const post = async (app: Served, bearer: string) =>
        (await app.fetch(path, { method: "POST", headers: { authorization: bearer } })).status;
      await until(async () => (await post(first, "")) === 401, LONG_MS, "none is refused");
      expect(await post(first, `Bearer ${ADMIN_TOKEN}`)).toBe(401);
      expect(await post(first, `Bearer ${token}`)).toBe(200);
      await first.stop();
      const second = await mine.serve({ env });
      await until(async () => (await second.fetch("/v1/models")).ok, LONG_MS, "it has started");
      expect(JSON.stringify(second.log)).not.toContain(token);
      expect(await post(second, `Bearer ${token}`)).toBe(200);
    }),
    600_000,
  );
});

describe("a wrong configuration ends it with 78", () => {
  const secret = "changeme-and-some-more-characters";
  const cases: readonly [Record<string, string>, readonly string[]][] = [
    [
      { SLUICE_PORT: "99999", SLUICE_CLOCK: "sundial" },
      ["SLUICE_PORT", "99999", "65535", "SLUICE_CLOCK", "sundial"],
    ],
    [{ SLUICE_ADMIN_TOKEN: "short" }, ["SLUICE_ADMIN_TOKEN", "16"]],
    [{ SLUICE_ADMIN_TOKEN: secret }, ["SLUICE_ADMIN_TOKEN", "well-known"]],
    [{ DATABASE_URL: `mysql://root:${secret}@127.0.0.1/x` }, ["DATABASE_URL", "postgres://"]],
    [{ S3_ENDPOINT: "http://127.0.0.1:1" }, ["S3_BUCKET", "S3_ACCESS_KEY_ID"]],
    [{ SLUICE_MODELS: "/nowhere/at/all" }, ["/nowhere/at/all"]],
  ];

  test.each(cases)(
    "%o",
    async (env, words) => {
      const mine = await openStory("embedded");
      try {
        const launched = mine.launch({ env });
        expect(await launched.exited).toBe(78);
        for (const word of words) expect(launched.errors()).toContain(word);
        expect(launched.errors()).not.toContain(secret);
        expect(existsSync(mine.env["SLUICE_DATA"]!)).toBe(false);
      } finally {
        await mine.close();
      }
    },
    600_000,
  );

  test("a model file", async () => {
    const mine = await openStory("embedded");
    try {
      const models = join(mine.folder, "faulty");
      mkdirSync(models);
      const good = readFileSync(join(mine.env["SLUICE_MODELS"]!, "btc.toml"), "utf8");
      const faults: readonly [string, string, readonly string[]][] = [
        ["rounds = 12", "rounds = -3", ["train.gbdt.rounds", "-3"]],
        ['kind = "market"', 'kind = "stock"', ["kind", "stock"]],
        ["fold_candles", "fold_candels", ["fold_candels"]],
        ["[schedule]", "[schedule", ["btc.toml"]],
        ['cron = "0 0 */4 * * *"', 'cron = "whenever"', ["schedule.cron", "whenever"]],
      ];
      for (const [was, is, words] of faults) {
        writeFileSync(join(models, "btc.toml"), good.replace(was, is));
        const launched = mine.launch({ env: { SLUICE_MODELS: models } });
        expect(await launched.exited).toBe(78);
        for (const word of ["btc.toml", ...words]) expect(launched.errors()).toContain(word);
      }
    } finally {
      await mine.close();
    }
  }, 600_000);
});

/** Asks every 50 ms, from the first moment on, and holds each answer to the rule. */
function probe(url: string) {
  const paths = ["/readyz", ...MODELS.map((model) => `/v1/models/${model}/forecast`)];
  const counts = { ready: 0, notReady: 0 };
  let over = false;
  const asking = Promise.all(
    paths.map(async (path) => {
      let was = 503;
      for (; !over; await Bun.sleep(50)) {
        const answer = await fetch(url + path);
        const text = await answer.text();
        if (answer.status === 503 && was === 503) {
          expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
          counts.notReady++;
        } else {
          if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${text}`);
          counts.ready++;
        }
        was = answer.status;
      }
    }),
  );
  // Told by `end`.
  asking.catch(() => {});
  return {
    ready: () => counts.ready,
    notReady: () => counts.notReady,
    end: async () => {
      over = true;
      await asking;
    },
  };
}

/**
 * SIGTERM while requests are under way: each whose head had come is answered, also when the rest
 * of it comes late, and nobody is cut. With `dawdler` one client never ends its request.
 */
async function stopUnderLoad(app: Served, dawdler: boolean): Promise<void> {
  const columns = await columnsOf(app, "btc");
  const row = Object.fromEntries(columns.map((column) => [column, 0]));
  const body = JSON.stringify({ instances: [row] });
  const late = await Promise.all(Array.from({ length: 6 }, () => halfRequest(app, body)));
  if (dawdler) await halfRequest(app, body);
  let over = false;
  const outcomes = new Map<string, number>();
  const note = (outcome: string) => outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  const clients = Array.from({ length: 8 }, async (_, i) => {
    const path = i % 2 === 0 ? "/v1/models/btc/forecast" : "/v1/models";
    while (!over) {
      try {
        const answer = await fetch(app.url + path, { keepalive: false });
        await answer.text();
        note(String(answer.status));
      } catch (thrown) {
        note(String((thrown as { code?: unknown }).code ?? thrown));
        await Bun.sleep(5);
      }
    }
  });
  await until(() => (outcomes.get("200") ?? 0) > 10, LONG_MS, "clients are answered", 10);
  await Bun.sleep(200);
  // Clients that connect anew for each request must not keep those waiting who are connected.
  expect((await app.fetch("/healthz", { signal: AbortSignal.timeout(LONG_MS) })).status).toBe(200);
  const stopping = stopwatch();
  const stopped = app.stop();
  await Bun.sleep(150);
  for (const each of late) each.finish();
  for (const each of late) expect(await each.answer).toStartWith("HTTP/1.1 200");
  expect(await stopped).toBe(0);
  expect(stopping.ms()).toBeLessThan(stopping.promised(10_000));
  over = true;
  await Promise.all(clients);
  // A connection that the kernel had taken, but not yet the process, is reset when it stops
  // listening: that can befall a client once.
  expect(outcomes.get("ECONNRESET") ?? 0).toBeLessThanOrEqual(clients.length);
  const allowed = new Set(["200", "503", "ConnectionRefused", "ECONNREFUSED", "ECONNRESET"]);
  expect([...outcomes.keys()].filter((outcome) => !allowed.has(outcome))).toEqual([]);
}

/** A prediction whose body is only half there. */
async function halfRequest({ url }: Served, body: string) {
  const { hostname, port } = new URL(url);
  const head = [
    "POST /v1/models/btc/predict HTTP/1.1",
    `host: ${hostname}:${port}`,
    "content-type: application/json",
    `content-length: ${body.length}`,
    "connection: close",
  ];
  let text = "";
  const { promise: answer, resolve } = Promise.withResolvers<string>();
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data: (_, bytes) => {
        text += bytes.toString();
      },
      close: () => resolve(text),
      error: (_, thrown) => resolve(String(thrown)),
    },
  });
  const half = Math.floor(body.length / 2);
  socket.write(`${head.join("\r\n")}\r\n\r\n${body.slice(0, half)}`);
  return { answer, finish: () => socket.write(body.slice(half)) };
}
