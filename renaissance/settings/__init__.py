"""What a valid configuration is: types, choices, ranges and what cannot go together, reported all at once.

The defaults, and what each setting means, are in `config.py`. No PyTorch here: the command line answers at once.
"""

from renaissance.settings.check import check_inherited, check_settings
from renaissance.settings.groups.group import EncoderDimensions
from renaissance.settings.rules.together import Command
from renaissance.settings.schema import Settings

__all__ = ["Command", "EncoderDimensions", "Settings", "check_inherited", "check_settings"]
