"""Checkpoints from elsewhere are read or refused with one message, within seconds; damaged ones are refused."""

from __future__ import annotations

import time

import pytest

from renaissance.checkpoints.checkpoint import read_checkpoint
from renaissance.checkpoints.restore import restore
from renaissance.errors import UserError
from tests.training.hostile_checkpoints import hostile_contents, hostile_files

LONGEST = 10  # seconds of processor time, on a machine that others load


def answer(path):
    """What becomes of a checkpoint that is read and built: "read", or the message that refuses it."""
    try:
        restore(read_checkpoint(path))
    except UserError as error:
        return str(error)
    return "read"


@pytest.fixture(scope="session")
def answers(pretrained, tmp_path_factory):
    """By what is strange in a file, what became of it and the seconds that took."""
    found, folder, original = {}, tmp_path_factory.mktemp("hostile"), pretrained()
    for cases in (hostile_contents, hostile_files):
        for name, path in cases(original, folder):
            started = time.process_time()
            found[name] = answer(path), time.process_time() - started
    return found


def test_hostile_checkpoints_end_in_no_traceback_and_within_seconds(answers):
    """Any other exception than a `UserError` would have failed in the fixture."""
    assert len(answers) > 130
    slow = {name: seconds for name, (_, seconds) in answers.items() if seconds > LONGEST}
    assert not slow
    refused = [said for said, _ in answers.values() if said != "read"]
    assert len(refused) > 100


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("50 kB of zeros in the middle", "is damaged (Bad CRC-32"),
        ("one bit of a weight", "is damaged (Bad CRC-32"),
        ("a bomb", "it is packed, as PyTorch packs none"),
        ("an unknown entry", "read"),
        ("an unknown setting", "read"),
        ("10^20 names", "'renaissance' is too large"),
        ("text_encoder: hidden_size is 1000000", "text_encoder does not go with its weights"),
        ("text_encoder: num_hidden_layers is 1000000", "describes more than its weights are"),
        ("the setting cross_layer_hidden_size is 1000000", "fuser does not go with its weights"),
        ("the setting num_cross_layers is 1000000", "fuser does not go with its weights"),
        ("a weight is one number shown as 10^12", "for which the file has fewer numbers"),
        ("a weight is sparse", "is a sparse, nested or quantised tensor"),
        ("a weight is on no device", "is a tensor without its numbers"),
        ("a weight is of another shape", "text_encoder does not go with its weights: it asks for"),
    ],
)
def test_a_message_says_what_is_wrong(answers, name, said):
    assert said in answers[name][0]


def test_damage_at_any_place_is_found(pretrained, tmp_path):
    """Nothing of a file is without a checksum that is looked at, but for what the zip format repeats of names."""
    data, path = pretrained().read_bytes(), tmp_path / "damaged.ckpt"
    for place in range(len(data) // 40, len(data) - 100_000, len(data) // 20):
        path.write_bytes(data[:place] + bytes(50_000) + data[place + 50_000 :])
        with pytest.raises(UserError, match=r"damaged\.ckpt"):
            read_checkpoint(path)
