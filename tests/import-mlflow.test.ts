/*
 * Stories of moving from another tracking server: the program itself is started, killed and started
 * again beside a server that goes on answering; then what it brought is served. Where there is a
 * Python with MLflow, a stock server of it is brought over its address and from its database, and a
 * folder that its client wrote without one.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../scripts/services/process.ts";
import type { Report } from "../src/cli/mlflow/tally.ts";
import { foreignBytes } from "../src/serve/fixture.ts";
import { type Outside, openOutside } from "./outside.ts";
import { ADMIN_TOKEN, asJson, launch, type Served } from "./served.ts";
import { only, openStores, stores } from "./stores.ts";

const SCRIPT = join(import.meta.dir, "peers", "mlflow_import.py");
const pythons = (process.env["SLUICE_TEST_MLFLOW"] ?? "").split(":").filter((path) => path !== "");
if (pythons.length === 0) {
  console.log("skipped: 2 stories of a stock MLflow server and of its files, no Python of it");
}
const WHY = "the other story is told on both";
const LONG_MS = 900_000;

const folder = mkdtempSync(join(tmpdir(), "sluice-import-story-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

const access = { MLFLOW_TRACKING_TOKEN: ADMIN_TOKEN };

/** Runs an import to its end. */
const imported = (to: Outside, ...args: readonly string[]): Promise<Report> =>
  to.command(["import-mlflow", ...args], access);

/** A server to be brought, with runs enough to be killed in the middle of. */
async function filled(from: Outside): Promise<Served> {
  const app = await from.start();
  // biome-ignore lint/suspicious/noExplicitAny: answers of the protocol.
  const call = async (path: string, body: object): Promise<any> => {
    const answer = await app.fetch(`/api/2.0/mlflow/${path}`, asJson(body));
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  };
  const put = async (uri: string, path: string, body: Uint8Array) => {
    const whole = `${uri.replace("mlflow-artifacts:/", "")}/${path}`;
    const answer = await app.fetch(`/api/2.0/mlflow-artifacts/artifacts/${whole}`, {
      ...{ method: "PUT", body: body as Uint8Array<ArrayBuffer> },
    });
    expect(answer.status).toBe(200);
  };
  const { experiment_id } = await call("experiments/create", { name: "many" });
  let last = { run_id: "", artifact_uri: "" };
  for (let i = 0; i < RUNS; i++) {
    const { run } = await call("runs/create", { experiment_id, start_time: i + 1 });
    last = run.info;
    const metrics = Array.from({ length: 100 }, (_, step) => ({
      ...{ key: `m${step % 4}`, value: step / (i + 1), timestamp: step, step },
    }));
    await call("runs/log-batch", { run_id: last.run_id, metrics });
    if (i % 10 === 0) await put(last.artifact_uri, "a.bin", new Uint8Array(200_000).fill(i));
  }
  await put(last.artifact_uri, "model/model.onnx", foreignBytes(2));
  await call("registered-models/create", { name: "adds" });
  await call("model-versions/create", { name: "adds", source: `runs:/${last.run_id}/model` });
  await call("registered-models/alias", { name: "adds", alias: "champion", version: "1" });
  return app;
}
const RUNS = 350;

describe.each(stores())("an import on %s", (name) => {
  let [from, to]: [Outside, Outside] = [openOutside({ env: {} }), openOutside({ env: {} })];
  let app: Served;
  beforeAll(async () => {
    to = openOutside(await openStores(name));
    app = await filled(from);
  }, LONG_MS);
  afterAll(() => Promise.all([from.close(), to.close()]));

  test(
    "killed and started again brings all once, and its champion serves",
    async () => {
      const args = ["import-mlflow", "--from", app.url];
      let kills = 0;
      for (const ms of [150, 400, 700, 1_000, 1_400]) {
        const child = launch({ ...to.options(access), args });
        const ended = await Promise.race([child.exited, Bun.sleep(ms).then(() => null)]);
        await child.kill();
        if (ended === null) kills++;
      }
      expect(kills).toBeGreaterThan(1);
      const report = await imported(to, "--from", app.url);
      expect(report).toMatchObject({ failed: [], mismatches: [], skipped: [] });
      const { runs, points } = report.counts;
      expect(runs.brought + runs.there).toBe(RUNS);
      expect(points.brought).toBeLessThanOrEqual(RUNS * 100);
      const again = await imported(to, "--from", app.url);
      expect(again.counts.runs).toEqual({ brought: 0, there: RUNS, skipped: 0, failed: 0 });
      const here = await to.start();
      const asked = await here.fetch("/v1/models/adds/predict", asJson({ instances: [{ x: 1 }] }));
      expect(await asked.json()).toMatchObject({ predictions: [{ outputs: { y: 3 } }] });
      const { experiment } = await here.get<{ experiment: { experiment_id: string } }>(
        "/api/2.0/mlflow/experiments/get-by-name?experiment_name=many",
      );
      const search = { experiment_ids: [experiment.experiment_id], max_results: 1_000 };
      const found = await here.fetch("/api/2.0/mlflow/runs/search", asJson(search));
      expect(((await found.json()) as { runs: unknown[] }).runs).toHaveLength(RUNS);
      if (name === "embedded") {
        // A folder that is held is never opened.
        const refused = launch({ ...to.options(access), args });
        expect(await refused.exited).toBe(3);
        expect(refused.errors()).toContain(`held by process ${here.pid}`);
      }
      await here.stop();
    },
    LONG_MS,
  );
});

