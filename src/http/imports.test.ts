/*
 * Importing over HTTP: over a database of its own, and once over a socket.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import type { Database } from "../store/database.ts";
import { migrate } from "../store/migrate.ts";
import { makeTableStore } from "../store/tables.ts";
import { openScratch } from "../store/testing.ts";
import { SMALL, tableModel } from "../table/fixture.ts";
import { makeImports } from "../table/import.ts";
import { type App, makeApp } from "./app.ts";
import { startServer } from "./server.ts";
import type { HttpServices } from "./services.ts";
import { IMPORT_LIMIT, streamOf } from "./stream.ts";
import { ADMIN, btcModel, config, grant, makeWorld, NOW, servicesOf } from "./testing.ts";

const GOOD = "age,city,y\n30,a,yes\n40,b,no\n50,?,no\n";
const silent = { info: () => {}, warn: () => {}, error: () => {} };

let database: Database;
let services: HttpServices;
let app: App;
const world = makeWorld();
beforeAll(async () => {
  database = await openScratch();
  await migrate(database);
  services = {
    ...servicesOf(world),
    models: new Map([
      ["small", tableModel(SMALL)],
      ["btc", btcModel],
    ]),
    imports: makeImports({ store: makeTableStore(database), clock: { now: () => NOW } }),
  };
  app = makeApp({ config, log: silent, services: () => services, starting: () => "" });
});
afterAll(() => database.close());
beforeEach(async () => {
  await database.orm.execute(sql`truncate table_imports, table_rows`);
});

interface Sent {
  readonly query?: string;
  readonly model?: string;
  readonly type?: string;
  readonly token?: string | null;
  readonly headers?: Record<string, string>;
}

async function post(body: string | null, sent: Sent = {}) {
  const { query = "name=a.csv&part=train", model = "small", type = "text/csv" } = sent;
  const { token = ADMIN, headers = {} } = sent;
  const response = await app.fetch(
    new Request(`http://localhost/admin/models/${model}/imports?${query}`, {
      method: "POST",
      body,
      headers: {
        "content-type": type,
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
    }),
  );
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely.
  return { status: response.status, json: (await response.json()) as any };
}

async function list(query = "", model = "small") {
  const response = await app.fetch(
    new Request(`http://localhost/v1/models/${model}/imports${query}`),
  );
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely.
  return { status: response.status, json: (await response.json()) as any };
}

describe("an import", () => {
  test("answers with the data report", async () => {
    const { status, json } = await post(GOOD);
    expect(status).toBe(200);
    expect(json).toMatchObject({
      ...{ model: "small", file: "a.csv", part: "train", unchanged: false, replaced: null },
      report: { bytes: GOOD.length, rows: 3, stored: 3, refused: 0 },
    });
    expect((await post(GOOD)).json).toMatchObject({ id: json.id, unchanged: true });
  });

  test("is listed without the values of its cells", async () => {
    await post(`${GOOD}`);
    const bad = `age,city,y\n${"1,a,no\n".repeat(200)}secret,a,yes\n`;
    await post(bad, { query: "name=b.csv&part=test" });
    const { status, json } = await list();
    expect(status).toBe(200);
    expect(json.items).toMatchObject([
      {
        ...{ file: "b.csv", part: "test", rows: 200, refused: 1, actor: "admin", outdated: false },
        refusals: [{ reason: "bad_number", count: 1, lines: [202] }],
      },
      { file: "a.csv", part: "train", rows: 3, replaced_at: null },
    ]);
    expect(JSON.stringify(json)).not.toContain("secret");
    const first = await list("?limit=1");
    expect(first.json.items).toHaveLength(1);
    const second = await list(`?limit=1&before=${first.json.next}`);
    expect(second.json).toMatchObject({ items: [{ file: "a.csv" }], next: null });
  });

  const refused: [string, string | null, Sent, number, string][] = [
    ["no body", null, {}, 422, "empty_table"],
    ["a wrong header", "a,b\n1,2\n", {}, 422, "bad_header"],
    ["no name", GOOD, { query: "" }, 422, "invalid_query"],
    ["a path as its name", GOOD, { query: "name=..%2Fa.csv" }, 422, "invalid_query"],
    ["another part", GOOD, { query: "name=a&part=all" }, 422, "invalid_query"],
    ["a part that nobody says", GOOD, { query: "name=a.csv" }, 422, "unknown_part"],
    ["a market", GOOD, { model: "btc" }, 422, "not_a_table"],
    ["no model", GOOD, { model: "doge" }, 404, "unknown_model"],
    ["JSON", "[]", { type: "application/json" }, 415, "unsupported_media_type"],
    [
      "a compressed body",
      GOOD,
      { headers: { "content-encoding": "gzip" } },
      415,
      "unsupported_media_type",
    ],
    ["no token", GOOD, { token: null }, 401, "no_token"],
  ];
  test.each(refused)(
    "of %s is refused, and nothing is stored",
    async (_, body, sent, status, code) => {
      const answer = await post(body, sent);
      expect([answer.status, answer.json.code]).toEqual([status, code]);
      expect((await list()).json.items).toEqual([]);
    },
  );

  test("needs a token that may administer", async () => {
    const token = grant(world, "r", ["read", "predict", "track"]);
    expect((await post(GOOD, { token })).status).toBe(403);
  });

  test("of a market has no list either", async () => {
    expect((await list("", "btc")).json.code).toBe("not_a_table");
  });

  test("every refused row is in the faults of a refusal", async () => {
    const { status, json } = await post("age,city,y\n1,a,no\nx,a,no\n1,a\n");
    expect([status, json.code]).toEqual([422, "too_many_refused"]);
    expect(json.faults).toEqual([
      { path: "line 3: age", message: 'expected a number, not "x"' },
      { path: "line 4", message: "expected 3 cells, found 2" },
    ]);
  });
});

describe("a body that streams", () => {
  const bodyOf = (parts: readonly (string | number)[]) =>
    new ReadableStream<Uint8Array>({
      async start(controller) {
        for (const part of parts) {
          if (typeof part === "number") await Bun.sleep(part);
          else controller.enqueue(new TextEncoder().encode(part));
        }
        controller.close();
      },
    });
  const request = (
    body: string | ReadableStream<Uint8Array>,
    headers: Record<string, string> = {},
  ) => new Request("http://localhost/", { method: "POST", body, headers });
  const read = async (given: Request, options: Parameters<typeof streamOf>[1]) => {
    let size = 0;
    try {
      for await (const chunk of streamOf(given, options)) size += chunk.length;
    } catch (thrown) {
      return (thrown as { code: string }).code;
    }
    return size;
  };

  test("is read to its end", async () => {
    expect(await read(request(bodyOf(["abc", 5, "de"])), {})).toBe(5);
  });

  test("is cut at the limit, announced or not", async () => {
    expect(await read(request(bodyOf(["abc", "de"])), { limit: 4 })).toBe("body_too_large");
    expect(await read(request(bodyOf(["abc", "de"])), { limit: 5 })).toBe(5);
    const announced = request("a", { "content-length": String(IMPORT_LIMIT + 1) });
    expect(await read(announced, {})).toBe("body_too_large");
  });

  test("is given up when nothing comes", async () => {
    expect(await read(request(bodyOf(["abc", 300, "de"])), { silenceMs: 50 })).toBe("slow_body");
  });
});

describe("over a socket", () => {
  test("a long file is stored, and one that is wrong from the start is told so", async () => {
    const server = startServer({
      config,
      log: silent,
      services: () => services,
      starting: () => "",
    });
    const send = async (text: string) => {
      const bytes = new TextEncoder().encode(text);
      const body = new ReadableStream<Uint8Array>({
        async start(controller) {
          for (let at = 0; at < bytes.length; at += 65_536) {
            controller.enqueue(bytes.subarray(at, at + 65_536));
            if (at % (1 << 20) === 0) await Bun.sleep(1);
          }
          controller.close();
        },
      });
      const response = await fetch(`${server.url}/admin/models/small/imports?name=l&part=train`, {
        method: "POST",
        body,
        headers: { authorization: `Bearer ${ADMIN}`, "content-type": "text/csv" },
      });
      // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely.
      return [response.status, (await response.json()) as any];
    };
    try {
      const rows = "30,a,yes\n40,b,no\n".repeat(10_000);
      const [status, json] = await send(`age,city,y\n${rows}`);
      expect([status, json.report?.stored]).toEqual([200, 20_000]);
      const [refused, problem] = await send(`age,town,y\n${rows.repeat(10)}`);
      expect([refused, problem.code]).toEqual([422, "bad_header"]);
    } finally {
      await server.stop(1_000);
    }
  });
});
