"""VQA: answer a question about an image with one of many known answers.

Data: VQA v2, Goyal et al., 2017, https://arxiv.org/abs/1612.00837, in the published tables' layout.
"""

from renaissance.data.examples.schema import Column, DataNeeds, Schema
from renaissance.tasks.declaration import LOSS, Metric, TaskDeclaration

QUESTIONS = Schema(
    "vqa",
    {
        "image": Column("image", "image"),
        "text": Column("questions", "text", per_text=True),
        "answers": Column("answer_labels", "classes", per_text=True, optional=True),
        "scores": Column("answer_scores", "numbers", per_text=True, optional=True),
        "id": Column("question_id", "id", per_text=True, optional=True),
    },
)

TASK = TaskDeclaration(
    name="vqa",
    title="VQA",
    needs=DataNeeds(QUESTIONS, image=True, text=True),
    behaviour="renaissance.tasks.behaviours.question_answering:QuestionAnsweringTask",
    metrics=(LOSS, Metric("score", more_is_better=True, title="VQA score")),
    monitor="score",
    predicts=True,
)