/** Asks the unmodified client of a Python; what it says at its end. */
// biome-ignore lint/suspicious/noExplicitAny: what the client sees is compared whole.
async function ask(python: string, ...args: readonly string[]): Promise<any> {
  const child = Bun.spawn([python, SCRIPT, ...args], {
    env: {
      ...{ ...process.env, MLFLOW_TRACKING_TOKEN: ADMIN_TOKEN },
      // A client of today writes files only where it is told that it may.
      MLFLOW_ALLOW_FILE_STORE: "true",
    },
    ...{ stdout: "pipe", stderr: "pipe", cwd: folder },
  });
  const [out, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) !== 0) throw new Error(errors);
  return JSON.parse(out.trim().split("\n").at(-1) ?? "");
}

/** What the client sees on a server of ours. */
async function look(python: string, at: Outside) {
  const app = await at.start();
  const seen = await ask(python, "look", app.url);
  await app.stop();
  return plain(seen);
}

/** Champions that cannot be served do not come. */
// biome-ignore lint/suspicious/noExplicitAny: what the client sees is compared whole.
function withoutUnservable(seen: any): any {
  for (const name of ["Has Spaces", "words"]) delete seen.models[name].aliases.champion;
  return seen;
}

const onnx = join(folder, "model.onnx");

describe.skipIf(pythons.length === 0)("a stock MLflow server", () => {
  test(
    `comes by its address and from its database, the same for its client ${only("embedded", WHY)}`,
    async () => {
      const python = pythons[0]!;
      const port = freePort();
      const url = `http://127.0.0.1:${port}`;
      const database = join(folder, "mlflow.db");
      const artifacts = join(folder, "mlartifacts");
      await Bun.write(onnx, foreignBytes(2));
      const server = Bun.spawn(
        [
          ...[python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", `${port}`],
          ...["--backend-store-uri", `sqlite:///${database}`, "--workers", "1"],
          ...["--artifacts-destination", artifacts],
        ],
        { stdout: "ignore", stderr: "ignore", detached: true },
      );
      let ended = false;
      const end = () => {
        // It starts others, all of its own group.
        if (!ended) process.kill(-server.pid, "SIGKILL");
        ended = true;
      };
      const [byUrl, byFile] = [openOutside({ env: {} }), openOutside({ env: {} })];
      try {
        while (
          !(await fetch(`${url}/health`)
            .then(({ ok }) => ok)
            .catch(() => false))
        ) {
          await Bun.sleep(200);
        }
        await ask(python, "fill", url, onnx);
        const there = withoutUnservable(plain(await ask(python, "look", url)));
        const report = await imported(byUrl, "--from", url);
        expect(report).toMatchObject({ failed: [], mismatches: [] });
        expect(report.champions).toEqual([{ model: "adds", version: 1 }]);
        // The server names deleted models to whoever knows of them, and no deleted versions.
        expect(report.unseen.map(({ what, why }) => `${what}: ${why}`)).toEqual([
          "deleted versions: 1 (adds 3), and maybe the last ones",
          "deleted logged models: no run names one, which does not tell of those that none does",
        ]);
        expect(await look(python, byUrl)).toEqual(there);
        end();
        const found = await imported(
          byFile,
          ...["--from", `sqlite:///${database}`, "--artifacts", artifacts],
        );
        expect(await look(python, byFile)).toEqual(there);
        // Its database has the deleted version too.
        const { versions, logged_models } = report.counts;
        expect(found.counts.versions.brought).toBe(versions.brought + 1);
        expect(found.counts.logged_models).toEqual(logged_models);
      } finally {
        end();
        await Promise.all([byUrl.close(), byFile.close()]);
      }
    },
    LONG_MS,
  );
});

describe.skipIf(pythons.length === 0).each(pythons)(
  "a folder that MLflow wrote by %s",
  (python) => {
    test(
      `comes without a server, from wherever it was moved ${only("embedded", WHY)}`,
      async () => {
        const [written, moved] = [Bun.randomUUIDv7(), Bun.randomUUIDv7()].map((id) =>
          join(folder, id),
        );
        const to = openOutside({ env: {} });
        try {
          await Bun.write(onnx, foreignBytes(2));
          const uri = `file://${written}/mlruns`;
          await ask(python, "fill", uri, onnx);
          const there = withoutUnservable(plain(await ask(python, "look", uri)));
          await rename(written!, moved!);
          const report = await imported(to, "--from", join(moved!, "mlruns"));
          expect(report).toMatchObject({ failed: [], mismatches: [], unseen: [] });
          expect(report.champions).toEqual([{ model: "adds", version: 1 }]);
          expect(report.counts.versions.brought).toBe(6);
          expect(await look(python, to)).toEqual(there);
        } finally {
          await to.close();
        }
      },
      LONG_MS,
    );
  },
);

/** Without the addresses of versions, which differ. */
// biome-ignore lint/suspicious/noExplicitAny: what the client sees is compared whole.
function plain(seen: any): any {
  for (const version of Object.values<{ source?: string }>(seen.versions)) delete version.source;
  return seen;
}
