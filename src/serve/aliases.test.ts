import { describe, expect, test } from "bun:test";
import type { Pointer } from "../registry/promotion.ts";
import { makeAliases } from "./aliases.ts";
import { pointer, quietLog } from "./fixture.ts";

const READ_MS = 50;

/** Aliases over answers that a test gives by hand, one a reading. */
function byHand() {
  const asked: PromiseWithResolvers<Pointer[]>[] = [];
  const { events, log } = quietLog();
  const pointers = () => {
    const answer = Promise.withResolvers<Pointer[]>();
    asked.push(answer);
    return answer.promise;
  };
  return { asked, events, aliases: makeAliases({ promotion: { pointers }, log, readMs: READ_MS }) };
}

const numberOf = ({ pointer }: ReturnType<typeof makeAliases>) =>
  pointer("sum", "champion")?.version ?? null;

describe("a database that does not answer", () => {
  test("is told of at the deadline, with the age of what was seen", async () => {
    const { asked, events, aliases } = byHand();
    const first = aliases.look();
    asked[0]!.resolve([pointer("sum", "champion", 1)]);
    await first;
    expect(aliases.view().blind).toBeNull();
    const began = Date.now();
    await aliases.look();
    const { ageMs, blind } = aliases.view();
    expect(ageMs).toBeGreaterThanOrEqual(READ_MS - 5);
    expect(blind?.trouble).toMatchObject({ code: "database_unreachable", status: 503 });
    expect(blind!.since).toBeGreaterThanOrEqual(began);
    const { since } = blind!;
    await aliases.look();
    // Since the first time, and told once.
    expect([aliases.view().blind?.since, events]).toEqual([since, ["aliases_not_read"]]);
    expect(numberOf(aliases)).toBe(1);
  });

  test("is asked again, and an answer that comes late counts unless a newer one did", async () => {
    const { asked, aliases } = byHand();
    await aliases.look();
    await aliases.look();
    expect(asked).toHaveLength(2);
    asked[0]!.resolve([pointer("sum", "champion", 1)]);
    await Bun.sleep(0);
    expect([numberOf(aliases), aliases.view().blind]).toEqual([1, null]);
    expect(aliases.view().ageMs).toBeGreaterThanOrEqual(2 * READ_MS - 5);
    await aliases.look();
    asked[2]!.resolve([pointer("sum", "champion", 3)]);
    await Bun.sleep(0);
    asked[1]!.resolve([pointer("sum", "champion", 2)]);
    await Bun.sleep(0);
    expect(numberOf(aliases)).toBe(3);
  });

  test("that fails after the deadline fails without a word", async () => {
    const { asked, aliases } = byHand();
    await aliases.look();
    asked[0]!.reject(new Error("cut at last"));
    await Bun.sleep(0);
    expect(aliases.view().blind?.trouble.message).toContain("no answer in 0.05 s");
  });
});
