// The table of sites: the functions that allocate.

const PAGE_ROWS = 100, STACKS_SHOWN = 5;

const table = { sort: { column: "value", isDescending: true }, rows: [], shown: PAGE_ROWS, open: new Set(), matching: null };

const sumOf = (measure, field) => group => groupSums[measure][field][group];

function groupName(group) {
  const name = data.groups.name[group];
  return name < 0 ? functions.shortOf(-1 - name) : string(name);
}

/** The columns; `value` stands for what is chosen above. */
const COLUMNS = [
  { id: "name", title: "Site", text: true, of: groupName },
  ...Object.entries(MEASURES).map(([measure, { name }]) =>
    ({ id: measure, title: name, of: sumOf(measure, "bytes"), cell: group => estimateCell(group, measure) })),
  { id: "share", title: "Share", of: group => groupSums[state.measure][state.unit][group], cell: shareCell },
  { id: "blocks", title: "Blocks", optional: true, of: group => groupSums[state.measure].blocks[group],
    cell: group => el("span", {}, inWords(groupSums[state.measure].blocks[group], state.measure, "blocks")) },
  { id: "samples", title: "Samples", optional: true, of: group => groupSums[state.measure].samples[group],
    cell: group => inWords(groupSums[state.measure].samples[group], state.measure, "blocks") },
  { id: "lifetime", title: "Lifetime", optional: true, of: group => medianBucket(data.groups.lifetimes[group]),
    cell: group => durationCell(data.groups.lifetimes[group]) },
  ...(isChange ? [] : [{ id: "age", title: "Age", optional: true, of: group => medianBucket(data.groups.ages[group]),
    cell: group => below(medianBucket(data.groups.ages[group])) }]),
];

const HINTS = {
  live: isChange ? "Change of live bytes" : "Bytes that are live, with the 95 % confidence interval",
  peak: "Bytes that were live when the whole program's live bytes were at their peak",
  allocated: "Bytes allocated so far, freed or not",
  share: "Share of the value that is chosen above the flame graph",
  blocks: "Blocks of the measure that is chosen above the flame graph",
  samples: "Samples behind the estimates of the chosen measure: the more, the narrower the ±",
  lifetime: "Half of the freed blocks lived shorter than this; the picture is the histogram",
  age: "Half of the live blocks are younger than this",
};

function estimateCell(group, measure) {
  const sums = groupSums[measure];
  const value = sums.bytes[group];
  if (value === 0 && sums.samples[group] === 0) return el("span", { class: "none" }, "–");
  return [
    el("span", { class: isSigned(measure) ? (value < 0 ? "shrank" : "grew") : "" }, inWords(value, measure, "bytes")),
    el("small", {}, plusMinus(sums.bytes_error[group], "bytes")),
  ];
}

function shareCell(group) {
  const value = groupSums[state.measure][state.unit][group];
  return [
    el("span", {}, value < 0 ? "" : share(value, whole())),
    el("span", { class: "track" }, bar(value < 0 ? "shrunk" : "", value, table.largest)),
  ];
}

function durationCell(list) {
  const bucket = medianBucket(list);
  if (bucket < 0) return el("span", { class: "none" }, "–");
  return [el("span", {}, below(bucket)), sparkline(list, durationRange)];
}

/** Who of your own code is behind a site in somebody else's. */
function fromCaller(group) {
  const caller = callerOf(group);
  return caller ? el("span", { class: "from" }, "called by ", el("b", {}, breakable(shortened(caller, 120)))) : "";
}

function siteCell(group, isOpen) {
  const via = string(data.groups.via[group]), place = string(data.groups.place[group]);
  return el("button", {
    type: "button", class: "site", "aria-expanded": String(isOpen), "aria-controls": `stacks-${group}`,
  },
    el("span", { class: "chevron", "aria-hidden": "true" }),
    el("span", { class: "names" },
      el("span", { class: "name", title: shortened(groupName(group), 1000) }, breakable(shortened(groupName(group), 300))),
      via ? [" ", el("span", { class: "via" }, "via ", breakable(shortened(via, 120)))] : "",
      place ? el("span", { class: "place", title: shortened(place, 1000) }, breakable(shortPlace(place))) : "",
      fromCaller(group)));
}

/** The column of what is chosen above. */
const chosenColumn = () => state.unit === "bytes" ? state.measure : "blocks";
const sortedColumn = () => table.sort.column === "value" ? chosenColumn() : table.sort.column;

