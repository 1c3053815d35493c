import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until, WAIT_MS } from "../testing.ts";
import { makeSampling, type Sample, type SamplingOptions } from "./sampling.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function make(options: Partial<SamplingOptions> = {}) {
  const parent = mkdtempSync(join(tmpdir(), "sluice-samples-"));
  folders.push(parent);
  const folder = join(parent, "samples");
  const counts: Record<string, number> = {};
  const warnings: string[] = [];
  const sampling = makeSampling({
    ...{ folder, share: 1, bytes: 64e6, everyMs: 1 },
    log: { info: () => {}, warn: (event) => void warnings.push(event), error: () => {} },
    onSample: (outcome) => {
      counts[outcome] = (counts[outcome] ?? 0) + 1;
    },
    ...options,
  });
  const lines = () =>
    readdirSync(folder)
      .sort()
      .flatMap((name) => readFileSync(join(folder, name), "utf8").trimEnd().split("\n"));
  return { sampling, folder, parent, counts, warnings, lines };
}

const sample = (more: Partial<Sample> = {}): Sample => ({
  ...{ at: Date.UTC(2025, 0, 1), requestId: "r-1", route: "/v1/models/:model/predict" },
  ...{ model: "btc", version: 3, rows: 1, isJson: true },
  input: new TextEncoder().encode('{\n  "instances": [{"a": 1}]\r\n}'),
  answer: '{"predictions":[{"label":"up"}]}',
  ...more,
});

const padded = (size: number): Sample =>
  sample({ input: new TextEncoder().encode(`{"a":"${"x".repeat(size)}"}`) });

describe("samples", () => {
  test("are lines of JSON with what was asked and answered", async () => {
    const { sampling, lines, counts, folder } = make();
    sampling.keep(sample());
    const csv = new TextEncoder().encode('a,b\n1,"x\ny"\n');
    sampling.keep(sample({ requestId: "r-2", input: csv, isJson: false }));
    await sampling.stop();
    expect(lines().map((line) => JSON.parse(line))).toEqual([
      {
        ...{ time: "2025-01-01T00:00:00.000Z", request_id: "r-1", model: "btc", version: 3 },
        ...{ route: "/v1/models/:model/predict", rows: 1, input: { instances: [{ a: 1 }] } },
        answer: { predictions: [{ label: "up" }] },
      },
      expect.objectContaining({ request_id: "r-2", input: 'a,b\n1,"x\ny"\n' }),
    ]);
    expect(counts).toEqual({ kept: 2 });
    const [file] = readdirSync(folder);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, file!)).mode & 0o777).toBe(0o600);
  });

  test("are written by themselves", async () => {
    const { sampling, counts } = make();
    sampling.keep(sample());
    await until(() => counts["kept"] !== undefined, WAIT_MS, "it is written", 10);
    expect(counts).toEqual({ kept: 1 });
  });

  test("are drawn by the share", () => {
    const drawn = [0, 0.009, 0.01, 0.5, 0.999];
    const { sampling } = make({ share: 0.01, random: () => drawn.shift()! });
    const draws = Array.from({ length: 5 }, () => sampling.draws());
    expect(draws).toEqual([true, true, false, false, false]);
    expect(make({ share: 1, random: () => 0.999_999 }).sampling.draws()).toBe(true);
  });

  test("never take more than the bound: the oldest files go, others' files stay", async () => {
    const { sampling, folder, counts, lines } = make({ bytes: 200_000 });
    for (let i = 0; i < 100; i++) {
      sampling.keep(padded(9_000));
      if (i === 50) {
        await Bun.sleep(20);
        writeFileSync(join(folder, "notes.txt"), "mine");
      }
    }
    await sampling.stop();
    expect(counts).toEqual({ kept: 100 });
    const names = readdirSync(folder);
    expect(names).toContain("notes.txt");
    const sizes = names.map((name) => statSync(join(folder, name)).size);
    expect(sizes.reduce((a, b) => a + b)).toBeLessThanOrEqual(200_000);
    expect(lines().length).toBeGreaterThan(10);
    // A restart counts what is there already.
    const again = makeSampling({
      ...{ folder, share: 1, bytes: 100_000, everyMs: 1 },
      log: { info: () => {}, warn: () => {}, error: () => {} },
      onSample: () => {},
    });
    again.keep(padded(9_000));
    await again.stop();
    const left = readdirSync(folder).map((name) => statSync(join(folder, name)).size);
    expect(left.reduce((a, b) => a + b)).toBeLessThanOrEqual(100_000);
  });

  test("that are too large, or too many at once, are dropped and counted", async () => {
    const { sampling, counts } = make({ everyMs: 60_000 });
    sampling.keep(padded(1_000_001));
    expect(counts).toEqual({ too_large: 1 });
    for (let i = 0; i < 10; i++) sampling.keep(padded(900_000));
    expect(counts).toEqual({ too_large: 1, behind: 6 });
    await sampling.stop();
    expect(counts).toEqual({ too_large: 1, behind: 6, kept: 4 });
    // What was written makes room again.
    sampling.keep(padded(900_000));
    await sampling.stop();
    expect(counts["kept"]).toBe(5);
  });

  test("that cannot be written cost a warning, not a request", async () => {
    const { sampling, counts, warnings, parent, folder } = make();
    writeFileSync(folder, "a file where the folder should be");
    for (let i = 0; i < 3; i++) sampling.keep(sample());
    await sampling.stop();
    expect(counts).toEqual({ failed: 3 });
    expect(warnings).toEqual(["samples_not_written"]);
    rmSync(join(parent, "samples"));
    sampling.keep(sample());
    await sampling.stop();
    expect(counts).toEqual({ failed: 3, kept: 1 });
  });
});
