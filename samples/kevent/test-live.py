#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR MIT
"""
test-live.py --keys PIPE --told FILE --pictures DIR URL

Test the live page of http-server, in a headless Chromium.  What is written to PIPE is
typed in the guest where the server runs; FILE has what that guest tells.  Pictures of
the page are left in DIR.  Prints TAP; exit status 1 if a test failed.
"""
import argparse
import os
import re
import sys
import time

from selenium.webdriver.common.by import By

sys.dont_write_bytecode = True      # not beside the sources
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../scripts"))
import browser  # noqa: E402

PATIENCE = 120          # a guest without hardware virtualisation is slow

tests = []


def test(func):
    tests.append(func)
    return func


def until(what, condition):
    end = time.monotonic() + PATIENCE
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, "never: " + what
        time.sleep(0.1)


class Guest:
    """A shell in the guest."""

    def __init__(self, keys, told):
        self.keys, self.told = keys, told
        self.at = 0

    def type(self, command):
        with open(self.keys, "w") as pipe:
            pipe.write(command + "\n")

    def tells(self, pattern):
        """The next line like that."""
        def look():
            with open(self.told, errors="replace") as f:
                f.seek(self.at)
                text = f.read()
            match = re.search(r"^kevent-guest: " + pattern + r"\r?\n", text, re.M)
            if match:
                self.at += len(text[:match.end()].encode())
            return match
        return until("the guest tells " + pattern, look)


def numbers():
    """What the page shows, all of one event."""
    return driver.execute_script(
        "return Object.fromEntries([...document.querySelectorAll('#counters data')]"
        ".map((d) => [d.id, Number(d.value)]))")


def fresh():
    """What it shows of an event that the server has made after this was called."""
    for _ in range(2):
        before = numbers()
        until("another event", lambda: numbers()["timers"] > before["timers"])
    return numbers()


def start_button():
    return driver.find_element(By.ID, "start")


def load_is_over(children):
    now = numbers()
    return start_button().is_enabled() and now["children"] > children


@test
def the_page_shows_what_the_server_counts():
    driver.get(args.url + "/live.html")
    until("an event", lambda: numbers()["timers"] > 0)
    now = numbers()
    assert now["conns"] >= 1 and now["answers"] >= 4, now
    assert driver.execute_script("return typeof Chart") == "function", "no chart.js"
    assert "Idle" in driver.find_element(By.ID, "state").text


@test
def its_numbers_are_those_of_the_tracepoints():
    """For a load that the page starts; what is told between two events may be in both."""
    early = numbers()
    guest.type("/etc/count start")
    word = guest.tells(r"count: (started|.* no tracepoints)").group(1)
    assert word == "started", word
    before = fresh()
    start_button().click()
    until("the load runs", lambda: not start_button().is_enabled())
    try:
        until("records without calls", lambda: float(
            driver.find_element(By.ID, "ratio").get_attribute("value")) > 2)
    finally:
        driver.save_screenshot(os.path.join(args.pictures, "load.png"))
    until("the load is over", lambda: load_is_over(before["children"]))
    after = numbers()
    guest.type("/etc/count stop")
    told = guest.tells(r"count: (\d+) records, (\d+) calls")
    late = fresh()
    for name, traced in ("produced", int(told[1])), ("calls", int(told[2])):
        least, most = after[name] - before[name], late[name] - early[name]
        print(f"# {name}: {traced} traced, {least} to {most} on the page")
        assert least <= traced <= most, name
        assert most - least < traced / 2, "hardly a load"
    records = after["records"] - before["records"]
    calls = after["calls"] - before["calls"]
    print(f"# {records / calls:.1f} records per kernel entry")
    assert records > 2 * calls, "a kernel entry for each record, or nearly"
    # What is published and not taken is in the rings.
    assert 0 <= late["produced"] - late["records"] <= 2 * 4096
    assert after["children"] == before["children"] + 1
    assert after["answers"] - before["answers"] >= 64
    assert after["files"] > before["files"] and after["received"] > before["received"]


@test
def a_signal_is_told():
    before = numbers()["signals"]
    guest.type("killall -USR1 http-server")
    until("a signal", lambda: numbers()["signals"] == before + 1)


@test
def what_threads_have_is_the_sum():
    for _ in range(20):
        each, conns = driver.execute_script(
            "return [Chart.getChart('each').data.datasets[0].data,"
            " Number(document.getElementById('conns').value)]")
        assert sum(each) == conns, (each, conns)
        time.sleep(0.05)


def luminance(colour):
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one, other):
    lower, higher = sorted((luminance(one), luminance(other)))
    return (higher + 0.05) / (lower + 0.05)


@test
def it_can_be_read_anywhere():
    """Nothing is cut off, on a phone as well; contrast as WCAG AA wants it."""
    for name, width, height, dark in (("desktop", 1280, 1000, False),
                                      ("desktop-dark", 1280, 1000, True),
                                      ("phone", 390, 844, False),
                                      ("phone-dark", 390, 844, True)):
        browser.screen(driver, width, height, dark)
        fresh()
        driver.save_screenshot(os.path.join(args.pictures, name + ".png"))
        wide = driver.execute_script("return document.documentElement.scrollWidth")
        assert wide <= width, f"{name}: {wide} wide"
        colours = driver.execute_script(
            "const s = getComputedStyle(document.documentElement);"
            "return Object.fromEntries(['back', 'card', 'text', 'quiet', 'one']"
            ".map((n) => [n, s.getPropertyValue('--' + n).trim()]))")
        assert (luminance(colours["back"]) < 0.2) == dark, name
        for text in "text", "quiet", "one":
            for back in "back", "card":
                assert contrast(colours[text], colours[back]) >= 4.5, (name, text, back)


@test
def it_can_be_heard():
    """Everything has a name, and the state is announced."""
    assert start_button().accessible_name == "Start a load"
    assert driver.find_element(By.ID, "state").aria_role == "status"
    for canvas in driver.find_elements(By.TAG_NAME, "canvas"):
        assert canvas.aria_role in ("image", "img") and canvas.accessible_name
    rows = driver.find_elements(By.CSS_SELECTOR, "#counters tr")
    assert len(rows) > 10
    for row in rows:
        assert row.find_element(By.TAG_NAME, "th").text


@test
def the_console_is_quiet():
    assert not browser.complaints(driver), browser.complaints(driver)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--keys", required=True)
    parser.add_argument("--told", required=True)
    parser.add_argument("--pictures", required=True)
    parser.add_argument("url")
    args = parser.parse_args()
    guest = Guest(args.keys, args.told)
    with browser.chromium() as driver:
        status = browser.run(tests)
    sys.exit(status)