/** The rows in order, without those that the query leaves out. */
function arrangeSites() {
  const { of, text } = COLUMNS.find(({ id }) => id === sortedColumn());
  const keys = Array.from({ length: groupCount }, (_, group) => of(group));
  let rows = Array.from({ length: groupCount }, (_, group) => group);
  if (table.matching !== null) rows = rows.filter(group => table.matching[group] === 1);
  const direction = table.sort.isDescending ? -1 : 1;
  rows.sort(text
    ? (a, b) => direction * (keys[a] < keys[b] ? -1 : keys[a] > keys[b] ? 1 : 0) || a - b
    : (a, b) => direction * (keys[a] - keys[b]) || a - b);
  table.rows = rows;
  table.largest = 0;
  for (const value of groupSums[state.measure][state.unit]) table.largest = Math.max(table.largest, Math.abs(value));
}

function drawSites() {
  arrangeSites();
  const { isDescending } = table.sort;
  const sorted = sortedColumn(), chosen = chosenColumn();
  for (const head of table.head.querySelectorAll("th")) {
    head.setAttribute("aria-sort", head.dataset.column !== sorted ? "none" : isDescending ? "descending" : "ascending");
    head.classList.toggle("chosen", head.dataset.column === chosen);
  }
  table.shown = PAGE_ROWS;
  table.body.replaceChildren();
  appendRows(0);
  const all = plural(groupCount, "site");
  table.caption.textContent = table.rows.length === groupCount ? all : `${inCount(table.rows.length)} of ${all}`;
}

function appendRows(from) {
  const fragment = document.createDocumentFragment();
  for (const group of table.rows.slice(from, table.shown)) {
    const isOpen = table.open.has(group);
    fragment.append(rowOf(group, isOpen));
    if (isOpen) fragment.append(stacksRow(group));
  }
  table.body.append(fragment);
  if (table.rows.length === 0) {
    table.body.append(el("tr", {}, el("td", { class: "empty", colspan: COLUMNS.length },
      groupCount === 0 ? "No block was sampled yet: there is no site." : "No site's call stacks match the search.")));
  }
  const left = table.rows.length - table.shown;
  table.more.hidden = left <= 0;
  table.more.textContent = `Show ${inCount(Math.min(left, PAGE_ROWS * 4))} more of ${inCount(left)}`;
}

function rowOf(group, isOpen) {
  return el("tr", { class: isOpen ? "open" : "", "data-group": group },
    COLUMNS.map(({ id, cell, optional }) => id === "name"
      ? el("th", { scope: "row" }, siteCell(group, isOpen))
      : el("td", { class: `${id} ${optional ? "optional" : ""} ${id === chosenColumn() ? "chosen" : ""}` }, cell(group))));
}

function toggleSite(group) {
  const row = table.body.querySelector(`tr[data-group="${group}"]`);
  if (row === null) return;
  const isOpen = !table.open.has(group);
  if (isOpen) {
    table.open.add(group);
    row.after(stacksRow(group));
  } else {
    table.open.delete(group);
    row.nextElementSibling.remove();
  }
  row.classList.toggle("open", isOpen);
  row.querySelector("button.site").setAttribute("aria-expanded", String(isOpen));
}

/** Opens a site's row wherever it is, and goes there. */
function goToSite(group) {
  if (!table.rows.includes(group)) search("");
  while (!table.body.querySelector(`tr[data-group="${group}"]`) && table.shown < table.rows.length) showMore();
  if (!table.open.has(group)) toggleSite(group);
  const row = table.body.querySelector(`tr[data-group="${group}"]`);
  row.scrollIntoView({ block: "center" });
  row.querySelector("button.site").focus({ preventScroll: true });
}

function showMore() {
  const from = table.shown;
  table.shown += PAGE_ROWS * 4;
  appendRows(from);
}

