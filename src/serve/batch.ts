/*
 * Micro-batching: what comes while the runtime is at work is answered together by its next call.
 * A request that finds it idle is answered at once, and the wait of any other is the call before it,
 * so the delay is none without load and grows with it, to the time of one call of `mostRows`. First
 * come, first served; each has its own answer or its own error.
 */
import { SluiceError } from "../errors.ts";

/** Told of what happens to a request, for the metrics; times in seconds. */
export interface Watch {
  queued(seconds: number): void;
  /** One call of the runtime, of all rows that were joined in it. */
  run(rows: number, seconds: number): void;
}

export interface Batch<In, Out> {
  /**
   * The answer to one item. `queue_full` (429) when too many rows wait, `queued_too_long` (503)
   * when its turn did not come in time, or what its own rows cause.
   */
  ask(item: In, watch?: Watch): Promise<Out>;
  /** Rows that wait for their turn. */
  waiting(): number;
  /** Resolves when all that were asked before have their answer. */
  drained(): Promise<void>;
}

export interface BatchDeps<In, Out> {
  rowsOf(item: In): number;
  /**
   * Answers items by one call: an answer or an error for each, in their order. What it throws is
   * the fault of none of them alone; they are then tried one by one.
   */
  run(items: readonly In[]): Promise<readonly (Out | SluiceError)[]>;
  /** Whether two items can be joined; all can where nothing is told. */
  fits?(one: In, other: In): boolean;
  /** Rows of one call; an item with more has a call of its own. */
  readonly mostRows?: number;
  /** Rows that may wait. */
  readonly mostWaiting?: number;
  /** How long an item waits at most, milliseconds. */
  readonly mostMs?: number;
}

interface Waiting<In, Out> {
  readonly item: In;
  readonly rows: number;
  readonly since: number;
  readonly watch: Watch | undefined;
  readonly resolve: (answer: Out) => void;
  readonly reject: (thrown: unknown) => void;
}

const MOST_ROWS = 256;
const MOST_WAITING = 65_536;
const MOST_MS = 5_000;

/** A queue in front of calls that are made one after the other. */
export function makeBatch<In, Out>(deps: BatchDeps<In, Out>): Batch<In, Out> {
  const { mostRows = MOST_ROWS, mostWaiting = MOST_WAITING, mostMs = MOST_MS, fits } = deps;
  let queue: Waiting<In, Out>[] = [];
  let waiting = 0;
  /** The calls that are being made, until the queue is empty. */
  let working: Promise<void> | null = null;

  /** Takes from the front what one call can answer. */
  function take(): Waiting<In, Out>[] {
    const first = queue[0]!;
    let rows = first.rows;
    let count = 1;
    for (; count < queue.length; count++) {
      const next = queue[count]!;
      rows += next.rows;
      if (rows > mostRows || fits?.(first.item, next.item) === false) break;
    }
    const taken = queue.slice(0, count);
    queue = queue.slice(count);
    for (const one of taken) waiting -= one.rows;
    return taken;
  }

  async function work(): Promise<void> {
    while (queue.length > 0) {
      const now = performance.now();
      const [late, live] = partition(take(), ({ since }) => now - since > mostMs);
      for (const one of late) one.reject(tooLong(mostMs));
      for (const { watch, since } of live) watch?.queued((now - since) / 1000);
      if (live.length > 0) await call(live);
    }
    working = null;
  }

  async function call(live: readonly Waiting<In, Out>[]): Promise<void> {
    const began = performance.now();
    try {
      const answers = await deps.run(live.map(({ item }) => item));
      const rows = live.reduce((sum, one) => sum + one.rows, 0);
      live[0]?.watch?.run(rows, (performance.now() - began) / 1000);
      for (const [i, { resolve, reject }] of live.entries()) {
        const answer = answers[i]!;
        if (answer instanceof SluiceError) reject(answer);
        else resolve(answer);
      }
    } catch (thrown) {
      if (live.length === 1) live[0]!.reject(thrown);
      else for (const one of live) await call([one]);
    }
  }

  return {
    waiting: () => waiting,
    drained: async () => {
      await working;
    },
    ask: (item, watch) =>
      new Promise((resolve, reject) => {
        const rows = deps.rowsOf(item);
        if (waiting > 0 && waiting + rows > mostWaiting) throw full(waiting);
        waiting += rows;
        queue.push({ item, rows, since: performance.now(), watch, resolve, reject });
        working ??= work();
      }),
  };
}

function partition<T>(all: readonly T[], isFirst: (one: T) => boolean): [T[], T[]] {
  const [first, second]: [T[], T[]] = [[], []];
  for (const one of all) (isFirst(one) ? first : second).push(one);
  return [first, second];
}

const full = (waiting: number): SluiceError =>
  new SluiceError({
    code: "queue_full",
    status: 429,
    detail: `${waiting} rows are waiting for this model, as many as may.`,
    fix: "Send the request again after a second, or to another replica.",
    retryAfter: 1,
  });

const tooLong = (mostMs: number): SluiceError =>
  new SluiceError({
    code: "queued_too_long",
    status: 503,
    detail: `The model was not free for ${mostMs / 1000} s.`,
    fix: "Send the request again after some seconds, or to another replica.",
    retryAfter: 2,
  });
