/*
 * Asks every replica all the time, and remembers each answer: what was acknowledged must be kept,
 * and what was refused must have been refused properly.
 */
import type { Forecast } from "../ask.ts";
import { ADMIN_TOKEN } from "../served.ts";
import type { Replica } from "./replicas.ts";

/** How one request ended. */
export interface Look {
  readonly replica: number;
  readonly path: string;
  readonly from: number;
  readonly to: number;
  /** The status, or 0 where no whole answer came. */
  readonly status: number;
  /** The problem's code, or what the client says. */
  readonly said: string;
  /** An answer of the 400s or 500s that is no problem details. */
  readonly isImproper: boolean;
}

export interface Witness {
  /** Every forecast that was acknowledged, by id, as it came first. */
  readonly forecasts: ReadonlyMap<string, Forecast>;
  /** How often. */
  readonly acknowledged: () => number;
  readonly looks: readonly Look[];
  /** Where a champion was missing, in words. */
  readonly broken: readonly string[];
  /** Where a forecast was told otherwise than before, in words. */
  readonly changed: readonly string[];
  stop(): Promise<void>;
}

const EVERY_MS = 300;
const DEADLINE_MS = 10_000;

/** Begins to ask about the models. */
export function startWitness(replicas: readonly Replica[], models: readonly string[]): Witness {
  const forecasts = new Map<string, Forecast>();
  const championSeen = new Set<string>();
  const looks: Look[] = [];
  const broken: string[] = [];
  const changed: string[] = [];
  let acknowledged = 0;
  let over = false;

  async function ask(replica: Replica, path: string): Promise<unknown> {
    const from = Date.now();
    const note = (status: number, said: string, isImproper = false) => {
      const to = Date.now();
      looks.push({ replica: replica.number, path, from, to, status, said, isImproper });
    };
    let answer: Response;
    let text: string;
    try {
      answer = await fetch(replica.url + path, {
        headers: { authorization: `Bearer ${ADMIN_TOKEN}`, connection: "close" },
        signal: AbortSignal.timeout(DEADLINE_MS),
      });
      text = await answer.text();
    } catch (thrown) {
      const { code, name } = thrown as { code?: unknown; name?: string };
      note(0, typeof code === "string" ? code : (name ?? "no answer"));
      return null;
    }
    const { status } = answer;
    if (status === 200) {
      note(status, "");
      return JSON.parse(text);
    }
    const code = problemCode(answer, text);
    note(status, code ?? text.slice(0, 200), code === null);
    return null;
  }

  async function watch(replica: Replica): Promise<void> {
    while (!over) {
      for (const model of models) {
        await Bun.sleep(EVERY_MS);
        if (!replica.isUp() || over) continue;
        const forecast = (await ask(replica, `/v1/models/${model}/forecast`)) as Forecast | null;
        if (forecast !== null) keep(replica, forecast);
        const state = (await ask(replica, `/v1/models/${model}`)) as {
          champion: unknown;
        } | null;
        if (state === null) continue;
        if (state.champion !== null) championSeen.add(model);
        else if (championSeen.has(model)) {
          broken.push(`replica ${replica.number} says that ${model} has no champion`);
        }
      }
    }
  }

  function keep({ number }: Replica, forecast: Forecast): void {
    acknowledged++;
    const before = forecasts.get(forecast.id);
    if (before === undefined) forecasts.set(forecast.id, forecast);
    else if (!Bun.deepEquals(before, forecast)) {
      const names = Object.keys(forecast) as (keyof Forecast)[];
      const other = names.filter((name) => !Bun.deepEquals(before[name], forecast[name]));
      changed.push(`replica ${number} tells ${other} of ${forecast.id} otherwise than before`);
    }
  }

  const asking = Promise.all(replicas.filter(({ role }) => role !== "worker").map(watch));
  return {
    forecasts,
    acknowledged: () => acknowledged,
    looks,
    broken,
    changed,
    stop: async () => {
      over = true;
      await asking;
    },
  };
}

/** The code of problem details that tell all they should, or null. */
function problemCode(answer: Response, text: string): string | null {
  if (!answer.headers.get("content-type")?.startsWith("application/problem+json")) return null;
  try {
    const { code, status, detail, fix } = JSON.parse(text) as Record<string, unknown>;
    const isWhole = status === answer.status && typeof detail === "string" && detail !== "";
    return isWhole && typeof code === "string" && typeof fix === "string" ? code : null;
  } catch {
    return null;
  }
}
