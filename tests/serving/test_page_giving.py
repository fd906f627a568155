"""How pictures and texts come into the page, and how its question gets out of it into a program."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from renaissance.serving.app import create_app
from renaissance.serving.limits import Limits
from renaissance.serving.service import Access
from tests.serving.pages import bars, drop, picture, until

CLIPBOARD = ["clipboard-read", "clipboard-write"]
PUT = """async ([colour, text]) => {
  const canvas = Object.assign(document.createElement("canvas"), {width: 40, height: 30});
  canvas.getContext("2d").fillStyle = colour;
  canvas.getContext("2d").fillRect(0, 0, 25, 30);
  const items = {"image/png": await new Promise(done => canvas.toBlob(done))};
  if (text) items["text/plain"] = new Blob([text], {type: "text/plain"});
  await navigator.clipboard.write([new ClipboardItem(items)]);
}"""
TOKEN = "open-sesame-123456"


def paste(page: Any, colour: str, text: str = "") -> None:
    """Paste a picture that is put into the browser's clipboard, with a text beside it or not."""
    page.bring_to_front()
    page.evaluate(PUT, [colour, text])
    page.keyboard.press("Control+V")


def copied(page: Any, what: str) -> str:
    """What the button puts into the clipboard."""
    button = page.get_by_role("button", name=f"Copy {what}")
    button.click()
    page.get_by_role("button", name="Copied").wait_for()
    button.wait_for()
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def saved(page: Any, folder: Path) -> None:
    """Save the pictures that the command of curl reads where it is called."""
    links = page.locator(".code-panel a[download]")
    links.first.wait_for()
    for link in links.all():
        with page.expect_download() as download:
            link.click()
        download.value.save_as(folder / download.value.suggested_filename)


