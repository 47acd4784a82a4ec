# SPDX-License-Identifier: BSD-2-Clause
"""What a test with a browser needs: node, Chromium, and the packages that building the dashboard installs."""

import os
import shutil

from tap import skip_all

WEB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "web")


def needs():
    """The path of Chromium. Where something is missing the program ends here, skipped with the reason."""
    chromium = shutil.which("chromium")
    if not shutil.which("node"):
        skip_all("needs node")
    if not chromium:
        skip_all("needs chromium")
    if not os.path.exists(os.path.join(WEB, "node_modules", "playwright-core")):
        skip_all("needs web/node_modules, which building the dashboard makes")
    return chromium


def script(name):
    return os.path.join(WEB, "tests", name)
