// What the charts of a page share: colours, dates, keys, range buttons, and one crosshair for all of them.
var Charts = (function () {
  "use strict";
  var LWC = window.LightweightCharts, joined = [];

  function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim(); }
  function iso(time, daily) {
    var text = new Date(time * 1000).toISOString();
    return daily ? text.slice(0, 10) : text.slice(0, 16).replace("T", " ");
  }
  function signed(v, digits) { return (v < 0 ? "−" : "+") + Math.abs(v).toFixed(digits) + "\u202f%"; }

  // Values from their differences in whole numbers of `unit`.
  function sums(differences, unit) {
    var total = 0;
    return differences.map(function (d) { total += d; return total * unit; });
  }

  function make(box, daily) {
    return LWC.createChart(box, {
      autoSize: true,
      layout: { attributionLogo: false, fontSize: 12 },
      localization: { locale: "en", timeFormatter: function (time) { return iso(time, daily); } },
      crosshair: { mode: 0 },
      timeScale: { timeVisible: !daily, secondsVisible: false, minBarSpacing: 0.02, rightOffset: 2, lockVisibleTimeRangeOnResize: true },
      handleScroll: { mouseWheel: false, vertTouchDrag: false },
      handleScale: { mouseWheel: false }
    });
  }

  // Where all n bars of a chart begin, so that the label of the first date has room.
  function start(box, n) { return -1 - n * 18 / Math.max(box.clientWidth, 200); }

  // Paints a chart in the page's colours, now and whenever these change; `rest` paints its series.
  function theme(chart, rest) {
    function paint() {
      var muted = colour("muted"), edge = colour("line");
      chart.applyOptions({
        layout: { background: { color: colour("ground") }, textColor: muted, fontFamily: getComputedStyle(document.body).fontFamily,
          panes: { separatorColor: edge, separatorHoverColor: edge } },
        grid: { vertLines: { color: edge }, horzLines: { color: edge } },
        crosshair: { vertLine: { color: muted, labelBackgroundColor: muted }, horzLine: { color: muted, labelBackgroundColor: muted } },
        rightPriceScale: { borderColor: edge }, timeScale: { borderColor: edge }
      });
      rest();
    }
    paint();
    document.addEventListener("theme", paint);
  }

  // Arrow keys move the crosshair by a bar, and the chart with it; the wheel scrolls the page until the chart is chosen.
  function control(box, chart, n, point) {
    var at = n - 1;
    function show(from, to) { chart.timeScale().setVisibleLogicalRange({ from: from, to: to }); }
    function wheel(on) { chart.applyOptions({ handleScale: { mouseWheel: on } }); }
    box.addEventListener("pointerdown", function () { box.focus({ preventScroll: true }); });
    box.addEventListener("focus", function () { wheel(true); });
    box.addEventListener("blur", function () { wheel(false); chart.clearCrosshairPosition(); });
    box.addEventListener("keydown", function (event) {
      var range = chart.timeScale().getVisibleLogicalRange();
      if (!range || event.ctrlKey || event.metaKey || event.altKey) return;
      var size = range.to - range.from, middle = (range.from + range.to) / 2;
      function move(step) {
        at = Math.max(0, Math.min(n - 1, at + step));
        if (at < range.from) show(at - 1, at - 1 + size);
        if (at > range.to) show(at + 1 - size, at + 1);
        point(at);
      }
      if (event.key === "ArrowLeft") move(event.shiftKey ? -Math.ceil(size / 10) : -1);
      else if (event.key === "ArrowRight") move(event.shiftKey ? Math.ceil(size / 10) : 1);
      else if (event.key === "+" || event.key === "=") show(middle - size / 3, middle + size / 3);
      else if (event.key === "-") show(middle - size * 0.75, middle + size * 0.75);
      else if (event.key === "Home") { show(-1, size - 1); at = 0; point(at); }
      else if (event.key === "End") { show(n + 1 - size, n + 1); at = n - 1; point(at); }
      else if (event.key === "Escape") { box.blur(); return; }
      else return;
      event.preventDefault();
    });
    return show;
  }

  // Buttons that show the last years; what is dragged or zoomed to by hand is the choice of none of them.
  function ranges(root, chart, n, yearly, show) {
    var buttons = root.querySelectorAll("button[data-years]"), chosen = null, byHand = false;
    function press(button) {
      buttons.forEach(function (other) { other.setAttribute("aria-pressed", String(other === button)); });
    }
    function choose(button) {
      var years = Number(button.dataset.years);
      show(Math.max(start(chart.chartElement(), n), years ? n - Math.round(years * yearly) : -n), n + 1);
      press(button);
      byHand = false;
      chosen = chart.timeScale().getVisibleLogicalRange();
    }
    buttons.forEach(function (button) { button.addEventListener("click", function () { choose(button); }); });
    chart.timeScale().subscribeVisibleLogicalRangeChange(function (range) {
      if (!range || !chosen || !byHand) return;
      var size = chosen.to - chosen.from;
      if (Math.abs(range.from - chosen.from) + Math.abs(range.to - chosen.to) > 0.02 * size) { chosen = null; press(null); }
    });
    ["pointerdown", "wheel", "keydown"].forEach(function (name) {
      chart.chartElement().addEventListener(name, function () { byHand = true; }, { passive: true });
    });
    return choose;
  }

  // A crosshair moved by hand in one chart is moved in all others to the same time; `say` writes the readout of a bar.
  function join(chart, series, times, value, say) {
    var place = {};
    times.forEach(function (time, i) { place[time] = i; });
    var own = {
      at: function (time) {
        var i = place[time];
        if (i === undefined) { chart.clearCrosshairPosition(); return; }
        chart.setCrosshairPosition(value(i), time, series);
        say(i);
      },
      clear: function () { chart.clearCrosshairPosition(); say(times.length - 1); }
    };
    joined.push(own);
    function others(call) { joined.forEach(function (other) { if (other !== own) call(other); }); }
    chart.subscribeCrosshairMove(function (event) {
      if (!event.sourceEvent) return;
      var i = event.logical === undefined || event.logical === null ? -1 : Math.round(event.logical);
      if (i < 0 || i >= times.length) { say(times.length - 1); others(function (other) { other.clear(); }); return; }
      say(i);
      others(function (other) { other.at(times[i]); });
    });
    return function (i) { own.at(times[i]); others(function (other) { other.at(times[i]); }); };
  }

  // The parts of a readout: [name, value] pairs.
  function write(readout, parts) {
    readout.textContent = "";
    parts.forEach(function (part) {
      var pair = document.createElement("span"), b = document.createElement("b");
      b.textContent = part[1];
      pair.append(part[0] + " ", b);
      readout.append(pair, " ");
    });
  }

  return { colour: colour, iso: iso, signed: signed, sums: sums, make: make, start: start, theme: theme, control: control, ranges: ranges,
    join: join, write: write };
})();
