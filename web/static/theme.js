// Applies the viewer's theme. A classic script and not a module, because modules run after the first paint: the other
// theme would flash.
(() => {
  const root = document.documentElement;
  const light = window.matchMedia("(prefers-color-scheme: light)");
  let chosen = null;
  try {
    chosen = localStorage.getItem("f1stream.theme");
  } catch {
    // Some browsers forbid storage in private windows: the theme is then not remembered.
  }

  function apply() {
    const theme = chosen === "light" || chosen === "dark" ? chosen : light.matches ? "light" : "dark";
    root.dataset.theme = theme;
    const button = document.getElementById("theme");
    if (button) button.setAttribute("aria-label", `Switch to the ${theme === "dark" ? "light" : "dark"} theme`);
    window.dispatchEvent(new Event("themechange"));
  }

  apply();
  light.addEventListener("change", apply);
  document.addEventListener("DOMContentLoaded", () => {
    apply();
    document.getElementById("theme").addEventListener("click", () => {
      chosen = root.dataset.theme === "dark" ? "light" : "dark";
      try {
        localStorage.setItem("f1stream.theme", chosen);
      } catch {
        // As above.
      }
      apply();
    });
  });
})();