def curl(command: str, folder: Path, **variables: str) -> str:
    """What a shell prints for a command."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    told = subprocess.run(
        ["bash", "-c", command], cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, timeout=20
    )
    assert told.returncode == 0, told.stderr
    return told.stdout


def test_two_pasted_pictures_are_asked_as_they_are_shown_and_so_is_the_copied_command(server, shown, tmp_path):
    page = shown("nlvr2", "nlvr2", permissions=CLIPBOARD)
    page.locator("textarea").fill('it\'s "half" $red')
    paste(page, "red")
    page.locator(".filled:visible").first.wait_for()
    with page.expect_request("**/predict*") as sent:
        paste(page, "blue")
    (example,) = json.loads(sent.value.post_data)
    seen = {name: Image.open(io.BytesIO(base64.b64decode(example[name]))) for name in ("image", "second_image")}
    colours = {name: image.convert("RGB").getpixel((3, 3)) for name, image in seen.items()}
    assert colours == {"image": (255, 0, 0), "second_image": (0, 0, 255)}
    (answer,) = server.asked("models/nlvr2/predict", [example])["result"]
    (swapped,) = server.asked(
        "models/nlvr2/predict", [{**example, "image": example["second_image"], "second_image": example["image"]}]
    )["result"]
    wanted = answer["nlvr2"]["probabilities"]
    assert bars(page) == pytest.approx(wanted, abs=1e-6) != swapped["nlvr2"]["probabilities"]
    page.get_by_text("Ask from a program").click()
    saved(page, tmp_path)  # both are called image.png
    (told,) = json.loads(curl(copied(page, "curl"), tmp_path))["result"]
    assert told["nlvr2"]["probabilities"] == pytest.approx(wanted)
    assert json.loads(copied(page, "JSON")) == [example]
    page.locator("[data-field=second_image] button", has_text="Another").focus()
    with page.expect_request("**/predict*") as sent:
        paste(page, "lime")  # goes where one is
    assert json.loads(sent.value.post_data)[0]["image"] == example["image"]


def test_a_text_that_comes_with_a_picture_is_pasted_into_a_text(shown):
    page = shown("nlvr2", "nlvr2", permissions=CLIPBOARD)
    page.locator("textarea").focus()
    paste(page, "red", "cells of a table")
    until(lambda: page.locator("textarea").input_value() == "cells of a table")
    assert page.locator(".filled:visible").count() == 0


def test_two_texts_are_asked_each_as_its_own(server, shown):
    page = shown("mrpc", "mrpc")
    page.get_by_label("Second text").fill("one says this")
    assert "Give the text" in page.locator(".answer").inner_text()
    page.get_by_label("Text", exact=True).fill("another says <script>alert(1)</script>")
    example = {"text": "another says <script>alert(1)</script>", "text_pair": "one says this"}
    (answer,) = server.asked("models/mrpc/predict", [example])["result"]
    assert bars(page) == pytest.approx(answer["mrpc"]["probabilities"], abs=1e-6)
    page.get_by_role("button", name="Hide each part").click()
    page.locator(".chips").nth(1).wait_for()
    assert page.locator(".chips").all_inner_texts() == list(example.values())


def test_a_phone_takes_a_photo(shown):
    page = shown("image", "cifar10", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    assert page.get_by_text("Take a photo").is_visible()
    camera = page.locator("input[capture=environment]")
    exif = Image.Exif()
    exif[274] = 6
    file = io.BytesIO()
    Image.effect_noise((3000, 2000), 60).save(file, "JPEG", quality=95, exif=exif)
    with page.expect_request("**/predict*") as sent:
        camera.set_input_files([{"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()}])
    (example,) = json.loads(sent.value.post_data)
    sent_as = Image.open(io.BytesIO(base64.b64decode(example["image"])))
    assert sent_as.size[0] < sent_as.size[1], "upright"
    assert sent_as.getexif().get(274, 1) == 1, "and not to be turned once more"
    bars(page)


def test_the_newest_picture_counts_however_long_an_older_one_takes(shown):
    page = shown("image", "cifar10")
    page.evaluate(
        """() => { const decode = Image.prototype.decode; let first = true;
        Image.prototype.decode = function () {
          const late = first ? 600 : 0; first = false;
          return decode.call(this).then(() => new Promise(done => setTimeout(done, late))); }; }"""
    )
    drop(page, picture(), name="older.jpg")
    drop(page, picture(turned=True), name="newer.jpg")
    bars(page)
    page.wait_for_timeout(700)
    assert "newer.jpg" in page.locator(".filled").inner_text()


def test_a_file_that_is_no_picture_is_said_and_one_beside_the_field_is_taken(shown):
    page = shown("image", "cifar10")
    drop(page, b"%PDF-1.4", name="paper.pdf")
    page.get_by_text("paper.pdf is no picture that can be read here.").wait_for()
    drop(page, picture(), field="header")
    assert len(bars(page)) == 10
    assert page.locator(".wrong:visible").count() == 0
    drop(page, b"", name="empty.png")
    page.get_by_text("The picture before it is still here.").wait_for()
    page.locator(".field.picture").dispatch_event("drop", {"dataTransfer": page.evaluate_handle("new DataTransfer()")})
    page.get_by_text("What was dropped is no file").wait_for()


def test_a_picture_keeps_within_the_pixels_that_the_server_takes(models, serve, open_page):
    running = serve(create_app({"image": models["image"]}, Limits(pixels=500_000)))
    page = open_page(running.address)
    file = io.BytesIO()
    Image.new("RGB", (1000, 900), "red").save(file, "PNG")
    drop(page, file.getvalue())
    assert len(bars(page)) == 10
    assert "scaled down from 1000 × 900" in page.locator(".filled").inner_text()


def test_a_copied_command_has_the_token_from_a_variable_and_a_stream_flows(models, serve, open_page, tmp_path):
    running = serve(create_app({"caption": models["caption"]}, access=Access(token=TOKEN)))
    page = open_page(running.address, errors_allowed=True, permissions=CLIPBOARD)
    page.get_by_label("The server's token").fill(TOKEN)
    page.keyboard.press("Enter")
    page.get_by_text("Ask from a program").click()
    page.locator(".code-panel").get_by_text("Give the picture.").wait_for()
    page.locator("textarea").fill("a red")
    page.locator(".samples button").first.click()
    page.locator(".answer .caption:not(.writing)").wait_for()
    saved(page, tmp_path)
    command = copied(page, "curl")
    assert TOKEN not in command
    events = curl(command, tmp_path, RENAISSANCE_SERVE_TOKEN=TOKEN)
    caption = json.loads(events.rsplit("data: ", 1)[1])["caption"]
    assert page.locator(".answer .caption").inner_text() == caption.strip()


def test_it_is_copied_also_where_the_browser_has_no_clipboard_to_offer(shown):
    page = shown("text", "imdb", permissions=CLIPBOARD)
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined, configurable: true})")
    page.locator("textarea").fill("plain")
    page.get_by_text("Ask from a program").click()
    page.get_by_role("button", name="Copy curl").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("document.activeElement.tagName") == "BUTTON", "by keyboard one goes on from there"
    page.locator("textarea").fill("")
    page.locator("textarea").focus()
    page.keyboard.press("Control+V")
    assert "--form-string 'text=plain'" in page.locator("textarea").input_value()
