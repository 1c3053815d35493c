import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SluiceError } from "../errors.ts";
import { stopwatch } from "../testing.ts";
import { lockHolder, takeLock } from "./lock.ts";

const LOCK_MODULE = join(import.meta.dir, "lock.ts");
const URL_OF_HOLDER = "http://127.0.0.1:4321";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sluice-lock-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

let count = 0;
const newPath = () => join(root, `${++count}`, "db.lock");

const children: Bun.Subprocess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill("SIGKILL");
    await child.exited;
  }
});

/** Another process that runs the code, with `takeLock` and `path` at hand, and says what it did. */
async function inChild(path: string, code: string) {
  const script = `
    const { takeLock, lockHolder } = await import(${JSON.stringify(LOCK_MODULE)});
    const path = ${JSON.stringify(path)};
    const say = (text) => process.stdout.write(text + "\\n");
    ${code}`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
  children.push(child);
  const reader = child.stdout.getReader();
  const first = new TextDecoder().decode((await reader.read()).value).trim();
  return { pid: child.pid, first, exited: child.exited, kill: () => child.kill("SIGKILL") };
}

const holding = (path: string) =>
  inChild(
    path,
    `takeLock(path).announce("${URL_OF_HOLDER}"); say("held"); await Bun.sleep(60_000);`,
  );

function refusal(path: string): SluiceError {
  try {
    takeLock(path).release();
  } catch (thrown) {
    if (thrown instanceof SluiceError) return thrown;
    throw thrown;
  }
  throw new Error("the lock was given");
}

describe("a lock that another process holds", () => {
  test("is refused at once, naming its pid and where it listens", async () => {
    const path = newPath();
    const holder = await holding(path);
    const watch = stopwatch();
    const error = refusal(path);
    expect(watch.ms()).toBeLessThan(watch.promised(2_000));
    expect(error.code).toBe("folder_locked");
    expect(error.message).toContain(`process ${holder.pid} `);
    expect(error.message).toContain(URL_OF_HOLDER);
    expect(error.message).toContain(join(path, ".."));
    expect(error.fix).toContain("SLUICE_DATA");
    expect(lockHolder(path)).toEqual({ pid: holder.pid, url: URL_OF_HOLDER });
  });

  test("is not taken by being old, nor by what the file says", async () => {
    const path = newPath();
    const holder = await holding(path);
    await writeFile(path, JSON.stringify({ pid: 999_999_999, url: null }));
    expect(refusal(path).code).toBe("folder_locked");
    await writeFile(path, "");
    expect(refusal(path).message).toContain("another process");
    expect(holder.first).toBe("held");
  });

  test("is free the moment its holder is killed, and what it left is overwritten", async () => {
    const path = newPath();
    const holder = await holding(path);
    holder.kill();
    await holder.exited;
    expect(await readFile(path, "utf8")).toContain(String(holder.pid));
    expect(lockHolder(path)).toBeNull();
    const lock = takeLock(path);
    expect(lockHolder(path)).toEqual({ pid: process.pid, url: null });
    lock.release();
  });

  test("is free when the holder was killed and a child that it started lives on", async () => {
    const path = newPath();
    const holder = await inChild(
      path,
      `takeLock(path);
       const child = Bun.spawn(["sleep", "60"], { stdout: "ignore" });
       say(String(child.pid));
       await Bun.sleep(60_000);`,
    );
    const orphan = Number(holder.first);
    try {
      holder.kill();
      await holder.exited;
      expect(process.kill(orphan, 0)).toBe(true);
      takeLock(path).release();
    } finally {
      process.kill(orphan, "SIGKILL");
    }
  });
});

describe("the lock of this process", () => {
  test("refuses another process and this one itself, until it is released", async () => {
    const path = newPath();
    const lock = takeLock(path);
    lock.announce(URL_OF_HOLDER);
    expect(refusal(path).message).toContain(`process ${process.pid} `);
    const attempt = `
      try { takeLock(path); say("taken"); }
      catch (error) { say(error.code + " " + error.message); }`;
    const refused = await inChild(path, attempt);
    expect(refused.first).toStartWith("folder_locked");
    expect(refused.first).toContain(`${process.pid} (listening on ${URL_OF_HOLDER})`);
    lock.release();
    expect(lockHolder(path)).toBeNull();
    expect((await inChild(path, attempt)).first).toBe("taken");
  });

  test("can be taken and released again and again", () => {
    const path = newPath();
    for (let i = 0; i < 20; i++) takeLock(path).release();
    expect(lockHolder(path)).toBeNull();
  });

  test("announcing twice leaves the last address", () => {
    const path = newPath();
    const lock = takeLock(path);
    lock.announce("http://a-long-name-of-a-host.example:65535");
    lock.announce("http://b:1");
    expect(lockHolder(path)).toEqual({ pid: process.pid, url: "http://b:1" });
    lock.release();
  });

  test("is a file that only its owner may read, in a folder that is made", async () => {
    const path = newPath();
    const lock = takeLock(path);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(path, ".."))).mode & 0o777).toBe(0o700);
    lock.release();
  });
});

describe("a leftover file", () => {
  // The pid of a process that lives: a lock that trusted pids would never be given again.
  const leftovers = ["", "{", JSON.stringify({ pid: process.ppid, url: "http://x" })];
  test.each(leftovers)("%p is taken over", async (text) => {
    const path = newPath();
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(path, text);
    expect(lockHolder(path)).toBeNull();
    const lock = takeLock(path);
    expect(lockHolder(path)?.pid).toBe(process.pid);
    lock.release();
  });
});

test("of no file there is no holder, and looking makes none", async () => {
  const path = newPath();
  expect(lockHolder(path)).toBeNull();
  expect(await Bun.file(path).exists()).toBe(false);
});

test("of many processes that start at once exactly one gets it", async () => {
  const path = newPath();
  const attempts = Array.from({ length: 6 }, () =>
    inChild(
      path,
      `try { takeLock(path); say("taken"); await Bun.sleep(60_000); }
       catch (error) { say(error.code); }`,
    ),
  );
  const said = (await Promise.all(attempts)).map(({ first }) => first).sort();
  expect(said).toEqual([...Array(5).fill("folder_locked"), "taken"]);
});

test("whoever only looks never keeps another from taking it", async () => {
  const path = newPath();
  takeLock(path).release();
  // Looks about a tenth of the time.
  const looker = await inChild(
    path,
    `say("looking");
     for (;;) {
       lockHolder(path);
       for (const until = performance.now() + 0.2; performance.now() < until; );
     }`,
  );
  expect(looker.first).toBe("looking");
  for (let i = 0; i < 300; i++) takeLock(path).release();
});
