/*
 * From a folder of MLflow's file store, as it lays it out (MLflow 1 to 3).
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Tracked } from "../../../http/mlflow/testing.ts";
import { testDatabases } from "../../../store/testing.ts";
import { bring, openTarget, see } from "../fixture.ts";
import { openSource } from "../open.ts";
import { AWAY, GONE, GONE_MODEL, MODEL, RUN, STORE, THERE, writeStore } from "./fixture.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-filestore-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** An empty folder of its own. */
async function place(): Promise<string> {
  const at = join(folder, crypto.randomUUID());
  await mkdir(at);
  return at;
}

const open = (from: string, artifacts?: string) =>
  openSource({ environment: {} }, { s3: null }, from, artifacts);

const onTarget = (name: string, work: (target: Tracked) => Promise<void>) =>
  test(name, async () => {
    const target = await openTarget(testDatabases().at(-1)!);
    try {
      await work(target);
    } finally {
      await target.close();
    }
  });

describe("a file store", () => {
  onTarget("comes over whole, wherever it was written", async (target) => {
    const root = await place();
    await writeStore(join(root, "mlruns"));
    const { report } = await bring(await open(join(root, "mlruns")), target);
    expect(report).toMatchObject({ failed: [], mismatches: [], merged: ["Default"] });
    const brought = Object.entries(report.counts).map(([kind, { brought }]) => [kind, brought]);
    expect(Object.fromEntries(brought)).toEqual({
      ...{ experiments: 2, runs: 3, params: 2, points: 9_007, inputs: 3, logged_models: 2 },
      ...{ models: 1, versions: 3, aliases: 1, files: 4 },
    });
    const seen = await see(target);
    expect(Object.keys(seen["experiments"]).sort()).toEqual(["Default", "gone", 'it\'s: "seven"']);
    expect(seen["experiments"]["gone"].lifecycle_stage).toBe("deleted");
    expect(seen["experiments"]['it\'s: "seven"']).toMatchObject({
      ...{ creation_time: 1_700_000_000_007, last_update_time: 1_700_000_001_000 },
      tags: [{ key: "mlflow.note.content", value: "a note\nof two lines" }],
    });
    const run = seen["runs"][RUN];
    expect(run.facts).toMatchObject({
      ...{ run_name: "0x_1e5", user_id: "1e3", status: "FINISHED", lifecycle_stage: "active" },
      ...{ start_time: 1_700_000_002_000, end_time: 1_700_000_003_000 },
    });
    expect(run.params).toEqual([
      { key: "deep/er/rate", value: "0.1" },
      { key: "empty", value: "" },
    ]);
    expect(run.histories["long"]).toHaveLength(9_000);
    expect(run.histories["loss"]).toHaveLength(4);
    expect(run.metrics).toContainEqual({ key: "loss", value: "NaN", timestamp: 12, step: 1 });
    expect(run.metrics).toContainEqual({
      ...{ key: "odd/of old", value: "Infinity", timestamp: 6, step: 0 },
    });
    expect(run.inputs.dataset_inputs).toEqual([
      {
        dataset: {
          ...{ name: "rows", digest: "1234e567", source_type: "local", source: "{}" },
          profile: expect.stringMatching(/^\{"num_rows.*"the line is folded"\}$/),
        },
        tags: [
          { key: "seed", value: "1e5" },
          { key: "mlflow.data.context", value: "training" },
        ],
      },
    ]);
    expect(run.inputs.model_inputs).toEqual([{ model_id: MODEL }]);
    expect(run.outputs.model_outputs).toEqual([{ model_id: MODEL, step: 4 }]);
    expect(Object.keys(run.files).sort()).toEqual(["model/MLmodel", "plots/a b.svg"]);
    expect(seen["runs"][GONE].facts.lifecycle_stage).toBe("deleted");
    expect(Object.keys(seen["runs"][AWAY].files)).toEqual(["note.txt"]);
    expect(seen["logged"][MODEL]).toMatchObject({
      facts: { name: "adds", status: "LOGGED_MODEL_READY", source_run_id: RUN },
      tags: [{ key: "kind", value: "good" }],
      data: {
        params: [{ key: "depth", value: "3" }],
        metrics: [{ key: "fit", value: 0.25, step: 1, dataset_digest: "1234e567" }],
      },
      files: { MLmodel: expect.any(String) },
    });
    expect(seen["logged"][GONE_MODEL]).toBeUndefined();
    expect(seen["models"]["adds"]).toMatchObject({
      ...{ description: "adds numbers", tags: [{ key: "owner", value: "ada" }] },
      aliases: [{ alias: "blue", version: "1" }],
    });
    expect(seen["versions"]["adds 1"]).toMatchObject({
      ...{ current_stage: "Staging", tags: [{ key: "quality", value: "good" }] },
      files: { MLmodel: expect.any(String) },
    });
    expect(Object.keys(seen["versions"]).sort()).toEqual(["adds 1", "adds 2"]);
    // The number of the deleted one is not given again.
    const order = { name: "adds", source: "s3://x/y" };
    expect((await target.post("model-versions/create", order)).model_version.version).toBe("4");

    const again = await bring(await open(root), target);
    for (const { brought } of Object.values(again.report.counts)) expect(brought).toBe(0);
  });

  onTarget("tells of what it cannot read, and of what is not brought", async (target) => {
    const root = await place();
    await writeStore(root, {
      ...STORE,
      [`7/${"e".repeat(32)}/metrics/loss`]: "1 2 3\n",
      [`7/${"f".repeat(32)}/meta.yaml`]: "a: [",
      [`0/${"9".repeat(32)}/meta.yaml`]: String(STORE[`7/${RUN}/meta.yaml`]),
      "9/meta.yaml": String(STORE["7/meta.yaml"]),
    });
    const source = await open(root);
    const { report } = await bring(source, target);
    expect(report.counts.runs).toMatchObject({ brought: 3, failed: 0 });
    const notes = source.left.map(({ what, why }) => `${what}: ${why}`).sort();
    expect(notes).toEqual(
      [
        `${root}/9: its meta.yaml is of experiment 7`,
        '1 traces of it\'s: "seven": traces are not brought',
        `metric of a dataset of run ${RUN}: 1 of its lines are no points`,
        `run ${"9".repeat(32)}: its meta.yaml is of run ${RUN} of experiment 7`,
        `run ${"e".repeat(32)}: its meta.yaml is missing, or not read as one`,
        `run ${"f".repeat(32)}: its meta.yaml is missing, or not read as one`,
      ].sort(),
    );
  });

  onTarget("is read within its folder and nowhere else", async (target) => {
    const around = await place();
    const root = join(around, "mlruns");
    await writeStore(root);
    await writeFile(join(around, "secret"), "outside");
    await mkdir(join(around, "other", RUN, "artifacts"), { recursive: true });
    await writeFile(join(around, "other", RUN, "artifacts", "secret"), "outside");
    // Links of records, of files, and addresses that lead out.
    await symlink(join(around, "secret"), join(root, `7/${RUN}/params/linked`));
    await symlink(around, join(root, `7/${RUN}/tags/linked`));
    await symlink(join(around, "secret"), join(root, `7/${RUN}/artifacts/linked`));
    await symlink("plots/a b.svg", join(root, `7/${RUN}/artifacts/within`));
    const meta = `7/${GONE}/meta.yaml`;
    for (const [at, uri] of Object.entries({
      "1": `file://${around}/other/${RUN}/artifacts`,
      "2": `${root}/../other/${RUN}/artifacts`,
      "3": `file://${THERE}/../other/${RUN}/artifacts`,
      "4": "/etc",
      "5": "s3://bucket/x",
      "6": `mlflow-artifacts:/../other/${RUN}/artifacts`,
    })) {
      const id = at.repeat(32);
      const text = String(STORE[meta])
        .replaceAll(GONE, id)
        .replace(/^artifact_uri: .*$/m, `artifact_uri: ${uri}`);
      await writeStore(root, { [`7/${id}/meta.yaml`]: text });
    }
    const { report } = await bring(await open(root), target);
    expect(report.failed).toEqual([]);
    const skipped = report.skipped.map(({ what }) => what).filter((what) => /^files? /.test(what));
    expect(skipped.sort()).toEqual([
      `file linked of run ${RUN}`,
      ...["1", "2", "3", "4", "5", "6"].map((at) => `files of run ${at.repeat(32)}`),
    ]);
    expect(report.skipped.map(({ why }) => why).join()).toContain("give --artifacts");
    const run = (await see(target))["runs"][RUN];
    expect(run.params).toHaveLength(2);
    expect(run.tags).toHaveLength(1);
    expect(Object.keys(run.files).sort()).toEqual(["model/MLmodel", "plots/a b.svg", "within"]);
  });

  onTarget("of a server that kept its files elsewhere: they come from there", async (target) => {
    const [root, artifacts] = [await place(), await place()];
    const meta = `7/${RUN}/meta.yaml`;
    await writeStore(root, {
      ...STORE,
      [meta]: String(STORE[meta]).replace(
        /^artifact_uri: .*$/m,
        `artifact_uri: mlflow-artifacts:/7/${RUN}/artifacts`,
      ),
    });
    await writeStore(artifacts, { [`7/${RUN}/artifacts/there.txt`]: "there" });
    const { report } = await bring(await open(root), target);
    expect(report.skipped).toContainEqual({
      what: `files of run ${RUN}`,
      why: expect.stringContaining("give --artifacts"),
    });
    await bring(await open(root, artifacts), target);
    expect(Object.keys((await see(target))["runs"][RUN].files)).toEqual(["there.txt"]);
  });

  test("is refused where it is none", async () => {
    const refused = (from: string) =>
      open(from).then(
        () => "taken",
        ({ code, message, fix }) => `${code}: ${message} ${fix}`,
      );
    expect(await refused(join(folder, "none"))).toContain("usage: There is no folder");
    await writeFile(join(folder, "mlflow.db"), "");
    expect(await refused(join(folder, "mlflow.db"))).toContain("sqlite:///");
    const files = await place();
    await writeStore(files, { [`1/${RUN}/artifacts/a.txt`]: "a file" });
    expect(await refused(files)).toContain("the records are in a database");
    await writeStore(join(files, "mlruns"));
    expect(await refused(`file://${files}`)).toBe("taken");
  });
});
