// What is above the flame graph, and what is below the charts.

function drawTop() {
  const kind = isChange ? `Change over ${data.window}` : "";
  byId("top").append(
    el("div", { class: "title" },
      el("h1", {}, data.title),
      el("p", {}, kind ? el("strong", {}, kind, ", ") : "", `taken ${data.taken}, ${data.uptime} after the first allocation`)),
    el("button", { type: "button", class: "plain", id: "theme", onclick: toggleTheme }),
    el("span", { class: "brand" }, "unkai"));
  restoreTheme();
}

const prefersDark = matchMedia("(prefers-color-scheme: dark)");

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  byId("theme").textContent = theme === "dark" ? "Light theme" : "Dark theme";
}

function toggleTheme() {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  setTheme(theme);
  // Some browsers keep nothing for pages from disk.
  try { sessionStorage.setItem("unkai-theme", theme); } catch { /* then it lasts until the page is closed */ }
}

/** The theme that was chosen, or else the system's. */
function restoreTheme() {
  let chosen = null;
  try { chosen = sessionStorage.getItem("unkai-theme"); } catch { /* the system's, then */ }
  const systems = () => prefersDark.matches ? "dark" : "light";
  setTheme(chosen === "light" || chosen === "dark" ? chosen : systems());
  prefersDark.addEventListener("change", () => setTheme(systems()));
}

function drawTrust() {
  const section = byId("trust");
  if (data.warnings.length === 0 && data.losses.length === 0) {
    section.append(el("p", { class: "calm" }, "Nothing was lost: no sample is missing, every call stack is complete."));
    return;
  }
  section.append(el("div", { class: "warnings" },
    el("h2", {}, "Before you trust the numbers"),
    el("ul", {}, data.warnings.map(warning => el("li", {}, warning))),
    data.losses.length === 0 ? "" : el("details", {},
      el("summary", {}, `Losses: ${plural(data.losses.length, "kind")}`),
      el("dl", {}, data.losses.map(({ events, meaning }) => [el("dt", {}, events), el("dd", {}, meaning)])))));
}

function drawTotals() {
  const { live, allocated, freed, peak_bytes, peak_digits, peak_error, refused } = data.totals;
  const card = (className, name, value, ...exact) =>
    el("div", { class: `card ${className}` }, el("h3", {}, name), el("p", { class: "figure" }, value), exact.map(line => el("p", { class: "exact" }, line)));
  const blocks = total => `in ${inCount(total.blocks)} blocks`;
  const exactly = total => `${total.bytes_digits} B in ${total.blocks_digits} blocks`;
  byId("totals").append(
    el("h2", { id: "totals-heading", class: "hidden" }, "Totals"),
    el("div", { class: "cards" },
      card("live", isChange ? "Live, change" : "Live now", isChange ? signed(inBytes(live.bytes)) : inBytes(live.bytes), exactly(live)),
      card("peak", isChange ? "Peak, since the start" : "Peak", inBytes(peak_bytes),
        `${peak_digits} B${peak_error ? ` ± ${peak_error} at most` : ""}`),
      card("allocated", isChange ? "Allocated, in the window" : "Allocated", inBytes(allocated.bytes), exactly(allocated)),
      card("freed", isChange ? "Freed, in the window" : "Freed", inBytes(freed.bytes), exactly(freed))),
    ...refused.map(who => el("p", { class: "note refused" }, `${who}.`)),
    el("div", { class: "pair" }, largestSites(), machinePanel()),
    el("p", { class: "note sampling" }, "Totals are exact. ", data.sampling[0]));
}

/** The sites that matter most, in one look. */
function largestSites() {
  const values = groupSums.live.bytes, sum = whole("live", "bytes");
  const largest = Array.from(values.keys()).filter(group => values[group] !== 0)
    .sort((a, b) => Math.abs(values[b]) - Math.abs(values[a])).slice(0, 5);
  const most = largest.length > 0 ? Math.abs(values[largest[0]]) : 0;
  return el("div", { class: "panel largest" },
    el("h3", {}, isChange ? "What changed most" : "Where live memory is"),
    largest.length === 0 ? el("p", { class: "empty" }, isChange ? "No site's live bytes changed." : "No sampled block is live.") : "",
    el("ol", {}, largest.map(group => {
      const via = string(data.groups.via[group]);
      // The line tells two calls in one function apart.
      const isTwin = other => other !== group && groupName(other) === groupName(group) && data.groups.via[other] === data.groups.via[group];
      const file = largest.some(isTwin) ? string(data.groups.place[group]).split(/[\\/]/).pop() : "";
      return el("li", {}, el("button", { type: "button", onclick: () => goToSite(group), title: "Show this site in the table" },
        el("span", { class: "name" }, breakable(shortened(groupName(group), 200)), via ? [" ", el("span", { class: "via" }, "via ", breakable(shortened(via, 80)))] : "",
          file ? [" ", el("span", { class: "via" }, `at ${shortened(file, 60)}`)] : "", fromCaller(group)),
        el("span", { class: `value ${isChange ? (values[group] < 0 ? "shrank" : "grew") : ""}` }, inWords(values[group], "live", "bytes")),
        el("span", { class: "share" }, values[group] < 0 ? "" : share(values[group], sum)),
        el("span", { class: "track" }, bar(values[group] < 0 ? "shrunk" : "", values[group], most))));
    })));
}

