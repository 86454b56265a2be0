// The table of hits, with sorting, filters and alignments.

const COLUMNS = [
  { key: "name", head: "Database sequence", text: true, sortBy: (hit) => hit.target.name },
  { key: "bits", head: "Bit score", best: "high", hide: "narrow", cell: (hit) => scoreCell(hit) },
  { key: "evalue", head: "E\u2011value", cell: (hit) => evalueText(hit.evalue) },
  { key: "identity", head: "Identity %", best: "high", cell: (hit) => meter(hit.identity) },
  { key: "positives", head: "Positives %", best: "high", hide: "medium", proteinOnly: true,
    cell: (hit) => percent(hit.positives) },
  { key: "queryCover", head: "Query cover %", best: "high", cell: (hit) => meter(hit.queryCover) },
  { key: "targetCover", head: "Target cover %", best: "high", hide: "medium",
    cell: (hit) => percent(hit.targetCover) },
  { key: "qstart", head: "Query range", hide: "medium",
    cell: (hit) => rangeText(hit.qstart, hit.qend) },
  { key: "tstart", head: "Target range", hide: "wide",
    cell: (hit) => rangeText(hit.tstart, hit.tend) },
].filter((column) => DATA.protein || !column.proteinOnly);

const scoreCell = (hit) => [element("span", { className: `dot fill-${scoreClass(hit.bits)}` }),
  grouped(hit.bits)];

function meter(value) {
  return [percent(value), element("span", { className: "meter" },
    element("i", { style: `width:${value}%` }))];
}

function hitsSection() {
  const count = element("span", { className: "muted", id: "hit-count", role: "status" });
  const table = element("table", {},
    element("thead", {}, element("tr", { id: "hit-heads" })),
    element("tbody", { id: "hit-rows" }));
  return element("section", {},
    element("div", { className: "section-head" }, element("h3", {}, "Hits"), count),
    element("div", { className: "panel" }, filterRow(),
      element("div", { className: "scroll", id: "hit-scroll" }, table), element("div", { id: "hit-more" })));
}

function filterRow() {
  const row = element("div", { className: "filters" });
  const inputs = [
    ["text", "Name", { type: "search", placeholder: "Identifier or description" }, "wide"],
    ["identity", "Identity ≥", { type: "number", min: 0, max: 100, placeholder: "%" }],
    ["cover", "Query cover ≥", { type: "number", min: 0, max: 100, placeholder: "%" }],
    ["evalue", "E-value ≤", { type: "text", inputMode: "decimal", placeholder: "1e-20",
      className: "figure" }],
    ["bits", "Score ≥", { type: "number", min: 0, placeholder: "bits" }],
  ];
  for (const [key, label, properties, width] of inputs) {
    const input = element("input", { ...properties, value: state.filters[key],
      oninput: () => { state.filters[key] = input.value.trim(); renderHits(); } });
    row.append(element("label", { className: width || "" }, label, input));
  }
  return row;
}

function filteredHits() {
  const { text, identity, cover, evalue, bits } = state.filters;
  const words = text.toLowerCase();
  const limit = evalue === "" || Number.isNaN(Number(evalue)) ? Infinity : Number(evalue);
  return state.hits.filter((hit) =>
    (!words || `${hit.target.name} ${hit.target.description}`.toLowerCase().includes(words))
    && hit.identity >= Number(identity) && hit.queryCover >= Number(cover)
    && hit.bits >= Number(bits) && hit.evalue <= limit);
}

function sortedHits(hits) {
  const column = COLUMNS.find(({ key }) => key === state.sort);
  const value = column.sortBy || ((hit) => hit[column.key]);
  const sign = state.descending ? -1 : 1;
  return hits.sort((a, b) => {
    const [first, second] = [value(a), value(b)];
    return first < second ? -sign : first > second ? sign : a.rank - b.rank;
  });
}

function renderHits() {
  const hits = sortedHits(filteredHits());
  byId("hit-heads").replaceChildren(...COLUMNS.map(headCell));
  const rows = hits.slice(0, state.rowsShown).flatMap((hit) =>
    (state.open.has(hit.rank) ? [hitRow(hit), alignmentRow(hit)] : [hitRow(hit)]));
  if (!rows.length) {
    rows.push(element("tr", {}, element("td", { className: "empty", colSpan: COLUMNS.length },
      "No hits match the filters.")));
  }
  byId("hit-rows").replaceChildren(...rows);
  const rest = hits.length - state.rowsShown;
  byId("hit-more").replaceChildren(...(rest > 0 ? [moreButton(rest, "hit", "hits", () => {
    state.rowsShown += 1000;
    renderHits();
  })] : []));
  byId("hit-count").textContent = countText(hits.length);
  markOpenBars();
}

function countText(shown) {
  const listed = state.hits.length;
  const total = state.query.total;
  const base = shown === listed ? counted(listed, "hit", "hits")
    : `${grouped(shown)} of ${counted(listed, "hit", "hits")}`;
  return listed < total ? `${base} shown, ${grouped(total)} in total (see hits.tsv)`
    : `${base} · click a hit to see its alignment`;
}

function headCell(column) {
  const sorted = state.sort === column.key;
  const direction = state.descending ? "descending" : "ascending";
  const button = element("button", { type: "button", onclick: () => {
    state.descending = sorted ? !state.descending : column.best === "high";
    state.sort = column.key;
    renderHits();
    byId("hit-heads").querySelector("[aria-sort] button").focus();
  } }, column.head);
  const cell = element("th", { scope: "col", className: columnClass(column) }, button);
  if (sorted) cell.setAttribute("aria-sort", direction);
  return cell;
}

function columnClass(column) {
  return `${column.text ? "target" : "num"} ${column.hide ? `hide-${column.hide}` : ""}`.trim();
}

function hitRow(hit) {
  const open = state.open.has(hit.rank);
  const button = element("button", { type: "button", "aria-expanded": String(open) },
    hit.target.name);
  const name = element("td", { className: "target" }, button,
    element("div", { className: "muted", title: hit.target.description }, hit.target.description));
  const figures = COLUMNS.filter((column) => !column.text).map((column) =>
    element("td", { className: columnClass(column) }, column.cell(hit)));
  return element("tr", { className: open ? "hit open" : "hit", "data-rank": hit.rank,
    onclick: () => toggleHit(hit) }, name, figures);
}

function toggleHit(hit) {
  if (window.getSelection().toString()) return;
  if (!state.open.delete(hit.rank)) state.open.add(hit.rank);
  renderHits();
  const button = byId("hit-rows").querySelector(`tr[data-rank="${hit.rank}"] button`);
  if (button) button.focus({ preventScroll: true });
}

/** Opens a hit from the figure, even if filters or the row limit hide it in the table. */
function openHit(hit) {
  hideTip();
  state.open.add(hit.rank);
  if (!filteredHits().includes(hit)) {
    state.filters = { text: "", identity: "", cover: "", evalue: "", bits: "" };
    renderDetail();
  }
  state.rowsShown = Math.max(state.rowsShown, state.hits.length);
  renderHits();
  const row = byId("hit-rows").querySelector(`tr[data-rank="${hit.rank}"]`);
  row.scrollIntoView({ block: "center" });
  row.querySelector("button").focus({ preventScroll: true });
}

function markOpenBars() {
  for (const bar of byId("coverage").querySelectorAll(".bar")) {
    bar.classList.toggle("open", state.open.has(Number(bar.dataset.rank)));
  }
}
