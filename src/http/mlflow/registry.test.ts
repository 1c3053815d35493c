import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { SluiceError } from "../../errors.ts";
import { makeGraph } from "../../onnx/graph.ts";
import { makePromotion } from "../../registry/promotion.ts";
import { makeTracking } from "../../registry/tracking.ts";
import { makeVersions } from "../../registry/versions.ts";
import { testDatabases } from "../../store/testing.ts";
import { ADMIN, grant } from "../testing.ts";
import { openTracked, type Tracked } from "./testing.ts";

const BAD = "INVALID_PARAMETER_VALUE";
const NONE = "RESOURCE_DOES_NOT_EXIST";
const DATABASES = testDatabases();

/** A file that gives back what it gets, plus a number of its own. */
function fileOf(number: number): Uint8Array {
  const graph = makeGraph("add");
  graph.input("x", "float32", ["N", 1]);
  graph.node("Add", ["x", graph.constant([number], [1, 1])], { as: "y" });
  graph.output("y", "float32", ["N", 1]);
  return graph.encode({});
}

/** A tracked app whose promotions are real but for the gates, and what loading was asked for. */
async function openModels(on: (typeof DATABASES)[number]) {
  const checked: string[] = [];
  const state = { refuse: null as string | null };
  const tracked = await openTracked(on, {
    check: async (bytes, _, name) => {
      checked.push(`${name} ${bytes.length}`);
      if (state.refuse === null) return;
      // As it comes from loading: the same fault of a version that serves would be ours.
      throw new SluiceError({ code: "artifact_unusable", detail: state.refuse });
    },
  });
  const { database, objects, clock, services } = tracked;
  const { logArtifact } = makeTracking({ database, objects, clock });
  const promotion = makePromotion({ database, clock });
  const versions = makeVersions({ database, objects, clock, check: async () => {} });
  Object.assign(services, {
    versions,
    promotion,
    operations: {
      ...services.operations,
      promote: (name: string, { version, actor }: { version: number; actor: string }) =>
        promotion.promote({ name, version, actor, reason: "it serves" }),
    },
  });
  const send = async (method: string, path: string, body: unknown = {}, token = ADMIN) => {
    const answer = await tracked.ask(method, `/api/2.0/mlflow/${path}`, { body, token });
    return { ...answer, fault: [answer.status, answer.json.error_code, answer.json.message] };
  };
  return { ...tracked, promotion, versions, logArtifact, checked, state, send };
}

type Models = Awaited<ReturnType<typeof openModels>>;

