import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { SluiceError } from "../../errors.ts";
import { badParameter, notSupported } from "../../registry/refusal.ts";
import { testDatabases } from "../../store/testing.ts";
import { ADMIN, grant, tokenOf } from "../testing.ts";
import { mlflowError } from "./errors.ts";
import { rpcs } from "./index.ts";
import { addressesOf, type Role } from "./route.ts";
import { openTracked, type Tracked } from "./testing.ts";

const MORE = " See the API docs for more information about request parameters.";
const BAD = "INVALID_PARAMETER_VALUE";
const API = "/api/2.0/mlflow";

const [on] = testDatabases();
let tracked: Tracked;
let run_id: string;
beforeAll(async () => {
  tracked = await openTracked(on!);
  run_id = (await tracked.post("runs/create", { run_name: "r" })).run.info.run_id;
});
afterAll(() => tracked.close());

/** The answer to a body as it is. */
const send = async (path: string, body: string, type = "application/json") => {
  const { status, json } = await tracked.ask("POST", `${API}/${path}`, { raw: [type, body] });
  return [status, json.error_code, json.message] as const;
};
const post = (path: string, body: unknown) => send(path, JSON.stringify(body));

describe("addresses", () => {
  test("each call has a twin for the browser, and slashes in front count as one", async () => {
    for (const path of [
      `${API}/runs/get?run_id=${run_id}`,
      `/ajax-api/2.0/mlflow/runs/get?run_id=${run_id}`,
      `//api/2.0/mlflow/runs/get?run_uuid=${run_id}`,
    ]) {
      const { status, json } = await tracked.ask("GET", path);
      expect([path, status, json.run.info.run_id]).toEqual([path, 200, run_id]);
    }
  });

  test.each([
    ["GET", `${API}/nothing`],
    ["POST", `${API}/runs/create/`],
    ["POST", "/api/2.0/mlflow/webhooks"],
    ["POST", "/api/3.0/mlflow/traces"],
    ["GET", "/ajax-api/2.0/mlflow/gateway-proxy"],
    ["POST", "/ajax-api/3.0/mlflow/nothing"],
    ["PUT", "/api/"],
    ["POST", "/graphql"],
  ])("%s %s answers nothing, and says so as JSON", async (method, path) => {
    for (const token of [ADMIN, null]) {
      const { status, json, headers } = await tracked.ask(method, path, { token });
      expect([status, json.error_code]).toEqual([404, "ENDPOINT_NOT_FOUND"]);
      expect(headers.get("content-type")).toBe("application/json");
    }
  });

  test("another method of a known address says which there are", async () => {
    const { status, json, headers } = await tracked.ask("GET", `${API}/runs/create`);
    expect([status, json.error_code]).toEqual([405, "ENDPOINT_NOT_FOUND"]);
    expect(headers.get("allow")).toBe("POST");
    expect((await tracked.ask("HEAD", `${API}/runs/get?run_id=${run_id}`)).status).toBe(200);
  });

  test("probes", async () => {
    const text = async (path: string) => (await tracked.ask("GET", path, { token: null })).text;
    expect(await text("/health")).toBe("OK");
    // From 3.4 on clients would send traces that nothing here reads.
    expect(await text("/version")).toMatch(/^3\.[0-3]\.\d+$/);
    const info = await tracked.ask("GET", "/api/3.0/mlflow/server-info", { token: null });
    expect(info.json).toMatchObject({ store_type: "SqlStore", workspaces_enabled: false });
  });
});

