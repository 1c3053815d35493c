/*
 * Pipeline runs and their steps. A run is claimed under a lease; every later write repeats the
 * lease's token, so that a worker that lost it can change nothing, and nothing leaves a terminal
 * state. Leases are in this machine's real time: a replayed clock may stand still.
 */
import { and, asc, desc, eq, inArray, lt, or, type SQL, sql } from "drizzle-orm";
import { SluiceError } from "../errors.ts";
import type { Instant } from "../types.ts";
import type { Database, Orm } from "./database.ts";
import { pipelineRuns, pipelines, steps } from "./schema.ts";

export type PipelineRun = typeof pipelineRuns.$inferSelect;
export type Step = typeof steps.$inferSelect;
export type Ending = "succeeded" | "failed" | "skipped";

/** What a worker holds while it works on a run. */
export interface Lease {
  readonly runId: string;
  readonly token: string;
}

type Wanted = Pick<PipelineRun, "pipeline" | "slot" | "kind"> & {
  readonly options?: PipelineRun["options"];
};

export const LEASE_MS = 60_000;
const MAX_ATTEMPTS = 3;

export type PipelineRuns = ReturnType<typeof makePipelineRuns>;

/** The SQL of pipeline runs; `clock` stamps what people read, leases use real time. */
export function makePipelineRuns(database: Database, clock: { now(): Instant }) {
  const { orm } = database;

  /** The run asked for; for kind `slot` the one that is there already, if any. */
  async function request(
    wanted: Wanted,
    stepNames: readonly string[],
  ): Promise<{ run: PipelineRun; created: boolean }> {
    for (;;) {
      const made = await insertRun(wanted, stepNames);
      if (made !== null) return { run: made, created: true };
      const run = await liveOfSlot(wanted);
      // The one that stood in the way may have failed since: then there is room again.
      if (run !== undefined) return { run, created: false };
    }
  }

  async function insertRun(
    wanted: Wanted,
    stepNames: readonly string[],
  ): Promise<PipelineRun | null> {
    const id = Bun.randomUUIDv7();
    return orm.transaction(async (tx) => {
      const inserted = await tx
        .insert(pipelineRuns)
        .values({ ...wanted, id, status: "queued", createdAt: clock.now() })
        .onConflictDoNothing()
        .returning();
      const run = inserted[0];
      if (run === undefined) return null;
      await tx.insert(steps).values(
        stepNames.map((step, position) => ({
          runId: id,
          step,
          position,
          status: "waiting" as const,
        })),
      );
      return run;
    });
  }

  async function liveOfSlot(wanted: Wanted): Promise<PipelineRun | undefined> {
    const rows = await orm
      .select()
      .from(pipelineRuns)
      .where(
        and(
          eq(pipelineRuns.pipeline, wanted.pipeline),
          eq(pipelineRuns.slot, wanted.slot),
          eq(pipelineRuns.kind, "slot"),
          sql`status not in ('failed', 'crashed')`,
        ),
      );
    return rows[0];
  }

  /** Takes a queued run, or null when it is not queued or another of its pipeline runs. */
  async function claim(runId: string, holder: string): Promise<Lease | null> {
    const token = crypto.randomUUID();
    const claimed = await orm
      .update(pipelineRuns)
      .set({
        status: "running",
        leaseToken: token,
        leaseHolder: holder,
        leaseUntil: Date.now() + LEASE_MS,
        attempts: sql`attempts + 1`,
        startedAt: sql`coalesce(started_at, ${new Date(clock.now()).toISOString()}::timestamptz)`,
      })
      .where(and(eq(pipelineRuns.id, runId), eq(pipelineRuns.status, "queued")))
      .returning({ id: pipelineRuns.id })
      .catch((thrown) => {
        if (isUniqueViolation(thrown)) return [];
        throw thrown;
      });
    return claimed.length === 1 ? { runId, token } : null;
  }

  const held = (lease: Lease): SQL =>
    and(
      eq(pipelineRuns.id, lease.runId),
      eq(pipelineRuns.status, "running"),
      eq(pipelineRuns.leaseToken, lease.token),
    )!;

  /** Prolongs the lease; false when it was lost. */
  async function heartbeat(lease: Lease): Promise<boolean> {
    const rows = await orm
      .update(pipelineRuns)
      .set({ leaseUntil: Date.now() + LEASE_MS })
      .where(held(lease))
      .returning({ id: pipelineRuns.id });
    return rows.length === 1;
  }

  /** Locks the run's row for the rest of the transaction; throws `lease_lost` when it is lost. */
  async function assertHeld(tx: Orm, lease: Lease): Promise<void> {
    const rows = await tx
      .select({ id: pipelineRuns.id })
      .from(pipelineRuns)
      .where(held(lease))
      .for("update");
    if (rows.length === 0) throw leaseLost(lease);
  }

  /** Ends a run that is held; the row keeps who ended it and why. */
  async function finish(
    lease: Lease,
    status: Ending,
    reason: string | null = null,
    detail: string | null = null,
  ): Promise<void> {
    const rows = await orm
      .update(pipelineRuns)
      .set({
        status,
        reason,
        detail,
        endedAt: clock.now(),
        leaseToken: null,
        leaseHolder: null,
        leaseUntil: null,
      })
      .where(held(lease))
      .returning({ id: pipelineRuns.id });
    if (rows.length === 0) throw leaseLost(lease);
  }

  /** Gives a held run back unfinished (shutdown), to be resumed at the step that did not end. */
  async function giveBack(lease: Lease): Promise<void> {
    await orm.transaction(async (tx) => {
      const rows = await tx
        .update(pipelineRuns)
        .set({
          status: "queued",
          leaseToken: null,
          leaseHolder: null,
          leaseUntil: null,
          attempts: sql`attempts - 1`,
        })
        .where(held(lease))
        .returning({ id: pipelineRuns.id });
      if (rows.length === 1) await resetRunningSteps(tx, lease.runId, "waiting");
    });
  }

  /**
   * Frees runs whose lease ran out or whose holder is known dead: queued again to be resumed, or
   * `crashed` for good after the third attempt. Returns what was freed.
   */
  async function freeLost(isDead: (holder: string) => boolean): Promise<PipelineRun[]> {
    const running = await orm.select().from(pipelineRuns).where(eq(pipelineRuns.status, "running"));
    const lost = running.filter(
      (run) => (run.leaseUntil ?? 0) < Date.now() || isDead(run.leaseHolder ?? ""),
    );
    const freed: PipelineRun[] = [];
    for (const run of lost) {
      const again = run.attempts < MAX_ATTEMPTS;
      const rows = await orm.transaction(async (tx) => {
        const updated = await tx
          .update(pipelineRuns)
          .set({
            status: again ? "queued" : "crashed",
            reason: "worker_lost",
            detail: `Attempt ${run.attempts} ended without a word from ${run.leaseHolder}.`,
            endedAt: again ? null : clock.now(),
            leaseToken: null,
            leaseHolder: null,
            leaseUntil: null,
          })
          // A worker that has prolonged its lease meanwhile is not lost.
          .where(
            and(
              held({ runId: run.id, token: run.leaseToken ?? "" }),
              eq(pipelineRuns.leaseUntil, run.leaseUntil ?? 0),
            ),
          )
          .returning();
        if (updated.length === 1) {
          await resetRunningSteps(tx, run.id, again ? "waiting" : "crashed");
        }
        return updated;
      });
      freed.push(...rows);
    }
    return freed;
  }

  async function resetRunningSteps(tx: Orm, runId: string, status: "waiting" | "crashed") {
    await tx
      .update(steps)
      .set({ status })
      .where(and(eq(steps.runId, runId), eq(steps.status, "running")));
  }

  /** Ends queued runs of slots before `slot`: the newest one catches up for all of them. */
  async function supersede(pipeline: string, slot: Instant): Promise<void> {
    await orm
      .update(pipelineRuns)
      .set({
        status: "skipped",
        reason: "superseded",
        detail: "A run for a newer slot does its work.",
        endedAt: clock.now(),
      })
      .where(
        and(
          eq(pipelineRuns.pipeline, pipeline),
          eq(pipelineRuns.kind, "slot"),
          eq(pipelineRuns.status, "queued"),
          lt(pipelineRuns.slot, slot),
        ),
      );
  }

  const stepsOf = (runId: string): Promise<Step[]> =>
    orm.select().from(steps).where(eq(steps.runId, runId)).orderBy(asc(steps.position));

  /** Writes to a step of a held run; throws `lease_lost` otherwise. */
  async function updateStep(lease: Lease, step: string, set: StepChange): Promise<void> {
    await orm.transaction(async (tx) => {
      await assertHeld(tx, lease);
      await tx
        .update(steps)
        .set(set)
        .where(and(eq(steps.runId, lease.runId), eq(steps.step, step)));
    });
  }

  const startStep = (lease: Lease, step: string) =>
    updateStep(lease, step, {
      status: "running",
      startedAt: clock.now(),
      endedAt: null,
      attempts: sql`attempts + 1`,
    });

  const endStep = (
    lease: Lease,
    step: string,
    status: Ending,
    result: Record<string, unknown> | null,
    elapsedMs: number,
  ) => {
    const whole = Math.round(elapsedMs);
    return updateStep(lease, step, { status, result, endedAt: clock.now(), elapsedMs: whole });
  };

  const logStep = (lease: Lease, step: string, line: string) =>
    updateStep(lease, step, {
      log: sql`array_append(log, ${`${new Date(clock.now()).toISOString()} ${line}`}::text)`,
    });

  const run = async (id: string): Promise<PipelineRun | null> =>
    (await orm.select().from(pipelineRuns).where(eq(pipelineRuns.id, id)))[0] ?? null;

  const open = (): Promise<PipelineRun[]> =>
    orm
      .select()
      .from(pipelineRuns)
      .where(inArray(pipelineRuns.status, ["queued", "running"]))
      .orderBy(asc(pipelineRuns.id));

  /** Runs of one slot, newest first: how often it was tried. */
  const ofSlot = (pipeline: string, slot: Instant): Promise<PipelineRun[]> =>
    orm
      .select()
      .from(pipelineRuns)
      .where(
        and(
          eq(pipelineRuns.pipeline, pipeline),
          eq(pipelineRuns.slot, slot),
          eq(pipelineRuns.kind, "slot"),
        ),
      )
      .orderBy(desc(pipelineRuns.id));

  /** Runs newest first; `before` is the last id and slot of the page before. */
  const list = (
    pipeline: string,
    limit: number,
    before: { slot: Instant; id: string } | null,
  ): Promise<PipelineRun[]> =>
    orm
      .select()
      .from(pipelineRuns)
      .where(
        and(
          eq(pipelineRuns.pipeline, pipeline),
          before === null
            ? undefined
            : or(
                lt(pipelineRuns.slot, before.slot),
                and(eq(pipelineRuns.slot, before.slot), lt(pipelineRuns.id, before.id)),
              ),
        ),
      )
      .orderBy(desc(pipelineRuns.slot), desc(pipelineRuns.id))
      .limit(limit);

  const pause = async (pipeline: string, pausedAt: Instant | null): Promise<void> => {
    await orm
      .insert(pipelines)
      .values({ pipeline, pausedAt })
      .onConflictDoUpdate({ target: pipelines.pipeline, set: { pausedAt } });
  };

  const paused = async (): Promise<Set<string>> =>
    new Set(
      (await orm.select().from(pipelines))
        .filter((row) => row.pausedAt !== null)
        .map((row) => row.pipeline),
    );

  return {
    request,
    claim,
    heartbeat,
    assertHeld,
    finish,
    giveBack,
    freeLost,
    supersede,
    stepsOf,
    startStep,
    endStep,
    logStep,
    run,
    open,
    ofSlot,
    list,
    pause,
    paused,
  };
}

type StepChange = Partial<{
  [Key in keyof Step]: Step[Key] | SQL;
}>;

const leaseLost = (lease: Lease): SluiceError =>
  new SluiceError({
    code: "lease_lost",
    status: 409,
    detail: `This worker no longer holds pipeline run ${lease.runId}.`,
    fix: "Nothing: another worker resumes the run.",
  });

/** SQL state 23505, on the error itself or on the driver's error inside Drizzle's. */
export function isUniqueViolation(thrown: unknown): boolean {
  const { code, cause } = (thrown ?? {}) as { code?: unknown; cause?: { code?: unknown } };
  return code === "23505" || cause?.code === "23505";
}
