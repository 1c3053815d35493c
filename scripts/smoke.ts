/*
 * `bun scripts/smoke.ts`: the compiled binary, alone in an empty folder, as a user meets it: no
 * node_modules, no package.json, no TMPDIR that can be written, no service, no exchange. The last
 * line is `N passed, N failed`.
 */
import { chmod, copyFile, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "../package.json";
import { reasonOf } from "../src/errors.ts";
import { totalsLine } from "./report.ts";
import { guarded } from "./services/process.ts";

const built = process.env["SLUICE_TEST_BINARY"] ?? join(import.meta.dir, "..", "dist", "sluice");
const commands =
  "serve worker demo up collect verify import train predict forecast models runs " +
  "pipelines promote rollback pause resume token migrate version";

/** First start may make a database; a busy machine of two cores still does it in a third of this. */
const startSeconds = 90;
const stopSeconds = 20;

const folder = await mkdtemp(join(tmpdir(), "sluice-smoke-"));
const binary = join(folder, "sluice");
const totals = { passed: 0, failed: 0 };
const servers = new Set<Bun.Subprocess>();

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => cleanUp().finally(() => process.exit(130)));
}

try {
  await step("it is one file, and it was built", async () => {
    await copyFile(built, binary);
    await chmod(binary, 0o755);
  });
  if (totals.failed === 0) await commandLine();
  if (totals.passed > 1) await serve();
} finally {
  await cleanUp();
}
console.log(totalsLine(totals));
process.exit(totals.failed === 0 ? 0 : 1);

async function commandLine(): Promise<void> {
  await step("version tells the version of the package", async () => {
    const { code, said, complained } = await run(["version"]);
    expect(code === 0, `exit code 0, not ${code}: ${complained}`);
    expect(said.includes(version), `${version} in "${said.trim()}"`);
  });
  await step("--help names every command", async () => {
    const { code, said } = await run(["--help"]);
    expect(code === 0, `exit code 0, not ${code}`);
    const named = new Set(said.match(/[\w-]+/g) ?? []);
    const absent = commands.split(" ").filter((command) => !named.has(command));
    expect(absent.length === 0, `the help to name ${absent.join(", ")}`);
  });
  await step("an unknown command is usage: exit code 2", async () => {
    const { code } = await run(["frobnicate"]);
    expect(code === 2, `exit code 2, not ${code}`);
  });
  await step("a wrong value is configuration: exit code 78, naming it", async () => {
    const { code, said, complained } = await run(["serve"], { SLUICE_PORT: "99999" });
    expect(code === 78, `exit code 78, not ${code}`);
    const words = said + complained;
    for (const word of ["SLUICE_PORT", "99999", "65535"]) {
      expect(words.includes(word), `${word} in "${words.trim()}"`);
    }
  });
}

async function serve(): Promise<void> {
  const server = start(["serve"]);
  await step("serve says that it listens, and where", () => server.url.then(() => {}));
  const url = await server.url.catch(() => null);
  if (url === null) return;

  // It listens before its store is open, and says 503 until then.
  await step("it is started: GET /v1/models answers something else than 503", async () => {
    const end = Date.now() + startSeconds * 1000;
    for (;;) {
      const { status } = await fetch(`${url}/v1/models`);
      if (status !== 503) return;
      expect(Date.now() < end, `an answer within ${startSeconds} s; it said: ${server.tail()}`);
      await Bun.sleep(100);
    }
  });
  const routes: Record<string, readonly number[]> = {
    "/healthz": [200],
    "/readyz": [200, 503],
    "/metrics": [200],
    "/openapi.json": [200],
    "/v1/models": [200],
    "/": [200],
    "/nowhere": [404],
  };
  for (const [path, accepted] of Object.entries(routes)) {
    await step(`GET ${path} answers ${accepted.join(" or ")}`, async () => {
      const answer = await fetch(url + path, { signal: AbortSignal.timeout(15_000) });
      await answer.text();
      expect(accepted.includes(answer.status), `status ${accepted}, not ${answer.status}`);
    });
  }
  await step("a second process is refused the folder: exit code 3, naming the holder", async () => {
    const { code, said, complained } = await run(["serve"]);
    expect(code === 3, `exit code 3, not ${code}`);
    const words = said + complained;
    expect(words.includes(String(server.pid)), `pid ${server.pid} in "${words.trim()}"`);
  });
  await step("SIGTERM ends it with exit code 0", async () => {
    const code = await server.stop();
    expect(code === 0, `exit code 0, not ${code}; it said: ${server.tail()}`);
  });
  await step("it left nothing beside its data", async () => {
    const left = (await readdir(folder)).filter((name) => name !== "sluice" && name !== "data");
    expect(left.length === 0, `nothing, not ${left.join(", ")}`);
  });
}

