"use strict";
// Draws one figure's panels as SVG from the same numbers that its CSV holds. Text only ever enters through
// textContent and attributes, so nothing in a table of runs can become markup.

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { left: 58, right: 12, bottom: 44 };
const dark = window.matchMedia("(prefers-color-scheme: dark)");

function element(name, attributes, parent, namespace) {
  const node = namespace === null ? document.createElement(name) : document.createElementNS(namespace || SVG, name);
  for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
  if (parent) parent.appendChild(node);
  return node;
}

const html = (name, attributes, parent) => element(name, attributes, parent, null);

function mix(stops, fraction) {
  const place = Math.min(Math.max(fraction, 0), 1) * (stops.length - 1);
  const low = Math.min(Math.floor(place), stops.length - 2);
  const part = (stop, i) => parseInt(stop.slice(1 + 2 * i, 3 + 2 * i), 16);
  const mixed = [0, 1, 2].map((i) => Math.round(part(stops[low], i) * (1 - place + low) + part(stops[low + 1], i) * (place - low)));
  return "#" + mixed.map((v) => v.toString(16).padStart(2, "0")).join("");
}

function inkOn(colour) {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#000" : "#fff";
}

class Chart {
  constructor(host, drawing, runs, palette) {
    Object.assign(this, { host, drawing, runs, palette, hidden: new Set(), shown: null, spots: [] });
    this.tip = html("div", { class: "tip", role: "status", "aria-live": "polite", hidden: "" }, host);
    this.stage = html("div", { class: "stage" }, host);
    this.legend();
    this.draw();
    new ResizeObserver(() => this.host.clientWidth !== this.width && this.draw()).observe(host);
    dark.addEventListener("change", () => { this.scale(); this.draw(); });
  }

  stops() { return dark.matches ? this.palette.dark : this.palette.light; }

  colour(layer, i) {
    const fraction = layer.fraction && layer.fraction[i];
    return fraction === null || fraction === undefined ? `var(--${layer.role})` : mix(this.stops(), fraction);
  }

  legend() {
    const box = html("div", { class: "legend", role: "group", "aria-label": "layers" }, this.host);
    const seen = new Set();
    for (const layer of this.drawing.panels.flatMap((panel) => panel.layers)) {
      if (!layer.legend || !layer.x.length || seen.has(layer.name)) continue;
      seen.add(layer.name);
      const button = html("button", { type: "button", "aria-pressed": "true" }, box);
      const key = element("svg", { width: 26, height: 14, viewBox: "0 0 26 14", "aria-hidden": "true" }, button);
      this.key(layer, key);
      button.appendChild(document.createTextNode(layer.name));
      button.addEventListener("click", () => {
        const off = !this.hidden.delete(layer.name);
        if (off) this.hidden.add(layer.name);
        button.setAttribute("aria-pressed", String(!off));
        this.draw();
      });
    }
    this.bar = html("div", { class: "scale" }, this.host);
    this.scale();
  }

  key(layer, svg) {
    const colour = layer.fraction ? "var(--muted)" : `var(--${layer.role})`;
    if (layer.kind === "band") element("rect", { x: 2, y: 2, width: 22, height: 10, fill: colour, opacity: 0.3 }, svg);
    else if (layer.kind === "cells") element("rect", { x: 7, y: 1.5, width: 12, height: 11, fill: "none", stroke: "var(--law)", "stroke-width": 2 }, svg);
    else if (layer.kind === "line") element("line", { x1: 1, x2: 25, y1: 7, y2: 7, stroke: colour, "stroke-width": layer.mark === "thin" ? 1 : 2, "stroke-dasharray": layer.mark === "dashed" ? "5 3" : "none" }, svg);
    else if (layer.mark === "bar") element("line", { x1: 13, x2: 13, y1: 1, y2: 13, stroke: colour, "stroke-width": 2 }, svg);
    else this.marker(svg, layer.mark, 13, 7, colour);
  }

  scale() {
    const colours = this.drawing.colours;
    if (!colours) return;
    this.bar.replaceChildren();
    html("span", { class: "scale-label" }, this.bar).textContent = colours.label;
    const strip = html("span", { class: "strip" }, this.bar);
    strip.style.background = `linear-gradient(to right, ${this.stops().join(",")})`;
    let last = -1;
    for (const [place, text] of colours.ticks) {
      if (place - last < 0.14) continue;
      last = place;
      const tick = html("span", { class: "strip-tick" }, strip);
      tick.style.left = `${100 * place}%`;
      tick.textContent = text;
    }
  }

