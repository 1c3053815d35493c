import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until, WAIT_MS } from "../../src/testing.ts";
import { findProgram, freePort, guarded, launch, untilReady } from "./process.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-process-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const shell = (name: string, script: string) => ({
  name,
  command: ["sh", "-c", script],
  log: join(folder, `${name}.log`),
});

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** Waits for a pid to be gone. */
const goes = (pid: number) => until(() => !isAlive(pid), WAIT_MS, `${pid} has gone`, 20);

describe("launch", () => {
  test("stop ends the process it started, and a second stop does nothing", async () => {
    const service = launch(shell("sleeper", "exec sleep 60"));
    expect(isAlive(service.pid)).toBe(true);
    expect(service.ended()).toBe(false);
    await service.stop();
    expect(isAlive(service.pid)).toBe(false);
    expect(service.ended()).toBe(true);
    await service.stop();
  });

  test("kills what outlives the polite signal", async () => {
    const options = shell("deaf", 'trap "" TERM; echo up; while :; do sleep 0.1; done');
    const service = launch({ ...options, patience: 100 });
    await untilReady(options, service, async () => {
      if (!(await Bun.file(options.log).text()).includes("up")) throw new Error("not yet");
    });
    await service.stop();
    expect(isAlive(service.pid)).toBe(false);
  });

  test("gives its environment to the process", async () => {
    const options = shell("speaker", 'echo "$WORD"');
    const service = launch({ ...options, env: { WORD: "hello" } });
    while (!service.ended()) await Bun.sleep(10);
    expect(await Bun.file(options.log).text()).toBe("hello\n");
  });
});

describe("untilReady", () => {
  test("resolves when the probe does", async () => {
    const options = shell("slow", "exec sleep 60");
    const service = launch(options);
    let tries = 0;
    await untilReady(options, service, async () => {
      tries += 1;
      if (tries < 3) throw new Error("not yet");
    });
    expect(tries).toBe(3);
    await service.stop();
  });

  test("tells the last words of a process that ended", async () => {
    const options = shell("broken", "echo cannot bind >&2; exit 1");
    const service = launch(options);
    const waiting = untilReady(options, service, () => Promise.reject(new Error("refused")));
    await expect(waiting).rejects.toThrow("broken ended at once; it said: cannot bind");
  });

  test("tells the last error of one that never answers", async () => {
    const options = shell("mute", "exec sleep 60");
    const service = launch(options);
    const never = () => Promise.reject(new Error("refused"));
    await expect(untilReady(options, service, never, 0.3)).rejects.toThrow(
      "mute did not answer within 0.3 s (Error: refused)",
    );
    await service.stop();
  });
});

// Only the kernel can end a child of a process that was killed; setpriv asks it to.
test.skipIf(Bun.which("setpriv") === null)("a killed parent takes its service along", async () => {
  const script = join(folder, "parent.ts");
  await Bun.write(
    script,
    `import { launch } from ${JSON.stringify(join(import.meta.dir, "process.ts"))};
    const service = launch({ name: "x", command: ["sleep", "60"], log: ${JSON.stringify(script)} + ".log" });
    console.log(service.pid);
    await Bun.sleep(60_000);`,
  );
  const parent = Bun.spawn([process.execPath, script], { stdout: "pipe" });
  const { value } = await parent.stdout.getReader().read();
  const pid = Number(new TextDecoder().decode(value));
  // Before setpriv has become the program, nobody has asked the kernel for anything yet.
  const program = () => Bun.file(`/proc/${pid}/comm`).text();
  await until(async () => (await program()) === "sleep\n", WAIT_MS, "it is the program", 10);
  parent.kill("SIGKILL");
  await parent.exited;
  await goes(pid);
});

test.skipIf(process.getuid?.() !== 0)("guarded runs as the user it is told", () => {
  const { stdout } = Bun.spawnSync(guarded(["id", "-un"], "SIGTERM", "nobody"));
  expect(stdout.toString().trim()).toBe("nobody");
  expect(() => guarded(["id"], "SIGTERM", "no-such-user")).toThrow("No user no-such-user");
});

test("freePort is free: it can be listened on", () => {
  const port = freePort();
  const listener = Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } });
  expect(listener.port).toBe(port);
  listener.stop(true);
});

test("findProgram looks on PATH first, then in the places", async () => {
  await Bun.write(join(folder, "only-here"), "");
  expect(findProgram("sh")).toBe(Bun.which("sh"));
  expect(findProgram("only-here")).toBeNull();
  expect(findProgram("only-here", ["/nowhere", folder])).toBe(join(folder, "only-here"));
});
