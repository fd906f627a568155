"""Pretrain, fine-tune and test vision-language models.

Every setting with its default, its unit and its meaning, and the named configurations. Examples:

    python run.py with quickstart
    python run.py with task_mlm_itm_deit_electra num_gpus=8 per_gpu_batchsize=32
    python run.py with task_mlm_itm deit_electra imagenet_randaug freeze_image
    python run.py with task_finetune_cifar10 load_path=result/mlm_itm_deit_electra/1/checkpoints/best.ckpt
    python run.py print_config with task_mlm_itm_deit_electra
    python run.py runs with where='status=finished and learning_rate>1e-4' sort_by=best
    python run.py compare with runs='["result/finetune_imdb/1", "result/finetune_imdb/2"]'
    python run.py with task_itm scenes tiny seeds='[0, 1, 2]'
    python run.py sweep with task_itm scenes tiny 'sweep={"learning_rate": [1e-4, 2e-3]}'
    python run.py predict with load_path=result/finetune_imdb/1/checkpoints/best.ckpt input=reviews.csv output=new.csv
    python run.py export with load_path=result/mlm_itm_deit_electra/1/checkpoints/best.ckpt export_dir=exported
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any

# Sacred imports pkg_resources, which warns at every start that it will go; setup.py keeps the version that has it.
warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=UserWarning)

# Where pandas is installed Sacred imports it, for observers' tables that no run here has: 0.35 s at every start. For a
# name that stands for None Python says that there is no such module.
_without_pandas = "pandas" not in sys.modules
if _without_pandas:
    sys.modules["pandas"] = None  # type: ignore[assignment]

from sacred import SETTINGS, Experiment  # noqa: E402  (after what is said above)
from sacred.config.config_dict import ConfigDict  # noqa: E402
from sacred.config.config_scope import ConfigScope  # noqa: E402

if _without_pandas:
    del sys.modules["pandas"]

from renaissance.errors import UserError  # noqa: E402
from renaissance.settings import Settings  # noqa: E402
from renaissance.settings.discovery import suggestion  # noqa: E402
from renaissance.settings.named_configurations import REGISTERED  # noqa: E402
from renaissance.tasks.registry import task_names  # noqa: E402
from renaissance.tracking.observers import last_states  # noqa: E402

# Observers get a copy of what Python prints. Sacred's default ("fd") puts `tee` processes on the file descriptors:
# then no stream is a terminal, progress bars vanish, and a data loader's workers hold the pipes open at the end.
SETTINGS.CAPTURE_MODE = "sys"


class _Documented(ConfigScope):
    """A configuration function whose docstring describes it, rather than becoming a setting named `__doc__`."""

    def __call__(self, fixed: Any = None, preset: Any = None, fallback: Any = None) -> Any:
        values = super().__call__(fixed, preset, fallback)
        values.pop("__doc__", None)
        return values


class _Experiment(Experiment):
    """Sacred's experiment with documented named configurations."""

    def named_config(self, func: Callable[[], None]) -> ConfigScope:
        scope = _Documented(func)
        self.named_configs[func.__name__] = scope
        return scope


class _OfPlugin(ConfigDict):
    """A named configuration of a plug-in."""

    def __init__(self, values: Mapping[str, Any], meaning: str | None) -> None:
        super().__init__(values)
        self.__doc__ = meaning


ex = _Experiment("renaissance", save_git_info=False)  # tracking/observers.py adds it where somebody observes
ex.captured_out_filter = last_states  # type: ignore[assignment]  # Sacred declares it as None


def _loss_names(weights: Mapping[str, float]) -> dict[str, float]:
    """The weight of every task's loss: 0, off, where `weights` does not say."""
    return {**dict.fromkeys(task_names(), 0), **weights}


def add_configurations_of_plugins() -> None:
    """Take up the named configurations that plug-ins have registered.

    Raises:
        UserError: one gives no settings by name, or has the name of one of ours.
    """
    for name, function in REGISTERED.things.items():
        place = REGISTERED.place(name)
        where = f"plugins: {place.file}, line {place.line}: the named configuration {name!r}"
        if not isinstance(ex.named_configs.get(name, None), _OfPlugin | None):
            raise UserError(f"{where} is one of Renaissance's. Take another name.")
        values = function()
        if not isinstance(values, Mapping) or not all(isinstance(setting, str) for setting in values):
            raise UserError(f"{where} must return a dictionary of settings by name, not {values!r}.")
        unknown = [setting for setting in values if setting not in Settings.model_fields]
        if unknown:
            near = suggestion(unknown[0], Settings.model_fields)
            raise UserError(f"{where} sets {unknown[0]}: there is no such setting{near}")
        values = dict(values)
        if isinstance(values.get("loss_names"), Mapping):
            values["loss_names"] = _loss_names(values["loss_names"])
        ex.named_configs[name] = _OfPlugin(values, inspect.getdoc(function))


