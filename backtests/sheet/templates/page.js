// Sections are folded: a link to one opens it, and paper has all of them open. Every table can be saved as CSV.
(function () {
  "use strict";
  function reveal(hash) {
    var target = hash.length > 1 && document.getElementById(decodeURIComponent(hash.slice(1)));
    if (!target) return;
    var inner = target.querySelector(":scope > details");
    if (inner) inner.open = true;
    for (var e = target; e; e = e.parentElement) if (e.tagName === "DETAILS") e.open = true;
    target.scrollIntoView();
  }
  document.addEventListener("click", function (event) {
    var link = event.target.closest ? event.target.closest("a[href^='#']") : null;
    if (link) setTimeout(function () { reveal(link.hash); }, 0);
  });
  window.addEventListener("hashchange", function () { reveal(location.hash); });
  if (location.hash) reveal(location.hash);

  var closed = [];
  window.addEventListener("beforeprint", function () {
    closed = Array.prototype.filter.call(document.querySelectorAll("details.fold, .verdicts details"), function (d) { return !d.open; });
    closed.forEach(function (d) { d.open = true; });
  });
  window.addEventListener("afterprint", function () { closed.forEach(function (d) { d.open = false; }); });

  var all = document.getElementById("unfold");
  if (all) all.addEventListener("click", function () {
    var open = all.getAttribute("aria-pressed") !== "true";
    document.querySelectorAll("details.fold, .verdicts details").forEach(function (d) { d.open = open; });
    all.setAttribute("aria-pressed", String(open));
    all.textContent = open ? "Fold all" : "Unfold all";
  });

  // A cell that a spreadsheet would compute is made text.
  function cell(text) {
    text = text.replace(/\u2212/g, "-").replace(/\u202f/g, " ").trim();
    if (/^[=+@\t\r]/.test(text) || (text[0] === "-" && isNaN(Number(text.replace(/[ ,%]/g, ""))))) text = "'" + text;
    return /[",\n]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
  }
  document.querySelectorAll("main table").forEach(function (table, i) {
    if (table.rows.length < 3) return;
    var button = document.createElement("button");
    button.type = "button";
    button.className = "csv";
    button.textContent = "CSV";
    button.title = "Save this table as CSV";
    button.addEventListener("click", function () {
      var lines = Array.prototype.map.call(table.rows, function (row) {
        return Array.prototype.map.call(row.cells, function (c) { return cell(c.innerText); }).join(",");
      });
      var link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([lines.join("\r\n") + "\r\n"], { type: "text/csv" }));
      link.download = (table.id || (table.closest("section") || { id: "table" }).id + "-" + i) + ".csv";
      link.click();
      setTimeout(function () { URL.revokeObjectURL(link.href); }, 1000);
    });
    (table.closest(".scroll") || table).after(button);
  });
})();
