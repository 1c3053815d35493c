import { expect, test } from "bun:test";
import { hold } from "./held.ts";

test("a thing is freed when the last who works with it has gone", async () => {
  const freed: string[] = [];
  const held = hold("thing", async (thing) => void freed.push(thing));
  const gates = [Promise.withResolvers<number>(), Promise.withResolvers<number>()];
  const answers = gates.map((gate) => held.use(async (thing) => [thing, await gate.promise]));
  expect(held.users()).toBe(2);
  const released = held.release();
  gates[0]!.resolve(1);
  expect(await answers[0]!).toEqual(["thing", 1]);
  await Bun.sleep(1);
  expect(freed).toEqual([]);
  gates[1]!.reject(new Error("failed"));
  await expect(answers[1]!).rejects.toThrow("failed");
  await released;
  expect([freed, held.users()]).toEqual([["thing"], 0]);
});

test("work that is done at once gives its result, or throws, at once, and has gone then", async () => {
  let freed = 0;
  const failures: unknown[] = [];
  const held = hold(
    1,
    async () => void freed++,
    (thrown) => failures.push(thrown),
  );
  expect(held.use((thing) => thing + 1)).toBe(2);
  const error = new Error("at once");
  const work = () => {
    throw error;
  };
  expect(() => held.use(work)).toThrow("at once");
  expect([failures, held.users()]).toEqual([[error], 0]);
  await held.release();
  expect(freed).toBe(1);
});
