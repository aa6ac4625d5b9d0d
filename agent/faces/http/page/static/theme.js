// Runs before the first paint, so that a chosen theme does not flash. Classic script: modules run later.
(() => {
  try {
    const chosen = localStorage.getItem("tunewright-theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    /* storage may be forbidden; the system's theme holds then */
  }
})();
