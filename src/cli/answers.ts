/*
 * What the routes promise to answer, as types: the forms themselves are those of the server.
 */
import type { InferOutput } from "valibot";
import type * as forms from "../http/answers.ts";
import type { importAnswer, importsAnswer } from "../http/import-answers.ts";

export type ModelsAnswer = InferOutput<typeof forms.modelsAnswer>;
export type ModelItem = ModelsAnswer["items"][number];
export type PredictAnswer = InferOutput<typeof forms.predictAnswer>;
export type ForecastAnswer = InferOutput<typeof forms.forecastAnswer>;
/** A training: MLflow's run. */
export type RunsAnswer = InferOutput<typeof forms.runsAnswer>;
/** A pipeline's run with its steps. */
export type PipelineRunAnswer = InferOutput<typeof forms.pipelineRunAnswer>;
export type StepAnswer = PipelineRunAnswer["steps"][number];
export type IdAnswer = InferOutput<typeof forms.idAnswer>;
export type RetrainAnswer = InferOutput<typeof forms.retrainAnswer>;
export type PausedAnswer = InferOutput<typeof forms.pausedAnswer>;
export type MovedAnswer = InferOutput<typeof forms.movedAnswer>;
export type RegisteredAnswer = InferOutput<typeof forms.registeredAnswer>;
export type DoctorAnswer = InferOutput<typeof forms.doctorAnswer>;
export type VerifyAnswer = InferOutput<typeof forms.verifyAnswer>;
export type TokensAnswer = InferOutput<typeof forms.tokensAnswer>;
export type TokenAnswer = InferOutput<typeof forms.tokenAnswer>;
export type RevokedAnswer = InferOutput<typeof forms.revokedAnswer>;
export type ImportAnswer = InferOutput<typeof importAnswer>;
export type ImportsAnswer = InferOutput<typeof importsAnswer>;
