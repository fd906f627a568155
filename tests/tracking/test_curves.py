"""Curves read back from the figures: their points, smoothing, axes, levels of chance, families, and the files."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

from renaissance.errors import UserError
from renaissance.tracking.curves import draw_comparison, draw_curves
from renaissance.tracking.drawing.figure import COLOURS, DASHES, DOTS_PER_INCH, WIDTH
from renaissance.tracking.drawing.run_curves import Look, RunCurves, check_axis
from renaissance.tracking.drawing.series import Series, smoothed, thinned
from renaissance.tracking.metrics import Point
from renaissance.tracking.pace import Pace

TRAINED = [Point(step, step / 20, 3.0 - step / 10 + step % 3) for step in range(2, 21, 2)]
VALIDATED = [Point(10, 0.5, 1.5), Point(20, 1.0, 1.25)]
PACED = [Pace(step, step / 20, 8 * step, 360.0 * step, 1e-3, float(step), 50.0 + step) for step in range(2, 21, 2)]
ITM = RunCurves({"itm/train/loss": TRAINED, "itm/val/loss": VALIDATED}, PACED)


def lines(picture):
    """The curves of a picture by their labels, as lists of places and values."""
    return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in picture.axes.get_lines()}


def told(picture):
    return [text.get_text() for text in picture.figure.legends[0].get_texts()]


def levels(picture):
    """The values of the dotted levels from side to side."""
    return [line.get_ydata()[0] for line in picture.axes.get_lines() if list(line.get_xdata()) == [0, 1]]


def test_a_picture_shows_the_points_and_calls_them_in_words(tmp_path, pictures):
    draw_curves(ITM, tmp_path)
    picture = pictures["itm_loss"]
    assert lines(picture) == {
        "training": ([point.step for point in TRAINED], [point.value for point in TRAINED]),
        "validation": ([10, 20], [1.5, 1.25]),
    }
    axes = picture.axes
    assert axes.get_title() == "Image-text matching: loss"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Optimiser step", "Loss")
    assert told(picture) == ["training", "validation"]


@pytest.mark.parametrize(("axis", "label", "trained", "validated"), [
    ("epoch", "Epoch", [step / 20 for step in range(2, 21, 2)], [0.5, 1.0]),
    ("examples", "Training examples", [8 * step for step in range(2, 21, 2)], [80, 160]),
    ("hours", "Working time (hours)", [step / 10 for step in range(2, 21, 2)], [1.0, 2.0]),
])  # fmt: skip
def test_every_axis_has_the_points_where_the_pace_says(tmp_path, pictures, axis, label, trained, validated):
    draw_curves(ITM, tmp_path, Look(axis=axis))
    drawn = lines(pictures["itm_loss"])
    assert drawn["training"][0] == pytest.approx(trained)
    assert drawn["validation"] == (pytest.approx(validated), [1.5, 1.25])
    assert pictures["itm_loss"].axes.get_xlabel() == label
    ((x, _),) = lines(pictures["pace_gradient_norm"]).values()
    assert x == pytest.approx(trained)


def test_learning_rate_gradient_norm_and_speed_are_drawn(tmp_path, pictures):
    paths = draw_curves(ITM, tmp_path, Look(smoothing=0.5))
    names = ["itm_loss", "pace_examples_per_second", "pace_gradient_norm", "pace_learning_rate"]
    assert paths == [tmp_path / f"{name}.png" for name in names]
    pale, full = (line.get_ydata() for line in pictures["pace_gradient_norm"].axes.get_lines())
    assert list(pale) == list(range(2, 21, 2))
    assert list(full) != list(pale)
    ((_, rates),) = lines(pictures["pace_learning_rate"]).values()
    assert rates == [1e-3] * 10, "a rate is exact, and is not smoothed"


def test_a_tested_run_has_no_pace_and_is_drawn_over_steps(tmp_path, pictures):
    run = RunCurves({"itm/test/accuracy": [Point(7, 0.5, 0.8)]})
    assert draw_curves(run, tmp_path, Look(axis="hours")) == [tmp_path / "itm_accuracy.png"]
    assert lines(pictures["itm_accuracy"]) == {"test (checkpoint of load_path)": ([7], [0.8])}
    assert pictures["itm_accuracy"].axes.get_xlabel() == "Optimiser step"
    with pytest.raises(UserError, match=r"plot_x=hours: not known of b, which trained nothing or before pace\.csv"):
        check_axis({"a": ITM, "b": run}, Look(axis="hours"))
    check_axis({"a": ITM, "b": run}, Look(axis="epoch"))


def ticks(picture):
    """The texts below the x axis."""
    picture.figure.canvas.draw()
    return [label.get_text() for label in picture.axes.get_xticklabels()]


@pytest.mark.parametrize(("seconds", "words", "some"), [
    (7200.0, "Working time (hours)", {"0.4", "1.6"}),
    (1500.0, "Working time (minutes)", {"5", "10"}),
    (20.0, "Working time (seconds)", {"4", "8"}),
])  # fmt: skip
def test_short_times_are_told_in_a_unit_that_the_axis_names(tmp_path, pictures, seconds, words, some):
    paced = [Pace(step, step / 20, 8 * step, seconds * step / 20, 1e-3, None, None) for step in (2, 20)]
    draw_curves(RunCurves({"itm/train/loss": TRAINED}, paced), tmp_path, Look(axis="hours"))
    assert pictures["itm_loss"].axes.get_xlabel() == words
    assert some <= set(ticks(pictures["itm_loss"]))


def test_steps_from_a_thousand_on_are_short_and_epochs_are_plain(tmp_path, pictures):
    long = RunCurves({"itm/train/loss": [Point(step, step / 4000, 1.0) for step in range(200, 2001, 200)]})
    draw_curves(long, tmp_path)
    assert {"400", "1.2k"} <= set(ticks(pictures["itm_loss"]))
    draw_curves(long, tmp_path, Look(axis="epoch"))
    assert {"0.2", "0.4"} <= set(ticks(pictures["itm_loss"]))


def test_what_came_before_the_first_row_of_the_pace_is_drawn_and_what_is_not_drawn_has_no_entry(tmp_path, pictures):
    points = {"itm/val/loss": [Point(5, 0.25, 3.0), Point(20, 1.0, 1.0)], "itm/test/loss": [Point(5, 0.25, 2.0)]}
    paced = [Pace(10, 0.5, 80, 3600.0, 1e-3, None, None), Pace(20, 1.0, 160, 7200.0, 1e-3, None, None)]
    draw_curves(RunCurves(points, paced), tmp_path, Look(axis="hours"))
    assert lines(pictures["itm_loss"])["test (best checkpoint)"] == ([0.5], [2.0])
    assert lines(pictures["itm_loss"])["validation"] == ([0.5, 2.0], [3.0, 1.0])
    draw_curves(RunCurves(points, paced, interval=2), tmp_path, Look(axis="hours"))
    assert told(pictures["itm_loss"]) == ["validation"], "the test was before the folder's hours"
    assert lines(pictures["itm_loss"]) == {"validation": ([2.0], [1.0])}


# Smoothing and thinning


def test_smoothing_is_the_weighted_mean_of_all_that_came():
    values = np.random.default_rng(0).normal(5, 1, 50)
    for weight in (0.3, 0.9, 0.99):
        naive = []
        for end in range(1, 51):
            weights = [weight ** (end - 1 - place) for place in range(end)]
            naive.append(sum(w * v for w, v in zip(weights, values, strict=False)) / sum(weights))
        assert smoothed(values, weight) == pytest.approx(naive)
    assert smoothed(values, 0.0) is values


def test_training_is_smoothed_with_the_raw_curve_pale_behind_it_and_validation_is_not(tmp_path, pictures):
    draw_curves(ITM, tmp_path, Look(smoothing=0.8))
    raw, full, validation = pictures["itm_loss"].axes.get_lines()
    values = [point.value for point in TRAINED]
    assert (list(raw.get_ydata()), raw.get_alpha()) == (values, pytest.approx(0.3))
    assert list(full.get_ydata()) == pytest.approx(smoothed(np.array(values), 0.8))
    assert full.get_alpha() is None
    assert list(validation.get_ydata()) == [1.5, 1.25]
    assert told(pictures["itm_loss"]) == ["training, smoothed by 0.8", "validation"]


def test_of_many_points_those_that_can_be_seen_are_drawn():
    generator = np.random.default_rng(0)
    x, y = np.arange(200_000.0), generator.normal(size=200_000)
    y[177_777], y[23_456] = 99.0, -99.0
    few = thinned(Series(x, y), columns=100)
    assert len(few.x) <= 400
    assert set(zip(few.x, few.y, strict=True)) <= set(zip(x, y, strict=True))
    assert (np.diff(few.x) > 0).all()
    for column in range(100):
        inside, shown = y[column * 2000 : (column + 1) * 2000], few.y[few.x // 2000 == column]
        assert (shown[0], shown.min(), shown.max(), shown[-1]) == (inside[0], inside.min(), inside.max(), inside[-1])
    short = Series(x[:300], y[:300])
    assert thinned(short, columns=100) is short


# Chance


def test_the_level_of_chance_is_that_of_validation(tmp_path, pictures):
    points = {f"contrastive/{split}/ir_r1": VALIDATED for split in ("val", "test")}
    chance = {"contrastive/test/ir_r1": 0.001, "contrastive/val/ir_r1": 0.01}
    draw_curves(RunCurves(points, chance=chance), tmp_path)
    assert levels(pictures["contrastive_ir_r1"]) == [0.01]
    assert told(pictures["contrastive_ir_r1"])[-1] == "chance"
    draw_curves(RunCurves(points), tmp_path)
    assert levels(pictures["contrastive_ir_r1"]) == []


def test_runs_that_differ_in_chance_have_no_level(tmp_path, pictures):
    points = {"itm/val/accuracy": VALIDATED}
    for of_second, drawn in ((0.5, [0.5]), (0.25, []), (None, [])):
        second = RunCurves(points, chance={} if of_second is None else {"itm/val/accuracy": of_second})
        draw_comparison({"a": [RunCurves(points, chance={"itm/val/accuracy": 0.5})], "b": [second]}, tmp_path)
        assert levels(pictures["itm_accuracy"]) == drawn


# Families and several runs


def test_a_family_is_in_one_picture_beside_each_alone(tmp_path, pictures):
    captions = {f"caption/val/bleu_{n}": [Point(1, 0.1, n / 10), Point(2, 0.2, n / 5)] for n in (3, 1, 4, 2)}
    recalls = {f"contrastive/val/ir_r{most}": VALIDATED for most in (10, 1, 5)}
    run = RunCurves({**captions, **recalls}, chance={f"contrastive/val/ir_r{most}": most / 100 for most in (1, 5, 10)})
    names = {path.stem for path in draw_curves(run, tmp_path)}
    assert names >= {"caption_bleu", "contrastive_ir_recall", "caption_bleu_1", "contrastive_ir_r10"}
    assert lines(pictures["caption_bleu"]) == {f"BLEU-{n}": ([1, 2], [n / 10, n / 5]) for n in (1, 2, 3, 4)}
    assert told(pictures["caption_bleu"]) == ["BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4"]
    assert pictures["caption_bleu"].axes.get_title() == "Captioning: BLEU (validation)"
    recall = pictures["contrastive_ir_recall"]
    assert told(recall) == ["recall at 1", "recall at 5", "recall at 10", "chance"]
    assert recall.axes.get_ylabel() == "Recall"
    assert recall.axes.get_title() == "Contrastive learning: image retrieval, recall\n(validation)"
    assert levels(recall) == [0.01, 0.05, 0.1]


def test_runs_side_by_side_have_their_curves_and_their_pace(tmp_path, pictures):
    other = RunCurves({"itm/val/loss": [Point(5, 0.1, 2.0), Point(9, 0.2, 1.0)]})
    paths = draw_comparison({"a/$1": [ITM], "b/2": [other]}, tmp_path, Look(smoothing=0.5))
    assert {path.stem for path in paths} == {"itm_loss", *(f"pace_{name}" for name in
            ("learning_rate", "gradient_norm", "examples_per_second"))}  # fmt: skip
    picture = pictures["itm_loss"]
    pale, one, two = picture.axes.get_lines()
    assert list(pale.get_ydata()) == pytest.approx(smoothed(np.array([point.value for point in TRAINED]), 0.5))
    assert pale.get_alpha() == pytest.approx(0.3)
    assert list(one.get_ydata()) == [1.5, 1.25]
    assert list(two.get_xdata()) == [5, 9]
    assert one.get_color() == pale.get_color() != two.get_color()
    assert told(picture) == ["a/$1", "b/2", "validation", "training, pale"]
    assert told(pictures["pace_learning_rate"]) == ["a/$1"]


def test_runs_that_differ_in_the_seed_are_their_mean_with_a_band(tmp_path, pictures):
    seeds = [
        RunCurves({"itm/val/loss": [Point(10, 0.5, one), Point(20, 1.0, two)], "itm/test/loss": [Point(20, 1.0, 2.0)]})
        for one, two in ((1.0, 4.0), (2.0, 4.0), (6.0, 1.0))
    ]
    seeds[0].points["itm/val/loss"].append(Point(30, 1.5, 9.0))  # the others ended before
    draw_comparison({"a/1-3": seeds, "b/1": [ITM]}, tmp_path)
    picture = pictures["itm_loss"]
    mean = picture.axes.get_lines()[0]
    assert (list(mean.get_xdata()), list(mean.get_ydata())) == ([10, 20], [3, 3])
    (band,) = picture.axes.collections
    corners = band.get_paths()[0].vertices
    for step, variance in ((10, 7), (20, 3)):
        edges = sorted({y for x, y in corners.tolist() if x == step})
        assert edges == pytest.approx([3 - variance**0.5, 3 + variance**0.5])
    expected = ["a/1-3", "b/1", "validation", "training, pale", "test of each seed", "s over seeds"]
    assert told(picture) == expected
    assert picture.figure.legends[0]._ncols == 2, "below, in columns"
    assert picture.axes.get_title() == "Image-text matching: loss"


def test_without_validation_the_training_of_runs_is_what_is_seen(tmp_path, pictures):
    draw_comparison({"a": [RunCurves({"itm/train/loss": TRAINED})], "b": [ITM]}, tmp_path)
    assert pictures["itm_loss"].axes.get_title() == "Image-text matching: loss"
    draw_comparison({name: [RunCurves({"itm/train/loss": TRAINED})] for name in "ab"}, tmp_path)
    assert pictures["itm_loss"].axes.get_title() == "Image-text matching: loss (training)"
    assert [line.get_alpha() for line in pictures["itm_loss"].axes.get_lines()] == [None, None]


# Files


def test_every_format_is_written_whole_with_its_fonts_and_alike_each_time(tmp_path):
    for again in ("one", "two"):
        draw_curves(RunCurves(ITM.points), tmp_path / again, Look(("png", "pdf", "svg")))
    folder = tmp_path / "one"
    assert len(list(folder.iterdir())) == 3
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name
    with Image.open(folder / "itm_loss.png") as image:
        image.load()
        assert image.width == WIDTH * DOTS_PER_INCH
    pdf = (folder / "itm_loss.pdf").read_bytes()
    assert pdf.startswith(b"%PDF-")
    assert pdf.rstrip().endswith(b"%%EOF")
    assert b"/FontFile2" in pdf, "fonts are embedded, as TrueType"
    assert b"/Type3" not in pdf
    left, low, right = map(float, re.search(rb"/MediaBox \[ (\S+) (\S+) (\S+) ", pdf).groups())
    assert (right - left, left, low) == (pytest.approx(WIDTH * 72), 0, 0)
    root = ElementTree.parse(folder / "itm_loss.svg").getroot()
    assert root.tag.endswith("svg")
    assert not list(root.iter("{http://www.w3.org/2000/svg}text")), "letters are outlines, whatever fonts there are"


def luminance(colour):
    """Relative luminance of a colour #RRGGBB, 0 black to 1 white, by WCAG 2.1."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_curves_are_told_apart_in_grey():
    train, val = luminance(COLOURS[0]), luminance(COLOURS[1])
    assert (max(train, val) + 0.05) / (min(train, val) + 0.05) > 2, "training and validation by how dark they are"
    assert len(set(DASHES)) == len(DASHES) == 4, "several runs by their dashes too"
    assert math.lcm(len(COLOURS), len(DASHES)) == 28, "no two of 28 runs look alike"


def test_settings_say_how_curves_look(make_settings):
    assert Look.of_settings(make_settings()) == Look()
    settings = make_settings(plot_formats="svg", plot_smoothing=0.9, plot_x="hours")
    assert Look.of_settings(settings) == Look(("png", "svg"), 0.9, "hours"), "PNG is always among them"
    for wrong in ({"plot_formats": ["gif"]}, {"plot_formats": []}, {"plot_smoothing": 1.0}, {"plot_x": "days"}):
        with pytest.raises(UserError, match=next(iter(wrong))):
            make_settings(**wrong)