@ex.config
def defaults() -> None:
    # == The experiment ==
    exp_name = "renaissance"  # folder under log_dir that holds the runs of this experiment, numbered
    plugins = []  # your own files or modules that add tasks, data sets, encoders, optimisers, trackers
    log_dir = "result"  # where runs go
    resume_from = None  # .ckpt file of a stopped run to continue; auto: the newest unfinished run of this exp_name
    test_only = False  # test load_path, train nothing
    fast_dev_run = False  # one step of training, validation and test each, to try a set-up
    tensorboard = False  # write TensorBoard logs into the run's folder
    wandb_project = None  # project of Weights & Biases that the run is sent to; None: it is not
    wandb_offline = False  # keep what would be sent in the run's folder, for `wandb sync`
    log_interval = 10  # optimiser steps between two points of the training curves

    # == Databases and trackers ==
    mongo_url = None  # MongoDB that the run is recorded in, such as mongodb://localhost:27017/renaissance
    mongo_wait = 20  # seconds, at most, that the end of a run waits for that MongoDB
    mongo_checkpoints = False  # send best.ckpt and last.ckpt there too, at the end
    sql_url = None  # database of Sacred's SQL observer, such as sqlite:///runs.db
    trackio_project = None  # project of trackio, on this machine, that the run is recorded in

    # == Randomness ==
    seed = 0  # start of all random choices in training
    eval_seed = 0  # start of those in validation and test: the same questions for every seed

    # == Data ==
    data_root = "data/arrow"  # where Arrow tables lie
    datasets = ["coco", "vg"]  # which data sets to join: coco, vg, scenes, cifar10, imdb, or a prepared folder's name
    dataset_weights = None  # how often an example of each data set is seen, beside the others'; None: 1 each
    caption_weights = None  # draw one caption of an image each epoch, by its source's weight; None: take all

    # == Tasks ==
    loss_names = _loss_names({})  # weight of each task's loss; 0 is off
    step_shares = None  # of tasks that read different data, each data's share of the steps, such as caption; 1 each
    whole_word_masking = False  # mlm hides whole words; needs a tokenizer with word pieces (RoBERTa's has none)
    mlm_prob = 0.15  # share of the words (or tokens) that mlm hides
    draw_false_image = 1  # false images for each true pair of itm
    draw_false_text = 0  # false texts for each true pair of itm
    itm_false_from = "batch"  # where itm's false partners come from; dataset: the whole set; hard: those most alike

    # == Contrastive learning ==
    contrastive_loss = "clip"  # clip: softmax over the batch, scale 1/0.07 at first; siglip: a sigmoid a pair, 10, -10
    contrastive_size = 256  # width of the joint space of texts and images
    contrastive_drop_rate = 0.0  # dropout on the features that are projected into the joint space
    mask_false_negatives = True  # captions of one image, and equal captions, are no negatives of each other

    # == Captions ==
    label_smoothing = 0.0  # share of a token's target that is spread over the whole vocabulary, in training
    caption_metric_images = 200  # validation images to caption at each validation, for BLEU and others; 0: none
    generation_strategy = "greedy"  # greedy: the best token each time; beam: the best text found; sample: at random
    num_beams = 4  # texts that beam search keeps
    top_k = 20  # sample from this many of the best tokens; None: all
    top_p = 0.9  # sample from the fewest tokens with this much probability together; 1: all
    temperature = 0.7  # scores are divided by it before sampling: below 1 bolder, above 1 more varied
    repetition_penalty = 1.0  # scores of tokens that were written already are divided by it; 1: no penalty
    max_generated_tokens = None  # longest caption to write, in tokens; None: max_text_len
    sample_interval = None  # optimiser steps between two sheets of sample captions; None: one at every validation
    num_samples = 10  # images of the split on a sheet
    manual_inputs = []  # your own images on every sheet, such as [{"image": "dog.jpg", "prefix": "a dog"}]

    # == What answers rest on ==
    attributions = False  # at the end of a run, sheets that show which patches and words its answers rest on
    attributions_examples = 8  # examples on such a sheet

    # == Regularisation ==
    mixing_alpha = 0.0  # mixup of two examples and their classes, lambda from Beta(alpha, alpha) each batch; 0: off
    text_modality_dropout = 0.0  # share of the training examples whose whole text is left out before fusing
    image_modality_dropout = 0.0  # share of the training examples whose whole image is left out; never both of one

    # == Where weights come from ==
    load_path = ""  # .ckpt file whose weights fine-tuning or testing starts from
    load_modules = None  # .ckpt file for each part of the model that comes from another one, such as text_encoder
    freeze_random = False  # allow frozen parts whose weights begin at random, as a baseline
    strict_loading = True  # refuse weights that do not fit; False: what fits is loaded, the rest begins anew

    # == The machine ==
    num_gpus = "auto"  # GPUs to use on each machine; auto: all that are visible; 0: the CPU
    num_nodes = 1  # machines
    num_workers = 4  # processes that load data, for each device; limited to the cores
    precision = 32  # bits of the arithmetic; the mixed ones keep the weights in 32

    # == Many devices ==
    devices = None  # processes on each machine; None: one for each GPU, or one on the CPU, which takes several
    strategy = "auto"  # auto: ddp, where there are several devices; fsdp shares out weights and optimiser state
    fsdp_checkpoints = "whole"  # what fsdp writes: whole: one file; sharded: each device its share, a file of its own
    peer_timeout = 60.0  # seconds without a sign of life from another process of the run until it is given up

    # == Batches ==
    batch_size = 256  # examples an optimiser step, all compared by contrastive; accumulated where devices take fewer
    per_gpu_batchsize = 64  # examples a device takes at once
    eval_batch_size = 32  # examples a device takes at once in validation and test

    # == The model ==
    clip_model = None  # a whole CLIP or SigLIP as both towers, in the place of image_encoder and text_encoder
    model_type = "two-tower"  # two-tower: two encoders and a fuser; late-fusion: no fuser; one-tower: one encoder

    # == One-tower encoder ==
    encoder = "google/electra-small-discriminator"  # a text or a vision transformer
    pooler_type = "double"  # double: the first text and the first image feature side by side; single: the first of all
    random_init_encoder = False  # start from random weights instead of pretrained ones
    encoder_manual_configuration = False  # use the dimensions below; needs random_init_encoder
    hidden_size = 192  # width of the hidden states
    num_heads = 4  # attention heads; they divide the width
    num_layers = 12  # layers
    mlp_ratio = 4  # width of the feed-forward layers over the hidden states'
    drop_rate = 0.1  # dropout probability
    embedding_size = 96  # width of the token embeddings before they are projected to hidden_size
    freeze_encoder = False  # keep the encoder's weights as they are
    freeze_encoder_layers = 0  # keep its lowest layers, so many, and the embeddings below them as they are

    # == Two-tower image encoder ==
    image_encoder = "facebook/deit-tiny-patch16-224"  # a vision encoder
    random_init_vision_encoder = False  # start from random weights instead of pretrained ones
    image_encoder_manual_configuration = False  # use the dimensions below; needs random_init_vision_encoder
    image_encoder_hidden_size = 192  # width of the hidden states
    image_encoder_num_heads = 4  # attention heads; they divide the width
    image_encoder_num_layers = 12  # layers
    image_encoder_mlp_ratio = 4  # width of the feed-forward layers over the hidden states'
    image_encoder_drop_rate = 0.1  # dropout probability
    image_encoder_embedding_size = 128  # width of a convolutional stem, for encoders that have one
    freeze_image_encoder = False  # keep the image encoder's weights as they are
    freeze_image_encoder_layers = 0  # keep its lowest layers, so many, and the embeddings below them as they are

    # == Two-tower text encoder ==
    text_encoder = "google/electra-small-discriminator"  # a text encoder; transformer: the built-in one
    text_encoder_config = None  # flags of the architecture's own configuration; needs random weights
    text_encoder_window_size = None  # tokens around it that a token sees in our transformer; None: all
    random_init_text_encoder = False  # start from random weights instead of pretrained ones
    text_encoder_manual_configuration = False  # use the dimensions below, as transformer always does
    text_encoder_hidden_size = 192  # width of the hidden states
    text_encoder_num_heads = 4  # attention heads; they divide the width
    text_encoder_num_layers = 12  # layers
    text_encoder_mlp_ratio = 4  # width of the feed-forward layers over the hidden states'
    text_encoder_drop_rate = 0.1  # dropout probability
    text_encoder_embedding_size = 64  # width of the token embeddings before they are projected to the hidden states'
    freeze_text_encoder = False  # keep the text encoder's weights as they are
    freeze_text_encoder_layers = 0  # keep its lowest layers, so many, and the embeddings below them as they are

    # == Text ==
    max_text_len = 40  # tokens of a text, the special ones included; longer texts are cut
    long_text = "from_start"  # the part of longer texts that stays; uniform: in training a random one each epoch
    text_pooling = "mean"  # how a text alone becomes one vector: cls: its first token; mean or max: of all its tokens
    vocab_size = None  # entries of the vocabulary, at most; None: what the tokenizer has, and 30522 of a built one
    tokenizer = None  # None: vocab_file, or the pretrained text encoder's own, else one built from the training texts
    vocab_file = None  # JSON file {token: number}, such as a run's vocabulary.json, or a saved tokenizers JSON
    tokenizer_type = "wordpiece"  # pieces that texts are split into, of a built vocabulary or vocab_file's dictionary
    min_frequency = 2  # how often a built vocabulary's words, pieces or characters occur at least

    # == Two-tower fuser ==
    cross_layer_hidden_size = 256  # width of the hidden states
    num_cross_layers = 6  # layers
    num_cross_layer_heads = 4  # attention heads; they divide the width
    cross_layer_mlp_ratio = 4  # width of the feed-forward layers over the hidden states'
    cross_layer_drop_rate = 0.1  # dropout probability
    freeze_cross_modal = False  # keep the fuser's weights as they are

    # == Text decoder ==
    decoder = None  # a pretrained language model, such as gpt2; None: our own, random, of the dimensions below
    random_init_decoder = False  # start such a decoder from random weights instead of pretrained ones
    decoder_hidden_size = 256  # width of the hidden states
    decoder_num_heads = 4  # attention heads; they divide the width
    decoder_num_layers = 4  # layers
    decoder_mlp_ratio = 4  # width of the feed-forward layers over the hidden states'
    decoder_drop_rate = 0.1  # dropout probability
    caption_prefix_encoder = False  # a text encoder reads the first part of a caption, the decoder writes the rest
    freeze_decoder = False  # keep the decoder's weights; of a language model, train what attends to the encoders

    # == Images ==
    image_size = 224  # height and width of the images, in pixels
    original_image_size = None  # image_size that the weights were trained with; None: what the checkpoint says
    patch_size = None  # height and width of a patch, in pixels; None: the encoder's own
    image_only = False  # leave out captions and the text side, for image tasks
    image_pooling = "cls"  # how an image alone becomes one vector: cls: its class position; mean or max: of its patches
    train_transform_keys = ["imagenet"]  # whose mean, std and interpolation; _randaug augments
    val_transform_keys = ["imagenet"]  # of validation and test: whose mean, std and interpolation
    caption_crop_area = 1.0  # smallest share of an image with captions that a training crop keeps; 1: no crops
    randaugment_operations = 2  # operations that RandAugment applies to an image
    randaugment_magnitude = 9  # strength of RandAugment's operations
    patch_dropout = 0.0  # share of an image's patches that its encoder does not see in training; faster by as much

    # == The optimiser ==
    optim_type = "adamw"  # the optimiser; lion: smaller learning rates; muon: of hidden matrices, adamw of the rest
    learning_rate = 1e-5  # full learning rate of the pretrained encoders
    weight_decay = 0.01  # weight decay; biases and norms are spared
    adam_betas = [0.9, 0.999]  # decay rates of Adam's two running means
    adam_epsilon = 1e-8  # what Adam adds to the denominator
    momentum = 0.9  # momentum of SGD
    lion_betas = [0.9, 0.99]  # decay rates of Lion's running mean: of what a step looks at, and of what is kept
    muon_momentum = 0.95  # momentum of Muon
    schedule = "polynomial"  # how the learning rate moves after the warm-up, each with its settings below; none: not
    decay_power = 1  # of schedule=polynomial: the exponent; 1 is linear
    cosine_cycles = 1  # of schedule=cosine: half waves, equally long, each from the full learning rate on
    step_size = 0.3  # of schedule=step: optimiser steps between two reductions; below 1: a fraction of the schedule
    gamma = 0.1  # of schedule=step: what the learning rate is multiplied by at each
    end_lr = 0  # learning rate at the end of polynomial and cosine, of the parts whose full one is learning_rate
    warmup_steps = 10000  # optimiser steps until the full learning rate; below 1: a fraction of the training
    lr_mult_head = 5  # the tasks' heads learn at this many times learning_rate
    lr_mult_cross_modal = 5  # the cross-modal module learns at this many times learning_rate
    gradient_clip_val = None  # longest gradient, as its norm; None: no clipping
    max_skipped_steps = 0  # optimiser steps left out for a loss or gradient that is not finite; 0: stop at the first

    # == How long ==
    max_epoch = 100  # times the data are seen; whichever of these two comes first ends the training
    max_steps = 100000  # optimiser steps
    resume_schedule = "new"  # of a run resumed to another length. new: learning rates follow; kept: end_lr holds on
    val_check_interval = 1.0  # how often to validate: 1.0 once an epoch, 0.25 four times, 500 every 500 steps
    monitor = None  # tells the best, such as mlm/val/loss; None: the task's own, of several tasks their weighted loss
    checkpoint_interval = None  # further checkpoints on the way: 1.0 once an epoch, 5.0 every 5, 500 every 500 steps
    keep_checkpoints = 3  # how many of these stay, the newest; None: all
    early_stopping_patience = None  # end after so many validations in a row that were no better; None: do not
    early_stopping_min_delta = 0.0  # how much better what is monitored must be to count

    # == Curves ==
    plot_formats = ["png"]  # of pictures of curves: png, pdf, svg; png is always among them, the others come at the end
    plot_smoothing = 0.0  # weight of what came before in training curves, such as 0.9; what they were lies pale behind
    plot_x = "step"  # what curves are drawn over: step, epoch, examples, or hours of working time

    # == The commands `prepare`, `probe`, `search`, `serve` and `zeroshot` ==
    dataset = None  # what to prepare, to tell the classes of, or to search; None: to search the checkpoint's own data

    # == The command `prepare` ==
    raw_root = None  # the raw files' folder, or the folder that holds it; a hub name; shards, as in {00..31}.tar
    dataset_name = None  # name that the tables of images with captions get, of a folder or the hub; None: the folder's
    image_column = None  # column of the images of a source with captions, ending of webdataset; None: a usual name
    caption_columns = None  # column of its captions, ending of webdataset, or a list of these; None: a usual name
    val_fraction = 0.1  # share of the training examples that become validation, where a data set has no such split
    num_scenes = 6000  # pictures of the built-in sample set, all splits together

    # == The commands `compare`, `plot`, `report`, `runs` and `sync` ==
    runs = None  # folders of the runs that it is about; of the command runs, where to look for some; None: log_dir

    # == The command `runs` ==
    where = None  # which to list, such as 'status=finished and learning_rate>1e-4'; None: all
    sort_by = None  # what to list them by: a setting, a metric, best, started, duration; with - before it: downwards
    limit = None  # how many to list; None: all
    runs_format = "table"  # how to write the list

    # == The command `compare` ==
    compare_dir = None  # where comparisons go, numbered; None: log_dir/comparisons

    # == The command `plot` ==
    plot_dir = None  # where pictures of runs drawn again go, numbered; None: log_dir/plots

    # == The command `report` ==
    report_dir = None  # where reports go, numbered; None: log_dir/reports

    # == The command `dashboard` ==
    dashboard_host = "127.0.0.1"  # address that it listens at; any other than this machine's own lets others look
    dashboard_port = 8100  # port that it listens at; 0: one that is free

    # == The command `export` ==
    export_dir = None  # where what is exported of load_path goes; must not be there, or be empty
    export_format = "hugging_face"  # encoders as Hugging Face folders; onnx: tasks and encoders as ONNX files

    # == The commands `prepare` and `predict` ==
    max_rejected_fraction = 0.01  # share of unusable images or lines above which they fail

    # == The command `predict` ==
    input = None  # what to predict: a file (.csv, .jsonl, .parquet, .arrow) or a folder of images
    output = None  # where the answers go, a new file: .csv, .jsonl, .parquet or .arrow
    task = None  # the only task to ask; None: all whose inputs are there
    columns = None  # what columns of other names are, such as {"review": "text", "sentiment": "label"}
    keep = None  # columns of the input to carry along; None: the examples' id, or the file's name

    # == The command `probe` ==
    probe_random = True  # probe the same architecture with random weights too: what the training is to be measured by

    # == The command `zeroshot` ==
    templates = ["a {}", "a photo of a {}", "a picture of a {}", "an image of a {}"]  # prompts, or a file, one a line
    class_names = None  # other names for the classes, a list or by the table's names; equal names are one class

    # == The command `search` ==
    query = None  # what to search for: a text, or an image file
    num_matches = 12  # matches to show, of images and of captions

    # == The commands `search`, `serve` and `zeroshot` ==
    split = None  # of the data set, such as val; None: test, or val where there is no such

    # == The command `serve` ==
    serve_models = {}  # checkpoints by the name they are offered under, or a list; load_path takes the same
    host = "127.0.0.1"  # address that serve listens at; any other than this machine's own lets others ask
    port = 8000  # port that serve listens at; 0: one that is free
    serve_hosts = []  # further names that requests may call this server by, such as that of a proxy before it
    serve_token = None  # what requests must bear; better given as RENAISSANCE_SERVE_TOKEN, never recorded
    serve_images = None  # folder whose image files requests may name by relative path; None: no request names a file
    serve_processes = 1  # processes that answer, each with its own copy of the models
    serve_batch_size = 32  # examples that are computed at once, across requests
    serve_wait = 0.002  # seconds that an example waits at most for others whose requests are under way
    serve_queue = 1024  # examples that may wait; beyond them requests are asked to come again (503)
    serve_max_examples = 256  # examples, texts or images of one request
    serve_max_body = 33554432  # bytes of one request
    serve_max_pixels = 25000000  # pixels of one image
    serve_max_text = 20000  # characters of one text

    # == Several seeds ==
    seeds = None  # train once with each of these seeds, and end with mean, spread and interval; such as [0, 1, 2]
    runs_at_once = 1  # runs of a set of seeds, or of a sweep, that go on at the same time

    # == The command `sweep` ==
    sweep = None  # lists of values by setting, or ranges, such as {"learning_rate": {"low": 1e-5, "high": 1e-3}}
    sweep_search = "grid"  # grid: every combination; random: drawn; bayesian: drawn where it looks promising (Optuna)
    sweep_trials = None  # trials of random and bayesian; a grid has as many as there are combinations
    sweep_seed = 0  # start of the random choices of trials
    sweep_pruning = None  # give up trials that fall behind at their validations: median or hyperband; None: none

    # == SLURM ==
    submit = None  # slurm: compute runs as jobs of SLURM; local: the same without SLURM, to try it; None: here
    slurm_partition = None  # partition of the jobs; None: SLURM's own choice
    slurm_minutes = 1440  # time limit of a job; a run that comes to it is saved, queued again and resumed
    slurm_gpus = None  # GPUs of a job on each machine; None: num_gpus, and 1 where that is auto
    slurm_cpus = None  # cores of a job for each GPU, or in all without; None: num_workers and one more
    slurm_memory_gb = None  # memory of a job on each machine; None: SLURM's own choice
    slurm_signal_seconds = 300  # how long before its time limit a run begins to save its state
    slurm_requeues = 50  # how often a run may come to its time limit
    slurm_setup = []  # lines of shell before each run, such as ["module load cuda"]
    slurm_parameters = None  # what else sbatch is told, such as {"account": "vision", "constraint": "a100"}


