"""What an import from a tracking server brings over, by the unmodified client.

usage: mlflow_import.py fill URL [ONNX]  ->  logs some of everything
       mlflow_import.py look URL         ->  JSON of everything that the client sees there

URL may be that of a folder (file:///…/mlruns), where the client writes its files itself.

The answer is the last line: the client prints lines of its own.
"""
import hashlib
import json
import math
import os
import sys
import tempfile
import warnings
from urllib.parse import unquote

os.environ["GIT_PYTHON_REFRESH"] = "quiet"
os.environ["MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT"] = "1"
warnings.filterwarnings("ignore")

import mlflow  # noqa: E402
import pandas as pd  # noqa: E402
from mlflow import MlflowClient  # noqa: E402
from mlflow.entities import Metric, ViewType  # noqa: E402
from mlflow.utils.file_utils import local_file_uri_to_path  # noqa: E402

what, url = sys.argv[1], sys.argv[2]
mlflow.set_tracking_uri(url)
client = MlflowClient()
IS_3 = int(mlflow.__version__.split(".")[0]) >= 3
NAMES = ["plain.txt", "with space.txt", "ünïcode ✓.txt", "100%.txt", "a%2fb.txt", "d/e/f.bin", "q?x=1&y.txt"]


def fill(onnx):
    mlflow.set_experiment("first")
    client.set_experiment_tag(client.get_experiment_by_name("first").experiment_id, "team", "blue")
    with mlflow.start_run(run_name="main", tags={"kind": "outer", "empty": ""}) as run:
        mlflow.log_params({f"p{i}": f"value {i}" for i in range(120)})
        mlflow.log_metrics({"bad": float("nan"), "zero": 0.0, "low": -1e300})
        client.log_batch(
            run.info.run_id,
            [Metric("loss", math.sin(i), 1_000 + i, i - 5) for i in range(900)],
        )
        client.log_batch(
            run.info.run_id,
            [Metric("same step", i / 8, 5, 0) for i in range(30)],
        )
        data = mlflow.data.from_pandas(pd.DataFrame({"x": [1.0, 2.0]}), name="rows")
        mlflow.log_input(data, context="training")
        with tempfile.TemporaryDirectory() as folder:
            # What is behind a question mark goes as a query, which a folder does not know.
            names = [name for name in NAMES if "?" not in name or not url.startswith("file:")]
            for at, name in enumerate(names):
                path = os.path.join(folder, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(f"{name} {at}".encode() * (1 + at * 100_000))
            mlflow.log_artifacts(folder, "files")
        with mlflow.start_run(run_name="child", nested=True):
            mlflow.log_metric("loss", 0.5, step=3)
    failed = client.create_run(client.get_experiment_by_name("first").experiment_id, run_name="fails")
    client.set_terminated(failed.info.run_id, "FAILED")
    running = client.create_run(client.get_experiment_by_name("first").experiment_id, run_name="runs")
    client.log_metric(running.info.run_id, "loss", 3.5, step=7)
    gone = client.create_run(client.get_experiment_by_name("first").experiment_id, run_name="gone")
    client.log_param(gone.info.run_id, "kept", "yes")
    client.log_text(gone.info.run_id, "of a deleted run", "note.txt")
    client.delete_run(gone.info.run_id)

    away = client.create_experiment("away")
    client.create_run(away, run_name="in the deleted one")
    client.delete_experiment(away)
    with mlflow.start_run(experiment_id="0", run_name="in Default"):
        mlflow.log_metric("m", 1)

    if onnx is not None:
        import onnx as package

        mlflow.set_experiment("models")
        model = package.load(onnx)
        with mlflow.start_run(run_name="onnx") as run:
            named = {"name": "model"} if IS_3 else {"artifact_path": "model"}
            made = mlflow.onnx.log_model(model, registered_model_name="adds", **named)
            if IS_3:
                mlflow.log_metric("fit", 0.75, step=2, model_id=made.model_id)
                gone = mlflow.onnx.log_model(model, name="gone")
                mlflow.MlflowClient().delete_logged_model(gone.model_id)
        client.set_registered_model_alias("adds", "champion", "1")
        client.set_registered_model_alias("adds", "blue", "1")
        client.set_registered_model_tag("adds", "owner", "ada")
        client.update_registered_model("adds", "adds two numbers")
        client.set_model_version_tag("adds", "1", "quality", "good")
        client.transition_model_version_stage("adds", "1", "Production")
        # A file of a run's, by the address that it has on this server.
        root = client.get_run(run.info.run_id).info.artifact_uri
        client.log_artifact(run.info.run_id, onnx, "plain")
        client.create_model_version("adds", f"{root}/plain", run.info.run_id, description="by address")
        client.create_model_version("adds", f"runs:/{run.info.run_id}/plain", run.info.run_id)
        client.delete_model_version("adds", "3")
        client.create_model_version("adds", f"runs:/{run.info.run_id}/plain", run.info.run_id)
        # A name that no address of predictions has, and nothing that could be served.
        client.create_registered_model("Has Spaces")
        client.create_model_version("Has Spaces", f"{root}/plain", run.info.run_id)
        client.set_registered_model_alias("Has Spaces", "champion", "1")
        with mlflow.start_run(run_name="text") as run:
            mlflow.log_text("no model", "model/readme.txt")
        client.create_registered_model("words")
        client.create_model_version("words", f"runs:/{run.info.run_id}/model", run.info.run_id)
        client.set_registered_model_alias("words", "champion", "1")
        client.set_registered_model_alias("words", "red", "1")
    return {"version": mlflow.__version__}


def plain(value):
    """NaN equals nothing; as text it does."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def files_of(repository, path=None):
    found = {}
    for entry in repository.list_artifacts(path):
        if entry.is_dir:
            found.update(files_of(repository, entry.path))
        else:
            with tempfile.TemporaryDirectory() as folder:
                local = repository.download_artifacts(entry.path, folder)
                with open(local, "rb") as file:
                    digest = hashlib.sha256(file.read()).hexdigest()
            found[entry.path] = [entry.file_size, digest]
    return found


def files_in(folder):
    """The client cannot read some of what it wrote itself (`a%2fb.txt`). Named as in an address."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            with open(path, "rb") as file:
                digest = hashlib.sha256(file.read()).hexdigest()
            found[unquote(os.path.relpath(path, folder))] = [os.path.getsize(path), digest]
    return found


def files_at(uri):
    if uri.startswith(("file:", "/")):
        return files_in(local_file_uri_to_path(uri))
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return files_of(get_artifact_repository(uri))


OURS = ("sluice.",)


def tags_of(tags):
    return {key: value for key, value in tags.items() if not key.startswith(OURS)}


def look():
    seen = {"experiments": {}, "runs": {}, "logged": {}, "models": {}, "versions": {}}
    experiments = client.search_experiments(view_type=ViewType.ALL)
    names = {one.experiment_id: one.name for one in experiments}
    for one in experiments:
        is_default = one.name == "Default"
        seen["experiments"][one.name] = {
            "stage": one.lifecycle_stage,
            "times": None if is_default else [one.creation_time, one.last_update_time],
            "tags": tags_of(one.tags),
        }
    for run in client.search_runs(list(names), run_view_type=ViewType.ALL, max_results=5_000):
        info, data = run.info, run.data
        seen["runs"][info.run_id] = {
            "experiment": names[info.experiment_id],
            "info": [info.run_name, info.user_id, info.status, info.start_time, info.end_time, info.lifecycle_stage],
            "params": data.params,
            "tags": tags_of(data.tags),
            "latest": {key: plain(value) for key, value in data.metrics.items()},
            "histories": {
                key: sorted(
                    [[m.timestamp, m.step, plain(m.value)] for m in client.get_metric_history(info.run_id, key)],
                    key=str,
                )
                for key in data.metrics
            },
            "inputs": sorted(
                [
                    [i.dataset.name, i.dataset.digest, i.dataset.source_type, i.dataset.source, i.dataset.schema, i.dataset.profile, sorted([t.key, t.value] for t in i.tags)]
                    for i in run.inputs.dataset_inputs
                ],
            ),
            "outputs": sorted([m.model_id, m.step] for m in run.outputs.model_outputs) if IS_3 and run.outputs else [],
            "files": files_at(info.artifact_uri),
        }
    if IS_3:
        for model in client.search_logged_models(list(names)):
            seen["logged"][model.model_id] = {
                "experiment": names[model.experiment_id],
                "info": [model.name, model.model_type or None, model.source_run_id, str(model.status), model.creation_timestamp],
                "params": model.params,
                "tags": tags_of(model.tags),
                "metrics": sorted([m.key, m.value, m.step, m.timestamp, m.run_id] for m in model.metrics or []),
                "files": files_at(model.artifact_location),
            }
    for listed in client.search_registered_models():
        model = client.get_registered_model(listed.name)
        seen["models"][model.name] = {
            "description": model.description or None,
            "created": model.creation_timestamp,
            "tags": model.tags,
            "aliases": {alias: int(version) for alias, version in model.aliases.items()},
        }
        for version in client.search_model_versions(f"name = '{model.name}'"):
            seen["versions"][f"{version.name} {version.version}"] = {
                "info": [version.current_stage, version.description or None, version.run_id, version.status, version.creation_timestamp, version.user_id or None],
                "tags": tags_of(version.tags),
                "source": version.source,
                "files": files_at(client.get_model_version_download_uri(version.name, version.version)),
            }
    return seen


if what == "fill":
    answer = fill(sys.argv[3] if len(sys.argv) > 3 else None)
else:
    answer = look()
print(json.dumps(answer))
