/*
 * Stories of the unmodified Python client of MLflow: all that it does, on both kinds of store, and
 * the walkthrough of docs/mlflow.md: a pipeline that is logged, registered and promoted from Python
 * answers predictions as scikit-learn does. Without such a Python it is said what was left out.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Outside, openOutside, predict } from "./outside.ts";
import { ADMIN_TOKEN, type Served } from "./served.ts";
import { openStores, stores } from "./stores.ts";

const SCRIPT = join(import.meta.dir, "peers", "mlflow_client.py");
const ADULT = join(import.meta.dir, "..", "..", "shared", "data", "adult");
/** Pythons with a client, of whatever version. */
const pythons = (process.env["SLUICE_TEST_MLFLOW"] ?? "").split(":").filter((path) => path !== "");
if (pythons.length === 0) console.log("skipped: 4 stories of the MLflow client, no Python of it");
const hasIncome = existsSync(join(ADULT, "adult.data.gz"));
if (pythons.length > 0 && !hasIncome) console.log("skipped: 2 stories of income, no ../shared");

/** Most of it is the client's own time, on a machine that does other things too. */
const LONG_MS = 400_000;

/** What the script tells in the end; what it said before where it fails. */
async function ask<Answer>(python: string, app: Served, args: readonly string[]): Promise<Answer> {
  const child = Bun.spawn([python, SCRIPT, app.url, ...args], {
    env: { ...process.env, MLFLOW_TRACKING_TOKEN: ADMIN_TOKEN },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) !== 0) throw new Error(errors.slice(-4_000));
  return JSON.parse(out.trim().split("\n").at(-1) ?? "");
}

interface Income {
  /** When `champion` had been moved, milliseconds. */
  readonly moved: number;
  readonly rows: readonly object[];
  readonly probabilities: readonly (readonly number[])[];
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
      const { seconds } = await ask<{ seconds: object }>(python, app, ["all"]);
      expect(Object.keys(seconds)).toEqual([
        ...["experiments", "runs", "artifacts", "models", "autolog", "together"],
      ]);
    },
    LONG_MS,
  );

  test.if(hasIncome).each(pythons.slice(0, 1))(
    "%s brings a pipeline of income to serving",
    async (python) => {
      const { rows, probabilities } = await ask<Income>(python, app, ["income", ADULT]);
      // The client's last call had moved the alias: nothing is waited for.
      const { model, predictions } = await predict(app, "income50k", rows);
      expect(model).toMatchObject({ name: "income50k", version: 1 });
      const answered = predictions as unknown as { readonly probabilities: readonly number[] }[];
      const far = answered.map((row, i) =>
        Math.max(...row.probabilities.map((p, k) => Math.abs(p - (probabilities[i]?.[k] ?? 9)))),
      );
      expect(far.length).toBe(100);
      expect(Math.max(...far)).toBeLessThan(1e-5);
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
        const { version } = await ask<{ version: string }>(python, await story.start(), ["all"]);
        expect(version).toMatch(/^\d+\.\d+/);
      } finally {
        await story.close();
      }
    },
    LONG_MS,
  );
});