  draw() {
    this.width = this.host.clientWidth;
    if (!this.width) return;
    this.stage.replaceChildren();
    this.spots = [];
    this.hide();
    const count = this.drawing.panels.length;
    const columns = Math.min(count, this.width < 560 ? 1 : count > 4 && this.width > 800 ? 3 : count > 1 ? 2 : 1);
    const width = Math.floor(this.width / columns);
    this.stage.style.gridTemplateColumns = `repeat(${columns}, 1fr)`;
    for (const panel of this.drawing.panels) this.panel(panel, width, columns);
  }

  panel(panel, width, columns) {
    const rows = panel.y.ticks.length, top = panel.title ? 26 : 10;
    const cells = panel.x.categories;
    const height = cells ? top + MARGIN.bottom + Math.min(Math.max(rows, 2), 10) * 30 : Math.round(Math.min(width * (columns > 1 ? 0.85 : 0.66), 520));
    const svg = element("svg", { class: "panel", width, height, viewBox: `0 0 ${width} ${height}`, tabindex: 0, role: "group" }, this.stage);
    svg.setAttribute("aria-label", `${this.drawing.title} ${panel.title}: arrow keys walk over the points`);
    const box = { x0: MARGIN.left, x1: width - MARGIN.right, y0: top, y1: height - MARGIN.bottom };
    const place = (axis, from, to) => {
      const [low, high] = axis.limits, by = axis.log ? Math.log : (v) => v;
      return (value) => from + (by(value) - by(low)) / (by(high) - by(low)) * (to - from);
    };
    const at = { x: place(panel.x, box.x0, box.x1), y: place(panel.y, box.y1, box.y0), box };
    this.axes(svg, panel, at);
    const id = `clip-${this.drawing.name}-${this.stage.childElementCount}`;
    const clip = element("clipPath", { id }, svg);
    const room = cells ? 2 : 9; // so that markers at the frame stay whole
    element("rect", { x: box.x0 - room, y: box.y0 - room, width: box.x1 - box.x0 + 2 * room, height: box.y1 - box.y0 + 2 * room }, clip);
    const tight = element("clipPath", { id: id + "t" }, svg);
    element("rect", { x: box.x0, y: box.y0, width: box.x1 - box.x0, height: box.y1 - box.y0 }, tight);
    const under = element("g", { "clip-path": `url(#${id}t)` }, svg), over = element("g", { "clip-path": `url(#${id})` }, svg);
    const spots = [];
    for (const layer of panel.layers) {
      if (this.hidden.has(layer.name)) continue;
      if (layer.kind === "line" || layer.kind === "band") this[layer.kind](under, layer, at);
      else this[layer.kind](over, layer, at, spots);
    }
    this.halo(svg, spots, under);
  }

  axes(svg, panel, at) {
    const { box } = at;
    const grid = element("g", { class: "grid" }, svg), labels = element("g", { class: "ticks" }, svg);
    let last = -Infinity;
    for (const [value, text] of panel.x.ticks) {
      const x = at.x(value);
      if (!panel.x.categories) element("line", { x1: x, x2: x, y1: box.y0, y2: box.y1 }, grid);
      const need = 7.2 * text.length; // so that labels never touch on a narrow screen
      if (x - need / 2 < last) continue;
      last = x + need / 2 + 4;
      element("text", { x, y: box.y1 + 17, "text-anchor": "middle" }, labels).textContent = text;
    }
    for (const [value, text] of panel.y.ticks) {
      const y = at.y(value);
      if (!panel.x.categories) element("line", { x1: box.x0, x2: box.x1, y1: y, y2: y }, grid);
      element("text", { x: box.x0 - 7, y: y + 4, "text-anchor": "end" }, labels).textContent = text;
    }
    const frame = element("path", { class: "frame", d: `M${box.x0},${box.y0}V${box.y1}H${box.x1}` }, svg);
    frame.setAttribute("fill", "none");
    element("text", { class: "axis", x: (box.x0 + box.x1) / 2, y: box.y1 + 37, "text-anchor": "middle" }, svg).textContent = panel.x.label;
    const middle = (box.y0 + box.y1) / 2;
    element("text", { class: "axis", transform: `translate(13,${middle}) rotate(-90)`, "text-anchor": "middle" }, svg).textContent = panel.y.label;
    element("text", { class: "panel-title", x: box.x0, y: 15 }, svg).textContent = panel.title;
  }

