"""What the unmodified client does to a server, and what it sees of it.

usage: mlflow_client.py URL  ->  JSON: version of the client, seconds by part
The answer is the last line: the client prints lines of its own.

Each part asserts what the client promises its users; the first that does not hold ends it.
"""
import json
import math
import multiprocessing
import os
import sys
import tempfile
import time
import warnings

os.environ["GIT_PYTHON_REFRESH"] = "quiet"
# It would start a Python more for each model, to see what that imports.
os.environ["MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT"] = "1"
warnings.filterwarnings("ignore")

import mlflow  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from mlflow import MlflowClient  # noqa: E402
from mlflow.entities import Metric, Param, RunTag  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402

url = sys.argv[1]
mlflow.set_tracking_uri(url)
client = MlflowClient()
IS_3 = int(mlflow.__version__.split(".")[0]) >= 3


def called(name):
    """The first argument of log_model, which had another name before 3.0."""
    return {"name": name} if IS_3 else {"artifact_path": name}


def refused(kind, work, *args, **named):
    """Asserts that the work is refused as this kind, and at once: no error is sent again."""
    begun = time.monotonic()
    try:
        work(*args, **named)
    except MlflowException as fault:
        assert fault.error_code == kind, (kind, fault.error_code, str(fault))
        # A 5xx would have been sent again for minutes.
        assert time.monotonic() - begun < 20, fault
        return str(fault)
    raise AssertionError(f"{work} was not refused")


def experiments():
    made = client.create_experiment("client one", tags={"team": "blue"})
    assert client.get_experiment(made).tags == {"team": "blue"}
    assert client.get_experiment_by_name("client none") is None
    refused("RESOURCE_ALREADY_EXISTS", client.create_experiment, "client one")
    client.rename_experiment(made, "client two")
    client.set_experiment_tag(made, "team", "red")
    found = client.search_experiments(filter_string="tags.team = 'red'")
    assert [one.name for one in found] == ["client two"]
    client.delete_experiment(made)
    assert client.get_experiment(made).lifecycle_stage == "deleted"
    refused("INVALID_STATE", client.rename_experiment, made, "client three")
    client.restore_experiment(made)
    assert client.get_experiment(made).lifecycle_stage == "active"


def runs():
    mlflow.set_experiment("client runs")
    with mlflow.start_run(run_name="parent", tags={"kind": "outer"}) as parent:
        mlflow.log_param("rate", 0.1)
        mlflow.log_params({f"p{i}": i for i in range(150)})
        mlflow.log_metrics({f"m{i}": i / 7 for i in range(50)})
        for step in range(5):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        # As large as steps become, and neighbours of which no double tells apart.
        exact = [time.time_ns() + i for i in range(3)] + [2**63 - 1]
        for step in exact:
            client.log_metric(parent.info.run_id, "exact", 1, timestamp=step, step=step)
        mlflow.log_metric("bad", float("nan"))
        mlflow.log_metric("large", float("inf"))
        mlflow.set_tags({"note": "ü", "empty": ""})
        frame = pd.DataFrame({"x": [1.0, 2.0], "y": [0, 1]})
        mlflow.log_input(mlflow.data.from_pandas(frame, name="two rows", targets="y"), "training")
        with mlflow.start_run(run_name="child", nested=True) as child:
            mlflow.log_metric("loss", 0.5)
    run = client.get_run(parent.info.run_id)
    assert run.info.status == "FINISHED" and run.info.run_name == "parent"
    assert len(run.data.params) == 151 and run.data.params["rate"] == "0.1"
    assert run.data.metrics["loss"] == 0.2 and math.isnan(run.data.metrics["bad"])
    assert run.data.metrics["large"] == math.inf
    assert run.data.tags["note"] == "ü" and run.data.tags["empty"] == ""
    assert [one.dataset.name for one in run.inputs.dataset_inputs] == ["two rows"]
    history = client.get_metric_history(parent.info.run_id, "loss")
    assert [(one.step, one.value) for one in history] == [(i, 1 / (i + 1)) for i in range(5)]
    history = client.get_metric_history(parent.info.run_id, "exact")
    assert [(one.step, one.timestamp) for one in history] == [(step, step) for step in exact]
    refused("INVALID_PARAMETER_VALUE", client.log_param, parent.info.run_id, "rate", 0.2)
    refused("RESOURCE_DOES_NOT_EXIST", client.get_run, "0" * 32)
    found = mlflow.search_runs(
        filter_string="metrics.loss < 0.4 and params.rate = '0.1'", order_by=["metrics.loss DESC"]
    )
    assert list(found["run_id"]) == [parent.info.run_id]
    nested = mlflow.search_runs(
        filter_string=f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'", output_format="list"
    )
    assert [one.info.run_id for one in nested] == [child.info.run_id]
    client.delete_run(child.info.run_id)
    assert client.get_run(child.info.run_id).info.lifecycle_stage == "deleted"
    refused("INVALID_PARAMETER_VALUE", client.log_metric, child.info.run_id, "loss", 1)
    client.restore_run(child.info.run_id)
    client.log_metric(child.info.run_id, "loss", 1)


