"""The classes that torch's norms with running statistics have in common."""

from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm
from torch.nn.modules.batchnorm import _NormBase as NormBase

__all__ = ["BatchNorm", "NormBase"]
