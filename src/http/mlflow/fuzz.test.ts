/*
 * Messages made up from the fields of each call, and addresses that look like theirs: whatever
 * comes, the answer is an answer or says what was wrong, and never that the server is at fault.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { testDatabases } from "../../store/testing.ts";
import { rpcs } from "./index.ts";
import { type Field, type Fields, isWrong, text } from "./message.ts";
import { addressesOf, type Rpc } from "./route.ts";
import { openTracked, type Tracked } from "./testing.ts";

/** So many requests on each database; more by SLUICE_TEST_FUZZ. */
const REQUESTS = Number(process.env["SLUICE_TEST_FUZZ"] ?? 150);

const number = fc.constantFrom<unknown>(0, 1, 2, "3", 100, 1_700_000_000_000);
const odd = fc.constantFrom<unknown>(
  ...["", "0", "1", "x", "a b", "a/b", "../x", "%2e%2e", "\0", "\ud800", "é", "'", '"', "`", "-1"],
  ...["1e400", "NaN", "Infinity", "9".repeat(25), "x".repeat(9_000), "READY", "latest", "v1"],
  ...["name = 'x'", "metrics.m > 1", "tags.a LIKE '%'", "mlflow.runName", "champion", "m-1"],
  ...[null, true, false, 0, -1, 1.5, 2 ** 31, 2 ** 53, 1e300, -1e300, [], {}, ["a"], [[]]],
);

/** Stand for what is there just now; what is asked for may remove it. */
const IDS = ["@experiment", "@run", "@logged"] as const;

/** What members of these names mostly are. */
const RIGHT: Readonly<Record<string, readonly unknown[]>> = {
  experiment_id: ["@experiment"],
  experiment_ids: ["@experiment"],
  ...{ run_id: ["@run"], run_ids: ["@run"], source_run_id: ["@run"], model_id: ["@logged"] },
  ...{ name: ["fuzzed"], experiment_name: ["fuzzed"], version: ["1"], metric_key: ["m"] },
  ...{ key: ["m", "a"], value: ["1", "2"], status: ["FINISHED", "LOGGED_MODEL_READY"] },
  source: ["mlflow-artifacts:/@experiment/@run/artifacts/model", "models:/@logged"],
  page_token: [""],
  stage: ["Production", "Staging"],
  filter: ["", "name = 'x'", "metrics.m > 0", "tags.a = '1'", "params.a LIKE '1%'", "x ="],
  order_by: ["metrics.m DESC", "name", "start_time ASC", "x y z"],
};

describe.each(testDatabases())("made-up requests on $name", (on) => {
  let tracked: Tracked;
  const now = new Map<string, string>();
  let round = 0;
  beforeAll(async () => {
    tracked = await openTracked(on);
  });
  afterAll(() => tracked.close());

  /** Something for the next requests to be about. */
  async function prepare(): Promise<void> {
    const { post, ask } = tracked;
    const { experiment_id } = await post("experiments/create", { name: `fuzzed ${++round}` });
    const run_id = (await post("runs/create", { experiment_id })).run.info.run_id;
    await post("runs/log-metric", { run_id, key: "m", value: 1, timestamp: 1 });
    const model = await post("logged-models", { experiment_id, name: "fuzzed" });
    await ask("POST", "/api/2.0/mlflow/registered-models/create", { body: { name: "fuzzed" } });
    now.set("@experiment", experiment_id).set("@run", run_id);
    now.set("@logged", model.model.info.model_id);
  }

  const anyKnown = fc.constantFrom<unknown>("fuzzed", "name", "m", "1", ...IDS);
  const leaf = (name: string, field: Field<unknown> | null) => {
    const right = RIGHT[name] === undefined ? anyKnown : fc.constantFrom(...RIGHT[name]);
    const isNumber = field !== null && isWrong(field.read("x"));
    return fc.oneof(
      { weight: 18, arbitrary: isNumber ? number : right },
      { weight: 2, arbitrary: anyKnown },
      { weight: 1, arbitrary: odd },
    );
  };

  function anyOf(name: string, field: Field<unknown>): fc.Arbitrary<unknown> {
    const { fields, item } = field;
    const right =
      item !== undefined
        ? fc.array(anyOf(name, item), { minLength: 1, maxLength: 3 })
        : fields !== undefined
          ? membersOf(fields)
          : leaf(name, field);
    return fc.oneof({ weight: 40, arbitrary: right }, { weight: 1, arbitrary: odd });
  }

  const membersOf = (fields: Fields): fc.Arbitrary<Record<string, unknown>> => {
    const members = Object.fromEntries(
      Object.entries(fields).map(([name, field]) => [name, anyOf(name, field)]),
    );
    return fc.oneof(
      { weight: 1, arbitrary: fc.record(members) },
      {
        weight: 3,
        arbitrary: fc.record(members, { requiredKeys: Object.keys(fields).slice(0, 2) }),
      },
      { weight: 1, arbitrary: fc.record(members, { requiredKeys: [] }) },
    );
  };

  const addressOf = (rpc: Rpc): fc.Arbitrary<string> => {
    const [address] = addressesOf(rpc);
    const names = [...address!.matchAll(/\{(\w+)\+?\}/g)].map(([, name]) => name!);
    return fc.tuple(...names.map((name) => leaf(name, null).map(String))).map((texts) => {
      let at = 0;
      return address!.replace(/\{\w+\+?\}/g, () => texts[at++]!);
    });
  };

  const requestOf = (rpc: Rpc) =>
    fc.record({
      rpc: fc.constant(rpc),
      address: addressOf(rpc),
      members: membersOf(rpc.takes ?? { path: text, run_id: text, name: text, version: text }),
    });

  const meant = (text: string) =>
    text.replace(/@(?:experiment|run|logged)/g, (id) => now.get(id) ?? id);
  const addressed = (text: string) =>
    meant(text)
      .split("/")
      .map((part) => encodeURIComponent(part.toWellFormed()))
      .join("/");

  const send = (rpc: Rpc, address: string, members: Readonly<Record<string, unknown>>) => {
    const path = addressed(address);
    if (rpc.method !== "GET") {
      const raw = ["application/json", meant(JSON.stringify(members))] as const;
      return tracked.ask(rpc.method, path, { raw });
    }
    const query = new URLSearchParams(
      Object.entries(members).flatMap(([name, value]) =>
        (Array.isArray(value) ? value : [value]).map((one): [string, string] => {
          return [name, meant(`${one}`)];
        }),
      ),
    );
    return tracked.ask("GET", `${path}?${query}`);
  };

  test(
    "are answered, or told what was wrong with them",
    async () => {
      const asked = fc.constantFrom(...rpcs).chain(requestOf);
      const seed = Date.now();
      const faults = new Map<string, string>();
      const all = fc.sample(asked, { numRuns: REQUESTS, seed });
      for (const [i, { rpc, address, members }] of all.entries()) {
        if (i % 50 === 0) await prepare();
        const { status, json, text: told } = await send(rpc, address, members);
        const isFault =
          (status >= 500 && status !== 501) ||
          (status >= 400 && typeof json?.error_code !== "string") ||
          /failed query|syntax error|duplicate key/i.test(told);
        const sent = JSON.stringify(members);
        if (isFault) faults.set(rpc.path, `${seed}: ${address} ${sent}: ${status} ${told}`);
      }
      expect([...faults.values()]).toEqual([]);
    },
    Math.max(60_000, REQUESTS * 100),
  );
});
