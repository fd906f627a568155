"""MRPC: do two sentences say the same?

Data: Dolan and Brockett, 2005, https://aclanthology.org/I05-5002/, as GLUE has it (https://gluebenchmark.com).
"""

from renaissance.data.examples.schema import Column, DataNeeds, Schema
from renaissance.tasks.declaration import ACCURACY, LOSS, Metric, TaskDeclaration

SENTENCE_PAIRS = Schema(
    "mrpc",
    {
        "text": Column("text_a", "text"),
        "text_pair": Column("text_b", "text"),
        "label": Column("label", "class", optional=True),
        "id": Column("text_id", "id", optional=True),
    },
    class_names=("different", "same"),
)

TASK = TaskDeclaration(
    name="mrpc",
    title="MRPC paraphrases",
    needs=DataNeeds(SENTENCE_PAIRS, image=False, text=True),
    behaviour="renaissance.tasks.behaviours.binary_classification:BinaryClassificationTask",
    metrics=(LOSS, ACCURACY, Metric("f1", more_is_better=True, title="F1")),
    monitor="accuracy",
    predicts=True,
    mixable=True,
)
