// SPDX-License-Identifier: BSD-2-Clause

// Runs before the page is painted: the chosen theme, so that nothing flashes.

try {
    const theme = localStorage.getItem("whereto.theme");
    if (theme === "dark" || theme === "light")
        document.documentElement.dataset.theme = theme;
} catch {
    // no storage: the system's theme it is
}
