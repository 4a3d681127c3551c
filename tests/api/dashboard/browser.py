"""A real browser: Debian's chromium, driven through chromedriver, with a profile of its own that is thrown away."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import ElementClickInterceptedException, StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.waiting import PATIENCE_S

AXE = Path(__file__).with_name("vendor") / "axe.min.js"
DESKTOP = (1280, 900)
PHONE = (360, 780)

_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--disable-default-apps", "--mute-audio", "--lang=en-GB",
)  # fmt: skip


class Browser:
    """One browser with one tab. Whatever is waited for is waited for PATIENCE_S seconds, then AssertionError."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def look(self, size: tuple[int, int] = DESKTOP, theme: str = "light") -> None:
        """Have the page be of this size, in pixels, and the system dark or light."""
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [
            {"name": "prefers-color-scheme", "value": theme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def open(self, url: str, *, token: str | None = None) -> None:
        """Load a page in a tab that knows nothing of earlier ones; log in by the link that has the token."""
        self.driver.get("about:blank")
        base, _, route = url.partition("#")
        self.driver.get(f"{base}dashboard/logo.svg")
        self.js("sessionStorage.clear(); localStorage.clear()")
        self.driver.get(f"{base}#token={token}" if token else base)
        if token:
            self.wait_for("body[data-state=in]")
            self.wait_text("#link", "live")
        if route:
            self.go(route)

    def go(self, route: str) -> None:
        """Go to a page of the dashboard: "#/tunnels"."""
        self.js("location.hash = arguments[0]", route)
        wanted = "#" + route.removeprefix("#")
        self.until(lambda: self.js("return location.hash") == wanted, f"the page {route}")

    def js(self, script: str, *arguments: Any) -> Any:
        """What a script in the page returns."""
        return self.driver.execute_script(script, *arguments)

    def until(self, holds: Any, what: str) -> Any:
        """Wait until a callable gives something true, and give that."""
        give_up = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up:
            if found := holds():
                return found
            time.sleep(0.03)
        raise AssertionError(f"waited in vain for {what}; the page says:\n{self.text('body')[:3000]}")

    def wait_for(self, selector: str) -> WebElement:
        """The first element of a CSS selector that is displayed, once there is one."""
        found: WebElement = self.until(lambda: next(iter(self.shown(selector)), None), selector)
        return found

    def shown(self, selector: str) -> list[WebElement]:
        """The displayed elements of a selector now."""
        script = "return [...document.querySelectorAll(arguments[0])].filter((one) => one.checkVisibility())"
        found: list[WebElement] = self.js(script, selector)
        return found

    def text(self, selector: str) -> str:
        """The text of a selector's first element, "" where there is none."""
        return str(self.js("return document.querySelector(arguments[0])?.innerText ?? ''", selector))

    def wait_text(self, selector: str, text: str) -> None:
        """Wait until an element's text contains this."""
        self.until(lambda: text in self.text(selector), f"{text!r} in {selector}")

    def click(self, selector: str, words: str = "") -> None:
        """Click on the displayed element of a selector that has these words."""
        script = (
            "return [...document.querySelectorAll(arguments[0])]"
            ".find((one) => one.checkVisibility() && one.textContent.includes(arguments[1]))"
        )
        self.until(lambda: self._clicked(script, selector, words), f"{selector} with {words!r}")

    def _clicked(self, script: str, *arguments: str) -> bool:
        element = self.js(script, *arguments)
        if element is None:
            return False
        try:
            element.click()
        except (StaleElementReferenceException, ElementClickInterceptedException):  # the page changed in between
            return False
        return True

    def fill(self, **values: str) -> None:
        """Type into fields of the open form, by their names."""
        for name, value in values.items():
            element = self.wait_for(f"dialog [name={name}]")
            if element.tag_name == "select":
                element.find_element(By.CSS_SELECTOR, f"option[value='{value}']").click()
            else:
                element.clear()
                element.send_keys(value)

    def fill_in(self, name: str, value: str) -> None:
        """Have a field of the page, not of a dialog, be this."""
        element = self.wait_for(f"main [name={name}]")
        element.clear()
        element.send_keys(value)

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def focused(self) -> str:
        """What has the focus, as a person would call it."""
        script = (
            "const e = document.activeElement; return e.getAttribute('aria-label') ?? (e.id || e.textContent.trim())"
        )
        return str(self.js(script))

    def faults(self) -> list[str]:
        """What axe-core finds fault with on the page as it is: rule, and where."""
        if not self.js("return 'axe' in window"):
            # By the debugger, which is not held to the page's Content-Security-Policy.
            self.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE.read_text()})
        script = "axe.run(document).then(arguments[0], (error) => arguments[0](String(error)))"
        result = self.driver.execute_async_script(script)
        assert isinstance(result, dict), result
        assert result["passes"], "axe looked at nothing"
        return [
            f"{one['id']}: {', '.join(str(node['target']) for node in one['nodes'])}" for one in result["violations"]
        ]

    def complaints(self) -> list[str]:
        """What the browser logged since it was asked last: errors of scripts, blocked inline code, failed requests."""
        return [f"{entry['level']}: {entry['message']}" for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser for a `with` block."""
    profile = tempfile.mkdtemp(prefix="lt-chromium-")
    options = Options()
    options.binary_location = shutil.which("chromium") or "chromium"
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver") or "chromedriver"))
    try:
        driver.set_script_timeout(PATIENCE_S)
        yield Browser(driver)
    finally:
        driver.quit()
        shutil.rmtree(profile, ignore_errors=True)
