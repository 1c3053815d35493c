import { describe, expect, test } from "bun:test";
import { SluiceError } from "../errors.ts";
import { makeApp } from "./app.ts";
import { routes } from "./routes.ts";
import { config, makeTestApp, makeWorld, servicesOf } from "./testing.ts";

describe("while it starts", () => {
  const { ask, lines } = makeTestApp({ services: () => null });

  test("every route but those of life asks for patience", async () => {
    expect((await ask("GET", "/healthz", { token: null })).status).toBe(200);
    const paths = [...routes.map(({ path }) => path), "/nowhere"];
    const live = ["/healthz", "/v2/health/live"];
    for (const path of paths.filter((p) => !live.includes(p) && !p.includes(":"))) {
      const { status, json, headers } = await ask("GET", path);
      // Below /v2 an error is one text, with the code at its end.
      const code = json.code ?? /\((\w+)\)$/.exec(json.error)?.[1];
      expect([path, status, code, headers.get("retry-after")]).toEqual([
        path,
        503,
        "starting",
        "1",
      ]);
      expect(json.detail ?? json.error).toContain("the database is opening");
    }
    const predict = await ask("POST", "/v1/models/btc/predict", { raw: ["image/png", "x"] });
    expect(predict.json.code).toBe("starting");
  });

  test("/readyz says what it is at", async () => {
    const { json } = await ask("GET", "/readyz", { token: null });
    expect(json.checks).toEqual([
      { name: "start", ok: false, detail: "The server is starting: the database is opening." },
    ]);
  });

  test("a prober that waits leaves no lines in the log", () => {
    expect(lines).toEqual([]);
  });

  test("ready comes with the services, and then predictions do too", async () => {
    const services = servicesOf(makeWorld());
    let open = false;
    const started = makeTestApp({ services: () => (open ? services : null) });
    expect((await started.ask("GET", "/readyz")).status).toBe(503);
    open = true;
    expect((await started.ask("GET", "/readyz")).status).toBe(200);
    expect((await started.ask("GET", "/v1/models/btc/forecast")).status).toBe(200);
  });
});

describe("while it stops", () => {
  test("it takes nothing new and closes connections, but lives", async () => {
    const { ask } = makeTestApp({ isStopping: () => true });
    const { status, json, headers } = await ask("GET", "/v1/models");
    expect([status, json.code, headers.get("connection")]).toEqual([503, "stopping", "close"]);
    expect((await ask("GET", "/readyz")).json.code).toBe("stopping");
    expect((await ask("GET", "/healthz")).status).toBe(200);
  });
});