/** The whole environment of the binary: nothing of ours, and no place for temporary files. */
function environment(extra: Record<string, string>): Record<string, string> {
  const noFolder = "/dev/null/none";
  return {
    PATH: "/usr/bin:/bin",
    HOME: noFolder,
    TMPDIR: noFolder,
    BUN_TMPDIR: noFolder,
    SLUICE_DATA: join(folder, "data"),
    SLUICE_PORT: "0",
    SLUICE_LOG: "json",
    // Port 9 of loopback takes nobody's call: the exchange cannot be reached.
    UPBIT_URL: "http://127.0.0.1:9",
    ...extra,
  };
}

async function run(args: readonly string[], extra: Record<string, string> = {}) {
  const child = Bun.spawn(guarded([binary, ...args], "SIGTERM"), {
    cwd: folder,
    env: environment(extra),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: startSeconds * 1000,
  });
  const [said, complained, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { said, complained, code };
}

/** A server in the background; `url` rejects when it ends, or says nothing in time. */
function start(args: readonly string[]) {
  const child = Bun.spawn(guarded([binary, ...args], "SIGTERM"), {
    cwd: folder,
    env: environment({}),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  servers.add(child);
  const lines: string[] = [];
  const tail = () => lines.slice(-5).join(" | ") || "nothing";
  const { promise: url, resolve, reject } = Promise.withResolvers<string>();
  const late = setTimeout(
    () => reject(new Error(`no "listening" within ${startSeconds} s; it said: ${tail()}`)),
    startSeconds * 1000,
  );
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of stream) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = parts.pop() ?? "";
      for (const line of parts) {
        lines.push(line);
        const at = listeningAt(line);
        if (at !== null) resolve(at);
      }
    }
  };
  const reading = Promise.all([read(child.stdout), read(child.stderr)]);
  url.catch(() => {}).finally(() => clearTimeout(late));
  child.exited.then(async (code) => {
    await reading;
    servers.delete(child);
    reject(new Error(`it ended with ${code}; it said: ${tail()}`));
  });
  const stop = async () => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), stopSeconds * 1000);
    const code = await child.exited;
    clearTimeout(timer);
    return code;
  };
  return { pid: child.pid, url, tail, stop };
}

/** The address in `{"event":"listening","url":...}`, or null for any other line. */
function listeningAt(line: string): string | null {
  try {
    const { event, url } = JSON.parse(line);
    return event === "listening" && typeof url === "string" ? url.replace(/\/$/, "") : null;
  } catch {
    return null;
  }
}

async function step(name: string, act: () => Promise<void>): Promise<void> {
  const begun = performance.now();
  const fault = await act().then(() => null, reasonOf);
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  console.log(`${fault === null ? "ok  " : "FAIL"} ${name}, ${seconds} s`);
  if (fault !== null) console.log(`     ${fault}`);
  totals[fault === null ? "passed" : "failed"] += 1;
}

function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(`expected ${what}`);
}

async function cleanUp(): Promise<void> {
  for (const child of servers) child.kill("SIGKILL");
  await Promise.all([...servers].map((child) => child.exited));
  await rm(folder, { recursive: true, force: true });
}