# Named configurations compose: `with <task> <model> <modifiers>`. A task sets what is trained on which data for how
# long, a model its encoders, a modifier one thing, so they do not undo each other; where they do, the later one holds.

# == Tasks ==


@ex.named_config
def quickstart() -> None:
    """A small two-tower model on the built-in sample set, MLM + ITM: minutes on 2 CPU cores."""
    exp_name = "quickstart"
    datasets = ["scenes"]
    loss_names = _loss_names({"itm": 1, "mlm": 1})
    batch_size = 32
    per_gpu_batchsize = 32
    eval_batch_size = 128
    num_workers = 1
    max_epoch = None
    max_steps = 1200
    val_check_interval = 400
    log_interval = 50
    warmup_steps = 0.1
    learning_rate = 2e-3
    lr_mult_head = 1
    lr_mult_cross_modal = 1
    gradient_clip_val = 1.0
    mlm_prob = 0.3
    whole_word_masking = True
    image_size = 48
    patch_size = 16
    max_text_len = 32
    random_init_vision_encoder = True
    image_encoder_manual_configuration = True
    image_encoder_hidden_size = 96
    image_encoder_num_heads = 4
    image_encoder_num_layers = 2
    image_encoder_mlp_ratio = 2
    image_encoder_drop_rate = 0.0
    random_init_text_encoder = True
    text_encoder_manual_configuration = True
    text_encoder_hidden_size = 96
    text_encoder_num_heads = 4
    text_encoder_num_layers = 2
    text_encoder_mlp_ratio = 2
    text_encoder_drop_rate = 0.0
    text_encoder_embedding_size = 96
    cross_layer_hidden_size = 96
    num_cross_layers = 2
    num_cross_layer_heads = 4
    cross_layer_mlp_ratio = 2
    cross_layer_drop_rate = 0.0


