"""Every command in the README, CONTRIBUTING.md and the pages of docs/ runs, and their links lead somewhere.

Commands are shortened where they are long, and run on real or small data where they name a user's; one that stands on
several pages runs once. A command that is added to a page and not to `SHORTENED` fails the first test, so none goes
untried. The walk-throughs, whose commands build on each other, have a test of their own (`test_walkthroughs.py`).
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from renaissance.settings.table import anchor
from tests.command_line import ROOT, documented_commands, run_documented
from tests.data.raw_folders import shard

README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

# Run by .ci/run, in a virtual environment of their own, or too long for any test.
BY_CI = {"make install", "make quickstart", "make test", "make test-slow", "make lint", "make bench", "make test-long"}
# No server is there to take them; tests/tracking/test_mongo_run.py has one.
UNREACHABLE = {
    # It serves until it is stopped; tests/pages/ does so.
    "python run.py dashboard with log_dir=result dashboard_port=8100",
    "python run.py -m localhost:27017:renaissance with task_mlm_itm scenes tiny max_steps=100",
    "python run.py with task_mlm_itm scenes tiny max_steps=100 mongo_url=mongodb://localhost:27017/renaissance",
    "python run.py sync with mongo_url=mongodb://localhost:27017/renaissance",
}

RANDOM = "random_init num_gpus=0 num_workers=0 batch_size=4 per_gpu_batchsize=4 fast_dev_run=True"
SHORT = "num_gpus=0 num_workers=0 fast_dev_run=True num_scenes=60"
CHECKPOINT = "{pretrained}"
FINE_TUNED = "{fine_tuned}"
CLIP = "result/clip_scenes/1/checkpoints/best.ckpt"
ZEROSHOT = f"python run.py zeroshot with load_path={CLIP}"
TRIED = "num_gpus=0 num_workers=0 num_scenes=60"

# What is put behind each command, and what in it is replaced by what.
PREDICT = "python run.py predict with load_path=result/"
PREDICTED = "num_gpus=0 num_workers=0"
SHORTENED: dict[str, tuple[str, dict[str, str]]] = {
    f"{PREDICT}finetune_cifar10/1/checkpoints/best.ckpt input=images output=answers.csv": (
        PREDICTED,
        {"result/finetune_cifar10/1/checkpoints/best.ckpt": FINE_TUNED, "=images": "={images}", "=answers": "={tmp}/a"},
    ),
    f"{PREDICT}quickstart/1/checkpoints/best.ckpt input=data/arrow/scenes_test.arrow task=itm output=matches.parquet": (
        PREDICTED,
        {"result/quickstart/1/checkpoints/best.ckpt": CHECKPOINT, "=data": "={tmp}", "=matches": "={tmp}/matches"},
    ),
    f"{PREDICT}quickstart/1/checkpoints/best.ckpt input=pairs.csv "
    """'columns={"picture": "image", "words": "text"}' keep=number output=answers.jsonl""": (
        PREDICTED,
        {"result/quickstart/1/checkpoints/best.ckpt": CHECKPOINT, "=pairs": "={tmp}/pairs", "=answers": "={tmp}/a"},
    ),
    "python run.py with task_mlm_itm_deit_electra": (f"{RANDOM} coco tokenizer={{bert}}", {}),
    "python run.py with task_mlm_itm_deit_electra num_gpus=8 per_gpu_batchsize=32": (
        f"{RANDOM} coco tokenizer={{bert}}",
        {},
    ),
    "python run.py with task_mlm_itm deit_electra coco imagenet_randaug freeze_image": (
        f"{RANDOM} freeze_random=True",
        {},
    ),
    "python run.py with task_mlm_itm onetower_electra coco step25k learning_rate=1e-4": (RANDOM, {}),
    "python run.py with task_mlm_itm scenes tiny max_steps=500": (SHORT, {}),
    "python run.py with task_mlm_itm vit_bert coco num_gpus=8 batch_size=4096 per_gpu_batchsize=128 "
    "precision=bf16-mixed": (f"{RANDOM} tokenizer={{bert}} image_size=32", {}),
    "python run.py with task_mlm_itm scenes tiny max_steps=200 num_gpus=0 devices=2": (SHORT, {}),
    "python run.py prepare with dataset=webdataset 'raw_root=/data/cc3m/{00000..00165}.tar' dataset_name=cc3m_a": (
        "",
        {"/data/cc3m": "{shards}", "00165": "00001"},
    ),
    "python run.py with task_itm scenes tiny schedule=cosine cosine_cycles=3 end_lr=1e-6 adam_betas='[0.9, 0.98]' "
    "adam_epsilon=1e-6": (SHORT, {}),
    "python run.py with task_finetune_ref scenes tiny max_steps=500": (SHORT, {}),
    "python run.py with task_finetune_nlvr2 scenes_finetuning load_path=result/quickstart/1/checkpoints/best.ckpt": (
        SHORT,
        {"result/quickstart/1/checkpoints/best.ckpt": CHECKPOINT},
    ),
    "python run.py with task_finetune_mrpc tiny scenes_finetuning max_steps=3000 val_check_interval=500 "
    "learning_rate=1e-3 text_encoder_drop_rate=0.0": (f"{SHORT} val_check_interval=1.0", {}),
    "python run.py print_named_configs": ("", {}),
    "python run.py print_config with task_mlm_itm_deit_electra": ("", {}),
    "python run.py help learning_rate": ("", {}),
    "python run.py prepare with dataset=coco raw_root=/data/coco": ("", {"/data": "{real}"}),
    "python run.py prepare with dataset=cifar10 raw_root=/data/cifar-10-batches-py": ("", {"/data": "{real}"}),
    "python run.py prepare with dataset=imdb raw_root=/data/aclImdb": ("", {"/data": "{real}"}),
    "python run.py prepare with dataset=folder raw_root=/data/flickr8k dataset_name=flickr8k": (
        "",
        {"/data": "{real}"},
    ),
    "python run.py prepare with dataset=huggingface raw_root=lambdalabs/pokemon-blip-captions dataset_name=pokemon": (
        "",
        {"lambdalabs/pokemon-blip-captions": "{parquet}"},
    ),
    "python run.py prepare with dataset=parquet raw_root=/data/laion-parquet dataset_name=laion": (
        "",
        {"/data/laion-parquet": "{parquet}"},
    ),
    "python run.py prepare with dataset=webdataset raw_root=/data/cc3m dataset_name=cc3m": (
        "",
        {"/data/cc3m": "{shards}"},
    ),
    "python run.py prepare with dataset=webdataset 'raw_root=/data/cc3m/{00000..00331}.tar' dataset_name=recaptioned "
    '\'caption_columns=["txt", "json.synthetic"]\'': ("", {"/data/cc3m": "{shards}", "00331": "00001"}),
    'python run.py with task_mlm_itm \'datasets=["coco", "vg"]\' \'dataset_weights={"vg": 0.3}\'': (
        f"{RANDOM} tokenizer={{bert}}",
        {'"vg"]': '"words"]', '{"vg"': '{"words"'},
    ),
    'python run.py with task_mlm_itm \'datasets=["recaptioned"]\' \'caption_weights={"txt": 0.7, "synthetic": 0.3}\'': (
        f"{RANDOM} tokenizer={{bert}}",
        {"recaptioned": "words"},
    ),
    "python run.py prepare with dataset=scenes": ("num_scenes=60", {}),
    "python run.py with task_finetune_cifar10 load_path=result/mlm_itm_deit_electra/1/checkpoints/best.ckpt": (
        f"{SHORT} scenes",
        {"result/mlm_itm_deit_electra/1/checkpoints/best.ckpt": CHECKPOINT},
    ),
    "python run.py with task_finetune_imdb load_path=result/mlm_itm_deit_electra/1/checkpoints/best.ckpt": (
        f"{SHORT} scenes",
        {"result/mlm_itm_deit_electra/1/checkpoints/best.ckpt": CHECKPOINT},
    ),
    "python run.py with task_finetune_cifar10 test_only=True "
    "load_path=result/finetune_cifar10/1/checkpoints/best.ckpt": (
        f"{SHORT} scenes",
        {"result/finetune_cifar10/1/checkpoints/best.ckpt": FINE_TUNED},
    ),
    "python run.py with task_mlm_itm_deit_electra load_path=result/mlm_itm_deit_electra/1/checkpoints/best.ckpt "
    "strict_loading=False cross_layer_hidden_size=512": (
        f"{SHORT} scenes random_init",
        {
            "result/mlm_itm_deit_electra/1/checkpoints/best.ckpt": CHECKPOINT,
            "task_mlm_itm_deit_electra": "task_mlm_itm",
        },
    ),
    "python run.py with task_mlm_itm_deit_electra 'load_modules="
    '{"text_encoder": "result/finetune_imdb/1/checkpoints/best.ckpt", '
    '"image_encoder": "result/finetune_cifar10/1/checkpoints/best.ckpt"}\'': (
        f"{SHORT} scenes",
        {
            "result/finetune_imdb/1/checkpoints/best.ckpt": CHECKPOINT,
            "result/finetune_cifar10/1/checkpoints/best.ckpt": CHECKPOINT,
        },
    ),
    "python run.py with task_finetune_imdb freeze_text_encoder_layers=1 'load_modules="
    '{"text_encoder": "result/mlm_itm_deit_electra/1/checkpoints/best.ckpt"}\'': (
        f"{SHORT} scenes",
        {"result/mlm_itm_deit_electra/1/checkpoints/best.ckpt": CHECKPOINT},
    ),
    "python run.py with task_finetune_imdb freeze_text 'load_modules="
    '{"text_encoder": "result/mlm_itm_deit_electra/1/checkpoints/best.ckpt"}\'': (
        f"{SHORT} scenes",
        {"result/mlm_itm_deit_electra/1/checkpoints/best.ckpt": CHECKPOINT},
    ),
    'python run.py report with \'runs=["result/finetune_imdb/1", "result/finetune_imdb/2"]\'': (
        "",
        {
            "result/finetune_imdb/1": "{tmp}/result/mlm_itm/1",
            "result/finetune_imdb/2": "{tmp}/result/finetune_cifar10/1",
        },
    ),
    'python run.py compare with \'runs=["result/finetune_imdb/1", "result/finetune_imdb/2"]\'': (
        "",
        {
            "result/finetune_imdb/1": "{tmp}/result/mlm_itm/1",
            "result/finetune_imdb/2": "{tmp}/result/finetune_cifar10/1",
        },
    ),
    "python run.py runs": ("", {}),
    "python run.py runs with where='status=finished and learning_rate>1e-4' sort_by=-best limit=20": ("", {}),
    "python run.py runs with where='task=imdb and started>=2026-11-20' sort_by=imdb/test/accuracy runs_format=csv": (
        "",
        {},
    ),
    "python run.py plot with 'runs=[\"result/finetune_imdb/1\"]' plot_formats='[\"pdf\"]' plot_smoothing=0.9": (
        "plot_dir={tmp}/plots",
        {"result/finetune_imdb/1": "{tmp}/result/mlm_itm/1"},
    ),
    'python run.py plot with \'runs=["result/finetune_imdb/1", "result/finetune_imdb/2"]\' plot_x=epoch': (
        "plot_dir={tmp}/plots",
        {
            "result/finetune_imdb/1": "{tmp}/result/mlm_itm/1",
            "result/finetune_imdb/2": "{tmp}/result/finetune_cifar10/1",
        },
    ),
    "python run.py export with load_path=result/mlm_itm_deit_electra/1/checkpoints/best.ckpt export_dir=exported": (
        "",
        {"result/mlm_itm_deit_electra/1/checkpoints/best.ckpt": CHECKPOINT, "=exported": "={tmp}/exported"},
    ),
    "python run.py export with load_path=result/finetune_imdb/1/checkpoints/best.ckpt export_dir=onnx "
    "export_format=onnx": (
        "",
        {"result/finetune_imdb/1/checkpoints/best.ckpt": CHECKPOINT, "=onnx ": "={tmp}/onnx "},
    ),
    "python run.py probe with load_path=result/mlm_itm_deit_electra/1/checkpoints/best.ckpt dataset=cifar10": (
        "num_gpus=0 num_workers=0 num_scenes=60",
        {"result/mlm_itm_deit_electra/1/checkpoints/best.ckpt": CHECKPOINT, "cifar10": "scenes"},
    ),
    "python run.py probe with load_path=result/mlm_itm_deit_electra/1/checkpoints/best.ckpt dataset=imdb": (
        "num_gpus=0 num_workers=0 num_scenes=60 probe_random=False",
        {"result/mlm_itm_deit_electra/1/checkpoints/best.ckpt": CHECKPOINT, "imdb": "scenes"},
    ),
    "python run.py probe with task_finetune_cifar10 image_encoder=facebook/deit-tiny-patch16-224 dataset=cifar10": (
        "num_gpus=0 num_workers=0 num_scenes=60 random_init tiny",
        {"dataset=cifar10": "dataset=scenes"},
    ),
    f"{ZEROSHOT} dataset=scenes": (TRIED, {CLIP: "{contrastive}"}),
    f'{ZEROSHOT} dataset=scenes \'templates=["one small {{}}", "one large {{}}"]\'': (TRIED, {CLIP: "{contrastive}"}),
    f"{ZEROSHOT} dataset=cifar10 templates=templates.txt split=val": (
        TRIED,
        {CLIP: "{contrastive}", "dataset=cifar10": "dataset=scenes", "templates.txt": "{templates}"},
    ),
    f"{ZEROSHOT} dataset=scenes "
    '\'class_names=["red", "red", "green", "green", "blue", "blue", "yellow", "yellow", "purple", "purple"]\' '
    '\'templates=["one small {} circle", "one small {} square"]\'': (TRIED, {CLIP: "{contrastive}"}),
    f"python run.py search with load_path={CLIP} 'query=\"two red circles\"'": (TRIED, {CLIP: "{contrastive}"}),
    f"python run.py search with load_path={CLIP} dataset=scenes split=val query=scene.png num_matches=6": (
        TRIED,
        {CLIP: "{contrastive}", "scene.png": "{image}"},
    ),
    "python run.py with task_clip_scenes": (SHORT, {}),
    "python run.py with task_finetune_vqa scenes tiny attributions=True attributions_examples=12": (SHORT, {}),
    "python run.py with task_albef scenes tiny max_steps=500": (SHORT, {}),
    "python run.py with task_foundation_captioning": (f"{SHORT} scenes", {}),
    "python run.py with task_foundation_captioning scenes max_steps=1000": (SHORT, {}),
    "python run.py with task_foundation_captioning decoder=distilgpt2 freeze_decoder=True": (
        f"{SHORT} scenes random_init_decoder=True freeze_random=True batch_size=2 per_gpu_batchsize=2 "
        "eval_batch_size=2 num_samples=1",
        {},
    ),
    "python run.py with task_foundation_captioning 'datasets=[\"flickr8k\"]' max_epoch=10 generation_strategy=beam "
    '\'manual_inputs=[{"image": "dog.jpg", "prefix": "a dog"}]\'': (SHORT, {"flickr8k": "coco", "dog.jpg": "{image}"}),
    "python run.py with task_foundation_captioning test_only=True "
    'load_path=result/foundation_captioning/1/checkpoints/best.ckpt \'manual_inputs=[{"image": "dog.jpg"}]\'': (
        "num_gpus=0 num_workers=0",
        {"result/foundation_captioning/1/checkpoints/best.ckpt": "{captioned}", "dog.jpg": "{image}"},
    ),
    "python run.py with task_finetune_cifar10 'load_modules="
    '{"image_encoder": "result/foundation_captioning/1/checkpoints/best.ckpt"}\'': (
        f"{SHORT} scenes",
        {"result/foundation_captioning/1/checkpoints/best.ckpt": "{captioned}"},
    ),
    "python run.py with task_finetune_imdb 'load_modules="
    '{"text_encoder": "result/foundation_captioning/1/checkpoints/best.ckpt"}\'': (
        f"{SHORT} scenes",
        {"result/foundation_captioning/1/checkpoints/best.ckpt": "{captioned}"},
    ),
    "python run.py with task_mlm_itm_deit_electra resume_from=auto": (f"{RANDOM} coco tokenizer={{bert}}", {}),
    "python run.py with resume_from=result/mlm_itm_deit_electra/1/checkpoints/last.ckpt max_steps=100000": (
        SHORT.replace("num_scenes=60", "log_interval=1"),
        {"result/mlm_itm_deit_electra/1/checkpoints/last.ckpt": CHECKPOINT},
    ),
    "python run.py with task_mlm_itm_deit_electra random_init coco tokenizer=/data/tokenizers/bert-base-uncased "
    "num_gpus=0 batch_size=16 per_gpu_batchsize=16 max_steps=50": (RANDOM, {"/data": "{real}"}),
    "python run.py with task_finetune_imdb random_init tokenizer_type=word vocab_size=20000 min_frequency=10": (
        f"{SHORT} scenes tiny exp_name=words",
        {},
    ),
    "python run.py with task_finetune_imdb random_init tokenizer_type=word "
    "vocab_file=result/finetune_imdb/1/vocabulary.json": (
        f"{SHORT} scenes tiny",
        {"result/finetune_imdb/1": "{tmp}/result/mlm_itm/1"},
    ),
    "python run.py with task_finetune_imdb text_encoder=transformer text_encoder_num_layers=2 "
    "text_encoder_window_size=64 max_text_len=512": (f"{SHORT} scenes", {}),
    "python run.py with task_finetune_imdb text_encoder=longformer 'text_encoder_config="
    '{"attention_window": 64, "num_hidden_layers": 2, "hidden_size": 128, "num_attention_heads": 4, '
    '"intermediate_size": 256}\' max_text_len=512': (f"{SHORT} scenes batch_size=4 per_gpu_batchsize=4", {}),
    "python run.py with task_finetune_imdb text_encoder=roberta-base random_init_text_encoder=True "
    "'text_encoder_config={\"num_hidden_layers\": 4}' text_pooling=max": (
        f"{SHORT} scenes batch_size=4 per_gpu_batchsize=4",
        {"roberta-base": "prajjwal1/bert-tiny"},
    ),
    'python run.py with task_finetune_imdb \'text_encoder=["transformer", "longformer", "/models/minilm"]\' '
    '\'text_encoder_config=[None, {"attention_window": 64, "num_hidden_layers": 2}, None]\' '
    "'freeze_text_encoder=[False, False, True]'": (
        f"{SHORT} scenes batch_size=4 per_gpu_batchsize=4 freeze_random=True",
        {
            "/models/minilm": "bert",
            "[None, {": '[None, {"hidden_size": 96, ',
            "2}, None]": '2}, {"num_hidden_layers": 1}]',
        },
    ),
    "python run.py with task_itm scenes tiny max_steps=60 seeds='[0, 1, 2]'": (SHORT, {"[0, 1, 2]": "[0]"}),
    'python run.py sweep with task_itm scenes tiny max_steps=60 \'sweep={"learning_rate": [1e-4, 2e-3], '
    '"num_cross_layers": [1, 2]}\'': (SHORT, {"[1e-4, 2e-3]": "[2e-3]", "[1, 2]": "[1]"}),
    "python run.py -F sacred_runs with task_mlm_itm scenes tiny max_steps=100": (
        SHORT,
        {"sacred_runs": "{tmp}/sacred"},
    ),
    "python run.py -s sqlite:///runs.db with task_mlm_itm scenes tiny max_steps=100": (
        SHORT,
        {"sqlite:///runs.db": "sqlite:///{tmp}/runs.db"},
    ),
}
# Many runs, or jobs of a SLURM that is not there: tests/run_sets has them, with runs of milliseconds.
BY_SETS = {
    "python run.py with task_itm scenes tiny max_steps=60 seeds='[0, 1, 2]' resume_from=auto",
    "python run.py sweep with task_itm scenes tiny max_steps=60 "
    '\'sweep={"learning_rate": {"low": 1e-4, "high": 1e-2, "log": true}}\' sweep_search=random sweep_trials=8',
    "python run.py sweep with task_itm scenes tiny max_steps=60 "
    '\'sweep={"learning_rate": {"low": 1e-4, "high": 1e-2, "log": true}, "optim_type": ["adamw", "lion"]}\' '
    "sweep_search=bayesian sweep_trials=20 sweep_pruning=median seeds='[0, 1]' runs_at_once=2",
    "python run.py with task_mlm_itm_deit_electra submit=slurm slurm_gpus=4 slurm_minutes=720 slurm_partition=gpu",
    "python run.py with task_mlm_itm_deit_electra submit=slurm slurm_gpus=4 seeds='[0, 1, 2]' runs_at_once=3 "
    '\'slurm_parameters={"account": "vision", "constraint": "a100"}\'',
}
# Its commands build on the files that the page shows: tests/test_extending.py runs them.
EXTENDING = ROOT / "docs" / "extending.md"
# How the completion is installed: tests/settings/test_completion.py runs these lines.
BY_SHELLS = ("python run.py completion ", "echo 'source ~/.renaissance-completion.", "mkdir -p ~/.config/fish/")
# tests/training/test_devices.py runs it.
BY_TORCHRUN = {"torchrun --nproc-per-node 2 run.py with task_mlm_itm scenes tiny max_steps=200 num_gpus=0"}
# Of the environment, not of ours.
BY_USER = {"source .venv/bin/activate", "pre-commit install"}
# Visual Genome's images are not among the small real data; tests/data has a hand-made copy of its layout.
WITHOUT_DATA = {"python run.py prepare with dataset=vg raw_root=/data/vg"}


def test_every_documented_command_is_tried():
    commands = {command for page in PAGES if page != EXTENDING for command in documented_commands(page)}
    documented = {command for command in commands if not command.startswith(BY_SHELLS)}
    known = BY_CI | BY_USER | BY_SETS | BY_TORCHRUN | UNREACHABLE | WITHOUT_DATA | set(SHORTENED)
    assert documented <= known, "documented, and not tried by this test"
    assert set(SHORTENED) <= documented, "tried, and no longer documented"


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, real_data: Path) -> dict[str, str]:
    """What the commands' places stand for: prepared tables, a pretrained checkpoint, a vocabulary."""
    tmp = tmp_path_factory.mktemp("documentation")
    found = {"tmp": str(tmp), "real": str(real_data), "bert": str(real_data / "tokenizers" / "bert-base-uncased")}
    run_documented(f"python run.py prepare with dataset=coco raw_root={real_data}/coco", tmp)
    run_documented(f"python run.py with task_mlm_itm scenes tiny {SHORT}", tmp)
    found["pretrained"] = str(tmp / "result" / "mlm_itm" / "1" / "checkpoints" / "best.ckpt")
    run_documented(f"python run.py with task_finetune_cifar10 scenes {SHORT} load_path={found['pretrained']}", tmp)
    run_documented(f"python run.py with task_foundation_captioning scenes {SHORT}", tmp)
    found["captioned"] = str(tmp / "result" / "foundation_captioning" / "1" / "checkpoints" / "best.ckpt")
    found |= _sources(tmp, real_data)
    run_documented(
        f"python run.py prepare with dataset=webdataset raw_root={tmp}/shards dataset_name=words "
        '\'caption_columns=["txt", "json.synthetic"]\'',
        tmp,
    )
    found["image"] = str(next((real_data / "coco").rglob("*.jpg")))
    found["fine_tuned"] = str(tmp / "result" / "finetune_cifar10" / "1" / "checkpoints" / "best.ckpt")
    run_documented(f"python run.py with task_clip_scenes tiny {SHORT}", tmp)
    found["contrastive"] = str(tmp / "result" / "clip_scenes" / "1" / "checkpoints" / "best.ckpt")
    found["templates"] = str(tmp / "templates.txt")
    found["images"] = str(Path(found["image"]).parent)
    pair = f"picture,words,number\n{found['image']},a picture,007\n"
    (tmp / "pairs.csv").write_text(pair, encoding="utf-8")
    Path(found["templates"]).write_text("a {}\na picture of a {}\n", encoding="utf-8")
    return found


