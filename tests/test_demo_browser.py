"""The demo's page in a real browser: drawing with mouse, finger, pen and keyboard, both views, dark, and on a phone."""

import contextlib
import functools
import http.server
import itertools
import threading
import time

import browser
import pytest
from browser import answer, draw, opened, resize, served, set_dark, text, until

for library in ("selenium", "starlette", "uvicorn"):
    pytest.importorskip(library)

from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select  # noqa: E402

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(browser.chromium() is None, reason="needs Chromium and chromedriver"),
]

STYLES = ("THICK", "THIN", "SLANTED")


@pytest.fixture(scope="module")
def url():
    """The address of a demo that trains its own net; with one thread, so that other tests do not slow it much."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASTMLP_NUM_THREADS", "1")
        with served() as (_, url):
            yield url


@pytest.fixture(scope="module")
def page(url, tmp_path_factory):
    with opened(url, tmp_path_factory.mktemp("browser")) as driver:
        until(lambda: text(driver, "phase").startswith("Trained"))
        yield driver


@pytest.fixture
def driver(page, url):
    """The page as it is first seen, on a large screen and in the light."""
    resize(page, 1280, 800)
    set_dark(page, False)
    page.get("about:blank")
    page.get(url)
    until(lambda: text(page, "phase").startswith("Trained"))
    page.get_log("browser")
    yield page
    complaints = [line["message"] for line in page.get_log("browser")]
    assert [line for line in complaints if "status of 400" not in line] == []  # drawings with two things in them


def css(driver, selector):
    return driver.find_elements("css selector", selector)


def from_module(driver, module, name):
    """The value of what a module of the page exports."""
    script = "const [module, name, done] = arguments; import(`/${module}`).then((all) => done(all[name]))"
    return driver.execute_async_script(script, module, name)


def probabilities(driver):
    return [float(item.text.split()[-2]) for item in css(driver, "#bars li")]


# --- Drawing ----------------------------------------------------------------------------------------------------------


def test_thirty_drawings(driver):
    """Those of tests/drawings, as strokes of a mouse."""
    strokes = {(style, digit): getattr(browser.drawings(), style)[digit] for style in STYLES for digit in range(10)}
    right = []
    for (_, digit), lines in strokes.items():
        draw(driver, lines)
        right.append(answer(driver) == str(digit))
    assert len(right) == 30
    assert sum(right) >= 27


@pytest.mark.parametrize("kind", ["mouse", "touch", "pen"])
def test_drawing_is_seen_at_once(driver, kind):
    draw(driver, browser.drawings().THICK[3], kind)
    assert answer(driver) == "3"
    assert probabilities(driver)[3] == max(probabilities(driver)) > 90
    assert sum(probabilities(driver)) == pytest.approx(100, abs=1)
    ink = driver.execute_script(
        "const pixels = document.getElementById('picture').getContext('2d').getImageData(0, 0, 28, 28).data;"
        "return Array.from({ length: 784 }, (_, k) => pixels[4 * k + 3]);"
    )
    assert max(ink) == 255
    assert 50 < sum(value > 0 for value in ink) < 300
    assert len(css(driver, "#units canvas")) == 8
    assert css(driver, "#units li")[0].text.startswith("for ")
    css(driver, "#clear")[0].click()
    until(lambda: answer(driver) == "?")
    assert css(driver, "#units canvas") == []
    assert probabilities(driver) == [0] * 10


def test_a_second_finger_draws_nothing(driver):
    send = (
        "const sheet = document.getElementById('sheet'), box = sheet.getBoundingClientRect();"
        "sheet.setPointerCapture = () => {};"
        "for (const [name, id, x, y] of arguments[0]) sheet.dispatchEvent(new PointerEvent(name, { pointerId: id, "
        "clientX: box.left + x * box.width, clientY: box.top + y * box.height, button: 0, bubbles: true }));"
    )
    one = [("pointerdown", 1, 0.5, 0.2), ("pointermove", 1, 0.5, 0.5), ("pointermove", 1, 0.5, 0.8)]
    other = [("pointerdown", 2, 0.1, 0.1), ("pointermove", 2, 0.9, 0.1), ("pointerup", 2, 0.9, 0.1)]
    driver.execute_script(send, [one[0], *other, *one[1:], ("pointerup", 1, 0.5, 0.8)])
    assert answer(driver) == "1"


def test_two_things_are_a_sentence(driver):
    draw(driver, [[(0, 0), (0.01, 0.5), (0, 1)], [(0.9, 0), (0.91, 0.5), (0.9, 1)]])
    assert answer(driver) == "?"
    assert "2 things" in text(driver, "verdict")


def test_keyboard_draws(driver):
    """From the top of the page, with Tab, arrows, space and Delete."""
    for _ in range(6):
        ActionChains(driver).send_keys(Keys.TAB).perform()
        if driver.switch_to.active_element.get_attribute("id") == "sheet":
            break
    assert driver.switch_to.active_element.get_attribute("id") == "sheet"
    keys = [Keys.ARROW_UP] * 11 + [Keys.SPACE] + [Keys.ARROW_DOWN] * 22
    ActionChains(driver).send_keys(*keys).perform()
    assert answer(driver) == "1"
    assert text(driver, "pen") == "The pen is down"
    until(lambda: text(driver, "verdict").startswith("1, "))
    ActionChains(driver).send_keys(Keys.SPACE, Keys.ARROW_LEFT).perform()
    assert text(driver, "pen") == "The pen is up"
    ActionChains(driver).send_keys(Keys.DELETE).perform()
    until(lambda: answer(driver) == "?")
    assert driver.execute_script("return scrollY") == 0  # arrows and space are the pen's alone
    ActionChains(driver).send_keys(Keys.TAB).perform()
    assert driver.switch_to.active_element.get_attribute("id") == "clear"


def test_two_arrows_draw_slantwise(driver):
    sheet = css(driver, "#sheet")[0]
    driver.execute_script("arguments[0].focus()", sheet)
    chain = ActionChains(driver).send_keys(Keys.SPACE).key_down(Keys.ARROW_RIGHT)
    for _ in range(9):
        chain.key_down(Keys.ARROW_DOWN).key_up(Keys.ARROW_DOWN)
    chain.key_up(Keys.ARROW_RIGHT).perform()
    cursor = from_module(driver, "sheet.js", "cursor")
    x, y = cursor["x"], cursor["y"]
    assert x > 200
    assert y > 200


# --- Training and the race --------------------------------------------------------------------------------------------


def test_training_is_watched_live(driver):
    driver.execute_script(
        "window.seen = []; new MutationObserver(() => seen.push(document.getElementById('phase').textContent))"
        ".observe(document.getElementById('phase'), { childList: true });"
    )
    css(driver, "#train button")[0].click()
    until(lambda: len(driver.execute_script("return seen")) > 3)
    until(lambda: text(driver, "phase").startswith("Trained"))
    seen = driver.execute_script("return seen")
    assert any(line.startswith("Epoch ") for line in seen)
    for chart in ("accuracy-chart", "loss-chart"):
        assert len(css(driver, f"#{chart} .curve")) == 2
        assert len(css(driver, f"#{chart} circle")) == 20
    label = css(driver, "#accuracy-chart svg")[0].get_attribute("aria-label")
    accuracy = float(label.replace("\u00a0", " ").split("at last ")[1].split(" %")[0])
    assert 94 < accuracy < 99


def test_race_is_watched_live(driver):
    css(driver, "nav a[href='#compare']")[0].click()
    until(lambda: css(driver, "#race-size option"))
    Select(css(driver, "#race-size")[0]).select_by_visible_text("30")
    for box in css(driver, "#nets input"):
        if box.get_attribute("value") not in ("fastmlp", "numpy"):
            box.click()
    css(driver, "#race button[type=submit]")[0].click()
    until(lambda: text(driver, "race-said").startswith("They run"))
    until(lambda: css(driver, "#race-chart circle"))
    assert not css(driver, "#race button[type=submit]")[0].is_enabled()
    until(lambda: text(driver, "race-said").startswith("The race is over"), 600)
    rows = [row.text.split() for row in css(driver, "#results tr")]
    assert [(row[0], row[1], row[-1]) for row in rows] == [("fastmlp", "10", "done"), ("NumPy", "10", "done")]
    assert float(rows[1][3]) == pytest.approx(float(rows[1][2]) / float(rows[0][2]), rel=0.02)
    assert len(css(driver, "#race-chart .curve")) == 2
    css(driver, "#race button[type=submit]")[0].click()
    until(lambda: css(driver, "#stop")[0].is_enabled())
    css(driver, "#stop")[0].click()
    until(lambda: "it was stopped" in text(driver, "results"))
    until(lambda: css(driver, "#race button[type=submit]")[0].is_enabled())


SEVEN_LINES = """
const done = arguments[0];
const names = ["fastmlp", "NumPy", "Keras", "Keras, tuned", "PyTorch", "JAX", "scikit-learn"];
import("/chart.js").then(({ drawChart }) => {
  const lines = names.map((name, k) => ({ name, colour: "var(--ink)", points: [[1, 0.9], [40 + k % 3, 0.97]] }));
  lines.push({ name: "", colour: "var(--ink)", points: [[1, 0.9]] });
  drawChart(document.getElementById("race-chart"), lines, { height: 330, right: 108, xMax: 42, yMin: 0.9, yMax: 1,
    xName: "seconds", yText: String, label: "a chart" });
  done([...document.querySelectorAll("#race-chart .name")].map((each) => {
    const box = each.getBoundingClientRect();
    return [each.textContent, box.left, box.top + 1, box.right, box.bottom - 1];
  }));
});
"""


def test_names_of_curves_do_not_touch(driver):
    css(driver, "nav a[href='#compare']")[0].click()
    until(lambda: css(driver, "#race-chart svg"))
    boxes = driver.execute_async_script(SEVEN_LINES)
    assert len(boxes) == 7
    for (_, *one), (_, *other) in itertools.combinations(boxes, 2):
        apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        assert apart, boxes
    right = css(driver, "#race-chart")[0].rect
    assert max(box[3] for box in boxes) <= right["x"] + right["width"]


# --- For everybody ----------------------------------------------------------------------------------------------------


def test_screen_reader_has_names_for_all(driver):
    draw(driver, browser.drawings().THICK[7])
    answer(driver)
    names = {
        "#sheet": "Drawing area",
        "#clear": "Clear",
        "#bars": "Probability of each class",
        "#picture": "The drawing as the net sees it, in 28 by 28 pixels",
        "#train-size": "Hidden units",
        "#loss-chart svg": "Loss after each epoch",
        "#units canvas": "Weights of unit",
    }
    for selector, name in names.items():
        assert css(driver, selector)[0].accessible_name.startswith(name)
    assert css(driver, "#bars")[0].aria_role == "list"
    assert css(driver, "nav a[aria-current=page]")[0].text == "Draw"
    until(lambda: text(driver, "verdict").startswith("7, "))  # read aloud once the pen rests
    assert css(driver, "#verdict")[0].get_attribute("aria-live") == "polite"
    assert len(css(driver, "main:not([hidden])")) == 1


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("view", ["draw", "compare"])
def test_text_stands_out(driver, dark, view):
    """Contrast of 4.5 and more, as WCAG's level AA asks for."""
    set_dark(driver, dark)
    driver.execute_script("location.hash = arguments[0]", view)
    draw(driver, browser.drawings().THICK[7]) if view == "draw" else None
    found = driver.execute_script(CONTRASTS)
    assert len(found) > 10
    assert {name: ratio for name, ratio in found.items() if ratio < 4.5} == {}
    assert (driver.execute_script("return luminance(colourOf(document.body, 'backgroundColor'))") < 0.1) == dark