@ex.named_config
def task_mlm() -> None:
    """Pretrain with masked language modelling."""
    exp_name = "mlm"
    loss_names = _loss_names({"mlm": 1})
    max_epoch = None
    warmup_steps = 0.1


@ex.named_config
def task_itm() -> None:
    """Pretrain with image-text matching."""
    exp_name = "itm"
    loss_names = _loss_names({"itm": 1})
    max_epoch = None
    warmup_steps = 0.1


@ex.named_config
def task_mlm_itm() -> None:
    """Pretrain with masked language modelling and image-text matching."""
    exp_name = "mlm_itm"
    loss_names = _loss_names({"itm": 1, "mlm": 1})
    max_epoch = None
    warmup_steps = 0.1


@ex.named_config
def task_contrastive() -> None:
    """Pretrain contrastively: texts and images in one space, as CLIP and SigLIP do."""
    exp_name = "contrastive"
    loss_names = _loss_names({"contrastive": 1})
    max_epoch = None
    warmup_steps = 0.1
    schedule = "cosine"


@ex.named_config
def task_albef() -> None:
    """Pretrain with contrastive learning, ITM on the hardest false pairs that it finds, and MLM, as ALBEF does."""
    exp_name = "albef"
    loss_names = _loss_names({"contrastive": 1, "itm": 1, "mlm": 1})
    itm_false_from = "hard"
    draw_false_image = 1
    draw_false_text = 1
    max_epoch = None
    warmup_steps = 0.1