describe("messages", () => {
  test.each([
    ["{}", "run_id"],
    ['{"run_id":""}', "run_id"],
    ['{"run_id":null}', "run_id"],
    ["", "run_id"],
    ["{", "run_id"],
    ["[1]", "run_id"],
    ["7", "run_id"],
    ['{"run_id":"x"}', "key"],
    ['{"run_id":"x","key":"k","timestamp":1}', "value"],
    ['{"run_id":"x","key":"k","value":1}', "timestamp"],
  ])("%s lacks %s", async (body, name) => {
    expect(await send("runs/log-metric", body)).toEqual([
      ...([400, BAD, `Missing value for required parameter '${name}'.${MORE}`] as const),
    ]);
  });

  test.each([
    [
      "experiments/create",
      '{"name":"x","artifact_location":9.0}',
      "9.0",
      "artifact_location",
      "float",
    ],
    ["experiments/create", '{"name":5}', "5", "name", "int"],
    ["experiments/create", '{"name":["a", 1.0]}', '["a",1.0]', "name", "list"],
    ["experiments/create", '{"name":{"b": 1,"a":"é"}}', '{"a":"\\u00e9","b":1}', "name", "dict"],
    ["experiments/create", '{"name":true}', "true", "name", "bool"],
    ["experiments/create", '{"name":"x","tags":"t"}', '"t"', "tags", "str"],
    ["experiments/create", '{"name":"x","tags":[7]}', "7", "tags[0]", "int"],
    ["runs/log-metric", '{"run_id":"x","key":"k","value":"one"}', '"one"', "value", "str"],
    [
      "runs/log-metric",
      '{"run_id":"x","key":"k","value":1,"timestamp":"now"}',
      '"now"',
      "timestamp",
      "str",
    ],
    [
      "runs/log-metric",
      '{"run_id":"x","key":"k","value":1,"timestamp":1.5}',
      "1.5",
      "timestamp",
      "float",
    ],
    [
      "runs/log-batch",
      '{"run_id":"x","metrics":[{"key":"a","value":1,"timestamp":"z"}]}',
      '"z"',
      "metrics[0].timestamp",
      "str",
    ],
    [
      "runs/log-batch",
      '{"run_id":"x","params":[{"key":"a"},{"key":2}]}',
      "2",
      "params[1].key",
      "int",
    ],
    ["runs/create", '{"start_time":[1]}', "[1]", "start_time", "list"],
  ])("%s with %s has a value of the wrong type", async (path, body, value, name, type) => {
    const hint = `supplied:  Hint: Value was of type '${type}'.${MORE}`;
    const text = `Invalid value ${value} for parameter '${name}' ${hint}`;
    expect(await send(path, body)).toEqual([400, BAD, text]);
  });

  test("what is missing within a list is told by its place", async () => {
    const [, , text] = await post("runs/log-batch", { run_id, metrics: [{ key: "a", value: 1 }] });
    expect(text).toStartWith("Missing value for required parameter 'metrics[0].timestamp'.");
  });

  test("a body that was encoded twice, and members that are not known", async () => {
    const twice = JSON.stringify(JSON.stringify({ run_id, key: "twice", value: "1", more: [] }));
    expect((await send("runs/set-tag", twice))[0]).toBe(200);
  });

  test("a NUL, which the database cannot hold, is no fault of the server", async () => {
    const [status, kind, text] = await post("runs/set-tag", { run_id, key: "a", value: "b\0" });
    expect([status, kind]).toEqual([400, BAD]);
    expect(text).toContain("NUL");
  });

  test("only JSON is read, and its type is said", async () => {
    const body = JSON.stringify({ run_id, key: "t", value: "1" });
    expect((await send("runs/set-tag", body, "application/json; charset=utf-8"))[0]).toBe(200);
    for (const type of ["text/plain", "application/x-www-form-urlencoded", ""]) {
      const [status, kind, text] = await send("runs/set-tag", body, type);
      expect([status, kind]).toEqual([400, BAD]);
      expect(text).toContain("application/json");
    }
  });

  test("a body over the limit is refused before it is read", async () => {
    const [status, kind] = await send("runs/set-tag", " ".repeat(8 * 1024 * 1024 + 1));
    expect([status, kind]).toEqual([413, BAD]);
  });
});

