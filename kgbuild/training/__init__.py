"""batches -> a trained model: ITC + CVA on CPU, on one GPU, or on many processes under `torchrun`.

`train` reads what `batches.export_batches` wrote and leaves a model folder that plain open_clip loads. The losses (`itc_loss`,
`cva_loss`) are plain functions on tensors; `loop.train` is the trainer on one page.
"""

from kgbuild.training.export_model import export_model
from kgbuild.training.log import StepReport
from kgbuild.training.loop import TrainingResult, train
from kgbuild.training.losses import cva_loss, itc_loss
from kgbuild.training.towers import RefreshPrototypes

__all__ = ["RefreshPrototypes", "StepReport", "TrainingResult", "cva_loss", "export_model", "itc_loss", "train"]
