/*
 * From one Sluice into another over the wire: all comes, once, whatever happens on the way.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import type { Tracked } from "../http/mlflow/testing.ts";
import { testDatabases } from "../store/testing.ts";
import { makeMlflowClient } from "./mlflow/client.ts";
import { unreachable } from "./mlflow/faults.ts";
import {
  bring,
  fill,
  openTarget,
  openWire,
  putFile,
  SOURCE_TOKEN,
  see,
  type Wire,
} from "./mlflow/fixture.ts";
import { makeRestFiles } from "./mlflow/rest/files.ts";
import type { Source } from "./mlflow/source.ts";
import { reportText } from "./mlflow/tally.ts";

let wire: Wire;
let ids: Awaited<ReturnType<typeof fill>>;
let there: Awaited<ReturnType<typeof see>>;
/** How often the source has changed. */
let turns = 0;
beforeAll(async () => {
  wire = await openWire();
  ids = await fill(wire.tracked);
  there = await see(wire.tracked);
});
afterAll(() => wire.close());
afterEach(() => {
  wire.between = () => null;
  wire.after = (response) => response;
});

const nothing = { brought: 0, skipped: 0, failed: 0 };
const each = testDatabases();
let target: Tracked;

describe.each(each)("a server brought into another on $name", (on) => {
  beforeEach(async () => {
    target = await openTarget(on);
  });
  afterEach(() => target.close());

  test("all of it is there as it was, and brought again nothing changes", async () => {
    const shares: number[] = [];
    const onProgress = (_: string, share: number) => void shares.push(share);
    const { report } = await bring(wire.source(), target, { onProgress });
    expect(await see(target)).toEqual(there);
    // The bar never goes back, and is not full before the end.
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));
    expect(shares.every((share) => share < 1)).toBe(true);
    expect(report).toMatchObject({ skipped: [], failed: [], mismatches: [], merged: ["Default"] });
    const brought = Object.entries(report.counts).map(([kind, { brought }]) => [kind, brought]);
    expect(Object.fromEntries(brought)).toEqual({
      ...{ experiments: 2, runs: 5, params: 60, points: 605 + turns, inputs: 4, logged_models: 2 },
      ...{ models: 1, versions: 4, aliases: 2, files: 14 + turns },
    });
    const again = await bring(wire.source(), target);
    expect(await see(target)).toEqual(there);
    for (const counts of Object.values(again.report.counts)) expect(counts).toMatchObject(nothing);
    expect(again.report.bytes).toBe(0);
  });
});

