"""What a plug-in calls to add to Renaissance: the public functions that register, all in one place.

    from renaissance.extend import register_task, register_tracker

Comes in: tasks, data sets, encoders, optimisers, trackers and named configurations of your own. They are then known
by name as ours are: in settings, checks and messages, in `print_named_configs`, `help` and completion. Nothing here
imports PyTorch. `docs/extending.md` has a complete small example of each.
"""

from renaissance.data.sets import register_data_set
from renaissance.settings.named_configurations import register_named_config
from renaissance.settings.registered_encoders import register_image_encoder, register_text_encoder
from renaissance.tasks.registry import register_task
from renaissance.tracking.trackers.registry import register_tracker
from renaissance.training.optimizers.registry import register_optimizer

__all__ = [
    "register_data_set",
    "register_image_encoder",
    "register_named_config",
    "register_optimizer",
    "register_task",
    "register_text_encoder",
    "register_tracker",
]
