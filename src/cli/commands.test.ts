/*
 * Listing and deciding, against a server that answers from a table: which routes are called, what
 * is printed, how it ends.
 * The answers are held to the forms that the server itself promises.
 */
import { afterEach, describe, expect, test } from "bun:test";
import * as v from "valibot";
import * as forms from "../http/answers.ts";
import { commandRunner, problemAnswer } from "./fixtures.ts";

const { run, dispose } = commandRunner();
afterEach(dispose);

const digest = "ab".repeat(32);
const model = {
  name: "btc",
  kind: "market",
  description: "",
  market: "KRW-BTC",
  champion: { version: 12, digest: digest, since: "2025-01-01T00:00:05Z" },
  challenger: null,
  trouble: null,
  metrics: {},
  signature: null,
  schedule: { cron: "0 0 */4 * * *", next: "2025-01-01T04:00:00Z", paused: false },
  last_run: {
    id: "r1",
    slot: "2025-01-01T00:00:00Z",
    status: "failed",
    reason: "upstream_down",
    ended_at: "2025-01-01T00:01:00Z",
  },
  live: { n: 1_200, hit_rate: 0.51234, log_loss: 0.69, baselines: {} },
};
const bare = {
  ...model,
  name: "eth",
  champion: null,
  last_run: null,
  schedule: { ...model.schedule, next: null, paused: true },
  live: { n: 0, hit_rate: null, log_loss: null, baselines: {} },
};
const modelsAnswer = v.parse(forms.modelsAnswer, { items: [model, bare], next: null });

describe("lists", () => {
  test("models", async () => {
    const { code, out, asked } = await run(["models"], { "GET /v1/models": modelsAnswer });
    expect(code).toBe(0);
    expect(asked).toEqual(["GET /v1/models"]);
    expect(out.split("\n")[1]).toMatch(
      /^btc +KRW-BTC +12 +2025-01-01T00:00:05Z +abababababab +- +1,200 +0\.512$/,
    );
    expect(out.split("\n")[2]).toMatch(/^eth +KRW-BTC +- +- +- +- +0 +-$/);
  });

  test("models --json prints what the server answered, and nothing else", async () => {
    const { out, said } = await run(["models", "--json"], { "GET /v1/models": modelsAnswer });
    expect(JSON.parse(out)).toEqual(modelsAnswer);
    expect(said).toBe("");
  });

  test("pipelines", async () => {
    const { out } = await run(["pipelines"], { "GET /v1/models": modelsAnswer });
    expect(out).toMatch(/btc .*0 0 \*\/4 .*2025-01-01T04:00:00Z .*failed .*upstream_down/);
    expect(out).toMatch(/eth .*paused .*no run yet/);
  });

  test("runs of a model, as many as wanted", async () => {
    const runs = v.parse(forms.runsAnswer, {
      items: [
        {
          id: "f".repeat(32),
          name: "btc 2025-01-01T00:00:00Z",
          model: "btc",
          version: 12,
          experiment: 1,
          status: "FINISHED",
          message: null,
          started_at: "2025-01-01T00:00:10Z",
          ended_at: "2025-01-01T00:00:22Z",
          pipeline_run: null,
          params: {},
          metrics: { log_loss: 0.690712, auc: null },
          tags: {},
        },
      ],
      next: null,
    });
    const { out, asked } = await run(["runs", "btc", "--limit", "5"], { "GET /v1/runs": runs });
    expect(asked).toEqual(["GET /v1/runs?limit=5&model=btc"]);
    expect(out).toMatch(/ btc +12 +FINISHED +2025-01-01T00:00:10Z +0\.6907 +-$/m);
  });
});