@ex.named_config
def task_clip_lit() -> None:
    """Locked tuning (LiT): contrastive learning of a text encoder; the pretrained image encoder stays as it is."""
    exp_name = "clip_lit"
    loss_names = _loss_names({"contrastive": 1})
    freeze_image_encoder = True
    max_epoch = None
    warmup_steps = 0.1
    schedule = "cosine"


@ex.named_config
def task_clip_pokemon() -> None:
    """Train OpenAI's CLIP ViT-B/32 further on captioned Pokémon (prepare them first), its image encoder frozen."""
    exp_name = "clip_pokemon"
    datasets = ["pokemon"]
    loss_names = _loss_names({"contrastive": 1})
    model_type = "two-tower"
    clip_model = "openai/clip-vit-base-patch32"
    contrastive_size = 512
    contrastive_drop_rate = 0.2
    freeze_image_encoder = True
    train_transform_keys = ["clip"]
    val_transform_keys = ["clip"]
    max_text_len = 77
    batch_size = 16
    per_gpu_batchsize = 16
    optim_type = "adam"
    learning_rate = 4e-4
    lr_mult_head = 1
    weight_decay = 0.2
    adam_betas = [0.9, 0.98]
    adam_epsilon = 1e-6
    schedule = "cosine"
    warmup_steps = 0
    max_epoch = 100
    max_steps = 1000000
    monitor = "contrastive/val/loss"
    early_stopping_patience = 5
    early_stopping_min_delta = 0.01


