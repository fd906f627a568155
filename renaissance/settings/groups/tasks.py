"""What is trained, how texts and images are compared, what makes it harder, and how captions are written."""

from __future__ import annotations

from typing import Annotated

from renaissance.settings import value_types
from renaissance.settings.groups.group import SettingsGroup
from renaissance.settings.marks import FixedByWeights, Question
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


class ContrastiveSettings(SettingsGroup):
    """How texts and images are compared in one space."""

    contrastive_loss: Annotated[Fixed[value_types.ContrastiveLoss], FixedByWeights("contrastive_head")]
    contrastive_size: Annotated[Fixed[value_types.Width], FixedByWeights("contrastive_head")]
    contrastive_drop_rate: Fixed[value_types.Rate]
    mask_false_negatives: Question[Fixed[value_types.Switch]]


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


class AttributionSettings(SettingsGroup):
    """What is shown of which patches and words answers rest on."""

    attributions: NoEffect[value_types.Switch]
    attributions_examples: NoEffect[value_types.Count]


class RegularisationSettings(SettingsGroup):
    """What makes examples harder in training."""

    mixing_alpha: Fixed[value_types.NotNegative]
    text_modality_dropout: Fixed[value_types.Rate]
    image_modality_dropout: Fixed[value_types.Rate]
