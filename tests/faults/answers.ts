/*
 * How requests were answered: refused only while something was broken, and always properly.
 */
import type { Counted, CountOne } from "./counts.ts";

/** What a replica needs to be itself again after a fault: it may have to start. */
export const HEAL_MS = 10_000;

export function countAnswers({ witness, injector }: Counted, count: CountOne): void {
  const { looks } = witness;
  const first = new Map<string, number>();
  for (const { path, status, to } of looks) {
    if (status === 200 && !first.has(path)) first.set(path, to);
  }
  // Before the first training has ended there is no champion to speak of.
  const told = looks.filter(({ path, from }) => {
    const since = first.get(path);
    return since !== undefined && from >= since + HEAL_MS;
  });
  const failed = looks.filter(({ status }) => status !== 200);
  const improper = failed.filter((look) => look.isImproper);
  const codes = Map.groupBy(failed, ({ status, said }) => `${status} ${said}`);
  const list = [...codes].map(([name, of]) => `${of.length} ${name}`).sort();
  count(
    "requests, of them answered",
    `${looks.length}, ${looks.length - failed.length}; others: ${list.join(", ") || "none"}`,
    failed.length < looks.length / 2,
  );
  count(
    "errors that are no problem details",
    `${improper.length}${improper[0] === undefined ? "" : `: ${improper[0].said}`}`,
    improper.length === 0,
  );
  const blamed = failed.filter(({ status }) => status >= 400 && status < 500);
  count("errors that blame the caller", `${blamed.length}`, blamed.length === 0);
  const undue = told.filter(
    ({ status, from, to }) => status !== 200 && !injector.disturbed(from, to, HEAL_MS),
  );
  const shown = undue[0];
  count(
    "requests refused while nothing was broken",
    `${undue.length}${shown === undefined ? "" : `: ${shown.status} ${shown.said} ${shown.path}`}`,
    undue.length === 0,
  );
}
