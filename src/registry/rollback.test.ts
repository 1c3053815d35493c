import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type ChampionMove, earlierChampions, rollbackReason } from "./rollback.ts";

/** A history from a short form: a number is a promotion, "back" a rollback, null a deletion. */
function historyOf(steps: readonly (number | "back" | null)[]): ChampionMove[] {
  const moves: ChampionMove[] = [];
  for (const step of steps) {
    const fromVersion = moves.at(-1)?.toVersion ?? null;
    if (step !== "back") moves.push({ fromVersion, toVersion: step, reason: "gates passed" });
    else {
      const toVersion = earlierChampions(moves)[0];
      if (fromVersion === null || toVersion === undefined) continue;
      moves.push({ fromVersion, toVersion, reason: rollbackReason(fromVersion) });
    }
  }
  return moves;
}

describe("earlierChampions", () => {
  test.each<[string, (number | "back" | null)[], number[]]>([
    ["nothing yet", [], []],
    ["the first champion", [1], []],
    ["the one before, then those before it", [1, 2, 3], [2, 1]],
    ["after a rollback, further back", [1, 2, 3, "back"], [1]],
    ["after two, nothing is left", [1, 2, 3, "back", "back"], []],
    ["what was rolled back from is skipped", [1, 2, "back", 3], [1]],
    ["unless it was promoted again since", [1, 2, "back", 2, 3], [2, 1]],
    ["a version that came back by promotion", [1, 2, 1], [2]],
    ["and was rolled back from: not to and fro", [1, 2, 1, "back"], []],
    ["a champion twice is told once", [1, 2, 1, 3], [1, 2]],
    ["a model made anew starts anew", [1, 2, null, 1], []],
  ])("%s", (_, steps, earlier) => {
    expect(earlierChampions(historyOf(steps))).toEqual(earlier);
  });

  test("a rollback that passed over a version leaves what is below it", () => {
    const moves = [...historyOf([1, 2, 3, 4])];
    moves.push({ fromVersion: 4, toVersion: 2, reason: rollbackReason(4) });
    expect(earlierChampions(moves)).toEqual([1]);
  });

  test("rolling back again and again ends, and meets no version twice", () => {
    const steps = fc.array(fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constant("back" as const)));
    fc.assert(
      fc.property(steps, (start) => {
        const moves = historyOf(start);
        const met = new Set([moves.at(-1)?.toVersion]);
        for (let next = earlierChampions(moves)[0]; next !== undefined; ) {
          expect(met.has(next)).toBe(false);
          met.add(next);
          const fromVersion = moves.at(-1)!.toVersion!;
          moves.push({ fromVersion, toVersion: next, reason: rollbackReason(fromVersion) });
          next = earlierChampions(moves)[0];
        }
        expect(met.size).toBeLessThanOrEqual(6);
      }),
    );
  });
});