// What is the same on either is looked at on one: an embedded one takes seconds to open.
describe("a server brought into another", () => {
  beforeEach(async () => {
    target = await openTarget(each.at(-1)!);
  });
  afterEach(() => target.close());

  test("where it was is kept; addresses of files are those of here", async () => {
    await bring(wire.source(), target);
    const { run } = await target.get("runs/get", { run_id: ids.main.run_id });
    const origin = run.data.tags.find(({ key }: { key: string }) => key === "sluice.imported_from");
    expect(origin.value).toBe(ids.main.artifact_uri);
    const { experiment } = await target.get("experiments/get-by-name", {
      experiment_name: "first",
    });
    const root = `mlflow-artifacts:/${experiment.experiment_id}`;
    expect(run.info.artifact_uri).toBe(`${root}/${ids.main.run_id}/artifacts`);
    const sources = await target.get("model-versions/search", { max_results: "99" });
    const home = await target.get("runs/get", { run_id: ids.plain.run_id });
    expect(
      Object.fromEntries(
        sources.model_versions.map((one: { version: string; source: string }) => [
          ...[one.version, one.source],
        ]),
      ),
    ).toEqual({
      "1": `models:/${ids.logged.model_id}`,
      "2": `${home.run.info.artifact_uri}/model`,
      "4": "models:/adds/2",
      "5": "s3://elsewhere/model",
    });
  });

  test("what is deleted there comes as far as it is told of, and the rest is named", async () => {
    const { report } = await bring(wire.source(), target);
    const { model_id } = ids.goneModel;
    const path = `/api/2.0/mlflow/logged-models/${model_id}`;
    expect((await target.ask("GET", path)).status).toBe(404);
    const found = await target.ask("GET", `${path}?allow_deleted=true`);
    expect(JSON.parse(found.text).model.info).toMatchObject({ model_id, name: "gone" });
    const { artifact_uri } = JSON.parse(found.text).model.info;
    expect(await target.services.mlflow.files.allAt(artifact_uri)).toHaveLength(1);
    const missing = { what: "deleted versions", why: "1 (adds 3), and maybe the last ones" };
    const what = "deleted logged models";
    expect(report.unseen).toEqual([missing, { what, why: expect.stringMatching(/^no run/) }]);
    expect(reportText(report)).toContain("its database tells of them");

    // A server that keeps deleted ones to itself, as older ones do.
    wire.between = (request) =>
      request.url.includes("allow_deleted")
        ? Response.json({ error_code: "RESOURCE_DOES_NOT_EXIST" }, { status: 404 })
        : null;
    const { report: less } = await bring(wire.source(), target);
    expect(less.failed).toEqual([]);
    expect(less.unseen).toEqual([missing, { what, why: "1 that runs name, and maybe others" }]);
  });

  test("ended anywhere and started again, nothing is lost and nothing is twice", async () => {
    // Each start gets a little further before the source is gone under it.
    let starts = 0;
    for (let last = 4; ; last = Math.ceil(last * 1.3)) {
      starts++;
      const ended = await bring(dying(wire.source(), last), target).catch((thrown) => thrown);
      if (!(ended instanceof Error)) break;
      expect(String(ended)).toContain("gone");
    }
    expect(starts).toBeGreaterThan(5);
    expect(await see(target)).toEqual(there);
    const { report } = await bring(wire.source(), target);
    expect(report.counts.runs).toEqual({ ...nothing, there: 5 });
  }, 60_000);

  test("of a server that fails half the time all comes", async () => {
    let turn = 1;
    // A small generator: the same faults each time.
    const random = () => {
      turn = (turn * 48_271) % 2_147_483_647;
      return turn / 2_147_483_647;
    };
    wire.between = () => {
      if (random() < 0.5) return null;
      const status = [429, 500, 502, 503][Math.floor(random() * 4)]!;
      return new Response("a fault of the test", { status });
    };
    wire.after = async (response, request) => {
      if (!/artifacts\/artifacts\/./.test(new URL(request.url).pathname) || random() < 0.5)
        return response;
      // Cut short: what comes is not what was announced.
      const bytes = await response.bytes();
      return new Response(bytes.subarray(0, bytes.length / 2));
    };
    let failed = 1;
    for (let starts = 0; failed > 0 && starts < 50; starts++) {
      // Where all tries of one request come to nothing it ends, and is started again.
      const brought = await bring(wire.source(), target).catch((thrown) => {
        if (thrown.code !== "import_unreachable") throw thrown;
        return null;
      });
      failed = brought?.report.failed.length ?? 1;
    }
    expect(failed).toBe(0);
    expect(await see(target)).toEqual(there);
  }, 60_000);

  test("where a server hangs up on one file, all the others come", async () => {
    const real = wire.source();
    // As a stock server does where a header cannot hold the name of the file.
    const proxy = createServer((socket) => {
      const to = connect(Number(new URL(wire.url).port), "127.0.0.1");
      socket.on("data", (bytes) => {
        if (/GET \S+%C3%BC/.test(String(bytes))) socket.destroy();
        else to.write(bytes);
      });
      to.pipe(socket);
      socket.on("close", () => to.destroy());
      for (const each of [socket, to]) each.on("error", () => each.destroy());
    }).listen(0, "127.0.0.1");
    await once(proxy, "listening");
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const client = makeMlflowClient({
      ...{ url, authorization: `Bearer ${SOURCE_TOKEN}`, waitMs: 1 },
    });
    const { report } = await bring({ ...real, ...makeRestFiles(client) }, target);
    proxy.close();
    expect(report.failed.map(({ what }) => what)).toEqual([
      `file ünïcode ✓.txt of run ${ids.main.run_id}`,
      `run ${ids.main.run_id}`,
    ]);
    expect(report.counts.files).toMatchObject({ brought: 13 + turns, failed: 1 });
    const again = await bring(real, target);
    expect(again.report.counts.files).toMatchObject({ brought: 1, failed: 0 });
    expect(await see(target)).toEqual(there);
  });

  test("what has changed there since comes too", async () => {
    const { tracked } = wire;
    turns++;
    await bring(wire.source(), target);
    const run_id = ids.live.run_id;
    await tracked.post("runs/log-metric", {
      run_id,
      key: "loss 0",
      value: 2,
      timestamp: 20,
      step: 1,
    });
    await putFile(tracked, ids.live.artifact_uri, `later ${turns}.txt`, "it went on");
    await tracked.post("runs/set-tag", {
      run_id: ids.main.run_id,
      key: "empty",
      value: `${turns}`,
    });
    there = await see(tracked);
    const { report } = await bring(wire.source(), target);
    expect(report.counts.runs).toEqual({ ...nothing, brought: 2, there: 3 });
    expect(report.counts.points).toMatchObject({ brought: 1 });
    expect(report.counts.files).toMatchObject({ brought: 1 });
    expect(await see(target)).toEqual(there);
  });

  test("without what is deleted there, if so asked for", async () => {
    const { report } = await bring(wire.source(), target, { skipDeleted: true });
    const seen = await see(target);
    expect(Object.keys(seen["experiments"]).sort()).toEqual(["Default", "first"]);
    expect(Object.keys(seen["runs"]).sort()).toEqual(
      [ids.main, ids.live, ids.plain].map(({ run_id }) => run_id).sort(),
    );
    expect(report.counts.runs).toMatchObject({ brought: 3, skipped: 1 });
    expect(report.skipped).toEqual([{ what: "experiment away", why: "it is deleted there" }]);
  });

  test("an experiment that is deleted here is not filled", async () => {
    const { experiment_id } = await target.post("experiments/create", { name: "first" });
    await target.post("experiments/delete", { experiment_id });
    const { report } = await bring(wire.source(), target);
    expect(report.counts.experiments).toMatchObject({ skipped: 1 });
    expect(report.skipped[0]).toMatchObject({ what: "experiment first" });
    expect(Object.keys((await see(target))["runs"])).toHaveLength(2);
  });

  test("what has the same name here stays, and the report tells of it", async () => {
    const { post } = target;
    const tags = [{ key: "team", value: "another" }];
    const { experiment_id } = await post("experiments/create", { name: "first", tags });
    await post("registered-models/create", { name: "adds", description: "of here" });
    for (const source of ["s3://here/1", "s3://here/2"]) {
      await post("model-versions/create", { name: "adds", source });
    }
    await post("registered-models/alias", { name: "adds", alias: "blue", version: "1" });
    const { report } = await bring(wire.source(), target);
    expect(report.merged.toSorted()).toEqual(["Default", "first"]);
    expect(report.mismatches.map(({ what, why }) => `${what}: ${why}`)).toEqual([
      "experiment first: the tag team has another value",
      "adds version 1: it is another version here",
      "adds version 2: it is another version here",
    ]);
    expect(report.counts.versions).toMatchObject({ brought: 2, skipped: 2 });
    expect(report.skipped.map(({ what }) => what)).toContain("alias blue of adds");
    const seen = await see(target);
    expect(seen["experiments"]["first"].tags).toEqual(tags);
    expect(seen["models"]["adds"]).toMatchObject({ description: "of here" });
    expect(seen["runs"][ids.main.run_id]).toEqual(there["runs"][ids.main.run_id]);
    const { run } = await target.get("runs/get", { run_id: ids.main.run_id });
    expect(run.info.experiment_id).toBe(experiment_id);
    const model = await target.get("registered-models/get", { name: "adds" });
    expect(model.registered_model.aliases).toEqual([
      { alias: "blue", version: "1" },
      { alias: "red", version: "5" },
    ]);
  });
});

/** A source that is gone for good after so many answers and pieces of answers. */
function dying(source: Source, last: number): Source {
  let given = 0;
  const step = () => {
    if (++given > last) throw brokenOffForGood();
  };
  async function* through<Item>(items: AsyncIterable<Item>): AsyncGenerator<Item> {
    step();
    for await (const item of items) {
      yield item;
      step();
    }
  }
  return {
    ...source,
    experiments: async () => {
      step();
      return source.experiments();
    },
    runs: (id) => through(source.runs(id)),
    points: (runs) => through(source.points(runs)),
    logged: (id) => through(source.logged(id)),
    files: (holder) => through(source.files(holder)),
    read: (holder, path) => through(source.read(holder, path)),
    models: async () => {
      step();
      return source.models();
    },
    versions: async () => {
      step();
      return source.versions();
    },
  };
}

const brokenOffForGood = () => unreachable("the source", "gone", new Error("killed by the test"));
