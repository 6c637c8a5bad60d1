"""Price predictors: given bars up to now, the expected log return of the next bar."""

from predictors.base import Learner as Learner
from predictors.base import Predictor as Predictor
from predictors.registry import BUILT_IN as BUILT_IN
from predictors.registry import load as load
from predictors.walk_forward import WalkForward as WalkForward
from predictors.walk_forward import Window as Window