/** What unfolds below a row: all figures, histograms, and the call stacks with the most of the chosen value. */
function stacksRow(group) {
  const figures = Object.entries(MEASURES).map(([measure, { name }]) => {
    const sums = groupSums[measure];
    return el("tr", {}, el("th", { scope: "row" }, name),
      el("td", {}, inWords(sums.bytes[group], measure, "bytes")), el("td", {}, plusMinus(sums.bytes_error[group], "bytes")),
      el("td", {}, inWords(sums.blocks[group], measure, "blocks")), el("td", {}, plusMinus(sums.blocks_error[group], "blocks")),
      el("td", {}, inWords(sums.samples[group], measure, "blocks")));
  });
  const charts = [["lifetimes", "freed", "Lifetimes of freed blocks"], ["ages", "live", "Ages of live blocks"]]
    .filter(([list]) => data.groups[list][group].length > 0)
    .map(([list, className, title]) => el("div", {}, el("h4", {}, title),
      durationChart(histogram(data.groups[list][group]), durationRange, `small ${className}`, title)));
  const values = data.sites[MEASURES[state.measure].key][state.unit];
  const sites = members[group].slice().sort((a, b) => Math.abs(values[b]) - Math.abs(values[a]) || a - b);
  const more = sites.length - STACKS_SHOWN;
  return el("tr", { class: "stacks", id: `stacks-${group}` }, el("td", { colspan: COLUMNS.length },
    el("div", { class: "unfolded" },
      el("div", { class: "callstacks" },
        el("h4", {}, sites.length === 1 ? "The call stack that ends here" : `${inCount(sites.length)} call stacks end here`),
        sites.slice(0, STACKS_SHOWN).map((site, at) => stackOfSite(site, values[site], at === 0 ? null : sites[0])),
        more > 0 ? el("p", { class: "note" }, `and ${plural(more, "call stack")} with less`) : ""),
      el("div", {},
        el("table", { class: "figures" },
          el("thead", {}, el("tr", {}, ["", "Bytes", "", "Blocks", "", "Samples"].map(title => el("th", { scope: "col" }, title)))),
          el("tbody", {}, figures)),
        charts))));
}

/** A call stack; all but the first are folded to what tells them from it. */
function stackOfSite(site, value, first) {
  const step = frame => {
    const name = frames.function[frame];
    return el("li", { class: functions.kindOf(name) === LIBRARY ? "library" : "" },
      el("span", { class: "name", title: shortened(functions.name[name], 1000) }, breakable(shortened(functions.shortOf(name), 300))),
      el("span", { class: "place" }, breakable(shortPlace(placeOf(frame)))));
  };
  const stack = stackOf(site);
  const others = first === null ? stack : stackOf(first);
  const other = stack.findIndex((frame, at) => frame !== others[at]);
  const through = other < 0 ? "" : functions.shortOf(frames.function[stack[other]]);
  return el("details", { class: "callstack", open: first === null },
    el("summary", {},
      el("strong", {}, inWords(value)), " ", el("span", { class: "part" }, share(Math.abs(value), Math.abs(whole()))),
      through ? [" through ", el("span", { class: "name" }, shortened(through, 120))] : ""),
    el("ol", {}, stack.slice(0, 200).map(step)),
    stack.length > 200 ? el("p", { class: "note" }, `and ${plural(stack.length - 200, "frame")} above`) : "",
    el("button", { type: "button", class: "plain", onclick: () => showInFlame(site) }, "Show in flame graph"));
}

function showInFlame(site) {
  let node = flame.tree.site[site];
  while (node > 0 && !(flame.sums.width[node] > 0)) node = flame.tree.parent[node];
  zoomTo(node);
  byId("flame").scrollIntoView({ block: "start" });
  focusCell(node);
}

function drawSitesSection() {
  const section = byId("sites");
  table.caption = el("span", { class: "aside" });
  table.head = el("tr", {}, COLUMNS.map(({ id, title, text, optional }) =>
    el("th", { scope: "col", "data-column": id, class: `${text ? "text" : ""} ${id === "name" ? "" : id} ${optional ? "optional" : ""}`, title: HINTS[id] },
      el("button", { type: "button", onclick: () => sortBy(id, text) }, title))));
  table.body = el("tbody", { onclick: event => {
    const row = event.target.closest("tr[data-group]");
    if (row !== null && getSelection().isCollapsed) toggleSite(Number(row.dataset.group));
  } });
  table.more = el("button", { type: "button", class: "more", onclick: showMore });
  section.append(
    el("div", { class: "heading" },
      el("h2", { id: "sites-heading" }, "Sites ", table.caption),
      el("p", { class: "note" }, "The functions that allocate. Click a heading to sort, a row to see who calls it.")),
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-labelledby": "sites-heading" },
      el("table", { class: "sites" }, el("thead", {}, table.head), table.body)),
    table.more);
}

function sortBy(column, text) {
  const isSorted = column === sortedColumn();
  table.sort = { column, isDescending: isSorted ? !table.sort.isDescending : !text };
  drawSites();
}
