/*
 * A server as a process: started, asked until its first right answer, looked at, and ended with
 * all that it started itself.
 */
import { readdirSync, readFileSync } from "node:fs";
import { guarded } from "../../scripts/services/process.ts";
import { undoing } from "./undo.ts";

export interface Start {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Where everything that it prints goes. */
  readonly log: string;
}

export interface Server {
  readonly pid: number;
  /** Milliseconds from the start of the process to the first right answer. */
  readonly coldMs: number;
  /** Resident memory of the process and all that it started, bytes. */
  residentBytes(): number;
  /** The same, with what several processes share counted once. */
  proportionalBytes(): number;
  /** Processor time that they used so far, milliseconds. */
  cpuMs(): number;
  /** SIGTERM to these processes and no others, SIGKILL to what is left after ten seconds. */
  stop(): Promise<void>;
}

const LOOK_MS = 4;
const PATIENCE_MS = 180_000;
const STOP_MS = 10_000;
/** Ticks of the kernel's clock a second, as proc(5) counts times. */
const TICKS = 100;

/** Starts a server and waits until `ask` says that it answered rightly; throws when it does not. */
export async function startServer(start: Start, ask: () => Promise<boolean>): Promise<Server> {
  const begun = performance.now();
  const out = Bun.file(start.log);
  const child = Bun.spawn(guarded(start.command, "SIGKILL"), {
    cwd: start.cwd,
    env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "", ...start.env },
    stdin: "ignore",
    stdout: out,
    stderr: out,
  });
  const tree = () => treeOf(child.pid);
  const stop = undoing(async () => {
    const all = tree().map((pid) => ({ pid, started: statOf(pid)?.started }));
    const left = () => all.filter(({ pid, started }) => statOf(pid)?.started === started);
    // To all: MLflow ends without ending its server.
    for (const { pid } of all) kill(pid, "SIGTERM");
    const deadline = performance.now() + STOP_MS;
    while (left().length > 0 && performance.now() < deadline) await Bun.sleep(50);
    for (const { pid } of left()) kill(pid, "SIGKILL");
    await child.exited;
  });
  for (;;) {
    if (await ask().catch(() => false)) break;
    const ended = child.exitCode !== null || child.signalCode !== null;
    if (ended || performance.now() - begun > PATIENCE_MS) {
      await stop();
      const said = readFileSync(start.log, "utf8").trim().split("\n").slice(-15).join("\n");
      throw new Error(`${start.command.join(" ")} gave no right answer; it said:\n${said}`);
    }
    await Bun.sleep(LOOK_MS);
  }
  return {
    pid: child.pid,
    coldMs: performance.now() - begun,
    residentBytes: () => tree().reduce((sum, pid) => sum + residentOf(pid), 0),
    proportionalBytes: () => tree().reduce((sum, pid) => sum + proportionOf(pid), 0),
    cpuMs: () => tree().reduce((sum, pid) => sum + (statOf(pid)?.cpuMs ?? 0), 0),
    stop,
  };
}

/** A process and its descendants. */
function treeOf(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    const stat = /^\d+$/.test(name) ? statOf(Number(name)) : null;
    if (stat !== null) parents.set(Number(name), stat.parent);
  }
  const tree = [root];
  for (const at of tree) {
    for (const [pid, parent] of parents) if (parent === at) tree.push(pid);
  }
  return tree;
}

/** What proc(5) tells of a process, or null when it is gone or a zombie. */
function statOf(pid: number): { parent: number; cpuMs: number; started: string } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name of the program, in brackets, may hold blanks.
    const [state, ...fields] = text.slice(text.lastIndexOf(")") + 2).split(" ");
    if (state === "Z") return null;
    const ticks = Number(fields[10]) + Number(fields[11]);
    return {
      parent: Number(fields[0]),
      cpuMs: (ticks * 1_000) / TICKS,
      started: fields[18] ?? "",
    };
  } catch {
    return null;
  }
}

const residentOf = (pid: number): number => kilobytesIn(`/proc/${pid}/status`, /VmRSS:\s+(\d+)/);
const proportionOf = (pid: number): number =>
  kilobytesIn(`/proc/${pid}/smaps_rollup`, /^Pss:\s+(\d+)/m);

/** Bytes that a file of the kernel tells in kB; 0 when the process is gone. */
function kilobytesIn(path: string, pattern: RegExp): number {
  try {
    return Number(pattern.exec(readFileSync(path, "utf8"))?.[1] ?? 0) * 1_024;
  } catch {
    return 0;
  }
}

function kill(pid: number, signal: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself in between.
  }
}
