/*
 * One server alone: started, tried, warmed up, measured, ended.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../scripts/services/process.ts";
import { type Paced, runAtRate } from "./pace.ts";
import type { Peer, Place, Question } from "./peers.ts";
import { bodyOf } from "./rows.ts";
import { startServer } from "./server.ts";
import { type Load, loadBy } from "./wrk.ts";

export interface Plan {
  readonly connections: readonly number[];
  readonly seconds: number;
  readonly warmSeconds: number;
  /** How often it is started to measure that. */
  readonly starts: number;
  readonly one: Question;
  readonly hundred: Question;
}

/** One load, and the processor time of the server for each of its requests, in microseconds. */
export interface Line extends Load {
  readonly connections: number;
  readonly cpuUs: number;
}

export interface Measured {
  readonly title: string;
  readonly echoes: boolean;
  readonly one: readonly Line[];
  readonly hundred: readonly Line[];
  /** At half of the most single-row requests a second that were reached. */
  readonly half: Paced;
  /** Milliseconds from the start of the process to the first right answer, a start each. */
  readonly coldMs: readonly number[];
  readonly residentBytes: number;
}

/** Measures a peer; throws when an answer is not the one expected. */
export async function measurePeer(
  name: string,
  peer: Peer,
  place: Omit<Place, "port" | "folder"> & { readonly folder: string },
  plan: Plan,
): Promise<Measured> {
  const folder = join(place.folder, name);
  mkdirSync(folder, { recursive: true });
  const port = freePort();
  const url = `http://127.0.0.1:${port}${peer.path}`;
  const ask = async (question: Question): Promise<boolean> => {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: bodyOf(peer.form, question.rows),
      signal: AbortSignal.timeout(10_000),
      // A connection that rested during a measurement may be closed as it is used again.
      keepalive: false,
    });
    const text = await answer.text();
    return answer.ok && peer.isRight(JSON.parse(text), question);
  };
  const start = await peer.start({ ...place, port, folder });
  const coldMs: number[] = [];
  for (let i = 1; i < plan.starts; i++) {
    const server = await startServer(start, () => ask(plan.one));
    coldMs.push(server.coldMs);
    await server.stop();
  }
  const server = await startServer(start, () => ask(plan.one));
  coldMs.push(server.coldMs);
  try {
    const load = async (question: Question): Promise<Line[]> => {
      if (!(await ask(question))) throw new Error(`${name}: an answer is not the model's.`);
      const body = join(folder, `body-${question.rows.length}.json`);
      writeFileSync(body, bodyOf(peer.form, question.rows));
      await loadBy(url, body, 16, plan.warmSeconds);
      const lines: Line[] = [];
      for (const connections of plan.connections) {
        const cpu = server.cpuMs();
        const line = await loadBy(url, body, connections, plan.seconds);
        const cpuUs = ((server.cpuMs() - cpu) * 1_000) / line.requests;
        console.error(
          `${name}: ${question.rows.length} rows, ${connections} connections: ` +
            `${line.perSecond.toFixed(0)}/s, p99 ${line.p99.toFixed(2)} ms, ${line.failed} failed`,
        );
        lines.push({ ...line, connections, cpuUs });
      }
      return lines;
    };
    const one = await load(plan.one);
    const half = await runAtRate({
      ...{ url, connections: 64, seconds: plan.seconds },
      rate: Math.max(...one.map(({ perSecond }) => perSecond)) / 2,
      bodies: [bodyOf(peer.form, plan.one.rows)],
    });
    const hundred = await load(plan.hundred);
    const residentBytes = server.residentBytes();
    if (!(await ask(plan.one)))
      throw new Error(`${name}: an answer afterwards is not the model's.`);
    const { title, echoes = false } = peer;
    return { title, echoes, one, hundred, half, coldMs, residentBytes };
  } finally {
    await server.stop();
  }
}