describe("requests and answers", () => {
  const { ask } = makeTestApp();

  test("every answer carries a request id, the client's own where it is a plain one", async () => {
    const own = await ask("GET", "/v1/models", { headers: { "x-request-id": "abc-1.2_3" } });
    expect(own.headers.get("x-request-id")).toBe("abc-1.2_3");
    for (const bad of ["a b", "x".repeat(65), "<script>", "é"]) {
      const made = await ask("GET", "/nowhere", { headers: { "x-request-id": bad } });
      expect(made.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
      expect(made.json.request_id).toBe(made.headers.get("x-request-id"));
    }
  });

  test("an unknown address is a problem", async () => {
    const { status, json, headers } = await ask("GET", "/v1/model");
    expect(status).toBe(404);
    expect(headers.get("content-type")).toBe("application/problem+json");
    expect(json).toMatchObject({
      type: "/docs/errors#unknown_route",
      title: "No such route",
      status: 404,
      code: "unknown_route",
    });
    expect(json.detail).toContain('"/v1/model"');
  });

  test("another method is told which ones there are", async () => {
    const post = await ask("POST", "/v1/models/btc", { body: {} });
    expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    const put = await ask("PUT", "/admin/tokens", { body: {} });
    expect([put.status, put.headers.get("allow")]).toEqual([405, "GET, POST, HEAD"]);
    expect((await ask("OPTIONS", "/v1/models/btc/predict")).headers.get("allow")).toBe("POST");
  });

  test("HEAD answers as GET does, without the body", async () => {
    const { status, text, headers } = await ask("HEAD", "/v1/models");
    expect([status, text]).toEqual([200, ""]);
    expect(headers.get("content-type")).toBe("application/json");
  });

  test("nothing that is answered is kept by caches or guessed at by browsers", async () => {
    const { headers } = await ask("GET", "/v1/models");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  });

  test("a parameter of the query that is not known is a fault", async () => {
    const { status, json } = await ask("GET", "/v1/models?form=1");
    expect([status, json.code]).toEqual([422, "invalid_query"]);
    expect(json.faults).toEqual([
      { path: "form", message: "is not known; nothing is accepted here" },
    ]);
    const twice = await ask("GET", "/v1/runs?limit=1&limit=2");
    expect(twice.json.faults).toEqual([
      { path: "limit", message: "expected a whole number from 1 to 1000" },
    ]);
  });
});

describe("errors", () => {
  test("what nobody foresaw is logged with its stack and told to nobody", async () => {
    const { ask, lines } = makeTestApp({
      world: {
        ...makeWorld(),
        forecast: () => Promise.reject(new Error("password of the database: hunter2")),
      },
    });
    const answer = await ask("GET", "/v1/models/btc/forecast");
    expect([answer.status, answer.json.code]).toEqual([500, "internal_error"]);
    expect(answer.text).not.toContain("hunter2");
    const line = lines.find(([level]) => level === "error");
    expect(line?.[1]).toBe("request_failed");
    expect(line?.[2]["reason"]).toContain("hunter2");
    expect(line?.[2]["stack"]).toContain("app.test.ts");
    expect(line?.[2]["request_id"]).toBe(answer.json.request_id);
  });

  test("what is thrown on purpose is told with everything", async () => {
    const thrown = new SluiceError({
      code: "exchange_unreachable",
      status: 503,
      detail: "Away.",
      fix: "Wait.",
      retryAfter: 4.2,
    });
    const { ask } = makeTestApp({
      world: { ...makeWorld(), forecast: () => Promise.reject(thrown) },
    });
    const { status, json, headers } = await ask("GET", "/v1/models/btc/forecast");
    expect([status, headers.get("retry-after")]).toEqual([503, "5"]);
    expect(json).toMatchObject({ detail: "Away.", fix: "Wait.", title: "Exchange not reached" });
  });

  test("a request that takes too long is given up", async () => {
    const { ask } = makeTestApp({
      world: { ...makeWorld(), forecast: () => new Promise(() => {}) },
      deadlineMs: 20,
    });
    const { status, json } = await ask("GET", "/v1/models/btc/forecast");
    expect([status, json.code]).toEqual([503, "deadline_exceeded"]);
  });

  test("only failures are logged, with the route's pattern and without what was sent", async () => {
    const { ask, lines } = makeTestApp();
    await ask("GET", "/v1/models");
    expect(lines).toEqual([]);
    await ask("POST", "/v1/models/btc/predict?secret=1", { body: { instances: [{ secret: 1 }] } });
    expect(lines.map(([level, event, f]) => [level, event, f["route"], f["status"]])).toEqual([
      ["info", "request", "/v1/models/:ref/predict", 422],
    ]);
    expect(JSON.stringify(lines)).not.toContain("secret");
  });
});

describe("a simulated server", () => {
  const { ask } = makeTestApp({ config: { simulated: true } });

  test("says so in every JSON answer and on every page", async () => {
    const paths = ["/healthz", "/readyz", "/v1/models", "/v1/models/btc/forecast", "/nowhere"];
    for (const path of [...paths, "/v1/candles/KRW-BTC", "/admin/tokens", "/v1/runs?limit=0"]) {
      expect([path, (await ask("GET", path)).json.simulated]).toEqual([path, true]);
    }
    const predict = await ask("POST", "/v1/models/btc/predict", {
      body: { instances: [{ ret_1: 0, ret_2: 0 }] },
    });
    expect(predict.json.simulated).toBe(true);
    for (const path of ["/", "/docs", "/docs/errors"]) {
      expect((await ask("GET", path)).text).toContain("SIMULATED");
    }
    expect((await ask("GET", "/openapi.json")).json.info.title).toContain("SIMULATED");
  });

  test("and a live one never does", async () => {
    const live = makeTestApp();
    for (const path of ["/v1/models", "/nowhere", "/", "/docs", "/docs/errors"]) {
      expect((await live.ask("GET", path)).text).not.toMatch(/"simulated"|SIMULATED: an invented/);
    }
  });
});

describe("a worker", () => {
  test("answers for its health and metrics only", async () => {
    const { ask } = makeTestApp({ config: { role: "worker" } });
    for (const path of ["/healthz", "/readyz", "/metrics"]) {
      expect((await ask("GET", path)).status).toBe(200);
    }
    for (const path of ["/v1/models", "/admin/tokens", "/", "/docs"]) {
      expect((await ask("GET", path)).status).toBe(404);
    }
  });
});

test("fetch never throws, whatever the services do", async () => {
  const { log } = { log: { info: () => {}, warn: () => {}, error: () => {} } };
  const app = makeApp({
    config,
    log,
    services: () => {
      throw new Error("gone");
    },
    starting: () => "",
  });
  const response = await app.fetch(new Request("http://localhost/v1/models"));
  expect(response.status).toBe(500);
  expect(await response.json()).toMatchObject({ code: "internal_error" });
});