describe("who may", () => {
  const read = `${API}/runs/get`;
  const ask = async (on: Tracked, path: string, authorization: string | null) => {
    const headers = authorization === null ? {} : { authorization };
    const isRead = path === read;
    const { status, json } = await on.ask(
      isRead ? "GET" : "POST",
      isRead ? `${path}?run_id=none` : path,
      { token: null, headers, ...(isRead ? {} : { body: {} }) },
    );
    return [status, json.error_code];
  };
  const basic = (user: string, password: string) => `Basic ${btoa(`${user}:${password}`)}`;

  test("a token, as bearer or as the password of any name, by its scope", async () => {
    const closed = await openTracked(on!, { config: { open: [] } });
    try {
      const write = `${API}/runs/log-batch`;
      grant(closed.world, "r", ["read"]);
      grant(closed.world, "t", ["track"]);
      grant(closed.world, "p", ["predict"]);
      grant(closed.world, "a", ["admin"]);
      const no = [401, "UNAUTHENTICATED"];
      const denied = [403, "PERMISSION_DENIED"];
      const reads = [404, "RESOURCE_DOES_NOT_EXIST"];
      const writes = [400, BAD];
      for (const [key, wanted] of [
        [null, [no, no]],
        ["Bearer wrong", [no, no]],
        [basic("ada", "wrong"), [no, no]],
        ["Basic !!", [no, no]],
        [basic(tokenOf("a"), ""), [no, no]],
        [`Bearer ${tokenOf("r")}`, [reads, denied]],
        [basic("ada", tokenOf("r")), [reads, denied]],
        [`Bearer ${tokenOf("p")}`, [denied, denied]],
        [`Bearer ${tokenOf("t")}`, [reads, writes]],
        [basic("", tokenOf("t")), [reads, writes]],
        [basic("é", tokenOf("a")), [reads, writes]],
        [`Bearer ${ADMIN}`, [reads, writes]],
        [basic("admin", ADMIN), [reads, writes]],
      ] as const) {
        expect([key, await ask(closed, read, key), await ask(closed, write, key)]).toEqual([
          key,
          ...wanted,
        ]);
      }
      // Nowhere else does a password open anything.
      const other = await closed.ask("GET", "/v1/models", {
        ...{ token: null, headers: { authorization: basic("ada", ADMIN) } },
      });
      expect(other.status).toBe(401);
    } finally {
      await closed.close();
    }
  });

  test("every door, at each of its addresses, with every key", async () => {
    const closed = await openTracked(on!, { config: { open: [] } });
    try {
      grant(closed.world, "r", ["read"]);
      grant(closed.world, "t", ["track"]);
      grant(closed.world, "p", ["predict"]);
      const keys: readonly (readonly [string | null, readonly Role[]])[] = [
        [null, ["open"]],
        ["wrong", ["open"]],
        [tokenOf("x"), ["open"]],
        [tokenOf("p"), ["open"]],
        [tokenOf("r"), ["open", "read"]],
        [tokenOf("t"), ["open", "read", "track"]],
      ];
      for (const rpc of rpcs) {
        for (const address of addressesOf(rpc)) {
          const path = address.replace(/\{\w+\+?\}/g, "x");
          for (const [token, opens] of keys) {
            const { status } = await closed.ask(rpc.method, path, {
              ...{ token, ...(rpc.method === "GET" ? {} : { body: {} }) },
            });
            const told = `${rpc.method} ${path} with ${token}`;
            expect([told, [401, 403].includes(status)]).toEqual([told, !opens.includes(rpc.role)]);
          }
        }
      }
      const open = rpcs.filter(({ role }) => role === "open").map(({ path }) => path);
      expect(open).toEqual(["/health", "/version", "server-info"]);
      expect(rpcs.filter(({ method, role }) => method !== "GET" && role === "read")).toSatisfy(
        (those: readonly { path: string }[]) =>
          those.every(({ path }) =>
            /\/(?:search|search-datasets|get-latest-versions|presigned-download-url)$/.test(path),
          ),
      );
    } finally {
      await closed.close();
    }
  }, 60_000);

  test("on loopback reading is open and writing is not, unless the operator opens it", async () => {
    const write = `${API}/runs/log-batch`;
    expect(await ask(tracked, read, null)).toEqual([404, "RESOURCE_DOES_NOT_EXIST"]);
    expect(await ask(tracked, write, null)).toEqual([401, "UNAUTHENTICATED"]);
    const open = await openTracked(on!, { config: { open: ["track"] } });
    try {
      expect(await ask(open, write, null)).toEqual([400, BAD]);
    } finally {
      await open.close();
    }
  });
});

describe("errors", () => {
  const told = async (error: SluiceError) => {
    const response = mlflowError(error, { requestId: "r1", simulated: false });
    const { error_code, message } = (await response.json()) as Record<string, string>;
    return [response.status, error_code, message];
  };
  const of = (code: string, status: number) => new SluiceError({ code, status, detail: "why" });

  test.each([
    [of("bad_name", 422), 400, BAD],
    [of("body_too_large", 413), 413, BAD],
    [of("unknown_model", 404), 404, "RESOURCE_DOES_NOT_EXIST"],
    [of("not_the_champion", 409), 409, "RESOURCE_CONFLICT"],
    [of("too_busy", 429), 429, "REQUEST_LIMIT_EXCEEDED"],
    [of("starting", 503), 503, "TEMPORARILY_UNAVAILABLE"],
    [of("internal_error", 500), 500, "INTERNAL_ERROR"],
    [badParameter("why"), 400, BAD],
    [notSupported("why"), 501, "NOT_IMPLEMENTED"],
  ])("%#", async (error, status, kind) => {
    expect(await told(error)).toEqual([status, kind, "why"]);
  });

  test("hold their kind and their sentence alone, and the request's id in a header", async () => {
    const { json, headers } = await tracked.ask("GET", `${API}/artifacts/list?run_id=x&path=../a`);
    expect(json).toEqual({ error_code: BAD, message: "Invalid path" });
    expect(headers.get("x-request-id")).toBeTruthy();
  });

  test("what nobody foresaw says nothing of the inside", async () => {
    const broken = await openTracked(on!);
    try {
      await broken.database.close();
      const { status, json } = await broken.ask("GET", `${API}/runs/get?run_id=x`);
      expect([status >= 500, "error_code" in json]).toEqual([true, true]);
      expect(json.message).not.toMatch(/select|from|pglite/i);
    } finally {
      await broken.close().catch(() => {});
    }
  });

  test("while it starts, a client is told to come again", async () => {
    const { makeTestApp } = await import("../testing.ts");
    const { ask } = makeTestApp({ services: () => null });
    const { status, json, headers } = await ask("POST", `${API}/runs/create`, { body: {} });
    expect([status, json.error_code]).toEqual([503, "TEMPORARILY_UNAVAILABLE"]);
    expect(headers.get("retry-after")).toBe("1");
  });
});
