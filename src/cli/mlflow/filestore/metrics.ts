/*
 * Metrics of a file store: a file each, a line a point. Small ones are read many at once, large ones
 * as they come.
 */
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { reasonOf } from "../../../errors.ts";
import type { GivenPoint } from "../../../registry/intake/given.ts";
import { type Whole, wholeOf } from "../../../store/whole.ts";
import { isLater } from "../carry/latest.ts";
import { unreachable } from "../faults.ts";
import type { Note } from "../tally.ts";

/** A point, and what stands behind it on its line. */
export interface LinePoint {
  readonly value: number;
  readonly timestamp: Whole;
  readonly step: Whole;
  readonly rest: readonly string[];
}

/** Read whole. */
const SMALL_BYTES = 2 ** 17;
const AT_ONCE = 32;
const WHOLE = /^-?\d+$/;
const SPECIAL: ReadonlyMap<string, number> = new Map([
  ["nan", Number.NaN],
  ["inf", Number.POSITIVE_INFINITY],
  ["-inf", Number.NEGATIVE_INFINITY],
]);

/** `timestamp value [step [rest …]]`; null for a line that is none. */
export function pointIn(line: string): LinePoint | null {
  const [timestamp = "", written = "", step = "0", ...rest] = line.trim().split(" ");
  if (!WHOLE.test(timestamp) || !WHOLE.test(step) || written === "") return null;
  const special = SPECIAL.get(written.toLowerCase());
  const value = special ?? Number(written);
  if (special === undefined && !Number.isFinite(value)) return null;
  return { value, timestamp: wholeOf(timestamp), step: wholeOf(step), rest };
}

/** Points of a file, as many together as come at once; null for each line that is none. */
export async function* pointsIn(file: string): AsyncGenerator<(LinePoint | null)[]> {
  try {
    const { size } = await stat(file);
    if (size <= SMALL_BYTES) {
      yield parsed((await readFile(file, "utf8")).split("\n"));
      return;
    }
    let rest = "";
    for await (const piece of createReadStream(file, {
      encoding: "utf8",
      highWaterMark: 2 ** 18,
    })) {
      const lines = (rest + piece).split("\n");
      rest = lines.pop() ?? "";
      yield parsed(lines);
    }
    yield parsed([rest]);
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === undefined || code === "ENOENT") return;
    throw unreachable(file, reasonOf(thrown), thrown);
  }
}

const parsed = (lines: readonly string[]): (LinePoint | null)[] =>
  lines.filter((line) => line.trim() !== "").map(pointIn);

/** The latest point of each metric of a run. */
export async function latestIn(
  runId: string,
  metrics: ReadonlyMap<string, string>,
  left: Note[],
): Promise<GivenPoint[]> {
  const all = await Promise.all(
    [...metrics].map(async ([key, file]): Promise<GivenPoint[]> => {
      let latest: LinePoint | null = null;
      let odd = 0;
      for await (const points of pointsIn(file)) {
        for (const point of points) {
          if (point === null) odd++;
          else if (latest === null || isLater(point, latest)) latest = point;
        }
      }
      const why = `${odd} of its lines are no points`;
      if (odd > 0) left.push({ what: `metric ${key} of run ${runId}`, why });
      return latest === null ? [] : [given(runId, key, latest)];
    }),
  );
  return all.flat();
}

/** Every point of the metrics, each of them a run's. */
export async function* allPoints(
  metrics: readonly { readonly runId: string; readonly key: string; readonly file: string }[],
): AsyncGenerator<GivenPoint[]> {
  const large: (typeof metrics)[number][] = [];
  for (let from = 0; from < metrics.length; from += AT_ONCE) {
    const some = await Promise.all(
      metrics.slice(from, from + AT_ONCE).map(async (metric) => {
        const size = await stat(metric.file).then(
          ({ size }) => size,
          () => 0,
        );
        if (size > SMALL_BYTES) large.push(metric);
        return size > SMALL_BYTES ? [] : (await Array.fromAsync(of(metric))).flat();
      }),
    );
    yield some.flat();
  }
  for (const metric of large) yield* of(metric);

  async function* of({ runId, key, file }: (typeof metrics)[number]): AsyncGenerator<GivenPoint[]> {
    for await (const points of pointsIn(file)) {
      yield points.flatMap((point) => (point === null ? [] : [given(runId, key, point)]));
    }
  }
}

const given = (runId: string, key: string, { value, timestamp, step }: LinePoint): GivenPoint => ({
  ...{ runId, key, value, timestamp, step },
});