CONTRASTS = """
window.colourOf = (element, name) => getComputedStyle(element)[name].match(/[\\d.]+/g).map(Number);
window.luminance = ([r, g, b]) => [r, g, b].map((v) => v / 255)
  .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, k) => sum + [0.2126, 0.7152, 0.0722][k] * v, 0);
const behind = (element) => {
  for (let each = element; each; each = each.parentElement) {
    const colour = colourOf(each, "backgroundColor");
    if (colour.length === 3 || colour[3] > 0) return colour;
  }
};
const found = {};
for (const element of document.querySelectorAll("main:not([hidden]) *, header *")) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  if (!own || !element.getClientRects().length || element.disabled || element.id === "invitation") continue;
  const name = element instanceof SVGElement ? "fill" : "color";
  const [a, b] = [luminance(colourOf(element, name)), luminance(behind(element))].sort((p, q) => q - p);
  found[`${element.tagName} ${element.id} ${element.textContent.slice(0, 20)}`] = (a + 0.05) / (b + 0.05);
}
return found;
"""


@pytest.mark.parametrize("width", [320, 390, 768, 1024, 1600])
def test_every_width_has_room(driver, width):
    resize(driver, width, 800)
    for view in ("draw", "compare"):
        driver.execute_script("location.hash = arguments[0]", view)
        until(lambda: driver.execute_script("return document.documentElement.scrollWidth <= innerWidth"), 10)
        for button in css(driver, "main:not([hidden]) button"):
            assert button.size["height"] >= 40  # of a finger
    driver.execute_script("location.hash = 'draw'")
    draw(driver, browser.drawings().THICK[0], "touch")
    assert answer(driver) == "0"
    assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")