  line(group, layer, at) {
    const points = layer.x.map((x, i) => [x, layer.y[i]]).filter(([x, y]) => x !== null && y !== null);
    if (!points.length) return;
    const d = "M" + points.map(([x, y]) => `${at.x(x).toFixed(2)},${at.y(y).toFixed(2)}`).join("L");
    const width = { solid: 2, dashed: 1.6, thin: 0.9 }[layer.mark];
    const path = element("path", { d, fill: "none", stroke: this.colour(layer, 0), "stroke-width": width, class: layer.mark }, group);
    if (layer.runs && layer.runs.length && layer.mark === "thin" && layer.runs.every((r) => r[0] === layer.runs[0][0])) path.dataset.run = layer.runs[0][0];
    layer.labels.forEach((text, i) => {
      if (text) element("text", { class: "contour", x: at.x(layer.x[i]), y: at.y(layer.y[i]) + 4, "text-anchor": "middle" }, group).textContent = text;
    });
  }

  band(group, layer, at) {
    const side = (values) => layer.x.map((x, i) => [x, values[i]]).filter(([x, y]) => x !== null && y !== null).map(([x, y]) => `${at.x(x).toFixed(2)},${at.y(y).toFixed(2)}`);
    const outline = side(layer.low).concat(side(layer.high).reverse());
    if (outline.length) element("path", { d: "M" + outline.join("L") + "Z", fill: this.colour(layer, 0), class: "band" }, group);
  }

  points(group, layer, at, spots) {
    layer.x.forEach((value, i) => {
      if (value === null || layer.y[i] === null) return;
      const x = at.x(value), y = at.y(layer.y[i]), colour = this.colour(layer, i);
      if (layer.low && layer.low[i] !== null && layer.high[i] !== null && layer.low[i] !== layer.high[i])
        element("line", { x1: x, x2: x, y1: at.y(layer.low[i]), y2: at.y(layer.high[i]), stroke: colour, "stroke-width": 1.5 }, group);
      if (layer.mark === "bar") return;
      this.marker(group, layer.mark, x, y, colour);
      spots.push({ x, y, layer, i });
    });
  }

  marker(group, mark, x, y, colour) {
    if (mark === "warning" || mark === "forecast") element("rect", { x: x - 5.5, y: y - 5.5, width: 11, height: 11, fill: "var(--paper)", stroke: colour, "stroke-width": 2 }, group);
    else if (mark === "star") {
      const corner = (k) => { const r = k % 2 ? 3.4 : 8, t = Math.PI * k / 5; return `${(x + r * Math.sin(t)).toFixed(2)},${(y - r * Math.cos(t)).toFixed(2)}`; };
      element("path", { d: "M" + [...Array(10).keys()].map(corner).join("L") + "Z", fill: colour, stroke: "var(--paper)", "stroke-width": 1 }, group);
    } else if (mark === "hollow") element("circle", { cx: x, cy: y, r: 4.5, fill: "var(--paper)", stroke: colour, "stroke-width": 2 }, group);
    else element("circle", { cx: x, cy: y, r: 3.8, fill: colour, stroke: "var(--paper)", "stroke-width": 0.8 }, group);
  }

  cells(group, layer, at, spots) {
    const w = at.x(1) - at.x(0), h = at.y(0) - at.y(1);
    layer.x.forEach((value, i) => {
      const x = at.x(value), y = at.y(layer.y[i]);
      if (layer.mark === "best") {
        element("rect", { x: x - w / 2, y: y - h / 2, width: w, height: h, fill: "none", stroke: "var(--law)", "stroke-width": 2.5 }, group);
        return;
      }
      const colour = this.colour(layer, i);
      element("rect", { x: x - w / 2 + 0.75, y: y - h / 2 + 0.75, width: w - 1.5, height: h - 1.5, fill: colour }, group);
      const size = Math.min(10.5, (w - 4) / (0.6 * layer.labels[i].length)); // a digit is .6 of its height wide
      if (layer.labels[i] && size >= 6.5) {
        const text = element("text", { class: "cell", x, y: y + 3.5, "text-anchor": "middle" }, group);
        text.textContent = layer.labels[i];
        text.style.fontSize = `${size}px`;
        text.style.fill = inkOn(colour);
      }
      spots.push({ x, y, layer, i });
    });
  }

