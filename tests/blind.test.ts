/*
 * A replica that cannot reach the registry while another promotes: it goes on with what it has and
 * names it, says how old its view is and since when, and knows of the promotion once it can again.
 */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import * as v from "valibot";
import { problemAnswer, readyAnswer } from "../src/http/answers.ts";
import { LONG_MS, stopwatch, until } from "../src/testing.ts";
import { move } from "./ask.ts";
import { type LinkMode, openLink } from "./faults/proxy.ts";
import { plus } from "./files.ts";
import { openOutside, predict, register } from "./outside.ts";
import { hasServices, only, openStores, stores } from "./stores.ts";

/** How late a replica may learn of a promotion that it can see. */
const LATE_MS = 2_000;
/** From this age on it is not ready. */
const OLD_SECONDS = 10;

const checksOfProblem = v.looseObject({ checks: readyAnswer.entries.checks });

stores();
describe.if(hasServices)(`a blind replica ${only("services", "no folder is shared")}`, () => {
  test.concurrent.each(["cut", "hole"] satisfies LinkMode[])(
    "says how old its view is, and sees again (R7): %s",
    async (mode) => {
      const opened = await openStores("services");
      const address = new URL(opened.databaseUrl!);
      const link = await openLink({ to: Number(address.port) });
      address.port = String(link.port);
      const story = openOutside(opened);
      try {
        const [seeing, other] = await Promise.all([
          story.start({ SLUICE_DATA: join(story.folder, "seeing") }),
          story.start({ SLUICE_DATA: join(story.folder, "other"), DATABASE_URL: address.href }),
        ]);
        const versionOf = async (app: typeof other) =>
          (await predict(app, "sum", [{ x: 1 }])).model.version;
        for (const number of [1, 2]) await register(seeing, "sum", plus(number));
        await move(seeing, "sum", "promote", { version: 1 });
        const serves = (version: number) => async () => (await versionOf(other)) === version;
        const first = stopwatch();
        await until(serves(1), LONG_MS, "the other serves version 1", 20);
        expect(first.ms()).toBeLessThan(first.promised(LATE_MS));

        link.set(mode);
        const begun = Date.now();
        const blinding = stopwatch();
        await move(seeing, "sum", "promote", { version: 2 });
        /** The check of its /readyz, which is a problem all the while. */
        const aliases = async () => {
          const problem = v.parse(problemAnswer, await (await other.fetch("/readyz")).json());
          const { checks } = v.parse(checksOfProblem, problem);
          return checks.find(({ name }) => name === "aliases")!;
        };
        await until(async () => (await aliases()).since !== undefined, LONG_MS, "it is blind");
        const soon = begun + blinding.promised(4_000);
        const isOld = async () => ((await aliases()).age_seconds ?? 0) > OLD_SECONDS;
        await until(isOld, LONG_MS, "its view grows old");
        const { ok, detail, since } = await aliases();
        expect([ok, detail]).toEqual([
          false,
          expect.stringContaining("The aliases cannot be read"),
        ]);
        expect(Date.parse(since!)).toBeGreaterThan(begun - 1_000);
        expect(Date.parse(since!)).toBeLessThan(soon);
        const metrics = await (await other.fetch("/metrics")).text();
        const age = /^sluice_aliases_age_seconds (.*)$/m.exec(metrics)?.[1];
        expect(Number(age)).toBeGreaterThan(OLD_SECONDS);
        // What it answers is of the version that it names.
        const answer = await predict(other, "sum", [{ x: 1 }]);
        expect(answer).toMatchObject({
          ...{ model: { version: 1 }, predictions: [{ outputs: { value: 2 } }] },
        });

        link.set("open");
        const seeingAgain = stopwatch();
        await until(serves(2), LONG_MS, "the other serves version 2", 20);
        const ms = seeingAgain.ms();
        console.log(`a link ${mode} for ${OLD_SECONDS} s: seen again in ${ms.toFixed(0)} ms`);
        expect(ms).toBeLessThan(seeingAgain.promised(LATE_MS));
        await other.ready();
      } finally {
        await link.close();
        await story.close();
      }
    },
    600_000,
  );
});
