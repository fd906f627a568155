"""Masked language modelling: name the words of a caption that were hidden, with the image in view.

Pretraining on captioned images; how words are hidden is told in `behaviours/masked_language_modelling.py`.

Source: BERT, Devlin et al., 2019, https://arxiv.org/abs/1810.04805, section 3.1; with images ViLT, Kim et al., 2021.
"""

from renaissance.data.examples.schema import CAPTIONS, DataNeeds
from renaissance.tasks.declaration import ACCURACY, LOSS, TaskDeclaration

TASK = TaskDeclaration(
    name="mlm",
    title="Masked language modelling",
    needs=DataNeeds(CAPTIONS, image=True, text=True),
    behaviour="renaissance.tasks.behaviours.masked_language_modelling:MaskedLanguageModellingTask",
    metrics=(LOSS, ACCURACY),
    monitor="accuracy",
)
