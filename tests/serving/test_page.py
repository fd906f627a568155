"""The page at `/` in a browser, against a real server with tiny models: what it shows is what the server says."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest
from PIL import Image

from renaissance.serving.app import create_app
from renaissance.serving.service import Access
from tests.serving.pages import bars, drop, picture, until

HOSTILE = '<img src=x onerror="document.title=1">'


def test_typing_gives_the_bars_that_predict_gives(server, shown):
    page = shown("text", "imdb")
    page.locator("textarea").press_sequentially("two red circles", delay=5)
    (answer,) = server.asked("models/text/predict", [{"text": "two red circles"}])["result"]
    assert bars(page) == pytest.approx(answer["imdb"]["probabilities"], abs=1e-6)
    values = list(bars(page).values())
    assert values == sorted(values, reverse=True)
    page.get_by_text("Ask from a program").click()
    page.locator(".code", has_text="--form-string 'text=two red circles'").wait_for()


@pytest.mark.parametrize("turned", [False, True])
def test_a_dropped_picture_is_sent_as_it_is_and_shown_upright(server, shown, turned):
    page = shown("image", "cifar10")
    drop(page, picture(turned=turned))
    example = {"image": base64.b64encode(picture(turned=turned)).decode()}
    (answer,) = server.asked("models/image/predict", [example])["result"]
    assert bars(page) == pytest.approx(answer["cifar10"]["probabilities"], abs=1e-6)
    assert ("80 × 120" if turned else "120 × 80") in page.locator(".filled").inner_text()


def test_a_picture_that_is_too_large_is_scaled_down(shown):
    page = shown("image", "cifar10")
    file = io.BytesIO()
    Image.effect_noise((2600, 1900), 90).save(file, "JPEG", quality=95)
    assert len(file.getvalue()) > 3_000_000
    with page.expect_request("**/predict*") as sent:
        drop(page, file.getvalue())
    image = base64.b64decode(json.loads(sent.value.post_data)[0]["image"])
    assert len(image) < 3_000_000
    assert Image.open(io.BytesIO(image)).size[0] <= 2048
    assert "scaled down from 2600 × 1900" in page.locator(".filled").inner_text()


def test_a_caption_streams(models, shown):
    page = shown("caption", "caption")
    page.locator("textarea").fill("a red")
    drop(page, picture())
    page.locator(".answer .caption:not(.writing)").wait_for()
    assert page.locator(".answer .caption").inner_text() == models["caption"].caption([picture()], "a red")[0].strip()


def test_a_caption_is_stopped(shown):
    page = shown("caption", "caption")
    held: list[Any] = []
    page.route("**/caption", lambda route: held.append(route))  # is never answered
    drop(page, picture())
    page.get_by_role("button", name="Stop").click()
    page.locator(".answer .caption:not(.writing)").wait_for(state="attached")
    assert page.get_by_role("button", name="Stop").is_hidden()
    assert page.locator(".wrong:visible").count() == 0


def test_an_occlusion_lies_over_the_square_that_the_model_sees(server, shown):
    page = shown("pair", "itm")
    drop(page, picture())
    page.locator("textarea").fill("a red circle 😀 above")
    bars(page)
    page.get_by_role("button", name="Hide each part").click()
    page.locator(".heat-legend").first.wait_for()
    example = {"image": base64.b64encode(picture()).decode(), "text": "a red circle 😀 above"}
    answer = server.asked("models/pair/attributions", {"example": example, "task": "itm", "method": "occlusion"})
    heat = page.locator("canvas.heat")
    assert heat.is_visible()
    assert int(heat.get_attribute("width")) == len(answer["patches"]["image"][0])
    over, below = heat.bounding_box(), page.locator(".stage img").bounding_box()
    assert over["width"] == pytest.approx(below["width"] * 80 / 120, abs=1)
    assert over["x"] - below["x"] == pytest.approx(below["width"] * 20 / 120, abs=1)
    chips = page.locator(".chip").all()
    assert [chip.inner_text() for chip in chips] == [word["text"] for word in answer["words"]]
    found = [float(chip.get_attribute("data-value")) for chip in chips]
    assert found == pytest.approx([word["value"] for word in answer["words"]], abs=1e-4)
    assert page.locator(".chips").inner_text() == "a red circle 😀 above"
    page.locator("textarea").press("End")
    page.keyboard.type(" it")
    assert heat.is_hidden(), "what is shown must not stay when the question changes"


def test_boxes_are_drawn_by_keyboard_and_chosen(server, shown):
    page = shown("ref", "ref")
    drop(page, picture())
    page.locator("textarea").fill("the red one")
    page.get_by_role("button", name="Add a box").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+ArrowRight")
    with page.expect_request("**/predict*") as sent:
        page.keyboard.press("ArrowLeft")
    (example,) = json.loads(sent.value.post_data)
    assert example["boxes"] == [pytest.approx([0.28 * 120, 0.3 * 80, 0.42 * 120, 0.4 * 80], abs=0.01)]
    assert bars(page) == {"box 1": pytest.approx(1)}
    box = page.locator(".stage").bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 40, box["y"] + 30)
    page.mouse.up()
    until(lambda: len(bars(page)) == 2)
    page.keyboard.press("Delete")
    until(lambda: len(bars(page)) == 1)


def test_it_works_by_keyboard_alone(shown):
    page = shown("text", "imdb")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "TEXTAREA":
            break
    page.keyboard.type("a blue square")
    page.keyboard.press("Control+Enter")
    assert len(bars(page)) == 2
    until(lambda: "%" in page.locator("#said").inner_text())
    page.locator("[role=tab]").first.focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.id") == "tab-about"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


@pytest.mark.parametrize("width", [320, 360])
def test_nothing_is_wider_than_a_phone_in_the_dark(shown, width):
    page = shown("clip", "contrastive", viewport={"width": width, "height": 740}, color_scheme="dark")
    page.get_by_role("button", name="Fill in an example").click()
    page.locator(".scale").wait_for()
    for tab in page.locator("[role=tab]").all():
        tab.click()
        page.wait_for_timeout(100)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, tab.inner_text()
    light = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(light)
    page.get_by_role("button", name="light / dark").click()
    assert page.evaluate(light) != before


def test_labels_are_texts_and_never_html(models, monkeypatch, shown):
    task = models["image"].tasks["cifar10"]
    names = [HOSTILE, *task.class_names[1:]]
    monkeypatch.setattr(task, "class_names", names)
    monkeypatch.setitem(models["image"].label_names, "cifar10", names)
    page = shown("image", "cifar10")
    drop(page, picture())
    assert HOSTILE in bars(page)
    assert page.locator("img[src=x]").count() == 0
    page.get_by_role("tab", name="About the model").click()
    assert HOSTILE in page.locator(".labels").inner_text()
    assert page.locator("img[src=x]").count() == 0
    assert page.title() == "image – Renaissance"


def test_a_busy_server_and_a_label_given_twice_are_said_in_words(shown):
    page = shown("clip", "can-zeroshot", errors_allowed=True)
    drop(page, picture())
    page.locator("textarea").first.fill("red\nred")
    page.get_by_text("has a label twice").first.wait_for()
    busy = json.dumps({"error": {"message": "Too many wait."}})
    page.route("**/zeroshot", lambda route: route.fulfill(status=503, headers={"Retry-After": "2"}, body=busy))
    page.locator("textarea").first.fill("red\nblue")
    page.get_by_text("Too many wait. Try again in 2 s.").wait_for()
    assert page.locator("#state").inner_text() == "busy"


def test_a_token_is_asked_for_and_kept_in_the_tab(models, serve, open_page):
    running = serve(create_app({"text": models["text"]}, access=Access(token="open-sesame-123456")))
    page = open_page(running.address, errors_allowed=True)
    page.get_by_label("The server's token").fill("open-sesame-123456")
    page.keyboard.press("Enter")
    page.locator("textarea").fill("a red circle")
    assert len(bars(page)) == 2
    assert page.locator("#state").inner_text() == "ready"
    assert page.evaluate("[sessionStorage.length, JSON.stringify(localStorage)]") == [1, "{}"]
