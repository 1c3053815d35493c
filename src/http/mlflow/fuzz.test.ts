/*
 * Requests made up from what each call takes (fixture.ts): whatever comes, the answer is an answer
 * or says what was wrong, and never that the server is at fault. scripts/fuzz-mlflow.ts sends 20,000
 * of them to the program itself, over sockets.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { testDatabases } from "../../store/testing.ts";
import { faultIn, type Known, makeMadeUp, prepare } from "./fixture.ts";
import { openTracked, type Tracked } from "./testing.ts";

/** So many requests on each database; more by SLUICE_TEST_FUZZ, others by SLUICE_TEST_SEED. */
const REQUESTS = Number(process.env["SLUICE_TEST_FUZZ"] ?? 400);
const SEED = Number(process.env["SLUICE_TEST_SEED"] ?? Date.now() % 1e9);

describe.each(testDatabases())("made-up requests on $name", (on) => {
  let tracked: Tracked;
  beforeAll(async () => {
    tracked = await openTracked(on);
  });
  afterAll(() => tracked.close());

  test(
    "are answered, or told what was wrong with them",
    async () => {
      const known: Known = { experiment: "0", run: "none", logged: "none" };
      const make = makeMadeUp(SEED, known);
      const faults = new Map<string, string>();
      const answers = new Map<number, number>();
      for (let i = 0; i < REQUESTS; i++) {
        if (i % 50 === 0) await prepare(tracked.post, i, known);
        const request = make();
        const { call, spoilt, method, path, headers, body } = request;
        const raw = [headers["content-type"]!, body ?? ""] as const;
        const { status, text } = await tracked.ask(method, path, body === null ? {} : { raw });
        answers.set(status, (answers.get(status) ?? 0) + 1);
        const fault = faultIn(request, status, text);
        if (fault === null) continue;
        const sent = body === null ? "" : Buffer.from(body).toString().slice(0, 500);
        const told = `${fault}: seed ${SEED}, ${i}: ${method} ${path.slice(0, 500)} ${sent}`;
        faults.set(`${call} ${spoilt} ${fault}`, `${told}: ${status} ${text.slice(0, 500)}`);
      }
      expect([...faults.values()]).toEqual([]);
      // It would find nothing where nothing is understood, or nothing is spoilt.
      expect(answers.get(200)! / REQUESTS).toBeGreaterThan(0.15);
      expect(answers.get(400)! / REQUESTS).toBeGreaterThan(0.15);
    },
    Math.max(60_000, REQUESTS * 100),
  );
});
