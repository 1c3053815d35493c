/*
 * The replay: the exchange's clock goes a slot further, every pipeline is waited for, and so on.
 */
import type { SimulatedExchange } from "../../src/market/simulated.ts";
import { type Instant, iso, slotOf, UNIT_MS } from "../../src/types.ts";
import type { Database } from "./database.ts";
import type { Injector } from "./inject.ts";
import type { Planned } from "./plan.ts";

export interface Step {
  readonly slot: Instant;
  readonly tookMs: number;
  /** Pipelines whose run for the slot had not ended when the waiting did. */
  readonly late: readonly string[];
}

export interface ReplayDeps {
  readonly exchange: SimulatedExchange;
  readonly injector: Injector;
  readonly database: Database;
  readonly models: readonly string[];
  readonly say: (line: string) => void;
}

const LOOK_MS = 200;
/** The first slot brings all history, and the replicas have to start. */
const FIRST_WAIT_MS = 300_000;

/** Goes through the slots; the first step is the one at which the exchange stands. */
export async function replay(
  plan: readonly Planned[],
  { steps, waitMs, until }: { steps: number; waitMs: number; until: number },
  deps: ReplayDeps,
): Promise<Step[]> {
  const { exchange, injector } = deps;
  const done: Step[] = [];
  let slot = slotOf(exchange.now());
  for (let step = 0; step < steps; step++) {
    const mine = plan.filter((planned) => planned.step === step);
    if (step > 0) {
      const jumps = mine.map(({ fault }) => (fault.kind === "clock-forward" ? fault.slots : 0));
      const slots = 1 + jumps.reduce((a, b) => a + b, 0);
      slot += slots * UNIT_MS;
      exchange.advance(slots * UNIT_MS);
    }
    for (const { afterMs, fault } of mine) injector.begin(step, afterMs, fault);
    const waited = await waitFor(slot, step === 0 ? FIRST_WAIT_MS : waitMs, deps);
    done.push({ slot, ...waited });
    const late = waited.late.length === 0 ? "" : `, not waited for any longer: ${waited.late}`;
    deps.say(`slot ${step + 1} ${iso(slot)} ${(waited.tookMs / 1_000).toFixed(1)} s${late}`);
    if (Date.now() > until)
      throw new Error(`The time is over after ${step + 1} of ${steps} slots.`);
  }
  return done;
}

/** Waits until each pipeline's run of the slot has ended well, but not for ever. */
export async function waitFor(
  slot: Instant,
  waitMs: number,
  { database, models }: Pick<ReplayDeps, "database" | "models">,
): Promise<{ tookMs: number; late: string[] }> {
  const from = Date.now();
  let late = [...models];
  for (;;) {
    try {
      const rows = await database.rows<{ pipeline: string }>(
        `select pipeline from pipeline_runs where kind = 'slot' and slot = $1::timestamptz
          and status in ('succeeded', 'skipped')`,
        [iso(slot)],
        2_000,
      );
      late = models.filter((model) => !rows.some(({ pipeline }) => pipeline === model));
    } catch {
      // The database is what is being disturbed, or has no tables yet.
    }
    const tookMs = Date.now() - from;
    if (late.length === 0 || tookMs > waitMs) return { tookMs, late };
    await Bun.sleep(LOOK_MS);
  }
}