def artifacts():
    mlflow.set_experiment("client artifacts")
    with tempfile.TemporaryDirectory() as folder, mlflow.start_run() as run:
        os.makedirs(f"{folder}/in/deep")
        for path, size in (("in/a.bin", 3_000_000), ("in/deep/b ü.txt", 5)):
            with open(f"{folder}/{path}", "wb") as file:
                file.write(os.urandom(size))
        mlflow.log_artifacts(f"{folder}/in", "files")
        mlflow.log_artifact(f"{folder}/in/a.bin")
        mlflow.log_text("hello", "notes/hello.txt")
        mlflow.log_dict({"a": [1]}, "notes/a.json")
        mlflow.log_table({"x": [1, 2]}, "table.json")
        mlflow.log_image(np.zeros((4, 4, 3), dtype=np.uint8), "pictures/black.png")
        # Clients before 3.0 put steps behind a %, as in an escape.
        steps = [2, *range(20, 25), 230]
        for step in steps:
            mlflow.log_image(np.zeros((4, 4), dtype=np.uint8), key="grey", step=step)
        figure = Figure()
        figure.subplots().plot([1, 2, 3])
        mlflow.log_figure(figure, "pictures/line.svg")
        id = run.info.run_id
        assert sorted(one.path for one in client.list_artifacts(id)) == [
            *["a.bin", "files", "images", "notes", "pictures", "table.json"]
        ]
        inside = {one.path: one.file_size for one in client.list_artifacts(id, "files")}
        assert inside == {"files/a.bin": 3_000_000, "files/deep": None}, inside
        images = [one.path for one in client.list_artifacts(id, "images")]
        for step in steps:
            assert len([path for path in images if f"/grey+step+{step}+" in path]) == 2, images
        got = mlflow.artifacts.download_artifacts(
            run_id=id, artifact_path="images", dst_path=folder
        )
        assert sorted(f"images/{name}" for name in os.listdir(got)) == sorted(images)
        got = mlflow.artifacts.download_artifacts(run_id=id, artifact_path="files", dst_path=folder)
        for path in ("a.bin", "deep/b ü.txt"):
            with open(f"{got}/{path}", "rb") as one, open(f"{folder}/in/{path}", "rb") as other:
                assert one.read() == other.read(), path
        assert mlflow.artifacts.load_text(f"runs:/{id}/notes/hello.txt") == "hello"
        assert mlflow.artifacts.load_image(f"runs:/{id}/pictures/black.png").size == (4, 4)
        table = mlflow.load_table("table.json", run_ids=[id])
        assert list(table["x"]) == [1, 2]
        assert mlflow.artifacts.load_dict(f"runs:/{id}/notes/a.json") == {"a": [1]}
        begun = time.monotonic()
        try:
            mlflow.artifacts.load_text(f"runs:/{id}/none.txt")
            raise AssertionError("it loaded what is not there")
        except (MlflowException, OSError):
            assert time.monotonic() - begun < 20


def iris():
    """A small classifier, its rows, and the same as ONNX."""
    from skl2onnx import to_onnx
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(3)
    rows = pd.DataFrame(random.normal(size=(200, 2)).astype(np.float32), columns=["a", "b"])
    model = LogisticRegression().fit(rows.to_numpy(), (rows["a"] + rows["b"] > 0).astype(int))
    made = to_onnx(model, rows.to_numpy()[:1], options={id(model): {"zipmap": False}})
    return model, rows, made


def models():
    mlflow.set_experiment("client models")
    model, rows, made = iris()
    wanted = model.predict(rows.to_numpy())
    with mlflow.start_run() as run:
        mlflow.log_metric("acc", 0.9)
        pickled = mlflow.sklearn.log_model(
            model, **called("skl"), registered_model_name="client-skl", pip_requirements=[]
        )
        mlflow.onnx.log_model(
            made, **called("onnx"), registered_model_name="client-onnx", pip_requirements=[]
        )
    for uri in (pickled.model_uri, "models:/client-skl/1", "models:/client-skl/latest"):
        assert (mlflow.sklearn.load_model(uri).predict(rows.to_numpy()) == wanted).all(), uri
    assert (mlflow.pyfunc.load_model(pickled.model_uri).predict(rows.to_numpy()) == wanted).all()
    # A pickle is tracked and never served; ONNX is, by the alias.
    assert "pickle" in refused(
        "RESOURCE_CONFLICT", client.set_registered_model_alias, "client-skl", "champion", "1"
    )
    client.set_registered_model_alias("client-skl", "blue", "1")
    assert client.get_model_version_by_alias("client-skl", "blue").version == "1"
    client.set_registered_model_alias("client-onnx", "champion", "1")
    assert client.get_registered_model("client-onnx").aliases == {"champion": "1"}
    graph = mlflow.onnx.load_model("models:/client-onnx@champion")
    assert graph.graph.input[0].name == made.graph.input[0].name
    again = mlflow.register_model(f"runs:/{run.info.run_id}/onnx", "client-onnx", tags={"k": "v"})
    assert (again.version, again.tags) == ("2", {"k": "v"})
    copied = client.copy_model_version("models:/client-onnx@champion", "client-copy")
    assert copied.source == "models:/client-onnx/1"
    client.set_registered_model_alias("client-copy", "champion", copied.version)
    client.transition_model_version_stage("client-onnx", "2", "Production")
    latest = client.get_latest_versions("client-onnx", ["Production"])
    assert [one.version for one in latest] == ["2"]
    found = client.search_model_versions("name = 'client-onnx' and tags.k = 'v'")
    assert [one.version for one in found] == ["2"]
    client.update_model_version("client-onnx", "2", description="again")
    client.delete_model_version("client-onnx", "2")
    refused("RESOURCE_DOES_NOT_EXIST", client.get_model_version, "client-onnx", "2")
    third = mlflow.register_model(f"runs:/{run.info.run_id}/onnx", "client-onnx")
    assert third.version == "3"
    client.rename_registered_model("client-copy", "client-renamed")
    assert client.get_model_version_by_alias("client-renamed", "champion").version == "1"
    client.delete_registered_model("client-renamed")
    refused("RESOURCE_DOES_NOT_EXIST", client.get_registered_model, "client-renamed")
    names = [one.name for one in client.search_registered_models("name like 'client-%'")]
    assert names == ["client-onnx", "client-skl"], names


