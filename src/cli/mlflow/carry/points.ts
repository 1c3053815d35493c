/*
 * Metric points of a group of runs: written as they come, and the latest of each metric at the end.
 */
import type { GivenPoint, GivenRun } from "../../../registry/intake/given.ts";
import type { Intake } from "../../../registry/intake/intake.ts";
import { isWithin64, type Whole } from "../../../store/whole.ts";
import type { Source } from "../source.ts";
import type { Tally } from "../tally.ts";
import { isLater } from "./latest.ts";

/** Points a statement. */
const CHUNK = 10_000;

/** Carries every point of the runs over; `areNew`: none of these runs was here before. */
export async function carryPoints(
  source: Pick<Source, "points">,
  intake: Intake,
  tally: Tally,
  runs: readonly GivenRun[],
  areNew: boolean,
): Promise<void> {
  const latest = new Map<string, GivenPoint>();
  let waiting: GivenPoint[] = [];

  const write = async (many: number): Promise<void> => {
    while (waiting.length > 0 && waiting.length >= many) {
      const chunk = waiting.slice(0, CHUNK);
      waiting = waiting.slice(CHUNK);
      const made = await intake.runs.takePoints(chunk, areNew);
      tally.count("points", "brought", made);
      tally.count("points", "there", chunk.length - made);
    }
  };
  const take = (point: GivenPoint): void => {
    if (!isKept(point.step) || !isKept(point.timestamp)) {
      tally.skip("points", nameOf(point), "its step or time is beyond 64 bits");
      return;
    }
    waiting.push(point);
    const name = `${point.runId} ${point.key}`;
    const before = latest.get(name);
    if (before === undefined || isLater(point, before)) latest.set(name, point);
  };

  if (runs.length === 0) return;
  const seen = new Set<string>();
  for await (const points of source.points(runs)) {
    for (const point of points) {
      take(point);
      seen.add(`${point.runId} ${point.key}`);
    }
    await write(CHUNK);
  }
  for (const point of runs.flatMap((run) => run.latest)) {
    if (seen.has(`${point.runId} ${point.key}`)) continue;
    // The source tells a value, and no history of it.
    tally.differ(nameOf(point), "the source has its latest value only");
    take(point);
  }
  await write(1);
  await intake.runs.takeLatest([...latest.values()]);
}

/** A number that has lost digits was beyond, too. */
const isKept = (whole: Whole): boolean =>
  typeof whole === "bigint" ? isWithin64(whole) : Number.isSafeInteger(whole);

const nameOf = ({ runId, key }: GivenPoint): string => `metric ${key} of run ${runId}`;
