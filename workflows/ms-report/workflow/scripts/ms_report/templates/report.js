"use strict";
// Draws the chromatograms. The rest of the page works without a script.
const DATA = JSON.parse(document.getElementById("data").textContent);
const SVG_NAMESPACE = document.querySelector("svg").namespaceURI;
const HEIGHT = 232;
const EDGE = { left: 62, right: 10, top: 10, bottom: 56 };
const SERIES = { tic: 1, bpc: 2 }; // index in a point: minutes, total, base peak, its m/z
const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

function shape(tag, attributes, text = null) {
  const node = document.createElementNS(SVG_NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== null) node.textContent = text;
  return node;
}

/** Returns about `count` round values between two values, and their digits. */
function ticks(from, to, count) {
  const rough = (to - from) / count || 1;
  const base = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * base).find((size) => size >= rough);
  const values = [];
  for (let at = Math.ceil(from / step); at * step <= to * (1 + 1e-9); at += 1) values.push(at * step);
  return { values, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

function power(value) {
  if (value < 1e4) return String(Number(value.toPrecision(4)));
  const exponent = Math.floor(Math.log10(value) + 1e-9);
  const raised = [...String(exponent)].map((digit) => SUPERSCRIPTS[digit]).join("");
  return `${Number((value / 10 ** exponent).toFixed(2))} × 10${raised}`;
}

/** One chromatogram, with its visible range and traces. */
class Chart {
  constructor(box) {
    this.box = box;
    this.points = DATA[box.dataset.run].points;
    this.identified = DATA[box.dataset.run].identified;
    this.shown = { tic: true, bpc: true };
    this.whole();
    this.cursor = null;
    this.listen();
  }

  whole() {
    const first = this.points[0][0];
    const last = this.points[this.points.length - 1][0];
    this.from = first;
    this.to = last > first ? last : first + 1;
  }

  x(minutes) {
    const width = this.width - EDGE.left - EDGE.right;
    return EDGE.left + ((minutes - this.from) / (this.to - this.from)) * width;
  }

  y(value) {
    return HEIGHT - EDGE.bottom - (value / this.top) * (HEIGHT - EDGE.top - EDGE.bottom);
  }

  minutesAt(event) {
    const frame = this.box.getBoundingClientRect();
    const width = this.width - EDGE.left - EDGE.right;
    const share = ((event.clientX - frame.left) * (this.width / frame.width) - EDGE.left) / width;
    return this.from + Math.min(1, Math.max(0, share)) * (this.to - this.from);
  }

  draw() {
    this.width = Math.max(this.box.clientWidth, 260);
    const names = Object.keys(SERIES).filter((name) => this.shown[name]);
    const inside = this.points.filter(([at]) => at >= this.from && at <= this.to);
    const heights = inside.flatMap((point) => names.map((name) => point[SERIES[name]]));
    this.top = Math.max(...heights, 0) || 1;
    const picture = shape("svg", { viewBox: `0 0 ${this.width} ${HEIGHT}`, "aria-hidden": "true" });
    picture.append(...this.axes(), ...names.flatMap((name) => this.line(name)), ...this.rug());
    this.pointer = shape("line", { class: "cursor", y1: EDGE.top, y2: HEIGHT - EDGE.bottom,
      visibility: "hidden" });
    this.choice = shape("rect", { class: "chosen", y: EDGE.top,
      height: HEIGHT - EDGE.top - EDGE.bottom, visibility: "hidden" });
    picture.append(this.pointer, this.choice);
    this.box.replaceChildren(picture);
  }

  axes() {
    const floor = HEIGHT - EDGE.bottom;
    const nodes = [];
    for (const value of ticks(0, this.top, 4).values) {
      nodes.push(shape("line", { class: "grid", x1: EDGE.left, x2: this.width - EDGE.right,
        y1: this.y(value), y2: this.y(value) }),
      shape("text", { x: EDGE.left - 7, y: this.y(value) + 4, "text-anchor": "end" }, power(value)));
    }
    const times = ticks(this.from, this.to, Math.max(2, Math.floor(this.width / 110)));
    for (const minutes of times.values) {
      nodes.push(shape("line", { class: "axis", x1: this.x(minutes), x2: this.x(minutes), y1: floor,
        y2: floor + 4 }),
      shape("text", { x: this.x(minutes), y: floor + 18, "text-anchor": "middle" },
        minutes.toFixed(times.digits)));
    }
    nodes.push(shape("line", { class: "axis", x1: EDGE.left, x2: this.width - EDGE.right, y1: floor,
      y2: floor }),
    shape("text", { x: this.width - EDGE.right, y: HEIGHT - 5, "text-anchor": "end" },
      "Retention time (min)"));
    return nodes;
  }

  line(name) {
    const first = this.points.findIndex(([at]) => at >= this.from);
    const end = this.points.findIndex(([at]) => at > this.to);
    const part = this.points.slice(first, end < 0 ? undefined : end);
    if (!part.length) return [];
    const path = part.map((point, index) => `${index ? "L" : "M"}${this.x(point[0]).toFixed(1)},`
      + this.y(point[SERIES[name]]).toFixed(1)).join("");
    const floor = HEIGHT - EDGE.bottom;
    const area = `${path}L${this.x(part[part.length - 1][0]).toFixed(1)},${floor}`
      + `L${this.x(part[0][0]).toFixed(1)},${floor}Z`;
    return [...(name === "tic" ? [shape("path", { class: "area", d: area })] : []),
      shape("path", { class: name, d: path })];
  }

  /** A mark below the axis for each identified spectrum. */
  rug() {
    const y = HEIGHT - EDGE.bottom + 25;
    const inside = this.identified.filter((at) => at >= this.from && at <= this.to);
    const marks = inside.map((at) => shape("line", { class: "found", x1: this.x(at), x2: this.x(at),
      y1: y, y2: y + 7 }));
    return inside.length ? [shape("text", { x: EDGE.left, y: HEIGHT - 5 },
      "Marks: identified spectra"), ...marks] : marks;
  }

  nearest(minutes) {
    let best = 0;
    this.points.forEach(([at], index) => {
      if (Math.abs(at - minutes) < Math.abs(this.points[best][0] - minutes)) best = index;
    });
    return best;
  }

  show(index, x, y) {
    this.cursor = index;
    const [minutes, total, base, mz] = this.points[index];
    const at = this.x(minutes);
    this.pointer.setAttribute("x1", at);
    this.pointer.setAttribute("x2", at);
    this.pointer.setAttribute("visibility", "visible");
    const tip = document.getElementById("tip");
    tip.replaceChildren(...[`${minutes.toFixed(2)} min`, `Total ion current ${power(total)}`,
      `Base peak ${power(base)} at m/z ${mz.toFixed(4)}`].map((text) => {
      const row = document.createElement("div");
      row.textContent = text;
      return row;
    }));
    tip.hidden = false;
    const size = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(6, Math.min(x + 14, window.innerWidth - size.width - 8))}px`;
    tip.style.top = `${Math.max(6, y - size.height - 12)}px`;
  }

  showAt(index) {
    const frame = this.box.getBoundingClientRect();
    const scale = frame.width / this.width;
    this.show(index, frame.left + this.x(this.points[index][0]) * scale, frame.top + 70);
    this.box.setAttribute("aria-description", document.getElementById("tip").textContent);
  }

  hide() {
    this.pointer.setAttribute("visibility", "hidden");
    document.getElementById("tip").hidden = true;
  }

  zoom(from, to) {
    [this.from, this.to] = [from, to];
    this.reset.hidden = false;
    this.draw();
  }

  listen() {
    const figure = this.box.closest("figure");
    this.reset = figure.querySelector(".whole");
    this.reset.addEventListener("click", () => {
      this.whole();
      this.reset.hidden = true;
      this.draw();
      this.box.focus();
    });
    for (const button of figure.querySelectorAll("[data-series]")) {
      button.addEventListener("click", () => {
        const name = button.dataset.series;
        this.shown[name] = !this.shown[name];
        button.setAttribute("aria-pressed", this.shown[name]);
        this.draw();
      });
    }
    this.listenToPointer();
    this.box.addEventListener("keydown", (event) => this.move(event));
    this.box.addEventListener("blur", () => this.hide());
  }

  listenToPointer() {
    let start = null;
    this.box.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "touch") start = this.minutesAt(event);
    });
    this.box.addEventListener("pointermove", (event) => {
      const minutes = this.minutesAt(event);
      if (start !== null) this.choose(start, minutes);
      this.show(this.nearest(minutes), event.clientX, event.clientY);
    });
    window.addEventListener("pointerup", (event) => {
      if (start === null) return;
      const [from, to] = [start, this.minutesAt(event)].sort((a, b) => a - b);
      start = null;
      this.choice.setAttribute("visibility", "hidden");
      if (this.x(to) - this.x(from) > 8) this.zoom(from, to);
    });
    this.box.addEventListener("pointerleave", () => this.hide());
  }

  choose(one, other) {
    const [from, to] = [one, other].map((minutes) => this.x(minutes)).sort((a, b) => a - b);
    this.choice.setAttribute("x", from);
    this.choice.setAttribute("width", to - from);
    this.choice.setAttribute("visibility", "visible");
  }

  /** Moves along the points with the arrow keys, by a tenth of all points with Shift. */
  move(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const far = event.shiftKey ? Math.ceil(this.points.length / 10) : 1;
    const index = (this.cursor ?? 0) + step * far;
    this.showAt(Math.min(this.points.length - 1, Math.max(0, index)));
  }
}

const charts = [...document.querySelectorAll(".chart")].map((box) => new Chart(box));
const drawAll = () => charts.forEach((chart) => chart.draw());
drawAll();
let width = window.innerWidth;
window.addEventListener("resize", () => {
  if (window.innerWidth === width) return;
  width = window.innerWidth;
  drawAll();
});