def autolog():
    from sklearn.tree import DecisionTreeClassifier

    mlflow.set_experiment("client autolog")
    mlflow.sklearn.autolog(log_datasets=True, silent=True)
    _, rows, _ = iris()
    with mlflow.start_run() as run:
        DecisionTreeClassifier(max_depth=3).fit(rows, rows["a"] > 0)
    mlflow.sklearn.autolog(disable=True)
    data = client.get_run(run.info.run_id).data
    assert data.params["max_depth"] == "3" and data.metrics["training_accuracy_score"] > 0.9
    loaded = mlflow.sklearn.load_model(f"runs:/{run.info.run_id}/model")
    assert loaded.predict(rows).shape == (200,)


# Each goes through two hundred keys in an order of its own.
STRIDES = [1, 3, 7, 9, 11, 13, 17, 19]


def worker(number, run_id, failures):
    """One of several processes that log to one run and register one model at once."""
    try:
        own = MlflowClient()
        for step in range(5):
            own.log_metric(run_id, "shared", number, step=step)
            own.set_tag(run_id, "last", str(number))
            # The same keys from all.
            keys = [f"k{i * STRIDES[number] % 200}" for i in range(200)]
            own.log_batch(
                run_id,
                metrics=[Metric(key, number, step, step) for key in keys],
                params=[Param(f"p{i}", "same") for i in range(20)],
                tags=[RunTag(key, str(number)) for key in keys[:50]],
            )
        mine = own.create_run(own.get_run(run_id).info.experiment_id).info.run_id
        own.log_param(mine, "number", number)
        own.log_text(mine, f"by {number}", "notes/note.txt")
        own.log_text(run_id, f"by {number}", f"notes/{number}.txt")
        note = mlflow.artifacts.load_text(f"runs:/{mine}/notes/note.txt")
        assert note == f"by {number}", note
        own.set_terminated(mine)
        own.delete_run(mine)
        own.restore_run(mine)
        home = own.get_run(mine).info.experiment_id
        found = own.search_runs([home], f"params.number = '{number}'")
        assert [one.info.run_id for one in found] == [mine], found
        for _ in range(3):
            made = own.create_model_version("client-many", f"runs:/{run_id}/none", run_id)
        own.set_registered_model_alias("client-many", f"of-{number}", made.version)
    except Exception as fault:  # noqa: BLE001
        failures.put(f"{number}: {fault!r}")


def together():
    mlflow.set_experiment("client together")
    client.create_registered_model("client-many")
    with mlflow.start_run() as run:
        pass
    fork = multiprocessing.get_context("fork")
    failures = fork.Queue()
    args = [(number, run.info.run_id, failures) for number in range(8)]
    processes = [fork.Process(target=worker, args=each) for each in args]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert failures.empty(), failures.get()
    assert len(client.get_metric_history(run.info.run_id, "shared")) == 40
    # Points that are alike are one: of each key and step, one of each process.
    assert len(client.get_metric_history(run.info.run_id, "k7")) == 40
    assert len(client.list_artifacts(run.info.run_id, "notes")) == 8
    aliases = client.get_registered_model("client-many").aliases
    assert sorted(aliases) == [f"of-{i}" for i in range(8)] and len(set(aliases.values())) == 8
    versions = client.search_model_versions("name = 'client-many'")
    assert sorted(int(one.version) for one in versions) == list(range(1, 25))
    assert len(mlflow.search_runs()) == 9


PARTS = [experiments, runs, artifacts, models, autolog, together]


answer = {"version": mlflow.__version__, "seconds": {}}
for part in PARTS:
    begun = time.monotonic()
    part()
    answer["seconds"][part.__name__] = round(time.monotonic() - begun, 1)
    print(part.__name__, answer["seconds"][part.__name__], file=sys.stderr, flush=True)
print(json.dumps(answer))
