// Light, dark, or as the system is: a button goes through the three, and a choice is kept where storage is allowed.
(function () {
  "use strict";
  var KEY = "rollcast-theme", THEMES = ["system", "light", "dark"], SYSTEM = "(prefers-color-scheme: dark)", theme = "system";
  try { theme = localStorage.getItem(KEY) || theme; } catch (error) { /* no storage: the choice lasts as long as the page */ }

  // The dark colours stand in one media rule, whose condition is what is chosen.
  var rules = Array.prototype.filter.call(document.styleSheets[0].cssRules, function (rule) {
    return rule.media && /prefers-color-scheme: ?dark/.test(rule.media.mediaText);
  });
  function apply() {
    if (THEMES.indexOf(theme) < 0) theme = "system";
    var condition = { system: SYSTEM, light: "not all", dark: "all" }[theme];
    rules.forEach(function (rule) { rule.media.mediaText = condition; });
    document.dispatchEvent(new Event("theme"));
  }
  apply();
  window.matchMedia(SYSTEM).addEventListener("change", apply);
  document.addEventListener("DOMContentLoaded", function () {
    var button = document.getElementById("theme");
    function name() { button.textContent = "Theme: " + theme; }
    button.hidden = false;
    name();
    button.addEventListener("click", function () {
      theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
      try { localStorage.setItem(KEY, theme); } catch (error) { /* as above */ }
      apply();
      name();
    });
  });
})();
