/*
 * A stream of rows asked of one version, from its first row to its last, whatever replaces it
 * meanwhile.
 */
import { SluiceError } from "../errors.ts";
import type { Served } from "../serve/versions.ts";
import { answeringOf } from "./answering.ts";
import { checkHead } from "./body.ts";
import { answerLines, LINES_LIMIT, LINES_SILENCE_MS, lineAnswer } from "./ndjson.ts";
import { rowAnswers } from "./ndjson-rows.ts";
import { noteRows } from "./observe.ts";
import { asTold } from "./problem.ts";
import type { Ref } from "./ref.ts";
import type { Call } from "./route.ts";

/** Rows explained together: an explanation takes some ten times as long as the answer. */
const EXPLAINED = 64;

/**
 * The answer to a body of lines; the version is held until it has been given. Rejects with what
 * keeps it from beginning: `unknown_model`, `not_ready`, `body_too_large` and the like.
 */
export function predictLines(
  { services, request, metrics, arrival }: Call,
  { model, version }: Ref,
  type: string,
  isExplained: boolean,
): Promise<Response> {
  checkHead(request, LINES_LIMIT);
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  const work = async (served: Served): Promise<void> => {
    arrival.served = served;
    const watch = metrics.serving(model, served.version);
    const answering = answeringOf(served, { isExplained, watch, recall: null });
    const answer = rowAnswers((instances) => answering.json({ instances }));
    const texts = answerLines(request, {
      answer: async (values) => {
        const answers = await answer(values);
        noteRows(arrival, metrics, answers.length);
        return answers;
      },
      requestId: arrival.requestId,
      onError: (thrown) => {
        arrival.thrown = thrown;
        metrics.problem(asTold(thrown, "").code);
        if (thrown instanceof SluiceError) return;
        const { requestId, route } = arrival;
        const stack = thrown instanceof Error ? thrown.stack : undefined;
        services.log.error("stream_failed", { request_id: requestId, route, stack });
      },
      ...(isExplained ? { chunk: EXPLAINED } : {}),
    });
    const { response, ended } = lineAnswer(texts, {
      headers: {
        "content-type": type,
        "cache-control": "no-store",
        "x-model": model,
        "x-model-version": `${served.version}`,
        "x-model-digest": served.digest,
        ...(services.config.simulated ? { "x-simulated": "true" } : {}),
      },
      silenceMs: LINES_SILENCE_MS,
    });
    resolve(response);
    await ended;
  };
  Promise.resolve(services.served.use(model, version, work)).catch(reject);
  return promise;
}
