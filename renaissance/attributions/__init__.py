"""Which patches and words an answer rests on: `occlusion` leaves them out, `attention` looks where the model looked."""

from renaissance.attributions.attention import attention
from renaissance.attributions.attribution import Attribution, Word
from renaissance.attributions.occlusion import occlusion

__all__ = ["Attribution", "Word", "attention", "occlusion"]
