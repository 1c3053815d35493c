/*
 * What machines ask of the process itself: does it live, can it answer, how is it doing.
 */
import { SluiceError } from "../errors.ts";
import { inTime } from "../late.ts";
import type { View } from "../serve/aliases.ts";
import { iso } from "../types.ts";
import { healthAnswer, readyAnswer } from "./answers.ts";
import { type OpenRoute, type Route, route } from "./route.ts";
import type { Check, HttpServices } from "./services.ts";

/** How old the view of the aliases may be; it is read anew every second. */
const VIEW_MS = 10_000;
const CHECKS_MS = 2_000;

const healthz: OpenRoute = {
  method: "GET",
  path: "/healthz",
  group: "open",
  early: true,
  worker: true,
  tag: "health",
  summary: "Whether the process lives",
  gives: healthAnswer,
  handle: () => ({ status: "alive" }),
};

const readyz: OpenRoute = {
  method: "GET",
  path: "/readyz",
  group: "open",
  early: true,
  worker: true,
  tag: "health",
  summary: "Whether every configured model can answer",
  gives: readyAnswer,
  handle: async ({ services, unavailable, leaving, tell }) => {
    const away = unavailable ?? leaving;
    const name = leaving === null ? "start" : "stop";
    const process = away === null ? [] : [{ name, ok: false, detail: away.message }];
    if (services === null) return tell(away!, { checks: process });
    const { checks, trouble } = await readiness(services);
    const told = [...process, ...checks.map(viewOf)];
    const untold = away ?? trouble;
    return untold === null ? { status: "ready", checks: told } : tell(untold, { checks: told });
  },
};

const metrics = route({
  method: "GET",
  path: "/metrics",
  group: "read",
  worker: true,
  tag: "health",
  summary: "Prometheus metrics",
  gives: "text/plain",
  handle: async ({ services, metrics }) =>
    new Response(await metrics.text(services), {
      headers: { "content-type": metrics.contentType, "cache-control": "no-store" },
    }),
});

export const healthRoutes: readonly Route[] = [healthz, readyz, metrics];

const viewOf = ({ since, ageMs, ...check }: Check) => ({
  ...check,
  ...(ageMs === undefined ? {} : { age_seconds: ageMs === null ? null : Math.round(ageMs) / 1000 }),
  ...(since === undefined ? {} : { since: iso(since) }),
});

/** Those that said once that they are ready: callers are sent to them. */
const relied = new WeakSet<HttpServices>();

/** Every check, and what says that the server is not ready, if it is not. */
export async function readiness(services: HttpServices) {
  const checks = await checksOf(services);
  const failed = checks.filter((check) => !check.ok && check.blocking !== false);
  if (failed.length > 0) return { checks, trouble: notReady(failed) };
  relied.add(services);
  return { checks, trouble: null };
}

/** Every check: each model's champion, the age of the view of aliases, and what the app adds. */
async function checksOf(services: HttpServices): Promise<readonly Check[]> {
  const { models, champions } = services;
  const loaded = [...models].map(([model, { kind }]): Check => {
    const { champion, trouble } = champions.state(model);
    // A table that nothing was learned from waits for its rows; others need not wait with it.
    const waits = kind === "table" && champion === null && trouble === null;
    const detail =
      champion === null
        ? (trouble?.message ?? (waits ? NO_ROWS : "has no champion yet"))
        : `version ${champion.version} serves${trouble === null ? "" : `; ${trouble.message}`}`;
    return {
      name: `model ${model}`,
      ok: champion !== null,
      detail,
      ...(waits ? { blocking: false } : {}),
    };
  });
  const registered = champions.names().flatMap((model): Check[] => {
    if (models.has(model)) return [];
    const { champion, trouble } = champions.state(model);
    const detail = champion === null ? "is being loaded" : `version ${champion.version} serves`;
    return [
      {
        name: `model ${model}`,
        ok: champion !== null,
        detail: trouble?.message ?? detail,
        // A start waits for what others serve already. What comes later is loaded by all replicas
        // at once, and one that does not load must not keep all others from being asked.
        ...(champion === null && trouble === null && !relied.has(services)
          ? {}
          : { blocking: false }),
      },
    ];
  });
  return [...loaded, ...registered, aliasesCheck(champions.view()), ...(await othersOf(services))];
}

/** Whether this replica knows of the moves of others; a promotion is none of its own for long. */
function aliasesCheck({ ageMs, blind }: View): Check {
  const read = ageMs === null ? "not read yet" : `read ${(ageMs / 1000).toFixed(1)} s ago`;
  return {
    name: "aliases",
    ok: ageMs !== null && ageMs <= VIEW_MS,
    detail: blind === null ? read : `${read}; ${blind.trouble.message}`,
    ageMs,
    ...(blind === null ? {} : { since: blind.since }),
  };
}

const NO_ROWS = "is a table that nothing was learned from yet: import rows, then train";

/** The app's own checks; one that hangs is itself the finding. */
async function othersOf(services: HttpServices): Promise<readonly Check[]> {
  const detail = `no answer in ${CHECKS_MS / 1000} s`;
  try {
    return await inTime(Promise.resolve(services.checks()), CHECKS_MS, () => [
      { name: "checks", ok: false, detail },
    ]);
  } catch (thrown) {
    services.log.warn("checks_failed", { reason: String(thrown) });
    return [{ name: "checks", ok: false, detail: "failed; the log tells why" }];
  }
}

const notReady = (failed: readonly Check[]): SluiceError =>
  new SluiceError({
    code: "not_ready",
    status: 503,
    detail: `Not ready: ${failed.map(({ name, detail }) => `${name}: ${detail}`).join("; ")}.`,
    fix: "Wait; `checks` tells of each. The first training of a model takes some minutes.",
    retryAfter: 1,
  });
