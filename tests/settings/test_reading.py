"""A command says which of the settings that it was given it did not read, and of others nothing."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest

from config import ex
from renaissance.settings import Settings, check_settings
from renaissance.settings.reading import noting_reads, unread_in_words


@pytest.fixture
def settings() -> Settings:
    return check_settings(ex.configurations[0]())


def test_what_is_read_is_noted_and_nothing_of_other_settings(settings: Settings) -> None:
    other = check_settings(ex.configurations[0]())
    with noting_reads(settings) as read:
        assert settings.seed == other.max_text_len - other.max_text_len
        assert getattr(settings, "limit") is None  # noqa: B009
    assert read == {"seed", "limit"}
    assert settings.batch_size
    assert read == {"seed", "limit"}, "it is over"


@pytest.mark.parametrize("take", [Settings.model_dump, Settings.model_copy, dict, copy.copy, vars])
def test_whoever_takes_all_has_read_all(settings: Settings, take: Callable[[Settings], object]) -> None:
    with noting_reads(settings) as read:
        if take in (Settings.model_dump, Settings.model_copy):
            getattr(settings, take.__name__)()
        else:
            take(settings)
    assert read == Settings.model_fields.keys()


def test_only_what_was_given_and_is_not_read_is_said() -> None:
    said = unread_in_words("runs", ["seed", "log_dir", "limit", "plugins"], {"log_dir"})
    assert said == "without effect: runs did not read seed", "limit is its own"
    assert unread_in_words("runs", ["log_dir"], {"log_dir"}) is None
    assert unread_in_words("probe", ["seed", "limit"], {"seed"}) == "without effect: probe did not read limit"
