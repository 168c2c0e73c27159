#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR MIT
"""
test-page.py DIR

Look at DIR/report.html in a headless Chromium, 1280 pixels wide, and leave a picture,
DIR/report.png.  Prints TAP; exit status 1 if a test failed.
"""
import os
import sys

sys.dont_write_bytecode = True      # not beside the sources
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../scripts"))
import browser  # noqa: E402

WIDTH = 1280


def it_opens_with_what_came_out():
    """Three sentences, a chart, then the rows."""
    order = driver.execute_script(
        "return [...document.body.children].slice(0, 5).map((e) => e.localName)")
    assert order == ["h1", "p", "figure", "h2", "div"], order
    text = driver.execute_script("return document.querySelector('p.first').textContent")
    assert text.count(". ") == 2 and text.endswith("."), text


def nothing_is_cut_off():
    """Whatever can be opened is open."""
    driver.execute_script(
        "document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    wide = driver.execute_script(
        "return [document.documentElement, ...document.querySelectorAll('.wide, pre')]"
        ".filter((e) => e.scrollWidth > e.clientWidth)"
        ".map((e) => [e.localName, e.scrollWidth, e.textContent.slice(0, 60)])")
    assert not wide, wide


def every_picture_is_drawn():
    drawn = driver.execute_script(
        "return [...document.images].map((i) => i.complete && i.naturalWidth > 0)")
    assert drawn and all(drawn), drawn


def the_console_is_quiet():
    assert not browser.complaints(driver), browser.complaints(driver)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    directory = os.path.abspath(sys.argv[1])
    with browser.chromium() as driver:
        browser.screen(driver, WIDTH, 1900)
        driver.get(f"file://{directory}/report.html")
        driver.save_screenshot(os.path.join(directory, "report.png"))
        status = browser.run([it_opens_with_what_came_out, nothing_is_cut_off,
                              every_picture_is_drawn, the_console_is_quiet])
    sys.exit(status)