@ex.named_config
def task_mlm_itm_deit_electra() -> None:
    """Pretrain DeiT-tiny and ELECTRA-small with MLM + ITM on COCO and Visual Genome."""
    exp_name = "mlm_itm_deit_electra"
    datasets = ["coco", "vg"]
    loss_names = _loss_names({"itm": 1, "mlm": 1})
    batch_size = 176
    per_gpu_batchsize = 44
    max_epoch = None
    max_steps = 50000
    warmup_steps = 0.1
    whole_word_masking = True
    model_type = "two-tower"
    freeze_image_encoder = False
    freeze_text_encoder = False
    # Images
    image_encoder = "facebook/deit-tiny-patch16-224"
    train_transform_keys = ["imagenet"]
    val_transform_keys = ["imagenet"]
    image_size = 224
    patch_size = 16
    draw_false_image = 1
    image_only = False
    # Text
    text_encoder = "google/electra-small-discriminator"
    max_text_len = 50
    mlm_prob = 0.15
    draw_false_text = 0
    # Fuser
    cross_layer_hidden_size = 256
    num_cross_layers = 6
    num_cross_layer_heads = 4
    cross_layer_mlp_ratio = 4
    cross_layer_drop_rate = 0.1
    # Optimiser
    learning_rate = 1e-5
    val_check_interval = 1.0
    lr_mult_head = 5
    lr_mult_cross_modal = 5


@ex.named_config
def task_clip_scenes() -> None:
    """Contrastive learning of small random towers on the built-in sample set: minutes on 2 CPU cores."""
    exp_name = "clip_scenes"
    datasets = ["scenes"]
    loss_names = _loss_names({"contrastive": 1})
    model_type = "two-tower"
    batch_size = 128
    per_gpu_batchsize = 128
    eval_batch_size = 128
    num_workers = 1
    max_epoch = None
    max_steps = 800
    val_check_interval = 200
    log_interval = 50
    warmup_steps = 0.1
    schedule = "cosine"
    learning_rate = 2e-3
    lr_mult_head = 1
    weight_decay = 0.05
    gradient_clip_val = 1.0
    contrastive_size = 96
    # Images
    image_size = 48
    patch_size = 8
    image_pooling = "mean"
    random_init_vision_encoder = True
    image_encoder_manual_configuration = True
    image_encoder_hidden_size = 96
    image_encoder_num_heads = 4
    image_encoder_num_layers = 3
    image_encoder_mlp_ratio = 2
    image_encoder_drop_rate = 0.0
    # Text
    max_text_len = 24
    random_init_text_encoder = True
    text_encoder_manual_configuration = True
    text_encoder_hidden_size = 96
    text_encoder_num_heads = 4
    text_encoder_num_layers = 2
    text_encoder_mlp_ratio = 2
    text_encoder_drop_rate = 0.0
    text_encoder_embedding_size = 96


