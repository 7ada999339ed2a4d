"""Who must change what so that all push one shape: each way tried by the predictor, the least intrusive first."""

from audit.align.aligning import align
from audit.align.model import Align, HostAlign, PoolAlign, Target, Way

__all__ = ["Align", "HostAlign", "PoolAlign", "Target", "Way", "align"]
