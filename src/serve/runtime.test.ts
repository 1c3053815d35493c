import { expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What a process of its own prints: a runtime is loaded once a process, whichever folder is named. */
async function printed(code: string, ...args: string[]): Promise<unknown> {
  const module = JSON.stringify(join(import.meta.dir, "runtime.ts"));
  const script = `const { lazyRuntime } = await import(${module});
    const [bad, good] = process.argv.slice(-2);
    const codeOf = (work) => work.then(() => "none", (thrown) => thrown.code ?? String(thrown));
    ${code}`;
  const child = Bun.spawn([process.execPath, "-e", script, ...args], { stderr: "inherit" });
  return JSON.parse(await new Response(child.stdout).text());
}

test("a lazy runtime is loaded when it is asked for; what keeps it from that has a name", async () => {
  const root = await mkdtemp(join(tmpdir(), "sluice-runtime-"));
  try {
    const file = join(root, "file");
    await writeFile(file, "no folder");
    const told = await printed(
      `const first = lazyRuntime(bad);
      let early = "none";
      try { first.Tensor } catch (thrown) { early = thrown.message }
      const failed = [await codeOf(first.ready()), await codeOf(first.ready())];
      const second = lazyRuntime(good);
      await second.ready();
      const { size } = new second.Tensor("float32", [1, 2], [2]);
      console.log(JSON.stringify({ early, failed, size, sessions: typeof second.InferenceSession.create }));`,
      file,
      join(root, "data"),
    );
    expect(told).toEqual({
      early: "ONNX Runtime is not loaded yet.",
      failed: ["runtime_not_loaded", "runtime_not_loaded"],
      ...{ size: 2, sessions: "function" },
    });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});
