"""Boxes on a picture of the page: what is drawn by mouse or finger is what is asked, in the pixels of what is sent."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from tests.serving.pages import bars, drop, picture, until

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def photo(width: int, height: int, *, noise: bool = False) -> bytes:
    """A JPEG that is red on the left."""
    image = Image.new("RGB", (width, height), "white")
    if noise:
        image = Image.effect_noise((width, height), 90).convert("RGB")
    image.paste((215, 35, 40), (0, 0, width // 3, height))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95)
    return file.getvalue()


@pytest.fixture
def asked(shown: Callable[..., Any]) -> Callable[..., tuple[Any, list[dict[str, Any]]]]:
    """Opens the tab with boxes, with a picture and a phrase; gives the page and the examples that it asks."""

    def open_tab(data: bytes, **options: Any) -> tuple[Any, list[dict[str, Any]]]:
        page = shown("ref", "ref", **options)
        examples: list[dict[str, Any]] = []

        def sent(request: Any) -> None:
            if "/predict" in request.url:
                examples.extend(json.loads(request.post_data))

        page.on("request", sent)
        drop(page, data)
        page.locator(".filled .stage").wait_for()
        page.locator("textarea").fill("the red one")
        page.locator(".filled .stage img").scroll_into_view_if_needed()
        return page, examples

    return open_tab


def drag(page: Any, start: tuple[float, float], end: tuple[float, float], *, let_go: bool = True) -> None:
    """Drag the mouse over the picture, from and to shares of its sides."""
    stage = page.locator(".boxes").bounding_box()
    at = [(stage["x"] + x * stage["width"], stage["y"] + y * stage["height"]) for x, y in (start, end)]
    page.mouse.move(*at[0])
    page.mouse.down()
    page.mouse.move(*at[1], steps=3)
    if let_go:
        page.mouse.up()


class Fingers:
    """Touches of the screen, as a phone's browser gets them."""

    def __init__(self, page: Any) -> None:
        self.session = page.context.new_cdp_session(page)
        self.area = page.locator(".boxes").bounding_box()

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        """Touches begin, move or end, at shares of the picture's sides."""
        area = self.area
        at = [
            {"x": area["x"] + x * area["width"], "y": area["y"] + y * area["height"], "id": number}
            for number, (x, y) in enumerate(points)
        ]
        self.session.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": at})

    def drag(self, *points: tuple[float, float]) -> None:
        """One finger from point to point."""
        for number, point in enumerate(points):
            self.touch("Move" if number else "Start", point)
        self.touch("End")


@pytest.mark.parametrize("noise", [False, True])
def test_boxes_are_in_the_pixels_of_the_picture_that_is_sent(asked, noise):
    page, examples = asked(photo(2600, 1900, noise=noise))
    drag(page, (0.1, 0.2), (0.5, 0.6))
    until(lambda: bool(examples), page)
    assert len(bars(page)) == 1
    width, height = Image.open(io.BytesIO(base64.b64decode(examples[-1]["image"]))).size
    assert (width > 2048) != noise, "noise is scaled down before it is sent, and the other is not"
    assert page.locator(".boxes").bounding_box()["width"] < 700
    wanted = [0.1 * width, 0.2 * height, 0.4 * width, 0.4 * height]
    assert examples[-1]["boxes"] == [pytest.approx(wanted, abs=0.004 * width)]
    page.get_by_text("Ask from a program").click()
    command = page.locator("pre.code").first
    command.wait_for()
    assert ('@"dropped.jpg"' in command.inner_text()) != noise, "boxes of one picture must not be sent with another"


def test_a_turned_photograph_has_the_boxes_where_they_were_drawn(server, asked):
    page, examples = asked(picture(turned=True))
    drag(page, (0.1, 0.1), (0.9, 0.4))
    until(lambda: len(bars(page)) == 1)
    drag(page, (0.2, 0.5), (0.7, 0.95))
    until(lambda: len(bars(page)) == 2)
    upright = io.BytesIO()
    Image.open(io.BytesIO(picture(turned=True))).transpose(Image.Transpose.ROTATE_270).save(upright, "PNG")
    example = {**examples[-1], "image": base64.b64encode(upright.getvalue()).decode()}
    (answer,) = server.asked("models/ref/predict", [example])["result"]
    found = bars(page)
    assert [found["box 1"], found["box 2"]] == pytest.approx(answer["ref"]["probabilities"], abs=1e-6)


