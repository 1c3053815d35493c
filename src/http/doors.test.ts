/*
 * Every door, tried with every key: the routes come from the table that the router is made of,
 * so a route that is added is tried without a word here.
 */
import { describe, expect, test } from "bun:test";
import type { Group, Route } from "./route.ts";
import { routes } from "./routes.ts";
import { ADMIN, grant, makeTestApp, makeWorld, PIPELINE_RUN, RUN_ID, tokenOf } from "./testing.ts";

const SAMPLE: Readonly<Record<string, string>> = {
  model: "btc",
  pipeline: "btc",
  market: "KRW-BTC",
  token: "somebody",
};

const samplePath = ({ path }: Route): string =>
  path
    .replace(":path{.+}", "plots/roc.svg")
    .replace(":run", path.includes("pipelines") ? PIPELINE_RUN : RUN_ID)
    .replace(/:(\w+)/g, (_, name) => SAMPLE[name] ?? name);

const world = makeWorld();
grant(world, "r", ["read"]);
grant(world, "p", ["predict"]);
grant(world, "t", ["track"]);
grant(world, "a", ["admin"]);

const keys: readonly { name: string; token: string | null; opens: readonly Group[] }[] = [
  { name: "no token", token: null, opens: ["open"] },
  { name: "a wrong token", token: "wrong", opens: ["open"] },
  { name: "an unknown token of the right form", token: tokenOf("x"), opens: ["open"] },
  { name: "an empty token", token: "", opens: ["open"] },
  { name: "the administrator's token and more", token: `${ADMIN}x`, opens: ["open"] },
  { name: "a read token", token: tokenOf("r"), opens: ["open", "read"] },
  { name: "a predict token", token: tokenOf("p"), opens: ["open", "predict"] },
  { name: "a track token", token: tokenOf("t"), opens: ["open", "track"] },
  {
    name: "an admin token",
    token: tokenOf("a"),
    opens: ["open", "read", "predict", "track", "admin"],
  },
  {
    name: "the administrator's token",
    token: ADMIN,
    opens: ["open", "read", "predict", "track", "admin"],
  },
];

const refusals = new Set([401, 403]);

describe("with nothing open", () => {
  const { ask } = makeTestApp({ world, config: { open: [] } });

  test.each(keys)("$name opens only its doors", async ({ token, opens }) => {
    for (const route of routes) {
      const { status } = await ask(route.method, samplePath(route), { token });
      const told = `${route.method} ${route.path} with ${token}: ${status}`;
      expect(`${told} ${refusals.has(status)}`).toBe(`${told} ${!opens.includes(route.group)}`);
    }
  });

  test("a refusal says how to ask, and whether it is the token or its scope", async () => {
    const none = await ask("GET", "/v1/models", { token: null });
    expect(none.status).toBe(401);
    expect(none.headers.get("www-authenticate")).toBe('Bearer realm="sluice"');
    expect(none.json.code).toBe("no_token");
    const wrong = await ask("GET", "/v1/models", { token: "wrong" });
    expect([wrong.status, wrong.json.code]).toEqual([401, "bad_bearer"]);
    const scope = await ask("POST", "/admin/backfill", { token: tokenOf("r"), body: {} });
    expect([scope.status, scope.json.code]).toEqual([403, "forbidden"]);
    expect(scope.json.fix).toContain("admin");
  });
});

describe("with read and predict open", () => {
  const { ask } = makeTestApp({ world });

  test("only administration needs a token", async () => {
    for (const route of routes) {
      const { status } = await ask(route.method, samplePath(route), { token: null });
      const told = `${route.method} ${route.path}: ${status}`;
      expect(`${told} ${refusals.has(status)}`).toBe(`${told} ${route.group === "admin"}`);
    }
  });

  test("every write is an administrator's, except predictions", () => {
    for (const { method, path, group } of routes) {
      if (method !== "GET" && !/\/(?:predict|infer)$/.test(path))
        expect(`${path} ${group}`).toBe(`${path} admin`);
      if (path.startsWith("/admin/")) expect(`${path} ${group}`).toBe(`${path} admin`);
    }
  });
});

describe("odd addresses", () => {
  const { ask } = makeTestApp({ world, config: { open: [] } });
  const guarded = routes.filter((route) => route.group !== "open");
  const odd: readonly [string, (path: string) => string][] = [
    ["a slash in front", (path) => `/${path}`],
    ["a slash in the middle", (path) => path.replace(/(.)\//, "$1//")],
    ["a slash at the end", (path) => `${path}/`],
    ["upper case", (path) => path.toUpperCase()],
    ["an encoded dot", (path) => path.replace(/(.)\//, "$1/%2e/")],
    ["two encoded dots", (path) => path.replace(/(.)\//, "$1/x/%2e%2e/")],
    ["an encoded letter", (path) => path.replace("/a", "/%61").replace("/v", "/%76")],
    ["an encoded slash", (path) => path.replace(/(.)\//, "$1%2f")],
    ["a NUL", (path) => `${path}%00`],
    ["a semicolon", (path) => `${path};x=1`],
    ["a query", (path) => `${path}?token=${ADMIN}&access_token=${ADMIN}`],
  ];

  test.each(odd)("%s opens nothing", async (_, twist) => {
    for (const route of guarded) {
      const path = twist(samplePath(route));
      const { status } = await ask(route.method, path, { token: null });
      expect(`${route.method} ${path}: ${[401, 404, 405].includes(status) ? "shut" : status}`).toBe(
        `${route.method} ${path}: shut`,
      );
    }
  });

  const methods = ["HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "POST", "GET"];
  test.each(methods)("%s without a token opens nothing", async (method) => {
    for (const route of guarded) {
      const path = samplePath(route);
      const { status } = await ask(method, path, { token: null });
      expect(`${method} ${path}: ${[401, 405].includes(status) ? "shut" : status}`).toBe(
        `${method} ${path}: shut`,
      );
    }
  });

  test("a header that only looks like a token opens nothing", async () => {
    for (const authorization of [
      ADMIN,
      `Basic ${btoa(`admin:${ADMIN}`)}`,
      `Bearer`,
      `Bearer ${ADMIN} x`,
    ]) {
      const { status } = await ask("GET", "/admin/tokens", {
        token: null,
        headers: { authorization },
      });
      expect(status).toBe(401);
    }
    const lower = await ask("GET", "/admin/tokens", {
      token: null,
      headers: { authorization: `bearer ${ADMIN}` },
    });
    expect(lower.status).toBe(200);
  });
});
