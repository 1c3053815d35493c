/*
 * Stories of what clients of MLflow register, on both kinds of store: by the calls themselves, and by
 * the unmodified Python client, which does all that it can; last the walkthrough of docs/mlflow.md: a
 * pipeline that is logged, registered and promoted from Python answers predictions as scikit-learn
 * does. Without such a Python it is said what was left out.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { foreignBytes } from "../src/serve/fixture.ts";
import { askClient, pythons } from "./clients.ts";
import { type Outside, openOutside } from "./outside.ts";
import { ADMIN_TOKEN, asJson, type Served } from "./served.ts";
import { openStores, stores } from "./stores.ts";

const SCRIPT = "mlflow_client.py";
const ADULT = join(import.meta.dir, "..", "..", "shared", "data", "adult");
if (pythons.length === 0) console.log("skipped: 4 stories of the MLflow client, no Python of it");
const hasIncome = existsSync(join(ADULT, "adult.data.gz"));
if (pythons.length > 0 && !hasIncome) console.log("skipped: 2 stories of income, no ../shared");

/** Most of it is the client's own time, on a machine that does other things too. */
const LONG_MS = 400_000;

/** A call of the protocol; its status and JSON. */
async function call(app: Served, method: string, path: string, body?: object) {
  const answer = await app.fetch(`/api/2.0/mlflow/${path}`, {
    method,
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into answers freely.
  return { status: answer.status, json: (await answer.json()) as any };
}

/** A version of the model whose one file adds a number to x; without bytes it has none yet. */
async function registered(app: Served, name: string, number: number | null): Promise<string> {
  await call(app, "POST", "registered-models/create", { name });
  const { json } = await call(app, "POST", "runs/create", { experiment_id: "0" });
  const { run_id, artifact_uri } = json.run.info;
  if (number !== null) await putModel(app, artifact_uri, number);
  const order = { name, source: `${artifact_uri}/model`, run_id };
  const made = await call(app, "POST", "model-versions/create", order);
  expect([made.status, made.json.model_version?.status]).toEqual([200, "READY"]);
  return artifact_uri;
}

async function putModel(app: Served, uri: string, number: number): Promise<void> {
  const path = `${uri.replace("mlflow-artifacts:/", "")}/model/model.onnx`;
  const answer = await app.fetch(`/api/2.0/mlflow-artifacts/artifacts/${path}`, {
    method: "PUT",
    headers: { "content-type": "application/octet-stream" },
    body: foreignBytes(number) as Uint8Array<ArrayBuffer>,
  });
  expect(answer.status).toBe(200);
}

/** What the champion says of x = 1, or the status of what it does not say. */
async function sum(app: Served, model: string): Promise<number> {
  const asked = await app.fetch(`/v1/models/${model}/predict`, asJson({ instances: [{ x: 1 }] }));
  const body = (await asked.json()) as { predictions: { outputs: { y: number } }[] };
  return asked.ok ? body.predictions[0]!.outputs.y : asked.status;
}

const champion = (app: Served, name: string, version: string) =>
  call(app, "POST", "registered-models/alias", { name, alias: "champion", version });

describe.each([...stores()])("versions that clients register on %s", (store) => {
  let story: Outside;
  let app: Served;
  beforeAll(async () => {
    story = openOutside(await openStores(store));
    app = await story.start();
  });
  afterAll(() => story.close());

  test("serve on every replica within two seconds of a move, and no longer than they are", async () => {
    const all = store === "services" ? [app, await story.start()] : [app];
    const said = () => Promise.all(all.map((one) => sum(one, "sum")));
    await registered(app, "sum", 10);
    await registered(app, "sum", 20);
    for (const [version, y] of [
      ["1", 11],
      ["2", 21],
      ["1", 11],
    ] as const) {
      expect((await champion(app, "sum", version)).status).toBe(200);
      await within(2_000, said, y);
    }
    // Over the other protocol too.
    const { inputs } = await app.get<{ inputs: object[] }>("/v2/models/sum");
    expect(inputs).toMatchObject([{ name: "x" }]);
    const gone = await call(app, "DELETE", "model-versions/delete", { name: "sum", version: "1" });
    expect(gone.status).toBe(200);
    await within(2_000, said, 503);
    // The administrator's own route moves the same alias.
    await app.post("/admin/models/sum/promote", { version: 2 });
    await within(2_000, said, 21);
  });

  test("are refused with the reason until they can be served, by both routes", async () => {
    const uri = await registered(app, "late", null);
    const order = asJson({ version: 1 });
    const refusal = await app.fetch("/admin/models/late/promote", order);
    expect([refusal.status, await refusal.json()]).toMatchObject([
      409,
      { code: "not_servable", detail: expect.stringContaining("it has no files") },
    ]);
    const { status, json } = await champion(app, "late", "1");
    expect([status, json.error_code]).toEqual([409, "RESOURCE_CONFLICT"]);
    await putModel(app, uri, 30);
    expect((await app.fetch("/admin/models/late/promote", order)).status).toBe(200);
    expect(await sum(app, "late")).toBe(31);
    // Of a name with a model file, one that does not fit that is none.
    await registered(app, "income", 40);
    expect((await champion(app, "income", "1")).json.message).toContain("model file of a table");
    // Names that no address has are tracked, and listed nowhere here.
    await registered(app, "Big Name", 50);
    const { items } = await app.get<{ items: { name: string }[] }>("/v1/models");
    expect(items.map(({ name }) => name)).not.toContain("Big Name");
  });
});

/** Waits until each of these says so; fails with what they said last. */
async function within(limitMs: number, ask: () => Promise<number[]>, wanted: number) {
  const end = performance.now() + limitMs;
  for (;;) {
    const said = await ask();
    if (said.every((one) => one === wanted)) return;
    if (performance.now() > end) expect(said).toEqual(said.map(() => wanted));
    await Bun.sleep(50);
  }
}

/** The code of the page's walkthrough but for its first block, which installs and fetches. */
function walkthrough(): readonly (readonly [language: string, code: string])[] {
  const page = readFileSync(join(import.meta.dir, "..", "docs", "mlflow.md"), "utf8");
  const [, section = ""] = /^## From scikit-learn to serving\n([\s\S]*?)^## /m.exec(page) ?? [];
  const blocks = [...section.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)];
  return blocks.slice(1).map(([, language = "", code = ""]) => [language, code]);
}

/** Runs code in a folder, as one who copied it from the page; what it printed. */
async function copied(command: readonly string[], cwd: string, app: Served): Promise<string> {
  const child = Bun.spawn([...command], {
    cwd,
    env: {
      ...{ PATH: process.env["PATH"] ?? "", HOME: cwd, GIT_PYTHON_REFRESH: "quiet" },
      ...{ MLFLOW_TRACKING_URI: app.url, MLFLOW_TRACKING_TOKEN: ADMIN_TOKEN },
      // It would start a Python more, to see what the model imports.
      MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT: "1",
    },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) !== 0) throw new Error(`${out}${errors}`.slice(-4_000));
  return out;
}

describe.if(pythons.length > 0).each([...stores()])("the MLflow client on %s", (store) => {
  let story: Outside;
  let app: Served;
  beforeAll(async () => {
    story = openOutside(await openStores(store));
    app = await story.start();
  });
  afterAll(() => story.close());

  // One story after another on the same server, each client with names of its own.
  test.each(pythons.slice(0, 1))(
    "%s does all that it promises",
    async (python) => {
      const { seconds } = await askClient<{ seconds: object }>(python, app, SCRIPT);
      expect(Object.keys(seconds)).toEqual([
        ...["experiments", "runs", "artifacts", "models", "autolog", "together"],
      ]);
    },
    LONG_MS,
  );

  test.if(hasIncome).each(pythons.slice(0, 1))(
    "%s brings a pipeline of income to serving",
    async (python) => {
      const blocks = walkthrough();
      expect(blocks.map(([language]) => language)).toEqual(["python", "sh", "python"]);
      const folder = mkdtempSync(join(tmpdir(), "sluice-walkthrough-"));
      const data = gunzipSync(readFileSync(join(ADULT, "adult.data.gz")));
      writeFileSync(join(folder, "adult.data"), data);
      let said = "";
      try {
        // One after another: the client's last call moved the alias, and nothing is waited for.
        for (const [i, [language, code]] of blocks.entries()) {
          const file = join(folder, `${i}.${language}`);
          writeFileSync(file, code);
          said = await copied([language === "sh" ? "sh" : python, file], folder, app);
        }
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
      expect(said).toMatch(/^100 rows, \d\.\de-\d+ apart at most/);
      const { champion } = await app.get<{ champion: object }>("/v1/models/income50k");
      expect(champion).toMatchObject({ version: 1 });
      const { items } = await app.get<{ items: { version: number; aliases: string[] }[] }>(
        "/v1/models/income50k/versions",
      );
      expect(items).toMatchObject([{ version: 1, aliases: ["champion"] }]);
    },
    LONG_MS,
  );
});

describe.if(pythons.length > 1)("an older MLflow client on embedded", () => {
  test.each(pythons.slice(1))(
    "%s does all that it promises",
    async (python) => {
      const story = openOutside(await openStores("embedded"));
      try {
        const { version } = await askClient<{ version: string }>(
          python,
          await story.start(),
          SCRIPT,
        );
        expect(version).toMatch(/^\d+\.\d+/);
      } finally {
        await story.close();
      }
    },
    LONG_MS,
  );
});
