// The figure of the hit positions on the query.

function coverageSection() {
  const legend = SCORE_CLASSES.map((step) => element("span", {},
    element("span", { className: `dot fill-${scoreClass(step.from)}` }), step.label));
  return element("section", {},
    element("div", { className: "section-head" },
      element("h3", {}, "Hit positions on the query"),
      element("div", { className: "legend" }, "Bit score", legend.reverse())),
    element("div", { className: "coverage panel", id: "coverage" }));
}

/** Rows of the figure, best target first. Overlapping alignments of a target have separate rows. */
function coverageLanes() {
  const byTarget = new Map();
  for (const hit of state.hits) {
    if (!byTarget.has(hit.target)) byTarget.set(hit.target, []);
    const lanes = byTarget.get(hit.target);
    const free = lanes.find((lane) => lane.every((other) => !overlap(hit, other)));
    if (free) free.push(hit);
    else lanes.push([hit]);
  }
  return [...byTarget.values()].flatMap((lanes) =>
    lanes.map((hits, index) => ({ hits, first: index === 0 })));
}

function overlap(one, other) {
  return Math.min(one.qstart, one.qend) <= Math.max(other.qstart, other.qend)
    && Math.min(other.qstart, other.qend) <= Math.max(one.qstart, one.qend);
}

function drawCoverage() {
  const box = byId("coverage");
  const lanes = coverageLanes();
  const drawn = lanes.slice(0, MAX_LANES);
  const width = Math.max(box.clientWidth - 28, 240);
  const left = width > 560 ? 156 : 0;
  const height = 46 + drawn.length * 15;
  const scale = (position) => left + ((position - 0.5) / state.query.length) * (width - left);
  const picture = shape("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "group",
    "aria-label": `Hits along the query, ${state.query.length} positions` });
  picture.append(...axis(scale, height), queryBar(scale, left, width));
  drawn.forEach((lane, index) => picture.append(...laneShapes(lane, 42 + index * 15, scale, left)));
  box.replaceChildren(picture, ...notDrawn(lanes.slice(MAX_LANES)));
}

function notDrawn(lanes) {
  const hits = lanes.reduce((sum, lane) => sum + lane.hits.length, 0);
  if (!hits) return [];
  return [element("p", { className: "muted" },
    `${counted(hits, "more hit is", "more hits are")} shown only in the table.`)];
}

function axis(scale, height) {
  const marks = [];
  for (const position of ticks(state.query.length, scale(state.query.length) - scale(1))) {
    const x = scale(position);
    const anchor = position === 1 ? "start" : position === state.query.length ? "end" : "middle";
    marks.push(shape("line", { class: "grid", x1: x, x2: x, y1: 16, y2: height }),
      shape("text", { x, y: 11, "text-anchor": anchor }, grouped(position)));
  }
  return marks;
}

/** The first, the last and round positions, with space for their labels. */
function ticks(length, width) {
  const step = [1, 2, 5].flatMap((base) => [...Array(8).keys()].map((power) => base * 10 ** power))
    .sort((a, b) => a - b).find((size) => (size / length) * width >= 64) || length;
  const inner = [];
  for (let position = step; position < length - step / 2; position += step) inner.push(position);
  return [1, ...inner.filter((position) => position > step / 2), length]
    .filter((position, index, all) => all.indexOf(position) === index);
}

function queryBar(scale, left, width) {
  const group = shape("g");
  if (left) group.append(shape("text", { class: "label", x: 0, y: 31 }, "Query"));
  group.append(shape("rect", { class: "self", x: left, y: 22, width: width - left, height: 10,
    rx: 2 }));
  return group;
}

function laneShapes({ hits, first }, y, scale, left) {
  const ends = hits.flatMap((hit) => [hit.qstart, hit.qend]);
  const nodes = [];
  if (left && first) {
    nodes.push(shape("text", { class: "label", x: 0, y: y + 9 }, fitted(hits[0].target.name, 24)));
  }
  if (hits.length > 1) {
    nodes.push(shape("line", { class: "link", y1: y + 5, y2: y + 5, x1: scale(Math.min(...ends)),
      x2: scale(Math.max(...ends)) }));
  }
  return [...nodes, ...hits.map((hit) => hitBar(hit, y, scale))];
}

const fitted = (text, letters) => (text.length > letters ? `${text.slice(0, letters - 1)}…` : text);

/** A bar that points in the direction of the database sequence. */
function hitBar(hit, y, scale) {
  const from = scale(Math.min(hit.qstart, hit.qend) - 0.5);
  const to = Math.max(scale(Math.max(hit.qstart, hit.qend) + 0.5), from + 3);
  const point = DATA.queryType === "protein" && DATA.databaseType === "protein" ? 0
    : Math.min(5, to - from);
  const path = isReverse(hit)
    ? `M${to},${y} V${y + 10} H${from + point} L${from},${y + 5} L${from + point},${y} Z`
    : `M${from},${y} V${y + 10} H${to - point} L${to},${y + 5} L${to - point},${y} Z`;
  const bar = shape("path", { d: path, class: `bar fill-${scoreClass(hit.bits)}`, tabindex: 0,
    role: "button", "data-rank": hit.rank,
    "aria-label": `${hit.target.name}, ${rangeText(hit.qstart, hit.qend)}, bit score ${hit.bits}` });
  bar.addEventListener("click", () => openHit(hit));
  bar.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); openHit(hit); }
  });
  bar.addEventListener("pointermove", (event) => showTip(hit, event.clientX, event.clientY));
  bar.addEventListener("focus", () => showTipAt(bar, hit));
  for (const gone of ["pointerleave", "blur"]) bar.addEventListener(gone, hideTip);
  return bar;
}

function showTipAt(bar, hit) {
  const box = bar.getBoundingClientRect();
  showTip(hit, box.left + box.width / 2, box.bottom);
}

function showTip(hit, x, y) {
  const tip = byId("tip");
  const figures = [`Bit score ${grouped(hit.bits)}`, `E-value ${evalueText(hit.evalue)}`,
    `identity ${percent(hit.identity)}%`];
  tip.replaceChildren(element("b", {}, hit.target.name),
    element("div", {}, fitted(hit.target.description, 130)),
    element("div", {}, figures.join(" · ")),
    element("div", {}, `Query ${rangeText(hit.qstart, hit.qend)}, `
      + `target ${rangeText(hit.tstart, hit.tend)}`));
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(6, Math.min(x + 14, window.innerWidth - box.width - 8))}px`;
  tip.style.top = `${y + 18 + box.height > window.innerHeight ? y - box.height - 12 : y + 18}px`;
}

function hideTip() {
  byId("tip").hidden = true;
}
