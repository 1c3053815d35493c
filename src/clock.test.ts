import { describe, expect, test } from "bun:test";
import { exchangeClock, systemClock } from "./clock.ts";

const T = Date.parse("2025-01-01T00:00:00Z");

describe("the exchange's clock", () => {
  test("reads 0 before the first answer, then what the answer said", () => {
    const clock = exchangeClock();
    expect(clock.now()).toBe(0);
    expect(clock.skew()).toBeNull();
    clock.observe(T);
    expect(clock.now()).toBe(T);
  });

  test("stands still between two answers", async () => {
    const clock = exchangeClock();
    clock.observe(T);
    await Bun.sleep(15);
    expect(clock.now()).toBe(T);
  });

  test("a small step back is an answer that was overtaken, a real one is followed", () => {
    const clock = exchangeClock();
    clock.observe(T);
    for (const late of [1, 1_000, 9_999]) {
      clock.observe(T - late);
      expect(clock.now()).toBe(T);
    }
    clock.observe(T - 10_000);
    expect(clock.now()).toBe(T - 10_000);
    clock.observe(T - 3 * 86_400_000);
    expect(clock.now()).toBe(T - 3 * 86_400_000);
  });

  test("many small steps back do not add up", () => {
    const clock = exchangeClock();
    clock.observe(T);
    for (let i = 1; i <= 9; i++) clock.observe(T - i * 1_000);
    expect(clock.now()).toBe(T);
  });

  test("every listener hears of every move, and of nothing else", () => {
    const clock = exchangeClock();
    const heard: number[][] = [[], []];
    for (const list of heard) clock.onMove((now) => list.push(now));
    for (const date of [T, T, T - 1_000, T + 1_000, T - 60_000]) clock.observe(date);
    for (const list of heard) expect(list).toEqual([T, T + 1_000, T - 60_000]);
  });

  test("a listener finds the clock moved already", () => {
    const clock = exchangeClock();
    let seen = -1;
    clock.onMove(() => {
      seen = clock.now();
    });
    clock.observe(T);
    expect(seen).toBe(T);
  });

  test("tells how far it is from this machine's, also for an answer that did not move it", () => {
    const clock = exchangeClock();
    clock.observe(Date.now() - 5_000);
    expect(clock.skew()).toBeLessThanOrEqual(-5_000);
    expect(clock.skew()).toBeGreaterThan(-6_000);
    clock.observe(Date.now() - 8_000);
    expect(clock.skew()).toBeLessThanOrEqual(-8_000);
  });
});

describe("this machine's clock", () => {
  test("runs on whatever the exchange says, and only notes the difference", () => {
    const clock = systemClock();
    let moves = 0;
    clock.onMove(() => moves++);
    expect(clock.skew()).toBeNull();
    const before = Date.now();
    clock.observe(before + 3_600_000);
    expect(clock.now()).toBeGreaterThanOrEqual(before);
    expect(clock.now()).toBeLessThan(before + 60_000);
    expect(clock.skew()).toBeGreaterThan(3_500_000);
    expect(moves).toBe(0);
  });
});
