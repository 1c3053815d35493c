/*
 * Telling a model that cannot answer any more from a request that it could not answer. After a
 * failure that may be the model's own, it is asked what it was tried with before it served: one
 * that fails at that too is of no use to anybody, and is to be loaded anew.
 */
import { reasonOf, SluiceError } from "../errors.ts";
import { inTime, noAnswer } from "../late.ts";

export interface HealthOptions {
  /** How long a model may take to answer what it was tried with; then it counts as failing. */
  readonly patienceMs?: number;
}

/** Looks after models of one kind. */
export interface Health<Model extends object> {
  /**
   * Work with the model threw. `onFailing` is called with a `model_failing` (503) when the model
   * fails at what it was tried with as well, and `toldOf` gives that in place of what was thrown.
   */
  watch(model: Model, thrown: unknown, onFailing: (trouble: SluiceError) => void): void;
}

/** What came of looking, by what was thrown: work that succeeds pays nothing for it. */
const verdicts = new WeakMap<object, Promise<SluiceError | null>>();

/** What is to be told of something that was thrown: mostly itself. */
export async function toldOf(thrown: unknown): Promise<unknown> {
  const isKey = typeof thrown === "object" && thrown !== null;
  return (isKey ? await verdicts.get(thrown) : null) ?? thrown;
}

const PATIENCE_MS = 1_000;

/** Codes of what the model itself gave as a reason, rightly or not. */
const SUSPECT = new Set(["inference_refused", "non_finite_output"]);

/** Whether it may be the model that failed, and not what was asked of it. */
const isSuspect = (thrown: unknown): boolean =>
  !(thrown instanceof SluiceError) || SUSPECT.has(thrown.code);

/** `attempt` asks a model what it was tried with before it served. */
export function makeHealth<Model extends object>(
  attempt: (model: Model) => Promise<unknown>,
  { patienceMs = PATIENCE_MS }: HealthOptions = {},
): Health<Model> {
  // However many calls fail at once, the model is asked once.
  const under = new WeakMap<Model, Promise<SluiceError | null>>();

  async function look(model: Model): Promise<SluiceError | null> {
    try {
      await inTime(attempt(model), patienceMs, noAnswer(patienceMs));
      return null;
    } catch (thrown) {
      return failing(thrown);
    }
  }

  return {
    watch: (model, thrown, onFailing) => {
      if (!isSuspect(thrown)) return;
      let looking = under.get(model);
      if (looking === undefined) {
        looking = look(model).finally(() => under.delete(model));
        under.set(model, looking);
      }
      const verdict = looking.then((trouble) => {
        if (trouble !== null) onFailing(trouble);
        return trouble;
      });
      if (typeof thrown === "object" && thrown !== null) verdicts.set(thrown, verdict);
    },
  };
}

const failing = (cause: unknown): SluiceError =>
  new SluiceError({
    code: "model_failing",
    status: 503,
    detail: `The loaded model answers nothing any more: ${reasonOf(cause)}.`,
    fix: "Try again in a second: it is loaded anew, and serves once it answers what it is tried with.",
    retryAfter: 1,
    cause,
  });
