import { expect, test } from "bun:test";
import { usageOf } from "./usage.ts";

test.skipIf(process.platform !== "linux")("is told of this process and of others", async () => {
  const before = (await usageOf("self"))!;
  for (const end = performance.now() + 200; performance.now() < end; );
  const mine = (await usageOf(process.pid))!;
  expect(mine.bytes).toBeGreaterThan(10_000_000);
  expect(mine.peakBytes).toBeGreaterThanOrEqual(mine.bytes);
  // Never more than the time that passed, nearly: a busy machine gives less, and this process has
  // threads that work beside.
  expect(mine.processorMs).toBeGreaterThan(before.processorMs);
  const child = Bun.spawn(["sleep", "30"]);
  try {
    const its = (await usageOf(child.pid))!;
    expect(its.processorMs).toBeLessThan(mine.processorMs);
    expect(its.bytes).toBeLessThan(mine.bytes);
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
});

test("is null of a process that has gone", async () => {
  const child = Bun.spawn(["true"]);
  await child.exited;
  expect(await usageOf(child.pid)).toBeNull();
});