def test_boxes_are_drawn_moved_and_sized_by_finger(asked):
    page, examples = asked(photo(300, 400), **PHONE)
    fingers = Fingers(page)
    fingers.drag((0.1, 0.1), (0.3, 0.2), (0.4, 0.3))
    until(lambda: len(bars(page)) == 1)
    drawn = [0.1 * 300, 0.1 * 400, 0.3 * 300, 0.2 * 400]
    assert examples[-1]["boxes"] == [pytest.approx(drawn, abs=3)]
    fingers.drag((0.2, 0.2), (0.25, 0.4), (0.4, 0.5), (0.5, 0.6))  # what is touched first is drawn anew on the way
    until(lambda: examples[-1]["boxes"] == [pytest.approx([0.4 * 300, 0.5 * 400, 0.3 * 300, 0.2 * 400], abs=3)], page)
    grip = page.locator(".grip").bounding_box()
    assert grip["width"] >= 24, "large enough for a finger"
    fingers.drag((0.7, 0.7), (0.8, 0.8), (0.9, 0.9))
    until(lambda: examples[-1]["boxes"] == [pytest.approx([0.4 * 300, 0.5 * 400, 0.5 * 300, 0.4 * 400], abs=3)], page)
    fingers.touch("Start", (0.1, 0.1))
    fingers.touch("Start", (0.1, 0.1), (0.6, 0.1))
    fingers.touch("Move", (0.3, 0.3), (0.9, 0.3))
    fingers.touch("End")
    until(lambda: len(bars(page)) == 2)
    assert examples[-1]["boxes"][1] == pytest.approx([0.1 * 300, 0.1 * 400, 0.2 * 300, 0.2 * 400], abs=3)
    page.get_by_role("button", name="remove box 1").tap()
    until(lambda: len(bars(page)) == 1)
    assert len(examples[-1]["boxes"]) == 1


def test_a_drag_that_the_browser_takes_over_leaves_the_boxes_and_the_answer_alone(asked):
    page, examples = asked(photo(300, 400))
    drag(page, (0.1, 0.1), (0.5, 0.5))
    until(lambda: len(bars(page)) == 1)
    page.locator("textarea").focus()
    before = len(examples)
    page.evaluate(
        "dispatchEvent(new PointerEvent('pointercancel', {pointerId: 1}))"
    )  # as a phone's does at every scroll
    page.wait_for_timeout(500)
    assert len(examples) == before
    assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"


def test_a_box_that_is_being_drawn_is_not_asked_yet(asked):
    page, examples = asked(photo(300, 400))
    drag(page, (0.1, 0.1), (0.5, 0.5))
    until(lambda: len(bars(page)) == 1)
    page.locator("textarea").fill("the white one")
    drag(page, (0.6, 0.6), (0.61, 0.6), let_go=False)
    until(lambda: examples[-1]["text"] == "the white one", page)
    assert len(examples[-1]["boxes"]) == 1
    page.mouse.up()  # a click draws none
    assert len(bars(page)) == 1
    assert page.locator(".wrong:visible").count() == 0


def test_what_was_chosen_and_what_was_wrong_go_with_the_question(asked):
    page, _ = asked(photo(300, 400), errors_allowed=True)
    drag(page, (0.1, 0.1), (0.5, 0.5))
    page.locator(".box.chosen").wait_for()
    refused = {"error": {"message": "these are no boxes", "field": "boxes", "example": 0}}
    page.route("**/predict*", lambda route: route.fulfill(status=422, json=refused))
    page.locator("textarea").press_sequentially("!")
    assert page.locator(".box.chosen").count() == 0
    page.locator(".field .wrong:visible").get_by_text("these are no boxes").wait_for()
    page.unroute("**/predict*")
    drag(page, (0.6, 0.6), (0.9, 0.9))
    until(lambda: len(bars(page)) == 2)
    assert page.locator(".wrong:visible").count() == 0
