import { expect, test } from "bun:test";
import { makeSilence } from "./silence.ts";

const LIMIT_MS = 100;
function silence() {
  const clock = { now: 1_000 };
  return { clock, silence: makeSilence(LIMIT_MS, () => clock.now) };
}

test("what works without a word is silent, what is heard begins anew", () => {
  const { clock, silence: of } = silence();
  expect(of.isOver(20)).toBe(false);
  clock.now += 150;
  expect(of.isOver(110)).toBe(false);
  expect(of.isOver(130)).toBe(true);
  of.heard();
  expect(of.isOver(130)).toBe(false);
  clock.now += 150;
  expect(of.isOver(240)).toBe(true);
});

test("what is kept waiting is not, for ten times as long", () => {
  const { clock, silence: of } = silence();
  expect(of.isOver(0)).toBe(false);
  clock.now += 999;
  expect(of.isOver(10)).toBe(false);
  clock.now += 2;
  expect(of.isOver(10)).toBe(true);
});

test("threads that work at once do not make it longer than it was", () => {
  const { clock, silence: of } = silence();
  expect(of.isOver(0)).toBe(false);
  clock.now += 90;
  expect(of.isOver(400)).toBe(false);
});

test("where nobody knows how long it worked, all time counts", () => {
  const { clock, silence: of } = silence();
  expect(of.isOver(null)).toBe(false);
  clock.now += 101;
  expect(of.isOver(null)).toBe(true);
});