def _sources(tmp: Path, real_data: Path) -> dict[str, str]:
    """A Parquet file and tar shards of a few real pictures, under the names of their places."""
    images = [path.read_bytes() for path in sorted((real_data / "coco").rglob("*.jpg"))[:24]]
    (tmp / "parquet").mkdir()
    pq.write_table(pa.table({"image": images, "text": ["a picture"] * 24}), tmp / "parquet" / "train.parquet")
    for part in (0, 1):
        files: dict[str, bytes] = {}
        for number, image in enumerate(images[part::2]):
            files |= {f"{number}.jpg": image, f"{number}.txt": b"a picture", f"{number}.json": b'{"synthetic": "one"}'}
        shard(tmp / "shards" / f"{part:05d}.tar", files)
    return {"parquet": str(tmp / "parquet"), "shards": str(tmp / "shards")}


@pytest.mark.slow
@pytest.mark.parametrize("command", list(SHORTENED))
def test_a_documented_command_runs(command, places):
    behind, replaced = SHORTENED[command]
    for old, new in replaced.items():
        assert old in command
        command = command.replace(old, new)
    words = f"{command} {behind}"
    for place, value in places.items():  # not str.format: dictionaries have braces too
        words = words.replace(f"{{{place}}}", value)
    output = run_documented(words, Path(places["tmp"]))
    assert output.strip()
    assert "without effect" not in output, "a setting that the command does not read"


