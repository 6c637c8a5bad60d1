"""Price predictors: given bars up to now, the expected log return of the next bar."""

from rollcast import former_names
from rollcast.predictors.base import Learner as Learner
from rollcast.predictors.base import Predictor as Predictor
from rollcast.predictors.registry import BUILT_IN as BUILT_IN
from rollcast.predictors.registry import load as load
from rollcast.predictors.walk_forward import WalkForward as WalkForward
from rollcast.predictors.window import Window as Window

if __name__ in former_names.NAMES:  # imported from a checkout on sys.path, under its former name
    former_names.adopt(__name__)
