import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { stopwatch, until } from "./testing.ts";

test("what is waited for is named when it does not come, with what was thrown", async () => {
  let looks = 0;
  await until(() => ++looks === 3, 10_000, "three looks", 1);
  expect(looks).toBe(3);
  await expect(until(() => false, 20, "it rains", 1)).rejects.toThrow(
    "it rains: not so after 20 ms",
  );
  const away = () => Promise.reject(new Error("no answer"));
  await expect(until(away, 20, "it answers", 1)).rejects.toThrow("20 ms: Error: no answer");
});

test("a promise is that long, and longer where the machine is busy", async () => {
  const quiet = stopwatch();
  await Bun.sleep(50);
  expect(quiet.ms()).toBeGreaterThanOrEqual(49);
  expect(quiet.promised(100)).toBeGreaterThanOrEqual(100);
  expect(quiet.promised(100)).toBeLessThanOrEqual(1_000);
});

const processors = availableParallelism();
// A machine of many cores is not made busy for this.
test.skipIf(!existsSync("/proc/pressure/cpu") || processors > 8)(
  "some times as long where more is at work than there are processors",
  async () => {
    const workers = Array.from({ length: 3 * processors }, () =>
      Bun.spawn(["sh", "-c", "while :; do :; done"]),
    );
    try {
      const busy = stopwatch();
      await Bun.sleep(250);
      expect(busy.promised(100)).toBeGreaterThan(300);
    } finally {
      for (const worker of workers) worker.kill("SIGKILL");
      await Promise.all(workers.map((worker) => worker.exited));
    }
  },
);