@ex.named_config
def task_foundation_captioning() -> None:
    """Pretrain small random encoders of image and text, and a decoder, by captioning; for transfer of each encoder."""
    exp_name = "foundation_captioning"
    datasets = ["coco"]
    loss_names = _loss_names({"caption": 1})
    model_type = "two-tower"
    batch_size = 64
    per_gpu_batchsize = 64
    eval_batch_size = 128
    max_epoch = 20
    max_steps = None
    warmup_steps = 0.1
    learning_rate = 2e-3
    lr_mult_head = 1
    gradient_clip_val = 1.0
    sample_interval = 500
    # Images
    image_size = 48
    patch_size = 16
    image_pooling = "mean"  # for transfer: the decoder reads the class position as one among many
    random_init_vision_encoder = True
    image_encoder_manual_configuration = True
    image_encoder_hidden_size = 96
    image_encoder_num_heads = 4
    image_encoder_num_layers = 2
    image_encoder_mlp_ratio = 2
    image_encoder_drop_rate = 0.0
    # Text
    max_text_len = 32
    caption_prefix_encoder = True
    random_init_text_encoder = True
    text_encoder_manual_configuration = True
    text_encoder_hidden_size = 96
    text_encoder_num_heads = 4
    text_encoder_num_layers = 2
    text_encoder_mlp_ratio = 2
    text_encoder_drop_rate = 0.0
    text_encoder_embedding_size = 96
    # Decoder
    decoder_hidden_size = 96
    decoder_num_heads = 4
    decoder_num_layers = 2
    decoder_mlp_ratio = 2
    decoder_drop_rate = 0.0


@ex.named_config
def task_finetune_cifar10() -> None:
    """Classify CIFAR-10's images with the image encoder (of load_path, or from scratch)."""
    exp_name = "finetune_cifar10"
    datasets = ["cifar10"]
    loss_names = _loss_names({"cifar10": 1})
    image_only = True
    batch_size = 128
    max_epoch = 10
    warmup_steps = 0.1
    learning_rate = 1e-4


@ex.named_config
def task_finetune_imdb() -> None:
    """Tell positive from negative film reviews with the text encoder (of load_path, or from scratch)."""
    exp_name = "finetune_imdb"
    datasets = ["imdb"]
    loss_names = _loss_names({"imdb": 1})
    batch_size = 32
    per_gpu_batchsize = 32
    max_epoch = 5
    warmup_steps = 0.1
    learning_rate = 5e-5
    max_text_len = 256


@ex.named_config
def task_finetune_snli() -> None:
    """SNLI-VE: tell whether an image proves a sentence, refutes it, or leaves it open."""
    exp_name = "finetune_snli"
    datasets = ["snli"]
    loss_names = _loss_names({"snli": 1})
    batch_size = 64
    per_gpu_batchsize = 32
    max_epoch = 10
    warmup_steps = 0.1
    learning_rate = 5e-5
    lr_mult_head = 5
    lr_mult_cross_modal = 15
    image_size = 384


@ex.named_config
def task_finetune_nlvr2() -> None:
    """NLVR2: tell whether a statement is true of a pair of images."""
    exp_name = "finetune_nlvr2"
    datasets = ["nlvr2"]
    loss_names = _loss_names({"nlvr2": 1})
    batch_size = 256
    per_gpu_batchsize = 32
    max_epoch = 40
    warmup_steps = 0.05
    learning_rate = 7.5e-5
    lr_mult_head = 5
    lr_mult_cross_modal = 15
    image_size = 288


@ex.named_config
def task_finetune_ref() -> None:
    """RefCOCO: find the box that a phrase means among those of an image."""
    exp_name = "finetune_ref"
    datasets = ["refcoco"]
    loss_names = _loss_names({"ref": 1})
    batch_size = 60
    per_gpu_batchsize = 20
    max_epoch = 10
    warmup_steps = 0.05
    learning_rate = 7.5e-4
    lr_mult_head = 5
    lr_mult_cross_modal = 15


@ex.named_config
def task_finetune_vqa() -> None:
    """VQAv2: answer questions about images with one of the answers that are known."""
    exp_name = "finetune_vqa"
    datasets = ["vqav2"]
    loss_names = _loss_names({"vqa": 1})
    batch_size = 512
    per_gpu_batchsize = 16
    max_epoch = 10
    warmup_steps = 0.1
    learning_rate = 5e-6
    lr_mult_head = 50
    lr_mult_cross_modal = 5
    image_size = 576


@ex.named_config
def task_finetune_irtr() -> None:
    """Retrieval: find the image to a text and the text to an image, among all of a split."""
    exp_name = "finetune_irtr"
    datasets = ["coco"]
    loss_names = _loss_names({"irtr": 1})
    batch_size = 512
    per_gpu_batchsize = 32
    max_epoch = 10
    warmup_steps = 0.1
    learning_rate = 5e-6
    lr_mult_head = 5
    lr_mult_cross_modal = 5
    image_size = 384


@ex.named_config
def task_finetune_mrpc() -> None:
    """MRPC: tell whether two sentences say the same."""
    exp_name = "finetune_mrpc"
    datasets = ["mrpc"]
    loss_names = _loss_names({"mrpc": 1})
    batch_size = 32
    per_gpu_batchsize = 32
    max_epoch = 3
    warmup_steps = 0
    learning_rate = 1e-5
    lr_mult_head = 10
    max_text_len = 128


# == Models ==


@ex.named_config
def deit_electra() -> None:
    """Two towers: DeiT-tiny and ELECTRA-small."""
    model_type = "two-tower"
    image_encoder = "facebook/deit-tiny-patch16-224"
    text_encoder = "google/electra-small-discriminator"


