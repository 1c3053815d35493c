/*
 * A table model that nothing was imported for: it is there, and holds nothing up.
 */
import { describe, expect, test } from "bun:test";
import { makeForecaster } from "../serve/forecast.ts";
import { SMALL, tableModel } from "../table/fixture.ts";
import { makeApp } from "./app.ts";
import type { HttpServices } from "./services.ts";
import { btcModel, config, fakeChampion, makeWorld, NOW, servicesOf } from "./testing.ts";

const silent = { info: () => {}, warn: () => {}, error: () => {} };
const world = makeWorld();
const models: HttpServices["models"] = new Map([
  ["btc", btcModel],
  ["small", tableModel(SMALL)],
]);

/** Services where the market has a champion and the table has none. */
const services: HttpServices = {
  ...servicesOf(world),
  models,
  champions: {
    ...servicesOf(world).champions,
    state: (name) => ({ champion: name === "btc" ? fakeChampion() : null, trouble: world.trouble }),
  },
  promotion: { champion: async () => null, aliases: async () => [], history: async () => [] },
  forecaster: makeForecaster({
    ...({ clock: { now: () => NOW } } as Parameters<typeof makeForecaster>[0]),
    models,
  }),
};
const app = makeApp({ config, log: silent, services: () => services, starting: () => "" });
async function ask(path: string) {
  const response = await app.fetch(new Request(`http://localhost${path}`));
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely.
  return { status: response.status, json: (await response.json()) as any };
}

describe("a table that nothing was learned from", () => {
  test("is listed, without market and without schedule", async () => {
    expect((await ask("/v1/models/small")).json).toMatchObject({
      ...{ name: "small", kind: "table", market: null, champion: null, schedule: null },
    });
    expect((await ask("/v1/models")).json.items).toHaveLength(2);
  });

  test("does not keep the server from being ready, but is told", async () => {
    const { status, json } = await ask("/readyz");
    expect(status).toBe(200);
    expect(json.checks).toContainEqual(
      expect.objectContaining({ name: "model small", ok: false, blocking: false }),
    );
  });

  test("whose champion cannot be loaded does", async () => {
    const { trouble } = world;
    world.trouble = Object.assign(new Error("corrupt"), {
      ...{
        code: "artifact_corrupt",
        status: 500,
        fix: "",
        faults: [],
        headers: {},
        retryAfter: null,
      },
    });
    expect((await ask("/readyz")).status).toBe(503);
    world.trouble = trouble;
  });

  test("has no forecast, ever", async () => {
    const { status, json } = await ask("/v1/models/small/forecast");
    expect([status, json.code]).toEqual([422, "no_forecast"]);
    expect(json.fix).toContain("/v1/models/small/predict");
  });
});
