"use strict";
// Data of the page and helper functions.
const DATA = JSON.parse(document.getElementById("data").textContent);
const SVG_NAMESPACE = document.getElementById("mark").namespaceURI;
const SIMILAR = new Set(DATA.similar.flatMap((pair) => [pair, pair[1] + pair[0]]));
const SCORE_CLASSES = [
  { from: 200, label: "200 and above" },
  { from: 80, label: "80 to 200" },
  { from: 50, label: "50 to 80" },
  { from: 40, label: "40 to 50" },
  { from: 0, label: "below 40" },
];
const QUERIES_PER_PAGE = 300;
const ROWS_PER_PAGE = 200;
const MAX_LANES = 60;
const UNITS = { protein: ["residue", "residues"], nucleotide: ["nucleotide", "nucleotides"] };
const PROGRAM_DESCRIPTIONS = {
  blastp: "protein queries, protein database",
  blastn: "nucleotide queries, nucleotide database",
  blastx: "translated queries, protein database",
  tblastn: "protein queries, translated database",
  tblastx: "translated queries, translated database",
};

const HIT_FIELDS = ["target", "identity", "positives", "length", "mismatches", "gapOpenings",
  "qstart", "qend", "tstart", "tend", "evalue", "bits", "queryCover", "targetCover", "queryFrame",
  "targetFrame", "qaln", "taln"];
const TARGETS = DATA.targets.map(([name, description, length]) => ({ name, description, length }));
const QUERIES = DATA.queries.map(([name, description, length, total, rows], index) => ({
  index, name, description, length, total, rows, best: rows.length ? rows[0][10] : Infinity,
}));
const WITH_HITS = QUERIES.filter((query) => query.total).length;

const state = {
  group: "all", queryText: "", querySort: "given", queriesShown: QUERIES_PER_PAGE,
  query: null, hits: [], sort: "evalue", descending: false, open: new Set(), rowsShown: ROWS_PER_PAGE,
  filters: { text: "", identity: "", cover: "", evalue: "", bits: "" },
};

const byId = (id) => document.getElementById(id);

/** Creates an element with properties, attributes and children. Text is never parsed as HTML. */
function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

function shape(tag, attributes = {}, text = null) {
  const node = document.createElementNS(SVG_NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== null) node.textContent = text;
  return node;
}

const grouped = (number) => number.toLocaleString("en-US");
const counted = (number, one, many) => `${grouped(number)} ${number === 1 ? one : many}`;
const lengthOf = (number, type) => counted(number, ...UNITS[type]);
const percent = (value) => (value === 100 ? "100" : value.toFixed(1));

function evalueText(value) {
  if (value === 0) return "0";
  if (value < 0.001) return value.toExponential(1).replace(".0e", "e");
  return String(Number(value.toPrecision(2)));
}

const rangeText = (start, end) => `${grouped(start)}–${grouped(end)}`;
const scoreClass = (bits) => 4 - SCORE_CLASSES.findIndex((step) => bits >= step.from);
const isReverse = (hit) => (hit.qstart > hit.qend) !== (hit.tstart > hit.tend);

function hitFrom(row, rank) {
  const hit = { rank };
  HIT_FIELDS.forEach((field, index) => { hit[field] = row[index]; });
  hit.target = TARGETS[hit.target];
  return hit;
}
