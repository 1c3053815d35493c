import { describe, expect, test } from "bun:test";
import { rpcs } from "./mlflow/index.ts";
import { addressesOf } from "./mlflow/route.ts";
import { routes } from "./routes.ts";
import { makeTestApp } from "./testing.ts";

const { ask } = makeTestApp();
const { json: document } = await ask("GET", "/openapi.json", { token: null });

const documented = (path: string): string =>
  path.replace(":path{.+}", "{path}").replace(/:(\w+)/g, "{$1}");

describe("/openapi.json", () => {
  test("is OpenAPI 3.1 and tells of every route, and of nothing else", () => {
    expect(document.openapi).toStartWith("3.1");
    const told = Object.entries<object>(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const all = [
      ...routes.map((route) => `${route.method} ${documented(route.path)}`),
      ...rpcs.map((rpc) => `${rpc.method} ${addressesOf(rpc)[0]!.replace(/\+\}/g, "}")}`),
    ];
    expect(told.sort()).toEqual(all.sort());
  });

  test("calls of MLflow's protocol tell what they take, and who may call them", () => {
    const batch = document.paths["/api/2.0/mlflow/runs/log-batch"].post;
    expect(batch.security).toEqual([{ token: [] }]);
    const { schema } = batch.requestBody.content["application/json"];
    expect(schema.required).toEqual(["run_id"]);
    expect(schema.properties.metrics.items.required).toEqual(["key", "value", "timestamp"]);
    const get = document.paths["/api/2.0/mlflow/logged-models/{model_id}"].get;
    expect(get.parameters.map((one: { in: string; name: string }) => [one.in, one.name])).toEqual([
      ["path", "model_id"],
      ["query", "allow_deleted"],
    ]);
    expect(get.security).toEqual([{ token: [] }, {}]);
    const put = document.paths["/api/2.0/mlflow-artifacts/artifacts/{path}"].put;
    expect(Object.keys(put.requestBody.content)).toEqual(["application/octet-stream"]);
    const methods = Object.values<object>(document.paths).flatMap((path) => Object.values(path));
    const ids = methods.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("each route says what it is, what it takes and gives, and who may call it", () => {
    const ids = new Set<string>();
    for (const route of routes) {
      const told = document.paths[documented(route.path)][route.method.toLowerCase()];
      ids.add(told.operationId);
      expect(told.summary.length).toBeGreaterThan(5);
      expect(told.tags.length).toBe(1);
      // An empty requirement beside the token: it may be left out, as this server has it.
      const optional = route.group === "read" || route.group === "predict";
      const security = optional ? [{ token: [] }, {}] : [{ token: [] }];
      expect(told.security).toEqual(route.group === "open" ? [] : security);
      expect(Object.keys(told.responses)).toContain(String(route.status ?? 200));
      const names = (told.parameters ?? []).map(
        (p: { in: string; name: string }) => `${p.in} ${p.name}`,
      );
      for (const [, name] of route.path.matchAll(/:(\w+)/g)) {
        expect(names.filter((known: string) => known === `path ${name}`)).toHaveLength(1);
        const parameter = told.parameters.find((p: { name: string }) => p.name === name);
        expect(new RegExp(parameter.schema.pattern).test("a\u0000/")).toBe(name === "path");
      }
      const takes = route.group !== "open" && (route.body ?? route.takes) !== undefined;
      expect(told.requestBody !== undefined).toBe(takes);
    }
    expect(ids.size).toBe(routes.length);
  });

  test("problems are the problem schema, under every status that guards can give", () => {
    const promote = document.paths["/admin/models/{model}/promote"].post;
    expect(promote.requestBody.required).toBe(true);
    expect(document.paths["/admin/pipelines/{pipeline}/runs"].post.requestBody.required).toBe(
      false,
    );
    for (const status of [400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 503]) {
      expect(promote.responses[status].content["application/problem+json"].schema).toEqual({
        $ref: "#/components/schemas/Problem",
      });
    }
    const { Problem } = document.components.schemas;
    expect(Problem.required).toEqual(expect.arrayContaining(["type", "status", "detail", "code"]));
  });

  test("a server that asks everybody for a token says so", async () => {
    const closed = makeTestApp({ config: { open: [] } });
    const { json } = await closed.ask("GET", "/openapi.json", { token: null });
    for (const route of routes) {
      const told = json.paths[documented(route.path)][route.method.toLowerCase()];
      expect(told.security).toEqual(route.group === "open" ? [] : [{ token: [] }]);
    }
  });

  test("whoever is sent away is told when to come again", () => {
    for (const path of ["/v1/models", "/docs"]) {
      const { get } = document.paths[path];
      for (const status of [429, 503]) {
        expect(Object.keys(get.responses[status].headers)).toEqual(["Retry-After"]);
      }
    }
    for (const path of ["/healthz", "/readyz", "/metrics", "/v2/health/ready"]) {
      expect(document.paths[path].get.responses[429]).toBeUndefined();
    }
  });

  test("errors of the inference protocol have its form, and none is 422", () => {
    const infer = document.paths["/v2/models/{model}/versions/{version}/infer"].post;
    expect(Object.keys(infer.requestBody.content)).toEqual([
      "application/json",
      "application/octet-stream",
    ]);
    expect(infer.responses[422]).toBeUndefined();
    for (const status of [400, 401, 403, 404, 408, 413, 415, 429, 500, 503]) {
      expect(infer.responses[status].content["application/json"].schema).toEqual({
        $ref: "#/components/schemas/InferenceError",
      });
    }
  });

  test("answers that are no JSON are told by their types", () => {
    const typesOf = (path: string, method: string): string[] =>
      Object.keys(document.paths[path][method].responses[200].content);
    expect(typesOf("/v2/models/{model}/infer", "post")).toEqual([
      "application/json",
      "application/octet-stream",
    ]);
    expect(typesOf("/v1/models/{ref}/predict", "post")).toEqual([
      "application/json",
      "application/x-ndjson",
    ]);
    expect(typesOf("/metrics", "get")).toEqual(["text/plain"]);
  });

  test("every reference leads somewhere", () => {
    for (const [, name] of JSON.stringify(document).matchAll(/"#\/components\/(\w+\/\w+)"/g)) {
      const [kind = "", key = ""] = name!.split("/");
      expect(document.components[kind]?.[key]).toBeDefined();
    }
  });

  test("a query is told with its descriptions", () => {
    const { parameters } = document.paths["/v1/candles/{market}"].get;
    const from = parameters.find((p: { name: string }) => p.name === "from");
    expect(from).toMatchObject({ in: "query", description: "Starts of candles from here on." });
    expect(from.required).toBeUndefined();
  });
});
