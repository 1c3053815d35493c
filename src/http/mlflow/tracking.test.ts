import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Tracking } from "../../registry/tracking.ts";
import { testDatabases } from "../../store/testing.ts";
import { NOW } from "../testing.ts";
import { openTracked, type Tracked } from "./testing.ts";

const MORE = " See the API docs for more information about request parameters.";
const BAD = "INVALID_PARAMETER_VALUE";
const NONE = "RESOURCE_DOES_NOT_EXIST";

describe.each(testDatabases())("tracking over the MLflow protocol on $name", (on) => {
  let tracked: Tracked;
  let get: Tracked["get"];
  let post: Tracked["post"];
  let refused: Tracked["refused"];
  beforeAll(async () => {
    tracked = await openTracked(on);
    ({ get, post, refused } = tracked);
  });
  afterAll(() => tracked.close());

  let count = 0;
  const newExperiment = async (): Promise<string> =>
    (await post("experiments/create", { name: `e${++count}` })).experiment_id;
  const newRun = async (more: object = {}): Promise<string> =>
    (await post("runs/create", { experiment_id: "0", ...more })).run.info.run_id;
  const kindOf = async (path: string, body?: unknown) => (await refused(path, body)).slice(0, 2);
  const runOf = async (run_id: string) => (await get("runs/get", { run_id })).run;

  describe("experiments", () => {
    test("there is one to log to where nothing is said", async () => {
      const { experiment } = await get("experiments/get", { experiment_id: "0" });
      expect(experiment).toEqual({
        ...{ experiment_id: "0", name: "Default", artifact_location: "mlflow-artifacts:/0" },
        ...{ lifecycle_stage: "active", creation_time: 0, last_update_time: 0 },
      });
    });

    test("made with a place and tags, found by id and by name", async () => {
      const tags = [{ key: "team", value: "é\n" }];
      const { experiment_id } = await post("experiments/create", { name: "iris 1", tags });
      expect(experiment_id).toMatch(/^[1-9]\d*$/);
      const { experiment } = await get("experiments/get", { experiment_id });
      expect(experiment).toMatchObject({
        ...{ name: "iris 1", artifact_location: `mlflow-artifacts:/${experiment_id}`, tags },
        ...{ creation_time: NOW, last_update_time: NOW },
      });
      const named = await get("experiments/get-by-name", { experiment_name: "iris 1" });
      expect(named.experiment).toEqual(experiment);
      const own = { name: "own", artifact_location: "s3://bucket/path?region=a" };
      const made = await post("experiments/create", own);
      const { run } = await post("runs/create", { experiment_id: made.experiment_id });
      expect(run.info.artifact_uri).toBe(`s3://bucket/path/${run.info.run_id}/artifacts?region=a`);
    });

    test("a name is taken, by a deleted one too, which says so", async () => {
      const experiment_id = await newExperiment();
      const name = `e${count}`;
      expect(await refused("experiments/create", { name })).toEqual([
        400,
        "RESOURCE_ALREADY_EXISTS",
        `Experiment(name=${name}) already exists.`,
      ]);
      await post("experiments/delete", { experiment_id });
      const [status, kind, text] = await refused("experiments/create", { name });
      expect([status, kind]).toEqual([400, "RESOURCE_ALREADY_EXISTS"]);
      expect(text).toStartWith(
        `Experiment(name=${name}) already exists. It is deleted: restore it`,
      );
      const other = await newExperiment();
      expect(await kindOf("experiments/update", { experiment_id: other, new_name: name })).toEqual([
        400,
        "RESOURCE_ALREADY_EXISTS",
      ]);
    });

    test("goes away with its runs and comes back with them", async () => {
      const experiment_id = await newExperiment();
      const run = await newRun({ experiment_id });
      await post("experiments/delete", { experiment_id });
      const gone = (await get("experiments/get", { experiment_id })).experiment;
      expect(gone.lifecycle_stage).toBe("deleted");
      expect((await runOf(run)).info.lifecycle_stage).toBe("deleted");
      expect(await refused("experiments/delete", { experiment_id })).toEqual([
        404,
        NONE,
        `No Experiment with id=${experiment_id} exists`,
      ]);
      // A whole number below zero is one that no experiment has, and no mistake.
      expect(await refused("experiments/delete", { experiment_id: "-1337" })).toEqual([
        404,
        NONE,
        "No Experiment with id=-1337 exists",
      ]);
      expect(await post("runs/search", { experiment_ids: ["-1337"] })).toEqual({});
      expect(await refused("experiments/update", { experiment_id, new_name: "x" })).toEqual([
        400,
        "INVALID_STATE",
        "Cannot rename a non-active experiment.",
      ]);
      const inactive = `The experiment ${experiment_id} must be in the 'active' state. Current state is deleted.`;
      const [status, kind, text] = await refused("runs/create", { experiment_id });
      expect([status, kind]).toEqual([400, BAD]);
      expect(text).toStartWith(inactive);
      expect(
        await refused("experiments/set-experiment-tag", { experiment_id, key: "a", value: "b" }),
      ).toEqual([400, BAD, inactive]);
      await post("experiments/restore", { experiment_id });
      expect((await runOf(run)).info.lifecycle_stage).toBe("active");
      expect(await kindOf("experiments/restore", { experiment_id })).toEqual([404, NONE]);
      await post("experiments/update", { experiment_id, new_name: "renamed" });
      expect((await get("experiments/get", { experiment_id })).experiment.name).toBe("renamed");
    });

    test("a deleted one is removed for good, with all that it has, and its name is free", async () => {
      const experiment_id = await newExperiment();
      const name = `e${count}`;
      const run_id = await newRun({ experiment_id });
      await post("runs/log-batch", {
        run_id,
        metrics: [{ key: "m", value: 1, timestamp: 1 }],
        params: [{ key: "p", value: "1" }],
      });
      const dataset = { name: "d", digest: "1", source_type: "local", source: "{}" };
      await post("runs/log-inputs", { run_id, datasets: [{ dataset }] });
      const path = "experiments/delete-permanently";
      expect(await kindOf(path, { experiment_id })).toEqual([400, "INVALID_STATE"]);
      await post("experiments/delete", { experiment_id });
      expect(await post(path, { experiment_id })).toEqual({ removed_runs: 1 });
      expect(await kindOf(path, { experiment_id })).toEqual([404, NONE]);
      expect(await kindOf("runs/delete", { run_id })).toEqual([404, NONE]);
      const history = await get("metrics/get-history", { run_id, metric_key: "m" });
      expect(history).toEqual({});
      const again = await post("experiments/create", { name });
      expect(again.experiment_id).not.toBe(experiment_id);
      expect(await kindOf(path, { experiment_id: "0" })).toEqual([400, "INVALID_STATE"]);
    });

    test("one that a version was made in stays", async () => {
      const experiment_id = await newExperiment();
      const run_id = await newRun({ experiment_id });
      const name = `model-of-${experiment_id}`;
      const source = `mlflow-artifacts:/${experiment_id}/${run_id}/artifacts/model`;
      await post("registered-models/create", { name });
      await post("model-versions/create", { name, source, run_id });
      await post("experiments/delete", { experiment_id });
      const [status, kind, text] = await refused("experiments/delete-permanently", {
        experiment_id,
      });
      expect([status, kind]).toEqual([400, "INVALID_STATE"]);
      expect(text).toContain(`Version 1 of ${name}`);
    });

    test("tags are set anew and removed; what is not there is told", async () => {
      const experiment_id = await newExperiment();
      for (const value of ["1", "2"]) {
        await post("experiments/set-experiment-tag", { experiment_id, key: "a", value });
      }
      const { experiment } = await get("experiments/get", { experiment_id });
      expect(experiment.tags).toEqual([{ key: "a", value: "2" }]);
      const tag = { experiment_id, key: "a" };
      await post("experiments/delete-experiment-tag", tag);
      expect(await kindOf("experiments/delete-experiment-tag", tag)).toEqual([404, NONE]);
    });

    test("what is unknown is 404, what is no id is 400", async () => {
      const ask = async (path: string) => {
        const { status, json } = await tracked.ask("GET", `/api/2.0/mlflow/experiments/${path}`);
        return [status, json.error_code, json.message];
      };
      expect(await ask("get?experiment_id=999")).toEqual([
        404,
        NONE,
        "No Experiment with id=999 exists",
      ]);
      expect((await ask(`get?experiment_id=${"9".repeat(40)}`)).slice(0, 2)).toEqual([404, NONE]);
      expect((await ask("get?experiment_id=abc")).slice(0, 2)).toEqual([400, BAD]);
      expect(await ask("get")).toEqual([
        400,
        BAD,
        `Missing value for required parameter 'experiment_id'.${MORE}`,
      ]);
      expect((await ask("get-by-name?experiment_name=nothing")).slice(0, 2)).toEqual([404, NONE]);
    });

    test.each([
      ["runs:/0123/model", "runs:/"],
      ["s3://bucket/path#fragment", "fragment"],
      ["/tmp/x;param", "parameters"],
      ["s3://bucket/x?path=%252e%252e/secret", "'..'"],
      [`s3://${"a".repeat(3_000)}`, "2048"],
    ])("no experiment is at %p", async (artifact_location, why) => {
      const [status, kind, text] = await refused("experiments/create", {
        name: "nowhere",
        artifact_location,
      });
      expect([status, kind]).toEqual([400, BAD]);
      expect(text).toContain(why);
    });
  });

  describe("runs", () => {
    test("start with an id, a place, a name that is a tag too", async () => {
      const { run } = await post("runs/create", {
        ...{ experiment_id: "0", user_id: "ada", run_name: "first", start_time: "1700000000000" },
        tags: [{ key: "mlflow.user", value: "ada" }],
      });
      const { run_id } = run.info;
      expect(run_id).toMatch(/^[0-9a-f]{32}$/);
      const info = {
        ...{ run_id, run_uuid: run_id, run_name: "first", experiment_id: "0", user_id: "ada" },
        ...{ status: "RUNNING", start_time: 1_700_000_000_000, lifecycle_stage: "active" },
        artifact_uri: `mlflow-artifacts:/0/${run_id}/artifacts`,
      };
      expect(run.info).toEqual(info);
      expect(await runOf(run_id)).toEqual({
        info,
        data: {
          tags: [
            { key: "mlflow.runName", value: "first" },
            { key: "mlflow.user", value: "ada" },
          ],
        },
        inputs: {},
        outputs: {},
      });
    });

    test("a name is drawn, or taken from its tag; two that differ are refused", async () => {
      const drawn = (await runOf(await newRun())).info.run_name;
      expect(drawn).toMatch(/^[a-z]+-[a-z]+-\d{1,3}$/);
      const tags = [{ key: "mlflow.runName", value: "tagged" }];
      expect((await runOf(await newRun({ tags }))).info.run_name).toBe("tagged");
      expect(await kindOf("runs/create", { experiment_id: "0", run_name: "other", tags })).toEqual([
        400,
        BAD,
      ]);
    });

    test("without an experiment it is the default one; an unknown one is 404", async () => {
      expect((await post("runs/create")).run.info.experiment_id).toBe("0");
      expect(await kindOf("runs/create", { experiment_id: "999" })).toEqual([404, NONE]);
      expect(await kindOf("runs/create", { experiment_id: "abc" })).toEqual([400, BAD]);
    });

    test("only what is given changes, and a new name is a tag too", async () => {
      const run_id = await newRun({ run_name: "old" });
      const ended = { run_id, status: 3, end_time: 1_700_000_009_000 };
      const { run_info } = await post("runs/update", ended);
      expect(run_info).toMatchObject({ status: "FINISHED", end_time: 1_700_000_009_000 });
      await post("runs/update", { run_uuid: run_id, run_name: "new" });
      await post("runs/update", { run_id, run_name: "", status: "BAD" });
      const run = await runOf(run_id);
      expect(run.info).toMatchObject({ run_name: "new", status: "FINISHED" });
      expect(run.data.tags).toEqual([{ key: "mlflow.runName", value: "new" }]);
      await post("runs/set-tag", { run_id, key: "mlflow.runName", value: "newer" });
      expect((await runOf(run_id)).info.run_name).toBe("newer");
    });

    test("away and back again, however often; nothing is written meanwhile", async () => {
      const run_id = await newRun();
      await post("runs/delete", { run_id });
      await post("runs/delete", { run_id });
      expect((await runOf(run_id)).info.lifecycle_stage).toBe("deleted");
      const inactive = `The run ${run_id} must be in the 'active' state. Current state is deleted.`;
      for (const [path, body] of [
        ["runs/update", { status: "FINISHED" }],
        ["runs/set-tag", { key: "a", value: "b" }],
        ["runs/delete-tag", { key: "a" }],
        ["runs/log-parameter", { key: "a", value: "b" }],
        ["runs/log-metric", { key: "a", value: 1, timestamp: 1 }],
        ["runs/log-batch", {}],
        ["runs/log-inputs", {}],
        ["runs/outputs", { models: [{ model_id: "m-1", step: 0 }] }],
      ] as const) {
        const [status, kind, text] = await refused(path, { run_id, ...body });
        expect([path, status, kind]).toEqual([path, 400, BAD]);
        expect(text).toStartWith(inactive);
      }
      await post("runs/restore", { run_id });
      await post("runs/restore", { run_id });
      await post("runs/set-tag", { run_id, key: "a", value: "b" });
    });

    test("an unknown run is 404 everywhere", async () => {
      for (const run_id of ["0".repeat(32), "../x", "a b"]) {
        for (const [path, body] of [
          ["runs/update", {}],
          ["runs/delete", {}],
          ["runs/restore", {}],
          ["runs/set-tag", { key: "a" }],
          ["runs/delete-tag", { key: "a" }],
          ["runs/log-parameter", { key: "a" }],
          ["runs/log-metric", { key: "a", value: 1, timestamp: 1 }],
        ] as const) {
          const [status, kind, text] = await refused(path, { run_id, ...body });
          expect([path, status, kind]).toEqual([path, 404, NONE]);
          expect(text).toStartWith(`Run with id=${run_id} not found`);
        }
      }
    });

    test("a tag that is not there is 404", async () => {
      const run_id = await newRun();
      expect(await refused("runs/delete-tag", { run_id, key: "none" })).toEqual([
        404,
        NONE,
        `No tag with name: none in run with id ${run_id}`,
      ]);
      await post("runs/set-tag", { run_id, key: "a" });
      await post("runs/delete-tag", { run_id, key: "a" });
      expect((await runOf(run_id)).data.tags).toHaveLength(1);
    });
  });

  describe("what runs log", () => {
    test("metrics: the latest counts, as numbers, as text, and what is no number", async () => {
      const run_id = await newRun();
      const log = (key: string, value: unknown, step: unknown = 0, timestamp: unknown = 1) =>
        post("runs/log-metric", { run_id, key, value, step, timestamp });
      await log("loss", 0.5, 2);
      await log("loss", 0.9, 1);
      await log("text", "2.5", "4", "1700000000000");
      await log("zero", 0, -3);
      await log("nan", "NaN");
      await log("up", "Infinity");
      await log("down", "-Infinity");
      await log("yes", true);
      expect((await runOf(run_id)).data.metrics).toEqual([
        { key: "down", value: "-Infinity", timestamp: 1, step: 0 },
        { key: "loss", value: 0.5, timestamp: 1, step: 2 },
        { key: "nan", value: "NaN", timestamp: 1, step: 0 },
        { key: "text", value: 2.5, timestamp: 1_700_000_000_000, step: 4 },
        { key: "up", value: "Infinity", timestamp: 1, step: 0 },
        { key: "yes", value: 1, timestamp: 1, step: 0 },
        { key: "zero", value: 0, timestamp: 1, step: -3 },
      ]);
    });

    test("a param again is fine, with another value it is not", async () => {
      const run_id = await newRun();
      await post("runs/log-parameter", { run_id, key: "rate", value: "0.1" });
      await post("runs/log-parameter", { run_id, key: "rate", value: "0.1" });
      await post("runs/log-parameter", { run_id, key: "empty" });
      const [status, kind, text] = await refused("runs/log-parameter", {
        ...{ run_id, key: "rate", value: "0.2" },
      });
      expect([status, kind]).toEqual([400, BAD]);
      expect(text).toStartWith(
        "Changing param values is not allowed. Param with key='rate' was already logged with " +
          `value='0.1' for run ID='${run_id}'. Attempted logging new value '0.2'.`,
      );
      expect((await runOf(run_id)).data.params).toEqual([
        { key: "empty", value: "" },
        { key: "rate", value: "0.1" },
      ]);
    });

    test("a batch is all or none, and the same again changes nothing", async () => {
      const run_id = await newRun();
      const batch = {
        run_id,
        metrics: [0, 1].map((step) => ({ key: "m", value: step, timestamp: 5, step })),
        params: [{ key: "p", value: "1" }],
        tags: [
          { key: "t", value: "1" },
          { key: "t", value: "2" },
        ],
      };
      await post("runs/log-batch", batch);
      const once = await runOf(run_id);
      expect(once.data).toMatchObject({
        metrics: [{ key: "m", value: 1, timestamp: 5, step: 1 }],
        params: [{ key: "p", value: "1" }],
        tags: [{ key: "mlflow.runName" }, { key: "t", value: "2" }],
      });
      await post("runs/log-batch", batch);
      expect(await runOf(run_id)).toEqual(once);
      const other = {
        run_id,
        metrics: [{ key: "later", value: 1, timestamp: 5 }],
        params: ["new", "p"].map((key) => ({ key, value: "2" })),
        tags: [{ key: "later", value: "1" }],
      };
      const [status, kind, text] = await refused("runs/log-batch", other);
      expect([status, kind]).toEqual([400, BAD]);
      expect(text).toStartWith(
        "Changing param values is not allowed. Params were already logged='[{'key': 'p', " +
          `'old_value': '1', 'new_value': '2'}]' for run ID='${run_id}'.`,
      );
      expect(await runOf(run_id)).toEqual(once);
    });

    test("a batch has limits", async () => {
      const run_id = await newRun();
      const metrics = (many: number) =>
        Array.from({ length: many }, (_, step) => ({ key: "m", value: 1, timestamp: 1, step }));
      const pairs = (many: number) =>
        Array.from({ length: many }, (_, i) => ({ key: `k${i}`, value: "v" }));
      await post("runs/log-batch", { run_id, metrics: metrics(900), params: pairs(100) });
      for (const [body, text] of [
        [{ metrics: metrics(1_001) }, "at most 1000 metrics. Got 1001 metrics. Please split up"],
        [{ params: pairs(101) }, "at most 100 params. Got 101 params."],
        [{ tags: pairs(101) }, "at most 100 tags. Got 101 tags."],
        [{ metrics: metrics(950), tags: pairs(100) }, "at most 1000 metrics, params, and tags."],
      ] as const) {
        const [status, kind, told] = await refused("runs/log-batch", { run_id, ...body });
        expect([status, kind]).toEqual([400, BAD]);
        expect(told).toContain(text);
      }
      const twice = { run_id, params: [...pairs(1), ...pairs(1)] };
      expect(await refused("runs/log-batch", twice)).toEqual([
        400,
        BAD,
        "Duplicate parameter keys have been submitted: ['k0'].",
      ]);
    });

    test("what is too long is cut or refused, as clients expect it", async () => {
      const run_id = await newRun();
      await post("runs/log-parameter", { run_id, key: "p", value: "x".repeat(6_001) });
      await post("runs/set-tag", { run_id, key: "t", value: "y".repeat(8_001) });
      const { data } = await runOf(run_id);
      expect(data.params[0].value).toBe("x".repeat(6_000));
      expect(data.tags[1].value).toBe("y".repeat(8_000));
      for (const [path, body] of [
        ["runs/log-metric", { value: 1, timestamp: 1 }],
        ["runs/log-parameter", {}],
        ["runs/set-tag", {}],
      ] as const) {
        await post(path, { run_id, key: "k".repeat(250), ...body });
        const [, , text] = await refused(path, { run_id, key: "k".repeat(251), ...body });
        expect(text).toContain("exceeds the maximum length of 250 characters");
      }
    });

    test.each(["a?b", "..", "../x", "/a", "a//b", "a/./b", "a/../b", ".", "a/", "e\u0301"])(
      "%p is no key",
      async (key) => {
        const run_id = await newRun();
        const point = { key, value: 1, timestamp: 1 };
        for (const [path, body, at] of [
          ["runs/log-metric", point, "name"],
          ["runs/log-batch", { metrics: [point] }, "metrics[0].name"],
          ["runs/log-parameter", { key }, "key"],
          ["runs/log-batch", { params: [{ key }] }, "params[0].key"],
          ["runs/set-tag", { key }, "key"],
        ] as const) {
          const [status, kind, text] = await refused(path, { run_id, ...body });
          expect([status, kind]).toEqual([400, BAD]);
          expect(text).toStartWith("Invalid value ");
          expect(text).toContain(` for parameter '${at}' supplied: Names may`);
        }
      },
    );

    test("histories come in order of time, by pages that hold still, or all at once", async () => {
      const run_id = await newRun();
      const points = [3, 1, 2, 1].map((timestamp, i) => ({
        ...{ key: "m", value: i === 2 ? "NaN" : i, timestamp, step: i === 3 ? -1 : 0 },
      }));
      await post("runs/log-batch", { run_id, metrics: points });
      await post("runs/log-batch", { run_id, metrics: points });
      const all = await get("metrics/get-history", { run_id, metric_key: "m" });
      const wanted = [
        { key: "m", value: 3, timestamp: 1, step: -1 },
        { key: "m", value: 1, timestamp: 1, step: 0 },
        { key: "m", value: "NaN", timestamp: 2, step: 0 },
        { key: "m", value: 0, timestamp: 3, step: 0 },
      ];
      expect(all).toEqual({ metrics: wanted });
      const found: unknown[] = [];
      let token: string | undefined;
      let pages = 0;
      do {
        const page = await get("metrics/get-history", {
          ...{ run_id, metric_key: "m", max_results: "1" },
          ...(token === undefined ? {} : { page_token: token }),
        });
        found.push(...page.metrics);
        token = page.next_page_token;
        // What comes meanwhile, before the page, moves nothing.
        if (++pages === 2) await post("runs/log-metric", { run_id, ...points[1], step: -9 });
      } while (token !== undefined);
      expect(pages).toBe(4);
      expect(found).toEqual(wanted);
      expect(await get("metrics/get-history", { run_id, metric_key: "none" })).toEqual({});
      expect(await get("metrics/get-history", { run_id: "none", metric_key: "m" })).toEqual({});
      for (const query of ["max_results=0", "max_results=-1", "page_token=x"]) {
        const path = `/api/2.0/mlflow/metrics/get-history?run_id=${run_id}&metric_key=m&${query}`;
        const { status, json } = await tracked.ask("GET", path);
        expect([status, json.error_code]).toEqual([400, BAD]);
      }
    });

    test("of many points at one step some are given, the first and the last among them", async () => {
      const run_id = await newRun();
      const timesAt = async (count: number, step: number) => {
        for (let from = 0; from < count; from += 1_000) {
          const metrics = Array.from({ length: 1_000 }, (_, i) => ({
            ...{ key: "m", value: 1, timestamp: from + i, step },
          }));
          await post("runs/log-batch", { run_id, metrics });
        }
        const query = { run_ids: run_id, metric_key: "m", max_results: "1" };
        const steps = { start_step: `${step}`, end_step: `${step}` };
        const told = await get("metrics/get-history-bulk-interval", { ...query, ...steps });
        return told.metrics.map(({ timestamp }: { timestamp: number }) => timestamp);
      };
      expect(await timesAt(2_000, 0)).toEqual(Array.from({ length: 2_000 }, (_, i) => i));
      const times = await timesAt(4_000, 1);
      expect(times).toHaveLength(2_500);
      expect([times[0], times.at(-1)]).toEqual([0, 3_999]);
      const gaps = times.slice(1).map((time: number, i: number) => time - times[i]);
      expect(Math.min(...gaps)).toBeGreaterThan(0);
      expect(Math.max(...gaps)).toBeLessThanOrEqual(3);
    });

    test("histories of several runs, whole and sampled", async () => {
      const runs = await Promise.all([newRun(), newRun()]);
      for (const [i, run_id] of runs.entries()) {
        const metrics = Array.from({ length: 200 }, (_, step) => ({
          ...{ key: "m", value: i, timestamp: step, step: step + i * 100 },
        }));
        await post("runs/log-batch", { run_id, metrics });
      }
      const ids = (name: string) => runs.map((id) => `${name}=${id}`).join("&");
      const bulk = await tracked.ask(
        "GET",
        `/ajax-api/2.0/mlflow/metrics/get-history-bulk?${ids("run_id")}&metric_key=m&max_results=250`,
      );
      expect(bulk.json.metrics).toHaveLength(250);
      expect(bulk.json.metrics[0].run_id).toBe([...runs].sort()[0]);
      const interval = async (more: string) =>
        await tracked.ask(
          "GET",
          `/api/2.0/mlflow/metrics/get-history-bulk-interval?${ids("run_ids")}&metric_key=m${more}`,
        );
      const { json } = await interval("&max_results=10");
      const steps = new Set<number>(json.metrics.map(({ step }: { step: number }) => step));
      for (const end of [0, 199, 100, 299]) expect(steps).toContain(end);
      expect(steps.size).toBeLessThanOrEqual(13);
      // Run after run as they are asked for, step after step.
      const again = { key: "m", value: 7, timestamp: 999, step: 120 };
      await post("runs/log-batch", { run_id: runs[1], metrics: [again] });
      const turned = await tracked.ask(
        "GET",
        `/api/2.0/mlflow/metrics/get-history-bulk-interval?run_ids=${runs[1]}&run_ids=${runs[0]}` +
          "&metric_key=m&start_step=120&end_step=121",
      );
      expect(
        turned.json.metrics.map((point: { run_id: string; step: number; timestamp: number }) => [
          ...[runs.indexOf(point.run_id), point.step, point.timestamp],
        ]),
      ).toEqual([
        ...[
          [1, 120, 20],
          [1, 120, 999],
          [1, 121, 21],
          [0, 120, 120],
          [0, 121, 121],
        ],
      ]);
      const few = await interval("&start_step=150&end_step=159&max_results=5");
      const at = (run: string | undefined) =>
        few.json.metrics.flatMap((point: { run_id: string; step: number }) =>
          point.run_id === run ? [point.step] : [],
        );
      expect(at(runs[0])).toEqual([150, 152, 154, 156, 158, 159]);
      const part = await interval("&start_step=150&end_step=160");
      expect(part.json.metrics).toHaveLength(22);
      for (const bad of ["&max_results=0", "&max_results=2501", "&start_step=1"]) {
        expect((await interval(bad)).status).toBe(400);
      }
      const unnamed = await tracked.ask(
        "GET",
        "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?metric_key=m",
      );
      expect(unnamed.json.message).toStartWith("Missing value for required parameter 'run_ids'.");
      const none = await tracked.ask("GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk");
      expect(none.json.message).toBe(
        "GetMetricHistoryBulk request must specify at least one run_id.",
      );
    });
  });

  test("a run that was trained here is a run for the client", async () => {
    const { tracking } = tracked.services as unknown as { tracking: Tracking };
    const experimentId = await tracking.experiment("income");
    const runId = await tracking.startRun({
      ...{ experimentId, name: "income 1", tags: { trainer: "gbdt" }, pipelineRunId: "p1" },
    });
    await tracking.logParams(runId, { rounds: 120 });
    await tracking.logMetrics(runId, [
      { key: "log_loss", value: 0.4, step: 1 },
      { key: "log_loss", value: 0.3, step: 2 },
    ]);
    await tracking.logDataset(runId, {
      ...{ name: "income train", digest: "d", sourceType: "sluice", source: "{}", schema: null },
      ...{ profile: null, markets: null, firstSlot: null, lastSlot: null, asOf: null },
    });
    await tracking.endRun(runId, "FINISHED");
    const run = await runOf(runId);
    expect(run.info).toMatchObject({
      ...{ run_name: "income 1", status: "FINISHED", end_time: NOW, user_id: "" },
      artifact_uri: `mlflow-artifacts:/${experimentId}/${runId}/artifacts`,
    });
    expect(run.data).toEqual({
      metrics: [{ key: "log_loss", value: 0.3, timestamp: NOW, step: 2 }],
      params: [{ key: "rounds", value: "120" }],
      tags: [
        { key: "mlflow.runName", value: "income 1" },
        { key: "trainer", value: "gbdt" },
      ],
    });
    expect(run.inputs.dataset_inputs[0].dataset.name).toBe("income train");
    const history = await get("metrics/get-history", { run_id: runId, metric_key: "log_loss" });
    expect(history.metrics).toHaveLength(2);
  });

  describe("inputs and outputs", () => {
    const input = (name: string, tag: string) => ({
      dataset: { name, digest: "d1", source_type: "local", source: "{}", schema: "s" },
      tags: [{ key: "mlflow.data.context", value: tag }],
    });

    test("datasets are noted once, and the first tags stay", async () => {
      const experiment_id = await newExperiment();
      const run_id = await newRun({ experiment_id });
      await post("runs/log-inputs", { run_id });
      const datasets = [input("a", "train"), input("b", "eval"), input("a", "other")];
      await post("runs/log-inputs", { run_id, datasets });
      await post("runs/log-inputs", { run_id, datasets: [input("a", "later")] });
      const other = await newRun({ experiment_id });
      await post("runs/log-inputs", { run_id: other, datasets: [input("a", "test")] });
      const { inputs } = await runOf(run_id);
      expect(inputs.dataset_inputs).toEqual([input("a", "train"), input("b", "eval")]);
      const { dataset_summaries } = await post("experiments/search-datasets", {
        experiment_ids: [experiment_id],
      });
      expect(dataset_summaries).toEqual(
        ["a test", "a train", "b eval"].map((pair) => {
          const [name, context] = pair.split(" ");
          return { experiment_id, name, digest: "d1", context };
        }),
      );
      expect(await kindOf("experiments/search-datasets")).toEqual([400, BAD]);
      const long = {
        ...input("a", "x"),
        dataset: { ...input("a", "x").dataset, digest: "d".repeat(37) },
      };
      expect((await refused("runs/log-inputs", { run_id, datasets: [long] }))[2]).toContain(
        "exceeds the maximum length of 36 characters",
      );
    });

    test("datasets come in the order in which they were logged", async () => {
      const run_id = await newRun();
      const names = ["zebra", "ant", "Mole", "bee"];
      const datasets = names.map((name) => ({
        dataset: { name, digest: "1", source_type: "local", source: "{}" },
      }));
      await post("runs/log-inputs", { run_id, datasets });
      await post("runs/log-inputs", { run_id, datasets });
      const { dataset_inputs } = (await runOf(run_id)).inputs;
      expect(dataset_inputs.map((one: (typeof datasets)[number]) => one.dataset.name)).toEqual(
        names,
      );
    });

    test("models that it read and made", async () => {
      const run_id = await newRun();
      await post("runs/log-inputs", { run_id, models: [{ model_id: "m-1" }] });
      const models = [
        { model_id: "m-3", step: 2 },
        { model_id: "m-2", step: 0 },
      ];
      await post("runs/outputs", { run_id, models });
      const run = await runOf(run_id);
      expect(run.inputs.model_inputs).toEqual([{ model_id: "m-1" }]);
      expect(run.outputs.model_outputs).toEqual(models.toReversed());
      expect(await refused("runs/outputs", { run_id })).toEqual([
        400,
        BAD,
        `Missing value for required parameter 'models'.${MORE}`,
      ]);
    });

    test("what a 2.x client says of a model that it logged becomes a list", async () => {
      const run_id = await newRun();
      const model = { artifact_path: "model", flavors: {}, utc_time_created: "now", run_id };
      for (let i = 0; i < 2; i++) {
        await post("runs/log-model", { run_id, model_json: JSON.stringify(model) });
      }
      const { data } = await runOf(run_id);
      const tag = data.tags.find(({ key }: { key: string }) => key.endsWith("history"));
      expect(JSON.parse(tag.value)).toEqual([model, model]);
      for (const model_json of ["{", "[]", '{"run_id":"x"}']) {
        expect(await kindOf("runs/log-model", { run_id, model_json })).toEqual([400, BAD]);
      }
    });
  });
});
