"""Training: which days, which rows, which trainer; a native model, its ONNX graph, and a registered version."""

from ct_assets.training.dataset import Dataset, NotTrainable, build_dataset
from ct_assets.training.identity import find_trained, params_hash
from ct_assets.training.parity import parity
from ct_assets.training.retrain import retrain
from ct_assets.training.score import Scorer, score
from ct_assets.training.train import Trained, train
from ct_assets.training.trainer import Fitted, Trainer, TrainerError
from ct_assets.training.window import TrainingWindow

__all__ = [
    "Dataset",
    "Fitted",
    "NotTrainable",
    "Scorer",
    "Trained",
    "Trainer",
    "TrainerError",
    "TrainingWindow",
    "build_dataset",
    "find_trained",
    "params_hash",
    "parity",
    "retrain",
    "score",
    "train",
]
