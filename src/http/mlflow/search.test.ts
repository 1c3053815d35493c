import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  aliases,
  experiments,
  experimentTags,
  loggedModelMetrics,
  loggedModelParams,
  loggedModels,
  loggedModelTags,
  modelVersions,
  modelVersionTags,
  registeredModels,
  registeredModelTags,
} from "../../store/schema.ts";
import { testDatabases } from "../../store/testing.ts";
import { openTracked, type Tracked } from "./testing.ts";

const namesOf = (items: readonly { readonly name: string }[] | undefined): string =>
  (items ?? []).map(({ name }) => name).join(" ");

describe.each(testDatabases())("searches on $name", (on) => {
  let here: Tracked;
  beforeAll(async () => {
    here = await openTracked(on);
    const { orm } = here.database;
    const experiment = (experimentId: number, name: string, times: number, more: object = {}) => ({
      ...{ experimentId, name, artifactLocation: `mlflow-artifacts:/${experimentId}` },
      ...{ creationTime: times, lastUpdateTime: 100 - times, ...more },
    });
    // Experiment 0 is always there.
    await orm.delete(experiments);
    await orm
      .insert(experiments)
      .values([
        experiment(11, "alpha", 5),
        experiment(12, "beta", 5),
        experiment(13, "Gamma", 7),
        experiment(14, "old", 9, { lifecycleStage: "deleted" }),
      ]);
    await orm.insert(experimentTags).values([{ experimentId: 12, key: "team", value: "blue" }]);

    const model = (name: string, time: number) => ({
      ...{ name, creationTime: time, lastUpdatedTime: time, description: null },
    });
    const version = (name: string, version: number, more: object = {}) => ({
      ...{ name, version, source: `s3://b/${name}/${version}`, status: "READY" as const },
      ...{ creationTime: version, lastUpdatedTime: version, ...more },
    });
    await orm
      .insert(registeredModels)
      .values([model("a", 3), model("b", 2), model("c", 1), model("prompt", 0)]);
    await orm.insert(registeredModelTags).values([
      { name: "prompt", key: "mlflow.prompt.is_prompt", value: "true" },
      { name: "a", key: "t", value: "x" },
      { name: "a", key: "u", value: "y" },
    ]);
    await orm
      .insert(modelVersions)
      .values([
        version("a", 1, { currentStage: "Production", runId: "r1" }),
        version("a", 2, { currentStage: "Deleted_Internal" }),
        version("a", 3, { lastUpdatedTime: 9, runId: "r2" }),
        version("a", 10, { userId: "ann", description: "d", modelId: "m-1" }),
        version("b", 1, { lastUpdatedTime: 2 }),
        version("prompt", 1),
      ]);
    await orm.insert(modelVersionTags).values([
      { name: "a", version: 3, key: "t", value: "x" },
      { name: "prompt", version: 1, key: "mlflow.prompt.is_prompt", value: "true" },
    ]);
    const since = 0;
    await orm.insert(aliases).values([
      { name: "a", alias: "champion", version: 10, since },
      { name: "a", alias: "best", version: 10, since },
      { name: "a", alias: "old", version: 1, since },
    ]);

    const logged = (modelId: string, time: number, more: object = {}) => ({
      ...{ modelId, experimentId: 11, name: `n-${modelId}`, artifactUri: "x" },
      ...{ status: "READY" as const, creationTime: time, lastUpdatedTime: time, ...more },
    });
    await orm
      .insert(loggedModels)
      .values([
        logged("m-1", 1, { modelType: "tree", sourceRunId: "r1" }),
        logged("m-2", 2, { status: "PENDING" }),
        logged("m-3", 3, { experimentId: 12 }),
        logged("m-4", 4, { lifecycleStage: "deleted" }),
      ]);
    await orm.insert(loggedModelParams).values([{ modelId: "m-1", key: "p", value: "v" }]);
    await orm.insert(loggedModelTags).values([{ modelId: "m-2", key: "t", value: "w" }]);
    const point = (
      modelId: string,
      value: number,
      timestamp: number,
      dataset = "",
      digest = "",
    ) => ({
      ...{ modelId, runId: "r1", key: "acc", value, timestamp, isNan: false },
      ...{ datasetName: dataset, datasetDigest: digest },
    });
    await orm
      .insert(loggedModelMetrics)
      .values([
        point("m-1", 0.5, 1, "train", "h1"),
        point("m-1", 0.9, 2, "test", "h2"),
        point("m-2", 0.7, 3, "test", "h3"),
        { ...point("m-3", 0, 1), isNan: true },
      ]);
  });
  afterAll(() => here.close());

  describe("experiments/search", () => {
    const search = async (more: object): Promise<string> =>
      namesOf((await here.post("experiments/search", { max_results: 10, ...more })).experiments);

    test.each([
      [{}, "Gamma alpha beta"],
      [{ order_by: ["name DESC"], filter: "name LIKE '_%a'", max_results: 1 }, /^(Gamma|beta)$/],
      [{ order_by: ["creation_time ASC"] }, "beta alpha Gamma"],
      [{ order_by: ["last_update_time", "name"] }, "Gamma alpha beta"],
      [{ order_by: ["experiment_id"] }, "alpha beta Gamma"],
      [{ filter: "name LIKE '%a%'", view_type: "ALL" }, "Gamma alpha beta"],
      [{ filter: "name ILIKE 'g%'" }, "Gamma"],
      [{ filter: "attribute.name = 'old'", view_type: 3 }, "old"],
      [{ view_type: "DELETED_ONLY" }, "old"],
      [{ view_type: "ALL", order_by: ["name"] }, "Gamma alpha beta old"],
      [{ filter: "tags.team = 'blue'" }, "beta"],
      [{ filter: "tags.team != 'red'" }, "beta"],
      [{ filter: "tags.team IS NULL AND creation_time < 6" }, "alpha"],
      [{ filter: "last_update_time >= 95" }, "alpha beta"],
    ] as [object, string | RegExp][])("%j", async (more, expected) => {
      const found = await search(more);
      if (typeof expected === "string") expect(found).toBe(expected);
      else expect(found).toMatch(expected);
    });

    test("is a GET too, page by page", async () => {
      const query = { max_results: "2", order_by: "experiment_id" };
      const first = await here.get("experiments/search", query);
      expect(first.experiments[1]).toEqual({
        ...{ experiment_id: "12", name: "beta", artifact_location: "mlflow-artifacts:/12" },
        ...{ lifecycle_stage: "active", creation_time: 5, last_update_time: 95 },
        tags: [{ key: "team", value: "blue" }],
      });
      const page_token = first.next_page_token;
      const second = await here.get("experiments/search", { ...query, page_token });
      expect(namesOf(second.experiments)).toBe("Gamma");
      expect(second.next_page_token).toBeUndefined();
    });

    test.each([
      [{ max_results: undefined }, "Invalid value 0 for parameter 'max_results' supplied"],
      [{ max_results: 50_001 }, "Invalid value 50001 for parameter 'max_results' supplied"],
      [{ filter: "name = alpha" }, "Expected a quoted string value"],
      [{ filter: "experiment_id = '1'" }, "Invalid attribute key 'experiment_id'"],
      [{ filter: "params.p = 'x'" }, "Invalid entity type 'params'"],
      [{ order_by: ["tags.team"] }, "Invalid entity type 'tags'"],
      [{ page_token: "%%%" }, "Invalid page token, could not base64-decode"],
      [{ page_token: Buffer.from('{"offset": 1}').toString("base64") }, "Invalid page token"],
    ])("%j is refused", async (more, message) => {
      const body = { max_results: 10, ...more };
      const [status, kind, sentence] = await here.refused("experiments/search", body);
      expect([status, kind]).toEqual([400, "INVALID_PARAMETER_VALUE"]);
      expect(sentence).toContain(message);
      expect(sentence).not.toMatch(/select |\$\d/i);
    });
  });

  describe("registered-models/search", () => {
    const search = async (query: Record<string, string> = {}) =>
      (await here.get("registered-models/search", query)).registered_models;

    test.each([
      [{}, "a b c"],
      [{ order_by: "name DESC" }, "c b a"],
      [{ order_by: "timestamp" }, "c b a"],
      [{ order_by: "last_updated_timestamp DESC" }, "a b c"],
      [{ filter: "name = 'b'" }, "b"],
      [{ filter: "name ILIKE 'A' AND tag.t = 'x' and tags.u LIKE 'y%'" }, "a"],
      [{ filter: "tags.t = 'y'" }, ""],
      // Who lacks the tag is no prompt; clients ask so.
      [{ filter: "name != 'a' AND tag.`mlflow.prompt.is_prompt` != 'true'" }, "b c"],
      [{ filter: "tags.`mlflow.prompt.is_prompt` = 'false'" }, "a b c"],
      [{ filter: "tags.`mlflow.prompt.is_prompt` = 'true'" }, "prompt"],
      [{ filter: "tags.`mlflow.prompt.is_prompt` LIKE '%'" }, "prompt"],
    ] as [Record<string, string>, string][])("%j", async (query, expected) => {
      expect(namesOf(await search(query))).toBe(expected);
    });

    test("tells aliases, also of the newest versions of each stage", async () => {
      const [a] = await search({ filter: "name = 'a'" });
      expect(a).toMatchObject({
        aliases: [
          { alias: "best", version: "10" },
          { alias: "champion", version: "10" },
          { alias: "old", version: "1" },
        ],
        tags: [
          { key: "t", value: "x" },
          { key: "u", value: "y" },
        ],
        latest_versions: [
          { version: "1", current_stage: "Production", aliases: ["old"] },
          { version: "10", current_stage: "None", aliases: ["best", "champion"] },
        ],
      });
    });

    test("is searched page by page", async () => {
      const first = await here.get("registered-models/search", { max_results: "2" });
      expect(namesOf(first.registered_models)).toBe("a b");
      const query = { max_results: "2", page_token: first.next_page_token };
      expect(await here.get("registered-models/search", query)).toMatchObject({
        registered_models: [{ name: "c" }],
      });
    });

    test.each([
      { max_results: "1001" },
      { max_results: "0" },
      { order_by: "creation_timestamp" },
      { filter: "description = 'x'" },
      { filter: "name IN ('a')" },
      { filter: "name = 'a' OR name = 'b'" },
      { page_token: "x" },
    ])("%j is refused", async (query) => {
      const address = `/api/2.0/mlflow/registered-models/search?${new URLSearchParams(query as never)}`;
      const { status, json } = await here.ask("GET", address);
      expect([status, json.error_code]).toEqual([400, "INVALID_PARAMETER_VALUE"]);
    });
  });

  describe("model-versions/search", () => {
    const search = async (query: Record<string, string> = {}): Promise<string> =>
      ((await here.get("model-versions/search", query)).model_versions ?? [])
        .map((each: { name: string; version: string }) => each.name + each.version)
        .join(" ");

    test.each([
      // Those first that changed last; a removed version is none, nor is a prompt's.
      [{}, "a10 a3 b1 a1"],
      // Of one number, by name: the time of change counts where no order is asked for.
      [{ order_by: "version_number" }, "a1 b1 a3 a10"],
      [{ order_by: "name DESC" }, "b1 a10 a3 a1"],
      [{ order_by: "creation_timestamp DESC" }, "a10 a3 a1 b1"],
      [{ filter: "name = 'a' AND version_number > 1" }, "a10 a3"],
      [{ filter: "version_number = '3'" }, "a3"],
      [{ filter: "run_id IN ('r1', 'r2')" }, "a3 a1"],
      [{ filter: "run_id = 'r1'" }, "a1"],
      [{ filter: "source_path LIKE 's3://b/b/%'" }, "b1"],
      [{ filter: "tags.t = 'x'" }, "a3"],
      [{ filter: "tags.`mlflow.prompt.is_prompt` = 'true'" }, "prompt1"],
      [{ filter: "name = 'a' and tags.`mlflow.prompt.is_prompt` = 'false'" }, "a10 a3 a1"],
    ] as [Record<string, string>, string][])("%j", async (query, expected) => {
      expect(await search(query)).toBe(expected);
    });

    test("tells all of a version, page by page", async () => {
      const query = { max_results: "1", filter: "name = 'a'", order_by: "version_number DESC" };
      const { model_versions, next_page_token } = await here.get("model-versions/search", query);
      expect(model_versions).toEqual([
        {
          ...{ name: "a", version: "10", creation_timestamp: 10, last_updated_timestamp: 10 },
          ...{ user_id: "ann", current_stage: "None", description: "d", source: "s3://b/a/10" },
          ...{ status: "READY", model_id: "m-1", aliases: ["best", "champion"] },
        },
      ]);
      // Clients take a description that is not told for none, and not for an empty one.
      const { model_version } = await here.get("model-versions/get", { name: "a", version: "1" });
      expect(model_version.description).toBe("");
      expect(await search({ ...query, max_results: "9", page_token: next_page_token })).toBe(
        "a3 a1",
      );
    });

    test.each([
      { filter: "version = '1'" },
      { filter: "version_number = 'one'" },
      { filter: "name NOT IN ('a')" },
      { filter: "run_id NOT IN ('a')" },
      { max_results: "200001" },
      { order_by: "run_id" },
      { order_by: "name, version_number" },
    ])("%j is refused", async (query) => {
      const address = `/api/2.0/mlflow/model-versions/search?${new URLSearchParams(query as never)}`;
      const { status, json } = await here.ask("GET", address);
      expect([status, json.error_code]).toEqual([400, "INVALID_PARAMETER_VALUE"]);
    });
  });

  describe("logged-models/search", () => {
    const search = async (more: object = {}): Promise<string> => {
      const body = { experiment_ids: ["11", "12"], ...more };
      const { models = [] } = await here.post("logged-models/search", body);
      return models.map((each: { info: { model_id: string } }) => each.info.model_id).join(" ");
    };
    const by = (field_name: string, more: object = {}) => ({ order_by: [{ field_name, ...more }] });

    test.each([
      [{}, "m-3 m-2 m-1"],
      [{ experiment_ids: [] }, ""],
      [{ experiment_ids: ["11"] }, "m-2 m-1"],
      [{ filter: "name = 'n-m-2'" }, "m-2"],
      [{ filter: "attributes.model_id IN ('m-1', 'm-3')" }, "m-3 m-1"],
      [{ filter: "model_id NOT IN ('m-1', 'm-3')" }, "m-2"],
      [{ filter: "status = 'READY'" }, "m-3 m-1"],
      [{ filter: "status != 'LOGGED_MODEL_READY'" }, "m-2"],
      [{ filter: "model_type = 'tree' AND source_run_id = 'r1'" }, "m-1"],
      [{ filter: "creation_timestamp >= 2" }, "m-3 m-2"],
      [{ filter: "last_updated_time < 2" }, "m-1"],
      [{ filter: "params.p = 'v'" }, "m-1"],
      [{ filter: "tags.t ILIKE 'W'" }, "m-2"],
      [{ filter: "tags.t IS NULL" }, "m-3 m-1"],
      [{ filter: "metrics.acc > 0.4" }, "m-2 m-1"],
      [{ filter: "metrics.acc < 0.6" }, "m-1"],
      // Of any state of a dataset, where no digest is given.
      [{ filter: "metrics.acc > 0.4", datasets: [{ dataset_name: "test" }] }, "m-2 m-1"],
      [{ filter: "metrics.acc > 0.6", datasets: [{ dataset_name: "train" }] }, ""],
      [{ datasets: [{ dataset_name: "test", dataset_digest: "h3" }] }, "m-2"],
      [{ datasets: [{ dataset_name: "train" }, { dataset_name: "none" }] }, "m-1"],
      [by("name"), "m-1 m-2 m-3"],
      [by("attributes.creation_timestamp", { ascending: false }), "m-3 m-2 m-1"],
      [by("model_type", { ascending: false }), "m-1 m-3 m-2"],
      [by("metrics.acc"), "m-2 m-1 m-3"],
      [by("metrics.acc", { ascending: false }), "m-1 m-2 m-3"],
      [by("metrics.`acc`", { dataset_name: "train" }), "m-1 m-3 m-2"],
      [by("metrics.acc", { dataset_name: "test", dataset_digest: "h3" }), "m-2 m-3 m-1"],
    ] as [object, string][])("%j", async (more, expected) => {
      expect(await search(more)).toBe(expected);
    });

    test("tells all of a model, page by page", async () => {
      const body = { experiment_ids: ["11"], max_results: 1, ...by("creation_time") };
      const first = await here.post("logged-models/search", body);
      expect(first.models).toEqual([
        {
          info: {
            ...{ model_id: "m-1", experiment_id: "11", name: "n-m-1", artifact_uri: "x" },
            ...{ creation_timestamp_ms: 1, last_updated_timestamp_ms: 1, model_type: "tree" },
            ...{ status: "LOGGED_MODEL_READY", source_run_id: "r1" },
            registrations: [{ name: "a", version: "10" }],
          },
          data: {
            params: [{ key: "p", value: "v" }],
            metrics: [
              { value: 0.9, dataset_name: "test", dataset_digest: "h2" },
              { value: 0.5, dataset_name: "train", dataset_digest: "h1" },
            ].map((metric) => ({
              ...{ key: "acc", model_id: "m-1", run_id: "r1", step: 0 },
              ...{ timestamp: metric.value === 0.9 ? 2 : 1, ...metric },
            })),
          },
        },
      ]);
      const page_token = first.next_page_token;
      const second = await here.post("logged-models/search", { ...body, page_token });
      expect(second).toMatchObject({ models: [{ info: { model_id: "m-2" } }] });
      expect(second.next_page_token).toBeUndefined();
      const [status, , sentence] = await here.refused("logged-models/search", {
        ...body,
        experiment_ids: ["12"],
        page_token,
      });
      expect([status, sentence]).toEqual([400, expect.stringContaining("for another query")]);
    });

    test.each([
      [{ filter: "metrics.acc > 'high'" }, "Expected numeric value type"],
      [{ filter: "metrics.acc > high" }, "Expected numeric value type"],
      [{ filter: "nope = 'x'" }, "Invalid attribute key 'nope'"],
      [by("params.p"), "Invalid entity type 'params'"],
      [by("name", { dataset_name: "d" }), "can only be given with an order by a metric"],
      [by("metrics.acc", { dataset_digest: "d" }), "dataset_digest is given without dataset_name"],
      [{ order_by: [{ field_name: "name" }, { field_name: "name" }] }, "duplicate fields"],
      [{ order_by: [{}] }, "Missing value for required parameter 'order_by[0].field_name'"],
      [{ datasets: [{}] }, "Missing value for required parameter 'datasets[0].dataset_name'"],
      [{ experiment_ids: ["x"] }, "Invalid experiment ID"],
      [{ max_results: 0 }, "Invalid value 0 for parameter 'max_results'"],
    ])("%j is refused", async (more, message) => {
      const body = { experiment_ids: ["11"], ...more };
      const [status, kind, sentence] = await here.refused("logged-models/search", body);
      expect([status, kind]).toEqual([400, "INVALID_PARAMETER_VALUE"]);
      expect(sentence).toContain(message);
    });
  });

  test("runs/search finds what was logged, and tells it as the run itself does", async () => {
    const { run } = await here.post("runs/create", { experiment_id: "11", run_name: "first" });
    const { run_id } = run.info;
    await here.post("runs/log-batch", {
      run_id,
      metrics: [{ key: "m", value: "NaN", timestamp: 1, step: 0 }],
      params: [{ key: "p", value: "v" }],
    });
    const body = { experiment_ids: ["11"], filter: "run_name = 'first'", order_by: ["metrics.m"] };
    const { run: whole } = await here.get("runs/get", { run_id });
    expect(await here.post("runs/search", body)).toEqual({ runs: [whole] });
    expect(whole.data.metrics).toMatchObject([{ key: "m", value: "NaN" }]);
    expect(await here.post("runs/search", { filter: "" })).toEqual({});
    expect(await here.refused("runs/search", { experiment_ids: ["x"] })).toEqual([
      ...([400, "INVALID_PARAMETER_VALUE", expect.any(String)] as const),
    ]);
    const twin = await here.ask("POST", "/ajax-api/2.0/mlflow/runs/search", { body });
    expect(twin.json.runs).toHaveLength(1);
  });
});
