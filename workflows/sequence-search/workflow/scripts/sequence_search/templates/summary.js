// Head of the page, best hit per query, and methods.

function renderHead() {
  byId("program").textContent = `${DATA.program} · ${PROGRAM_DESCRIPTIONS[DATA.program]}`;
  byId("title").textContent = `${DATA.queriesFile} against ${DATA.databaseFile}`;
  const share = QUERIES.length ? WITH_HITS / QUERIES.length : 0;
  const without = QUERIES.length - WITH_HITS;
  byId("facts").append(
    fact("Queries", grouped(QUERIES.length), lengthOf(DATA.queryLetters, DATA.queryType)),
    fact("With hits", grouped(WITH_HITS), `${Math.round(100 * share)}% of the queries`, share),
    fact("Without hits", grouped(without), without ? "marked “no hits”" : "all queries have hits"),
    fact("Hits", grouped(DATA.totalHits), hitTargets()),
    fact("Database sequences", grouped(DATA.databaseSequences),
      lengthOf(DATA.databaseLetters, DATA.databaseType)),
    fact("E-value threshold", `≤ ${evalueText(DATA.settings.evalue)}`, thresholdText()),
  );
  renderNotes();
}

function fact(label, value, small, share = null) {
  const bar = share === null ? null
    : element("span", { className: "share" }, element("i", { style: `width:${100 * share}%` }));
  return element("div", {}, element("dt", {}, label),
    element("dd", {}, value, element("small", {}, small), bar));
}

const hitTargets = () => (DATA.listedHits < DATA.totalHits ? "for all queries"
  : `in ${counted(TARGETS.length, "database sequence", "database sequences")}`);

function thresholdText() {
  const parts = [];
  if (DATA.settings.min_identity) parts.push(`identity ≥ ${DATA.settings.min_identity}%`);
  if (DATA.settings.min_query_coverage) parts.push(`cover ≥ ${DATA.settings.min_query_coverage}%`);
  return parts.join(", ") || `maximum ${counted(DATA.settings.max_hits, "hit", "hits")} per query`;
}

function renderNotes() {
  const notes = [...DATA.notes, ...limitNotes()];
  byId("notes").hidden = notes.length === 0;
  byId("notes").append(...notes.map((note) => element("p", {}, note)));
}

function limitNotes() {
  const notes = [];
  if (DATA.listedHits < DATA.totalHits) {
    notes.push(`This report lists ${grouped(DATA.listedHits)} of ${grouped(DATA.totalHits)} hits: `
      + `the best ${grouped(DATA.hitDepth)} of each query. All hits are in hits.tsv.`);
  }
  if (QUERIES.some((query) => query.rows.length > DATA.alignmentDepth)) {
    notes.push("This report shows only the alignments of the best "
      + `${grouped(DATA.alignmentDepth)} hits of each query. ${elsewhere()}`);
  }
  return notes;
}

const elsewhere = () => (DATA.alignmentsText ? "All alignments are in alignments.txt."
  : "Turn on “Also save alignments as text” to get all alignments.");

function renderOverview(limit) {
  const rows = QUERIES.slice(0, limit).map(overviewRow);
  const heads = ["Query", "Hits", "Best hit", "Identity %", "Query cover %", "E\u2011value", "Bit score"];
  const numeric = new Set([1, 3, 4, 5, 6]);
  const table = element("table", {},
    element("thead", {}, element("tr", {}, heads.map((head, index) =>
      element("th", { scope: "col", className: `plain-head${numeric.has(index) ? " num" : ""}` },
        head)))),
    element("tbody", {}, rows));
  const rest = QUERIES.length - limit;
  byId("overview-body").replaceChildren(table, ...(rest > 0 ? [moreButton(rest, "query", "queries",
    () => renderOverview(limit + 1000))] : []));
}

