import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeRandom } from "../../learn/random.ts";
import { framed } from "../../learn/table/split.ts";
import { parseModel, type TableFile } from "../../models.ts";
import { asTable, type LoadedTable, openArtifact } from "../../serve/loaded.ts";
import { loadRuntime } from "../../serve/runtime.ts";
import { column, tableModel, WIDE, wideCsv, wideModel } from "../../table/fixture.ts";
import { loadRows, type StoredPart } from "../../table/load.ts";
import type { trainRows } from "./child.ts";
import { answersOn } from "./compare.ts";
import { partsOf, type Work, workIn } from "./fixture.ts";

let root: string;
let work: Work;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sluice-table-"));
  work = workIn(root);
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe("a table of another shape: 40 mixed columns, 200 levels, 30 % missing, three classes", () => {
  const model = wideModel();
  let parts: StoredPart[];
  let loaded: LoadedTable;
  let trained: Awaited<ReturnType<typeof trainRows>>;
  let told: readonly string[];
  beforeAll(async () => {
    parts = await partsOf(model, wideCsv(3_000));
    const job = await work(model, parts);
    trained = await job.train();
    told = job.told;
    loaded = asTable(await openArtifact(await loadRuntime(root), trained.artifact));
  });
  afterAll(() => loaded.session.release());

  test("is checked: rows, digest, a verdict of each check", async () => {
    const { result } = await (await work(model, parts)).check();
    expect(result.rows).toEqual({ train: 3_000, test: 0 });
    expect(result.digest).toBe(loadRows(model.table, parts).digest);
    expect(result.checks.map(({ name }) => name)).toContain("one_class");
    expect(result.checks.filter(({ verdict }) => verdict === "fail")).toEqual([]);
  });

  test("is learned, far better than the shares of its classes", () => {
    const { loss, report, rows, parity } = trained.result.trained!;
    expect(loss.name).toBe("log_loss");
    expect(loss.value).toBeLessThan(0.75 * loss.baseline);
    expect(report.metrics["macro_auc"]).toBeGreaterThan(0.85);
    expect(rows.train + rows.validation + rows.test).toBe(3_000);
    expect(parity.rows).toBe(rows.test);
    expect(parity.maxDifference).toBeLessThan(1e-5);
    expect(told).toContain("fitting all rows");
  });

  test("says in its artifact what it takes, and gives the run's answers", async () => {
    const { facts, judged } = trained.result.trained!;
    expect(loaded.facts).toEqual(facts);
    expect(facts.columns).toHaveLength(40);
    expect([facts.classes, facts.ignored, facts.unseen]).toEqual([
      ["blue", "green", "red"],
      ["weight"],
      "missing",
    ]);
    const { frame } = loadRows(model.table, parts);
    const rows = Int32Array.from(judged.rows);
    const found = await answersOn(loaded, framed(frame, rows));
    expect(found).toHaveLength(3 * judged.rows.length);
    for (const [i, value] of found.entries()) expect(value).toBeCloseTo(judged.values[i]!, 5);
  });

  test("the same rows give the same bytes and the same result", async () => {
    const again = await (await work(model, parts)).train();
    expect(Buffer.compare(again.artifact, trained.artifact)).toBe(0);
    expect(again.result).toEqual(trained.result);
  });

  test("is held against a champion: itself is no worse, and a model of other classes is a stranger", async () => {
    const { result } = await (await work(model, parts, trained.artifact)).train();
    const { champion } = result.trained!.judged;
    expect(champion).toMatchObject({ version: 4, reason: null });
    expect(Math.abs(champion!.difference!.mean)).toBeLessThan(1e-6);
    expect(result.trained!.report.champion).toBe("4");

    const two = parseModel(
      "two.toml",
      WIDE.replace('kind = "multiclass"', 'kind = "binary"\npositive = "red"').replace(
        /classes = .*\nlabels = .*\n/,
        'labels = { R = "red", green = "other", blue = "other" }\n',
      ),
    ) as TableFile;
    const others = await partsOf(two, wideCsv(600));
    const against = await (await work(two, others, trained.artifact)).train();
    expect(against.result.trained!.judged.champion).toMatchObject({
      difference: null,
      reason: expect.stringContaining("multiclass"),
    });
    expect(against.result.trained!.report.champion).toBeNull();
    const broken = await (await work(model, parts, new Uint8Array(300))).train();
    expect(broken.result.trained!.judged.champion!.reason).toContain("does not answer");
  });
});

test("a champion that knew another column is asked without it", async () => {
  const columns = `${column("a", "number")}${column("gone", "category")}${column("y", "category")}`;
  const split = '[evaluate]\ntest = "split"';
  const before = tableModel(columns, split);
  const now = tableModel(columns.replace('"category"', '"drop"'), split);
  const random = makeRandom(3);
  const lines = Array.from({ length: 400 }, () => {
    const a = random.next();
    return `${a},${"xy"[random.integer(2)]},${random.next() < a ? "yes" : "no"}`;
  });
  const text = `a,gone,y\n${lines.join("\n")}\n`;
  const { artifact } = await (await work(before, await partsOf(before, text))).train();
  const { result } = await (await work(now, await partsOf(now, text), artifact)).train();
  expect(result.trained!.facts.columns.map(({ name }) => name)).toEqual(["a"]);
  expect(result.trained!.judged.champion!.difference!.n).toBe(result.trained!.rows.test);
});

test("one class alone is skipped, with the class by name", async () => {
  const model = tableModel(
    `${column("a", "number")}${column("y", "category")}`,
    '[evaluate]\ntest = "split"',
  );
  const parts = await partsOf(model, "a,y\n1,yes\n2,yes\n3,yes\n");
  const { result, artifact } = await (await work(model, parts)).train();
  expect(result).toEqual({
    skip: { reason: "single_class", detail: "All 3 rows to learn from have yes." },
    trained: null,
  });
  expect(artifact).toHaveLength(0);
});
