"""What the unmodified client sees of a training that this program did, and what it loads of it.

usage: mlflow_trained.py URL MODEL COLUMNS  ->  JSON: version of the client, answers by address
COLUMNS: the inputs as JSON, name -> values. The answer is the last line.

Each statement asserts what the client promises its users; the first that does not hold ends it.
"""
import json
import os
import sys
import tempfile
import warnings

os.environ["GIT_PYTHON_REFRESH"] = "quiet"
warnings.filterwarnings("ignore")

import mlflow  # noqa: E402
import numpy as np  # noqa: E402
from mlflow import MlflowClient  # noqa: E402
from mlflow.models import get_model_info  # noqa: E402

url, name, columns = sys.argv[1:]
mlflow.set_tracking_uri(url)
client = MlflowClient()
IS_3 = int(mlflow.__version__.split(".")[0]) >= 3

champion = client.get_model_version_by_alias(name, "champion")
run = client.get_run(champion.run_id)
addresses = {"champion": f"models:/{name}@champion", "run": f"runs:/{run.info.run_id}/model"}


def logged_model():
    """The training as a logged model, however it is come by."""
    found = mlflow.search_logged_models(
        experiment_ids=[run.info.experiment_id],
        filter_string=f"name = '{name}' AND source_run_id = '{run.info.run_id}'",
        output_format="list",
    )
    assert len(found) == 1, found
    (model,) = found
    assert model.status.value == "READY", model
    assert model.params == run.data.params
    assert model.tags["sluice.pipeline_run"] == run.data.tags["sluice.pipeline_run"]
    # The client reads no `model_id` of a version, and learns it from this tag.
    registered = {"name": name, "version": int(champion.version)}
    assert json.loads(model.tags["mlflow.modelVersions"]) == [registered], model.tags
    assert [(one.model_id, one.step) for one in run.outputs.model_outputs] == [(model.model_id, 0)]
    assert mlflow.get_logged_model(model.model_id).to_dictionary() == model.to_dictionary()

    # Its figures are those of the run, on a dataset that the run read.
    read = {(one.dataset.name, one.dataset.digest) for one in run.inputs.dataset_inputs}
    assert model.metrics, model
    for metric in model.metrics:
        assert run.data.metrics[metric.key] == metric.value, metric
        assert metric.run_id == run.info.run_id
        assert (metric.dataset_name, metric.dataset_digest) in read, metric
    best = mlflow.search_logged_models(
        experiment_ids=[run.info.experiment_id],
        filter_string="metrics.log_loss < 10",
        datasets=[{"dataset_name": name, "dataset_digest": model.metrics[0].dataset_digest}],
        order_by=[{"field_name": "metrics.log_loss", "ascending": True}],
        output_format="list",
    )
    assert model.model_id in [one.model_id for one in best]

    files = client.list_logged_model_artifacts(model.model_id)
    assert sorted(one.path for one in files) == ["MLmodel", "model.onnx", "requirements.txt"]
    with tempfile.TemporaryDirectory() as folder:
        here = mlflow.artifacts.download_artifacts(
            artifact_uri=f"models:/{model.model_id}", dst_path=folder
        )
        assert "model.onnx" in os.listdir(here)
    # The folder of a run by the name of its model, as clients since 3.0 write it.
    by_name = f"runs:/{run.info.run_id}/{name}"
    for address in (f"models:/{model.model_id}", by_name, *addresses.values()):
        info = get_model_info(address)
        assert (info.model_id, info.run_id) == (model.model_id, run.info.run_id), address
    addresses["logged"] = f"models:/{model.model_id}"
    addresses["name"] = by_name


if IS_3:
    logged_model()
else:
    for address in addresses.values():
        assert get_model_info(address).run_id == run.info.run_id

given = {
    column: np.array(
        [[value] for value in values],
        dtype=object if isinstance(values[0], str) else np.float32,
    )
    for column, values in json.loads(columns).items()
}
answers = {
    what: np.ravel(mlflow.pyfunc.load_model(address).predict(given)["probability"]).tolist()
    for what, address in addresses.items()
}
print(json.dumps({"version": mlflow.__version__, "answers": answers}))
