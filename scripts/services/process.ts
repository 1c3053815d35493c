/*
 * Starting a service of our own and ending exactly that one: by its pid, never by name.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";

export interface Launch {
  readonly name: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Everything the service prints; its tail is quoted when the service does not start. */
  readonly log: string;
  /** The signal that asks for a quick but clean end. */
  readonly signal?: "SIGTERM" | "SIGINT";
  /** Run as this user (root only): Postgres refuses to run as root. */
  readonly user?: string;
  /** Milliseconds from the polite signal to SIGKILL; five seconds unless told. */
  readonly patience?: number;
}

export interface Running {
  readonly pid: number;
  /** True once the process has ended, whatever ended it. */
  readonly ended: () => boolean;
  readonly stop: () => Promise<void>;
}

const isLinux = process.platform === "linux";
const setpriv = isLinux ? Bun.which("setpriv") : null;

/**
 * The command that runs `command` as `user`, and that the kernel ends when we die: a killed test
 * run leaves no server behind. Without setpriv the command is returned as it is.
 */
export function guarded(command: readonly string[], signal: string, user?: string): string[] {
  if (setpriv === null) return [...command];
  const as =
    user === undefined ? [] : [`--reuid=${user}`, `--regid=${groupOf(user)}`, "--init-groups"];
  return [setpriv, "--pdeathsig", signal.replace("SIG", ""), ...as, ...command];
}

/** The primary group of a user, by number; throws when there is no such user. */
export const groupOf = (user: string): number => idOf("-g", user);

/** The number of a user; throws when there is no such user. */
export const userOf = (user: string): number => idOf("-u", user);

function idOf(flag: "-g" | "-u", user: string): number {
  const { stdout, exitCode } = Bun.spawnSync(["id", flag, user]);
  if (exitCode !== 0) throw new Error(`No user ${user} on this machine.`);
  return Number(stdout.toString());
}

/** Starts a service; `stop` asks, waits its patience out, then kills that pid. */
export function launch(options: Launch): Running {
  const { name, command, env, log, signal = "SIGTERM", user, patience = 5_000 } = options;
  const child = Bun.spawn(guarded(command, signal, user), {
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: Bun.file(log),
    stderr: Bun.file(log),
  });
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  const stop = async () => {
    if (ended()) return;
    child.kill(signal);
    const timer = setTimeout(() => {
      console.error(`${name}: pid ${child.pid} outlived ${signal} by ${patience} ms; killing it`);
      child.kill("SIGKILL");
    }, patience);
    await child.exited;
    clearTimeout(timer);
  };
  return { pid: child.pid, ended, stop };
}

/**
 * Waits until `probe` resolves. Throws with the tail of the log when the process ends first or
 * `seconds` pass.
 */
export async function untilReady(
  { name, log }: Launch,
  service: Running,
  probe: () => Promise<unknown>,
  seconds = 120,
): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  let last: unknown;
  while (performance.now() < deadline && !service.ended()) {
    try {
      await probe();
      return;
    } catch (thrown) {
      last = thrown;
      await Bun.sleep(100);
    }
  }
  const why = service.ended() ? "ended at once" : `did not answer within ${seconds} s (${last})`;
  const said = (await readFile(log, "utf8").catch(() => "")).trim().split("\n").slice(-5);
  throw new Error(`${name} ${why}; it said: ${said.join(" | ") || "nothing"}`);
}

/** A loopback port that nothing listens on now. */
export function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = probe;
  probe.stop(true);
  return port;
}

/** The first of `places` (or PATH) that holds the program, or null. */
export function findProgram(program: string, places: readonly string[] = []): string | null {
  const here = places.map((place) => `${place}/${program}`).find((path) => existsSync(path));
  return Bun.which(program) ?? here ?? null;
}
