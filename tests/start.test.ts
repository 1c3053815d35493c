/*
 * Starting, being refused, waiting for the exchange, stopping; and the demo.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endAll, run, serve, until } from "./served.ts";
import { openStory } from "./story.ts";

const MINUTE = 60_000;
const closedPort = "http://127.0.0.1:9";

afterAll(endAll);

describe("a start", () => {
  test(
    "of a second process on the same folder exits 3 and names the first",
    async () => {
      const story = await openStory("embedded");
      const served = await story.serve();
      for (const command of ["serve", "migrate"]) {
        const second = await story.run(command);
        expect(second.code).toBe(3);
        expect(second.errors + second.out).toContain(String(served.pid));
      }
      expect(await served.stop()).toBe(0);
      await story.close();
    },
    MINUTE,
  );

  test(
    "with a wrong variable exits 78 and names it, and a secret is not repeated",
    async () => {
      const wrong = await run({
        args: ["serve"],
        env: { SLUICE_PORT: "99999", SLUICE_ADMIN_TOKEN: "changeme" },
      });
      expect(wrong.code).toBe(78);
      expect(wrong.errors).toContain("SLUICE_PORT");
      expect(wrong.errors).toContain("SLUICE_ADMIN_TOKEN");
      expect(wrong.errors).not.toContain("changeme");
    },
    MINUTE,
  );

  test(
    "without an exchange stays up, says so, and is not ready",
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "sluice-story-"));
      const served = await serve({
        cwd: folder,
        env: { UPBIT_URL: closedPort, TMPDIR: join(folder, "none") },
      });
      await until(
        () => served.log.some((line) => line["event"] === "exchange_unreachable"),
        MINUTE,
        "the line in the log",
      );
      await until(
        async () => (await (await served.fetch("/readyz")).text()).includes('"exchange"'),
        MINUTE,
        "the check",
      );
      const answer = await served.fetch("/readyz");
      expect(answer.status).toBe(503);
      expect(answer.headers.get("retry-after")).not.toBeNull();
      expect(served.log.filter((line) => line["event"] === "exchange_unreachable")).toHaveLength(1);
      expect(await served.stop()).toBe(0);
      rmSync(folder, { recursive: true });
    },
    MINUTE,
  );
});

test(
  "up without an exchange starts the demo: a joined outcome within a minute",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-story-"));
    const begun = Date.now();
    const served = await serve({ args: ["up"], cwd: folder, env: { UPBIT_URL: closedPort } });
    type List = { simulated: boolean; items: { outcome: unknown }[] };
    await until(
      async () => {
        const { items, simulated } = await served.get<List>("/v1/models/btc/forecasts");
        expect(simulated).toBe(true);
        return items.some((forecast) => forecast.outcome !== null);
      },
      2 * MINUTE,
      "a joined outcome",
    );
    console.log(`demo: a joined outcome after ${((Date.now() - begun) / 1_000).toFixed(1)} s`);
    const forecast = await served.get<{ simulated: boolean }>("/v1/models/btc/forecast");
    expect(forecast.simulated).toBe(true);
    for (const page of ["/", "/docs"]) {
      expect(await (await served.fetch(page)).text()).toContain("SIMULATED");
    }
    expect(await served.stop()).toBe(0);
    rmSync(folder, { recursive: true });
  },
  3 * MINUTE,
);