function overviewRow(query) {
  const name = element("button", { type: "button", className: "link",
    onclick: () => selectQuery(query.index, true) }, query.name);
  if (!query.rows.length) {
    return element("tr", {}, element("td", {}, name), element("td", { className: "num" }, "0"),
      element("td", { className: "muted", colSpan: 5 }, "no hits"));
  }
  const best = hitFrom(query.rows[0], 1);
  const figures = [percent(best.identity), percent(best.queryCover), evalueText(best.evalue),
    grouped(best.bits)];
  return element("tr", {}, element("td", {}, name),
    element("td", { className: "num" }, grouped(query.total)),
    element("td", {}, best.target.name, " ",
      element("span", { className: "muted" }, best.target.description)),
    figures.map((figure) => element("td", { className: "num" }, figure)));
}

function renderMethods() {
  byId("methods").append(
    element("h2", {}, "Methods"),
    element("p", {}, methodsText()),
    element("p", {}, howToRead()),
    settingsList(),
    element("h2", {}, "Please cite"),
    element("p", {}, "Steinegger M, Söding J. MMseqs2 enables sensitive protein sequence searching "
      + "for the analysis of massive data sets. Nature Biotechnology 35, 1026–1028 (2017). "
      + "doi:10.1038/nbt.3988"),
    element("p", {}, `Report created ${DATA.made}.`));
}

function methodsText() {
  const settings = DATA.settings;
  const sides = `${counted(QUERIES.length, "query", "queries")} (${DATA.queriesFile}) and `
    + `${counted(DATA.databaseSequences, "database sequence", "database sequences")} `
    + `(${DATA.databaseFile}, ${lengthOf(DATA.databaseLetters, DATA.databaseType)})`;
  const how = DATA.program === "blastn" ? `word size ${settings.word_size}, ${strandText()}`
    : `${DATA.exhaustive ? "exhaustive search" : `sensitivity ${settings.sensitivity}`}, BLOSUM62`;
  const translation = DATA.queryStep + DATA.targetStep > 2
    ? ` Nucleotides were translated with genetic code ${settings.genetic_code} in reading frames of `
      + `at least ${settings.min_orf_codons} codons.` : "";
  return `${sides} were compared with MMseqs2 ${DATA.version}, equivalent to ${DATA.program} (${how}). `
    + `Hits with an E-value of at most ${evalueText(settings.evalue)} were kept, up to `
    + `${grouped(settings.max_hits)} per query.${translation}`;
}

const strandText = () => (DATA.settings.strand === "both" ? "both strands"
  : `${DATA.settings.strand} strand of the query`);

function howToRead() {
  const similar = DATA.protein ? "Positives is the percentage of columns that are identical or have a "
    + "BLOSUM62 score above zero (marked +). " : "";
  const reverse = DATA.queryType === "nucleotide" || DATA.databaseType === "nucleotide"
    ? "Decreasing positions mean the reverse strand. " : "";
  return "A hit is one alignment; a database sequence can have several hits. Identity is the "
    + `percentage of identical columns, including gaps. ${similar}Cover is the percentage of the `
    + `sequence between the ends of the alignment. ${reverse}E-values depend on the size of the `
    + "database.";
}

function settingsList() {
  const settings = DATA.settings;
  const common = [["E-value threshold", evalueText(settings.evalue)],
    ["Maximum hits per query", grouped(settings.max_hits)],
    ["Minimum identity", `${settings.min_identity}%`],
    ["Minimum query coverage", `${settings.min_query_coverage}%`],
    ["Candidates per query", grouped(Math.max(settings.prefilter_hits, settings.max_hits))]];
  const own = DATA.program === "blastn"
    ? [["Word size", settings.word_size], ["Strand", settings.strand]]
    : [["Sensitivity", DATA.exhaustive ? "exhaustive search" : settings.sensitivity]];
  const masking = DATA.exhaustive ? []
    : [["Low-complexity masking", settings.mask_low_complexity ? "on" : "off"]];
  const translated = DATA.queryStep + DATA.targetStep > 2
    ? [["Genetic code", settings.genetic_code],
      ["Minimum reading frame length", `${settings.min_orf_codons} codons`]] : [];
  return element("dl", { className: "settings" }, [...common, ...own, ...masking, ...translated].map(
    ([label, value]) => element("div", {}, element("dt", {}, label),
      element("dd", {}, String(value)))));
}
