"""How many processes a run is, what of that contradicts what, and which of them records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from pytorch_lightning.plugins.environments import LightningEnvironment, SLURMEnvironment, TorchElasticEnvironment

from renaissance.errors import UserError
from renaissance.launched import RANK_VARIABLES, is_first_process
from renaissance.settings import Settings
from renaissance.training.devices import Devices, resolve_devices, take_place, this_rank
from renaissance.training.joining import cluster_environment
from renaissance.training.stores import opened_store

Make = Callable[..., Settings]
TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"}
SLURM = {"SLURM_NTASKS": "6", "SLURM_NNODES": "2", "SLURM_NTASKS_PER_NODE": "3", "SLURM_PROCID": "4",
         "SLURM_LOCALID": "1", "SLURM_NODEID": "1", "SLURM_JOB_NAME": "train"}  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_launched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No launcher's variables, and this process's place as it was afterwards."""
    for name in {*TORCHRUN, *SLURM, *RANK_VARIABLES}:
        monkeypatch.delenv(name, raising=False)
    yield
    take_place(Devices("cpu", 1, 1))


@pytest.fixture
def under(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts variables into the environment."""

    def put(variables: dict[str, str], **others: str) -> None:
        for name, value in {**variables, **others}.items():
            monkeypatch.setenv(name, value)

    return put


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Has this machine as many GPUs."""
    return lambda number: monkeypatch.setattr(torch.cuda, "device_count", lambda: number)


def test_devices_are_processes_on_the_cpu_and_gpus_have_one_each(
    make_settings: Make, gpus: Callable[[int], None]
) -> None:
    gpus(0)
    assert resolve_devices(make_settings(num_gpus=0)) == Devices("cpu", 1, 1)
    assert resolve_devices(make_settings(num_gpus=0, devices=2)) == Devices("cpu", 2, 1)
    assert resolve_devices(make_settings(num_gpus="auto", devices=3, num_nodes=2)) == Devices("cpu", 3, 2)
    gpus(8)
    assert resolve_devices(make_settings(num_gpus="auto")) == Devices("cuda", 8, 1)
    assert resolve_devices(make_settings(num_gpus=2, devices=2)) == Devices("cuda", 2, 1)
    assert resolve_devices(make_settings(num_gpus=0, devices=2)) == Devices("cpu", 2, 1)
    with pytest.raises(UserError, match=r"devices=2, and 8 GPUs are visible.*Give num_gpus=2 .* or num_gpus=0"):
        resolve_devices(make_settings(num_gpus="auto", devices=2))
    with pytest.raises(UserError, match="num_gpus=4 and devices=2 contradict each other"):
        make_settings(num_gpus=4, devices=2)


def test_optimisers_that_need_whole_matrices_are_not_for_fsdp(make_settings: Make) -> None:
    with pytest.raises(UserError, match="strategy=fsdp gives each device rows of a matrix, and optim_type=muon"):
        make_settings(strategy="fsdp", optim_type="muon")


def test_torchrun_says_how_many_there_are(
    make_settings: Make, under: Callable[..., None], gpus: Callable[[int], None]
) -> None:
    under(TORCHRUN)
    gpus(0)
    expected = Devices("cpu", 2, 2, rank=3, local_rank=1, started_by="torchrun")
    assert resolve_devices(make_settings()) == expected
    assert resolve_devices(make_settings(num_gpus=0, devices=2, num_nodes=2)) == expected
    assert isinstance(cluster_environment(expected), TorchElasticEnvironment)
    with pytest.raises(UserError, match=r"torchrun has started 2 process.* devices=3 and num_nodes=4 contradict"):
        resolve_devices(make_settings(devices=3, num_nodes=4))
    gpus(8)
    assert resolve_devices(make_settings()).accelerator == "cuda"
    gpus(1)
    with pytest.raises(UserError, match="torchrun has started 2 processes, and 1 GPU is visible"):
        resolve_devices(make_settings())
    under(TORCHRUN, WORLD_SIZE="5")
    with pytest.raises(UserError, match="torchrun has started 5 processes, and 2 of them on this machine"):
        resolve_devices(make_settings())


def test_slurm_says_how_many_there_are(
    make_settings: Make, under: Callable[..., None], gpus: Callable[[int], None]
) -> None:
    gpus(0)
    under(SLURM)
    devices = resolve_devices(make_settings())
    assert devices == Devices("cpu", 3, 2, rank=4, local_rank=1, started_by="SLURM")
    environment = cluster_environment(devices)
    assert isinstance(environment, SLURMEnvironment)
    assert not environment.auto_requeue
    under(SLURM, SLURM_JOB_NAME="interactive")  # of a shell in which somebody starts processes
    assert resolve_devices(make_settings(devices=2)).started_by == ""
    under(SLURM, SLURM_JOB_NAME="train", SLURM_NTASKS="1", SLURM_PROCID="0")
    assert resolve_devices(make_settings(devices=2)) == Devices("cpu", 2, 1)
    under(SLURM, SLURM_PROCID="many", SLURM_NTASKS="6")
    with pytest.raises(UserError, match="SLURM_PROCID should be a number and is 'many'"):
        resolve_devices(make_settings())


def test_processes_that_are_started_by_hand_are_counted_over_the_machines(
    make_settings: Make, under: Callable[..., None], gpus: Callable[[int], None]
) -> None:
    gpus(0)
    under({}, NODE_RANK="2", LOCAL_RANK="1")
    devices = resolve_devices(make_settings(devices=2, num_nodes=3))
    assert (devices.rank, devices.world_size) == (5, 6)
    assert isinstance(cluster_environment(devices), LightningEnvironment)


@pytest.mark.parametrize("name", RANK_VARIABLES)
def test_one_process_records_whoever_started_them(under: Callable[..., None], name: str) -> None:
    under({}, **dict.fromkeys(RANK_VARIABLES, "0"))
    assert is_first_process()
    take_place(None)
    assert this_rank() == 0
    under({name: "1"})
    assert not is_first_process()
    take_place(None)
    assert this_rank() != 0


@pytest.mark.skipif(not Path("/proc/net/tcp").is_file(), reason="looks for listening sockets in /proc")
@pytest.mark.parametrize("wait_for", [0, 1])
def test_the_processes_of_one_machine_listen_to_no_other(wait_for: int) -> None:
    limit = timedelta(seconds=20)
    first = opened_store("elsewhere.invalid", 0, 1, True, limit, wait_for)
    other = opened_store("elsewhere.invalid", first.port, 1, False, limit, wait_for)
    other.set("said", "yes")
    assert first.get("said") == b"yes"
    rows = [line.split() for name in ("tcp", "tcp6") if (table := Path("/proc/net") / name).is_file()
            for line in table.read_text().splitlines()[1:]]  # fmt: skip
    listening = [
        address for _, address, _, state, *_ in rows if state == "0A" and address.endswith(f":{first.port:04X}")
    ]
    assert listening == [f"0100007F:{first.port:04X}"]
