"""What a valid configuration is: types, choices, ranges and what cannot go together, reported all at once.

The defaults, and what each setting means, are in `config.py`. No PyTorch here: the command line answers at once.
"""

from renaissance.settings.check import check_settings, check_settled
from renaissance.settings.model import EncoderDimensions, Settings
from renaissance.settings.together import Command

__all__ = ["Command", "EncoderDimensions", "Settings", "check_settings", "check_settled"]
