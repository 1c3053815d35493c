import { describe, expect, test } from "bun:test";
import { paramNames } from "./params.ts";
import { routes } from "./routes.ts";
import { makeTestApp, RUN_ID } from "./testing.ts";

const hostile = [
  "..%2f..%2fetc%2fpasswd",
  "%252e%252e%2f",
  "a%2f..%2f..%2fb",
  "%2fetc%2fpasswd",
  "%2f%2fproc%2fself%2froot",
  "x%00.onnx",
  "C:%5cx",
  "http:%2f%2f%2f%23%2f..%2f..%2fetc%2f",
  "a".repeat(300),
  "CON",
  "BTC",
  "-btc",
  "btc%0a",
  "bt%20c",
  "%E0%A4%A",
  "%zz",
  "b%CC%81tc",
];

describe("names in addresses", () => {
  const { ask } = makeTestApp();

  test.each(hostile)("%s is no name", async (name) => {
    const paths: readonly [string, string][] = [
      ["GET", `/v1/models/${name}`],
      ["GET", `/v1/models/${name}/forecast`],
      ["POST", `/v1/models/${name}/predict`],
      ["GET", `/v1/pipelines/${name}/runs`],
      ["GET", `/v1/candles/${name}`],
      ["GET", `/v1/runs/${name}`],
      ["GET", `/v1/runs/${name}/artifacts/x`],
      ["POST", `/admin/models/${name}/promote`],
      ["POST", `/admin/pipelines/${name}/runs`],
      ["DELETE", `/admin/tokens/${name}`],
    ];
    for (const [method, path] of paths) {
      const answer = await ask(method, path);
      expect([path, answer.status, answer.json.code]).toEqual([path, 422, "bad_name"]);
      expect(answer.json.faults[0].path).toBeString();
    }
  });

  test.each(["../../etc/passwd", "a/../../b", "%2e%2e/%2e%2e/admin/tokens", ".", ""])(
    "%s leads nowhere",
    async (name) => {
      for (const path of [`/v1/models/${name}/forecast`, `/v1/pipelines/${name}/runs`]) {
        const answer = await ask("GET", path, { token: null });
        expect([path, [401, 404, 405].includes(answer.status)]).toEqual([path, true]);
      }
    },
  );

  test("names of the right form that nobody has are not found", async () => {
    const known: readonly [string, string, string][] = [
      ["GET", "/v1/models/nobody", "unknown_model"],
      ["GET", "/v1/models/nobody/forecast", "unknown_model"],
      ["GET", "/v1/models/nobody/forecasts", "unknown_model"],
      ["GET", "/v1/models/nobody/versions", "unknown_model"],
      ["POST", "/v1/models/nobody/predict", "unknown_model"],
      ["POST", "/admin/models/nobody/retrain", "unknown_model"],
      ["GET", "/v1/candles/KRW-NOBODY", "unknown_market"],
      ["GET", "/v1/pipelines/nobody/runs", "unknown_pipeline"],
      ["GET", `/v1/runs/${"f".repeat(32)}`, "unknown_run"],
      ["GET", `/v1/pipelines/btc/runs/${"f".repeat(32)}`, "unknown_run"],
      ["GET", `/v1/runs/${RUN_ID}/artifacts/none.txt`, "unknown_artifact"],
      ["DELETE", "/admin/tokens/nobody", "unknown_token"],
    ];
    for (const [method, path, code] of known) {
      const answer = await ask(method, path);
      expect([path, answer.status, answer.json.code]).toEqual([path, 404, code]);
    }
  });
});

describe("paramNames", () => {
  test("every route's parameters have a form", () => {
    for (const { path } of routes) expect(() => paramNames(path)).not.toThrow();
  });

  test("a parameter without a form cannot be routed", () => {
    expect(() => paramNames("/v1/things/:thing")).toThrow("no form is known of :thing");
    expect(() => paramNames("/v1/things/:constructor")).toThrow("no form is known");
  });
});
