// Head of the page, best hit of each query, and methods.

function renderHead() {
  byId("program").textContent = `${DATA.program} · ${WHAT_IT_DOES[DATA.program]}`;
  byId("title").textContent = `${DATA.queriesFile} against ${DATA.databaseFile}`;
  const share = QUERIES.length ? WITH_HITS / QUERIES.length : 0;
  const without = QUERIES.length - WITH_HITS;
  byId("facts").append(
    fact("Queries", grouped(QUERIES.length), lengthOf(DATA.queryLetters, DATA.queryType)),
    fact("With hits", grouped(WITH_HITS), `${Math.round(100 * share)} % of the queries`, share),
    fact("Without hits", grouped(without), without ? "listed as “no hits”" : "every query has one"),
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

const hitTargets = () => (DATA.listedHits < DATA.totalHits ? "in all queries together"
  : `in ${counted(TARGETS.length, "database sequence", "database sequences")}`);

function thresholdText() {
  const parts = [];
  if (DATA.settings.min_identity) parts.push(`identity ≥ ${DATA.settings.min_identity} %`);
  if (DATA.settings.min_query_coverage) parts.push(`cover ≥ ${DATA.settings.min_query_coverage} %`);
  return parts.join(", ") || `at most ${counted(DATA.settings.max_hits, "hit", "hits")} per query`;
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
      + `the best ${grouped(DATA.hitDepth)} of each query. All are in hits.tsv.`);
  }
  if (QUERIES.some((query) => query.rows.length > DATA.alignmentDepth)) {
    notes.push(`It shows the alignments of the best ${grouped(DATA.alignmentDepth)} hits of each `
      + `query. ${elsewhere()}`);
  }
  return notes;
}

const elsewhere = () => (DATA.alignmentsText ? "All alignments are in alignments.txt."
  : "alignments.txt was not asked for in this search.");

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
    element("p", {}, `Report written ${DATA.made}.`));
}

function methodsText() {
  const settings = DATA.settings;
  const sides = `${counted(QUERIES.length, "query", "queries")} (${DATA.queriesFile}) and `
    + `${counted(DATA.databaseSequences, "database sequence", "database sequences")} `
    + `(${DATA.databaseFile}, ${lengthOf(DATA.databaseLetters, DATA.databaseType)})`;
  const how = DATA.program === "blastn" ? `word size ${settings.word_size}, ${strandText()}`
    : `${DATA.exhaustive ? "all pairs" : `sensitivity ${settings.sensitivity}`}, scores from BLOSUM62`;
  const translation = DATA.queryStep + DATA.targetStep > 2
    ? ` Nucleotides were translated with genetic code ${settings.genetic_code} in reading frames of `
      + `at least ${settings.min_orf_codons} codons.` : "";
  return `${sides} were compared with MMseqs2 ${DATA.version} as ${DATA.program} does (${how}). Hits `
    + `with an E-value of at most ${evalueText(settings.evalue)} were kept, at most `
    + `${grouped(settings.max_hits)} for each query.${translation}`;
}

const strandText = () => (DATA.settings.strand === "both" ? "both strands"
  : `${DATA.settings.strand} strand of the query`);

function howToRead() {
  const similar = DATA.protein ? "Positives counts identical columns and those that BLOSUM62 scores "
    + "above zero, marked + between the rows. " : "";
  const reverse = DATA.queryType === "nucleotide" || DATA.databaseType === "nucleotide"
    ? "Positions that run down lie on the reverse strand. " : "";
  return "A hit is one alignment; a database sequence may have several. Identity is the share of "
    + `identical columns, gaps included. ${similar}Cover is the share of the whole sequence between `
    + `the ends of the alignment. ${reverse}E-values hold for a database of this size.`;
}

function settingsList() {
  const settings = DATA.settings;
  const common = [["E-value threshold", evalueText(settings.evalue)],
    ["Hits per query", grouped(settings.max_hits)],
    ["Minimum identity", `${settings.min_identity} %`],
    ["Minimum query coverage", `${settings.min_query_coverage} %`],
    ["Candidates per query", grouped(Math.max(settings.prefilter_hits, settings.max_hits))]];
  const own = DATA.program === "blastn"
    ? [["Word size", settings.word_size], ["Strand", settings.strand]]
    : [["Sensitivity", DATA.exhaustive ? "all pairs compared" : settings.sensitivity]];
  const masking = DATA.exhaustive ? []
    : [["Low-complexity masking", settings.mask_low_complexity ? "on" : "off"]];
  const translated = DATA.queryStep + DATA.targetStep > 2
    ? [["Genetic code", settings.genetic_code],
      ["Shortest reading frame", `${settings.min_orf_codons} codons`]] : [];
  return element("dl", { className: "settings" }, [...common, ...own, ...masking, ...translated].map(
    ([label, value]) => element("div", {}, element("dt", {}, label),
      element("dd", {}, String(value)))));
}