def test_the_wrong_setting_shown_in_the_readme_is_answered_as_shown():
    text = README.read_text(encoding="utf-8")
    shown = re.search(r"```text\n\$ (python run\.py .*?)\n(.*?)```", text, flags=re.DOTALL)
    assert shown is not None
    words = shlex.split(shown[1])
    done = subprocess.run([sys.executable, *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.strip() == shown[2].strip()


def test_every_link_leads_to_a_page_and_a_heading_that_are_there():
    pages = [*PAGES, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs" / "walkthroughs").glob("*.md"))]
    assert len(pages) > 12
    for page in pages:
        for link in re.findall(r"(?<!!)\[[^]]*\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if link.startswith("https://"):
                continue
            file, _, heading = link.partition("#")
            target = (page.parent / file).resolve() if file else page
            assert target.exists(), f"{page.relative_to(ROOT)}: {link}"
            if heading:
                lines = target.read_text(encoding="utf-8").splitlines()
                headings = {anchor(line.lstrip("# ")) for line in lines if line.startswith("#")}
                assert heading in headings, f"{page.relative_to(ROOT)}: {link}"


def test_every_file_of_ours_that_a_page_names_is_there():
    named = {
        path for page in PAGES for path in re.findall(r"`(renaissance/[\w/]+(?:\.py|/))`", page.read_text("utf-8"))
    }
    assert len(named) > 20
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


def test_every_page_is_named_in_the_documentations_map():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        if page.name != "README.md":
            assert f"]({page.relative_to(ROOT / 'docs')})" in index, page
            assert f"](docs/{page.relative_to(ROOT / 'docs')})" in README.read_text(encoding="utf-8"), page
