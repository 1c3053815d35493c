/*
 * The answers of the routes that commands read: only the members that they show. A member that a
 * server of another version does not send is shown as `-`.
 */

export interface ListAnswer<Item> {
  readonly items: readonly Item[];
  /** What to ask for next, or null at the end. */
  readonly next: string | null;
}

/** GET /v1/models */
export interface ModelAnswer {
  readonly name: string;
  readonly kind: string;
  readonly champion: {
    readonly version: number;
    readonly digest: string;
    readonly since: string;
  } | null;
  readonly challenger: { readonly version: number } | null;
  readonly schedule?: { readonly cron?: string; readonly paused?: boolean } | null;
  readonly last_run?: LastRun | null;
  readonly live?: {
    readonly n: number;
    readonly hit_rate: number | null;
    readonly baselines: Readonly<Record<string, number | null>>;
  } | null;
}

/** The newest pipeline run of a model. */
export interface LastRun {
  readonly id: string;
  readonly status: string;
  readonly slot: string;
  readonly ended_at?: string | null;
}

/** GET /v1/models/{m}/forecast */
export interface ForecastAnswer {
  readonly model: { readonly name: string; readonly version: number; readonly digest: string };
  readonly market: string;
  readonly made_at: string;
  readonly last_closed: { readonly start: string; readonly close: number } | null;
  readonly target: { readonly start: string; readonly close: string };
  readonly up: number | null;
  readonly quantiles: { readonly p10: number; readonly p50: number; readonly p90: number } | null;
  readonly skill: {
    readonly log_loss: number;
    readonly baseline_log_loss: number;
    readonly better: boolean;
  };
  readonly abstain: { readonly reason: string; readonly detail: string } | null;
  readonly simulated?: boolean;
}

/** POST /v1/models/{m}/predict */
export interface PredictAnswer {
  readonly model: { readonly name: string; readonly version: number; readonly digest: string };
  readonly predictions: readonly {
    readonly id?: string | number | null;
    readonly label?: string | number | null;
    readonly probability?: number | null;
    readonly contributions?: Readonly<Record<string, number>>;
  }[];
}

/** GET /v1/pipelines/{p}/runs, and with steps GET /admin/pipelines/{p}/runs/{id} */
export interface RunAnswer {
  readonly id: string;
  readonly pipeline: string;
  readonly slot: string;
  readonly kind: string;
  readonly status: string;
  readonly attempts: number;
  readonly reason: string | null;
  readonly detail: string | null;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly steps: readonly StepAnswer[];
}

export interface StepAnswer {
  readonly step: string;
  readonly status: string;
  readonly attempts: number;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly result: Readonly<Record<string, unknown>> | null;
  readonly log: readonly string[];
}

/** GET /v1/runs: trainings, newest first */
export interface TrainingAnswer {
  readonly id: string;
  readonly model: string;
  readonly status: string;
  readonly version: number | null;
  readonly started_at: string;
  readonly ended_at: string | null;
  readonly metrics: Readonly<Record<string, number | null>>;
}

/** GET /admin/verify */
export interface VerifyAnswer {
  readonly market: string;
  readonly verdict: "pass" | "warn" | "fail";
  readonly from: string;
  readonly to: string;
  readonly checks: readonly {
    readonly name: string;
    readonly verdict: "pass" | "warn" | "fail";
    readonly detail: string;
    readonly accepted: string;
  }[];
}

/** POST /admin/models/{m}/promote and /rollback */
export interface MovedAnswer {
  readonly name: string;
  readonly version: number;
  readonly previous: number | null;
  readonly digest: string;
}

/** GET /admin/tokens; POST answers one of them with the token itself. */
export interface TokenAnswer {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly created_at: string;
  readonly revoked_at: string | null;
}
