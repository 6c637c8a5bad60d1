// The runs of a workspace, from the data of the page: filtered, sorted, and drawn a hundred at a time.
(function () {
  "use strict";
  var data = JSON.parse(document.getElementById("runs-data").textContent), words = data.words, AT_ONCE = 100;
  var DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", NAMES = data.names;
  var runs = data.runs.map(function (values) {
    var run = {};
    NAMES.forEach(function (name, i) { run[name] = data.coded.indexOf(name) < 0 ? values[i] : words[values[i]]; });
    return run;
  });
  var table = document.getElementById("runs-table"), body = table.tBodies[0], more = document.getElementById("more");
  var count = document.getElementById("count"), key = "id", down = true, shown = AT_ONCE;
  var filters = Array.prototype.slice.call(document.querySelectorAll("#filters select"));

  function percent(v) { return v === null ? "–" : number(100 * v, 1) + "\u202f%"; }
  function number(v, digits) { return v === null ? "–" : v.toFixed(digits).replace("-", "−"); }
  function add(parent, tag, text, name) {
    var child = document.createElement(tag);
    child.textContent = text;
    if (name) child.className = name;
    return parent.appendChild(child);
  }
  function named(row, text, small) {
    var cell = add(row, "td", text, "named");
    cell.dir = "auto";
    if (small) add(cell, "small", small.length > 90 ? small.slice(0, 89) + "…" : small).title = small;
    return cell;
  }
  function spark(cell, growth) {
    var svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), step = 96 / Math.max(growth.length - 1, 1);
    var path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", Array.prototype.map.call(growth, function (c, i) {
      return (i ? "L" : "M") + (i * step).toFixed(1) + " " + (22 - 20 * DIGITS.indexOf(c) / 61).toFixed(1);
    }).join(""));
    svg.setAttribute("viewBox", "0 0 96 24");
    svg.setAttribute("class", "spark");
    svg.setAttribute("aria-hidden", "true");
    svg.appendChild(path);
    cell.appendChild(svg);
  }
  function draw(run) {
    var row = document.createElement("tr"), head = document.createElement("th"), day = run.created.slice(0, 10);
    head.scope = "row";
    row.appendChild(head);
    if (run.folder) add(head, "a", day).href = encodeURIComponent(run.folder) + "/" + data.sheet;
    else { head.textContent = day; add(head, "small", "folder gone"); }
    var model = named(row, run.predictor, run.predictor_parameters);
    if (!run.passed) add(model, "small", "looks ahead", "no");
    named(row, run.symbol, run.first.slice(0, 10) + " to " + run.last.slice(0, 10));
    named(row, run.strategy, run.strategy_parameters);
    named(row, run.conclusion || "–", run.placebo === null ? "" : "placebo p = " + run.placebo.toFixed(3));
    spark(add(row, "td", ""), run.growth);
    var sharpe = add(row, "td", number(run.sharpe, 2));
    add(sharpe, "small", "holding " + number(run.holding, 2));
    sharpe.dataset.label = "Sharpe";
    add(row, "td", percent(run.cagr)).dataset.label = "CAGR";
    add(row, "td", percent(run.max_drawdown)).dataset.label = "Drawdown";
    return row;
  }
  function render() {
    var wanted = runs.filter(function (run) {
      return filters.every(function (f) { return !f.value || run[f.name] === f.value; });
    });
    wanted.sort(function (a, b) {
      var x = a[key], y = b[key];
      if (x === null || y === null) return (x === null) - (y === null) || b.id - a.id;
      return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1) || b.id - a.id;
    });
    var rows = document.createDocumentFragment();
    wanted.slice(0, shown).forEach(function (run) { rows.appendChild(draw(run)); });
    body.textContent = "";
    body.appendChild(rows);
    more.hidden = wanted.length <= shown;
    count.textContent = wanted.length.toLocaleString("en") + " of " + runs.length.toLocaleString("en") + " runs";
  }
  filters.forEach(function (f) {
    Array.from(new Set(runs.map(function (run) { return run[f.name]; }))).filter(Boolean).sort().forEach(function (value) {
      add(f, "option", value).value = value;
    });
    f.addEventListener("change", function () { shown = AT_ONCE; render(); });
  });
  more.addEventListener("click", function () { shown += 10 * AT_ONCE; render(); });
  Array.prototype.forEach.call(table.tHead.rows[0].cells, function (head) {
    if (!head.dataset.key) return;
    var button = document.createElement("button");
    button.type = "button";
    while (head.firstChild) button.appendChild(head.firstChild);
    head.appendChild(button);
    button.addEventListener("click", function () {
      down = key === head.dataset.key ? !down : true;
      key = head.dataset.key;
      Array.prototype.forEach.call(table.tHead.rows[0].cells, function (cell) { cell.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      render();
    });
  });
  document.getElementById("filters").hidden = false;
  render();
})();
