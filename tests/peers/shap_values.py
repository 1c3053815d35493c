"""Trees of LightGBM and XGBoost, the rows they are asked about, and the SHAP values that they
themselves (and the shap package) give, as one JSON object on standard output."""

import json

import lightgbm
import numpy
import shap
import xgboost

random = numpy.random.default_rng(11)


def table(rows):
    """Two numbers with holes, two without, two categories (codes; -1 is missing)."""
    numbers = random.normal(size=(rows, 4)).astype(numpy.float32)
    numbers[random.random((rows, 4)) < numpy.array([0.2, 0.05, 0, 0])] = numpy.nan
    numbers[:, 3] = numpy.round(numbers[:, 3])
    categories = random.integers(0, [6, 40], size=(rows, 2))
    categories[random.random((rows, 2)) < 0.1] = -1
    return numbers, categories


def outcome(numbers, categories):
    known = numpy.nan_to_num(numbers, nan=0.7)
    margin = known[:, 0] * known[:, 2] + known[:, 1] - numpy.isnan(numbers[:, 0])
    margin += (categories[:, 0] % 2) * known[:, 3] + numpy.sin(categories[:, 1])
    return (margin + random.logistic(size=len(margin)) > 0).astype(int)


def plain(values):
    """Lists for JSON, with null for NaN."""
    return [[None if v != v else float(v) for v in row] for row in numpy.asarray(values, float)]


fit_numbers, fit_categories = table(4000)
target = outcome(fit_numbers, fit_categories)
numbers, categories = table(200)


def with_lightgbm():
    def wide(numbers, categories):
        return numpy.column_stack([numbers, numpy.where(categories < 0, numpy.nan, categories)])

    data = lightgbm.Dataset(
        wide(fit_numbers, fit_categories), target, categorical_feature=[4, 5], free_raw_data=False
    )
    options = {"objective": "binary", "num_leaves": 31, "verbose": -1, "seed": 1, "num_threads": 1}
    booster = lightgbm.train(options, data, 50)
    return {
        "model": booster.dump_model(),
        "values": plain(booster.predict(wide(numbers, categories), pred_contrib=True)),
    }


def with_xgboost():
    data = xgboost.DMatrix(fit_numbers, target)
    options = {"objective": "binary:logistic", "max_depth": 6, "nthread": 1, "seed": 1}
    booster = xgboost.train(options, data, 40)
    rows = xgboost.DMatrix(numbers)
    explained = shap.TreeExplainer(booster)(numbers)
    base = json.loads(booster.save_config())["learner"]["learner_model_param"]["base_score"]
    return {
        "trees": [json.loads(t) for t in booster.get_dump(with_stats=True, dump_format="json")],
        "base_score": base,
        "values": plain(booster.predict(rows, pred_contribs=True)),
        "shap": plain(explained.values),
    }


print(
    json.dumps(
        {
            "numbers": plain(numbers),
            "categories": categories.tolist(),
            "lightgbm": with_lightgbm(),
            "xgboost": with_xgboost(),
        }
    )
)
