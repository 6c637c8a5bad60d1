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
  function signed(v) { return (v < 0 ? "−" : "+") + Math.abs(v).toFixed(2) + " %"; }
  function date(time) {
    var iso = new Date(time * 1000).toISOString();
    return daily ? iso.slice(0, 10) : iso.slice(0, 16).replace("T", " ");
  }
  var chart = LWC.createChart(box, {
    autoSize: true,
    layout: { attributionLogo: false, fontSize: 12 },
    localization: { locale: "en", timeFormatter: date },
    crosshair: { mode: 0 },
    timeScale: { timeVisible: !daily, secondsVisible: false, minBarSpacing: 0.02, rightOffset: 2 },
    handleScroll: { mouseWheel: false, vertTouchDrag: false },
    handleScale: { mouseWheel: false }
  });
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

  function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim(); }
  function paint() {
    var muted = colour("muted"), edge = colour("line"), up = colour("up"), down = colour("down"), accent = colour("accent");
    chart.applyOptions({
      layout: { background: { color: colour("ground") }, textColor: muted, fontFamily: getComputedStyle(document.body).fontFamily,
        panes: { separatorColor: edge, separatorHoverColor: edge } },
      grid: { vertLines: { color: edge }, horzLines: { color: edge } },
      crosshair: { vertLine: { color: muted, labelBackgroundColor: muted }, horzLine: { color: muted, labelBackgroundColor: muted } },
      rightPriceScale: { borderColor: edge }, timeScale: { borderColor: edge }
    });
    candles.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: false });
    forecast.applyOptions({ color: colour("hold") });
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
    var long = colour("accent"), short = colour("down"), out = colour("muted");
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
    var bar = bars[i], parts = [["", date(bar.time)], ["open", price(bar.open)], ["high", price(bar.high)],
      ["low", price(bar.low)], ["close", price(bar.close)]];
    if (expected[i] !== undefined) parts.push(["forecast", price(expected[i])], ["error", signed(error[i])]);
    readout.textContent = "";
    parts.forEach(function (part) {
      var pair = document.createElement("span"), b = document.createElement("b");
      b.textContent = part[1];
      pair.append(part[0] + " ", b);
      readout.append(pair, " ");
    });
  }
  say(n - 1);
  chart.subscribeCrosshairMove(function (event) {
    var i = event.logical === undefined || event.logical === null ? n - 1 : Math.round(event.logical);
    say(Math.max(0, Math.min(n - 1, i)));
  });

  function show(from, to) { chart.timeScale().setVisibleLogicalRange({ from: from, to: to }); }
  var buttons = root.querySelectorAll("button[data-years]");
  function choose(button) {
    var years = Number(button.dataset.years), last = n + 1;
    show(years ? Math.max(-1, n - Math.round(years * data.year)) : -1, last);
    buttons.forEach(function (other) { other.setAttribute("aria-pressed", String(other === button)); });
  }
  buttons.forEach(function (button) { button.addEventListener("click", function () { choose(button); }); });
  var log = document.getElementById("price-log");
  log.addEventListener("click", function () {
    var on = log.getAttribute("aria-pressed") !== "true";
    log.setAttribute("aria-pressed", String(on));
    candles.priceScale().applyOptions({ mode: on ? 1 : 0 });
  });

  // The wheel scrolls the page until the chart has been clicked or tabbed to.
  function wheel(on) { chart.applyOptions({ handleScale: { mouseWheel: on } }); }
  box.addEventListener("pointerdown", function () { box.focus({ preventScroll: true }); });
  box.addEventListener("focus", function () { wheel(true); });
  box.addEventListener("blur", function () { wheel(false); });
  box.addEventListener("keydown", function (event) {
    var range = chart.timeScale().getVisibleLogicalRange();
    if (!range || event.ctrlKey || event.metaKey || event.altKey) return;
    var size = range.to - range.from, middle = (range.from + range.to) / 2;
    if (event.key === "ArrowLeft") show(range.from - size / 10, range.to - size / 10);
    else if (event.key === "ArrowRight") show(range.from + size / 10, range.to + size / 10);
    else if (event.key === "+" || event.key === "=") show(middle - size / 3, middle + size / 3);
    else if (event.key === "-") show(middle - size * 0.75, middle + size * 0.75);
    else if (event.key === "Home") show(-1, size - 1);
    else if (event.key === "End") show(n + 1 - size, n + 1);
    else if (event.key === "Escape") { box.blur(); return; }
    else return;
    event.preventDefault();
  });

  paint();
  choose(root.querySelector("button[data-years='1']"));
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
})();