def test_nothing_comes_from_elsewhere(driver, url):
    draw(driver, browser.drawings().THICK[5])
    answer(driver)
    loaded = driver.execute_script("return performance.getEntriesByType('resource').map((each) => each.name)")
    assert len(loaded) > 3
    assert [name for name in loaded if not name.startswith((url, "data:"))] == []


def test_net_with_a_file_is_not_trained(tmp_path):
    from fastmlp import NeuralNetwork

    net = NeuralNetwork(30, seed=0)
    net.class_names = ["T-shirt", "Trousers", *(f"kind {k}" for k in range(8))]
    net.save(tmp_path / "shoes.npz")
    with served(str(tmp_path / "shoes.npz")) as (process, url), opened(url, tmp_path / "browser") as driver:
        until(lambda: text(driver, "net") == "shoes.npz, 30 hidden units")
        assert not css(driver, "#train")[0].is_displayed()
        draw(driver, browser.drawings().THICK[0])
        assert answer(driver) in net.class_names
        assert [item.text.split("\n")[0] for item in css(driver, "#bars li")][:2] == ["T-shirt", "Trousers"]
        process.terminate()
        process.wait()
        until(lambda: text(driver, "trouble").startswith("The demo has ended"))


# --- A page from elsewhere --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def foreign(folder):
    """The address of another server, with a page of its own."""
    (folder / "index.html").write_text("<!doctype html><title>elsewhere</title><p id=p>elsewhere", encoding="utf-8")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        handler.log_message = None
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