  halo(svg, spots, under) {
    spots.sort((a, b) => a.x - b.x || a.y - b.y);
    const ring = element("circle", { class: "ring", r: 8, visibility: "hidden" }, svg);
    let current = -1;
    const show = (i) => {
      current = i;
      for (const path of under.querySelectorAll(".lit")) path.classList.remove("lit");
      if (i < 0) { ring.setAttribute("visibility", "hidden"); this.hide(); return; }
      const spot = spots[i];
      ring.setAttribute("cx", spot.x); ring.setAttribute("cy", spot.y); ring.setAttribute("visibility", "visible");
      for (const run of (spot.layer.runs && spot.layer.runs[spot.i]) || [])
        for (const path of under.querySelectorAll(`[data-run="${run}"]`)) path.classList.add("lit");
      this.tell(svg, spot);
    };
    const nearest = (event) => {
      const frame = svg.getBoundingClientRect(), x = event.clientX - frame.left, y = event.clientY - frame.top;
      let best = -1, least = 26 * 26;
      spots.forEach((spot, i) => { const d = (spot.x - x) ** 2 + (spot.y - y) ** 2; if (d < least) { least = d; best = i; } });
      return best;
    };
    svg.addEventListener("pointermove", (event) => { const i = nearest(event); if (i !== current) show(i); });
    svg.addEventListener("pointerdown", (event) => show(nearest(event)));
    svg.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && show(-1));
    svg.addEventListener("blur", () => show(-1));
    svg.addEventListener("click", () => current >= 0 && this.open(spots[current]));
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (step && spots.length) { event.preventDefault(); show(current < 0 ? (step > 0 ? 0 : spots.length - 1) : (current + step + spots.length) % spots.length); }
      else if (event.key === "Escape") show(-1);
      else if (event.key === "Enter" && current >= 0) this.open(spots[current], true);
    });
  }

  open(spot, focus) {
    const run = ((spot.layer.runs && spot.layer.runs[spot.i]) || [])[0];
    if (run !== undefined) document.dispatchEvent(new CustomEvent("run", { detail: { run, focus: Boolean(focus) } }));
  }

  tell(svg, spot) {
    const { layer, i } = spot;
    this.tip.replaceChildren();
    html("strong", {}, this.tip).textContent = layer.name + (layer.labels[i] ? `: ${layer.labels[i]}` : "");
    const list = html("dl", {}, this.tip);
    const say = (name, text) => { html("dt", {}, list).textContent = name; html("dd", {}, list).textContent = text; };
    const runs = ((layer.runs && layer.runs[i]) || []).map((r) => this.runs[r]);
    if (layer.mark === "forecast") say("predicted loss", this.number(layer.y[i]) + (layer.low ? ` (${this.number(layer.low[i])} to ${this.number(layer.high[i])})` : ""));
    if (runs.length) for (const [name, text] of runs[0]) say(name, text);
    else if (layer.kind !== "cells") { say("x", this.number(layer.x[i])); say("y", this.number(layer.y[i])); }
    if (runs.length > 1) say("runs", runs.length + " seeds; the first is shown");
    this.tip.hidden = false;
    const host = this.host.getBoundingClientRect(), frame = svg.getBoundingClientRect();
    const x = frame.left - host.left + spot.x, y = frame.top - host.top + spot.y, width = this.tip.offsetWidth, height = this.tip.offsetHeight;
    this.tip.style.left = `${Math.max(0, Math.min(x + 16 + width > host.width ? x - width - 16 : x + 16, host.width - width))}px`;
    this.tip.style.top = `${y + 12 + height > frame.bottom - host.top + 40 ? Math.max(0, y - height - 14) : y + 14}px`;
  }

  number(value) { return value === null ? "–" : Math.abs(value) >= 1e5 ? value.toExponential(3) : String(Number(value.toPrecision(5))); }

  hide() { this.tip.hidden = true; }
}
