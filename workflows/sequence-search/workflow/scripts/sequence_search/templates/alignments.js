// Alignments in the block format of BLAST.

function alignmentRow(hit) {
  const body = hit.qaln ? alignmentText(hit) : element("p", { className: "muted" }, whyAbsent(hit));
  return element("tr", { className: "alignment" },
    element("td", { colSpan: COLUMNS.length },
      element("div", { style: `max-width:${byId("hit-scroll").clientWidth - 30}px` },
        alignmentFigures(hit), body)));
}

function whyAbsent(hit) {
  const reason = hit.length > DATA.longestAlignment
    ? `Alignments with more than ${grouped(DATA.longestAlignment)} columns are not shown.`
    : `This report shows only the alignments of the best ${grouped(DATA.alignmentDepth)} hits of `
      + "each query.";
  return `${reason} ${elsewhere()}`;
}

function alignmentFigures(hit) {
  const gaps = hit.qaln ? count(hit.qaln, "-") + count(hit.taln, "-") : null;
  const same = Math.round((hit.identity * hit.length) / 100);
  const of = (number) => `${grouped(number)}/${grouped(hit.length)} (${Math.round(
    (100 * number) / hit.length)}%)`;
  const figures = [["Score", `${grouped(hit.bits)} bits`], ["E-value", evalueText(hit.evalue)],
    ["Identities", of(same)]];
  if (DATA.protein) figures.push(["Positives", of(Math.round((hit.positives * hit.length) / 100))]);
  if (gaps !== null) figures.push(["Gaps", of(gaps)]);
  figures.push(...orientation(hit));
  figures.push(["Target length", lengthOf(hit.target.length, DATA.databaseType)]);
  return element("div", { className: "figures" }, figures.map(([label, value]) =>
    element("span", {}, `${label} `, element("b", {}, value))));
}

function orientation(hit) {
  if (!DATA.protein) return [["Strand", `plus/${hit.tstart > hit.tend ? "minus" : "plus"}`]];
  const frames = [];
  if (hit.queryFrame) frames.push(["Query frame", signed(hit.queryFrame)]);
  if (hit.targetFrame) frames.push(["Target frame", signed(hit.targetFrame)]);
  return frames;
}

const signed = (number) => (number > 0 ? `+${number}` : `−${-number}`);
const count = (text, letter) => text.split(letter).length - 1;

/** Columns per block: 60 as in BLAST, or a lower multiple of ten in a narrow window. */
function blockWidth(digits) {
  const letters = (byId("hit-scroll").clientWidth - 34) / letterWidth() - 11 - 2 * digits;
  return Math.max(20, Math.min(60, Math.floor(letters / 10) * 10));
}

function letterWidth() {
  const probe = element("pre", { style: "position:absolute;visibility:hidden" }, "M".repeat(50));
  byId("hit-scroll").append(probe);
  const width = probe.getBoundingClientRect().width / 50;
  probe.remove();
  return width;
}

function alignmentText(hit) {
  const digits = String(Math.max(hit.qstart, hit.qend, hit.tstart, hit.tend)).length;
  const width = blockWidth(digits);
  const query = walk(hit.qstart, hit.qend, DATA.queryStep);
  const target = walk(hit.tstart, hit.tend, DATA.targetStep);
  const text = element("pre", { tabIndex: 0, "aria-label": `Alignment with ${hit.target.name}` });
  for (let start = 0; start < hit.qaln.length; start += width) {
    const top = hit.qaln.slice(start, start + width);
    const bottom = hit.taln.slice(start, start + width);
    text.append(element("div", { className: "block" },
      sequenceLine("Query", top, bottom, query(top), digits),
      element("div", {}, " ".repeat(digits + 9), midline(top, bottom)),
      sequenceLine("Sbjct", bottom, top, target(bottom), digits)));
  }
  return text;
}

/** Returns a function that gives the first and last position of the next part of an aligned row. */
function walk(start, end, step) {
  const direction = start > end ? -1 : 1;
  let position = start;
  return (letters) => {
    const residues = letters.length - count(letters, "-");
    if (!residues) return [position - direction, position - direction];
    const first = position;
    position += direction * step * residues;
    return [first, position - direction];
  };
}

function sequenceLine(name, letters, other, [first, last], digits) {
  return element("div", {},
    element("span", { className: "position" }, `${name}  ${String(first).padStart(digits)}  `),
    coloredRuns(letters, other),
    element("span", { className: "position" }, `  ${last}`));
}

function coloredRuns(letters, other) {
  const runs = [];
  for (let index = 0; index < letters.length; index += 1) {
    const kind = columnKind(letters[index], other[index]);
    const last = runs[runs.length - 1];
    if (last && last.kind === kind) last.text += letters[index];
    else runs.push({ kind, text: letters[index] });
  }
  return runs.map(({ kind, text }) =>
    (kind === "same" ? text : element("span", { className: kind }, text)));
}

function columnKind(letter, other) {
  if (letter === other) return "same";
  if (letter === "-" || other === "-") return "gap";
  return DATA.protein && SIMILAR.has(letter + other) ? "similar" : "differs";
}

function midline(top, bottom) {
  return [...top].map((letter, index) => {
    const kind = columnKind(letter, bottom[index]);
    if (kind === "same") return DATA.protein ? letter : "|";
    return kind === "similar" ? "+" : " ";
  }).join("");
}