@ex.named_config
def vit_bert() -> None:
    """Two towers: ViT-base and BERT-base."""
    model_type = "two-tower"
    image_encoder = "google/vit-base-patch16-224"
    text_encoder = "bert-base-uncased"


@ex.named_config
def dino_minilm() -> None:
    """Two towers: DINO ViT-small and MiniLM."""
    model_type = "two-tower"
    image_encoder = "facebook/dino-vits16"
    text_encoder = "nreimers/MiniLM-L6-H384-uncased"


@ex.named_config
def beit_roberta() -> None:
    """Two towers: BEiT-base and RoBERTa-base."""
    model_type = "two-tower"
    image_encoder = "microsoft/beit-base-patch16-224"
    text_encoder = "roberta-base"


@ex.named_config
def swin_electra() -> None:
    """Two towers: Swin-tiny and ELECTRA-base."""
    model_type = "two-tower"
    image_encoder = "microsoft/swin-tiny-patch4-window7-224"
    text_encoder = "google/electra-base-discriminator"


@ex.named_config
def onetower_electra() -> None:
    """One tower: ELECTRA-small over words and patches."""
    model_type = "one-tower"
    encoder = "google/electra-small-discriminator"


@ex.named_config
def onetower_deit() -> None:
    """One tower: DeiT-tiny over words and patches."""
    model_type = "one-tower"
    encoder = "facebook/deit-tiny-patch16-224"


@ex.named_config
def tiny() -> None:
    """A very small model of either type, from random weights, small batches, a high rate: to try things on a CPU."""
    batch_size = 16
    per_gpu_batchsize = 16
    num_workers = 0
    learning_rate = 2e-3
    lr_mult_head = 1
    lr_mult_cross_modal = 1
    gradient_clip_val = 1.0
    image_size = 64
    patch_size = 16
    random_init_encoder = True
    encoder_manual_configuration = True
    hidden_size = 64
    num_heads = 4
    num_layers = 2
    mlp_ratio = 2
    embedding_size = 64
    random_init_vision_encoder = True
    image_encoder_manual_configuration = True
    image_encoder_hidden_size = 64
    image_encoder_num_heads = 4
    image_encoder_num_layers = 2
    image_encoder_mlp_ratio = 2
    image_encoder_embedding_size = 64
    random_init_text_encoder = True
    text_encoder_manual_configuration = True
    text_encoder_hidden_size = 64
    text_encoder_num_heads = 4
    text_encoder_num_layers = 2
    text_encoder_mlp_ratio = 2
    text_encoder_embedding_size = 64
    cross_layer_hidden_size = 64
    num_cross_layers = 2
    num_cross_layer_heads = 4
    cross_layer_mlp_ratio = 2
    decoder_hidden_size = 64
    decoder_num_heads = 4
    decoder_num_layers = 2
    decoder_mlp_ratio = 2


# == Data ==


@ex.named_config
def scenes() -> None:
    """The built-in sample set, drawn on first use."""
    datasets = ["scenes"]


@ex.named_config
def scenes_finetuning() -> None:
    """Minutes of fine-tuning on the built-in sample set, from a quickstart's checkpoint (`load_path`)."""
    datasets = ["scenes"]
    batch_size = 32
    per_gpu_batchsize = 32
    eval_batch_size = 128
    num_workers = 1
    max_epoch = None
    max_steps = 1000
    val_check_interval = 250
    log_interval = 50
    warmup_steps = 0.1
    learning_rate = 5e-4
    lr_mult_head = 2
    lr_mult_cross_modal = 1
    gradient_clip_val = 1.0
    image_size = 48
    max_text_len = 48


@ex.named_config
def coco() -> None:
    """COCO captions."""
    datasets = ["coco"]


@ex.named_config
def coco_vg() -> None:
    """COCO captions and Visual Genome's region descriptions."""
    datasets = ["coco", "vg"]


# == Modifiers ==


@ex.named_config
def random_init_text() -> None:
    """Text encoder from random weights."""
    random_init_text_encoder = True


@ex.named_config
def random_init_vision() -> None:
    """Image encoder from random weights."""
    random_init_vision_encoder = True


@ex.named_config
def random_init() -> None:
    """Every encoder from random weights."""
    random_init_encoder = True
    random_init_vision_encoder = True
    random_init_text_encoder = True


@ex.named_config
def freeze_image() -> None:
    """Image encoder kept as it is."""
    freeze_image_encoder = True


@ex.named_config
def freeze_text() -> None:
    """Text encoder kept as it is."""
    freeze_text_encoder = True


@ex.named_config
def imagenet_randaug() -> None:
    """ImageNet's mean and std, with RandAugment in training."""
    train_transform_keys = ["imagenet_randaug"]
    val_transform_keys = ["imagenet"]


@ex.named_config
def clip_randaug() -> None:
    """CLIP's mean and std, with RandAugment in training."""
    train_transform_keys = ["clip_randaug"]
    val_transform_keys = ["clip"]


@ex.named_config
def step25k() -> None:
    """25,000 optimiser steps."""
    max_epoch = None
    max_steps = 25000


@ex.named_config
def step50k() -> None:
    """50,000 optimiser steps."""
    max_epoch = None
    max_steps = 50000


@ex.named_config
def step100k() -> None:
    """100,000 optimiser steps."""
    max_epoch = None
    max_steps = 100000


@ex.named_config
def step200k() -> None:
    """200,000 optimiser steps."""
    max_epoch = None
    max_steps = 200000
