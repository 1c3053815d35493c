import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packTar } from "modern-tar";
import { until, WAIT_MS } from "../testing.ts";
import { writeAside } from "./aside.ts";
import { commandRunner, heldFolder, problemAnswer } from "./fixtures.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-cli-backup-"));
const path = join(folder, "sluice.tar");
const { run, dispose } = commandRunner();
afterAll(async () => {
  await dispose();
  rmSync(folder, { recursive: true, force: true });
});
const tar = (body: Uint8Array) => new Response(body as Uint8Array<ArrayBuffer>);

test("what a server sends is checked before it gets the name; what stood there stays", async () => {
  writeFileSync(path, "the backup of yesterday");
  const manifest = new TextEncoder().encode('{"format": 1}');
  const whole = await packTar([
    { header: { name: "manifest.json", size: manifest.length }, body: manifest },
  ]);
  for (const bytes of [new Uint8Array(0), whole.subarray(0, 700), whole]) {
    const { code, said, asked } = await run(["backup", path], { "GET /admin/backup": tar(bytes) });
    expect([code, asked]).toEqual([1, ["GET /admin/backup"]]);
    expect(said).toContain("The backup broke off");
    expect(said).toContain("backup_failed in the log");
  }
  let sent = 0;
  const breaking = new ReadableStream({
    pull: async (controller) => {
      if (sent++ === 0) controller.enqueue(whole);
      else {
        await Bun.sleep(100);
        controller.error(new Error("broken off by the test"));
      }
    },
  });
  const broken = await run(["backup", path], { "GET /admin/backup": new Response(breaking) });
  expect([broken.code, broken.asked]).toEqual([1, ["GET /admin/backup"]]);
  expect(broken.said).toContain("The backup broke off");
  expect(readdirSync(folder)).toEqual(["sluice.tar"]);
  expect(readFileSync(path, "utf8")).toBe("the backup of yesterday");
});

test("what a server refuses is told as it said it", async () => {
  const detail = "The object store lacks 2 artifacts.";
  const refusal = problemAnswer(500, { code: "object_missing", detail });
  const plain = await run(["backup", path], { "GET /admin/backup": refusal });
  expect([plain.code, plain.said]).toEqual([1, expect.stringContaining(detail)]);
  const { asked } = await run(["backup", "--skip-missing", path], {
    "GET /admin/backup": problemAnswer(409, { code: "backup_running", detail: "Under way." }),
  });
  expect(asked).toEqual(["GET /admin/backup?missing=skip"]);
  const inFolder = await run(["backup", folder], {});
  expect([inFolder.code, inFolder.said]).toEqual([2, expect.stringContaining("is a folder")]);
  expect(readdirSync(folder)).toEqual(["sluice.tar"]);
});

test.each(["SIGINT", "SIGTERM"] as const)("%s leaves nothing of it behind", async (signal) => {
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const endless = new ReadableStream({
    pull: async (controller) => {
      controller.enqueue(new Uint8Array(100_000));
      await Bun.sleep(20);
      resolve();
    },
  });
  const held = heldFolder({ "GET /admin/backup": [new Response(endless)] });
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, "..", "main.ts"), "backup", path],
    { env: { PATH: process.env["PATH"] ?? "", ...held.environment }, stderr: "ignore" },
  );
  await asked;
  await until(() => readdirSync(folder).length === 2, WAIT_MS, "it has begun to write", 10);
  child.kill(signal);
  expect(await child.exited).toBe(signal === "SIGINT" ? 130 : 143);
  expect(readdirSync(folder)).toEqual(["sluice.tar"]);
  await held.dispose();
});

test("a file that cannot be written whole leaves what was there", async () => {
  async function* failing() {
    yield new Uint8Array(100);
    throw new Error("no more");
  }
  await expect(writeAside(path, ({ write }) => write(failing()))).rejects.toThrow("no more");
  const nowhere = join(folder, "no", "such", "sluice.tar");
  const written = writeAside(nowhere, ({ write }) => write(failing()));
  await expect(written).rejects.toMatchObject({ code: "cannot_write" });
  expect(readFileSync(path, "utf8")).toBe("the backup of yesterday");
  expect(readdirSync(folder)).toEqual(["sluice.tar"]);
});
