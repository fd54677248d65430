// Runs before the page is drawn, so that a chosen theme does not flash. "auto" follows the system and is stored as nothing.
"use strict";
(() => {
  try {
    const chosen = localStorage.getItem("pai-theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // Storage may be refused by the browser; then the system's preference holds.
  }
})();
