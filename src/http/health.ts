/*
 * What machines ask of the process itself: does it live, can it answer, how is it doing.
 */
import { SluiceError } from "../errors.ts";
import { iso } from "../types.ts";
import { healthAnswer, readyAnswer } from "./answers.ts";
import { type OpenRoute, type Route, route } from "./route.ts";
import type { Check, HttpServices } from "./services.ts";

/** How old the view of the aliases may be; it is read anew every second. */
const VIEW_MS = 30_000;
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
  handle: async ({ services, unavailable, tell }) => {
    if (services === null) {
      const start = { name: "start", ok: false, detail: unavailable!.message };
      return tell(unavailable!, { checks: [start] });
    }
    const { checks, trouble } = await readiness(services);
    const told = checks.map(({ since, ...check }) =>
      since === undefined ? check : { ...check, since: iso(since) },
    );
    if (trouble !== null) return tell(trouble, { checks: told });
    return { status: "ready", checks: told };
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

/** Every check, and what says that the server is not ready, if it is not. */
export async function readiness(services: HttpServices) {
  const checks = await checksOf(services);
  const failed = checks.filter((check) => !check.ok && check.blocking !== false);
  return { checks, trouble: failed.length > 0 ? notReady(failed) : null };
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
        // A file that once was registered must not keep all others from being asked.
        ...(champion === null && trouble === null ? {} : { blocking: false }),
      },
    ];
  });
  const age = Date.now() - champions.readAt();
  const view: Check = {
    name: "aliases",
    ok: age <= VIEW_MS,
    detail: champions.readAt() === 0 ? "not read yet" : `read ${Math.round(age / 1000)} s ago`,
  };
  return [...loaded, ...registered, view, ...(await othersOf(services))];
}

const NO_ROWS = "is a table that nothing was learned from yet: import rows, then train";

/** The app's own checks; one that hangs is itself the finding. */
async function othersOf(services: HttpServices): Promise<readonly Check[]> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<readonly Check[]>((resolve) => {
    const detail = `no answer in ${CHECKS_MS / 1000} s`;
    timer = setTimeout(() => resolve([{ name: "checks", ok: false, detail }]), CHECKS_MS);
  });
  try {
    return await Promise.race([services.checks(), late]);
  } catch (thrown) {
    services.log.warn("checks_failed", { reason: String(thrown) });
    return [{ name: "checks", ok: false, detail: "failed; the log tells why" }];
  } finally {
    clearTimeout(timer);
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
