"""What the page shows while things change: never an answer to another question, nor of another model."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from renaissance.serving.app import create_app
from renaissance.serving.limits import Limits
from tests.serving.pages import bars, drop, picture, until

NAMES = ["Llanfairpwllgwyngyll" * 9, "מעגל אדום מעל ריבוע", "<script>document.title=1</script>"]


def streamed(*texts: str, done: str | None = None) -> str:
    """Events of a caption."""
    events = [("token", {"text": text}) for text in texts] + ([] if done is None else [("done", {"caption": done})])
    return "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)


def noise(seed: int) -> bytes:
    """A small JPEG of some kilobytes."""
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (60, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()


@pytest.mark.parametrize("tab", ["imdb", "caption"])
def test_of_two_questions_the_first_answer_does_not_show_when_it_comes_last(shown, tab):
    model, path = ("text", "**/predict*") if tab == "imdb" else ("caption", "**/caption")
    page = shown(model, tab)
    held: list[Any] = []
    page.route(path, lambda route: held.append(route) if not held else route.continue_())
    if tab == "caption":
        page.locator(".samples button").first.click()
    page.locator("textarea").fill("a red")
    until(lambda: bool(held), page)
    page.locator("textarea").fill("a blue circle")
    page.locator(".answer:not(.stale) :is(.bars, .caption:not(.writing))").first.wait_for()
    shown_now = page.locator(".answer").inner_text()
    first = {"json": {"result": [{"imdb": {"answer": "late", "probabilities": {"late": 1.0}}}]}}
    late = first if tab == "imdb" else {"body": streamed("late", done="late"), "content_type": "text/event-stream"}
    held[0].fulfill(**late)
    page.wait_for_timeout(300)
    assert page.locator(".answer").inner_text() == shown_now
    assert "late" not in shown_now


def test_a_caption_that_breaks_off_is_not_shown_as_a_whole_one(shown):
    page = shown("caption", "caption")
    cut = {"body": streamed("a", " red"), "content_type": "text/event-stream"}
    page.route("**/caption", lambda route: route.fulfill(**cut))
    drop(page, picture())
    page.get_by_text("The answer broke off").wait_for()
    assert page.locator(".answer .caption").count() == 0


def test_a_caption_that_is_stopped_in_the_middle_says_so(models, shown):
    page = shown("caption", "caption")
    page.route("**/caption", lambda route: None)
    page.locator("textarea").fill("a red")
    drop(page, picture())
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped here: this is not the whole caption.").wait_for()
    page.unroute("**/caption")
    page.get_by_role("button", name="Write a caption").click()
    page.get_by_text("Stopped here").wait_for(state="detached")
    page.locator(".answer .caption:not(.writing)").wait_for()
    assert page.locator(".answer .caption").inner_text() == models["caption"].caption([picture()], "a red")[0].strip()


def test_what_a_caption_that_begins_as_asked_rests_on_is_not_told(shown):
    page = shown("caption", "caption")
    drop(page, picture())
    page.locator("textarea").fill("a red")
    page.locator(".answer .caption:not(.writing)").wait_for()
    page.get_by_role("button", name="Hide each part").click()
    page.get_by_text("leave out how it begins").wait_for()
    assert page.locator("canvas.heat").is_hidden()


def test_an_answer_does_not_stay_where_it_is_not_asked_again(shown):
    page = shown("text", "imdb")
    page.locator("textarea").fill("a red circle")
    bars(page)
    page.get_by_label("as I type").uncheck()
    assert len(bars(page)) == 2, "the question is the same"
    page.locator("textarea").press_sequentially("s")
    assert page.locator(".answer .bars").count() == 0
    page.get_by_role("button", name="Ask", exact=True).click()
    assert len(bars(page)) == 2


def test_a_slow_answer_is_marked_as_that_of_before(shown):
    page = shown("text", "imdb")
    page.locator("textarea").fill("a red circle")
    bars(page)
    page.route("**/predict*", lambda route: None)
    page.locator("textarea").press_sequentially("s")
    page.wait_for_timeout(900)
    said = "getComputedStyle(document.querySelector('.card h2'), '::after')"
    assert page.evaluate(f"{said}.content") == '" to what was there before"'
    assert page.evaluate(f"{said}.visibility") == "visible"


def test_of_two_models_the_one_chosen_last_is_shown(shown):
    page = shown("text", "imdb")
    page.locator("textarea").fill("a red circle")
    bars(page)
    held: list[Any] = []
    page.route("**/models/clip/info", lambda route: held.append(route))
    page.get_by_label("model").select_option("clip")
    assert page.locator(".bars").count() == 0, "of the model before, nothing stays"
    page.get_by_label("model").select_option("image")
    page.get_by_role("tab", name="CIFAR-10").wait_for()
    held[0].continue_()
    page.wait_for_timeout(300)
    assert page.get_by_label("model").input_value() == "image"
    assert "model=image" in page.url
    assert page.get_by_role("tab").all_inner_texts()[0] == "CIFAR-10"
    assert page.title() == "image – Renaissance"


def test_an_answer_under_way_goes_with_its_tab(shown):
    page = shown("pair", "itm")
    held: list[Any] = []
    page.route("**/predict?task=itm", lambda route: held.append(route))
    page.get_by_role("button", name="Fill in an example").click()
    until(lambda: bool(held), page)
    page.get_by_role("tab", name="Masked").click()
    page.locator("textarea").fill("a [MASK] circle")
    page.locator(".answer:not(.stale) .bars").wait_for()
    words = page.locator(".answer").inner_text()
    page.wait_for_timeout(300)
    assert page.locator(".answer").inner_text() == words
    assert "belong" not in page.locator("#said").inner_text()


def test_an_address_that_is_pasted_is_followed_and_one_of_nothing_is_said(shown):
    page = shown("text", "imdb")
    page.evaluate("location.hash = '#model=image&tab=about'")
    page.get_by_role("tab", name="About", selected=True).wait_for()
    page.evaluate("location.hash = '#model=gone&tab=imdb'")
    page.get_by_text("There is no model “gone” here.").wait_for()
    page.evaluate("location.hash = '#model=text&tab=vqa'")
    page.get_by_text("The model “text” has no “vqa”.").wait_for()
    page.evaluate("location.hash = '#model=image'")
    page.get_by_role("tab", name="CIFAR-10", selected=True).wait_for()
    page.go_back()
    page.get_by_role("tab", name="IMDb", selected=True).wait_for()
    page.locator("textarea").fill("kept")
    page.keyboard.press("Shift+Tab")
    page.evaluate("document.querySelector('.skip').click()")
    page.wait_for_timeout(100)
    assert "model=text" in page.url
    assert page.locator("textarea").input_value() == "kept"
    assert page.locator("#notice").is_hidden()


def test_a_server_that_is_gone_is_said_and_another_model_in_its_place_too(models, serve, open_page):
    running = serve(create_app({"one": models["text"]}))
    page = open_page("about:blank", errors_allowed=True)
    page.clock.install()
    page.goto(running.address)
    page.locator("textarea").fill("a red circle")
    page.clock.run_for(400)
    assert len(bars(page)) == 2
    running.stop()
    page.locator("textarea").press_sequentially("s")
    page.clock.run_for(400)
    page.get_by_text("The server does not answer.").wait_for()
    assert page.locator(".answer .bars").count() == 0
    assert page.locator("#state").inner_text() == "does not answer"
    serve(create_app({"other": models["image"]}), int(running.address.rstrip("/").rsplit(":")[-1]))
    page.clock.run_for(11_000)
    page.get_by_text("The server has been started again, with another model.").wait_for()
    page.get_by_role("tab", name="CIFAR-10").wait_for()
    assert page.locator(".model-name").inner_text() == "other"


def test_what_is_too_large_is_said_at_its_field(models, serve, open_page):
    running = serve(create_app({"clip": models["clip"]}, Limits(text=50, body=40_000)))
    page = open_page(f"{running.address}#tab=can-embed", errors_allowed=True)
    page.locator(".matrix").wait_for()
    page.locator("textarea").fill("a\n" + "b" * 60)
    page.get_by_text("texts 2: has 60 characters, and 50 are allowed").wait_for()
    assert page.locator(".matrix").count() == 0
    page.locator("textarea").fill("\n".join("ab"))
    page.locator(".matrix").wait_for()
    for number in range(10):
        drop(page, noise(number), name=f"{number}.jpg")
    page.get_by_text("larger than 40,000 bytes").wait_for()


@pytest.mark.parametrize("width", [390, 1280])
def test_many_long_and_foreign_labels_keep_within_the_page(models, monkeypatch, shown, width):
    names = [*NAMES, *(f"class {number}" for number in range(97))]
    probabilities = {name: 2.0 ** -(number + 1) for number, name in enumerate(names)}
    monkeypatch.setitem(models["image"].label_names, "cifar10", names)
    page = shown("image", "cifar10", viewport={"width": width, "height": 844})
    answer = {"result": [{"cifar10": {"answer": names[0], "probabilities": probabilities}}]}
    page.route("**/predict*", lambda route: route.fulfill(json=answer))
    drop(page, picture())
    assert bars(page) == probabilities
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Show all 100").click()
    assert page.locator(".bars li:visible").count() == 100
    label = page.locator(".bar-label", has_text="מעגל")
    assert label.evaluate("one => getComputedStyle(one).direction") == "rtl"
    page.get_by_role("tab", name="About").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.title() == "image – Renaissance"