describe("control", () => {
  const moved = v.parse(forms.movedAnswer, {
    model: "btc",
    alias: "champion",
    version: 12,
    digest: digest,
    since: "2025-01-01T00:00:05Z",
    previous: 11,
    changed: true,
  });

  test("promote sends the version, and what is expected of the champion", async () => {
    const args = ["promote", "btc", "12", "--expected", "11", "--force"];
    const result = await run(args, { "POST /admin/models/btc/promote": moved });
    expect(result.code).toBe(0);
    expect(JSON.parse(result.bodies[0] ?? "")).toEqual({ version: 12, expected: 11, force: true });
    expect(result.out).toBe("btc: version 12 is champion (before: version 11).");
  });

  test("promote without options sends the version alone", async () => {
    const { bodies } = await run(["promote", "btc", "12"], {
      "POST /admin/models/btc/promote": moved,
    });
    expect(bodies).toEqual(['{"version":12}']);
  });

  test("a gate that failed ends with 1 and is told", async () => {
    const failed = problemAnswer(422, {
      code: "gate_failed",
      detail: "Version 12 of btc does not pass: too_good (AUC 0.999).",
      fix: "Promote another.",
      faults: [{ path: "too_good", message: "AUC 0.999" }],
    });
    const answers = { "POST /admin/models/btc/promote": failed };
    const { code, out, said } = await run(["promote", "btc", "12"], answers);
    expect(code).toBe(1);
    expect(out).toBe("");
    expect(said).toBe(
      "sluice: Version 12 of btc does not pass: too_good (AUC 0.999). Promote another.\n",
    );
  });

  test("with --json a failure is JSON on standard error", async () => {
    const { code, out, said } = await run(["promote", "btc", "12", "--json"], {});
    expect(code).toBe(1);
    expect(out).toBe("");
    expect(JSON.parse(said).error.code).toBe("not_found");
  });

  test("rollback", async () => {
    const back = { ...moved, version: 11, previous: 12 };
    const result = await run(["rollback", "btc"], { "POST /admin/models/btc/rollback": back });
    expect(result.bodies).toEqual([null]);
    expect(result.out).toBe("btc: version 11 is champion (before: version 12).");
  });

  test("a promotion that changes nothing says so", async () => {
    const same = { ...moved, previous: 12, changed: false };
    const { out } = await run(["promote", "btc", "12"], { "POST /admin/models/btc/promote": same });
    expect(out).toBe("btc: version 12 is champion already.");
  });

  test.each(["pause", "resume"])("%s", async (verb) => {
    const answer = v.parse(forms.pausedAnswer, { pipeline: "btc", paused: verb === "pause" });
    const answers = { [`POST /admin/schedules/btc/${verb}`]: answer };
    const { code, out, bodies } = await run([verb, "btc"], answers);
    expect(code).toBe(0);
    expect(bodies).toEqual([null]);
    expect(out).toContain(verb === "pause" ? "btc is paused" : "btc runs on its schedule again");
  });
});

describe("tokens", () => {
  test("create prints the token alone, so that a script can take it", async () => {
    const answer = v.parse(forms.tokenAnswer, { name: "ci", scopes: ["read"], token: "sluice_x" });
    const args = ["token", "create", "ci", "--scope", "read,track", "--scope", "predict"];
    const { out, said, bodies } = await run(args, { "POST /admin/tokens": answer });
    expect(out).toBe("sluice_x");
    expect(said).toContain("not shown again");
    expect(JSON.parse(bodies[0] ?? "")).toEqual({
      name: "ci",
      scopes: ["read", "track", "predict"],
    });
  });

  test("list", async () => {
    const items = [
      {
        name: "ci",
        scopes: ["read", "track"],
        created_at: "2025-01-01T00:00:00Z",
        revoked_at: null,
      },
    ];
    const answer = v.parse(forms.tokensAnswer, { items, next: null });
    const { out } = await run(["token", "list"], { "GET /admin/tokens": answer });
    expect(out).toMatch(/^ci +read, track +2025-01-01T00:00:00Z +-$/m);
  });

  test("revoke", async () => {
    const answer = v.parse(forms.revokedAnswer, { name: "ci", revoked: true });
    const { out, asked } = await run(["token", "revoke", "ci"], {
      "DELETE /admin/tokens/ci": answer,
    });
    expect(asked).toEqual(["DELETE /admin/tokens/ci"]);
    expect(out).toBe('Token "ci" is revoked.');
  });
});

test("names from the command line cannot leave their place in the path", async () => {
  const { asked } = await run(["rollback", "../../x?y#z"], {});
  expect(asked).toEqual(["POST /admin/models/..%2F..%2Fx%3Fy%23z/rollback"]);
});
