import { expect, test } from "bun:test";
import { SluiceError } from "../errors.ts";
import { grant, makeTestApp, makeWorld } from "./testing.ts";

const PATH = "/admin/models/iris/versions";
const file = (text = "onnx", type = "application/octet-stream") => ({
  raw: [type, text] as const,
});

/** An app whose registry has "iris", which no model file names. */
function made() {
  const world = makeWorld();
  world.registered = ["btc", "iris"];
  return makeTestApp({ world });
}

test("a file is registered by an administrator, under a name of a model", async () => {
  const { ask, world } = made();
  const { status, json } = await ask("POST", `${PATH}?description=a%20pipeline`, file());
  expect([status, json.model, json.version, json.unchanged]).toEqual([200, "iris", 3, false]);
  expect(world.asked).toEqual([["register", "iris", 4, "admin"]]);
  for (const [path, init, wanted] of [
    [PATH, { ...file(), token: null }, [401, "no_token"]],
    [PATH, { ...file(), token: grant(world, "p", ["predict"]) }, [403, "forbidden"]],
    ["/admin/models/Iris/versions", file(), [422, "bad_name"]],
    ["/admin/models/iris@3/versions", file(), [422, "bad_name"]],
    [PATH, file("onnx", "text/csv"), [415, "unsupported_media_type"]],
    [`${PATH}?description=`, file(), [422, "invalid_query"]],
    [`${PATH}?description=%00`, file(), [422, "invalid_query"]],
    [`${PATH}?name=x`, file(), [422, "invalid_query"]],
  ] as const) {
    const refused = await ask("POST", path, init);
    expect([path, refused.status, refused.json.code]).toEqual([path, ...wanted]);
  }
  expect(world.asked).toHaveLength(1);
});

test("a registered model has a view, versions, a history and moves, and no pipeline", async () => {
  const { ask, world } = made();
  world.champion = null;
  const { json } = await ask("GET", "/v1/models");
  expect(json.items.map((item: { name: string }) => item.name)).toEqual(["btc", "iris"]);
  const view = (await ask("GET", "/v1/models/iris")).json;
  expect(view).toMatchObject({
    ...{ name: "iris", kind: "registered", description: "", market: null, schedule: null },
    challenger: { version: 5 },
  });
  for (const path of ["versions", "history"]) {
    expect((await ask("GET", `/v1/models/iris/${path}`)).status).toBe(200);
  }
  const body = { version: 3 };
  expect((await ask("POST", "/admin/models/iris/promote", { body })).status).toBe(200);
  expect((await ask("POST", "/admin/models/iris/rollback")).status).toBe(200);
  const { status, json: refused } = await ask("POST", "/admin/models/iris/retrain");
  expect([status, refused.code]).toEqual([422, "no_pipeline"]);
  expect(
    (
      await ask("POST", "/admin/models/iris/imports?name=a.csv", {
        raw: ["text/csv", "a\n"],
      })
    ).status,
  ).toBe(404);
});

test("what neither a model file nor the registry has is unknown everywhere", async () => {
  const { ask } = made();
  for (const [method, path] of [
    ["GET", "/v1/models/nobody"],
    ["GET", "/v1/models/nobody/versions"],
    ["GET", "/v1/models/nobody/history"],
    ["POST", "/admin/models/nobody/promote"],
    ["POST", "/admin/models/nobody/rollback"],
    ["POST", "/admin/models/nobody/retrain"],
    ["GET", "/v2/models/nobody"],
    ["GET", "/v2/models/nobody/versions/1"],
  ] as const) {
    const init = path.endsWith("promote") ? { body: { version: 1 } } : {};
    expect([path, (await ask(method, path, init)).status]).toEqual([path, 404]);
  }
});

test("/readyz waits for a registered champion to be loaded, and for no more of it", async () => {
  const { ask, world } = made();
  const checkOf = async () => {
    const { status, json } = await ask("GET", "/readyz");
    const { ok, blocking } = json.checks.find((c: { name: string }) => c.name === "model iris");
    return [status, ok, blocking];
  };
  world.champions = ["btc", "iris"];
  // The fakes know the champion of model files only: that of iris is named and not loaded.
  expect(await checkOf()).toEqual([503, false, undefined]);
  world.trouble = new SluiceError({ code: "object_missing", detail: "gone" });
  expect(await checkOf()).toEqual([200, false, false]);
  // Callers are sent here since, and go on to be for all else.
  world.trouble = null;
  expect(await checkOf()).toEqual([200, false, false]);
});
