// SPDX-License-Identifier: BSD-2-Clause

// Runs before the page is painted, so that nothing flashes: the theme that was chosen, or the system's. data-choice is what was
// chosen (auto, light, dark), data-theme what comes of it. Who changes the choice dispatches "whereto-theme".

{
    const root = document.documentElement;
    const system = matchMedia("(prefers-color-scheme: dark)");

    const apply = () => {
        const choice = root.dataset.choice ?? "auto";
        root.dataset.theme = choice === "auto" ? system.matches ? "dark" : "light" : choice;
    };

    try {
        root.dataset.choice = localStorage.getItem("whereto.theme") ?? "auto";
    } catch {
        root.dataset.choice = "auto"; // no storage
    }
    apply();
    addEventListener("whereto-theme", apply);
    system.addEventListener("change", () => dispatchEvent(new Event("whereto-theme")));
}
