"""A report tells what the runs' files say, opens without a network, and is not led astray by what stands in them."""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path

import pytest
import scipy.stats
from PIL import Image

from config import ex
from renaissance.errors import UserError
from renaissance.pages.html import safe_json
from renaissance.pages.pictures import WIDEST, picture_inside
from renaissance.pages.points import MOST_POINTS, thin
from renaissance.pages.report import write_report
from renaissance.pages.runs import read_page_run
from renaissance.settings import check_settings
from renaissance.tracking.listed_run import read_listed
from renaissance.tracking.metrics import Point
from tests.pages.run_folders import CURVES, make_run

HOSTILE = '</script><script>window.hit=1</script><img src=x onerror="window.hit=2">\u2028&amp;'


def written(tmp_path: Path, *runs: Path) -> Path:
    told = {**ex.configurations[0](), "log_dir": str(tmp_path / "result"), "runs": [str(run) for run in runs]}
    return write_report(check_settings(told, "report"))


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs that differ in the seed alone, the second 0.125 above the first."""
    parent = tmp_path_factory.mktemp("runs") / "mlm"
    above = {name: [(step, value + 0.125) for step, value in series] for name, series in CURVES.items()}
    return [make_run(parent / "1", seed=0), make_run(parent / "2", above, seed=1)]


def test_it_opens_from_disk_and_tells_what_metrics_csv_holds(tmp_path, seeds, open_page):
    path = written(tmp_path, seeds[0])
    assert path == tmp_path / "result" / "reports" / "1" / "report.html"
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", path.read_text()), "nothing to be fetched"
    page = open_page(path.as_uri(), offline=True)
    chart = page.locator("figure.chart svg")
    bounds = chart.bounding_box()
    page.mouse.move(bounds["x"] + bounds["width"] - 14, bounds["y"] + 100)  # the last step
    assert page.locator(".tip").inner_text().split("\n")[0] == "optimiser step 20"
    told = dict(row.split("\t")[1:3] for row in page.locator(".tip table").inner_text().split("\n"))
    assert told == {"training": "2.5", "validation": "2.4375", "test": "2.40625"}
    results = page.locator("table.results").inner_text()
    assert re.search(r"mlm/val/loss best\s+2\.4375 at 20", results)


def test_keys_move_along_the_curve_and_the_legend_hides_one(tmp_path, seeds, open_page):
    page = open_page(written(tmp_path, seeds[0]).as_uri())
    page.locator("figure.chart svg").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert "optimiser step 10" in page.locator(".chart [aria-live]").text_content()
    assert "3.0625" in page.locator(".tip").inner_text()
    page.get_by_role("button", name="validation").press("Enter")
    page.locator("figure.chart svg").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert "3.0625" not in page.locator(".tip").inner_text()
    page.locator(".bar select").first.select_option("epoch")
    assert page.locator(".plot .words").text_content() == "epoch"


def test_seeds_are_one_curve_with_their_mean(tmp_path, seeds, open_page):
    page = open_page(written(tmp_path, *seeds).as_uri())
    assert page.locator(".plot .band").count() >= 1
    page.locator("figure.chart svg").focus()
    page.keyboard.press("End")
    assert "2.5 ± 0.0883883 (n = 2)" in page.locator(".tip").inner_text().replace("\t", " "), "2.4375, 2.5625"
    page.get_by_label("mean and standard deviation").uncheck()
    assert page.locator(".plot .band").count() == 0
    assert "mlm/1-2" in page.locator("#seeds").inner_text()


def test_two_configurations_are_compared_as_compare_does(tmp_path):
    values = {"1": (2.0, 0), "2": (2.25, 1), "3": (3.0, 2)}, {"4": (4.0, 0), "5": (4.5, 1), "6": (4.125, 2)}
    runs = []
    for rate, group in zip((1e-3, 1e-4), values, strict=True):
        for number, (value, seed) in group.items():
            curves = {"mlm/val/loss": [(20, value)]}
            runs.append(make_run(tmp_path / "mlm" / number, curves, seed=seed, learning_rate=rate))
    text = written(tmp_path, *runs).read_text()
    section = re.search(r'<section id="?differences.*?</section>', text, re.DOTALL)
    assert section
    cells = re.sub(r"<[^>]+>", "|", section[0])
    ones, others = ([value for value, _ in group.values()] for group in values)
    expected = scipy.stats.ttest_ind(ones, others, equal_var=False)
    told = [float(number) for number in re.findall(r"\|(−?-?\d+\.\d+)(?=\|)", cells.replace("−", "-"))]
    interval = expected.confidence_interval()
    for number in (statistics.mean(ones) - statistics.mean(others), interval.low, interval.high, expected.pvalue):
        assert any(one == pytest.approx(number, rel=2e-3) for one in told), (number, cells)
    assert "smallest shown" in cells


def test_a_band_is_of_the_steps_that_all_seeds_have_and_tests_are_marks_of_their_own(tmp_path, open_page):
    longer = {"mlm/val/loss": [(10, 2.0), (15, 9.0), (20, 3.0), (30, 5.0)], "mlm/test/loss": [(30, 4.0)]}
    shorter = {"mlm/val/loss": [(10, 4.0), (20, 5.0)], "mlm/test/loss": [(20, 5.0)]}
    runs = [make_run(tmp_path / "mlm" / "1", longer, seed=0), make_run(tmp_path / "mlm" / "2", shorter, seed=1)]
    runs.append(make_run(tmp_path / "mlm" / "3", {"mlm/val/loss": [(10, 99.0)]}, status="interrupted", seed=2))
    runs.append(make_run(tmp_path / "mlm" / "4", {"mlm/train/loss": [(5, 2.0)]}, learning_rate=0.5))
    page = open_page(written(tmp_path, *runs).as_uri())
    curves = page.evaluate("""() => {
      const point = ({ step, value }) => ({ thinned: false, step, x: step, y: value });
      const runs = JSON.parse(document.getElementById("data").textContent).filter((run) => run.group);
      return { groups: runs.map((run) => [run.name, run.group]),
               band: Numbers.band(runs.map((run) => point(run.points["mlm/val/loss"]))) };
    }""")
    assert curves["groups"] == [["mlm/1", "mlm/1-2"], ["mlm/2", "mlm/1-2"]], "only those that count"
    assert (curves["band"]["x"], curves["band"]["y"], curves["band"]["count"]) == ([10, 20], [3, 4], [2, 2])
    assert page.locator(".plot .star").count() == 2
    assert page.locator("circle.dot").count() == 2 + 1 + 1, "two of the mean, one each of the others"


def test_pace_is_drawn_and_gives_the_hours(tmp_path, open_page):
    run = make_run(tmp_path / "mlm" / "1")
    heading = "step,epoch,examples,seconds,learning_rate,gradient_norm,examples_per_second"
    (run / "pace.csv").write_text(f"{heading}\n10,0.1,160,900.0,0.001,2.5,\n20,0.2,320,1800.0,0.0005,,0.178\n30,0")
    page = open_page(written(tmp_path, run).as_uri())
    assert page.locator("figcaption").all_inner_texts() == [
        "mlm: loss", "pace: examples per second", "pace: gradient norm", "pace: learning rate"]  # fmt: skip
    page.locator(".bar select").first.select_option("hours")
    page.locator("figure.chart svg").first.focus()
    page.keyboard.press("End")
    told = page.locator(".tip").first.inner_text().replace("\t", " ")
    assert told.startswith("hours 0.5\n")
    assert page.locator("figure.chart svg").first.locator("circle.dot:not(.cross *)").count() == 6, "step 5 too"
    assert "validation 2.4375" in told


def test_it_fits_a_phone_in_the_dark(tmp_path, seeds, open_page):
    phone = {"width": 390, "height": 844}
    page = open_page(written(tmp_path, *seeds).as_uri(), viewport=phone, color_scheme="dark", has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.locator("figure.chart svg").tap(position={"x": 150, "y": 100})
    assert page.locator(".tip").is_visible()
    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(paper) == "rgb(21, 23, 26)"
    page.locator("#theme").click()
    assert page.evaluate(paper) == "rgb(255, 255, 255)"


def test_nothing_that_a_run_holds_is_run(tmp_path, open_page):
    run = make_run(tmp_path / HOSTILE.replace("/", "_") / "1", {f"mlm/val/{HOSTILE.replace('/', '_')}": [(1, 2.0)]},
                   command=[HOSTILE], exp_name="x", early_stopping_patience=HOSTILE)  # fmt: skip
    (run / "predictions").mkdir()
    (run / "predictions" / "mlm_test.jsonl").write_text(json.dumps({HOSTILE: HOSTILE}) + "\n[1]\nno json\n")
    (run / "samples").mkdir()
    (run / "samples" / "step_1.png").write_text(HOSTILE)
    page = open_page(written(tmp_path, run).as_uri())
    page.locator("figure.chart svg").focus()
    page.keyboard.press("End")
    assert page.evaluate("window.hit") is None
    assert page.locator("script").count() == 2
    assert page.locator("img").count() == 0
    assert "step_1.png cannot be shown" in page.locator("main").inner_text()


def test_a_policy_stops_what_would_slip_through_all_the_same(tmp_path, seeds, open_page):
    path = written(tmp_path, seeds[0])
    path.write_text(
        path.read_text().replace("</main>", "<script>window.hit=1</script><img src='http://127.0.0.1/x'></main>")
    )
    page = open_page(path.as_uri(), errors_allowed=True)
    assert page.evaluate("window.hit") is None


def test_runs_that_did_not_end_are_in_it_with_a_word(tmp_path, capsys):
    killed = make_run(tmp_path / "a" / "1", status="")
    interrupted = make_run(tmp_path / "a" / "2", status="interrupted", learning_rate=0.5)
    broken = make_run(tmp_path / "a" / "3")
    (broken / "config.json").write_text("{")
    path = written(tmp_path, killed, interrupted, broken)
    text, said = path.read_text(), capsys.readouterr().out
    for name, word in (("a/1", "did not come to its end"), ("a/2", "was interrupted"), ("a/3", "cannot be read")):
        assert f"<b>{name}</b> {word}" in text
        assert f"{name} {word}" in said
    assert said.endswith(f"report: {path}\n")


def test_fields_that_no_csv_reader_takes_are_left_out(tmp_path):
    run = make_run(tmp_path / "a" / "1")
    (run / "samples").mkdir()
    Image.new("RGB", (9, 9)).save(run / "samples" / "step_1.png")
    long = '"' + "x" * 90_000 + "\n" + "x" * 90_000 + '"'
    (run / "samples" / "step_1.csv").write_text(f"file,caption\na.jpg,{long}\nb.jpg,a bird\n")
    with (run / "metrics.csv").open("a") as file:
        file.write(f"1,1,{long},1\n{2**63},1,mlm/val/loss,1\n")
    (run / "pace.csv").write_text(f"5,0.05,40,1.5,0.25,2.0,16\n10,{long}\n15,0.15,120,4.5,0.125,2.0,16\n")
    text = written(tmp_path, run).read_text()
    assert "a bird" in text
    found = read_page_run(read_listed(run, "a/1"))
    assert found.clock["step"] == [5, 15]
    assert found.drawn["mlm/val/loss"]["step"] == [10, 20]


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="is no run's folder"):
        written(tmp_path, tmp_path)


def test_a_picture_is_bounded_and_never_read_from_elsewhere(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    Image.new("RGB", (2 * WIDEST, 20)).save(run / "wide.png")
    Image.new("RGB", (9, 9)).save(tmp_path / "private.png")
    (run / "link.png").symlink_to(tmp_path / "private.png")
    picture = picture_inside(run, "wide.png")
    assert picture is not None
    assert (picture.width, picture.reduced) == (WIDEST, True)
    assert picture_inside(run, "link.png") is None
    assert picture_inside(run, "../private.png") is None


def test_thinning_keeps_the_ends_and_the_extremes():
    series = [Point(step, 0.0, float(step % 7)) for step in range(100_000)]
    series[4321] = Point(4321, 0.0, 1e6)
    series[77_777] = Point(77_777, 0.0, float("nan"))
    kept = thin(series)
    assert len(kept) <= MOST_POINTS
    assert [kept[0], kept[-1]] == [series[0], series[-1]]
    assert series[4321] in kept
    assert [point.step for point in kept] == sorted({point.step for point in kept})


def test_json_in_a_page_cannot_end_its_element():
    text = safe_json({"a": [HOSTILE, float("nan")]})
    assert "<" not in text
    assert text.isascii()
    assert json.loads(text) == {"a": [HOSTILE, None]}