ATTACK = """
const [url, done] = arguments;
const attempts = [];
for (const mode of ["cors", "no-cors"]) {
  for (const kind of ["application/json", "text/plain"]) {
    attempts.push(fetch(`${url}api/train`, { method: "POST", mode, headers: { "Content-Type": kind },
      body: '{"hidden_size": 30}' }).then((reply) => `${reply.type} ${reply.status}`, () => "refused"));
  }
}
attempts.push(fetch(`${url}api/state`).then((reply) => reply.text(), () => "refused"));
Promise.all(attempts).then(done);
"""


def test_page_from_elsewhere_cannot_drive_it(driver, url, tmp_path):
    version = from_module(driver, "training.js", "version")
    with foreign(tmp_path) as elsewhere:
        driver.get(elsewhere)
        answers = driver.execute_async_script(ATTACK, url)
        assert set(answers) <= {"refused", "opaque 0"}  # an answer that the page may not look into
        driver.execute_script(
            "const form = document.createElement('form'); Object.assign(form, { action: arguments[0] + 'api/train', "
            "method: 'post', enctype: 'text/plain' }); document.body.append(form); form.submit();",
            url,
        )
        until(lambda: "elsewhere" in driver.page_source)
        driver.get(elsewhere)
        driver.execute_script(
            "const frame = document.createElement('iframe'); frame.src = arguments[0]; document.body.append(frame);",
            url,
        )
        time.sleep(0.5)
        driver.switch_to.frame(css(driver, "iframe")[0])
        assert css(driver, "#sheet") == []
        driver.switch_to.default_content()
    driver.get_log("browser")  # which tells of all that
    driver.get(url)
    until(lambda: from_module(driver, "training.js", "version") > 0)
    assert from_module(driver, "training.js", "version") == version
