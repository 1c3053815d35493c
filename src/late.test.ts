import { expect, test } from "bun:test";
import { inTime, noAnswer } from "./late.ts";

const never = new Promise<never>(() => {});

test("work that is in time gives what it gives, and throws what it throws", async () => {
  expect(await inTime(Promise.resolve(7), 60_000, () => "late")).toBe(7);
  await expect(inTime(Promise.reject(new Error("no such thing")), 60_000, () => 0)).rejects.toThrow(
    "no such thing",
  );
});

test("work that is late gives or throws what is told for it", async () => {
  expect(await inTime(never, 1, () => "late")).toBe("late");
  await expect(inTime(never, 1, noAnswer(1))).rejects.toThrow("no answer in 0.001 s");
});

test("it leaves no timer behind", async () => {
  const script = `
    const { inTime } = await import(${JSON.stringify(`${import.meta.dir}/late.ts`)});
    await inTime(Promise.resolve(), 60_000, () => {});`;
  const child = Bun.spawn([process.execPath, "-e", script]);
  const ended = await Promise.race([child.exited, Bun.sleep(50_000)]);
  child.kill();
  expect(ended).toBe(0);
});