/** The same scale for what is live, was live at most, and what the process takes. */
function machinePanel() {
  const { live, peak_bytes, allocated, freed } = data.totals, { resident, tables, rest, sentence } = data.memory;
  const rows = isChange
    ? [["Allocated", [["allocated", allocated.bytes, "allocated"]]], ["Freed", [["freed", freed.bytes, "freed"]]]]
    : [
      ["Live", [["live", live.bytes, "live blocks"]]],
      ["Peak", [["peak", peak_bytes, "live at the peak"]]],
      ...(resident === null ? [] : [["Resident", rest === null
        ? [["rest", resident, "resident"]]
        : [["live", live.bytes, "live blocks"], ["tables", tables, "unkai's tables"], ["rest", rest, "slack, code, stacks, files"]]]]),
    ];
  const length = ([, parts]) => parts.reduce((sum, [, bytes]) => sum + bytes, 0);
  const longest = Math.max(...rows.map(length));
  return el("div", { class: "panel machine" },
    el("h3", {}, isChange ? "What came and went" : "How it compares"),
    el("div", { class: "bars" }, rows.map(row => [
      el("span", { class: "label" }, row[0]),
      el("span", { class: "track" }, row[1].map(([className, bytes, name]) => bar(className, bytes, longest, `${name}: ${inBytes(bytes)}`))),
      el("span", { class: "value" }, inBytes(length(row))),
    ])),
    isChange || rest === null ? "" : el("ul", { class: "legend" },
      [["live", "live blocks"], ["tables", "unkai's tables"], ["rest", "slack, code, stacks, files"]]
        .map(([className, words]) => el("li", {}, el("span", { class: `swatch ${className}` }), words))),
    el("p", { class: "note" }, sentence));
}

function drawSuspects() {
  const section = byId("suspects");
  section.append(el("h2", { id: "suspects-heading" }, "Leak suspects"));
  section.append(el("p", { class: "note" }, data.basis));
  if (data.suspects.length === 0) {
    section.append(el("p", { class: "empty" }, isChange ? "A difference has no suspects." : "No site looks like a leak."));
    return;
  }
  section.append(el("ol", { class: "suspects" }, data.suspects.map(({ name, via, place, live, live_error, reason, group }) => {
    return el("li", { class: "panel" },
      el("p", { class: "names" },
        el("span", { class: "name" }, breakable(shortened(name, 300))),
        via ? [" ", el("span", { class: "via" }, "via ", breakable(shortened(via, 120)))] : "",
        place ? el("span", { class: "place", title: shortened(place, 1000) }, breakable(shortPlace(place))) : "",
        group === null ? "" : fromCaller(group)),
      el("p", {}, el("strong", {}, inBytes(live)), ` live, ${plusMinus(live_error, "bytes")}`),
      el("p", {}, reason),
      group === null ? "" : el("button", { type: "button", class: "plain", onclick: () => goToSite(group) }, "Show this site in the table"));
  })));
}

function drawDetails() {
  const folded = (title, ...content) => el("details", { class: "panel" }, el("summary", {}, title), content);
  const heads = titles => el("thead", {}, el("tr", {}, titles.map(title => el("th", { scope: "col" }, title))));
  byId("details").append(
    el("h2", { id: "details-heading" }, "How this was measured"),
    folded("Samples and call stacks", el("p", {}, data.sampling[0]), el("p", {}, data.sampling[1])),
    folded("unkai's own memory",
      el("div", { class: "scroll" }, el("table", { class: "plain" }, heads(["", "Used", "At most", "Full", "Entries", "At most"]),
        el("tbody", {}, data.own_memory.map(({ name, used, at_most, entries }) => el("tr", {},
          el("th", { scope: "row" }, name), el("td", {}, inBytes(used)), el("td", {}, inBytes(at_most)),
          entries === null ? [el("td"), el("td"), el("td")]
            : [el("td", {}, share(...entries)), el("td", {}, inCount(entries[0])), el("td", {}, inCount(entries[1]))]))))),
      el("p", { class: "note" }, "The unwinder's part is on the program's heap and in the totals; the tables are beside it.")),
    folded(`Modules: ${inCount(data.modules.length)}`,
      data.modules.length === 0 ? el("p", { class: "empty" }, "No module is known.")
        : el("div", { class: "scroll" }, el("table", { class: "plain modules" }, heads(["File", "Build id", "Loaded at"]),
          el("tbody", {}, data.modules.map(({ path, build_id, start }) => el("tr", {},
            el("th", { scope: "row" }, shortened(path, 400)), el("td", {}, build_id ?? "none"), el("td", {}, start))))))),
    folded("What each figure means", el("dl", { class: "glossary" }, GLOSSARY.map(([word, meaning]) => [el("dt", {}, word), el("dd", {}, meaning)]))));
}

const GLOSSARY = [
  ["live", "allocated and not freed yet"],
  ["allocated, freed", "everything since the start of the program, or within the window of a difference"],
  ["peak", "the most bytes that were live at once; of a site, what it had of them at that moment"],
  ["site", "a line of the program that allocates, with the function of the standard library that it calls for that (via)"],
  ["bytes", "what the program asked for, in powers of 1024; allocators take a little more"],
  ["blocks", "single allocations; a reallocation frees one and allocates one"],
  ["± ", "half of the 95 % confidence interval: the true value lies outside of it in one case of twenty"],
  ["share", "part of the sum of all sites, of the value that is chosen"],
  ["samples", "blocks that were looked at closely; each stands for many"],
  ["lifetime, age", "time from a block's allocation to its free, or to this report; medians, to a factor of two"],
  ["resident", "what the process takes of the machine's physical memory (RSS)"],
];
