/*
 * Codes of requests that are right but for what is there, or not there.
 */
import type { CodeRows } from "./row.ts";

export const stateCodes: CodeRows = {
  experiment_deleted: [
    "Experiment deleted",
    "The experiment was put away; nothing is logged to it.",
    "Restore it, or use another.",
  ],
  feature_mismatch: [
    "Made for other features",
    "The version learned from features that this program computes otherwise.",
    "Retrain the model, or run the version of Sluice that trained it.",
  ],
  gate_failed: [
    "Gate not passed",
    "The version does not pass every gate; `detail` names those that failed, with figures.",
    'Promote another version, or repeat with `"force": true`, which the history keeps.',
  ],
  lease_lost: [
    "Lease lost",
    "A worker was silent for so long that another took over its pipeline run.",
    "Nothing: the run is resumed.",
  ],
  step_deadline: [
    "Step took too long",
    "A step of a pipeline run did not end within its deadline.",
    "Read the step's log; the slot is tried again later, or ask for a run.",
  ],
  no_pipeline: [
    "No pipeline",
    "The model has no model file: its versions are registered from outside, not trained here.",
    "Register a version, or add a model file of that name.",
  ],
  not_the_champion: [
    "Another champion",
    "The champion is not the version that `expected` names: somebody was faster.",
    "Look at the model again, then decide again.",
  ],
  not_servable: [
    "Version cannot be served",
    "No ONNX file of the version loads and answers, or no address can have its name.",
    "Log it as ONNX under a name of small letters, digits, _ and -; no pickle is loaded.",
  ],
  nothing_to_roll_back_to: [
    "Nothing to roll back to",
    "No earlier champion can still be served.",
    "Promote a version by its number.",
  ],
  param_changed: [
    "Param changed",
    "A param of a run was logged before with another value.",
    "Start another run, or log what changes as a metric or a tag.",
  ],
  run_deleted: [
    "Run deleted",
    "The run was put away; nothing is logged to it.",
    "Restore it, or start another.",
  ],
  run_has_version: [
    "Run has a version",
    "A version was registered from the run before, with other bytes.",
    "Train again: a run gives one version.",
  ],
  token_name_taken: [
    "Token name taken",
    "A token has or had the name; revoked ones keep theirs in the history.",
    "Choose another name.",
  ],
  unknown_artifact: [
    "No such artifact",
    "The run has no file of that path.",
    "Take the path from the run's list of artifacts.",
  ],
  unknown_experiment: [
    "No such experiment",
    "There is no experiment of that number.",
    "Make it first.",
  ],
  unknown_market: [
    "No such market",
    "No model file names the market.",
    "Use a market of a model, or add a model file.",
  ],
  unknown_model: [
    "No such model",
    "No model file has the name, and no registered model.",
    "GET /v1/models lists the models.",
  ],
  unknown_pipeline: [
    "No such pipeline",
    "No model file has the name; a pipeline is called as its model.",
    "GET /v1/models lists the models.",
  ],
  unknown_run: [
    "No such run",
    "There is no run of that id, or it belongs to another pipeline.",
    "Take the id from the list of runs.",
  ],
  unknown_token: ["No such token", "No live token has the name.", "GET /admin/tokens lists them."],
  unknown_version: [
    "No such version",
    "The model has no version of that number that can be served, or no such alias.",
    "GET /v1/models/{model}/versions lists them.",
  ],
};
