import { expect, test } from "bun:test";
import { lateness } from "./late.ts";

const promotions = [1, 2, 1].map((version, i) => ({
  ...{ version, askedAt: 100 * i, doneAt: 100 * i + 10 },
}));
const late = (version: number, sentAt: number, cameAt = sentAt + 5) =>
  lateness([{ version, sentAt, cameAt }], promotions);

test("an answer of a version is late by the time since the one after it was promoted", () => {
  // While the promotion is under way either is right.
  for (const version of [1, 2]) expect(late(version, 105)).toEqual([]);
  expect(late(1, 150)).toEqual([{ promotion: 1, ms: 40 }]);
  expect(late(2, 150)).toEqual([]);
  expect(late(2, 2_210)).toEqual([{ promotion: 2, ms: 2_000 }]);
});

test("the version of before is replaced by the first, the last by none", () => {
  expect(late(3, 60)).toEqual([{ promotion: 0, ms: 50 }]);
  expect(late(1, 9_000)).toEqual([]);
});