describe.each(DATABASES)("registered models over the MLflow protocol on $name", (on) => {
  let models: Models;
  let post: Tracked["post"];
  let get: Tracked["get"];
  let send: Models["send"];
  beforeAll(async () => {
    models = await openModels(on);
    ({ post, get, send } = models);
  });
  afterAll(() => models.close());

  let count = 0;
  const newModel = async (more: object = {}): Promise<string> => {
    const { registered_model } = await post("registered-models/create", {
      name: `m${++count}`,
      ...more,
    });
    return registered_model.name;
  };
  const newVersion = async (name: string, more: object = {}) =>
    (await post("model-versions/create", { name, source: "runs:/none/model", ...more }))
      .model_version;
  const modelOf = async (name: string) =>
    (await get("registered-models/get", { name })).registered_model;
  const versionOf = async (name: string, version: string | number) =>
    (await get("model-versions/get", { name, version: String(version) })).model_version;
  /** A run with these files. */
  const newRun = async (files: Readonly<Record<string, Uint8Array | string>>): Promise<string> => {
    const id = (await post("runs/create", { experiment_id: "0" })).run.info.run_id;
    for (const [path, content] of Object.entries(files)) {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      await models.logArtifact(id, path, bytes);
    }
    return id;
  };

  describe("models", () => {
    test("made with tags, read, described, found again as they are", async () => {
      const name = "Iris of 2025";
      const tags = [{ key: "team", value: "" }];
      const { registered_model } = await post("registered-models/create", { name, tags });
      const { creation_timestamp } = registered_model;
      expect(registered_model).toEqual({
        ...{ name, creation_timestamp, last_updated_timestamp: creation_timestamp, tags },
      });
      expect(await modelOf(name)).toEqual(registered_model);
      models.clock.at += 5;
      await send("PATCH", "registered-models/update", { name, description: "é" });
      // Left out is left as it was.
      await send("PATCH", "registered-models/update", { name });
      expect(await modelOf(name)).toMatchObject({
        ...{ description: "é", creation_timestamp },
        last_updated_timestamp: creation_timestamp + 5,
      });
      expect((await send("POST", "registered-models/create", { name })).fault).toEqual([
        ...[400, "RESOURCE_ALREADY_EXISTS", `Registered Model (name=${name}) already exists.`],
      ]);
      expect((await get("registered-models/search")).registered_models).toContainEqual(
        await modelOf(name),
      );
    });

    test.each([
      ["", "Missing value for required parameter 'name'."],
      ["  ", "Registered model name cannot be empty."],
      ["a/b", "Invalid value \"a/b\" for parameter 'name' supplied"],
      ["a:b", "Invalid value \"a:b\" for parameter 'name' supplied"],
      ["..", "Invalid value \"..\" for parameter 'name' supplied"],
      ["x".repeat(257), "exceeds the maximum length of 256"],
    ])("none is called %p", async (name, why) => {
      const [status, kind, message] = (await send("POST", "registered-models/create", { name }))
        .fault;
      expect([status, kind]).toEqual([400, BAD]);
      expect(message).toContain(why);
    });

    test("tags are set, replaced and removed; one that is not there is no error", async () => {
      const name = await newModel();
      await post("registered-models/set-tag", { name, key: "a", value: "1" });
      await post("registered-models/set-tag", { name, key: "a", value: "2" });
      await post("registered-models/set-tag", { name, key: "b" });
      await send("DELETE", "registered-models/delete-tag", { name, key: "a" });
      expect(
        (await send("DELETE", "registered-models/delete-tag", { name, key: "a" })).status,
      ).toBe(200);
      expect((await modelOf(name)).tags).toEqual([{ key: "b", value: "" }]);
      const long = await send("POST", "registered-models/set-tag", {
        ...{ name, key: "a", value: "x".repeat(100_001) },
      });
      expect(long.status).toBe(400);
    });

    test("renamed with all that is theirs, and their aliases' history", async () => {
      const name = await newModel({ tags: [{ key: "k", value: "v" }] });
      const other = await newModel();
      await newVersion(name);
      await post("registered-models/alias", { name, alias: "blue", version: "1" });
      const taken = await send("POST", "registered-models/rename", { name, new_name: other });
      expect(taken.fault).toEqual([
        ...[400, "RESOURCE_ALREADY_EXISTS", `Registered Model (name=${other}) already exists.`],
      ]);
      const new_name = `${name}-new`;
      await post("registered-models/rename", { name, new_name });
      expect(await modelOf(new_name)).toMatchObject({
        tags: [{ key: "k", value: "v" }],
        aliases: [{ alias: "blue", version: "1" }],
        latest_versions: [{ version: "1", aliases: ["blue"], name: new_name }],
      });
      expect((await models.promotion.history(new_name)).map((row) => row.alias)).toEqual(["blue"]);
      expect((await send("POST", "registered-models/rename", { name, new_name })).fault).toEqual([
        ...[404, NONE, `Registered Model with name=${name} not found`],
      ]);
    });

    test("deleted with versions and aliases, and made anew without any of them", async () => {
      const name = await newModel();
      await newVersion(name);
      await post("registered-models/alias", { name, alias: "blue", version: "1" });
      expect((await send("DELETE", "registered-models/delete", { name })).status).toBe(200);
      expect((await send("DELETE", "registered-models/delete", { name })).status).toBe(404);
      await post("registered-models/create", { name });
      const { aliases, latest_versions } = await modelOf(name);
      expect([aliases, latest_versions]).toEqual([undefined, undefined]);
      expect((await models.promotion.history(name)).map((row) => row.toVersion)).toEqual([null, 1]);
    });

    test("what a model file is of is neither renamed nor deleted", async () => {
      await post("registered-models/create", { name: "btc" });
      const [status, kind, message] = (
        await send("DELETE", "registered-models/delete", { name: "btc" })
      ).fault;
      expect([status, kind]).toEqual([400, "INVALID_STATE"]);
      expect(message).toContain("has a model file here");
      const rename = { name: "btc", new_name: "x" };
      expect((await send("POST", "registered-models/rename", rename)).status).toBe(400);
    });
  });

  describe("versions", () => {
    test("are numbered, READY at once, and say why they cannot be served", async () => {
      const name = await newModel();
      const run_id = "somebody-elses-run";
      const tags = [{ key: "a", value: "b" }];
      const made = await newVersion(name, { run_id, tags, description: "d", run_link: "http://x" });
      expect(made).toEqual({
        ...{ name, version: "1", source: "runs:/none/model", run_id, tags, description: "d" },
        ...{ run_link: "http://x", user_id: "admin", current_stage: "None", status: "READY" },
        creation_timestamp: made.creation_timestamp,
        last_updated_timestamp: made.creation_timestamp,
        status_message: `This version of "${name}" cannot be served: it has no files.`,
      });
      expect(await versionOf(name, 1)).toEqual(made);
      expect((await newVersion(name)).version).toBe("2");
      expect(
        (await get("model-versions/search", { filter: `run_id = '${run_id}'` })).model_versions,
      ).toEqual([made]);
      expect(
        (await send("POST", "model-versions/create", { name: "no", source: "runs:/a/b" })).fault,
      ).toEqual([404, NONE, "Registered Model with name=no not found"]);
    });

    test("twenty at once have twenty numbers, also while some are deleted", async () => {
      const name = await newModel();
      await newVersion(name);
      await send("DELETE", "model-versions/delete", { name, version: "1" });
      const made = await Promise.all(Array.from({ length: 20 }, () => newVersion(name)));
      const numbers = made.map(({ version }) => Number(version)).sort((a, b) => a - b);
      expect(numbers).toEqual(Array.from({ length: 20 }, (_, i) => i + 2));
      await send("DELETE", "model-versions/delete", { name, version: "21" });
      expect((await newVersion(name)).version).toBe("22");
    });

    test("deleted ones are gone with aliases and tags; their number stays theirs", async () => {
      const name = await newModel();
      await newVersion(name, { tags: [{ key: "a", value: "b" }] });
      await newVersion(name);
      await post("registered-models/alias", { name, alias: "blue", version: "1" });
      await send("DELETE", "model-versions/delete", { name, version: "1" });
      expect((await modelOf(name)).aliases).toBeUndefined();
      const by = await models.ask(
        "GET",
        `/api/2.0/mlflow/registered-models/alias?name=${name}&alias=blue`,
      );
      expect([by.status, by.json.error_code, by.json.message]).toEqual([
        ...[400, BAD, "Registered model alias blue not found."],
      ]);
      const gone = [404, NONE, `Model Version (name=${name}, version=1) not found`];
      const one = { name, version: "1" };
      expect((await send("DELETE", "model-versions/delete", one)).fault).toEqual(gone);
      expect(
        (await send("PATCH", "model-versions/update", { ...one, description: "x" })).fault,
      ).toEqual(gone);
      const stage = { ...one, stage: "Staging" };
      expect((await send("POST", "model-versions/transition-stage", stage)).fault).toEqual(gone);
      const tag = { ...one, key: "a", value: "x" };
      expect((await send("POST", "model-versions/set-tag", tag)).fault).toEqual(gone);
      const alias = { ...one, alias: "blue" };
      expect((await send("POST", "registered-models/alias", alias)).fault).toEqual(gone);
      const { model_versions } = await get("model-versions/search", { filter: `name = '${name}'` });
      expect(model_versions.map(({ version }: { version: string }) => version)).toEqual(["2"]);
    });

    test("a number is a number", async () => {
      const name = await newModel();
      const asked = async (version: string) => {
        const query = new URLSearchParams({ name, version });
        const { status, json } = await models.ask(
          "GET",
          `/api/2.0/mlflow/model-versions/get?${query}`,
        );
        return [status, json.error_code, json.message];
      };
      expect(await asked("x")).toEqual([
        ...[400, BAD, "Parameter 'version' must be an integer, got 'x'."],
      ]);
      for (const version of ["0", "7", "2147483648", "9".repeat(30)]) {
        expect((await asked(version)).slice(0, 2)).toEqual([404, NONE]);
      }
    });

    test("move between stages; the newest of each is found", async () => {
      const name = await newModel();
      for (let i = 0; i < 4; i++) await newVersion(name);
      const move = (version: number, stage: string, archive_existing_versions = false) =>
        send("POST", "model-versions/transition-stage", {
          ...{ name, version: String(version), stage, archive_existing_versions },
        });
      expect((await move(1, "staging")).json.model_version.current_stage).toBe("Staging");
      await move(2, "Production");
      await move(3, "Production", true);
      const latest = async (method: string, stages: readonly string[]) => {
        const query = stages.map((stage) => `&stages=${stage}`).join("");
        const { json } =
          method === "GET"
            ? await models.ask(
                "GET",
                `/api/2.0/mlflow/registered-models/get-latest-versions?name=${name}${query}`,
              )
            : await send("POST", "registered-models/get-latest-versions", { name, stages });
        return Object.fromEntries(
          json.model_versions.map((v: Record<string, string>) => [
            v["current_stage"],
            v["version"],
          ]),
        );
      };
      const all = { Staging: "1", Archived: "2", Production: "3", None: "4" };
      for (const method of ["GET", "POST"]) {
        expect(await latest(method, [])).toEqual(all);
        expect(await latest(method, ["production", "None"])).toEqual({
          Production: "3",
          None: "4",
        });
      }
      const stages = "None, Staging, Production, Archived";
      expect((await move(1, "bad")).fault).toEqual([
        ...[400, BAD, `Invalid Model Version stage: bad. Value must be one of ${stages}.`],
      ]);
      expect((await move(1, "None", true)).fault.slice(0, 2)).toEqual([400, BAD]);
    });

    test.each([
      ...["/etc/passwd", "model", "file:///etc/passwd", "./model", "s3:/b/../../x"],
      ...["mlflow-artifacts://host:9000/models/..%2f..%2f", "mlflow-artifacts:/a/%252e%252e/b"],
      ...["http://host/api/2.0/mlflow-artifacts/artifacts/../../", "runs:/r/..%5Cx", "s3://b/a%00"],
      ...["mlflow-artifacts:/a#/../x", "http://h/x?y=../z", "C:\\x"],
    ])("none is registered from %p", async (source) => {
      const name = await newModel();
      const [status, kind, message] = (
        await send("POST", "model-versions/create", { name, source })
      ).fault;
      expect([status, kind]).toEqual([400, BAD]);
      expect(message).toContain("Invalid model version source: '");
      // Clients look for these words.
      expect(message).toMatch(
        /To use a local path as a model version|If supplying a source as an http, https,/,
      );
      expect((await modelOf(name)).latest_versions).toBeUndefined();
    });

    test("an address is kept as it is, and nothing is fetched from it", async () => {
      const name = await newModel();
      let asked = 0;
      const trap = Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        fetch: () => new Response(`${++asked}`),
      });
      try {
        for (const source of [`http://127.0.0.1:${trap.port}/model.onnx`, "s3://bucket/a"]) {
          const { version, status_message } = await newVersion(name, { source });
          expect(status_message).toContain("not kept here, and nothing is fetched");
          const { artifact_uri } = await get("model-versions/get-download-uri", { name, version });
          expect(artifact_uri).toBe(source);
        }
        expect(asked).toBe(0);
      } finally {
        await trap.stop(true);
      }
    });

    test("of another version or a logged model, the files are where those are", async () => {
      const name = await newModel();
      await newVersion(name, { run_id: "r" });
      const copy = await newVersion(name, { source: `models:/${name}/1` });
      expect([copy.source, copy.run_id]).toEqual([`models:/${name}/1`, "r"]);
      const uri = async (version: string) =>
        (await get("model-versions/get-download-uri", { name, version })).artifact_uri;
      expect(await uri(copy.version)).toBe("runs:/none/model");
      const run_id = await newRun({});
      const { model } = await post("logged-models", { experiment_id: "0", source_run_id: run_id });
      const { model_id, artifact_uri } = model.info;
      const source = `models:/${model_id}`;
      const made = await newVersion(name, { source });
      expect([made.source, made.run_id, made.model_id]).toEqual([source, run_id, model_id]);
      expect(await uri(made.version)).toBe(artifact_uri);
      const seen = await get(`logged-models/${model_id}`);
      expect(seen.model.info.registrations).toEqual([{ name, version: made.version }]);
      for (const source of ["models:/m-none", `models:/${name}/99`]) {
        const { status } = await send("POST", "model-versions/create", { name, source });
        expect(status).toBe(404);
      }
    });
  });

  describe("aliases", () => {
    test("point, move and go, each move a row of history", async () => {
      const name = await newModel();
      for (let i = 0; i < 2; i++) await newVersion(name);
      const set = (alias: string, version: number) =>
        post("registered-models/alias", { name, alias, version: String(version) });
      await set("blue", 1);
      await set("blue", 2);
      await set("blue", 2);
      await set("Green_1", 2);
      expect((await versionOf(name, 2)).aliases).toEqual(["Green_1", "blue"]);
      expect((await modelOf(name)).aliases).toEqual([
        { alias: "Green_1", version: "2" },
        { alias: "blue", version: "2" },
      ]);
      const found = await get("registered-models/search", { filter: `name = '${name}'` });
      expect(found.registered_models[0].latest_versions[0].aliases).toEqual(["Green_1", "blue"]);
      const aliased = (await get("registered-models/alias", { name, alias: "blue" })).model_version;
      expect(aliased).toEqual(await versionOf(name, 2));
      expect(
        (await get("registered-models/alias", { name, alias: "LATEST" })).model_version.version,
      ).toBe("2");
      const drop = { name, alias: "blue" };
      for (let i = 0; i < 2; i++) {
        expect((await send("DELETE", "registered-models/alias", drop)).status).toBe(200);
      }
      const moves = (await models.promotion.history(name, "blue")).map((row) => [
        ...[row.fromVersion, row.toVersion, row.actor],
      ]);
      expect(moves).toEqual([
        [2, null, "mlflow:admin"],
        [1, 2, "mlflow:admin"],
        [null, 1, "mlflow:admin"],
      ]);
    });

    test.each(["latest", "LATEST", "v1", "V12", "a b", "a/b", "x".repeat(256)])(
      "none is called %p",
      async (alias) => {
        const name = await newModel();
        await newVersion(name);
        const order = { name, alias, version: "1" };
        const { fault } = await send("POST", "registered-models/alias", order);
        expect(fault.slice(0, 2)).toEqual([400, BAD]);
      },
    );
  });

  describe("what can be served", () => {
    const champion = (name: string, version: string, token = ADMIN) =>
      send("POST", "registered-models/alias", { name, alias: "champion", version }, token);

    test("one ONNX file of a run is tried when it is registered, and promoted", async () => {
      const name = await newModel();
      const bytes = fileOf(1);
      const run = await newRun({ "model/MLmodel": "flavors: {}", "model/model.onnx": bytes });
      const made = await newVersion(name, { source: `runs:/${run}/model`, run_id: run });
      expect(made.status_message).toBeUndefined();
      expect(models.checked).toContain(`${name} ${bytes.length}`);
      const version = await models.versions.version(name, 1);
      expect(version).toMatchObject({ size: bytes.length, trained: false });
      expect(version!.signature.inputs.map((input) => input.name)).toEqual(["x"]);
      expect((await champion(name, "1")).status).toBe(200);
      expect(await models.promotion.champion(name)).toMatchObject({ version: 1 });
      expect((await modelOf(name)).aliases).toEqual([{ alias: "champion", version: "1" }]);
      // It is in the list of versions of our own pages too.
      expect((await models.versions.versions(name, { limit: 10 })).items).toMatchObject([
        { version: 1 },
      ]);
      // By the address that the client resolves, and as the file itself.
      const location = `mlflow-artifacts:/0/${run}/artifacts`;
      for (const source of [`${location}/model`, `${location}/model/model.onnx`, location]) {
        expect((await newVersion(name, { source })).status_message).toBeUndefined();
      }
    });

    test("of several, that which the MLmodel names", async () => {
      const name = await newModel();
      const files = { "m/a.onnx": fileOf(1), "m/deep/b.onnx": fileOf(2) };
      const two = await newRun(files);
      const vague = await newVersion(name, { source: `runs:/${two}/m` });
      expect(vague.status_message).toContain("several .onnx files (a.onnx, deep/b.onnx)");
      const text = "flavors:\n  onnx:\n    data: deep/b.onnx\n";
      const named = await newRun({ ...files, "m/MLmodel": text });
      const { status_message } = await newVersion(name, { source: `runs:/${named}/m` });
      expect(status_message).toBeUndefined();
      const wild = await newRun({ ...files, "m/MLmodel": "{{{ &a [*a, *a" });
      expect((await newVersion(name, { source: `runs:/${wild}/m` })).status_message).toContain(
        "several",
      );
    });

    test("a pickle is never loaded, and says so where champion is put on it", async () => {
      const name = await newModel();
      const before = models.checked.length;
      const run = await newRun({
        "model/MLmodel": "flavors: {}",
        "model/model.pkl": "cos\nsystem",
      });
      const made = await newVersion(name, { source: `runs:/${run}/model` });
      expect(made.status).toBe("READY");
      expect(made.status_message).toContain("no .onnx file is among MLmodel, model.pkl");
      const [status, kind, message] = (await champion(name, "1")).fault;
      expect([status, kind]).toEqual([409, "RESOURCE_CONFLICT"]);
      expect(message).toContain("a pickle is never loaded");
      expect((await modelOf(name)).aliases).toBeUndefined();
      // Any other alias it may have.
      await post("registered-models/alias", { name, alias: "blue", version: "1" });
      expect(models.checked.length).toBe(before);
    });

    test("files that come after the version are found at its promotion", async () => {
      const name = await newModel();
      const run = await newRun({});
      await newVersion(name, { source: `runs:/${run}/model` });
      expect((await champion(name, "1")).status).toBe(409);
      await models.logArtifact(run, "model/model.onnx", fileOf(3));
      expect((await champion(name, "1")).status).toBe(200);
      expect((await versionOf(name, 1)).status_message).toBeUndefined();
    });

    test("a file that does not load, and one that is none, are told of", async () => {
      const name = await newModel();
      const run = await newRun({ "a/model.onnx": fileOf(4), "b/model.onnx": "no model" });
      models.state.refuse = "It does not load.";
      const refused = await newVersion(name, { source: `runs:/${run}/a` });
      // A 5xx would be sent again for minutes.
      expect((await champion(name, refused.version)).status).toBe(409);
      models.state.refuse = null;
      expect(refused.status_message).toContain("It does not load.");
      const broken = await newVersion(name, { source: `runs:/${run}/b` });
      expect(broken.status_message).toContain('"model.onnx"');
      // What was refused before is tried again.
      expect((await champion(name, broken.version)).status).toBe(409);
      expect((await champion(name, refused.version)).status).toBe(200);
    });

    test("a name that no address of predictions has is tracked, not served", async () => {
      const name = "Big Name";
      await post("registered-models/create", { name });
      const run = await newRun({ "model.onnx": fileOf(5) });
      const made = await newVersion(name, { source: `runs:/${run}/model.onnx` });
      expect(made.status_message).toContain("small letters, digits, _ and -");
      const [status, , message] = (await champion(name, "1")).fault;
      expect(status).toBe(409);
      expect(message).toContain("small letters");
    });

    test("champion is moved and taken away by administrators alone", async () => {
      const name = await newModel();
      const run = await newRun({ "model.onnx": fileOf(6) });
      const source = `runs:/${run}/model.onnx`;
      for (let i = 0; i < 2; i++) await newVersion(name, { source });
      const token = grant(models.world, "t", ["track"]);
      expect((await champion(name, "1", token)).fault.slice(0, 2)).toEqual([
        ...[403, "PERMISSION_DENIED"],
      ]);
      await champion(name, "1");
      const of = { name, version: "1" };
      const ways: [string, string, object][] = [
        ["DELETE", "registered-models/alias", { name, alias: "champion" }],
        ["DELETE", "model-versions/delete", of],
        ["DELETE", "registered-models/delete", { name }],
        ["POST", "registered-models/rename", { name, new_name: `${name}x` }],
      ];
      for (const [method, path, body] of ways) {
        expect((await send(method, path, body, token)).fault.slice(0, 2)).toEqual([
          ...[403, "PERMISSION_DENIED"],
        ]);
      }
      expect(await models.promotion.champion(name)).toMatchObject({ version: 1 });
      // What is not champion, who may track may delete.
      const other = { name, version: "2" };
      expect((await send("DELETE", "model-versions/delete", other, token)).status).toBe(200);
      const odd = { name, new_name: "Not Servable" };
      expect((await send("POST", "registered-models/rename", odd)).status).toBe(400);
      expect((await send("DELETE", "model-versions/delete", of)).status).toBe(200);
      expect(await models.promotion.champion(name)).toBeNull();
      const [last] = await models.promotion.history(name, "champion");
      expect(last).toMatchObject({ fromVersion: 1, toVersion: null, actor: "mlflow:admin" });
    });

    test("a version that a training here registered is one of them", async () => {
      const { database } = models;
      const run = await newRun({});
      const bytes = fileOf(7);
      const signature = {
        inputs: [{ name: "x", dtype: "float32", shape: [-1, 1] }],
        outputs: [{ name: "y", dtype: "float32", shape: [-1, 1] }],
      };
      const name = `trained-${database.kind}`;
      const tags = { trainer: "gbdt" };
      const one = await models.versions.register({ name, runId: run, bytes, signature, tags });
      expect(await versionOf(name, 1)).toMatchObject({
        ...{ version: "1", source: `runs:/${run}/model.onnx`, run_id: run, status: "READY" },
        tags: [{ key: "trainer", value: "gbdt" }],
      });
      // Registered again from the same run, it has a number and an owner of its own.
      await newVersion(name, { source: `runs:/${run}/model.onnx`, run_id: run });
      expect(await models.versions.version(name, 2)).toMatchObject({
        ...{ digest: one.digest, trained: false },
      });
      expect(await models.versions.ofRun(name, run)).toMatchObject({ version: 1 });
    });
  });
});
