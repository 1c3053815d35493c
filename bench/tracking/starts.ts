/*
 * From the start of the process to the first 200 of /health, and what it holds when it is asked
 * nothing.
 */
import { join } from "node:path";
import { median } from "../serve/table.ts";
import { run, type Side, type Stores } from "./sides.ts";

export interface Starts {
  readonly title: string;
  /** Milliseconds on empty stores, and on those that an earlier start left. */
  readonly firstMs: number;
  readonly againMs: number;
  /** Processor time until then on empty stores, milliseconds. */
  readonly cpuMs: number;
  /** Resident memory of all its processes, bytes, and the same with shared pages shared out. */
  readonly residentBytes: number;
  readonly proportionalBytes: number;
}

const IDLE_MS = 8_000;

/** Starts it `first` times on empty stores, each followed by a start on what that one left. */
export async function measureStarts(
  side: Side,
  times: number,
  makeStores: (folder: string) => Promise<Stores>,
  folder: string,
): Promise<Starts> {
  const first: number[] = [];
  const cpu: number[] = [];
  const again: number[] = [];
  let [residentBytes, proportionalBytes] = [Number.NaN, Number.NaN];
  for (let i = 0; i < times; i++) {
    const stores = await makeStores(join(folder, `start-${i}`));
    const made = await run(side, stores);
    first.push(made.coldMs);
    cpu.push(made.cpuMs());
    await made.stop();
    const server = await run(side, stores);
    again.push(server.coldMs);
    if (i === times - 1) {
      await Bun.sleep(IDLE_MS);
      residentBytes = server.residentBytes();
      proportionalBytes = server.proportionalBytes();
    }
    await server.stop();
  }
  return {
    ...{ title: side.title, firstMs: median(first), againMs: median(again), cpuMs: median(cpu) },
    ...{ residentBytes, proportionalBytes },
  };
}
