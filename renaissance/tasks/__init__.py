"""The tasks a model can be trained on: each file of this folder is one, named as in `loss_names`.

A task's file declares what it reads and what it reports (`declaration.py`), and names its behaviour, a `Task` subclass
with a head and a loss (`behaviours/`), which other tasks may share. So adding a task is adding a file here, and a
second one in `behaviours/` where no behaviour fits. What several behaviours share lies in `common/`. All tasks are
found in `registry.py`.
"""
