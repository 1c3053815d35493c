"""Rows, and what scikit-learn's metrics say of them, as one JSON object on standard output."""

import json

import numpy
from sklearn import metrics

random = numpy.random.default_rng(5)


def binary():
    target = (random.random(700) < 0.3).astype(int)
    # Coarse, so that many tie.
    probability = numpy.round(numpy.clip(0.25 * target + 0.7 * random.random(700), 0.01, 0.99), 2)
    called = (probability >= 0.45).astype(int)
    return {
        "target": target.tolist(),
        "probability": probability.tolist(),
        "threshold": 0.45,
        "figures": {
            "auc": metrics.roc_auc_score(target, probability),
            "average_precision": metrics.average_precision_score(target, probability),
            "log_loss": metrics.log_loss(target, probability),
            "brier": metrics.brier_score_loss(target, probability),
            "accuracy": metrics.accuracy_score(target, called),
            "balanced_accuracy": metrics.balanced_accuracy_score(target, called),
            "precision": metrics.precision_score(target, called),
            "recall": metrics.recall_score(target, called),
            "f1": metrics.f1_score(target, called),
        },
    }


def classes():
    target = random.integers(0, 4, 500)
    margin = random.normal(size=(500, 4)) + 1.2 * numpy.eye(4)[target]
    probability = numpy.exp(margin) / numpy.exp(margin).sum(axis=1, keepdims=True)
    return {
        "target": target.tolist(),
        "probability": probability.ravel().tolist(),
        "matrix": metrics.confusion_matrix(target, probability.argmax(axis=1)).tolist(),
        "figures": {
            "log_loss": metrics.log_loss(target, probability),
            "accuracy": metrics.accuracy_score(target, probability.argmax(axis=1)),
            "macro_auc": metrics.roc_auc_score(
                target, probability, multi_class="ovr", average="macro"
            ),
            "balanced_accuracy": metrics.balanced_accuracy_score(
                target, probability.argmax(axis=1)
            ),
        },
    }


def numbers():
    forecast = random.gamma(2, 2, 400)
    target = random.poisson(forecast)
    return {
        "target": target.tolist(),
        "forecast": forecast.tolist(),
        "figures": {
            "rmse": metrics.root_mean_squared_error(target, forecast),
            "mae": metrics.mean_absolute_error(target, forecast),
            "r2": metrics.r2_score(target, forecast),
            "deviance": metrics.mean_poisson_deviance(target, forecast),
        },
    }


print(json.dumps({"binary": binary(), "classes": classes(), "numbers": numbers()}))
