import { describe, expect, test } from "bun:test";
import { Histogram, Registry } from "prom-client";
import { counters, histograms } from "./series.ts";

const lines = async (registry: Registry): Promise<string[]> =>
  (await registry.metrics()).split("\n").filter((line) => line !== "");

describe("series", () => {
  test("a histogram reads as prom-client's own, for every kind of value", async () => {
    const buckets = [0.001, 0.5, 1, 10];
    const own = new Registry();
    const theirs = new Registry();
    const shape = { name: "h", help: "A help.", buckets };
    const ours = histograms({ ...shape, labels: ["a", "b"], registry: own });
    const model = new Histogram({ ...shape, labelNames: ["a", "b"], registers: [theirs] });
    for (const value of [0, 0.001, 0.0011, 0.5, 1, 2, 10, 10.5, 1e6, 0.3, 0.3]) {
      ours.of("x", 'with "quotes"\nand \\').observe(value);
      model.observe({ a: "x", b: 'with "quotes"\nand \\' }, value);
    }
    ours.of("y", "").observe(3);
    model.observe({ a: "y", b: "" }, 3);
    const sorted = (all: string[]) => all.map(labelsInOrder).sort();
    expect(sorted(await lines(own))).toEqual(sorted(await lines(theirs)));
  });

  test("a counter has one series for each combination, and the same one each time", async () => {
    const registry = new Registry();
    const family = counters({ name: "c_total", help: "C.", labels: ["a", "b"], registry });
    family.of("x", "y").add(2);
    family.of("x", "y").add(3);
    family.of("xy", "").add(1);
    expect(family.of("x", "y")).toBe(family.of("x", "y"));
    expect(await lines(registry)).toEqual([
      ...["# HELP c_total C.", "# TYPE c_total counter"],
      ...['c_total{a="x",b="y"} 5', 'c_total{a="xy",b=""} 1'],
    ]);
  });

  test("one that is dropped is gone, and begins again at nothing", async () => {
    const registry = new Registry();
    const family = counters({ name: "c_total", help: "C.", labels: ["a"], registry });
    family.of("x").add(2);
    family.of("y").add(7);
    family.drop("x");
    expect((await lines(registry)).slice(2)).toEqual(['c_total{a="y"} 7']);
    family.of("x").add(1);
    expect((await lines(registry)).slice(2)).toEqual(['c_total{a="y"} 7', 'c_total{a="x"} 1']);
  });
});

/** A line with its labels sorted: their order means nothing. */
const labelsInOrder = (line: string): string =>
  line.replace(/\{(.*)\}/, (_, all: string) => `{${all.split(",").sort().join(",")}}`);
