import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { files } from "../../store/schema.ts";
import { testDatabases } from "../../store/testing.ts";
import { ADMIN, NOW } from "../testing.ts";
import { openTracked, type Tracked } from "./testing.ts";

const BAD = "INVALID_PARAMETER_VALUE";
const NONE = "RESOURCE_DOES_NOT_EXIST";

describe.each(testDatabases())("logged models over the MLflow protocol on $name", (on) => {
  let tracked: Tracked;
  let post: Tracked["post"];
  let get: Tracked["get"];
  beforeAll(async () => {
    tracked = await openTracked(on);
    ({ post, get } = tracked);
  });
  afterAll(() => tracked.close());

  const send = async (method: string, path: string, body: unknown = {}) => {
    const answer = await tracked.ask(method, `/api/2.0/mlflow/${path}`, { body, token: ADMIN });
    return { ...answer, fault: [answer.status, answer.json.error_code, answer.json.message] };
  };
  const newModel = async (more: object = {}) =>
    (await post("logged-models", { experiment_id: "0", ...more })).model;

  test("are made, finished, read", async () => {
    const pair = { key: "a", value: "1" };
    const made = await newModel({
      ...{ name: "clf", model_type: "sklearn", source_run_id: "r", params: [pair], tags: [pair] },
    });
    const id: string = made.info.model_id;
    expect(id).toMatch(/^m-[0-9a-f]{32}$/);
    expect(made).toEqual({
      info: {
        ...{ model_id: id, experiment_id: "0", name: "clf", model_type: "sklearn" },
        ...{ creation_timestamp_ms: NOW, last_updated_timestamp_ms: NOW, source_run_id: "r" },
        ...{ artifact_uri: `mlflow-artifacts:/0/models/${id}/artifacts`, tags: [pair] },
        status: "LOGGED_MODEL_PENDING",
      },
      data: { params: [pair] },
    });
    for (const [status, name] of [
      ["LOGGED_MODEL_READY", "LOGGED_MODEL_READY"],
      [3, "LOGGED_MODEL_UPLOAD_FAILED"],
      [0, "LOGGED_MODEL_STATUS_UNSPECIFIED"],
    ]) {
      const { json } = await send("PATCH", `logged-models/${id}`, { model_id: id, status });
      expect(json.model.info.status).toBe(name);
      expect((await get(`logged-models/${id}`)).model).toEqual(json.model);
    }
    for (const status of [undefined, "BAD", 9]) {
      const { fault } = await send("PATCH", `logged-models/${id}`, { model_id: id, status });
      expect(fault.slice(0, 2)).toEqual([400, BAD]);
    }
    expect((await newModel()).info.name).toMatch(/^[a-z]+-[a-z]+-\d+$/);
  });

  test("tell which versions they are, as clients write it", async () => {
    const { model_id, artifact_uri: source } = (await newModel()).info;
    await post("registered-models/create", { name: "told" });
    const tag = async () =>
      (await get(`logged-models/${model_id}`)).model.info.tags.find(
        ({ key }: { key: string }) => key === "mlflow.modelVersions",
      )?.value;
    await post("model-versions/create", { name: "told", source, model_id });
    expect(await tag()).toBe('[{"name": "told", "version": 1}]');
    await post("model-versions/create", { name: "told", source: `models:/${model_id}` });
    expect(await tag()).toBe('[{"name": "told", "version": 1}, {"name": "told", "version": 2}]');
  });

  test.each(["a/b", "a:b", "a.b", "50%", 'a"', "it's", "  "])("none is called %p", async (name) => {
    const { fault } = await send("POST", "logged-models", { experiment_id: "0", name });
    expect(fault.slice(0, 2)).toEqual([400, BAD]);
  });

  test("belong to an experiment that is there and was not deleted", async () => {
    const none = await send("POST", "logged-models", { experiment_id: "999" });
    expect(none.fault).toEqual([404, NONE, "No Experiment with id=999 exists"]);
    const { experiment_id } = await post("experiments/create", { name: "gone" });
    await post("experiments/delete", { experiment_id });
    expect((await send("POST", "logged-models", { experiment_id })).status).toBe(400);
  });

  test("tags are replaced and removed, params never change", async () => {
    const id: string = (await newModel({ params: [{ key: "p", value: "1" }] })).info.model_id;
    const at = `logged-models/${id}`;
    const tags = [
      { key: "a/b", value: "1" },
      { key: "c", value: "2" },
    ];
    const tagged = await send("PATCH", `${at}/tags`, { tags });
    expect(tagged.json.model.info.tags).toEqual(tags);
    await send("PATCH", `${at}/tags`, { tags: [{ key: "c", value: "3" }] });
    // Some clients send it without a body, and so without a type of it.
    expect((await tracked.ask("DELETE", `/api/2.0/mlflow/${at}/tags/a%2Fb`)).status).toBe(200);
    expect((await send("DELETE", `${at}/tags/a%2Fb`)).fault.slice(0, 2)).toEqual([404, NONE]);
    const same = [
      { key: "p", value: "1" },
      { key: "q", value: "" },
    ];
    expect((await send("POST", `${at}/params`, { params: same })).status).toBe(200);
    const other = await send("POST", `${at}/params`, { params: [{ key: "p", value: "2" }] });
    expect(other.fault.slice(0, 2)).toEqual([400, BAD]);
    expect(other.json.message).toContain("Changing param values is not allowed");
    const twice = await send("POST", `${at}/params`, { params: [...same, ...same] });
    expect(twice.fault).toEqual([
      ...[400, BAD, "Duplicate parameter keys have been submitted: ['p', 'q']."],
    ]);
    const { info, data } = (await get(at)).model;
    expect([info.tags, data.params]).toEqual([[{ key: "c", value: "3" }], same]);
  });

  test("deleted ones are found only by those who ask for them", async () => {
    const id: string = (await newModel()).info.model_id;
    const at = `logged-models/${id}`;
    for (let i = 0; i < 2; i++) expect((await send("DELETE", at)).status).toBe(200);
    const gone = [404, NONE, `Logged model with ID '${id}' not found.`];
    const { status, json } = await tracked.ask("GET", `/api/2.0/mlflow/${at}`);
    expect([status, json.error_code, json.message]).toEqual(gone);
    expect((await get(at, { allow_deleted: "True" })).model.info.model_id).toBe(id);
    const ready = { status: "LOGGED_MODEL_READY" };
    expect((await send("PATCH", at, ready)).fault).toEqual(gone);
    expect((await send("PATCH", `${at}/tags`, { tags: [] })).fault).toEqual(gone);
    expect((await send("DELETE", `${at}/tags/a`)).fault).toEqual(gone);
    expect((await send("POST", `${at}/params`, { params: [] })).fault).toEqual(gone);
    expect((await send("DELETE", "logged-models/m-none")).status).toBe(404);
    const { models } = await post("logged-models/search", { experiment_ids: ["0"] });
    expect(
      models.map((model: typeof gone & { info: { model_id: string } }) => model.info.model_id),
    ).not.toContain(id);
  });

  test("metrics that a run logs of one are shown with it", async () => {
    const id: string = (await newModel()).info.model_id;
    const run_id = (await post("runs/create", { experiment_id: "0" })).run.info.run_id;
    const metric = { key: "acc", value: "NaN", timestamp: 5, step: 1, model_id: id };
    await post("runs/log-metric", { run_id, ...metric });
    expect((await get(`logged-models/${id}`)).model.data.metrics).toEqual([{ ...metric, run_id }]);
    await post("runs/outputs", { run_id, models: [{ model_id: id, step: 3 }] });
    const { run } = await get("runs/get", { run_id });
    expect(run.outputs.model_outputs).toEqual([{ model_id: id, step: 3 }]);
  });

  test("files are listed folder by folder, and none outside", async () => {
    const { model_id, artifact_uri } = (await newModel()).info;
    const root = artifact_uri.replace("mlflow-artifacts:/", "");
    const row = { digest: "ab".repeat(32), size: 7, createdAt: NOW };
    const paths = ["MLmodel", "data/a_b.pkl", "data/deep/c"].map((path) => `${root}/${path}`);
    // What only looks as if it were below: `_` and `%` are no wildcards of paths.
    const others = [`${root}x/d`, `${root.replace(/.$/, "_")}/e`];
    await tracked.database.orm
      .insert(files)
      .values([...paths, ...others].map((path) => ({ ...row, path })));
    const at = `logged-models/${model_id}/artifacts/directories`;
    expect(await get(at)).toEqual({
      root_uri: artifact_uri,
      files: [
        { path: "MLmodel", is_dir: false, file_size: 7 },
        { path: "data", is_dir: true },
      ],
    });
    expect((await get(at, { artifact_directory_path: "data/" })).files).toEqual([
      { path: "data/a_b.pkl", is_dir: false, file_size: 7 },
      { path: "data/deep", is_dir: true },
    ]);
    expect((await get(at, { artifact_directory_path: "MLmodel" })).files).toBeUndefined();
    for (const path of ["..", "data/../..", "/etc", "%2e%2e", "a\\b"]) {
      const query = new URLSearchParams({ artifact_directory_path: path });
      const { status, json } = await tracked.ask("GET", `/api/2.0/mlflow/${at}?${query}`);
      expect([status, json.error_code]).toEqual([400, BAD]);
    }
  });
});
