# SPDX-License-Identifier: GPL-2.0 OR MIT
"""
A headless Chromium for the tests that look at a page, and TAP for what they find.
"""
import contextlib
import os
import sys
import tempfile
import traceback

from selenium import webdriver
from selenium.webdriver.chrome.service import Service


@contextlib.contextmanager
def chromium(width=1280, height=1000):
    """The driver of a browser with a profile of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for word in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage",
                     f"--window-size={width},{height}", "--user-data-dir=" + profile,
                     "--no-first-run", "--disable-background-networking"):
            options.add_argument(word)
        if os.geteuid() == 0:       # its sandbox refuses to be root's
            options.add_argument("--no-sandbox")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"),
                                  options=options)
        try:
            yield driver
        finally:
            driver.quit()


def screen(driver, width, height, dark=False):
    """Another size of the window, and another wish of who looks."""
    phone = width < 600
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": height, "deviceScaleFactor": 2 if phone else 1,
        "mobile": phone})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
        {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})


def complaints(driver):
    """What its console has of the page's errors."""
    return [entry for entry in driver.get_log("browser")
            if entry["level"] in ("SEVERE", "WARNING")]


def run(tests):
    """Run the functions, and return the exit status."""
    failed = 0
    print("TAP version 13\n1..%d" % len(tests))
    for number, func in enumerate(tests, 1):
        name = func.__name__.replace("_", " ")
        try:
            func()
            print("ok %d %s" % (number, name))
        except Exception:
            failed += 1
            for line in traceback.format_exc().splitlines():
                print("#", line)
            print("not ok %d %s" % (number, name))
        sys.stdout.flush()
    return 1 if failed else 0
