import { expect, test } from "bun:test";
import { SluiceError } from "../errors.ts";
import { longAnswer } from "./long.ts";
import { makeTestApp } from "./testing.ts";

test("a backup is a tar file under a name, for administrators only", async () => {
  const { ask, world } = makeTestApp();
  const answer = await ask("GET", "/admin/backup");
  expect([answer.status, answer.text]).toEqual([200, "a backup"]);
  expect(answer.headers.get("content-type")).toBe("application/x-tar");
  expect(answer.headers.get("content-disposition")).toBe('attachment; filename="sluice.tar"');
  expect((await ask("GET", "/admin/backup?missing=skip")).status).toBe(200);
  expect(world.asked).toEqual([
    ["backup", { skipMissing: false }],
    ["backup", { skipMissing: true }],
  ]);
  expect((await ask("GET", "/admin/backup?missing=all")).status).toBe(422);
  expect((await ask("GET", "/admin/backup", { token: null })).status).toBe(401);
});

test("one at a time: a second is refused until the first has been read", async () => {
  const { app, ask } = makeTestApp();
  const headers = { authorization: "Bearer an-administrators-token" };
  const first = await app.fetch(new Request("http://localhost/admin/backup", { headers }));
  expect((await ask("GET", "/admin/backup")).json).toMatchObject({
    ...{ status: 409, code: "backup_running" },
  });
  await first.text();
  expect((await ask("GET", "/admin/backup")).status).toBe(200);
});

test("while its rows are read nothing may come for long, so Bun is told not to cut it", async () => {
  const { app } = makeTestApp();
  const silent: [string, number][] = [];
  const listening = {
    requestIP: () => ({ address: "127.0.0.1" }),
    timeout: ({ url }: Request, seconds: number) =>
      void silent.push([new URL(url).pathname, seconds]),
  };
  const headers = { authorization: "Bearer an-administrators-token" };
  for (const path of ["/admin/backup", "/admin/tokens", "/v1/models"]) {
    const request = new Request(`http://localhost${path}`, { headers });
    await (await app.fetch(request, listening)).text();
  }
  expect(silent).toEqual([["/admin/backup", 0]]);
});

const options = { headers: {}, silenceMs: 50 };
async function* endless() {
  for (;;) yield new Uint8Array(1_000);
}

test("an answer that cannot go on breaks off, and says why to the log", async () => {
  const reasons: string[] = [];
  const farewell = (thrown: unknown) => {
    reasons.push((thrown as Error).message);
    return null;
  };
  async function* failing() {
    yield new Uint8Array(1_000);
    throw new SluiceError({ code: "object_corrupt", detail: "Damaged." });
  }
  const broken = longAnswer(failing(), { ...options, silenceMs: 10_000, farewell });
  await expect(broken.response.arrayBuffer()).rejects.toThrow("Damaged.");
  await broken.ended;
  // Nobody reads it, and nobody wants the rest.
  const unread = longAnswer(endless(), { ...options, farewell });
  await unread.ended;
  const left = longAnswer(endless(), { ...options, silenceMs: 10_000, farewell });
  await left.response.body?.cancel();
  await left.ended;
  const stopped = longAnswer(endless(), { ...options, silenceMs: 10_000, farewell });
  stopped.stop(new SluiceError({ code: "stopping", detail: "Stopping." }));
  await stopped.ended;
  expect(reasons).toEqual(["Damaged.", "Nothing of the answer was taken for 0.05 s.", "Stopping."]);
});
