import { expect, test } from "bun:test";
import { until, WAIT_MS } from "../testing.ts";
import { makeAlarms } from "./alarms.ts";

test("an alarm rings once, not before its time, and not when it was cleared or put off", async () => {
  const alarms = makeAlarms(5);
  const rung: string[] = [];
  const began = performance.now();
  let first = 0;
  alarms.set(30, () => {
    rung.push("first");
    first = performance.now() - began;
  });
  alarms.clear(alarms.set(20, () => rung.push("cleared")));
  const later = alarms.set(20, () => rung.push("put off"));
  later.at += 60_000;
  await until(() => rung.length > 0, WAIT_MS, "the first rings", 5);
  await Bun.sleep(100);
  expect(rung).toEqual(["first"]);
  expect(first).toBeGreaterThanOrEqual(30);
  alarms.clear(later);
  alarms.set(1, () => rung.push("after a rest"));
  await until(() => rung.length > 1, WAIT_MS, "another rings after a rest", 5);
  expect(rung).toEqual(["first", "after a rest"]);
});
