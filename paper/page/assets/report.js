"use strict";
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);

  // ---- charts ----
  const FONT = { family: "system-ui, 'DejaVu Sans', Arial, sans-serif", size: 12, color: "#1b1b1b" };
  const CONFIG = { responsive: true, displaylogo: false, displayModeBar: false };
  const AXIS = { gridcolor: "#dcdcdc", linecolor: "#6b6b6b", zerolinecolor: "#b5b5b5", ticks: "outside" };
  const LEGEND_ROW_PX = 21;
  const LETTER_PX = 6.6;

  // A legend stands below its chart, which grows by the height that the legend will need.
  function legendRows(traces, width) {
    const names = traces.filter((trace) => trace.type !== "heatmap" && trace.showlegend !== false).map((trace) => trace.name || "");
    if (names.length < 2) return 0;
    const entry = Math.max(...names.map((name) => 50 + LETTER_PX * name.length));
    return Math.ceil(names.length / Math.max(1, Math.floor((width - 20) / entry)));
  }

  // On a narrow window long names of rows are broken in two, so that what stands in the rows keeps some room.
  const NARROW_PX = 520;
  function broken(name) {
    const colon = String(name).indexOf(": ");
    if (colon > 0) return name.slice(0, colon + 1) + "<br>" + name.slice(colon + 2);
    const parts = String(name).split(", ");
    const half = Math.ceil(parts.length / 2);
    return parts.length < 2 ? name : parts.slice(0, half).join(", ") + ",<br>" + parts.slice(half).join(", ");
  }
  function narrowed(traces, width) {
    if (width >= NARROW_PX) return traces;
    const isInRows = (trace) => trace.type !== "heatmap" && trace.y.some((name) => typeof name === "string");
    return traces.map((trace) => (isInRows(trace) ? { ...trace, y: trace.y.map(broken) } : trace));
  }
  // The places of a layout that name such rows.
  function narrowedLayout(layout, width) {
    if (width >= NARROW_PX) return layout;
    const { categoryarray } = layout.yaxis;
    const named = (place) => (typeof place === "string" ? broken(place) : place);
    const shapes = layout.shapes.map((shape) => ({ ...shape, y0: named(shape.y0), y1: named(shape.y1) }));
    return { ...layout, shapes, yaxis: categoryarray ? { ...layout.yaxis, categoryarray: categoryarray.map(broken) } : layout.yaxis };
  }

  function axisOf(axis) { return { ...AXIS, ...axis, title: { standoff: 10, ...axis.title } }; }

  function draw(element, plot) {
    const rows = legendRows(plot.data, element.clientWidth);
    const title = plot.layout.title ? { title: { ...plot.layout.title, font: { size: 14 }, x: 0, xanchor: "left", y: 1, yanchor: "top", yref: "container", pad: { t: 8, l: 8 } } } : {};
    const height = plot.layout.height + rows * LEGEND_ROW_PX;
    const layout = {
      ...plot.layout, ...title, height, font: FONT, plot_bgcolor: "#fff", paper_bgcolor: "#fff",
      xaxis: axisOf(plot.layout.xaxis), yaxis: axisOf(plot.layout.yaxis),
      margin: { l: 66, r: 16, t: plot.layout.title ? 36 : 14, b: 56 + rows * LEGEND_ROW_PX }, barmode: plot.layout.barmode || "group",
      showlegend: rows > 0, hoverlabel: { align: "left", bgcolor: "#fff", font: { size: 11.5, color: FONT.color } },
      legend: { orientation: "h", traceorder: "normal", yref: "container", y: 0, yanchor: "bottom", x: 0, font: { size: 11 } },
    };
    const width = element.clientWidth;
    return Plotly.react(element, narrowed(plot.data, width), narrowedLayout(layout, width), CONFIG);
  }

  // Charts are drawn when they come near the window, so that a page of many opens at once.
  const waiting = Array.from(document.querySelectorAll("[data-plot]"));
  const drawPlot = (element) => draw(element, data.plots[Number(element.dataset.plot)]);
  if ("IntersectionObserver" in window) {
    const observer = new IntersectionObserver((entries) => {
      for (const entry of entries.filter((entry) => entry.isIntersecting)) {
        observer.unobserve(entry.target);
        drawPlot(entry.target);
      }
    }, { rootMargin: "800px" });
    waiting.forEach((element) => {
      element.style.minHeight = data.plots[Number(element.dataset.plot)].layout.height + "px";
      observer.observe(element);
    });
  } else {
    waiting.forEach(drawPlot);
  }
  window.addEventListener("beforeprint", () => waiting.forEach(drawPlot));

  // ---- tables ----
  function compare(left, right) {
    if (left === right) return 0;
    if (left === "") return null; // nothing there: last in both directions
    if (right === "") return null;
    const numbers = [Number(left), Number(right)];
    if (!numbers.some(Number.isNaN)) return numbers[0] - numbers[1];
    if (!Number.isNaN(numbers[0])) return -1;
    if (!Number.isNaN(numbers[1])) return 1;
    return left < right ? -1 : 1;
  }

  function sortBy(table, column, direction) {
    const rows = Array.from(table.tBodies[0].rows);
    const key = (row) => row.cells[column].dataset.key;
    rows.sort((one, other) => {
      const order = compare(key(one), key(other));
      return order === null ? (key(one) === "" ? 1 : -1) : direction * order;
    });
    table.tBodies[0].append(...rows);
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    const headings = Array.from(table.tHead.rows[0].cells);
    headings.forEach((heading, column) => heading.querySelector("button").addEventListener("click", () => {
      const isAscending = heading.getAttribute("aria-sort") !== "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", isAscending ? "ascending" : "descending");
      sortBy(table, column, isAscending ? 1 : -1);
    }));
  }

  // ---- explorer ----
  const { measured, predicted, labels } = data;
  const choices = document.getElementById("choices");
  const NAMES = ["setting", "batch", "prompt", "length", "decoder"];
  const controls = Object.fromEntries(NAMES.map((name) => [name, choices.querySelector("[name=" + name + "]")]));
  const stepsWords = (steps) => steps + " steps";
  const [LLAMA, LLADA] = [labels.autoregressive, labels.diffusion];

  function leading(text) { const number = parseFloat(text); return Number.isNaN(number) ? Infinity : number; }
  function inOrder(values) {
    return Array.from(new Set(values.map(String))).sort((one, other) => leading(one) - leading(other) || (one < other ? -1 : 1));
  }

  // What a control offers, given those before it: measured and predicted values.
  function offered(name, chosen) {
    if (name === "setting") return Array.from(new Set([...measured.map((entry) => entry.setting), predicted.setting]));
    const isPredicted = chosen.setting === predicted.setting;
    const own = measured.filter((entry) => entry.setting === chosen.setting);
    if (name !== "decoder") {
      return inOrder([...own, ...(isPredicted ? predicted.places : [])].map((entry) => entry[name]));
    }
    const steps = isPredicted ? predicted.steps.filter((steps) => steps <= Number(chosen.length)).map(stepsWords) : [];
    return inOrder([...own.filter((entry) => String(entry.length) === chosen.length).map((entry) => entry.decoder), ...steps]);
  }

  function fill(name, chosen, wanted) {
    const values = offered(name, chosen);
    const value = values.includes(wanted) ? wanted : values[0];
    controls[name].replaceChildren(...values.map((text) => new Option(text, text, text === value, text === value)));
    return value;
  }

  function isAt(entry, chosen, names) { return names.every((name) => String(entry[name]) === chosen[name]); }

  function digits(value) { return value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3; }
  function withInterval([value, low, high]) {
    const places = digits(value);
    const text = value.toFixed(places);
    return low === null ? text : text + " [" + low.toFixed(places) + ", " + (high === null ? "unbounded" : high.toFixed(places)) + "]";
  }
  function turned([value, low, high]) { return [1 / value, high === null ? (low === null ? null : 0) : 1 / high, low ? 1 / low : null]; }
  function time(milliseconds) {
    return milliseconds >= 10000 ? (milliseconds / 1000).toFixed(1) + " s" : milliseconds.toFixed(digits(milliseconds)) + " ms";
  }

  // ratio: LLaDA's time over LLaMA's with its bounds. The faster model, and how many times as fast it is.
  function verdict(ratio, isOpen) {
    const isFaster = ratio[0] < 1;
    const [faster, slower] = isFaster ? [LLADA, LLAMA] : [LLAMA, LLADA];
    const times = withInterval(isFaster ? turned(ratio) : ratio);
    if (isOpen) return (ratio[1] === null ? "Of fewer than two common rounds, so it cannot be said which is faster: " : "Too near to say which is faster: ") +
      LLADA + " takes " + withInterval(ratio) + " times " + LLAMA + "'s time.";
    return faster + " is faster: " + times + " times as fast as " + slower + ".";
  }

  function predictionAt(chosen) {
    const steps = /^\d+ steps$/.test(chosen.decoder) ? parseInt(chosen.decoder, 10) : null;
    if (steps === null || chosen.setting !== predicted.setting) return null;
    const place = predicted.places.find((entry) => isAt(entry, chosen, ["batch", "prompt", "length"]));
    return place ? ratioOf(place, steps) : null;
  }
  function ratioOf(place, steps) {
    const [whole, step] = place.milliseconds;
    const value = steps * step / whole;
    const band = predicted.band;
    return { ratio: [value, band && value * band.least, band && value * band.most], milliseconds: [whole, steps * step] };
  }

  function answerLines(chosen) {
    const found = measured.find((entry) => isAt(entry, chosen, NAMES));
    const guess = predictionAt(chosen);
    const lines = [];
    if (found) {
      lines.push(verdict(found.ratio, found.is_open));
      lines.push("Measured" + (found.is_extrapolated ? ", extrapolated from a part of the calls" : "") + ": an answer takes " + LLAMA + " " +
        time(found.milliseconds[0]) + " and " + LLADA + " " + time(found.milliseconds[1]) + "; " + LLADA + "'s time over " + LLAMA + "'s is " +
        withInterval(found.ratio) + (found.ratio[1] === null ? " (fewer than two common rounds: no interval)" : "") + ".");
      if (guess) lines.push("The cost model says " + withInterval([guess.ratio[0], null, null]) + " times (" + predicted.words + ").");
    } else if (guess) {
      const [, low, high] = guess.ratio;
      lines.push("Predicted. " + verdict(guess.ratio, low !== null && low <= 1 && 1 <= high));
      lines.push("Not measured here. The cost model gives " + LLAMA + " " + time(guess.milliseconds[0]) + " and " + LLADA + " " +
        time(guess.milliseconds[1]) + " (" + predicted.words + "): " + LLADA + "'s time over " + LLAMA + "'s is " + withInterval(guess.ratio) +
        (predicted.band ? "; the interval is " + predicted.band.words : "; there is no interval, since this study did not test the cost model") + ".");
    } else {
      lines.push("Neither measured nor predicted here.");
      const near = measured.filter((entry) => isAt(entry, chosen, ["setting", "decoder"]));
      const places = near.map((entry) => "batch " + entry.batch + ", prompt: " + entry.prompt + ", " + entry.length + " tokens");
      if (places.length) lines.push(chosen.decoder + " was measured at: " + inOrder(places).join("; ") + ".");
    }
    return lines;
  }

  function ratioPlot(chosen) {
    const names = ["setting", "batch", "prompt", "length"];
    const at = measured.filter((entry) => isAt(entry, chosen, names) && entry.steps !== null).sort((one, other) => one.steps - other.steps);
    const decoders = measured.filter((entry) => isAt(entry, chosen, [...names, "decoder"]) && entry.steps === null);
    const place = chosen.setting === predicted.setting ? predicted.places.find((entry) => isAt(entry, chosen, names.slice(1))) : undefined;
    const traces = [];
    if (place) {
      const steps = predicted.steps.filter((steps) => steps <= place.length);
      const guesses = steps.map((steps) => ratioOf(place, steps).ratio);
      const hover = guesses.map((ratio, number) => "<b>predicted</b>, " + steps[number] + " steps<br>" + withInterval(ratio));
      const common = { type: "scatter", x: steps, mode: "lines", hoverinfo: "skip", line: { color: "#6b6b6b", width: 0 } };
      if (predicted.band) {
        traces.push({ ...common, y: guesses.map((ratio) => ratio[1]), showlegend: false, name: "" });
        traces.push({ ...common, y: guesses.map((ratio) => ratio[2]), fill: "tonexty", fillcolor: "rgba(107,107,107,0.2)", name: "how far the cost model was off" });
      }
      traces.push({ type: "scatter", mode: "lines", name: "predicted", x: steps, y: guesses.map((ratio) => ratio[0]), hovertext: hover, hoverinfo: "text", line: { color: "#6b6b6b", dash: "dash" } });
    }
    const points = (entries, name, symbol, color) => traces.push({
      type: "scatter", mode: "markers", name, x: entries.map((entry) => entry.steps || Number(chosen.length)), y: entries.map((entry) => entry.ratio[0]),
      error_y: { type: "data", symmetric: false, array: entries.map((entry) => entry.ratio[2] === null ? null : entry.ratio[2] - entry.ratio[0]),
        arrayminus: entries.map((entry) => entry.ratio[1] === null ? null : entry.ratio[0] - entry.ratio[1]) },
      marker: { symbol, color, size: 9 }, hoverinfo: "text",
      hovertext: entries.map((entry) => "<b>measured</b>, " + entry.decoder + "<br>" + withInterval(entry.ratio)),
    });
    if (at.length) points(at, "measured", "circle", "#0173b2");
    if (decoders.length) points(decoders, chosen.decoder + " (measured; drawn at a step a token)", "diamond", "#d55e00");
    const element = document.getElementById("ratio-plot");
    element.hidden = traces.length === 0;
    if (element.hidden) return;
    const steps = traces.flatMap((trace) => trace.x);
    draw(element, { data: traces, layout: {
      height: 300, annotations: [],
      shapes: [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: 1, y1: 1, line: { color: "#1b1b1b", width: 1 } }],
      xaxis: { title: { text: "denoising steps" }, type: "log", tickvals: Array.from(new Set(steps)), ticktext: Array.from(new Set(steps)).map(String), automargin: true },
      yaxis: { title: { text: LLADA + "'s time over " + LLAMA + "'s" }, type: "log", dtick: "D2", tickformat: "~r", automargin: true },
    } });
  }

  function update(wanted) {
    const chosen = {};
    for (const name of NAMES) chosen[name] = fill(name, chosen, wanted[name]);
    document.getElementById("answer").replaceChildren(...answerLines(chosen).map((text) => {
      const line = document.createElement("p");
      line.textContent = text;
      return line;
    }));
    ratioPlot(chosen);
  }
  function current() { return Object.fromEntries(NAMES.map((name) => [name, controls[name].value])); }

  choices.addEventListener("change", () => update(current()));
  choices.addEventListener("submit", (event) => event.preventDefault());
  const first = measured.find((entry) => entry.steps === 32) || measured[0];
  update(first ? Object.fromEntries(NAMES.map((name) => [name, String(first[name])])) : {});
  document.documentElement.dataset.ready = "yes";
})();
