"""What is trained, what makes that harder, and how captions are written."""

from __future__ import annotations

from renaissance.settings import value_types
from renaissance.settings.groups.group import SettingsGroup
from renaissance.settings.marks import Question
from renaissance.settings.on_resume import Changes, Fixed, NoEffect


class TaskSettings(SettingsGroup):
    """What is trained: the tasks, and what they ask."""

    loss_names: Fixed[value_types.LossWeights]
    step_shares: Fixed[value_types.Shares]
    whole_word_masking: Question[Fixed[value_types.Switch]]
    mlm_prob: Question[Fixed[value_types.Probability]]
    draw_false_image: Question[Fixed[value_types.CountOrZero]]
    draw_false_text: Question[Fixed[value_types.CountOrZero]]
    itm_false_from: Fixed[value_types.FalseFrom]

    def active_tasks(self) -> list[str]:
        """The tasks with a weight above 0, in alphabetical order."""
        return sorted(name for name, weight in self.loss_names.items() if weight > 0)


class CaptionSettings(SettingsGroup):
    """How captions are trained, written and shown."""

    label_smoothing: Changes[value_types.Rate]
    caption_metric_images: Changes[value_types.CountOrZero]
    generation_strategy: Question[Changes[value_types.GenerationStrategy]]
    num_beams: Question[Changes[value_types.Count]]
    top_k: Question[Changes[value_types.OptionalCount]]
    top_p: Question[Changes[value_types.Probability]]
    temperature: Question[Changes[value_types.Positive]]
    repetition_penalty: Question[Changes[value_types.Positive]]
    max_generated_tokens: Question[Changes[value_types.OptionalCount]]
    sample_interval: NoEffect[value_types.OptionalCount]
    num_samples: NoEffect[value_types.CountOrZero]
    manual_inputs: NoEffect[value_types.ManualInputs]


class RegularisationSettings(SettingsGroup):
    """What makes examples harder in training."""

    mixing_alpha: Fixed[value_types.NotNegative]
    text_modality_dropout: Fixed[value_types.Rate]
    image_modality_dropout: Fixed[value_types.Rate]
