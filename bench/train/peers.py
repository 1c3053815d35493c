"""Fits one peer several times on a table that bench/train/data.ts wrote; prints one line of JSON.

peers.py FOLDER ENGINE THREADS TREES REPEATS
"""

import json
import resource
import sys
import time

import numpy as np

folder, engine, threads, trees, repeats = sys.argv[1:]
threads, trees, repeats = int(threads), int(trees), int(repeats)

with open(f"{folder}/shape.json") as file:
    shape = json.load(file)
categories = [c for c, levels in enumerate(shape) if levels is not None]


def read(name):
    y = np.fromfile(f"{folder}/{name}.y", dtype=np.float64)
    x = np.fromfile(f"{folder}/{name}.x", dtype=np.float32).reshape(len(shape), len(y))
    return x, y


(x, y), (test_x, test_y) = read("train"), read("test")
x, test_x = x.T, test_x.T  # views: columns stay contiguous


def lightgbm():
    import lightgbm as lgb

    fixed = {
        "objective": "binary",
        "num_leaves": 31,
        "learning_rate": 0.1,
        "max_bin": 255,
        "min_data_in_leaf": 20,
        "lambda_l2": 1.0,
        "verbosity": -1,
        "num_threads": threads,
        "seed": 1,
    }
    more = {
        "lightgbm": {},
        "lightgbm-row": {"force_row_wise": True},
        "lightgbm-col": {"force_col_wise": True},
        "lightgbm-deterministic": {"force_row_wise": True, "deterministic": True},
        "lightgbm-quantized": {"use_quantized_grad": True},
    }[engine]

    def fit():
        data = lgb.Dataset(x, y, categorical_feature=categories)
        return lgb.train({**fixed, **more}, data, num_boost_round=trees)

    return fit, lambda model: model.predict(test_x)


def xgboost():
    import xgboost as xgb

    fixed = {
        "objective": "binary:logistic",
        "tree_method": "hist",
        "grow_policy": "lossguide",
        "max_leaves": 31,
        "max_depth": 0,
        "learning_rate": 0.1,
        "max_bin": 255,
        "lambda": 1.0,
        "nthread": threads,
        "seed": 1,
    }
    types = None
    if engine == "xgboost-categories" and categories:
        types = ["q" if levels is None else "c" for levels in shape]

    def matrix(x, y):
        return xgb.QuantileDMatrix(
            x,
            y,
            max_bin=255,
            feature_types=types,
            enable_categorical=types is not None,
            nthread=threads,
        )

    def fit():
        return xgb.train(fixed, matrix(x, y), num_boost_round=trees)

    def predict(model):
        data = xgb.DMatrix(
            test_x, feature_types=types, enable_categorical=types is not None
        )
        return model.predict(data)

    return fit, predict


def sklearn():
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    def fit():
        model = HistGradientBoostingClassifier(
            max_iter=trees,
            max_leaf_nodes=31,
            learning_rate=0.1,
            max_bins=255,
            min_samples_leaf=20,
            l2_regularization=1.0,
            categorical_features=categories,
            early_stopping=False,
            random_state=1,
        )
        with threadpool_limits(threads):
            return model.fit(x, y)

    return fit, lambda model: model.predict_proba(test_x)[:, 1]


def auc(p, y):
    order = np.argsort(p, kind="stable")
    _, first, counts = np.unique(p[order], return_index=True, return_counts=True)
    ranks = np.empty(len(p))
    ranks[order] = np.repeat(first + (counts + 1) / 2, counts)
    ones = y.sum()
    return (ranks[y == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(y) - ones))


def log_loss(p, y):
    p = np.clip(p.astype(np.float64), 1e-15, 1 - 1e-15)
    return -np.mean(np.where(y == 1, np.log(p), np.log(1 - p)))


peer = {"lightgbm": lightgbm, "xgboost": xgboost, "sklearn": sklearn}
fit, predict = peer[engine.split("-")[0]]()
took, cpu = [], []
for _ in range(repeats):
    begun, begun_cpu = time.perf_counter(), time.process_time()
    model = fit()
    took.append((time.perf_counter() - begun) * 1000)
    cpu.append((time.process_time() - begun_cpu) * 1000)
# Before the judged rows are answered: that would be counted too.
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
p = predict(model)
print(
    json.dumps(
        {
            "took": took,
            "cpu": cpu,
            "peak_mb": peak,
            "auc": auc(p, test_y),
            "log_loss": log_loss(p, test_y),
        }
    )
)
