// The interactive price chart: candles, forecasts, positions and trades above, forecast errors below.
(function () {
  "use strict";
  var LWC = window.LightweightCharts, root = document.getElementById("price-root");
  if (!LWC || !root) return;
  var data = JSON.parse(document.getElementById("price-data").textContent);
  var box = document.getElementById("price-chart"), readout = document.getElementById("price-readout");
  var n = data.t.length, scale = Math.pow(10, data.digits), daily = data.unit === 86400;
  var bars = [], line = [], errors = [], held = [], fits = [], expected = new Array(n), error = new Array(n);

  (function unpack() {
    var t = 0, c = 0, side = 0, k = 0, fit = {};
    data.r.forEach(function (i) { fit[i] = true; });
    for (var i = 0; i < n; i++) {
      var before = c / scale;
      t += data.t[i]; c += data.c[i];
      while (k < data.p.length && data.p[k][0] === i) side = data.p[k++][1];
      var time = t * data.unit, f = data.f[i - 1 - data.first];
      bars.push({ time: time, open: (c + data.o[i]) / scale, high: (c + data.h[i]) / scale,
        low: (c + data.l[i]) / scale, close: c / scale });
      if (f === undefined) { line.push({ time: time }); errors.push({ time: time }); }
      else {
        expected[i] = before * Math.exp(f / 1e6);
        error[i] = 100 * (c / scale / expected[i] - 1);
        line.push({ time: time, value: expected[i] });
        errors.push({ time: time, value: error[i] });
      }
      held.push(side ? { time: time, value: 1, side: side } : { time: time });
      if (fit[i]) fits.push({ time: time, value: 1 });
    }
  })();

  root.classList.add("live");
  var pane = { lastValueVisible: false, priceLineVisible: false };
  function price(v) { return v.toLocaleString("en", { minimumFractionDigits: data.digits, maximumFractionDigits: data.digits }); }
  function signed(v) { return Charts.signed(v, 2); }
  var chart = Charts.make(box, daily);
  var candles = chart.addSeries(LWC.CandlestickSeries, Object.assign({
    priceFormat: { type: "price", precision: data.digits, minMove: 1 / scale } }, pane), 0);
  var forecast = chart.addSeries(LWC.LineSeries, Object.assign({ lineWidth: 1, crosshairMarkerVisible: false }, pane), 0);
  var strip = chart.addSeries(LWC.HistogramSeries, Object.assign({ priceScaleId: "held" }, pane), 0);
  var refit = chart.addSeries(LWC.HistogramSeries, Object.assign({ priceScaleId: "fits" }, pane), 0);
  var miss = chart.addSeries(LWC.HistogramSeries, Object.assign({
    priceFormat: { type: "custom", minMove: 0.01, formatter: signed } }, pane), 1);
  chart.priceScale("held").applyOptions({ scaleMargins: { top: 0.975, bottom: 0 } });
  chart.priceScale("fits").applyOptions({ scaleMargins: { top: 0.93, bottom: 0.035 } });
  candles.priceScale().applyOptions({ scaleMargins: { top: 0.06, bottom: 0.1 } });
  candles.setData(bars);
  forecast.setData(line);
  refit.setData(fits);
  miss.setData(errors);
  miss.priceScale().applyOptions({ scaleMargins: { top: 0.2, bottom: 0.15 } });
  chart.panes()[0].setStretchFactor(4);
  chart.panes()[1].setStretchFactor(1);
  var markers = LWC.createSeriesMarkers(candles, []);

  function paint() {
    var muted = Charts.colour("muted"), up = Charts.colour("up"), down = Charts.colour("down"), accent = Charts.colour("accent");
    candles.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: false });
    forecast.applyOptions({ color: Charts.colour("hold") });
    refit.applyOptions({ color: muted });
    miss.applyOptions({ color: muted });
    strip.setData(held.map(function (h) { return h.side ? { time: h.time, value: 1, color: h.side > 0 ? accent : down } : h; }));
    mark();
  }

  // Arrows only where they have room; the strip shows every position at any zoom.
  function mark() {
    var range = chart.timeScale().getVisibleLogicalRange();
    var seen = range ? data.m.filter(function (m) { return m[0] >= range.from && m[0] <= range.to; }) : [];
    var many = seen.length > box.clientWidth / 9;
    root.classList.toggle("crowded", many);
    var long = Charts.colour("accent"), short = Charts.colour("down"), out = Charts.colour("muted");
    markers.setMarkers(many ? [] : seen.map(function (m) {
      return { time: bars[m[0]].time, position: m[1] > 0 ? "belowBar" : "aboveBar", size: 1,
        shape: m[1] > 0 ? "arrowUp" : m[1] < 0 ? "arrowDown" : "circle", color: m[1] > 0 ? long : m[1] < 0 ? short : out };
    }));
  }
  var waiting = false;
  chart.timeScale().subscribeVisibleLogicalRangeChange(function () {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(function () { waiting = false; mark(); });
  });

  function say(i) {
    var bar = bars[i], parts = [["", Charts.iso(bar.time, daily)], ["open", price(bar.open)], ["high", price(bar.high)],
      ["low", price(bar.low)], ["close", price(bar.close)]];
    if (expected[i] !== undefined) parts.push(["forecast", price(expected[i])], ["error", signed(error[i])]);
    Charts.write(readout, parts);
  }
  say(n - 1);
  var times = bars.map(function (bar) { return bar.time; });
  var point = Charts.join(chart, candles, times, function (i) { return bars[i].close; }, say);
  var show = Charts.control(box, chart, n, point), choose = Charts.ranges(root, chart, n, data.year, show);

  var log = document.getElementById("price-log");
  log.addEventListener("click", function () {
    var on = log.getAttribute("aria-pressed") !== "true";
    log.setAttribute("aria-pressed", String(on));
    candles.priceScale().applyOptions({ mode: on ? 1 : 0 });
  });

  Charts.theme(chart, paint);
  choose(root.querySelector("button[data-years='1']"));

  // From a row of the table of trades to its bars.
  document.querySelectorAll("#trades tr[data-bar]").forEach(function (row) {
    var button = document.createElement("button"), cell = row.cells[0];
    button.type = "button";
    button.className = "jump";
    button.textContent = cell.textContent;
    cell.replaceChildren(button);
    button.addEventListener("click", function () {
      var first = Number(row.dataset.bar), last = Number(row.dataset.last), room = Math.max(20, last - first);
      document.querySelector("#price > details").open = true;
      document.getElementById("price").scrollIntoView();
      requestAnimationFrame(function () { show(first - room, last + room); point(first); box.focus({ preventScroll: true }); });
    });
  });
})();
