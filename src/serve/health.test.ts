import { describe, expect, test } from "bun:test";
import { SluiceError } from "../errors.ts";
import { stopwatch } from "../testing.ts";
import { makeHealth, toldOf } from "./health.ts";

const refused = (code: string, status: number) =>
  new SluiceError({ code, status, detail: "said by the test" });

function modelOf(answer: () => Promise<unknown>) {
  const asked = { times: 0 };
  const health = makeHealth<typeof asked>(
    (model) => {
      model.times++;
      return answer();
    },
    { patienceMs: 50 },
  );
  const told: string[] = [];
  /** What is told in the place of a failure; null where it is the failure itself. */
  const ailment = async (thrown: unknown) => {
    health.watch(asked, thrown, ({ code }) => void told.push(code));
    const instead = await toldOf(thrown);
    return instead === thrown ? null : (instead as SluiceError);
  };
  return { asked, told, ailment };
}

const never = () => new Promise<never>(() => {});

describe("what ails a model", () => {
  test("nothing, where it answers what it was tried with", async () => {
    const { asked, ailment } = modelOf(async () => 1);
    expect(await ailment(new Error("bad row"))).toBeNull();
    expect(await ailment(refused("inference_refused", 400))).toBeNull();
    expect(await ailment(refused("non_finite_output", 500))).toBeNull();
    expect(asked.times).toBe(3);
  });

  test("a caller's fault, or a full queue, is no reason to ask it", async () => {
    const { asked, ailment } = modelOf(() => Promise.reject(new Error("broken")));
    for (const status of [400, 404, 413, 422, 429, 503]) {
      expect(await ailment(refused("invalid_instances", status))).toBeNull();
    }
    expect(asked.times).toBe(0);
  });

  test("it is failing where it answers nothing at all", async () => {
    const { told: noted, ailment } = modelOf(() => Promise.reject(new Error("broken")));
    const told = await ailment(refused("inference_refused", 400));
    expect(told).toMatchObject({ code: "model_failing", status: 503, retryAfter: 1 });
    expect(told!.message).toContain("broken");
    expect(noted).toEqual(["model_failing"]);
  });

  test("and where it takes too long to", async () => {
    const { ailment } = modelOf(never);
    const watch = stopwatch();
    expect(await ailment(new Error("x"))).toMatchObject({ code: "model_failing" });
    expect(watch.ms()).toBeLessThan(watch.promised(1_000));
  });

  test("many calls that fail at once ask it once, and later ones anew", async () => {
    let answers = false;
    const { asked, ailment } = modelOf(async () => {
      await Bun.sleep(5);
      if (!answers) throw new Error("broken");
    });
    const told = await Promise.all(Array.from({ length: 100 }, () => ailment(new Error("x"))));
    expect(new Set(told.map((each) => each?.code))).toEqual(new Set(["model_failing"]));
    expect(asked.times).toBe(1);
    answers = true;
    expect(await ailment(new Error("x"))).toBeNull();
    expect(asked.times).toBe(2);
  });
});
