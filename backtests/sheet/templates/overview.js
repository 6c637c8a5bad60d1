// The first chart: growth of the account and of holding, how far each is below its peak, and the exposure.
(function () {
  "use strict";
  var LWC = window.LightweightCharts, root = document.getElementById("overview-root");
  if (!LWC || !root) return;
  var data = JSON.parse(document.getElementById("overview-data").textContent), daily = data.unit === 86400;
  var box = document.getElementById("overview-chart"), readout = document.getElementById("overview-readout");
  var times = Charts.sums(data.t, data.unit), ours = Charts.sums(data.s, 1e-4), held = Charts.sums(data.h, 1e-4);
  var long = data.l && Charts.sums(data.l, 0.1), short = data.k && Charts.sums(data.k, 0.1), n = times.length;

  function below(growth) {
    var peak = -Infinity;
    return growth.map(function (g) { peak = Math.max(peak, g); return 100 * (g / peak - 1); });
  }
  function points(values) { return values.map(function (v, i) { return { time: times[i], value: v }; }); }
  function multiple(v) { return v.toFixed(v < 10 ? 2 : v < 100 ? 1 : 0) + " ×"; }
  function percent(v) { return (v < 0 ? "−" : "") + Math.abs(v).toFixed(0) + "\u202f%"; }

  root.classList.add("live");
  var chart = Charts.make(box, daily), loss = below(ours), heldLoss = below(held);
  function line(type, values, pane, format, options) {
    var series = chart.addSeries(type, Object.assign({ lineWidth: pane ? 1 : 2, lastValueVisible: false, priceLineVisible: false,
      crosshairMarkerVisible: !pane, priceFormat: { type: "custom", minMove: 0.01, formatter: format } }, options), pane);
    series.setData(points(values));
    return series;
  }
  var area = { lineType: 1, lineVisible: false };
  var hold = line(LWC.LineSeries, held, 0, multiple), growth = line(LWC.LineSeries, ours, 0, multiple);
  var holdDown = line(LWC.LineSeries, heldLoss, 1, percent), down = line(LWC.BaselineSeries, loss, 1, percent);
  var longs = line(LWC.BaselineSeries, long || ours.map(function () { return 0; }), 2, percent, area);
  var shorts = short && line(LWC.BaselineSeries, short, 2, percent, area);
  growth.priceScale().applyOptions({ mode: 1, scaleMargins: { top: 0.08, bottom: 0.06 } });
  down.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0.08 } });
  longs.priceScale().applyOptions({ scaleMargins: { top: 0.12, bottom: 0.05 } });
  [5, 2, 1.4].forEach(function (share, pane) { chart.panes()[pane].setStretchFactor(share); });

  function fade(colour, share) { return colour + Math.round(255 * share).toString(16).padStart(2, "0"); }
  function fill(series, colour, share) {
    var soft = fade(colour, share);
    series.applyOptions({ topLineColor: colour, bottomLineColor: colour, topFillColor1: soft, topFillColor2: soft,
      bottomFillColor1: soft, bottomFillColor2: soft });
  }
  Charts.theme(chart, function () {
    var accent = Charts.colour("accent"), other = Charts.colour("hold");
    growth.applyOptions({ color: accent });
    hold.applyOptions({ color: other });
    holdDown.applyOptions({ color: other });
    fill(down, accent, 0.16);
    fill(longs, accent, 0.45);
    if (shorts) fill(shorts, Charts.colour("bad"), 0.45);
  });

  function say(i) {
    var parts = [["", Charts.iso(times[i], daily)], ["strategy", multiple(ours[i])], ["holding", multiple(held[i])],
      ["below peak", percent(loss[i])], ["holding", percent(heldLoss[i])]];
    parts.push([short ? "long" : "exposure", percent(long ? long[i] : 0)]);
    if (short) parts.push(["short", percent(short[i])]);
    Charts.write(readout, parts);
  }
  say(n - 1);
  var point = Charts.join(chart, growth, times, function (i) { return ours[i]; }, say);
  var show = Charts.control(box, chart, n, point);
  show(Charts.start(box, n), n + 1);
})();
