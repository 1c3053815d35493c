import { describe, expect, test } from "bun:test";
import { join } from "node:path";

/** What a process says on its two outputs when it logs by the code. */
async function said(code: string): Promise<{ out: string; err: string }> {
  const script = `
    const { makeLog } = await import(${JSON.stringify(join(import.meta.dir, "log.ts"))});
    ${code}`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  await child.exited;
  return { out, err };
}

const clock = `{ now: () => Date.parse("2025-01-01T00:00:05.250Z") }`;

describe("json", () => {
  test("is one object a line on standard output, by the clock that it was given", async () => {
    const { out, err } = await said(`
      const log = makeLog("json", ${clock});
      log.info("listening", { url: "http://127.0.0.1:8400" });
      log.warn("with\\nlines", { text: 'a "quote"\\n' });
      log.error("ready");`);
    const lines = out.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      {
        level: "info",
        time: "2025-01-01T00:00:05.250Z",
        url: "http://127.0.0.1:8400",
        event: "listening",
      },
      {
        level: "warn",
        time: "2025-01-01T00:00:05.250Z",
        text: 'a "quote"\n',
        event: "with\nlines",
      },
      { level: "error", time: "2025-01-01T00:00:05.250Z", event: "ready" },
    ]);
    expect(err).toBe("");
  });

  test("a line that was logged is there when the process is killed next", async () => {
    const { out } = await said(`
      const log = makeLog("json", ${clock});
      for (let i = 0; i < 100; i++) log.info("line", { i });
      process.kill(process.pid, "SIGKILL");
      await Bun.sleep(5_000);`);
    expect(out.trimEnd().split("\n")).toHaveLength(100);
  });
});

test("pretty is for people: on standard error, beside answers on standard output", async () => {
  const { out, err } = await said(`
    makeLog("pretty", ${clock}).warn("redis_unreachable", { reason: "refused" });
    console.log("the answer");`);
  expect(out).toBe("the answer\n");
  expect(err).toContain("redis_unreachable");
  expect(err).toContain("refused");
  expect(err).toContain("WARN");
});
